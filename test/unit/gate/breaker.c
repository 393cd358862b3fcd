/* breaker.c -- what gate/breaker.h promises. */
#include "gate/breaker.h"

#include <pthread.h>

#include "../unit.h"

static const uint64_t SECOND = 1000000000, START = 1000 * (uint64_t)1000000000;

static const struct breaker_rule rule = {.percent = 50,
                                         .least = 20,
                                         .probes = 3,
                                         .over_ns = 10 * (uint64_t)1000000000,
                                         .open_ns = 30 * (uint64_t)1000000000};

static struct breaker breaker;
static struct breaker_worker workers[4];

static void make(void)
{
        memset(&breaker, 0, sizeof breaker);
        for (unsigned i = 0; i < countof(workers); i++)
                workers[i] = (struct breaker_worker){.breaker = &breaker, .rule = &rule};
}

static enum breaker_pass try_once(unsigned worker, enum breaker_outcome outcome, uint64_t now)
{
        enum breaker_pass pass = breaker_begin(&workers[worker], now);
        breaker_end(&workers[worker], pass, outcome, now);
        return pass;
}

static void open_it(uint64_t now)
{
        for (int i = 0; i < 20; i++)
                try_once(0, BREAKER_FAILURE, now);
        assert_true(breaker_is_open(&breaker));
}

static void half_of_twenty_tries_failed_opens_it_and_not_one_less(void **state)
{
        (void)state;
        make();
        for (int i = 0; i < 19; i++)
                assert_int_equal(try_once(0, BREAKER_FAILURE, START), BREAKER_PASS);
        assert_false(breaker_is_open(&breaker));
        try_once(0, BREAKER_FAILURE, START);
        assert_true(breaker_is_open(&breaker));
        assert_int_equal(try_once(1, BREAKER_SUCCESS, START), BREAKER_REFUSE);

        make();
        for (int i = 0; i < 100; i++)
                try_once(0, BREAKER_SUCCESS, START);
        for (int i = 0; i < 99; i++)
                try_once(0, BREAKER_FAILURE, START);
        assert_false(breaker_is_open(&breaker));
        try_once(0, BREAKER_FAILURE, START);
        assert_true(breaker_is_open(&breaker));
}

static void successes_of_all_workers_count_once_somebody_sees_failures(void **state)
{
        (void)state;
        make();
        for (int i = 0; i < 300; i++)
                try_once((unsigned)i % 3, BREAKER_SUCCESS, START);
        for (int i = 0; i < 15; i++)
                try_once(3, BREAKER_FAILURE, START);
        for (unsigned i = 0; i < 3; i++)
                try_once(i, BREAKER_SUCCESS, START + SECOND);
        for (int i = 0; i < 200; i++)
                try_once(3, BREAKER_FAILURE, START + SECOND);
        assert_false(breaker_is_open(&breaker));
        for (int i = 0; i < 100; i++)
                try_once(3, BREAKER_FAILURE, START + SECOND);
        assert_true(breaker_is_open(&breaker));
}

static void what_is_older_than_the_window_is_forgotten(void **state)
{
        (void)state;
        make();
        for (int i = 0; i < 19; i++)
                try_once(0, BREAKER_FAILURE, START);
        for (int i = 0; i < 19; i++)
                try_once(0, BREAKER_FAILURE, START + 10 * SECOND);
        assert_false(breaker_is_open(&breaker));
        try_once(0, BREAKER_FAILURE, START + 10 * SECOND);
        assert_true(breaker_is_open(&breaker));
        make();
        for (int i = 0; i < 1000; i++)
                try_once(0, BREAKER_SUCCESS, START + 4 * SECOND);
        for (int i = 0; i < 100; i++)
                try_once(0, BREAKER_FAILURE, START + 6 * SECOND);
        assert_false(breaker_is_open(&breaker));
}

static void half_open_lets_a_few_probes_through_and_closes_when_they_go_well(void **state)
{
        enum breaker_pass probes[3];
        uint64_t now = START + 31 * SECOND;
        (void)state;
        make();
        open_it(START);
        assert_int_equal(breaker_begin(&workers[0], START + 29 * SECOND), BREAKER_REFUSE);
        for (int i = 0; i < 3; i++) {
                probes[i] = breaker_begin(&workers[i], now);
                assert_int_equal(probes[i], BREAKER_PROBE);
        }
        assert_int_equal(breaker_begin(&workers[3], now), BREAKER_REFUSE);
        breaker_end(&workers[0], probes[0], BREAKER_SUCCESS, now);
        breaker_end(&workers[1], probes[1], BREAKER_UNKNOWN, now);
        assert_int_equal(breaker_begin(&workers[1], now), BREAKER_PROBE);
        assert_int_equal(breaker_begin(&workers[3], now), BREAKER_REFUSE);
        breaker_end(&workers[1], BREAKER_PROBE, BREAKER_SUCCESS, now);
        assert_true(breaker_is_open(&breaker));
        breaker_end(&workers[2], probes[2], BREAKER_SUCCESS, now);
        assert_false(breaker_is_open(&breaker));
        assert_int_equal(breaker_begin(&workers[3], now), BREAKER_PASS);
}

static void a_probe_that_fails_opens_it_again(void **state)
{
        uint64_t now = START + 31 * SECOND;
        (void)state;
        make();
        open_it(START);
        assert_int_equal(try_once(0, BREAKER_FAILURE, now), BREAKER_PROBE);
        assert_int_equal(breaker_begin(&workers[0], now), BREAKER_REFUSE);
        assert_int_equal(breaker_begin(&workers[0], now + 29 * SECOND), BREAKER_REFUSE);
        assert_int_equal(breaker_begin(&workers[0], now + 31 * SECOND), BREAKER_PROBE);
        assert_int_equal(atomic_load(&breaker.opened), 2);
}

static void lost_probes_do_not_keep_it_open_for_ever(void **state)
{
        uint64_t now = START + 31 * SECOND;
        (void)state;
        make();
        open_it(START);
        for (int i = 0; i < 3; i++)
                assert_int_equal(breaker_begin(&workers[0], now), BREAKER_PROBE);
        assert_int_equal(breaker_begin(&workers[0], now + 29 * SECOND), BREAKER_REFUSE);
        for (int i = 0; i < 3; i++)
                assert_int_equal(try_once(0, BREAKER_SUCCESS, now + 31 * SECOND), BREAKER_PROBE);
        assert_false(breaker_is_open(&breaker));
}

static void failures_that_come_in_while_it_is_open_do_not_open_it_once_it_closed(void **state)
{
        uint64_t now = START + 31 * SECOND;
        (void)state;
        make();
        open_it(START);
        for (int i = 0; i < 100; i++)
                breaker_end(&workers[1], BREAKER_PASS, BREAKER_FAILURE, now);
        for (int i = 0; i < 3; i++)
                try_once(0, BREAKER_SUCCESS, now);
        assert_false(breaker_is_open(&breaker));
        try_once(0, BREAKER_FAILURE, now);
        assert_false(breaker_is_open(&breaker));
}

static void a_success_writes_nothing_shared_when_all_is_well(void **state)
{
        struct breaker before;
        (void)state;
        make();
        memcpy(&before, &breaker, sizeof before);
        for (uint64_t i = 0; i < 10000; i++)
                assert_int_equal(try_once(0, BREAKER_SUCCESS, START + i * SECOND / 100),
                                 BREAKER_PASS);
        assert_memory_equal(&before, &breaker, sizeof before);
}

static void without_a_rule_there_is_no_breaker(void **state)
{
        static const struct breaker_rule none = {0};
        struct breaker_worker worker = {.breaker = &breaker, .rule = &none};
        (void)state;
        make();
        for (int i = 0; i < 100; i++) {
                assert_int_equal(breaker_begin(&worker, START), BREAKER_PASS);
                breaker_end(&worker, BREAKER_PASS, BREAKER_FAILURE, START);
        }
        assert_false(breaker_is_open(&breaker));
}

static void counts_are_bounded_and_the_time_may_be_any(void **state)
{
        (void)state;
        static const uint64_t times[] = {0, 1, 5000000000, (uint64_t)1 << 60, UINT64_MAX / 4};
        for (unsigned t = 0; t < countof(times); t++) {
                make();
                for (int i = 0; i < 3000000; i++)
                        try_once(0, i % 4 == 0 ? BREAKER_FAILURE : BREAKER_SUCCESS, times[t]);
                assert_false(breaker_is_open(&breaker));
                for (int i = 0; i < 3000000 && !breaker_is_open(&breaker); i++)
                        try_once(0, BREAKER_FAILURE, times[t]);
                assert_true(breaker_is_open(&breaker));
        }
}

static _Atomic(unsigned) probing, probing_most;

static void *storm(void *arg)
{
        struct breaker_worker *worker = arg;
        for (int i = 0; i < 100000; i++) {
                uint64_t now = START + (uint64_t)i * 1000000;
                enum breaker_pass pass = breaker_begin(worker, now);
                if (pass == BREAKER_PROBE) {
                        unsigned count = atomic_fetch_add(&probing, 1) + 1;
                        if (count > atomic_load(&probing_most))
                                atomic_store(&probing_most, count);
                        atomic_fetch_sub(&probing, 1);
                }
                breaker_end(worker, pass, i / 1000 % 3 == 0 ? BREAKER_SUCCESS : BREAKER_FAILURE,
                            now);
        }
        return NULL;
}

static void many_threads_never_send_more_probes_than_allowed(void **state)
{
        pthread_t threads[4];
        (void)state;
        make();
        for (unsigned i = 0; i < countof(threads); i++)
                assert_int_equal(pthread_create(&threads[i], NULL, storm, &workers[i]), 0);
        for (unsigned i = 0; i < countof(threads); i++)
                pthread_join(threads[i], NULL);
        assert_true(atomic_load(&breaker.opened) > 0);
        assert_true(atomic_load(&probing_most) <= rule.probes);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(half_of_twenty_tries_failed_opens_it_and_not_one_less),
                cmocka_unit_test(successes_of_all_workers_count_once_somebody_sees_failures),
                cmocka_unit_test(what_is_older_than_the_window_is_forgotten),
                cmocka_unit_test(half_open_lets_a_few_probes_through_and_closes_when_they_go_well),
                cmocka_unit_test(a_probe_that_fails_opens_it_again),
                cmocka_unit_test(lost_probes_do_not_keep_it_open_for_ever),
                cmocka_unit_test(
                        failures_that_come_in_while_it_is_open_do_not_open_it_once_it_closed),
                cmocka_unit_test(a_success_writes_nothing_shared_when_all_is_well),
                cmocka_unit_test(without_a_rule_there_is_no_breaker),
                cmocka_unit_test(counts_are_bounded_and_the_time_may_be_any),
                cmocka_unit_test(many_threads_never_send_more_probes_than_allowed),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
