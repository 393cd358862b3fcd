/* map.c -- what base/map.h promises. */
#include "base/map.h"

#include "../unit.h"

static int make_map(void **state)
{
        static struct arena arena;
        static struct map map;
        arena_init(&arena, NULL, 64 << 20);
        map_init(&map, &arena);
        *state = &map;
        return 0;
}

static int free_map(void **state)
{
        struct map *map = *state;
        arena_fini(map->arena);
        return 0;
}

static void what_was_put_is_got_and_nothing_else(void **state)
{
        struct map *map = *state;
        int one, two;
        assert_null(map_get(map, S("a")));
        assert_null(map_put(map, S("a"), &one));
        assert_null(map_put(map, S(""), &two));
        assert_ptr_equal(map_get(map, S("a")), &one);
        assert_ptr_equal(map_get(map, S("")), &two);
        assert_null(map_get(map, S("A")));
        assert_int_equal(map->count, 2);
}

static void a_second_put_replaces_and_returns_the_first(void **state)
{
        struct map *map = *state;
        int one, two;
        map_put(map, S("a"), &one);
        assert_ptr_equal(map_put(map, S("a"), &two), &one);
        assert_ptr_equal(map_get(map, S("a")), &two);
        assert_int_equal(map->count, 1);
}

static void it_grows_and_loses_nothing(void **state)
{
        enum { COUNT = 20000 };
        struct map *map = *state;
        static char values[COUNT];
        for (size_t i = 0; i < COUNT; i++)
                assert_null(map_put(map, arena_format(map->arena, "key-%zu", i), &values[i]));
        assert_int_equal(map->count, COUNT);
        assert_true(map->count <= map->cap / 4 * 3);
        for (size_t i = 0; i < COUNT; i++)
                assert_ptr_equal(map_get(map, arena_format(map->arena, "key-%zu", i)), &values[i]);
        assert_null(map_get(map, S("key-20000")));
}

static void a_walk_sees_each_entry_once(void **state)
{
        enum { COUNT = 100 };
        struct map *map = *state;
        unsigned seen[COUNT] = {0};
        for (size_t i = 0; i < COUNT; i++)
                map_put(map, arena_format(map->arena, "%zu", i), &seen[i]);
        struct map_entry *entry;
        for (size_t at = 0; (entry = map_next(map, &at)) != NULL;)
                ++*(unsigned *)entry->value;
        for (size_t i = 0; i < COUNT; i++)
                assert_int_equal(seen[i], 1);
}

static void put_nothing(void *arg)
{
        map_put(arg, S("a"), NULL);
}

static void a_null_value_dies(void **state)
{
        assert_true(dies(put_nothing, *state));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_was_put_is_got_and_nothing_else, make_map,
                                                free_map),
                cmocka_unit_test_setup_teardown(a_second_put_replaces_and_returns_the_first,
                                                make_map, free_map),
                cmocka_unit_test_setup_teardown(it_grows_and_loses_nothing, make_map, free_map),
                cmocka_unit_test_setup_teardown(a_walk_sees_each_entry_once, make_map, free_map),
                cmocka_unit_test_setup_teardown(a_null_value_dies, make_map, free_map),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
