/* retry.c -- what gate/retry.h promises. */
#include "gate/retry.h"

#include "../unit.h"

static const uint64_t MS = 1000000, SECOND = 1000000000;

static void a_few_retries_a_second_are_always_allowed(void **state)
{
        struct retry_budget budget;
        (void)state;
        retry_init(&budget, 200, 3);
        for (uint64_t second = 5; second < 9; second++) {
                for (int i = 0; i < 3; i++)
                        assert_true(retry_take(&budget, second * SECOND));
                assert_false(retry_take(&budget, second * SECOND));
        }
        assert_int_equal(budget.refused, 4);
        assert_true(retry_take(&budget, 8 * SECOND + 400 * MS));
        assert_false(retry_take(&budget, 8 * SECOND + 400 * MS));
}

/* Row 326: all fails, each request would like three retries, at once. */
static void a_failing_upstream_gets_at_most_a_fifth_more(void **state)
{
        (void)state;
        static const unsigned rates[] = {50, 1000, 20000};
        for (unsigned r = 0; r < countof(rates); r++) {
                struct retry_budget budget;
                uint64_t retries = 0, requests = (uint64_t)rates[r] * 30;
                retry_init(&budget, 200, 3);
                for (uint64_t n = 0; n < requests; n++) {
                        uint64_t now = SECOND + n * SECOND / rates[r];
                        retry_begin(&budget, now);
                        for (int i = 0; i < 3 && retry_take(&budget, now); i++) {
                                retries++;
                                retry_give(&budget);
                        }
                        retry_end(&budget);
                }
                assert_in_range(retries, requests / 5 - 1, requests / 5 + 3 * 31);
        }
}

static void no_more_than_a_fifth_of_the_active_requests_are_retries(void **state)
{
        struct retry_budget budget;
        (void)state;
        retry_init(&budget, 200, 0);
        for (int i = 0; i < 1000; i++)
                retry_begin(&budget, SECOND);
        for (int i = 0; i < 900; i++)
                retry_end(&budget);
        for (int i = 0; i < 20; i++)
                assert_true(retry_take(&budget, SECOND));
        assert_false(retry_take(&budget, SECOND));
        retry_give(&budget);
        assert_true(retry_take(&budget, SECOND));
}

static void what_is_earned_fades(void **state)
{
        struct retry_budget budget;
        (void)state;
        retry_init(&budget, 200, 0);
        for (int i = 0; i < 1000; i++)
                retry_begin(&budget, SECOND);
        assert_int_equal(budget.earned, 200 * 1000);
        assert_true(retry_take(&budget, 11 * SECOND));
        assert_in_range(budget.earned, 40 * 1000, 60 * 1000);
        assert_false(retry_take(&budget, 1000 * SECOND));
        retry_begin(&budget, UINT64_MAX / 2);
        assert_int_equal(budget.earned, 200);
}

static void a_single_request_may_be_retried_once_enough_went_before(void **state)
{
        struct retry_budget budget;
        (void)state;
        retry_init(&budget, 200, 0);
        for (int i = 0; i < 5; i++) {
                assert_false(retry_take(&budget, SECOND));
                retry_begin(&budget, SECOND);
        }
        for (int i = 0; i < 4; i++)
                retry_end(&budget);
        assert_true(retry_take(&budget, SECOND));
        retry_give(&budget);
        retry_end(&budget);
}

static void nothing_is_allowed_where_nothing_is_set(void **state)
{
        struct retry_budget budget;
        (void)state;
        retry_init(&budget, 0, 0);
        for (int i = 0; i < 100; i++)
                retry_begin(&budget, SECOND);
        assert_false(retry_take(&budget, SECOND));
}

static void end_too_often(void *arg)
{
        retry_end(arg);
}

static void give_too_often(void *arg)
{
        retry_give(arg);
}

static void ending_more_than_was_begun_is_a_fault_of_ours(void **state)
{
        struct retry_budget budget;
        (void)state;
        retry_init(&budget, 200, 3);
        assert_true(dies(end_too_often, &budget));
        assert_true(dies(give_too_often, &budget));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_few_retries_a_second_are_always_allowed),
                cmocka_unit_test(a_failing_upstream_gets_at_most_a_fifth_more),
                cmocka_unit_test(no_more_than_a_fifth_of_the_active_requests_are_retries),
                cmocka_unit_test(what_is_earned_fades),
                cmocka_unit_test(a_single_request_may_be_retried_once_enough_went_before),
                cmocka_unit_test(nothing_is_allowed_where_nothing_is_set),
                cmocka_unit_test(ending_more_than_was_begun_is_a_fault_of_ours),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
