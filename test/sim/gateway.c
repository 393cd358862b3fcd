/* gateway.c -- seeded runs of the whole way of a request: a gate with real configurations, callers
 * and servers that do their worst, configurations that change under way, a network and a system
 * that fail. Always: each request ends once, with a reason and a record; each answer belongs to its
 * request; what must not be done twice is not done twice; everything written is strictly HTTP; all
 * that is counted comes back to nothing; nothing hangs.
 *
 *     gateway [FIRST [COUNT]]      seeds; one that fails is printed, and run alone it fails again
 *     gateway -v SEED [1 [PAGE]]   with all that happens, and how often
 *     gateway torture [FIRST [COUNT]]  where nothing goes wrong but that the n-th page is missing,
 *                                  for every n: then a request is answered with 503, or its
 *                                  connection ends, and nothing else */
#include "gateway.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rand.h"

enum { PAGES = 8192, TURNS_MAX = 4000000 };

struct scene it;
static unsigned generation, turns;
static unsigned famine; /* turns in each of which the first page is missing */
static bool is_done;    /* what happens by itself is over */
static size_t fails_at; /* torture: which page is missing; 0: none */

void note_down(const char *format, ...)
{
        va_list args;
        printf("%8.3f ", (double)(sim_now(it.sim) % (1000000 * SEC)) / 1e9);
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        putchar('\n');
        fflush(stdout);
}

uint64_t some(uint64_t most)
{
        unsigned bits = 0;
        while (bits < 63 && most >> bits != 0)
                bits++;
        uint64_t cap = (uint64_t)1 << below(bits + 1);
        return u64_min(below(cap), most);
}

uint8_t byte_of(unsigned id, unsigned salt, uint64_t at)
{
        uint64_t word = ((at >> 3) + ((uint64_t)id << 40) + ((uint64_t)salt << 32)) *
                        0x9e3779b97f4a7c15u;
        return (uint8_t)(word >> (8 * (at & 7)));
}

unsigned id_in(const struct message *message, const char *name)
{
        uint64_t id;
        struct str value = message_field(message, name);
        if (value.ptr == NULL)
                return 0;
        must(str_to_u64(value, &id) == ERR_ok && id <= it.asked_count);
        return (unsigned)id;
}

/* ---- what happens by itself ---- */

static void fail_system(void)
{
        static const enum err errs[SIM_CALLS] = {ERR_memory, ERR_no_ports, ERR_no_files,
                                                 ERR_memory};
        enum sim_call call = (enum sim_call)below(SIM_CALLS);
        sim_fail_next(it.sim, call, errs[call], 1 + (unsigned)below(3));
}

static void spoil_network(void)
{
        struct sim_rules *rules = sim_rules(it.sim);
        rules->reset = (uint16_t)(maybe(700) ? 0 : below(30));
        rules->refuse = (uint16_t)(maybe(700) ? 0 : below(300));
        rules->lose = (uint16_t)(maybe(800) ? 0 : below(200));
        rules->fds_max = maybe(900) ? 10000 : 4 + (uint32_t)below(30);
}

static void happen(void *arg)
{
        (void)arg;
        if (is_done || sim_now(it.sim) > 1130 * SEC)
                return;
        switch (below(it.is_calm ? 3 : 9)) {
        case 0:
                gate_publish(config_draw(++generation));
                break;
        case 1:
                sim_step_wall(it.sim, (int64_t)below(20 * SEC) - (int64_t)(10 * SEC));
                break;
        case 2:
                break;
        case 3:
                gate_change_roster();
                break;
        case 4:
                page_pool_fail_at(it.loop->pages, 1 + (size_t)some(500));
                famine = maybe(300) ? (unsigned)some(100) : 0;
                break;
        case 5:
                fail_system();
                break;
        case 6:
                spoil_network();
                break;
        case 7:
                gate_change_names();
                break;
        default:
                servers_change();
        }
        sim_after(it.sim, maybe(300) ? some(SEC) : below(2 * SEC), happen, NULL);
}

static void drain(void *arg)
{
        (void)arg;
        if (it.is_over)
                return;
        it.is_draining = it.is_over = true;
        gate_drain();
        note("draining");
}

static void stop_asking(void *arg)
{
        (void)arg;
        it.is_over = true;
}

/* ---- the run ---- */

static void turn(uint64_t wait)
{
        if (famine > 0 && fails_at == 0) {
                page_pool_fail_at(it.loop->pages, 1);
                famine--;
        }
        loop_turn(it.loop, wait);
        gate_attend();
        must(++turns < TURNS_MAX); /* nothing spins */
}

static void run_for(uint64_t ns)
{
        uint64_t until = sim_now(it.sim) + ns;
        while (sim_now(it.sim) < until)
                turn(until - sim_now(it.sim));
}

static void set_up(void)
{
        size_t pages = PAGES;
        it.sim = sim_make(it.seed);
        rand_seed(it.seed);
        arena_init(&it.arena, NULL, SIZE_MAX / 2);
        it.is_calm = maybe(100) || fails_at > 0;
        it.is_perfect = it.is_calm && fails_at == 0;
        it.is_tight = !it.is_calm && maybe(200);
        if (it.is_tight)
                pages = 90 + (size_t)some(200);
        sim_draw_rules(it.sim);
        if (it.is_calm) {
                sim_rules(it.sim)->no_memory = 0;
                sim_rules(it.sim)->segment_max += 1460;
        }
        sim_rules(it.sim)->no_memory /= 4;
        sim_rules(it.sim)->backlog_max = 64;
        if (!it.is_calm && maybe(512))
                spoil_network();
        generation = 1;
        turns = famine = 0;
        is_done = false;
        gate_make(pages);
        gate_publish(config_draw(generation));
        if (fails_at > 0)
                page_pool_fail_at(it.loop->pages, fails_at);
}

/* Every request that began has ended, with one record; what servers got of it is in its record. */
static void check_asked(void)
{
        for (unsigned id = 1; id <= it.asked_count; id++) {
                const struct asked *asked = &it.asked[id];
                must(asked->begun == asked->ended && asked->begun == asked->records);
                must(asked->seen <= asked->tries);
                must(asked->answers <= 1);
                if (it.is_perfect)
                        must(asked->answers == 1);
        }
}

static void settle(void)
{
        struct sim_rules *rules = sim_rules(it.sim);
        is_done = true;
        rules->reset = rules->refuse = rules->lose = rules->no_memory = 0;
        rules->fds_max = 10000;
        page_pool_fail_at(it.loop->pages, 0);
        famine = 0;
        /* No limit of any configuration drawn is longer than this, all together. */
        for (int i = 0; i < 100 && !gate_is_idle(); i++)
                run_for(SEC);
        must(gate_is_idle());
        run_for(10 * SEC);
        gate_check_idle();
}

static uint64_t run(uint64_t seed)
{
        bool is_verbose = it.is_verbose;
        memset(&it, 0, sizeof it);
        it.seed = seed;
        it.is_verbose = is_verbose;
        set_up();
        run_for(10 * MS);
        servers_begin();
        guests_begin();
        sim_after(it.sim, some(2 * SEC), happen, NULL);
        sim_after(it.sim, 120 * SEC, stop_asking, NULL);
        if (!it.is_calm && maybe(200))
                sim_after(it.sim, below(20 * SEC), drain, NULL);
        while (!guests_are_over() && sim_now(it.sim) < 10000 * SEC)
                run_for(100 * MS);
        must(guests_are_over());
        it.is_over = true;
        if (it.is_draining && maybe(300))
                gate_abort();
        settle();
        if (it.is_draining)
                must(gate_is_drained());
        guests_end();
        run_for(SEC);
        check_asked();
        servers_end();
        gate_end();
        uint64_t digest = sim_digest(it.sim);
        sim_free(it.sim);
        arena_fini(&it.arena);
        return digest;
}

static void show(void)
{
        const struct tally *tally = &it.tally;
        printf("%s%s\nasked %llu, answered %llu, refused %llu, swaps %llu, calls %llu, questions "
               "%llu, waits %llu, drains %llu\n",
               it.is_calm ? "calm " : "", it.is_tight ? "tight" : "",
               (unsigned long long)tally->asked, (unsigned long long)tally->answered,
               (unsigned long long)tally->refused, (unsigned long long)tally->swaps,
               (unsigned long long)tally->calls, (unsigned long long)tally->questions,
               (unsigned long long)tally->waits, (unsigned long long)tally->drains);
        printf("strays %llu, heard %llu\n", (unsigned long long)tally->strays,
               (unsigned long long)tally->strays_heard);
        for (enum reason reason = 0; reason < REASON_COUNT; reason++) {
                if (tally->reasons[reason] > 0)
                        printf("  %-22.*s %llu\n", STR_ARG(reason_token(reason)),
                               (unsigned long long)tally->reasons[reason]);
        }
}

/* Until the run is the same whether a page is missing or not, for long enough. */
static uint64_t torture(uint64_t seed)
{
        unsigned alike = 0;
        fails_at = SIZE_MAX;
        uint64_t whole = run(seed);
        for (fails_at = 1; alike < 60; fails_at++)
                alike = run(seed) == whole ? alike + 1 : 0;
        return fails_at - alike;
}

/* Whatever it is that dies, the seed is told. */
static void tell_seed(int fd, void *arg)
{
        char memory[64];
        struct text text = text_over(memory, sizeof memory);
        (void)arg;
        text_format(&text, "at seed %llu, page %zu\n", (unsigned long long)it.seed, fails_at);
        if (write(fd, text.at, text.len) < 0)
                return;
}

static uint64_t number(const char *text)
{
        uint64_t value;
        if (str_to_u64(str_of(text), &value) != ERR_ok)
                exit(64);
        return value;
}

static void add_up(struct tally *all)
{
        const uint64_t *from = (const uint64_t *)(const void *)&it.tally;
        uint64_t *to = (uint64_t *)(void *)all;
        for (size_t i = 0; i < sizeof *all / sizeof *to; i++)
                to[i] += from[i];
}

int main(int argc, char **argv)
{
        uint64_t first = 0, count = 100, digest = 0;
        struct tally all = {0};
        bool is_verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
        bool is_torture = argc > 1 && strcmp(argv[1], "torture") == 0;
        argc -= is_verbose || is_torture;
        argv += is_verbose || is_torture;
        if (is_verbose && argc > 3)
                fails_at = number(argv[3]);
        if (argc > 1) {
                first = number(argv[1]);
                count = argc > 2 ? number(argv[2]) : 1;
        }
        panic_note(tell_seed, NULL);
        panic_on_signals();
        log_set(LEVEL_ERROR, LOG_PAIRS);
        for (uint64_t seed = first; seed < first + count; seed++) {
                it.is_verbose = is_verbose && count == 1;
                digest ^= is_torture ? torture(seed) : run(seed);
                add_up(&all);
        }
        it.tally = all;
        if (is_verbose)
                show();
        printf("%llu seeds from %llu on: %016llx\n", (unsigned long long)count,
               (unsigned long long)first, (unsigned long long)digest);
        return 0;
}
