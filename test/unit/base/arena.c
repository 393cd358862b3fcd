/* arena.c -- what base/arena.h promises, on pages and on the heap. */
#include "base/arena.h"

#include "../unit.h"

enum { KIB = 1024, LARGE = 100 * KIB };

static void pieces_are_aligned_apart_and_never_null(void **state)
{
        (void)state;
        struct page_pool *pool = page_pool_make(1024, 8);
        struct page_pool *const pools[] = {pool, NULL};
        for (size_t p = 0; p < countof(pools); p++) {
                struct arena arena;
                char *pieces[600];
                arena_init(&arena, pools[p], 4096 * KIB);
                for (size_t i = 0; i < countof(pieces); i++) {
                        pieces[i] = arena_alloc(&arena, i);
                        assert_non_null(pieces[i]);
                        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
                        memset(pieces[i], (int)(i & 0xff), i);
                }
                for (size_t i = 0; i < countof(pieces); i++) {
                        for (size_t at = 0; at < i; at++)
                                assert_int_equal((unsigned char)pieces[i][at], i & 0xff);
                }
                assert_false(arena.is_failed);
                arena_fini(&arena);
        }
        assert_int_equal(page_pool_in_use(pool), 0);
        page_pool_free(pool);
}

static void what_is_larger_than_a_page_is_served(void **state)
{
        (void)state;
        struct page_pool *pool = page_pool_make(64, 8);
        struct arena arena;
        arena_init(&arena, pool, 4 * LARGE);
        char *large = arena_alloc(&arena, LARGE);
        memset(large, 1, LARGE);
        char *small = arena_zero(&arena, 3, 5);
        for (size_t i = 0; i < 15; i++)
                assert_int_equal(small[i], 0);
        assert_false(arena.is_failed);
        assert_true(arena.used >= LARGE);
        arena_fini(&arena);
        page_pool_free(pool);
}

static void past_the_limit_it_serves_and_remembers(void **state)
{
        (void)state;
        struct arena arena;
        arena_init(&arena, NULL, 128 * KIB);
        memset(arena_alloc(&arena, 100 * KIB), 1, 100 * KIB);
        assert_false(arena.is_failed);
        memset(arena_alloc(&arena, 100 * KIB), 1, 100 * KIB);
        assert_true(arena.is_failed);
        assert_non_null(arena_alloc(&arena, 1));
        assert_true(arena.is_failed);
        arena_fini(&arena);
        assert_false(arena.is_failed);
        assert_non_null(arena_alloc(&arena, 1));
        arena_fini(&arena);
}

static void when_pages_run_out_it_serves_from_the_reserve_and_remembers(void **state)
{
        (void)state;
        struct page_pool *pool = page_pool_make(8, 4);
        struct arena arena;
        arena_init(&arena, pool, 1024 * KIB);
        while (!arena.is_failed && page_pool_in_use(pool) < 8)
                memset(arena_alloc(&arena, KIB), 1, KIB);
        assert_true(arena.is_failed);
        assert_int_equal(page_pool_in_use(pool), 5);
        arena_fini(&arena);
        assert_int_equal(page_pool_in_use(pool), 0);
        page_pool_free(pool);
}

static void when_the_reserve_runs_out_too_it_goes_on_from_the_heap(void **state)
{
        (void)state;
        struct page_pool *pool = page_pool_make(8, 4);
        struct arena arenas[20];
        for (size_t i = 0; i < countof(arenas); i++) {
                arena_init(&arenas[i], pool, 1024 * KIB);
                memset(arena_alloc(&arenas[i], KIB), 1, KIB);
                memset(arena_alloc(&arenas[i], KIB / 2), 2, KIB / 2);
                assert_int_equal(arenas[i].is_failed, i >= 4);
        }
        assert_int_equal(page_pool_in_use(pool), 8);
        for (size_t i = 0; i < countof(arenas); i++)
                arena_fini(&arenas[i]);
        assert_int_equal(page_pool_in_use(pool), 0);
        page_pool_free(pool);
}

static void each_growth_can_be_made_to_fail(void **state)
{
        (void)state;
        for (size_t n = 1; n <= 3; n++) {
                struct arena arena;
                size_t grown = 0;
                arena_init(&arena, NULL, 1024 * KIB);
                arena_fail_at(n);
                while (!arena.is_failed) {
                        memset(arena_alloc(&arena, 60 * KIB), 1, 60 * KIB);
                        grown++;
                }
                assert_int_equal(grown, n);
                arena_fini(&arena);
        }
        arena_fail_at(0);
}

static void add_letter(void *arg)
{
        static char letter = 'a';
        text_char(arg, letter++);
}

static void cleanups_run_once_newest_first(void **state)
{
        (void)state;
        char first[4], second[4];
        struct text one = text_over(first, sizeof first), two = text_over(second, sizeof second);
        struct arena arena;
        arena_init(&arena, NULL, 1024 * KIB);
        arena_defer(&arena, add_letter, &one);
        arena_defer(&arena, add_letter, &two);
        arena_fini(&arena);
        arena_fini(&arena);
        assert_str(text_str(&two), "a");
        assert_str(text_str(&one), "b");
}

static void copies_are_independent(void **state)
{
        (void)state;
        char source[] = "abc";
        struct arena arena;
        arena_init(&arena, NULL, 1024 * KIB);
        struct str copy = arena_str(&arena, str_of(source));
        char *terminated = arena_cstr(&arena, str_from(source, 2));
        source[0] = 'x';
        assert_str(copy, "abc");
        assert_string_equal(terminated, "ab");
        assert_non_null(arena_str(&arena, S("")).ptr);
        assert_string_equal(arena_cstr(&arena, STR_NONE), "");
        assert_str(arena_format(&arena, "%s-%d", "x", 42), "x-42");
        arena_fini(&arena);
}

static void overflow_of_a_product_is_our_bug(void *arg)
{
        struct arena *arena = arena_zero(arg, SIZE_MAX / 2, 3);
        (void)arena;
}

static void a_product_that_overflows_dies(void **state)
{
        (void)state;
        struct arena arena;
        arena_init(&arena, NULL, 1024 * KIB);
        assert_true(dies(overflow_of_a_product_is_our_bug, &arena));
        arena_fini(&arena);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(pieces_are_aligned_apart_and_never_null),
                cmocka_unit_test(what_is_larger_than_a_page_is_served),
                cmocka_unit_test(past_the_limit_it_serves_and_remembers),
                cmocka_unit_test(when_pages_run_out_it_serves_from_the_reserve_and_remembers),
                cmocka_unit_test(when_the_reserve_runs_out_too_it_goes_on_from_the_heap),
                cmocka_unit_test(each_growth_can_be_made_to_fail),
                cmocka_unit_test(cleanups_run_once_newest_first),
                cmocka_unit_test(copies_are_independent),
                cmocka_unit_test(a_product_that_overflows_dies),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
