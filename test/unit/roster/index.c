/* index.c -- what roster/index.h promises to a single thread; many at once: roster.c. */
#include "roster/index.h"

#include "../unit.h"
#include "base/rand.h"

static unsigned retired;

static void retire(void *arg, void *memory)
{
        (void)arg;
        retired++;
        index_free_old(memory);
}

static struct hash128 hash_of(uint32_t number)
{
        static const struct hash_key key = {3, 4};
        return hash_siphash24_128(&key, &number, sizeof number);
}

static bool has(const struct index *index, struct hash128 hash, uint32_t value)
{
        struct index_walk walk = index_begin(index, hash);
        uint32_t found;
        while (index_next(&walk, &found)) {
                if (found == value)
                        return true;
        }
        return false;
}

static void what_is_put_in_is_found_until_it_is_removed(void **state)
{
        enum { MANY = 200000 };
        static bool is_in[MANY];
        struct index *index = index_make(retire, NULL);
        (void)state;
        assert_false(has(index, hash_of(1), 1));
        for (int step = 0; step < 1000000; step++) {
                uint32_t n = (uint32_t)rand_below(MANY);
                assert_int_equal(has(index, hash_of(n), n), is_in[n]);
                if (is_in[n])
                        index_remove(index, hash_of(n), n);
                else
                        assert_int_equal(index_put(index, hash_of(n), n), ERR_ok);
                is_in[n] = !is_in[n];
        }
        for (uint32_t n = 0; n < MANY; n++)
                assert_int_equal(has(index, hash_of(n), n), is_in[n]);
        assert_true(retired > 0);
        assert_in_range(index_bytes(index), MANY / 2 * 8, MANY * 32);
        index_free(index);
}

static void numbers_with_the_same_hash_are_all_found(void **state)
{
        struct index *index = index_make(retire, NULL);
        struct hash128 hash = {5, 6};
        (void)state;
        for (uint32_t n = 0; n < 100; n++)
                assert_int_equal(index_put(index, hash, n == 99 ? INDEX_VALUE_MAX : n), ERR_ok);
        index_remove(index, hash, 50);
        struct index_walk walk = index_begin(index, hash);
        uint32_t value, count = 0;
        while (index_next(&walk, &value)) {
                assert_int_not_equal(value, 50);
                count++;
        }
        assert_int_equal(count, 99);
        assert_true(has(index, hash, INDEX_VALUE_MAX));
        index_free(index);
}

static void what_comes_and_goes_does_not_make_it_grow(void **state)
{
        struct index *index = index_make(retire, NULL);
        (void)state;
        size_t bytes = 0;
        for (uint32_t n = 0; n < 1000000; n++) {
                assert_int_equal(index_put(index, hash_of(n), n), ERR_ok);
                if (n >= 1000)
                        index_remove(index, hash_of(n - 1000), n - 1000);
                if (n == 500000)
                        bytes = index_bytes(index);
        }
        assert_in_range(index_bytes(index), 0, bytes + bytes / 2);
        index_free(index);
}

static void remove_what_is_not_there(void *arg)
{
        index_remove(arg, hash_of(2), 2);
}

static void removing_what_is_not_there_is_a_fault_of_ours(void **state)
{
        struct index *index = index_make(retire, NULL);
        (void)state;
        assert_true(dies(remove_what_is_not_there, index));
        assert_int_equal(index_put(index, hash_of(1), 1), ERR_ok);
        assert_true(dies(remove_what_is_not_there, index));
        index_free(index);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_put_in_is_found_until_it_is_removed),
                cmocka_unit_test(numbers_with_the_same_hash_are_all_found),
                cmocka_unit_test(what_comes_and_goes_does_not_make_it_grow),
                cmocka_unit_test(removing_what_is_not_there_is_a_fault_of_ours),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
