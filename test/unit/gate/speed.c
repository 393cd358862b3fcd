/* speed.c -- prints what the tables of this room cost; asserts nothing. Run by hand:
 * ninja -C build/release test/unit/speed_gate && build/release/test/unit/speed_gate */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/rand.h"
#include "gate/balance.h"
#include "gate/bucket.h"
#include "gate/pin.h"
#include "gate/route.h"
#include "roster/roster.h"

enum { TRIES = 5 };

static uint64_t now_ns(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void say(const char *name, uint64_t total_ns, uint64_t count)
{
        printf("%-44s %9.1f ns\n", name, (double)total_ns / (double)count);
}

/* ---- routes ---- */

enum { ASKED = 1 << 16 };

struct question {
        struct str path, host;
};

static struct route_table *make_routes(struct arena *arena, unsigned hosts, unsigned apis,
                                       unsigned routes, struct question *questions)
{
        struct arena scratch;
        arena_init(&scratch, NULL, 1u << 31);
        uint64_t start = now_ns();
        struct route_build *build = route_build_begin(arena, &scratch, 1, NULL, NULL);
        unsigned each = routes / hosts / apis;
        for (unsigned h = 0; h < hosts; h++) {
                struct str host = arena_format(arena, "api-%u.example.com", h);
                struct route_channel *channel = route_add_channel(build, host, build);
                route_add_host(build, 0, host, channel);
                for (unsigned a = 0; a < apis; a++) {
                        struct str path = arena_format(arena, "/service-%u", a);
                        struct route_api *api = route_add_api(build, channel, path, path, build);
                        for (unsigned r = 0; r < each; r++) {
                                static const struct str get = {"GET", 3};
                                struct route_spec spec = {.methods = &get, .method_count = 1};
                                spec.path = arena_format(arena, "/v1/resource-%u/{id}/items", r);
                                spec.name = spec.path;
                                spec.value = build;
                                route_add(build, api, &spec);
                        }
                }
        }
        struct route_table *table = route_build_end(build);
        uint64_t took = now_ns() - start;
        printf("%u hosts, %u routes: built in %.3f s, %.1f MB\n", hosts, routes, (double)took / 1e9,
               (double)route_bytes(table) / 1e6);
        arena_fini(&scratch);
        for (unsigned i = 0; i < ASKED; i++) {
                questions[i].host = arena_format(arena, "api-%u.example.com",
                                                 (unsigned)rand_below(hosts));
                questions[i].path = arena_format(arena, "/service-%u/v1/resource-%u/%u/items",
                                                 (unsigned)rand_below(apis),
                                                 (unsigned)rand_below(each), i);
        }
        return table;
}

static void route_speed(unsigned hosts, unsigned apis, unsigned routes)
{
        static struct question questions[ASKED];
        struct arena arena;
        arena_init(&arena, NULL, 1u << 31);
        struct route_table *table = make_routes(&arena, hosts, apis, routes, questions);
        struct route_result result;
        uint64_t best = UINT64_MAX;
        unsigned found = 0;
        for (int try = 0; try < TRIES; try++) {
                uint64_t start = now_ns();
                for (unsigned i = 0; i < ASKED; i++) {
                        struct route_ask ask = {.host = questions[i].host,
                                                .path = questions[i].path,
                                                .method = S("GET")};
                        found += route_find(table, &ask, &result) == ROUTE_FOUND;
                }
                best = u64_min(best, now_ns() - start);
        }
        if (found != ASKED * TRIES)
                printf("only %u found\n", found);
        say("  look-up, random, 5 segments, 1 parameter", best, ASKED);
        arena_fini(&arena);
}

/* ---- rate cells ---- */

static void bucket_speed(unsigned callers)
{
        size_t size = bucket_size(1000000);
        void *memory = aligned_alloc(128, size);
        struct bucket_table table;
        struct bucket_rate rate;
        if (memory == NULL)
                return;
        memset(memory, 0, size);
        if (bucket_init(memory, size) != ERR_ok || bucket_map(memory, size, &table) != ERR_ok ||
            bucket_rate_make(1000000, 1000000000, 1000000, &rate) != ERR_ok)
                return;
        struct hash_key limit = bucket_limit(&table, S("api/orders/rate_limit"));
        uint64_t best = UINT64_MAX, now = now_ns(), admitted = 0;
        for (int try = 0; try < TRIES; try++) {
                uint64_t start = now_ns();
                for (uint64_t i = 0; i < ASKED; i++) {
                        uint64_t who = i * 0x9e3779b97f4a7c15u % callers;
                        struct hash128 cell = hash_siphash24_128(&limit, &who, sizeof who);
                        admitted += bucket_take(&table, cell, &rate, 1, now).is_admitted;
                }
                best = u64_min(best, now_ns() - start);
        }
        printf("%u callers, %.1f MB\n", callers, (double)size / 1e6);
        say("  hash and take", best, ASKED);
        if (admitted != ASKED * TRIES)
                printf("only %llu admitted\n", (unsigned long long)admitted);
        free(memory);
}

/* ---- the roster ---- */

enum { KEYS = 1000000 };

static struct str key_text(char *memory, uint64_t number)
{
        struct text text = text_over(memory, 64);
        text_put(&text, S("gate_test_"));
        text_hex(&text, number * 0x9e3779b97f4a7c15u, 16);
        text_hex(&text, number, 16);
        return text_str(&text);
}

static void put_key(struct roster *roster, const struct seal_secret *secret, uint64_t number)
{
        char memory[64], name[24], id[24];
        struct text consumer = text_over(name, sizeof name), number_text = text_over(id, sizeof id);
        text_format(&consumer, "consumer-%u", (unsigned)(number % 10000));
        text_format(&number_text, "key_%llu", (unsigned long long)number);
        struct roster_key key = {.seal = seal_make(secret, key_text(memory, number)),
                                 .consumer = text_str(&consumer),
                                 .id = text_str(&number_text),
                                 .display = S("gate_test_7Hq2…Zr4K")};
        if (roster_put_key(roster, &key) != ERR_ok)
                printf("refused\n");
}

static void find_keys(struct roster *roster, const char *name, uint64_t first, uint64_t among)
{
        static char keys[ASKED][64];
        struct str asked[ASKED];
        struct credential credential;
        uint64_t best = UINT64_MAX, known = 0;
        for (unsigned i = 0; i < ASKED; i++)
                asked[i] = key_text(keys[i], first + rand_below(among));
        for (int try = 0; try < TRIES; try++) {
                uint64_t start = now_ns();
                for (unsigned i = 0; i < ASKED; i++)
                        known += roster_find(roster, asked[i], 0, &credential) == ROSTER_KNOWN;
                best = u64_min(best, now_ns() - start);
        }
        say(name, best, ASKED);
        (void)known;
}

static void roster_speed(void)
{
        uint8_t bytes[SEAL_SECRET_SIZE] = {7};
        struct seal_secret secret;
        seal_secret_init(&secret, bytes);
        struct roster *roster = roster_make(&secret, 1);
        uint64_t start = now_ns(), worst = 0;
        for (unsigned n = 0; n < 10000; n++) {
                char name[24];
                struct text text = text_over(name, sizeof name);
                text_format(&text, "consumer-%u", n);
                struct consumer consumer = {.name = text_str(&text), .tier = S("gold")};
                if (roster_put_consumer(roster, &consumer) != ERR_ok)
                        printf("refused\n");
        }
        for (uint64_t n = 0; n < KEYS; n++)
                put_key(roster, &secret, n);
        roster_turn(roster, 0);
        uint64_t took = now_ns() - start;
        roster_collect(roster);
        roster_turn(roster, 0);
        roster_collect(roster);
        printf("%u keys of 10000 consumers: loaded in %.3f s, %.1f B each\n", KEYS,
               (double)took / 1e9, (double)roster_counts(roster).bytes / 1e6);
        find_keys(roster, "  find one of a million, random", 0, KEYS);
        find_keys(roster, "  find one of ten", 0, 10);
        find_keys(roster, "  find an unknown one", KEYS * 2, KEYS);
        start = now_ns();
        for (uint64_t n = 0; n < 10000; n++) {
                uint64_t before = now_ns();
                put_key(roster, &secret, KEYS + n);
                roster_collect(roster);
                worst = u64_max(worst, now_ns() - before);
                roster_turn(roster, 0);
        }
        say("  put one more, in place for all workers", now_ns() - start, 10000);
        say("  the slowest of these", worst, 1);
        roster_free(roster);
}

/* ---- targets and pins ---- */

static void balance_speed(unsigned count)
{
        struct balance_target targets[100] = {{0}};
        uint64_t sum = 0, start;
        for (unsigned i = 0; i < count; i++)
                targets[i] = (struct balance_target){.seed = rand_u64(),
                                                     .weight = 1 + i % 3,
                                                     .share = BALANCE_SHARE_FULL,
                                                     .is_available = true};
        printf("%u targets\n", count);
        start = now_ns();
        for (unsigned i = 0; i < ASKED; i++)
                sum += (uint64_t)balance_round_robin(targets, count);
        say("  round robin", now_ns() - start, ASKED);
        start = now_ns();
        for (unsigned i = 0; i < ASKED; i++)
                sum += (uint64_t)balance_least_conn(targets, count, i);
        say("  least_conn", now_ns() - start, ASKED);
        start = now_ns();
        for (unsigned i = 0; i < ASKED; i++)
                sum += (uint64_t)balance_random(targets, count, i * 0x9e3779b97f4a7c15u);
        say("  random", now_ns() - start, ASKED);
        start = now_ns();
        for (unsigned i = 0; i < ASKED; i++)
                sum += (uint64_t)balance_hash(targets, count, i * 0x9e3779b97f4a7c15u);
        say("  hash", now_ns() - start, ASKED);
        if (sum == 1)
                printf("never\n");
}

static void nothing(void *arg)
{
        (void)arg;
}

static void retire_nothing(void *arg, void *value, uint64_t number)
{
        (void)arg;
        (void)value;
        (void)number;
}

static void pin_speed(void)
{
        struct pin_calls calls = {NULL, nothing, retire_nothing, NULL, NULL};
        struct pin_board *board = pin_board_make(&calls, 1);
        struct pin_worker *worker = pin_worker(board, 0);
        pin_publish(board, board);
        pin_turn(worker);
        uint64_t start = now_ns();
        for (unsigned i = 0; i < ASKED * 100; i++) {
                struct pin *pin = pin_take(worker);
                __asm__ volatile("" ::: "memory");
                pin_give(pin);
        }
        say("pin: take and give", now_ns() - start, ASKED * 100);
        pin_leave(worker);
        pin_board_free(board);
}

int main(void)
{
        pin_speed();
        route_speed(1, 1, 1000);
        route_speed(1, 10, 100000);
        route_speed(1000, 10, 100000);
        bucket_speed(100);
        bucket_speed(1000000);
        roster_speed();
        balance_speed(3);
        balance_speed(16);
        balance_speed(100);
        return 0;
}
