/* gateway_gate.c -- the gate: one worker and what the steward does for it, on one loop. */
#include "gateway_gate.h"
#include "base/rand.h"
#include "gate/bundle.h"
#include "gate/series.h"
#include "gate/trip.h"
#include "identity/list.h"
#include "io/dns.h"
#include "io/ring.h"
#include "policy/list.h"
#include "record/count.h"
#include "roster/roster.h"

enum {
        CELLS = 1024,
        RING = 1 << 20,
        POLICIES_MAX = 32,
        LAST_TURNS = 1000,
        NAMES = 3,
};

struct worker worker;
struct gate gate;

static struct worker *workers[1] = {&worker};
static struct seal_secret secret;
static struct dns *dns;
static struct ring *ring;
static struct snapshot *snapshot; /* the newest */
static struct entrance *entrance;
static int listener;
static bool has_retired; /* there is something to retire */
static unsigned alive;   /* snapshots */
static unsigned names_now;
static const struct policy *policies_at[POLICIES_MAX];
static const struct shape *shapes_at[POLICIES_MAX];
static struct policies policies = {policies_at, shapes_at, 0};

/* The policies of the gate, and the probe behind them. */
static void make_policies(void)
{
        CHECK(policy_list.count < POLICIES_MAX);
        for (size_t i = 0; i < policy_list.count; i++) {
                policies_at[i] = policy_list.at[i];
                shapes_at[i] = policy_list.shapes[i];
        }
        policies_at[policy_list.count] = &policy_probe;
        shapes_at[policy_list.count] = policy_probe.shape;
        policies.count = policy_list.count + 1;
}

static void on_post(void *arg)
{
        (void)arg;
        has_retired = true;
}

static void on_retire(void *arg, void *value, uint64_t number)
{
        struct snapshot *old = value;
        (void)arg, (void)number;
        must(alive > 0);
        alive--;
        live_release(gate.live, old->upstreams, old->upstream_count);
        series_release_all(gate.counts, old);
        snapshot_free(old);
}

static void make_table(struct bucket_table *table)
{
        size_t size = bucket_size(CELLS);
        char *memory = arena_zero(&it.arena, 1, size + 2 * CACHE_LINE);
        memory += -(uintptr_t)memory & (2 * CACHE_LINE - 1);
        CHECK(bucket_init(memory, size) == ERR_ok);
        CHECK(bucket_map(memory, size, table) == ERR_ok);
}

/* What each name is answered with; which of these is drawn now and then. */
static void on_question(void *arg, struct dns_name *name, struct str text, enum dns_family family)
{
        static const char *const known[] = {
                "10.0.1.1 10.0.1.2", "10.0.1.2 fd00::1",           "10.0.1.3",
                "fd00::1",           "10.0.1.1 10.0.1.3 10.0.1.4", ""};
        struct addr addrs[8];
        struct dns_answer answer = {.addrs = addrs, .ttl = 1};
        struct str rest = str_of(known[(names_now + text.len) % countof(known)]);
        (void)arg, (void)family;
        while (rest.len > 0) {
                struct str ip = str_cut(&rest, ' ');
                CHECK(addr_read_ip(ip, 0, &addrs[answer.count++]) == ERR_ok);
        }
        if (answer.count == 0)
                answer.error = maybe(512) ? ERR_timeout : ERR_missing;
        dns_give(name, &answer);
}

void gate_change_names(void)
{
        names_now = (unsigned)below(100);
        dns_refresh(dns);
}

static void open_entrance(void)
{
        entrance = worker_new_entrance(&worker);
        entrance->name = S("main");
        entrance->site = &watched_site;
        CHECK(addr_read(S("10.0.0.1:80"), &entrance->address) == ERR_ok);
        listener = sim_listen(it.sim, &entrance->address);
        CHECK(worker_enter(&worker, entrance, listener) == ERR_ok);
}

void gate_make(size_t pages)
{
        struct pin_calls calls = {NULL, on_post, on_retire, NULL, NULL};
        uint8_t bytes[SEAL_SECRET_SIZE] = {1, 2, 3};
        make_policies();
        seal_secret_init(&secret, bytes);
        snapshot = NULL;
        alive = names_now = 0;
        has_retired = false;
        it.loop = loop_make(&driver_sim, pages);
        gate = (struct gate){.policies = &policies,
                             .proofs = &proof_list,
                             .board = pin_board_make(&calls, 1),
                             .roster = roster_make(&secret, 1),
                             .counts = count_board_make(1),
                             .workers = workers,
                             .worker_count = 1,
                             .instance = S("sim")};
        make_table(&gate.known);
        make_table(&gate.strangers);
        dns = dns_make(it.loop, &(struct dns_conf){0});
        dns_set_ask(dns, on_question, NULL);
        gate.live = live_make(it.loop, dns, workers, 1);
        worker = (struct worker){0};
        worker_init(&worker, &gate, 0, it.loop);
        ring = worker.ring = ring_make(RING);
}

/* ---- configurations ---- */

static void say_faults(struct bundle *bundle, struct str text)
{
        struct text faults = text_grow(&it.arena, 1 << 20);
        faults_write(&bundle->load.faults, false, &faults);
        panic("seed %llu: not a configuration:\n" STR_FMT "\n" STR_FMT, (unsigned long long)it.seed,
              STR_ARG(text), STR_ARG(text_str(&faults)));
}

void gate_publish(struct str text)
{
        struct load_request request = {S("sim.yaml"), text, STR_NONE, &world_real};
        struct bundle *bundle = bundle_read(&request, &policies, &proof_list);
        struct snapshot *next = bundle_compile(bundle, &gate);
        if (next == NULL)
                say_faults(bundle, text);
        live_hold(gate.live, next->upstreams, next->upstream_count);
        series_hold_all(gate.counts, next);
        CHECK(compile_roster(next->config, gate.roster, &secret) == ERR_ok);
        next->number = pin_publish(gate.board, next);
        alive++;
        it.tally.swaps++;
        if (snapshot == NULL)
                open_entrance();
        snapshot = next;
}

void gate_change_roster(void)
{
        static const char *const keys[] = {"key-of-anna", "key-of-bert", "key-of-cleo"};
        static const char *const names[] = {"anna", "bert", "cleo"};
        unsigned which = (unsigned)below(countof(keys));
        struct roster_key key = {.seal = seal_make(&secret, str_of(keys[which])),
                                 .consumer = str_of(names[which]),
                                 .id = S("id"),
                                 .display = S("key…"),
                                 .origin = ROSTER_HOUSE};
        struct consumer consumer = {.name = key.consumer, .origin = ROSTER_HOUSE};
        enum err err = ERR_ok;
        switch (below(4)) {
        case 0:
                err = roster_remove_key(gate.roster, key.seal.tag);
                break;
        case 1:
                err = roster_remove_consumer(gate.roster, key.consumer);
                break;
        case 2:
                consumer.is_blocked = maybe(512);
                consumer.tier = maybe(512) ? S("gold") : STR_NONE;
                err = roster_put_consumer(gate.roster, &consumer);
                break;
        default:
                err = roster_put_key(gate.roster, &key);
        }
        must(err == ERR_ok || err == ERR_missing || err == ERR_exists);
        roster_collect(gate.roster);
}

/* ---- records ---- */

static unsigned id_of(struct str text)
{
        uint64_t id;
        if (!str_starts(text, S("ask-")) || str_to_u64(str_skip(text, 4), &id) != ERR_ok)
                return 0;
        must(id > 0 && id <= it.asked_count);
        return (unsigned)id;
}

/* What a policy asks of the gate itself is a request like any other, under the asker's id. */
static bool is_question(struct str path)
{
        return str_ends(path, S("/check")) || str_ends(path, S("/question")) ||
               str_is(path, "/nowhere");
}

static void take_record(const struct record *record)
{
        unsigned id = id_of(record->trace.request_id);
        must(record->reason != REASON_none && record->reason < REASON_COUNT);
        must(record->reason != REASON_fault);
        it.tally.reasons[record->reason]++;
        note("record %u: %s %u, %u tries, %.*s", id, reason_token(record->reason).ptr,
             record->status, record->tries, STR_ARG(record->trace.steps));
        if (record->trace.request_id.len == 0) { /* it never became an exchange */
                it.tally.refused++;
                return;
        }
        must(id != 0);
        if (is_question(record->request.path))
                return;
        must(++it.asked[id].records == 1);
        it.asked[id].tries = record->tries;
}

void gate_attend(void)
{
        struct ring_message message;
        struct record record;
        while (ring_next(ring, &message)) {
                must(record_read(message.bytes, &record) == ERR_ok);
                take_record(&record);
        }
        ring_release(ring);
        must(ring_dropped(ring) == 0);
        if (has_retired && maybe(256)) {
                has_retired = false;
                pin_retire(gate.board);
        }
}

/* ---- the site ---- */

static void site_begin(struct exchange *ex)
{
        uint64_t id = 0;
        struct str text = fields_find(&ex->req.head.fields, S("X-Id")) == NULL
                                  ? STR_NONE
                                  : fields_find(&ex->req.head.fields, S("X-Id"))->value;
        must(str_to_u64(text, &id) == ERR_ok && id > 0 && id <= it.asked_count);
        must(++it.asked[id].begun == 1);
        gate_site.begin(ex);
}

static void site_run(struct exchange *ex)
{
        gate_site.run(ex);
        must(ex->is_over || ex->front.conn != NULL || ex->front.codec != NULL);
}

static void site_end(struct exchange *ex)
{
        unsigned id = id_of(trip_of(ex)->ids.request);
        must(id != 0 && ++it.asked[id].ended == 1);
        must(ex->reason != REASON_none || trip_of(ex)->outcome != REASON_none ||
             ex->res.head.status != 0);
        /* No limit of any configuration lets one last longer, nor any guest's patience. */
        must(it.is_calm || loop_now(it.loop) - ex->times.begin < 100 * SEC);
        gate_site.end(ex);
}

static bool site_piece(struct exchange *ex, struct body *body, struct str bytes)
{
        return gate_site.piece(ex, body, bytes);
}

static void site_refuse(struct conn *conn, enum reason reason, struct str method, struct str target,
                        struct text *answer)
{
        gate_site.refuse(conn, reason, method, target, answer);
}

const struct site watched_site = {
        .name = "sim",
        .begin = site_begin,
        .run = site_run,
        .end = site_end,
        .piece = site_piece,
        .refuse = site_refuse,
};

/* ---- ending ---- */

void gate_drain(void)
{
        worker_drain(&worker);
        it.tally.drains++;
}

bool gate_is_drained(void)
{
        return worker_is_drained(&worker);
}

void gate_abort(void)
{
        worker_abort(&worker);
        for (int turn = 0; turn < LAST_TURNS && !worker_is_empty(&worker); turn++)
                loop_turn(it.loop, 0);
        must(worker_is_empty(&worker));
}

bool gate_is_idle(void)
{
        return worker_is_empty(&worker);
}

static void check_target(void *arg, const struct target_state *state)
{
        (void)arg;
        must(state->in_flight == 0);
        must(state->idle == state->open);
}

void gate_check_idle(void)
{
        uint32_t idle = 0;
        must(worker.http.exchange_count == 0 && worker.http.front_count == 0);
        must(entrance->conns == 0);
        live_each(gate.live, check_target, NULL);
        for (uint32_t i = 0; i < worker.lane_cap; i++) {
                const struct lane *lane = worker.lanes[i];
                if (lane == NULL)
                        continue;
                must(lane->users == 0);
                must(lane->retry.active == 0 && lane->retry.retrying == 0);
                list_each (node, &lane->all_seats) {
                        const struct seat *seat = list_entry(node, struct seat, node);
                        must(seat->load == 0);
                        must(seat->pool.idle_count == seat->pool.open_count);
                        idle += seat->pool.idle_count;
                }
                /* No probe of a breaker is under way. */
                must((lane->upstream->breaker.state >> 8 & 0xff) == 0);
        }
        must(worker.http.back_count == idle);
        must(it.tally.probes == 0);
        pin_retire(gate.board);
        has_retired = false;
        must(alive == 1 && pin_alive(gate.board) == 1);
}

void gate_end(void)
{
        entrance_shut(entrance);
        it.loop->driver->close(it.loop->world, listener, false);
        gate_abort();
        gate_attend();
        worker_fini(&worker);
        loop_turn(it.loop, 0);
        pin_board_free(gate.board);
        must(alive == 0);
        for (int i = 0; i < 4; i++)
                loop_turn(it.loop, 0);
        live_free(gate.live);
        dns_free(dns);
        count_board_free(gate.counts);
        roster_free(gate.roster);
        ring_free(ring);
        seal_secret_fini(&secret);
        must(sim_open_count(it.sim) == 0);
        must(page_pool_in_use(it.loop->pages) == 0);
        must(it.tally.probes == 0);
        loop_free(it.loop);
}
