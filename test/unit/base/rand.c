/* rand.c -- what base/rand.h promises. */
#include "base/rand.h"

#include "../unit.h"

static void bytes_fill_all_they_were_asked_for(void **state)
{
        (void)state;
        uint8_t seen[1000] = {0}, bytes[1000];
        for (int turn = 0; turn < 10; turn++) {
                rand_bytes(bytes, sizeof bytes);
                for (size_t i = 0; i < sizeof bytes; i++)
                        seen[i] |= bytes[i];
        }
        for (size_t i = 0; i < sizeof seen; i++)
                assert_int_not_equal(seen[i], 0);
        rand_bytes(bytes, 0);
}

static void numbers_below_n_reach_all_values_and_no_other(void **state)
{
        (void)state;
        unsigned counts[10] = {0};
        for (int i = 0; i < 100000; i++) {
                uint64_t value = rand_below(countof(counts));
                assert_true(value < countof(counts));
                counts[value]++;
        }
        /* 10,000 expected of each; the chance to be off by 600 is below 1 in 10^9. */
        for (size_t i = 0; i < countof(counts); i++)
                assert_in_range(counts[i], 9400, 10600);
        assert_int_equal(rand_below(0), 0);
        assert_int_equal(rand_below(1), 0);
}

static void a_seed_decides_what_follows(void **state)
{
        (void)state;
        rand_seed(7);
        uint64_t first = rand_u64(), second = rand_u64();
        assert_int_not_equal(first, second);
        rand_seed(8);
        assert_int_not_equal(rand_u64(), first);
        rand_seed(7);
        assert_int_equal(rand_u64(), first);
        assert_int_equal(rand_u64(), second);
}

static void every_bit_is_used(void **state)
{
        (void)state;
        uint64_t ones = 0, zeros = 0;
        for (int i = 0; i < 200; i++) {
                uint64_t value = rand_u64();
                ones |= value;
                zeros |= ~value;
        }
        assert_int_equal(ones, UINT64_MAX);
        assert_int_equal(zeros, UINT64_MAX);
}

static void a_child_goes_its_own_way(void **state)
{
        (void)state;
        int ends[2];
        uint64_t of_child = 0;
        rand_u64();
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
                of_child = rand_u64();
                ssize_t n = write(ends[1], &of_child, sizeof of_child);
                _exit(n == sizeof of_child ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_int_equal(read(ends[0], &of_child, sizeof of_child), sizeof of_child);
        assert_int_not_equal(of_child, rand_u64());
        close(ends[0]);
        close(ends[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(bytes_fill_all_they_were_asked_for),
                cmocka_unit_test(numbers_below_n_reach_all_values_and_no_other),
                cmocka_unit_test(every_bit_is_used),
                cmocka_unit_test(a_seed_decides_what_follows),
                cmocka_unit_test(a_child_goes_its_own_way),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
