/* live_names.c -- how upstreams follow the names of their targets: every address is used, changes
 * break nothing, and of two families the one that works. */
#include "proxy.h"

#define NAMED URLS("http://orders.example:80")

static void count_state(void *arg, const struct target_state *state)
{
        (void)state;
        ++*(unsigned *)arg;
}

static unsigned address_count(void)
{
        unsigned count = 0;
        live_each(live, count_state, &count);
        return count;
}

static void every_address_of_a_name_is_used(void **state)
{
        (void)state;
        name_answer = "10.0.0.2 10.0.0.3 10.0.0.4";
        use(configure(0, NAMED));
        assert_true(live_is_settled(live));
        ask_often(30, GET, "200 OK");
        for (unsigned i = 0; i < SERVERS; i++)
                assert_int_equal(servers[i].requests, 10);
}

/* A weight is the target's, however many addresses it has. */
static void a_weight_is_shared_by_the_addresses(void **state)
{
        (void)state;
        name_answer = "10.0.0.2 10.0.0.3";
        use(configure(0, URLS("http://orders.example:80", "http://10.0.0.4:80")));
        ask_often(40, GET, "200 OK");
        assert_int_equal(servers[0].requests, 10);
        assert_int_equal(servers[1].requests, 10);
        assert_int_equal(servers[2].requests, 20);
}

static void a_name_is_followed_and_what_runs_ends_in_peace(void **state)
{
        (void)state;
        name_answer = "10.0.0.2 10.0.0.3";
        use(configure(0, NAMED));
        ask_often(4, GET, "200 OK");
        servers[0].delay = servers[1].delay = 20 * SEC;
        guest_say(one, GET);
        guest_say(two, GET);
        world_run(&world, SEC);
        name_answer = "10.0.0.3 10.0.0.4";
        world_run(&world, 14 * SEC);
        assert_int_equal(address_count(), 2);
        servers[1].delay = 0;
        guest_hang_up(&callers[2]);
        guest_dial(&world, &callers[2]);
        assert_has(ask(&callers[2], GET), "200 OK");
        assert_has(ask(&callers[2], GET), "200 OK");
        assert_int_equal(servers[2].requests, 1);
        world_run(&world, 10 * SEC);
        assert_has(guest_heard(one), "200 OK");
        assert_has(guest_heard(two), "200 OK");
        assert_int_equal(server_open_count(&servers[0]), 0);
        ask_often(10, GET, "200 OK");
        assert_int_equal(servers[0].requests, 3);
}

/* security.md 292: nobody answers for ten minutes, and no request fails. */
static void the_last_good_addresses_are_kept(void **state)
{
        (void)state;
        name_answer = "10.0.0.2";
        use(configure(0, NAMED));
        name_answer = NULL;
        for (unsigned i = 0; i < 60; i++) {
                assert_has(ask(one, GET), "200 OK");
                world_run(&world, 10 * SEC);
        }
        assert_true(name_questions > 10);
        world_run(&world, 50 * SEC);
        name_error = ERR_missing;
        world_run(&world, 8 * SEC);
        assert_true(live_is_settled(live));
}

static void a_name_that_is_not_known_has_no_target_until_it_is(void **state)
{
        (void)state;
        name_error = ERR_missing;
        live_hold(live, configure(0, NAMED)->list, 1);
        now_used = &configs[0];
        assert_false(live_is_settled(live));
        world_run(&world, 10 * MS);
        assert_true(live_is_settled(live));
        assert_has(ask(one, GET), "no-target");
        name_error = ERR_ok;
        name_answer = "10.0.0.2";
        world_run(&world, 40 * SEC);
        assert_has(ask(one, GET), "200 OK");
}

/* The old targets serve until the new name is known: a reload never makes a gap. */
static void a_reload_to_a_new_name_waits_for_its_addresses(void **state)
{
        (void)state;
        use(configure(0, FIRST));
        assert_has(ask(one, GET), "200 OK");
        name_answer = "10.0.0.3";
        struct config *config = configure(1, NAMED);
        live_hold(live, config->list, 1);
        assert_int_equal(address_count(), 1);
        assert_false(state_of("10.0.0.2:80").is_standby);
        live_release(live, now_used->list, 1);
        now_used = config;
        world_run(&world, 10 * MS);
        assert_has(ask(one, GET), "200 OK");
        assert_int_equal(servers[1].requests, 1);
        assert_int_equal(server_open_count(&servers[0]), 0);
}

static void new_rules_for_names_keep_what_is_known(void **state)
{
        (void)state;
        name_answer = "10.0.0.2";
        use(configure(0, NAMED));
        assert_has(ask(one, GET), "200 OK");
        name_answer = NULL;
        struct config *config = configure(1, NAMED);
        config->upstream.dns_max_ns = 5 * SEC;
        use(config);
        assert_has(ask(one, GET), "200 OK");
        assert_int_equal(servers[0].conns, 1);
}

static void an_address_that_leaves_and_comes_back_starts_anew(void **state)
{
        (void)state;
        struct config *config = configure(0, NAMED);
        name_answer = "10.0.0.2 10.0.0.3";
        config->upstream.eject.time_ns = 300 * SEC;
        use(config);
        servers[0].resets = true;
        terms.retry_budget_ppm = 1000000;
        ask_often(20, GET, "200 OK");
        assert_true(state_of("10.0.0.2:80").is_out);
        name_answer = "10.0.0.3";
        world_run(&world, 11 * SEC);
        servers[0].resets = false;
        name_answer = "10.0.0.2 10.0.0.3";
        world_run(&world, 11 * SEC);
        assert_false(state_of("10.0.0.2:80").is_out);
        unsigned before = servers[0].requests;
        ask_often(10, GET, "200 OK");
        assert_int_equal(servers[0].requests, before + 5);
}

/* ---- two families ---- */

static void localhost_is_where_somebody_listens(void **state)
{
        (void)state;
        static const char *const places[] = {"127.0.0.1:8000", "[::1]:8001"};
        static const char *const urls[] = {"http://localhost:8000", "http://localhost:8001"};
        for (unsigned i = 0; i < 2; i++) {
                server_open(&world, &servers[i], places[i], OK);
                terms.retry_attempts = 1;
                use(configure(i, URLS(urls[i])));
                assert_has(ask(one, POST_5), "200 OK");
                world_run(&world, 10 * MS);
                assert_true(live_is_settled(live));
                uint64_t opens = sim_calls(world.sim, SIM_OPEN);
                ask_often(10, POST, "200 OK");
                assert_int_equal(sim_calls(world.sim, SIM_OPEN), opens);
                assert_int_equal(seen.tries, 1);
                assert_false(state_of(places[i]).is_standby);
                assert_int_equal(state_of(places[i]).share, 256);
        }
}

static void a_family_that_is_lost_costs_a_quarter_of_a_second(void **state)
{
        (void)state;
        struct addr v4 = world_addr("127.0.0.1:8000");
        sim_blackhole(world.sim, &v4, true);
        server_open(&world, &servers[0], "[::1]:8000", OK);
        use(configure(0, URLS("http://localhost:8000")));
        uint64_t start = sim_now(world.sim);
        guest_say(one, POST);
        while (one->heard.len == 0)
                world_run(&world, MS);
        assert_in_range(sim_now(world.sim) - start, 250 * MS, 270 * MS);
        assert_int_equal(seen.free_tries, 1);
}

static void when_the_family_in_use_breaks_the_other_takes_over(void **state)
{
        (void)state;
        struct addr v4 = world_addr("127.0.0.1:8000");
        server_open(&world, &servers[0], "127.0.0.1:8000", OK);
        server_open(&world, &servers[1], "[::1]:8000", OK);
        use(configure(0, URLS("http://localhost:8000")));
        ask_often(4, GET, "200 OK");
        assert_int_equal(servers[0].requests, 4);
        assert_int_equal(servers[1].requests, 0);
        sim_blackhole(world.sim, &v4, true);
        server_hang_up(&servers[0], true);
        world_run(&world, 100 * MS);
        ask_often(4, GET, "200 OK");
        assert_int_equal(servers[1].requests, 4);
        assert_true(state_of("127.0.0.1:8000").is_standby);
}

/* Of a name in both families one is used: half of the traffic never hangs on the other. */
static void one_family_of_a_name_is_used_and_all_its_addresses(void **state)
{
        (void)state;
        name_answer = "10.0.0.2 10.0.0.3 2001:db8::2 2001:db8::3";
        use(configure(0, NAMED));
        /* Nobody is there by IPv6, which is tried first. */
        terms.retry_attempts = 2;
        ask_often(1, POST, "200 OK");
        world_run(&world, 100 * MS);
        assert_true(state_of("[2001:db8::2]:80").is_standby);
        uint64_t opens = sim_calls(world.sim, SIM_OPEN);
        ask_often(20, POST, "200 OK");
        assert_true(sim_calls(world.sim, SIM_OPEN) - opens <= 1);
        assert_int_equal(servers[0].requests + servers[1].requests, 21);
        assert_in_range(servers[0].requests, 10, 11);
        /* Health counts the addresses in use only. */
        servers[0].resets = servers[1].resets = true;
        for (unsigned i = 0; i < 30; i++)
                ask(one, GET);
        assert_true(state_of("10.0.0.2:80").is_out != state_of("10.0.0.3:80").is_out);
}

/* However many addresses the family has that is not routed here: no request fails for them. */
static void a_lost_family_of_many_addresses_costs_no_request(void **state)
{
        (void)state;
        static const char *const lost[] = {"[2001:db8::2]:80", "[2001:db8::3]:80",
                                           "[2001:db8::4]:80", "[2001:db8::5]:80"};
        for (unsigned i = 0; i < countof(lost); i++) {
                struct addr addr = world_addr(lost[i]);
                sim_blackhole(world.sim, &addr, true);
        }
        terms.retry_attempts = 1;
        name_answer = "10.0.0.2 2001:db8::2 2001:db8::3 2001:db8::4 2001:db8::5";
        use(configure(0, NAMED));
        ask_often(8, POST, "200 OK");
        assert_int_equal(servers[0].requests, 8);
        /* A single address that breaks in a family that works is no reason to leave it. */
        assert_false(state_of("10.0.0.2:80").is_standby);
}

/* What is beyond the limit is not used, and nothing else happens. */
static void addresses_beyond_the_limit_are_not_used(void **state)
{
        (void)state;
        static struct upstream_target targets[BALANCE_TARGETS_MAX + 10];
        struct config *config = configure(0, FIRST);
        for (unsigned i = 0; i < countof(targets); i++)
                targets[i] = config->targets[0];
        config->upstream.targets = targets;
        config->upstream.target_count = countof(targets);
        use(config);
        assert_int_equal(address_count(), BALANCE_TARGETS_MAX);
        assert_has(ask(one, GET), "200 OK");
}

static void where_neither_family_is_reached_that_is_told_once(void **state)
{
        (void)state;
        terms.retry_attempts = 1;
        use(configure(0, URLS("http://localhost:8000")));
        for (unsigned i = 0; i < 20; i++) {
                assert_has(ask(one, GET), "502");
                assert_int_equal(seen.tries, 2);
        }
        assert_false(state_of("127.0.0.1:8000").is_out);
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(every_address_of_a_name_is_used),
                test(a_weight_is_shared_by_the_addresses),
                test(a_name_is_followed_and_what_runs_ends_in_peace),
                test(the_last_good_addresses_are_kept),
                test(a_name_that_is_not_known_has_no_target_until_it_is),
                test(a_reload_to_a_new_name_waits_for_its_addresses),
                test(new_rules_for_names_keep_what_is_known),
                test(an_address_that_leaves_and_comes_back_starts_anew),
                test(localhost_is_where_somebody_listens),
                test(a_family_that_is_lost_costs_a_quarter_of_a_second),
                test(when_the_family_in_use_breaks_the_other_takes_over),
                test(one_family_of_a_name_is_used_and_all_its_addresses),
                test(a_lost_family_of_many_addresses_costs_no_request),
                test(addresses_beyond_the_limit_are_not_used),
                test(where_neither_family_is_reached_that_is_told_once),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
