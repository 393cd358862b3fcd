/* page.c -- what base/page.h promises. */
#include "base/page.h"

#include "../unit.h"

static void the_maximum_less_the_reserve_is_for_everybody(void **state)
{
        (void)state;
        struct page_pool *pool = page_pool_make(100, 10);
        struct page *taken = NULL, *page;
        size_t count = 0;
        while ((page = page_take(pool)) != NULL) {
                page->next = taken;
                taken = page;
                count++;
        }
        assert_int_equal(count, 90);
        assert_int_equal(page_pool_max(pool), 100);
        for (; count < 100; count++) {
                page = page_take_reserved(pool);
                page->next = taken;
                taken = page;
        }
        assert_int_equal(page_pool_in_use(pool), 100);
        assert_null(page_take_reserved(pool));
        while (taken != NULL) {
                page = taken->next;
                page_give(pool, taken);
                taken = page;
        }
        assert_int_equal(page_pool_in_use(pool), 0);
        page_pool_free(pool);
}

static void a_page_comes_clean_and_the_last_one_first(void **state)
{
        (void)state;
        struct page_pool *pool = page_pool_make(10, 1);
        struct page *page = page_take(pool);
        memset(page->data, 1, PAGE_ROOM);
        page->begin = 3;
        page->end = 4;
        page->next = page;
        page_give(pool, page);
        struct page *again = page_take(pool);
        assert_ptr_equal(again, page);
        assert_int_equal(again->begin, 0);
        assert_int_equal(again->end, 0);
        assert_null(again->next);
        page_give(pool, again);
        page_pool_free(pool);
}

static void it_says_in_time_that_it_is_low(void **state)
{
        (void)state;
        struct page_pool *pool = page_pool_make(20, 8);
        struct page *taken[12];
        for (size_t i = 0; i < countof(taken); i++) {
                assert_int_equal(page_pool_is_low(pool), i >= 10);
                taken[i] = page_take(pool);
                assert_non_null(taken[i]);
        }
        for (size_t i = 0; i < countof(taken); i++)
                page_give(pool, taken[i]);
        assert_false(page_pool_is_low(pool));
        page_pool_free(pool);
}

static void the_chosen_take_fails_once(void **state)
{
        (void)state;
        struct page_pool *pool = page_pool_make(10, 1);
        page_pool_fail_at(pool, 2);
        struct page *first = page_take(pool);
        assert_non_null(first);
        assert_null(page_take(pool));
        struct page *second = page_take(pool);
        assert_non_null(second);
        page_give(pool, first);
        page_give(pool, second);
        page_pool_free(pool);
}

static void free_while_in_use(void *arg)
{
        page_take_reserved(arg);
        page_pool_free(arg);
}

static void misuse_dies(void **state)
{
        (void)state;
        struct page_pool *pool = page_pool_make(10, 1);
        assert_true(dies(free_while_in_use, pool));
        page_pool_free(pool);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_maximum_less_the_reserve_is_for_everybody),
                cmocka_unit_test(a_page_comes_clean_and_the_last_one_first),
                cmocka_unit_test(it_says_in_time_that_it_is_low),
                cmocka_unit_test(the_chosen_take_fails_once),
                cmocka_unit_test(misuse_dies),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
