/* cells.c -- what main/cells.h promises. */
#include "main/cells.h"

#include "../unit.h"
#include <sys/mman.h>

static struct cells cells;
static const struct cells_memory *one, *two, *three;

static int begin(void **state)
{
        (void)state;
        cells_init(&cells);
        return 0;
}

static int end(void **state)
{
        (void)state;
        cells_close(&cells);
        return 0;
}

static void the_same_layout_is_the_same_memory_and_may_grow(void **state)
{
        (void)state;
        char got;
        assert_int_equal(cells_hold(&cells, 100, 1, &one), ERR_ok);
        int fd = one->fd;
        assert_int_equal(pwrite(fd, "x", 1, 50), 1);
        assert_int_equal(cells_hold(&cells, 5000, 1, &two), ERR_ok);
        assert_int_equal(two->fd, fd);
        assert_int_equal(two->size, 5000);
        assert_int_equal(pread(fd, &got, 1, 50), 1);
        assert_int_equal(got, 'x');
        assert_int_equal(pread(fd, &got, 1, 4999), 1);
        assert_int_equal(got, 0);
        assert_int_equal(cells_hold(&cells, 10, 1, &two), ERR_ok);
        assert_int_equal(two->size, 5000);
}

static void nobody_can_make_it_smaller(void **state)
{
        (void)state;
        assert_int_equal(cells_hold(&cells, 4096, 1, &one), ERR_ok);
        assert_int_equal(ftruncate(one->fd, 10), -1);
}

static void the_last_two_layouts_are_kept(void **state)
{
        (void)state;
        assert_int_equal(cells_hold(&cells, 100, 1, &one), ERR_ok);
        int first = one->fd;
        assert_int_equal(cells_hold(&cells, 100, 2, &two), ERR_ok);
        assert_int_equal(cells_hold(&cells, 100, 1, &one), ERR_ok);
        assert_int_equal(one->fd, first);
        assert_int_equal(cells_hold(&cells, 100, 3, &three), ERR_ok); /* 2 goes: asked for before */
        assert_int_equal(cells_hold(&cells, 100, 1, &one), ERR_ok);
        assert_int_equal(one->fd, first);
}

static void a_size_without_sense_is_refused(void **state)
{
        (void)state;
        assert_int_equal(cells_hold(&cells, 0, 1, &one), ERR_range);
        assert_int_equal(cells_hold(&cells, CELLS_SIZE_MAX + 1, 1, &one), ERR_range);
        assert_int_equal(cells_hold(&cells, UINT64_MAX, 1, &one), ERR_range);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(the_same_layout_is_the_same_memory_and_may_grow,
                                                begin, end),
                cmocka_unit_test_setup_teardown(nobody_can_make_it_smaller, begin, end),
                cmocka_unit_test_setup_teardown(the_last_two_layouts_are_kept, begin, end),
                cmocka_unit_test_setup_teardown(a_size_without_sense_is_refused, begin, end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
