/* crowd.c -- what http/crowd.h promises: caps hold exactly, a door and a network apart, and numbers
 * go back. */
#include "http/crowd.h"

#include <pthread.h>
#include <stdlib.h>

#include "../unit.h"

static void fill(uint8_t address[16], uint32_t number)
{
        memset(address, 0, 16);
        address[10] = address[11] = 0xff;
        memcpy(address + 12, &number, 4);
}

static void a_cap_lets_in_as_many_as_it_says(void **state)
{
        struct crowd *crowd = crowd_make();
        struct crowd_door *door = crowd_door(crowd, S("main"));
        struct crowd_caps caps = {.door = 3, .network = 2};
        uint8_t one[16], other[16];
        (void)state;
        fill(one, 1);
        fill(other, 2);
        assert_int_equal(crowd_enter(crowd, door, one, &caps), CROWD_COUNTED);
        assert_int_equal(crowd_enter(crowd, door, one, &caps), CROWD_COUNTED);
        assert_int_equal(crowd_enter(crowd, door, one, &caps), CROWD_NETWORK_FULL);
        assert_int_equal(crowd_enter(crowd, door, other, &caps), CROWD_COUNTED);
        assert_int_equal(crowd_enter(crowd, door, other, &caps), CROWD_DOOR_FULL);
        crowd_leave(crowd, door, one);
        assert_int_equal(crowd_enter(crowd, door, one, &caps), CROWD_COUNTED);
        crowd_free(crowd);
}

static void doors_are_known_by_name_and_count_apart(void **state)
{
        struct crowd *crowd = crowd_make();
        struct crowd_door *main = crowd_door(crowd, S("main")),
                          *side = crowd_door(crowd, S("side"));
        struct crowd_caps caps = {.door = 1, .network = UINT32_MAX};
        uint8_t address[16];
        (void)state;
        fill(address, 1);
        assert_ptr_equal(crowd_door(crowd, S("main")), main);
        assert_ptr_not_equal(main, side);
        assert_int_equal(crowd_enter(crowd, main, address, &caps), CROWD_COUNTED);
        assert_int_equal(crowd_enter(crowd, side, address, &caps), CROWD_COUNTED);
        assert_int_equal(crowd_enter(crowd, main, address, &caps), CROWD_DOOR_FULL);
        char name[8];
        for (int i = 0; i < CROWD_DOORS_MAX - 2; i++) {
                snprintf(name, sizeof name, "%d", i);
                assert_non_null(crowd_door(crowd, str_of(name)));
        }
        assert_null(crowd_door(crowd, S("one more")));
        assert_int_equal(crowd_enter(crowd, NULL, address, &caps), CROWD_COUNTED);
        crowd_free(crowd);
}

/* Who comes through a proxy is known later than that somebody came. */
static void one_that_is_in_is_placed_later(void **state)
{
        struct crowd *crowd = crowd_make();
        struct crowd_door *door = crowd_door(crowd, S("main"));
        struct crowd_caps caps = {.door = 3, .network = 1};
        uint8_t one[16];
        (void)state;
        fill(one, 1);
        for (int i = 0; i < 3; i++)
                assert_int_equal(crowd_enter(crowd, door, NULL, &caps), CROWD_UNPLACED);
        assert_int_equal(crowd_enter(crowd, door, NULL, &caps), CROWD_DOOR_FULL);
        assert_int_equal(crowd_place(crowd, one, 1), CROWD_COUNTED);
        assert_int_equal(crowd_place(crowd, one, 1), CROWD_NETWORK_FULL);
        crowd_leave(crowd, door, NULL);
        crowd_leave(crowd, door, one);
        assert_int_equal(crowd_enter(crowd, door, one, &caps), CROWD_COUNTED);
        crowd_free(crowd);
}

static void a_network_of_ipv6_is_one(void **state)
{
        struct crowd *crowd = crowd_make();
        struct crowd_caps caps = {.door = UINT32_MAX, .network = 1};
        uint8_t a[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1},
                b[16] = {0x20, 0x01, 0x0d, 0xb8, [8] = 9};
        uint8_t c[16] = {0x20, 0x01, 0x0d, 0xb8, [7] = 1, [15] = 1};
        (void)state;
        assert_int_equal(crowd_enter(crowd, NULL, a, &caps), CROWD_COUNTED);
        assert_int_equal(crowd_enter(crowd, NULL, b, &caps), CROWD_NETWORK_FULL);
        assert_int_equal(crowd_enter(crowd, NULL, c, &caps), CROWD_COUNTED);
        crowd_leave(crowd, NULL, a);
        assert_int_equal(crowd_enter(crowd, NULL, b, &caps), CROWD_COUNTED);
        crowd_free(crowd);
}

static void a_full_table_lets_in_and_its_numbers_stay_right(void **state)
{
        struct crowd *crowd = crowd_make();
        struct crowd_caps caps = {.door = UINT32_MAX, .network = 1};
        bool *placed = calloc(2 * CROWD_NETWORKS_MAX, sizeof *placed);
        unsigned unplaced = 0;
        uint8_t address[16];
        (void)state;
        for (uint32_t i = 0; i < 2 * CROWD_NETWORKS_MAX; i++) {
                fill(address, i);
                enum crowd_answer answer = crowd_enter(crowd, NULL, address, &caps);
                assert_true(answer == CROWD_COUNTED || answer == CROWD_UNPLACED);
                placed[i] = answer == CROWD_COUNTED;
                unplaced += !placed[i];
        }
        assert_true(unplaced >= CROWD_NETWORKS_MAX);
        for (uint32_t i = 0; i < 2 * CROWD_NETWORKS_MAX; i++) {
                fill(address, i);
                crowd_leave(crowd, NULL, placed[i] ? address : NULL);
        }
        for (uint32_t i = 0; i < 1000; i++) {
                fill(address, i);
                assert_int_equal(crowd_enter(crowd, NULL, address, &caps), CROWD_COUNTED);
        }
        free(placed);
        crowd_free(crowd);
}

struct rush {
        struct crowd *crowd;
        struct crowd_door *door;
        struct crowd_caps caps;
        bool is_leaving;
        uint32_t in;
};

static void *come(void *arg)
{
        struct rush *rush = arg;
        uint8_t address[16];
        for (uint32_t i = 0; i < 5000; i++) {
                fill(address, i % 7);
                enum crowd_answer answer = crowd_enter(rush->crowd, rush->door, address,
                                                       &rush->caps);
                rush->in += answer == CROWD_COUNTED;
                if (answer == CROWD_COUNTED && rush->is_leaving)
                        crowd_leave(rush->crowd, rush->door, address);
        }
        return NULL;
}

/* How many came in of four threads that try at the same time. */
static uint32_t rush_in(struct crowd *crowd, struct crowd_caps caps, bool is_leaving)
{
        struct rush rushes[4];
        pthread_t threads[4];
        uint32_t in = 0;
        for (int i = 0; i < 4; i++) {
                rushes[i] = (struct rush){crowd, crowd_door(crowd, S("main")), caps, is_leaving, 0};
                assert_int_equal(pthread_create(&threads[i], NULL, come, &rushes[i]), 0);
        }
        for (int i = 0; i < 4; i++) {
                pthread_join(threads[i], NULL);
                in += rushes[i].in;
        }
        return in;
}

static void threads_together_never_exceed_a_cap(void **state)
{
        struct crowd *crowd = crowd_make();
        (void)state;
        assert_int_equal(rush_in(crowd, (struct crowd_caps){1000, UINT32_MAX}, false), 1000);
        crowd_free(crowd);
        crowd = crowd_make();
        assert_int_equal(rush_in(crowd, (struct crowd_caps){UINT32_MAX, 100}, false), 7 * 100);
        crowd_free(crowd);
}

static void threads_that_come_and_go_leave_nothing(void **state)
{
        struct crowd *crowd = crowd_make();
        (void)state;
        assert_true(rush_in(crowd, (struct crowd_caps){3, 2}, true) > 0);
        assert_int_equal(rush_in(crowd, (struct crowd_caps){1000, 100}, false), 7 * 100);
        crowd_free(crowd);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_cap_lets_in_as_many_as_it_says),
                cmocka_unit_test(doors_are_known_by_name_and_count_apart),
                cmocka_unit_test(one_that_is_in_is_placed_later),
                cmocka_unit_test(a_network_of_ipv6_is_one),
                cmocka_unit_test(a_full_table_lets_in_and_its_numbers_stay_right),
                cmocka_unit_test(threads_together_never_exceed_a_cap),
                cmocka_unit_test(threads_that_come_and_go_leave_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
