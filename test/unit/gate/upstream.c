/* upstream.c -- what gate/upstream.h promises: who is asked, and who is asked again. */
#include "proxy.h"

/* ---- choosing ---- */

static void targets_take_turns(void **state)
{
        (void)state;
        use(configure(0, ALL));
        ask_often(30, GET, "200 OK");
        for (unsigned i = 0; i < SERVERS; i++)
                assert_int_equal(servers[i].requests, 10);
}

static void a_weight_is_a_share_and_0_is_none(void **state)
{
        (void)state;
        struct config *config = configure(0, ALL);
        config->targets[0].weight = 3;
        config->targets[2].weight = 0;
        use(config);
        ask_often(40, GET, "200 OK");
        assert_int_equal(servers[0].requests, 30);
        assert_int_equal(servers[1].requests, 10);
        assert_int_equal(servers[2].requests, 0);
}

static void the_same_hash_meets_the_same_target(void **state)
{
        (void)state;
        struct config *config = configure(0, ALL);
        config->upstream.balance = BALANCE_HASH;
        use(config);
        unsigned met = 0;
        for (uint64_t hash = 1; hash <= 20; hash++) {
                unsigned before[SERVERS];
                for (unsigned i = 0; i < SERVERS; i++)
                        before[i] = servers[i].requests;
                seen.hash = hash * 0x9e3779b97f4a7c15u;
                ask_often(3, GET, "200 OK");
                for (unsigned i = 0; i < SERVERS; i++) {
                        unsigned more = servers[i].requests - before[i];
                        assert_true(more == 0 || more == 3);
                        if (more == 3)
                                met |= 1u << i;
                }
        }
        assert_int_equal(met, 7);
}

static void the_least_loaded_is_chosen_while_bodies_run(void **state)
{
        (void)state;
        struct config *config = configure(0, BOTH);
        config->upstream.balance = BALANCE_LEAST_CONN;
        use(config);
        /* One of them is stuck in the middle of an answer. */
        servers[0].answer = servers[1].answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal";
        assert_has(ask(two, GET), "hal");
        servers[0].answer = servers[1].answer = OK;
        unsigned stuck = servers[0].requests == 1 ? 0 : 1;
        assert_int_equal(state_of(stuck == 0 ? "10.0.0.2:80" : "10.0.0.3:80").in_flight, 1);
        ask_often(10, GET, "200 OK");
        assert_int_equal(servers[stuck].requests, 1);
        assert_int_equal(servers[1 - stuck].requests, 10);
}

static void a_full_pool_passes_on_to_the_next_target(void **state)
{
        (void)state;
        struct config *config = configure(0, BOTH);
        config->upstream.pool_max = 1;
        use(config);
        servers[0].delay = servers[1].delay = SEC;
        guest_say(&callers[0], GET);
        guest_say(&callers[1], GET);
        world_run(&world, 20 * MS);
        guest_say(&callers[2], GET);
        world_run(&world, 20 * MS);
        assert_int_equal(servers[0].requests, 1);
        assert_int_equal(servers[1].requests, 1);
        assert_has(guest_heard(&callers[2]), "overloaded");
        assert_int_equal(counts_number(board, COUNT_refused_pool), 1);
        assert_int_equal(seen.tries, 0);
        world_run(&world, 2 * SEC);
        assert_has(guest_heard(&callers[0]), "200 OK");
        assert_has(guest_heard(&callers[1]), "200 OK");
}

static void without_ports_there_is_no_loop(void **state)
{
        (void)state;
        use(configure(0, BOTH));
        sim_fail_next(world.sim, SIM_OPEN, ERR_no_ports, 1);
        assert_has(ask(one, GET), "503");
        assert_int_equal(seen.err, ERR_no_ports);
        assert_int_equal(seen.tries, 0);
        sim_fail_next(world.sim, SIM_OPEN, ERR_no_files, 1);
        assert_has(ask(one, GET), "overloaded");
        assert_has(ask(one, GET), "200 OK");
        assert_int_equal(counts_number(board, COUNT_refused_system), 2);
        assert_int_equal(state_of("10.0.0.2:80").ejected, 0);
}

/* ---- trying again ---- */

static void what_cannot_be_reached_is_asked_elsewhere_whatever_the_method(void **state)
{
        (void)state;
        use(configure(0, URLS("http://10.0.0.2:80", NOBODY)));
        ask_often(4, POST_5, "200 OK");
        assert_int_equal(servers[0].requests, 4);
        assert_int_equal(servers[0].body_bytes, 20);
        assert_int_equal(seen.free_tries, 0);
}

static void a_lost_connect_is_asked_elsewhere(void **state)
{
        struct addr nobody = world_addr("10.0.0.9:80");
        (void)state;
        timeouts.connect = 100 * MS;
        sim_blackhole(world.sim, &nobody, true);
        use(configure(0, URLS("http://10.0.0.2:80", NOBODY)));
        ask_often(4, POST, "200 OK");
        assert_int_equal(servers[0].requests, 4);
}

static void a_break_is_repeated_for_idempotent_methods_only(void **state)
{
        (void)state;
        struct config *config = configure(0, BOTH);
        config->upstream.eject.failures = 0;
        use(config);
        servers[0].resets = true;
        ask_often(6, GET, "200 OK");
        assert_int_equal(servers[1].requests, 6);
        unsigned before = requests();
        unsigned cut = 0, good = 0;
        for (unsigned i = 0; i < 6; i++) {
                struct str heard = ask(one, POST);
                cut += has(heard, "502");
                good += has(heard, "200");
        }
        assert_int_equal(cut, 3);
        assert_int_equal(good, 3);
        assert_int_equal(requests() - before, 6);
}

static void after_a_byte_of_an_answer_nothing_is_repeated(void **state)
{
        (void)state;
        use(configure(0, BOTH));
        servers[0].answer = servers[1].answer = "HTTP/1.1 2";
        servers[0].closes = servers[1].closes = true;
        assert_has(ask(one, GET), "502");
        assert_int_equal(requests(), 1);
        assert_int_equal(seen.tries, 1);
}

static void a_bad_answer_is_not_repeated(void **state)
{
        (void)state;
        use(configure(0, BOTH));
        servers[0].answer = servers[1].answer = "nonsense\r\n\r\n";
        assert_has(ask(one, GET), "upstream-invalid");
        assert_int_equal(requests(), 1);
}

static void a_timeout_is_repeated_only_where_that_is_wanted(void **state)
{
        (void)state;
        use(configure(0, BOTH));
        timeouts.response = 2 * SEC;
        servers[0].answer = servers[1].answer = NULL;
        guest_say(one, GET);
        world_run(&world, 3 * SEC);
        assert_has(guest_heard(one), "504");
        assert_int_equal(requests(), 1);
}

/* The deadline is one for all tries. */
static void tries_share_their_time(void **state)
{
        (void)state;
        use(configure(0, URLS(NOBODY)));
        struct addr nobody = world_addr("10.0.0.9:80");
        sim_blackhole(world.sim, &nobody, true);
        terms.retry_attempts = 10;
        timeouts.connect = 2 * SEC;
        timeouts.response = 5 * SEC;
        guest_say(one, GET);
        world_run(&world, 4900 * MS);
        assert_str(guest_heard(one), "");
        world_run(&world, 200 * MS);
        assert_has(guest_heard(one), "504");
        assert_int_equal(seen.tries, 3);
}

static void statuses_are_repeated_where_listed_and_harmless(void **state)
{
        (void)state;
        use(configure(0, BOTH));
        servers[0].answer = BUSY;
        ask_often(2, GET, "0");
        assert_int_equal(seen.tries, 1);
        terms.retry_statuses[503 / 64] |= (uint64_t)1 << (503 % 64);
        ask_often(4, GET, "200 OK");
        ask_often(4, PUT_5, "200 OK");
        unsigned before = requests(), busy = 0;
        for (unsigned i = 0; i < 4; i++)
                busy += has(ask(one, POST), "busy");
        assert_int_equal(busy, 2);
        assert_int_equal(requests() - before, 4);
        /* All are busy: the last answer is what the caller gets. */
        servers[1].answer = BUSY;
        assert_has(ask(one, GET), "busy");
        assert_int_equal(seen.tries, 2);
}

static void a_wish_for_a_pause_is_heeded_if_it_is_short(void **state)
{
        (void)state;
        use(configure(0, FIRST));
        terms.retry_statuses[503 / 64] |= (uint64_t)1 << (503 % 64);
        servers[0].answer = "HTTP/1.1 503 Busy\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n";
        guest_say(one, GET);
        world_run(&world, 1900 * MS);
        assert_int_equal(servers[0].requests, 1);
        servers[0].answer = OK;
        world_run(&world, 200 * MS);
        assert_has(guest_heard(one), "200 OK");
        servers[0].answer = "HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n";
        assert_has(ask(one, GET), "503");
        assert_int_equal(seen.tries, 1);
}

static void an_answer_before_the_whole_request_is_not_replaced(void **state)
{
        (void)state;
        use(configure(0, BOTH));
        terms.retry_statuses[503 / 64] |= (uint64_t)1 << (503 % 64);
        servers[0].answer = servers[1].answer = BUSY;
        servers[0].answers_early = servers[1].answers_early = true;
        guest_say(one, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\nhalf");
        world_run(&world, 100 * MS);
        assert_has(guest_heard(one), "busy");
        assert_int_equal(requests(), 1);
}

static void attempts_counts_all(void **state)
{
        (void)state;
        use(configure(0, URLS(NOBODY, "http://10.0.0.8:80")));
        for (unsigned attempts = 1; attempts <= 4; attempts++) {
                terms.retry_attempts = attempts;
                assert_has(ask(one, GET), "502");
                assert_int_equal(seen.tries, attempts);
                world_run(&world, 2 * SEC);
        }
}

static void nothing_is_repeated_when_nothing_may_be(void **state)
{
        (void)state;
        terms.retry_on = 0;
        use(configure(0, URLS(NOBODY, "http://10.0.0.8:80")));
        assert_has(ask(one, GET), "502");
        assert_int_equal(seen.tries, 1);
}

/* The caller hears what came of its request, not that it could not be repeated. */
static void what_cannot_be_repeated_ends_as_it_did(void **state)
{
        (void)state;
        struct config *config = configure(0, BOTH);
        config->upstream.breaker.least = 1;
        use(config);
        servers[0].resets = servers[1].resets = true;
        assert_has(ask(one, GET), "502");
        assert_int_equal(seen.tries, 1);
        assert_has(ask(one, GET), "503"); /* now nothing is sent at all */
        assert_int_equal(requests(), 1);
}

static void an_answer_is_not_given_up_for_a_try_that_cannot_be(void **state)
{
        (void)state;
        struct config *config = configure(0, BOTH);
        config->upstream.breaker.least = 1;
        config->upstream.breaker_counts_5xx = true;
        terms.retry_statuses[503 / 64] = (uint64_t)1 << (503 % 64);
        use(config);
        servers[0].answer = servers[1].answer = BUSY;
        assert_has(ask(one, GET), "busy");
        assert_int_equal(requests(), 1);
}

/* Both pools are full of requests that wait; the one that breaks finds no other place. */
static void where_all_pools_are_full_a_break_is_a_break(void **state)
{
        (void)state;
        struct config *config = configure(0, BOTH);
        config->upstream.pool_max = 1;
        use(config);
        servers[0].resets = true;
        servers[1].answer = "";
        for (unsigned i = 0; servers[1].requests == 0 && i < 4; i++)
                guest_say(two, GET), world_run(&world, 20 * MS);
        guest_heard(two);
        assert_int_equal(servers[1].requests, 1);
        assert_has(ask(one, GET), "upstream-cut");
}

/* security.md 326: a failing upstream gets at most a fifth more than was asked, and three a second.
 */
static void the_budget_bounds_what_a_failing_upstream_gets(void **state)
{
        (void)state;
        struct config *config = configure(0, BOTH);
        config->upstream.eject.failures = 0;
        config->upstream.breaker.percent = 0;
        use(config);
        servers[0].resets = servers[1].resets = true;
        uint64_t start = sim_now(world.sim);
        for (unsigned i = 0; i < 1000; i++) {
                guest_say(one, GET);
                world_run(&world, 20 * MS);
                assert_has(guest_heard(one), "502");
        }
        uint64_t seconds = (sim_now(world.sim) - start) / SEC;
        assert_int_equal(requests() + counts_number(board, COUNT_refused_budget), 2000);
        assert_true(requests() >= 1150);
        assert_true(requests() <= 1200 + 3 * (seconds + 1) + 10);
}

/* A pooled connection that is dead gets one fresh try, even where nothing else is repeated. */
static void a_dead_connection_is_replaced_for_free(void **state)
{
        (void)state;
        terms.retry_attempts = 1;
        use(configure(0, FIRST));
        servers[0].delay = 10 * MS;
        for (unsigned i = 0; i < 20; i++) {
                assert_has(ask(one, GET), "200 OK");
                guest_say(one, GET);
                /* Its end crosses the request. */
                world_run(&world, MS + MS / 2);
                server_hang_up(&servers[0], i % 2 == 0);
                world_run(&world, 100 * MS);
                assert_has(guest_heard(one), "200 OK");
                assert_int_equal(seen.tries, 2);
                assert_int_equal(seen.free_tries, 1);
        }
        assert_int_equal(servers[0].requests, 40);
        assert_int_equal(state_of("10.0.0.2:80").ejected, 0);
}

/* The request may have been read: it is not sent twice. */
static void a_dead_connection_takes_an_unsafe_request_with_it(void **state)
{
        (void)state;
        use(configure(0, FIRST));
        assert_has(ask(one, GET), "200 OK");
        guest_say(one, POST);
        world_run(&world, MS + MS / 2);
        server_hang_up(&servers[0], false);
        world_run(&world, 100 * MS);
        assert_has(guest_heard(one), "502");
        assert_int_equal(seen.tries, 1);
}

static void a_body_that_is_held_whole_is_sent_again(void **state)
{
        (void)state;
        static char request[40000];
        int head = snprintf(request, sizeof request,
                            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n");
        memset(request + head, 'x', 30000);
        use(configure(0, BOTH));
        servers[0].resets = true;
        ask_often(4, request, "200 OK");
        assert_int_equal(servers[1].requests, 4);
        assert_int_equal(servers[1].body_bytes, 120000);
}

static void a_body_that_is_too_large_to_be_held_is_not_sent_again(void **state)
{
        (void)state;
        static char request[200000];
        int head = snprintf(request, sizeof request,
                            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 150000\r\n\r\n");
        memset(request + head, 'x', 150000);
        use(configure(0, BOTH));
        servers[0].resets = servers[1].resets = true;
        guest_say(one, request);
        world_run(&world, SEC);
        assert_has(guest_heard(one), "502");
        assert_int_equal(requests(), 1);
}

static void a_caller_may_vanish_at_any_time(void **state)
{
        (void)state;
        terms.retry_attempts = 5;
        struct config *config = configure(0, URLS("http://10.0.0.2:80", NOBODY));
        config->upstream.eject.failures = 0;
        use(config);
        servers[0].resets = true;
        for (uint64_t at = 0; at < 60 * MS; at += MS / 2) {
                guest_say(one, GET);
                world_run(&world, at + 1);
                sim_reset(TAKE(one->peer));
                world_run(&world, 100 * MS);
                assert_int_equal(worker.http.exchange_count, 0);
                assert_int_equal(state_of("10.0.0.2:80").in_flight, 0);
                guest_dial(&world, one);
                world_run(&world, 5 * MS);
        }
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(targets_take_turns),
                test(a_weight_is_a_share_and_0_is_none),
                test(the_same_hash_meets_the_same_target),
                test(the_least_loaded_is_chosen_while_bodies_run),
                test(a_full_pool_passes_on_to_the_next_target),
                test(without_ports_there_is_no_loop),
                test(what_cannot_be_reached_is_asked_elsewhere_whatever_the_method),
                test(a_lost_connect_is_asked_elsewhere),
                test(a_break_is_repeated_for_idempotent_methods_only),
                test(after_a_byte_of_an_answer_nothing_is_repeated),
                test(a_bad_answer_is_not_repeated),
                test(a_timeout_is_repeated_only_where_that_is_wanted),
                test(tries_share_their_time),
                test(statuses_are_repeated_where_listed_and_harmless),
                test(a_wish_for_a_pause_is_heeded_if_it_is_short),
                test(an_answer_before_the_whole_request_is_not_replaced),
                test(attempts_counts_all),
                test(nothing_is_repeated_when_nothing_may_be),
                test(what_cannot_be_repeated_ends_as_it_did),
                test(an_answer_is_not_given_up_for_a_try_that_cannot_be),
                test(where_all_pools_are_full_a_break_is_a_break),
                test(the_budget_bounds_what_a_failing_upstream_gets),
                test(a_dead_connection_is_replaced_for_free),
                test(a_dead_connection_takes_an_unsafe_request_with_it),
                test(a_body_that_is_held_whole_is_sent_again),
                test(a_body_that_is_too_large_to_be_held_is_not_sent_again),
                test(a_caller_may_vanish_at_any_time),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
