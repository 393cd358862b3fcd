/* live.c -- what gate/live.h promises: health, and what survives reloads. */
#include "proxy.h"

/* ---- health ---- */

static void a_target_that_fails_is_left_out_and_comes_back(void **state)
{
        (void)state;
        use(configure(0, BOTH));
        servers[0].resets = true;
        terms.retry_budget_ppm = 1000000;
        ask_often(20, GET, "200 OK");
        assert_true(state_of("10.0.0.2:80").is_out);
        assert_int_equal(state_of("10.0.0.2:80").ejected, 1);
        assert_int_equal(state_of("10.0.0.2:80").share, 0);
        unsigned before = servers[0].requests;
        assert_int_equal(before, 5);
        ask_often(20, GET, "200 OK");
        assert_int_equal(servers[0].requests, before);
        servers[0].resets = false;
        world_run(&world, 30 * SEC);
        ask_often(10, GET, "200 OK");
        assert_true(state_of("10.0.0.2:80").share < 128);
        world_run(&world, 11 * SEC);
        before = servers[0].requests;
        ask_often(20, GET, "200 OK");
        assert_int_equal(servers[0].requests, before + 10);
        assert_int_equal(state_of("10.0.0.2:80").share, 256);
}

static void the_last_target_is_never_left_out(void **state)
{
        (void)state;
        use(configure(0, BOTH));
        servers[0].resets = servers[1].resets = true;
        for (unsigned i = 0; i < 30; i++)
                assert_has(ask(one, GET), "502");
        assert_true(state_of("10.0.0.2:80").is_out != state_of("10.0.0.3:80").is_out);
        assert_true(requests() > 30);
}

static void health_survives_a_reload(void **state)
{
        (void)state;
        use(configure(0, BOTH));
        servers[0].resets = true;
        terms.retry_budget_ppm = 1000000;
        ask_often(20, GET, "200 OK");
        assert_true(state_of("10.0.0.2:80").is_out);
        use(configure(1, ALL));
        assert_true(state_of("10.0.0.2:80").is_out);
}

static void the_breaker_says_when_to_come_again(void **state)
{
        (void)state;
        struct config *config = configure(0, FIRST);
        config->upstream.breaker.least = 20;
        use(config);
        servers[0].resets = true;
        terms.retry_attempts = 1;
        for (unsigned i = 0; i < 20; i++)
                assert_has(ask(one, GET), "502");
        assert_true(live_breaker_is_open(live, S("u")));
        assert_has(ask(one, GET), "no-target");
        assert_in_range(seen.retry_after, 29, 30);
        assert_int_equal(counts_number(board, COUNT_refused_breaker), 1);
        assert_int_equal(servers[0].requests, 20);
        servers[0].resets = false;
        world_run(&world, 31 * SEC);
        ask_often(5, GET, "200 OK");
        assert_false(live_breaker_is_open(live, S("u")));
}

static void answers_of_5xx_count_where_that_is_wanted(void **state)
{
        (void)state;
        for (unsigned counts = 0; counts < 2; counts++) {
                struct config *config = configure(counts, FIRST);
                config->upstream.breaker.least = 20;
                config->upstream.breaker_counts_5xx = counts == 1;
                use(config);
                servers[0].answer = BUSY;
                for (unsigned i = 0; i < 25; i++)
                        assert_has(ask(one, GET), counts == 1 && i >= 20 ? "no-target" : "busy");
                assert_int_equal(state_of("10.0.0.2:80").ejected, 0);
                servers[0].answer = OK;
                world_run(&world, 31 * SEC);
        }
}

static void a_new_target_starts_slowly(void **state)
{
        (void)state;
        struct config *config = configure(0, BOTH);
        config->upstream.slow_start_ns = 30 * SEC;
        use(config);
        ask_often(10, GET, "200 OK");
        assert_int_equal(servers[0].requests, 5);
        config = configure(1, ALL);
        config->upstream.slow_start_ns = 30 * SEC;
        use(config);
        ask_often(30, GET, "200 OK");
        assert_true(servers[2].requests <= 2);
        world_run(&world, 30 * SEC);
        unsigned before = servers[2].requests;
        ask_often(30, GET, "200 OK");
        assert_int_equal(servers[2].requests, before + 10);
}

/* ---- reloads ---- */

static void a_reload_keeps_connections_of_targets_that_stay(void **state)
{
        (void)state;
        use(configure(0, BOTH));
        ask_often(4, GET, "200 OK");
        assert_int_equal(servers[0].conns, 1);
        for (unsigned i = 1; i <= 20; i++) {
                use(configure(i % 2, i % 4 < 2 ? ALL : BOTH));
                ask_often(2, GET, "200 OK");
        }
        assert_int_equal(servers[0].conns, 1);
        assert_int_equal(servers[1].conns, 1);
}

static void a_removed_target_ends_in_peace(void **state)
{
        (void)state;
        use(configure(0, FIRST));
        assert_has(ask(one, GET), "200 OK");
        servers[0].delay = SEC;
        guest_say(one, GET);
        guest_say(two, GET);
        world_run(&world, 10 * MS);
        assert_int_equal(server_open_count(&servers[0]), 2);
        servers[0].delay = 0;
        use(configure(1, URLS("http://10.0.0.3:80")));
        ask_often(0, GET, "200 OK");
        assert_has(ask(&callers[2], GET), "200 OK");
        assert_int_equal(servers[1].requests, 1);
        world_run(&world, 2 * SEC);
        assert_has(guest_heard(one), "200 OK");
        assert_has(guest_heard(two), "200 OK");
        assert_int_equal(server_open_count(&servers[0]), 0);
        assert_int_equal(worker.http.back_count, 1);
}

/* An exchange that began with targets that are no more takes those that are. */
static void an_exchange_in_the_middle_of_a_reload_finds_the_new_targets(void **state)
{
        (void)state;
        use(configure(0, URLS(NOBODY)));
        struct addr nobody = world_addr("10.0.0.9:80");
        sim_blackhole(world.sim, &nobody, true);
        guest_say(one, POST);
        world_run(&world, SEC);
        use(configure(1, FIRST));
        world_run(&world, 2 * SEC);
        assert_has(guest_heard(one), "200 OK");
        assert_int_equal(seen.tries, 2);
}

static void what_no_snapshot_holds_goes_and_its_place_is_used_again(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 50; i++) {
                use(configure(0, BOTH));
                ask_often(2, GET, "200 OK");
                assert_int_equal(worker.http.back_count, 2);
                live_release(live, TAKE(now_used)->list, 1);
                world_run(&world, 10 * MS);
                assert_int_equal(worker.http.back_count, 0);
                assert_int_equal(worker.lane_cap, 8);
                assert_null(worker.lanes[0]);
        }
}

static void a_name_that_comes_back_before_it_is_gone_is_a_new_one(void **state)
{
        (void)state;
        use(configure(0, BOTH));
        ask_often(2, GET, "200 OK");
        live_release(live, TAKE(now_used)->list, 1);
        use(configure(1, BOTH));
        ask_often(2, GET, "200 OK");
        assert_int_equal(servers[0].conns, 2);
}

static void new_limits_of_pools_hold_for_connections_that_are_there(void **state)
{
        (void)state;
        use(configure(0, FIRST));
        assert_has(ask(one, GET), "200 OK");
        struct config *config = configure(1, FIRST);
        config->upstream.pool_idle_ns = 60 * SEC;
        use(config);
        assert_has(ask(one, GET), "200 OK");
        world_run(&world, 50 * SEC);
        assert_has(ask(one, GET), "200 OK");
        assert_int_equal(servers[0].conns, 1);
        assert_int_equal(state_of("10.0.0.2:80").idle, 1);
        world_run(&world, 61 * SEC);
        assert_int_equal(state_of("10.0.0.2:80").idle, 0);
        assert_int_equal(state_of("10.0.0.2:80").open, 0);
}

static void without_a_target_there_is_none(void **state)
{
        (void)state;
        struct config *config = configure(0, FIRST);
        config->upstream.target_count = 0;
        use(config);
        assert_has(ask(one, GET), "no-target");
        assert_int_equal(counts_number(board, COUNT_refused_target), 1);
        config->targets[0].weight = 0;
        config->upstream.target_count = 1;
        use(config);
        assert_has(ask(one, GET), "no-target");
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(a_target_that_fails_is_left_out_and_comes_back),
                test(the_last_target_is_never_left_out),
                test(health_survives_a_reload),
                test(the_breaker_says_when_to_come_again),
                test(answers_of_5xx_count_where_that_is_wanted),
                test(a_new_target_starts_slowly),
                test(a_reload_keeps_connections_of_targets_that_stay),
                test(a_removed_target_ends_in_peace),
                test(an_exchange_in_the_middle_of_a_reload_finds_the_new_targets),
                test(what_no_snapshot_holds_goes_and_its_place_is_used_again),
                test(a_name_that_comes_back_before_it_is_gone_is_a_new_one),
                test(new_limits_of_pools_hold_for_connections_that_are_there),
                test(without_a_target_there_is_none),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
