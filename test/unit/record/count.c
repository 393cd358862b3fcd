/* count.c -- tests of what threads count: nothing lost, nothing kept twice, everything bounded. */
#include "unit.h"

#include <pthread.h>

#include "gate/series.h"
#include "gate/snapshot.h"
#include "http/message.h"
#include "record/count.h"
#include "record/record.h"

/* A snapshot of one API `api<n>` with routes `/r<i>` for each i of a range, and one upstream. */
struct world {
        struct snapshot snapshot;
        struct arena arena;
};

static struct world *world_make(const char *api_name, unsigned from, unsigned count)
{
        struct arena arena;
        arena_init(&arena, NULL, SIZE_MAX);
        struct world *world = arena_new(&arena, struct world);
        struct snapshot *snapshot = &world->snapshot;
        struct api *api = arena_new(&arena, struct api);
        api->name = str_of(api_name);
        snapshot->api_list = arena_new(&arena, struct api *);
        snapshot->api_list[0] = api;
        snapshot->api_count = 1;
        snapshot->upstreams = arena_new(&arena, struct upstream *);
        snapshot->upstreams[0] = arena_new(&arena, struct upstream);
        snapshot->upstreams[0]->name = S("orders");
        snapshot->upstream_count = 1;
        snapshot->route_count = count;
        snapshot->route_list = arena_array(&arena, struct route *, count);
        for (unsigned i = 0; i < count; i++) {
                struct route *route = arena_new(&arena, struct route);
                route->api = api;
                route->template = arena_format(&arena, "/r%u", from + i);
                snapshot->route_list[i] = route;
        }
        world->arena = arena;
        return world;
}

static void world_free(struct world *world)
{
        struct arena arena = world->arena;
        arena_fini(&arena);
}

static struct record record_of(const struct world *world, unsigned route)
{
        const struct route *to = world->snapshot.route_list[route];
        return (struct record){
                .duration = 1000000,
                .request.method = S("GET"),
                .who = {.api_id = to->api->series,
                        .route_id = to->series,
                        .upstream_id = world->snapshot.upstreams[0]->series},
                .reason = REASON_done,
                .status = 200,
        };
}

static uint64_t total(const struct cell_sum *cell)
{
        uint64_t sum = 0;
        for (unsigned i = 0; i < countof(cell->buckets); i++)
                sum += cell->buckets[i];
        return sum;
}

static uint64_t route_total(const struct count_board *board, unsigned index)
{
        struct cell_sum cells[CELLS_SUM_MAX];
        unsigned count = series_cells(board, SERIES_route, index, cells);
        uint64_t sum = 0;
        for (unsigned i = 0; i < count; i++)
                sum += total(&cells[i]);
        return sum;
}

/* Index of the route's series, 0 when there is none of that name. */
static unsigned route_index(const struct count_board *board, const char *template)
{
        for (unsigned i = 0; i < series_end(board, SERIES_route); i++) {
                struct series_name name;
                if (series_name(board, SERIES_route, i, &name) && str_is(name.name, template))
                        return i;
        }
        return 0;
}

static void a_record_is_counted_under_all_its_names(void **state)
{
        (void)state;
        struct count_board *board = count_board_make(2);
        struct world *world = world_make("orders", 0, 2);
        series_hold_all(board, &world->snapshot);
        struct record record = record_of(world, 1);
        record.tries = 3;
        record.upstream = 2000000;
        record.upstream_status = 200;
        record.request.bytes = 10;
        record.response_bytes = 98;
        record.who.consumer = S("acme");
        counts_record(count_board_of(board, 0), &record);
        counts_record(count_board_of(board, 1), &record);
        record.status = 429;
        record.reason = REASON_rate_limited;
        record.tries = 0;
        counts_record(count_board_of(board, 1), &record);

        struct api_sum api;
        series_api(board, record.who.api_id, &api);
        assert_int_equal(api.reasons[REASON_done], 2);
        assert_int_equal(api.reasons[REASON_rate_limited], 1);
        assert_int_equal(api.statuses[2], 2);
        assert_int_equal(api.statuses[4], 1);
        assert_int_equal(api.request_bytes, 30);
        assert_int_equal(api.response_bytes, 294);
        struct upstream_sum upstream;
        series_upstream(board, record.who.upstream_id, &upstream);
        assert_int_equal(upstream.tries, 6);
        assert_int_equal(upstream.requests, 2);
        struct cell_sum cells[CELLS_SUM_MAX];
        assert_int_equal(series_cells(board, SERIES_route, record.who.route_id, cells), 2);
        assert_int_equal(cells[0].method, METHOD_GET);
        assert_int_equal(cells[0].status, 200);
        assert_int_equal(cells[0].reason, REASON_done);
        assert_int_equal(cells[0].sum_ns, 2000000);
        assert_int_equal(cells[0].buckets[1], 2);
        assert_int_equal(cells[1].status, 429);
        assert_int_equal(cells[1].reason, REASON_rate_limited);
        assert_int_equal(series_cells(board, SERIES_upstream, record.who.upstream_id, cells), 1);
        assert_int_equal(cells[0].sum_ns, 4000000);
        uint64_t classes[CLASSES];
        assert_int_equal(series_end(board, SERIES_consumer), SERIES_FIRST + 1);
        series_consumer(board, SERIES_FIRST, classes);
        assert_int_equal(classes[CLASS_GOOD], 2);
        assert_int_equal(classes[CLASS_CALLER], 1);
        world_free(world);
        count_board_free(board);
}

static void a_failed_try_took_the_time_that_was_waited(void **state)
{
        (void)state;
        struct count_board *board = count_board_make(1);
        struct record record = {.duration = 30000000000,
                                .reason = REASON_upstream_timeout,
                                .status = 504,
                                .tries = 1};
        struct cell_sum cells[CELLS_SUM_MAX];
        counts_record(count_board_of(board, 0), &record);
        assert_int_equal(series_cells(board, SERIES_upstream, SERIES_NONE, cells), 1);
        assert_int_equal(cells[0].reason, REASON_upstream_timeout);
        assert_int_equal(cells[0].status, 0);
        assert_int_equal(cells[0].buckets[BUCKETS], 1);
        count_board_free(board);
}

static void a_record_without_names_is_counted_too(void **state)
{
        (void)state;
        struct count_board *board = count_board_make(1);
        struct record record = {.reason = REASON_bad_request, .status = 400};
        counts_record(count_board_of(board, 0), &record);
        record.who.api_id = record.who.route_id = record.who.upstream_id = UINT32_MAX;
        record.tries = 1;
        counts_record(count_board_of(board, 0), &record);
        struct api_sum api;
        series_api(board, SERIES_NONE, &api);
        assert_int_equal(api.reasons[REASON_bad_request], 2);
        assert_int_equal(route_total(board, SERIES_NONE), 2);
        count_board_free(board);
}

static void every_duration_falls_into_its_bucket(void **state)
{
        (void)state;
        struct count_board *board = count_board_make(1);
        struct counts *counts = count_board_of(board, 0);
        struct record record = {.reason = REASON_done, .status = 200};
        uint64_t expected[BUCKETS + 1] = {0}, random = 88172645463325252u;
        for (unsigned i = 0; i < 3 * BUCKETS + 20000; i++) {
                uint64_t ns;
                if (i < 3 * BUCKETS) {
                        ns = bucket_bounds_ns[i / 3] + i % 3 - 1;
                } else {
                        random ^= random << 13;
                        random ^= random >> 7;
                        random ^= random << 17;
                        ns = random >> (random & 63);
                }
                unsigned bucket = 0;
                while (bucket < BUCKETS && ns > bucket_bounds_ns[bucket])
                        bucket++;
                expected[bucket]++;
                record.duration = ns;
                counts_record(counts, &record);
        }
        struct cell_sum cells[CELLS_SUM_MAX];
        assert_int_equal(series_cells(board, SERIES_route, SERIES_NONE, cells), 1);
        assert_memory_equal(cells[0].buckets, expected, sizeof expected);
        count_board_free(board);
}

static void quantiles_are_right_to_an_eighth(void **state)
{
        (void)state;
        struct count_board *board = count_board_make(1);
        struct record record = {.reason = REASON_done, .status = 200};
        struct api_sum sum;
        series_api(board, SERIES_NONE, &sum);
        assert_int_equal(fine_quantile(sum.fine, 9900), 0);
        for (uint64_t i = 1; i <= 1000; i++) {
                record.duration = i * 100000;
                counts_record(count_board_of(board, 0), &record);
        }
        series_api(board, SERIES_NONE, &sum);
        for (unsigned of = 500; of <= 9999; of += 500) {
                uint64_t exact = (1000 * of + 9999) / 10000 * 100000;
                uint64_t found = fine_quantile(sum.fine, of);
                assert_true(found >= exact && found <= exact + exact / 7);
        }
        record.duration = UINT64_MAX;
        counts_record(count_board_of(board, 0), &record);
        count_board_free(board);
}

static void names_keep_their_numbers_over_a_reload(void **state)
{
        (void)state;
        struct count_board *board = count_board_make(1);
        struct world *old = world_make("orders", 0, 3), *new = world_make("orders", 1, 3);
        series_hold_all(board, &old->snapshot);
        for (unsigned i = 0; i < 3; i++) {
                struct record record = record_of(old, i);
                counts_record(count_board_of(board, 0), &record);
        }
        series_hold_all(board, &new->snapshot);
        struct record record = record_of(new, 0);
        counts_record(count_board_of(board, 0), &record);
        record = record_of(old, 0);
        counts_record(count_board_of(board, 0), &record);
        assert_int_equal(route_total(board, route_index(board, "/r0")), 2);
        assert_int_equal(route_total(board, route_index(board, "/r1")), 2);
        assert_int_equal(counts_number(board, COUNT_series_routes), 4);
        series_release_all(board, &old->snapshot);
        assert_int_equal(route_index(board, "/r0"), 0);
        assert_int_equal(route_total(board, route_index(board, "/r1")), 2);
        assert_int_equal(counts_number(board, COUNT_series_routes), 3);
        series_release_all(board, &new->snapshot);
        assert_int_equal(counts_number(board, COUNT_series_apis), 0);
        world_free(old);
        world_free(new);
        count_board_free(board);
}

static void a_name_that_comes_back_begins_at_zero(void **state)
{
        (void)state;
        struct count_board *board = count_board_make(1);
        for (unsigned round = 0; round < 50; round++) {
                struct world *world = world_make("orders", 7 * round % 11, 3);
                series_hold_all(board, &world->snapshot);
                for (unsigned i = 0; i < 3; i++) {
                        struct record record = record_of(world, i);
                        assert_int_equal(route_total(board, record.who.route_id), 0);
                        for (uint16_t status = 200; status < 240; status++) {
                                record.status = status;
                                record.tries = 1;
                                counts_record(count_board_of(board, 0), &record);
                        }
                        assert_int_equal(route_total(board, record.who.route_id), 40);
                }
                struct api_sum sum;
                series_api(board, world->snapshot.api_list[0]->series, &sum);
                assert_int_equal(sum.reasons[REASON_done], 120);
                series_release_all(board, &world->snapshot);
                world_free(world);
        }
        assert_true(series_end(board, SERIES_route) <= SERIES_FIRST + 3);
        count_board_free(board);
}

static void past_the_cap_names_are_counted_together(void **state)
{
        (void)state;
        struct count_board *board = count_board_make(1);
        struct world *world = world_make("orders", 0, SERIES_ROUTES_MAX + 100);
        series_hold_all(board, &world->snapshot);
        unsigned other = 0;
        for (unsigned i = 0; i < SERIES_ROUTES_MAX + 100; i++) {
                struct record record = record_of(world, i);
                counts_record(count_board_of(board, 0), &record);
                other += record.who.route_id == SERIES_OTHER;
        }
        assert_int_equal(other, 100 + SERIES_FIRST);
        assert_int_equal(counts_number(board, COUNT_series_refused), other);
        assert_int_equal(route_total(board, SERIES_OTHER), other);
        struct series_name name;
        assert_true(series_name(board, SERIES_route, SERIES_OTHER, &name));
        assert_str(name.name, "_other");
        series_release_all(board, &world->snapshot);
        world_free(world);
        count_board_free(board);
}

static void past_the_cap_combinations_are_counted_together(void **state)
{
        (void)state;
        struct count_board *board = count_board_make(2);
        struct record record = {.reason = REASON_done};
        for (unsigned thread = 0; thread < 2; thread++) {
                for (uint16_t status = 200; status < 300; status++) {
                        record.status = (uint16_t)(status + 10 * thread);
                        counts_record(count_board_of(board, thread), &record);
                }
        }
        struct cell_sum cells[CELLS_SUM_MAX];
        unsigned count = series_cells(board, SERIES_route, SERIES_NONE, cells);
        assert_int_equal(count, CELLS_SUM_MAX);
        assert_true(cells[count - 1].is_rest);
        assert_int_equal(route_total(board, SERIES_NONE), 200);
        count_board_free(board);
}

enum { THREADS = 4, ROUNDS = 20000, NAMES = SERIES_CONSUMERS_MAX + 50 };

struct counting {
        struct count_board *board;
        const struct world *world;
        unsigned index;
        pthread_t thread;
};

static void *count(void *arg)
{
        struct counting *counting = arg;
        struct counts *counts = count_board_of(counting->board, counting->index);
        for (unsigned i = 0; i < ROUNDS; i++) {
                char name[16];
                struct text text = text_over(name, sizeof name);
                struct record record = record_of(counting->world, i % 3);
                text_format(&text, "c%u", i % NAMES);
                record.who.consumer = text_str(&text);
                record.status = (uint16_t)(200 + i % 5);
                counts_record(counts, &record);
                counts_add(counts, COUNT_log_lines, 1);
        }
        return NULL;
}

static void threads_count_beside_each_other_and_a_reader(void **state)
{
        (void)state;
        struct count_board *board = count_board_make(THREADS);
        struct world *world = world_make("orders", 0, 3);
        struct counting all[THREADS];
        series_hold_all(board, &world->snapshot);
        for (unsigned i = 0; i < THREADS; i++) {
                all[i] = (struct counting){.board = board, .world = world, .index = i};
                pthread_create(&all[i].thread, NULL, count, &all[i]);
        }
        uint64_t before = 0;
        while (before < (uint64_t)THREADS * ROUNDS) {
                uint64_t now = counts_number(board, COUNT_log_lines);
                assert_true(now >= before);
                before = now;
                struct api_sum sum;
                series_api(board, world->snapshot.api_list[0]->series, &sum);
                for (unsigned i = 0; i < 3; i++)
                        route_total(board, world->snapshot.route_list[i]->series);
        }
        for (unsigned i = 0; i < THREADS; i++)
                pthread_join(all[i].thread, NULL);
        uint64_t routes = 0, consumers = 0, classes[CLASSES];
        for (unsigned i = 0; i < 3; i++)
                routes += route_total(board, world->snapshot.route_list[i]->series);
        assert_int_equal(routes, THREADS * ROUNDS);
        unsigned named = 0;
        for (unsigned i = 0; i < series_end(board, SERIES_consumer); i++) {
                struct series_name name;
                bool has_name = series_name(board, SERIES_consumer, i, &name);
                series_consumer(board, i, classes);
                assert_true(has_name || classes[CLASS_GOOD] == 0);
                named += has_name;
                consumers += classes[CLASS_GOOD];
        }
        assert_int_equal(consumers, THREADS * ROUNDS);
        assert_true(named > SERIES_CONSUMERS_MAX / 2);
        world_free(world);
        count_board_free(board);
}

static void metrics_are_declared_once_and_well(void **state)
{
        (void)state;
        static const struct {
                const char *name, *otel, *kind, *unit, *help;
        } metrics[] = {
#define METRIC(id, kind, name, otel, unit, labels, help) {name, otel, #kind, unit, help},
#define COUNT(id, metric, labels)
#include "record/metric.def"
#undef METRIC
#undef COUNT
        };
        for (size_t i = 0; i < countof(metrics); i++) {
                struct str name = str_of(metrics[i].name), help = str_of(metrics[i].help);
                bool is_counter = str_is(str_of(metrics[i].kind), "COUNTER");
                assert_int_equal(str_ends(name, S("_total")), is_counter);
                if (str_is(str_of(metrics[i].unit), "s"))
                        assert_true(str_find_str(name, S("_seconds")) > 0);
                if (str_is(str_of(metrics[i].unit), "By"))
                        assert_true(str_find_str(name, S("_bytes")) > 0);
                assert_true(str_ends(help, S(".")));
                for (size_t k = 0; k < i; k++)
                        assert_false(str_eq(name, str_of(metrics[k].name)));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_record_is_counted_under_all_its_names),
                cmocka_unit_test(a_failed_try_took_the_time_that_was_waited),
                cmocka_unit_test(a_record_without_names_is_counted_too),
                cmocka_unit_test(every_duration_falls_into_its_bucket),
                cmocka_unit_test(quantiles_are_right_to_an_eighth),
                cmocka_unit_test(names_keep_their_numbers_over_a_reload),
                cmocka_unit_test(a_name_that_comes_back_begins_at_zero),
                cmocka_unit_test(past_the_cap_names_are_counted_together),
                cmocka_unit_test(past_the_cap_combinations_are_counted_together),
                cmocka_unit_test(threads_count_beside_each_other_and_a_reader),
                cmocka_unit_test(metrics_are_declared_once_and_well),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
