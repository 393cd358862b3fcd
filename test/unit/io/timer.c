/* timer.c -- what io/timer.h promises; the last tests compare the wheel with a list of deadlines.
 */
#include "io/timer.h"

#include <stdlib.h>

#include "../unit.h"
#include "base/rand.h"

#define MS  1000000ull
#define SEC (1000 * MS)
#define DAY (86400 * SEC)

/* How late a timer may fire when the wheel is turned all the time: two ticks. */
#define LATE (2ull << WHEEL_TICK_SHIFT)

enum { START = 1 << 30, MANY = 5000 };

struct alarm {
        struct timer timer;
        uint64_t fired_at;
        unsigned fired;
};

static uint64_t now;
static struct wheel wheel;

static void ring(struct timer *timer)
{
        struct alarm *alarm = container_of(timer, struct alarm, timer);
        alarm->fired++;
        alarm->fired_at = now;
}

static void set(struct timer *timer, uint64_t due)
{
        timer->due = due;
        if (timer->seat == 0 || due < timer->seat)
                wheel_seat(&wheel, timer);
}

static int fresh_wheel(void **state)
{
        (void)state;
        now = START;
        wheel_init(&wheel, now);
        return 0;
}

static void turn_to(uint64_t time)
{
        now = time;
        wheel_turn(&wheel, now);
}

/* Turns whenever the wheel asks for it, up to `time`; returns how often. */
static unsigned sleep_to(uint64_t time)
{
        unsigned turns = 0;
        for (uint64_t next; (next = wheel_next(&wheel)) <= time; turns++) {
                assert_true(next > now || turns == 0);
                turn_to(next);
        }
        turn_to(time);
        return turns;
}

static void it_fires_once_after_its_time_and_not_before(void **state)
{
        (void)state;
        static const uint64_t delays[] = {0,         1,          MS,  5 * MS,  63 * MS, 64 * MS,
                                          67 * MS,   68 * MS,    SEC, 4 * SEC, 5 * SEC, 60 * SEC,
                                          300 * SEC, 3600 * SEC, DAY, 6 * DAY, 7 * DAY, 30 * DAY};
        for (size_t i = 0; i < countof(delays); i++) {
                struct alarm alarm = {.fired = 0};
                timer_init(&alarm.timer, ring);
                uint64_t due = now + delays[i];
                set(&alarm.timer, due);
                sleep_to(due - 1);
                assert_int_equal(alarm.fired, 0);
                sleep_to(due + LATE);
                assert_int_equal(alarm.fired, 1);
                assert_true(alarm.fired_at >= due && alarm.fired_at <= due + LATE);
                sleep_to(due + DAY);
                assert_int_equal(alarm.fired, 1);
        }
}

static void it_fires_in_a_wheel_that_was_not_turned_for_long(void **state)
{
        (void)state;
        struct alarm alarms[3] = {0};
        static const uint64_t delays[] = {10 * MS, 10 * SEC, 3 * DAY};
        for (size_t i = 0; i < 3; i++) {
                timer_init(&alarms[i].timer, ring);
                set(&alarms[i].timer, now + delays[i]);
        }
        turn_to(now + 10 * DAY);
        for (size_t i = 0; i < 3; i++)
                assert_int_equal(alarms[i].fired, 1);
        assert_true(wheel_next(&wheel) == TIMER_NEVER);
}

static void a_later_deadline_does_not_move_the_node(void **state)
{
        (void)state;
        struct alarm alarm = {.fired = 0};
        timer_init(&alarm.timer, ring);
        set(&alarm.timer, now + SEC);
        uint64_t seat = alarm.timer.seat;
        set(&alarm.timer, now + 10 * SEC);
        assert_true(alarm.timer.seat == seat);
        sleep_to(now + 9 * SEC);
        assert_int_equal(alarm.fired, 0);
        sleep_to(now + SEC + LATE);
        assert_int_equal(alarm.fired, 1);
}

static void a_sooner_deadline_moves_it(void **state)
{
        (void)state;
        struct alarm alarm = {.fired = 0};
        timer_init(&alarm.timer, ring);
        set(&alarm.timer, now + 100 * SEC);
        set(&alarm.timer, now + SEC);
        sleep_to(now + SEC + LATE);
        assert_int_equal(alarm.fired, 1);
        sleep_to(now + 200 * SEC);
        assert_int_equal(alarm.fired, 1);
        assert_true(wheel_next(&wheel) == TIMER_NEVER);
}

static void a_stopped_timer_is_off_the_wheel(void **state)
{
        (void)state;
        struct alarm alarm = {.fired = 0};
        timer_init(&alarm.timer, ring);
        timer_stop(&alarm.timer);
        set(&alarm.timer, now + SEC);
        timer_stop(&alarm.timer);
        timer_stop(&alarm.timer);
        memset(&alarm.timer.node, 0xff, sizeof alarm.timer.node);
        sleep_to(now + 2 * SEC);
        assert_int_equal(alarm.fired, 0);
}

static void a_cleared_timer_leaves_the_wheel_by_itself(void **state)
{
        (void)state;
        static const uint64_t delays[] = {10 * MS, 10 * SEC, 3600 * SEC, 3 * DAY, 30 * DAY};
        for (size_t i = 0; i < countof(delays); i++) {
                struct alarm alarm = {.fired = 0};
                timer_init(&alarm.timer, ring);
                set(&alarm.timer, now + delays[i]);
                alarm.timer.due = TIMER_NEVER;
                unsigned turns = sleep_to(now + 31 * DAY);
                assert_int_equal(alarm.fired, 0);
                assert_true(turns <= WHEEL_LEVELS + 5);
                assert_true(wheel_next(&wheel) == TIMER_NEVER);
                assert_true(alarm.timer.seat == 0);
                set(&alarm.timer, now + SEC);
                sleep_to(now + SEC + LATE);
                assert_int_equal(alarm.fired, 1);
        }
}

struct pair {
        struct timer timer;
        struct timer *victim;
        unsigned fired;
};

static void stop_the_other(struct timer *timer)
{
        struct pair *pair = container_of(timer, struct pair, timer);
        pair->fired++;
        timer_stop(pair->victim);
}

static void a_timer_may_stop_another_that_is_due_too(void **state)
{
        (void)state;
        struct pair pairs[2] = {0};
        for (int i = 0; i < 2; i++) {
                timer_init(&pairs[i].timer, stop_the_other);
                pairs[i].victim = &pairs[1 - i].timer;
                set(&pairs[i].timer, now + SEC);
        }
        sleep_to(now + 2 * SEC);
        assert_int_equal(pairs[0].fired + pairs[1].fired, 1);
}

static void put_off_the_other(struct timer *timer)
{
        struct pair *pair = container_of(timer, struct pair, timer);
        if (pair->fired++ == 0)
                set(pair->victim, now + SEC);
}

static void a_timer_may_put_off_another_that_is_due_too(void **state)
{
        (void)state;
        struct pair pairs[2] = {0};
        timer_init(&pairs[0].timer, put_off_the_other);
        timer_init(&pairs[1].timer, put_off_the_other);
        pairs[0].victim = pairs[1].victim = &pairs[1].timer;
        set(&pairs[0].timer, now + SEC);
        set(&pairs[1].timer, now + SEC);
        sleep_to(now + SEC + LATE);
        assert_int_equal(pairs[0].fired, 1);
        assert_int_equal(pairs[1].fired, 0);
        sleep_to(now + SEC + LATE);
        assert_int_equal(pairs[1].fired, 1);
}

static void free_it(struct timer *timer)
{
        free(container_of(timer, struct alarm, timer));
}

static void a_timer_may_free_itself(void **state)
{
        (void)state;
        struct alarm *alarm = calloc(1, sizeof *alarm);
        timer_init(&alarm->timer, free_it);
        set(&alarm->timer, now + SEC);
        sleep_to(now + 2 * SEC);
        assert_true(wheel_next(&wheel) == TIMER_NEVER);
}

static void again_at_once(struct timer *timer)
{
        struct alarm *alarm = container_of(timer, struct alarm, timer);
        alarm->fired++;
        set(timer, now);
}

static void a_timer_that_is_always_due_does_not_hold_the_turn(void **state)
{
        (void)state;
        struct alarm alarm = {.fired = 0};
        timer_init(&alarm.timer, again_at_once);
        set(&alarm.timer, now);
        turn_to(now + 10 * MS);
        assert_true(alarm.fired >= 1 && alarm.fired <= 11);
        timer_stop(&alarm.timer);
}

static void a_deadline_beyond_all_time_is_bearable(void **state)
{
        (void)state;
        struct alarm alarm = {.fired = 0};
        timer_init(&alarm.timer, ring);
        set(&alarm.timer, TIMER_NEVER - 1);
        sleep_to(now + 100 * DAY);
        assert_int_equal(alarm.fired, 0);
        timer_stop(&alarm.timer);
}

static uint64_t any_delay(void)
{
        return rand_below(1ull << (10 + rand_below(42)));
}

static void change(struct alarm *alarm)
{
        switch (rand_below(4)) {
        case 0:
                alarm->timer.due = TIMER_NEVER;
                break;
        case 1:
                timer_stop(&alarm->timer);
                break;
        default:
                set(&alarm->timer, now + any_delay());
        }
}

/* Each alarm fires when a list of deadlines says so, whatever the steps of time. */
static void thousands_fire_as_a_plain_list_would(void **state)
{
        (void)state;
        static struct alarm alarms[MANY];
        static uint64_t due[MANY];
        memset(alarms, 0, sizeof alarms);
        for (size_t i = 0; i < MANY; i++) {
                timer_init(&alarms[i].timer, ring);
                set(&alarms[i].timer, now + any_delay());
        }
        for (int round = 0; round < 400; round++) {
                for (size_t i = 0; i < MANY; i++) {
                        alarms[i].fired = 0;
                        due[i] = alarms[i].timer.due;
                }
                uint64_t goal = now + any_delay();
                if (round % 2 == 0)
                        turn_to(goal);
                else if (goal < now + 100 * SEC)
                        sleep_to(goal);
                for (size_t i = 0; i < MANY; i++) {
                        assert_true(alarms[i].fired <= 1);
                        if (alarms[i].fired == 1) {
                                assert_true(due[i] <= alarms[i].fired_at);
                                assert_true(alarms[i].timer.due == TIMER_NEVER);
                        } else if (due[i] != TIMER_NEVER) {
                                assert_true(due[i] + LATE > now);
                        }
                }
                for (int i = 0; i < 200; i++)
                        change(&alarms[rand_below(MANY)]);
        }
        for (size_t i = 0; i < MANY; i++)
                timer_stop(&alarms[i].timer);
}

/* Whoever sleeps as long as the wheel says misses nothing by more than two ticks. */
static void who_sleeps_as_told_is_never_late(void **state)
{
        (void)state;
        static struct alarm alarms[200];
        for (size_t i = 0; i < countof(alarms); i++)
                timer_init(&alarms[i].timer, ring);
        for (int round = 0; round < 300; round++) {
                struct alarm *alarm = &alarms[rand_below(countof(alarms))];
                timer_stop(&alarm->timer);
                uint64_t due = now + any_delay() % (1000 * SEC);
                alarm->fired = 0;
                set(&alarm->timer, due);
                sleep_to(due + LATE);
                assert_int_equal(alarm->fired, 1);
                assert_true(alarm->fired_at >= due && alarm->fired_at <= due + LATE);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(it_fires_once_after_its_time_and_not_before, fresh_wheel),
                cmocka_unit_test_setup(it_fires_in_a_wheel_that_was_not_turned_for_long,
                                       fresh_wheel),
                cmocka_unit_test_setup(a_later_deadline_does_not_move_the_node, fresh_wheel),
                cmocka_unit_test_setup(a_sooner_deadline_moves_it, fresh_wheel),
                cmocka_unit_test_setup(a_stopped_timer_is_off_the_wheel, fresh_wheel),
                cmocka_unit_test_setup(a_cleared_timer_leaves_the_wheel_by_itself, fresh_wheel),
                cmocka_unit_test_setup(a_timer_may_stop_another_that_is_due_too, fresh_wheel),
                cmocka_unit_test_setup(a_timer_may_put_off_another_that_is_due_too, fresh_wheel),
                cmocka_unit_test_setup(a_timer_may_free_itself, fresh_wheel),
                cmocka_unit_test_setup(a_timer_that_is_always_due_does_not_hold_the_turn,
                                       fresh_wheel),
                cmocka_unit_test_setup(a_deadline_beyond_all_time_is_bearable, fresh_wheel),
                cmocka_unit_test_setup(thousands_fire_as_a_plain_list_would, fresh_wheel),
                cmocka_unit_test_setup(who_sleeps_as_told_is_never_late, fresh_wheel),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
