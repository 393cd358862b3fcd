/* usage.c -- tests of what the process takes of the machine. */
#include "unit.h"

#include <fcntl.h>

#include "io/usage.h"

static void descriptors_are_counted(void **state)
{
        (void)state;
        struct usage before, after;
        int fds[5];
        usage_read(&before);
        for (int i = 0; i < 5; i++)
                fds[i] = open("/dev/null", O_RDONLY);
        usage_read(&after);
        assert_int_equal(after.fds, before.fds + 5);
        assert_true(after.fds_max >= after.fds);
        for (int i = 0; i < 5; i++)
                close(fds[i]);
        usage_read(&after);
        assert_int_equal(after.fds, before.fds);
}

static void memory_and_time_grow(void **state)
{
        (void)state;
        static char memory[16 << 20];
        struct usage before, after;
        usage_read(&before);
        for (unsigned round = 0; round < 20; round++)
                memset(memory, (int)round, sizeof memory);
        usage_read(&after);
        assert_true(after.cpu_ns > before.cpu_ns);
        assert_true(after.rss_bytes >= before.rss_bytes + (8 << 20));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(descriptors_are_counted),
                cmocka_unit_test(memory_and_time_grow),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
