/* data.c -- the life of a data process, from the configuration to the last answer. */
#include "main/data.h"
#include "gate/series.h"

#include <signal.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "base/rand.h"
#include "http/crowd.h"
#include "main/configuration.h"
#include "main/desk.h"
#include "main/openings.h"
#include "main/privs.h"
#include "main/shared.h"
#include "main/sight.h"
#include "record/count.h"

/* How long the first snapshot waits for names to be resolved. */
#define SETTLE_NS 2000000000u
#define LOOK_NS   20000000u
#define WATCH_NS  500000000u

enum { STEWARD_PAGES = 16384, LEAST_PAGES = 2048 };

/* ---- pins ---- */

static void retire(void *arg, void *value, uint64_t number)
{
        struct steward *steward = arg;
        struct snapshot *snapshot = value;
        (void)number;
        live_release(steward->gate.live, snapshot->upstreams, snapshot->upstream_count);
        series_release_all(steward->gate.counts, snapshot);
        snapshot_free(snapshot);
}

static void on_retire(struct mail *mail)
{
        struct steward *steward = container_of(mail, struct steward, retire);
        atomic_store(&steward->is_retire_posted, false);
        pin_retire(steward->gate.board);
}

/* Any thread: there is something to retire. One piece of mail at a time is on its way. */
static void post_retire(void *arg)
{
        struct steward *steward = arg;
        if (!atomic_exchange(&steward->is_retire_posted, true))
                loop_post(steward->loop, &steward->retire);
}

static void wake_worker(void *arg, unsigned worker)
{
        struct steward *steward = arg;
        worker_tell(steward->gate.workers[worker]);
}

/* ---- beginning ---- */

static unsigned worker_count(const struct steward *steward, const struct config *config)
{
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        uint64_t count = steward->start->workers;
        if (count == 0)
                count = (uint64_t)config->workers;
        if (count == 0)
                count = cores > 0 ? (uint64_t)cores : 1;
        return (unsigned)u64_min(count, CREW_MOST);
}

/* The share of the machine's memory that pages of all workers may take. */
static size_t pages_of(const struct config *config, unsigned workers)
{
        uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) /
                         PAGE_SIZE;
        uint64_t all = pages / 1000000 * (uint64_t)config->limits.memory;
        return (size_t)u64_max(all / workers, LEAST_PAGES);
}

static void make_instance(struct steward *steward)
{
        uint8_t bytes[5];
        char *text = arena_alloc(&steward->arena, 16);
        struct text instance = text_over(text, 16);
        rand_bytes(bytes, sizeof bytes);
        text_put(&instance, S("gate-"));
        for (size_t i = 0; i < sizeof bytes; i++)
                text_hex(&instance, bytes[i], 2);
        steward->gate.instance = text_str(&instance);
}

static void make_gate(struct steward *steward, const struct config *config)
{
        struct gate *gate = &steward->gate;
        unsigned workers = worker_count(steward, config);
        struct pin_calls calls = {wake_worker, post_retire, retire, NULL, steward};
        make_instance(steward);
        steward->retire.open = on_retire;
        gate->board = pin_board_make(&calls, workers);
        gate->roster = roster_make(&steward->secret, workers);
        gate->counts = count_board_make(workers);
        crew_init(&steward->crew, gate, workers, pages_of(config, workers));
        gate->crowd = crowd_make();
        gate->live = live_make(steward->loop, steward->dns, gate->workers, workers);
        for (unsigned i = 0; i < workers; i++)
                worker_init(gate->workers[i], gate, i, steward->crew.hands[i]->loop);
}

static int give_up_privileges(struct steward *steward, const struct config *config)
{
        struct user user;
        /* The preset is a wish: a machine that has no such user has another for nobody's things. */
        bool is_written = json_get(config->node, S("user")) != NULL;
        enum err err = privs_user(is_written ? config->user : STR_NONE, &user);
        if (err == ERR_ok && steward->start->document_fd < 0 &&
            privs_make_dir(steward->folder.ptr, &user) != ERR_ok)
                fprintf(stderr, "gate: no folder for state: " STR_FMT "\n",
                        STR_ARG(steward->folder));
        steward->was_root = geteuid() == 0 && user.uid != 0 && steward->link->local == NULL;
        if (err == ERR_ok)
                err = privs_drop(&user, steward->start->core_dumps != 0);
        if (err == ERR_ok)
                return 0;
        fprintf(stderr, "gate: cannot become user `" STR_FMT "`: %s\n", STR_ARG(config->user),
                err_text(err));
        return EX_NOPERM;
}

static int begin(struct steward *steward)
{
        int code = 0;
        struct bundle *bundle = configuration_first(steward, &code);
        if (bundle == NULL)
                return code;
        const struct config *config = bundle->config;
        enum err err = shared_map(steward->link, (uint64_t)config->limits.buckets, &steward->gate,
                                  &steward->secret);
        if (err != ERR_ok) {
                fprintf(stderr, "gate: memory for limits: %s\n", err_text(err));
                return EX_OSERR;
        }
        make_gate(steward, config);
        struct snapshot *snapshot = configuration_compile(steward, bundle, &code);
        if (snapshot == NULL)
                return code;
        code = openings_bind(steward, config);
        if (code == 0)
                code = desk_bind(steward, config);
        if (code == 0)
                code = give_up_privileges(steward, config);
        if (code != 0)
                return code;
        config_start_take(config, &steward->arena, &steward->reload.taken);
        sight_begin(steward, config);
        desk_begin(steward);
        crew_start(&steward->crew);
        configuration_publish(steward, snapshot);
        return 0;
}

/* ---- commands of the keeper ---- */

static void on_reload(struct keeper_link *link)
{
        struct steward *steward = link->owner;
        steward->reload.number++;
        configuration_reload(steward);
}

static void on_reopen(struct keeper_link *link)
{
        sight_reopen(link->owner);
}

static void on_request_failed(struct keeper_link *link, enum request what, struct str why)
{
        (void)what;
        desk_refused(link->owner, why);
}

static void begin_drain(struct steward *steward, uint64_t limit_ms)
{
        uint64_t until = loop_now(steward->loop) + limit_ms * 1000000;
        if (!steward->is_draining) {
                crew_drain(&steward->crew);
                openings_close(steward);
        }
        if (!steward->is_draining || until < steward->drain_until) {
                steward->drain_until = until;
                crew_end_streams(&steward->crew, limit_ms * 1000000);
        }
        steward->is_draining = true;
        timer_set(steward->loop, &steward->look, loop_now(steward->loop));
}

static void on_drain(struct keeper_link *link, enum drain why, uint64_t limit_ms)
{
        (void)why;
        begin_drain(link->owner, limit_ms);
}

static const struct keeper_link_ops link_ops = {
        .reload = on_reload,
        .reopen = on_reopen,
        .drain = on_drain,
        .request_failed = on_request_failed,
};

/* ---- serving ---- */

static void on_look(struct timer *timer)
{
        struct steward *steward = container_of(timer, struct steward, look);
        uint64_t now = loop_now(steward->loop);
        if (steward->is_draining) {
                if (crew_is_drained(&steward->crew) || now >= steward->drain_until)
                        loop_stop(steward->loop);
                else
                        timer_set(steward->loop, timer, now + LOOK_NS);
                return;
        }
        if (configuration_is_stale(steward)) {
                steward->reload.number++;
                steward->reload.is_due = true;
        }
        if (steward->reload.is_due)
                configuration_reload(steward);
        configuration_prove(steward);
        timer_set(steward->loop, timer, now + WATCH_NS);
}

static void settle(struct steward *steward)
{
        uint64_t until = loop_now(steward->loop) + SETTLE_NS;
        while (!live_is_settled(steward->gate.live) && loop_now(steward->loop) < until)
                loop_turn(steward->loop, LOOK_NS);
}

static int serve(struct steward *steward)
{
        const struct config *config = steward->snapshot->config;
        settle(steward);
        enum err err = keeper_link_ready(steward->link, (uint64_t)config->drain / 1000000,
                                         (uint64_t)config->stream_drain / 1000000);
        if (err != ERR_ok) {
                fprintf(stderr, "gate: cannot begin to serve: %s\n", err_text(err));
                return EX_OSERR;
        }
        steward->is_ready = true;
        /* Not before: a socket that does not listen yet cannot be watched. */
        openings_enter(steward);
        desk_open(steward);
        configuration_serves(steward);
        keeper_link_attach(steward->link, steward->loop, &link_ops, steward);
        watchdog_start(&steward->watchdog, steward->loop, steward->crew.watched,
                       steward->crew.count);
        timer_init(&steward->look, on_look);
        timer_set(steward->loop, &steward->look, loop_now(steward->loop) + WATCH_NS);
        loop_run(steward->loop);
        return 0;
}

static void end(struct steward *steward)
{
        watchdog_stop(&steward->watchdog);
        timer_stop(&steward->look);
        crew_join(&steward->crew);
        desk_end(steward);
        sight_end(steward);
        keeper_link_drained(steward->link);
        keeper_link_detach(steward->link);
}

int data_run(struct data_start *start)
{
        static const struct dns_conf dns_conf = {.tries = 2};
        static struct steward steward;
        steward = (struct steward){.start = start, .link = start->link};
        steward.gate.policies = &policy_list;
        steward.gate.proofs = &proof_list;
        signal(SIGPIPE, SIG_IGN);
        panic_on_signals();
        arena_init(&steward.arena, NULL, SIZE_MAX / 2);
        steward.folder = str_of(arena_cstr(&steward.arena, keepsake_folder(&steward.arena)));
        steward.loop = loop_make(&driver_epoll, STEWARD_PAGES);
        steward.dns = dns_make(steward.loop, &dns_conf);
        steward.started = loop_wall(steward.loop);
        int code = begin(&steward);
        if (code == 0)
                code = serve(&steward);
        if (code == 0)
                end(&steward);
        return code;
}
