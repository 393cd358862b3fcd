/* speed.c -- prints what the tables of this room cost; asserts nothing. Run by hand:
 * build/release/test/unit/speed_gate [route] */
#include <stdio.h>
#include <time.h>

#include "base/rand.h"
#include "gate/route.h"

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

int main(void)
{
        route_speed(1, 1, 1000);
        route_speed(1, 10, 100000);
        route_speed(1000, 10, 100000);
        return 0;
}
