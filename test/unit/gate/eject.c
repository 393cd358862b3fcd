/* eject.c -- what gate/eject.h promises. */
#include "gate/eject.h"

#include <pthread.h>

#include "../unit.h"

enum { TARGETS = 8 };

static const uint64_t SECOND = 1000000000;

static struct eject targets[TARGETS];
static struct eject *const addresses[TARGETS] = {&targets[0], &targets[1], &targets[2],
                                                 &targets[3], &targets[4], &targets[5],
                                                 &targets[6], &targets[7]};
static struct eject_rule rule;
static struct eject_group group;

static void make(uint32_t count)
{
        memset(targets, 0, sizeof targets);
        rule = (struct eject_rule){.failures = 5,
                                   .share_percent = 50,
                                   .time_ns = 30 * SECOND,
                                   .time_max_ns = 300 * SECOND,
                                   .return_ns = 10 * SECOND};
        group = (struct eject_group){.rule = &rule, .targets = addresses, .count = count};
}

/* The number of failures in a row that it took, 0 when it would not go. */
static int fail_until_out(struct eject *eject, uint64_t now)
{
        for (int i = 1; i <= 20; i++) {
                if (eject_failure(&group, eject, now))
                        return i;
        }
        return 0;
}

static void five_failures_in_a_row_put_a_target_out_for_half_a_minute(void **state)
{
        (void)state;
        make(4);
        assert_int_equal(eject_share(&targets[0], &rule, SECOND), 256);
        assert_int_equal(fail_until_out(&targets[0], SECOND), 5);
        assert_true(eject_is_out(&targets[0], SECOND));
        assert_true(eject_is_out(&targets[0], 31 * SECOND - 1));
        assert_int_equal(eject_share(&targets[0], &rule, 31 * SECOND - 1), 0);
        assert_false(eject_is_out(&targets[0], 31 * SECOND));
        assert_false(eject_is_out(&targets[1], SECOND));
        assert_int_equal(atomic_load(&targets[0].ejected), 1);
}

static void a_success_in_between_begins_the_count_anew(void **state)
{
        (void)state;
        make(4);
        for (int i = 0; i < 100; i++) {
                assert_false(eject_failure(&group, &targets[0], SECOND));
                if (i % 4 == 3)
                        eject_success(&targets[0], &rule, SECOND);
        }
}

static void it_comes_back_gradually_and_stays_out_longer_each_time(void **state)
{
        static const uint64_t times[] = {30, 60, 120, 240, 300, 300};
        uint64_t now = SECOND;
        (void)state;
        make(4);
        for (unsigned i = 0; i < countof(times); i++) {
                assert_true(fail_until_out(&targets[0], now) > 0);
                assert_true(eject_is_out(&targets[0], now + times[i] * SECOND - 1));
                now += times[i] * SECOND;
                assert_int_equal(eject_share(&targets[0], &rule, now), 1);
                uint32_t half = eject_share(&targets[0], &rule, now + 5 * SECOND), before = 1;
                assert_in_range(half, 120, 136);
                for (uint64_t at = now; at <= now + 10 * SECOND; at += SECOND / 10) {
                        uint32_t share = eject_share(&targets[0], &rule, at);
                        assert_in_range(share, before, 256);
                        before = share;
                }
                assert_int_equal(before, 256);
                eject_success(&targets[0], &rule, now);
        }
        now += 10 * SECOND + 300 * SECOND;
        eject_success(&targets[0], &rule, now);
        assert_int_equal(fail_until_out(&targets[0], now), 5);
        assert_false(eject_is_out(&targets[0], now + 30 * SECOND));
}

static void at_most_half_of_the_targets_are_out_and_never_the_last(void **state)
{
        (void)state;
        for (uint32_t count = 1; count <= TARGETS; count++) {
                for (uint32_t percent = 0; percent <= 100; percent += 10) {
                        make(count);
                        rule.share_percent = percent;
                        uint32_t out = 0, most = count * percent / 100;
                        for (uint32_t i = 0; i < count; i++)
                                out += fail_until_out(&targets[i], SECOND) > 0;
                        most = percent > 0 && most == 0 ? 1 : most;
                        most = most >= count ? count - 1 : most;
                        assert_int_equal(out, most);
                }
        }
}

static void when_one_is_back_another_may_go(void **state)
{
        (void)state;
        make(2);
        assert_int_equal(fail_until_out(&targets[0], SECOND), 5);
        assert_int_equal(fail_until_out(&targets[1], SECOND), 0);
        assert_int_equal(fail_until_out(&targets[1], 31 * SECOND), 1);
        assert_true(eject_is_out(&targets[1], 32 * SECOND));
        assert_false(eject_is_out(&targets[0], 32 * SECOND));
}

static void with_no_failures_set_nobody_goes(void **state)
{
        (void)state;
        make(4);
        rule.failures = 0;
        assert_int_equal(fail_until_out(&targets[0], SECOND), 0);
}

static void a_success_writes_nothing_when_all_is_well(void **state)
{
        struct eject before;
        (void)state;
        make(4);
        memcpy(&before, &targets[0], sizeof before);
        for (int i = 0; i < 1000; i++)
                eject_success(&targets[0], &rule, SECOND);
        assert_memory_equal(&before, &targets[0], sizeof before);
}

static void *storm(void *arg)
{
        uint64_t seed = (uintptr_t)arg;
        for (uint64_t i = 0; i < 200000; i++) {
                struct eject *eject = &targets[(i * 7 + seed) % TARGETS];
                uint64_t now = SECOND + i * 1000000, out = 0;
                if ((i / 50 + seed) % 3 == 0)
                        eject_success(eject, &rule, now);
                else
                        eject_failure(&group, eject, now);
                (void)out;
        }
        return NULL;
}

static void many_threads_never_put_out_more_than_the_share(void **state)
{
        pthread_t threads[4];
        (void)state;
        make(TARGETS);
        rule.time_ns = rule.time_max_ns = 1000000 * SECOND;
        for (uintptr_t i = 0; i < countof(threads); i++)
                assert_int_equal(pthread_create(&threads[i], NULL, storm, (void *)i), 0);
        for (unsigned i = 0; i < countof(threads); i++)
                pthread_join(threads[i], NULL);
        unsigned out = 0;
        for (int i = 0; i < TARGETS; i++)
                out += eject_is_out(&targets[i], 10 * SECOND);
        assert_int_equal(out, TARGETS / 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(five_failures_in_a_row_put_a_target_out_for_half_a_minute),
                cmocka_unit_test(a_success_in_between_begins_the_count_anew),
                cmocka_unit_test(it_comes_back_gradually_and_stays_out_longer_each_time),
                cmocka_unit_test(at_most_half_of_the_targets_are_out_and_never_the_last),
                cmocka_unit_test(when_one_is_back_another_may_go),
                cmocka_unit_test(with_no_failures_set_nobody_goes),
                cmocka_unit_test(a_success_writes_nothing_when_all_is_well),
                cmocka_unit_test(many_threads_never_put_out_more_than_the_share),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
