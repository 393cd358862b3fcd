/* recent.c -- tests of the ring of the last records. */
#include "unit.h"

#include "record/recent.h"

static struct recent recent;
static uint8_t bytes[RECENT_SIZE / 8];

static void put(uint64_t number, size_t len)
{
        memcpy(bytes, &number, sizeof number);
        memset(bytes + 8, (int)(number & 0xff), len - 8);
        recent_put(&recent, (struct slice){bytes, len});
}

/* Reads one and checks that it is whole. */
static bool take(struct recent_place *place, uint64_t *ret_number, uint64_t *ret_lost)
{
        struct slice message;
        if (!recent_read(&recent, place, &message, ret_lost))
                return false;
        *ret_number = load_u64(message.ptr);
        for (size_t i = 8; i < message.len; i++)
                assert_int_equal(message.ptr[i], *ret_number & 0xff);
        return true;
}

static size_t length_of(uint64_t number)
{
        return 8 + number * 7919 % 5000;
}

static void readers_see_all_in_order(void **state)
{
        (void)state;
        uint64_t number = 0, lost = 0, expected = 0;
        recent_init(&recent);
        struct recent_place place = recent_now(&recent);
        assert_false(take(&place, &number, &lost));
        for (uint64_t i = 0; i < 20000; i++) {
                put(i, length_of(i));
                while (take(&place, &number, &lost)) {
                        assert_int_equal(number, expected++);
                        assert_int_equal(lost, 0);
                }
        }
        assert_int_equal(expected, 20000);
}

static void a_reader_that_is_late_is_told_what_it_lost(void **state)
{
        (void)state;
        uint64_t number = 0, lost = 0;
        for (unsigned late = 1; late < 3000; late += 97) {
                recent_init(&recent);
                struct recent_place place = recent_now(&recent);
                for (uint64_t i = 0; i < late; i++)
                        put(i, length_of(i));
                uint64_t expected = 0;
                bool is_first = true;
                while (take(&place, &number, &lost)) {
                        assert_true(is_first || lost == 0);
                        is_first = false;
                        expected += lost;
                        assert_int_equal(number, expected++);
                }
                assert_int_equal(expected, late);
        }
}

static void the_last_ones_are_kept(void **state)
{
        (void)state;
        uint64_t number = 0, lost = 0, count = 0;
        recent_init(&recent);
        for (uint64_t i = 0; i < 100000; i++)
                put(i, 400);
        struct recent_place place = recent_begin(&recent);
        while (take(&place, &number, &lost))
                count++;
        assert_int_equal(number, 99999);
        assert_true(count > RECENT_SIZE / 420 && count < RECENT_SIZE / 400);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(readers_see_all_in_order),
                cmocka_unit_test(a_reader_that_is_late_is_told_what_it_lost),
                cmocka_unit_test(the_last_ones_are_kept),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
