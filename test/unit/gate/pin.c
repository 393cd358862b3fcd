/* pin.c -- what gate/pin.h promises. The storm at the end is what the thread sanitizer looks at. */
#include "gate/pin.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../unit.h"
#include "base/rand.h"

struct log {
        unsigned wakes, retires, drains;
        _Atomic(unsigned) posts;
        uint64_t retired[64], drained[64];
};

static void wake(void *arg, unsigned worker)
{
        (void)worker;
        ((struct log *)arg)->wakes++;
}

static void post(void *arg)
{
        struct log *log = arg;
        atomic_fetch_add(&log->posts, 1);
}

static void retire(void *arg, void *value, uint64_t number)
{
        struct log *log = arg;
        assert_true(value == (void *)(log->retired + number));
        log->retired[log->retires++ % 64] = number;
}

static void drain(void *arg, void *value, uint64_t number)
{
        struct log *log = arg;
        (void)value;
        log->drained[log->drains++ % 64] = number;
}

static struct pin_board *make(struct log *log, unsigned workers)
{
        struct pin_calls calls = {wake, post, retire, drain, log};
        *log = (struct log){0};
        return pin_board_make(&calls, workers);
}

/* The values of these tests: an address that tells the number. */
static uint64_t publish(struct pin_board *board, struct log *log, uint64_t number)
{
        return pin_publish(board, log->retired + number);
}

static void a_worker_sees_a_generation_at_its_next_turn_and_not_before(void **state)
{
        struct log log;
        struct pin_board *board = make(&log, 1);
        struct pin_worker *worker = pin_worker(board, 0);
        (void)state;
        assert_null(worker->now);
        assert_false(pin_turn(worker));
        assert_int_equal(publish(board, &log, 1), 1);
        assert_null(worker->now);
        assert_int_equal(log.wakes, 1);
        assert_true(pin_turn(worker));
        assert_int_equal(worker->now->number, 1);
        assert_int_equal(pin_reached(board), 1);
        assert_false(pin_turn(worker));
        pin_leave(worker);
        pin_board_free(board);
        assert_int_equal(log.retires, 1);
}

static void an_exchange_keeps_what_it_began_with_and_the_last_one_retires_it(void **state)
{
        struct log log;
        struct pin_board *board = make(&log, 1);
        struct pin_worker *worker = pin_worker(board, 0);
        (void)state;
        publish(board, &log, 1);
        pin_turn(worker);
        struct pin *a = pin_take(worker), *b = pin_take(worker);
        publish(board, &log, 2);
        pin_turn(worker);
        assert_int_equal(a->number, 1);
        assert_int_equal(pin_take(worker)->number, 2);
        pin_give(worker->now);
        pin_give(a);
        assert_int_equal(atomic_load(&log.posts), 0);
        pin_give(b);
        assert_int_equal(atomic_load(&log.posts), 1);
        assert_int_equal(log.retires, 0);
        pin_retire(board);
        assert_int_equal(log.retires, 1);
        assert_int_equal(log.retired[0], 1);
        assert_int_equal(pin_oldest(board), 2);
        pin_leave(worker);
        pin_board_free(board);
}

static void a_generation_that_a_worker_never_used_is_left_at_once(void **state)
{
        struct log log;
        struct pin_board *board = make(&log, 2);
        (void)state;
        publish(board, &log, 1);
        pin_turn(pin_worker(board, 0));
        pin_turn(pin_worker(board, 1));
        publish(board, &log, 2);
        pin_turn(pin_worker(board, 0));
        struct pin *held = pin_take(pin_worker(board, 0));
        publish(board, &log, 3);
        assert_int_equal(pin_alive(board), 3);
        pin_turn(pin_worker(board, 0));
        pin_give(held);
        pin_retire(board);
        assert_int_equal(log.retires, 1);
        assert_int_equal(log.retired[0], 2);
        assert_int_equal(pin_reached(board), 1);
        pin_turn(pin_worker(board, 1));
        pin_retire(board);
        assert_int_equal(pin_reached(board), 3);
        assert_int_equal(pin_alive(board), 1);
        pin_leave(pin_worker(board, 0));
        pin_leave(pin_worker(board, 1));
        pin_board_free(board);
        assert_int_equal(log.retires, 3);
}

static void the_oldest_are_asked_to_drain_when_more_than_sixteen_live(void **state)
{
        struct log log;
        struct pin_board *board = make(&log, 1);
        struct pin_worker *worker = pin_worker(board, 0);
        struct pin *held[PIN_ALIVE_MAX + 2];
        (void)state;
        for (unsigned i = 0; i < countof(held); i++) {
                publish(board, &log, i + 1);
                pin_turn(worker);
                held[i] = pin_take(worker);
        }
        assert_int_equal(pin_alive(board), PIN_ALIVE_MAX + 2);
        assert_int_equal(log.drains, 3);
        assert_int_equal(log.drained[0], 1);
        assert_int_equal(log.drained[1], 1);
        assert_int_equal(log.drained[2], 2);
        for (unsigned i = 0; i < countof(held); i++)
                pin_give(held[i]);
        pin_leave(worker);
        pin_board_free(board);
        assert_int_equal(log.retires, PIN_ALIVE_MAX + 2);
}

static void a_worker_that_has_left_does_not_hold_later_generations(void **state)
{
        struct log log;
        struct pin_board *board = make(&log, 2);
        (void)state;
        publish(board, &log, 1);
        pin_leave(pin_worker(board, 1));
        pin_turn(pin_worker(board, 0));
        publish(board, &log, 2);
        pin_turn(pin_worker(board, 0));
        pin_retire(board);
        assert_int_equal(log.retires, 1);
        assert_int_equal(pin_reached(board), 2);
        pin_leave(pin_worker(board, 0));
        pin_board_free(board);
        assert_int_equal(log.retires, 2);
}

static void leave_while_holding(void *arg)
{
        struct pin_worker *worker = arg;
        pin_take(worker);
        pin_leave(worker);
}

static void leaving_with_a_pin_in_hand_is_a_fault_of_ours(void **state)
{
        struct log log;
        struct pin_board *board = make(&log, 1);
        (void)state;
        publish(board, &log, 1);
        pin_turn(pin_worker(board, 0));
        assert_true(dies(leave_while_holding, pin_worker(board, 0)));
        pin_leave(pin_worker(board, 0));
        pin_board_free(board);
}

/* ---- the storm ---- */

enum { STORM_WORKERS = 4, STORM_SWAPS = 3000, STORM_EXCHANGES = 64, STORM_MAGIC = 0x5ca1ab1e };

struct world {
        uint32_t magic;
        uint32_t number;
};

static _Atomic(bool) is_over;
static _Atomic(unsigned) worlds_alive, worlds_alive_most;
static _Atomic(uint64_t) begun;

static void storm_post(void *arg)
{
        atomic_store((_Atomic(bool) *)arg, true);
}

static void storm_retire(void *arg, void *value, uint64_t number)
{
        struct world *world = value;
        (void)arg;
        assert_int_equal(world->magic, STORM_MAGIC);
        assert_int_equal(world->number, number);
        *world = (struct world){0};
        free(world);
        atomic_fetch_sub(&worlds_alive, 1);
}

/* Ends the exchange in the slot, which must still see the world it began with, or begins one. */
static unsigned storm_step(struct pin_worker *worker, struct pin **slot)
{
        if (*slot == NULL) {
                *slot = pin_take(worker);
                return 1;
        }
        const struct world *world = (*slot)->value;
        if (world->magic != STORM_MAGIC || world->number != (*slot)->number)
                abort();
        pin_give(TAKE(*slot));
        return 0;
}

static void *storm_worker(void *arg)
{
        struct pin_worker *worker = arg;
        struct pin *held[STORM_EXCHANGES] = {NULL};
        uint64_t count = 0;
        while (!atomic_load(&is_over)) {
                for (int i = 0; i < 100 && worker->now != NULL; i++)
                        count += storm_step(worker, &held[rand_below(STORM_EXCHANGES)]);
                pin_turn(worker);
        }
        for (int i = 0; i < STORM_EXCHANGES; i++) {
                if (held[i] != NULL)
                        pin_give(held[i]);
        }
        pin_leave(worker);
        atomic_fetch_add(&begun, count);
        return NULL;
}

static void thousands_of_swaps_under_load_lose_and_leak_nothing(void **state)
{
        static _Atomic(bool) is_posted;
        struct pin_calls calls = {NULL, storm_post, storm_retire, NULL, &is_posted};
        struct pin_board *board = pin_board_make(&calls, STORM_WORKERS);
        pthread_t threads[STORM_WORKERS];
        (void)state;
        for (unsigned i = 0; i < STORM_WORKERS; i++)
                assert_int_equal(
                        pthread_create(&threads[i], NULL, storm_worker, pin_worker(board, i)), 0);
        for (uint32_t n = 1; n <= STORM_SWAPS; n++) {
                struct world *world = malloc(sizeof *world);
                *world = (struct world){STORM_MAGIC, n};
                unsigned alive = atomic_fetch_add(&worlds_alive, 1) + 1;
                if (alive > atomic_load(&worlds_alive_most))
                        atomic_store(&worlds_alive_most, alive);
                assert_int_equal(pin_publish(board, world), n);
                if (n % 8 == 0)
                        usleep(50);
                if (atomic_exchange(&is_posted, false))
                        pin_retire(board);
        }
        atomic_store(&is_over, true);
        for (unsigned i = 0; i < STORM_WORKERS; i++)
                pthread_join(threads[i], NULL);
        pin_board_free(board);
        assert_int_equal(atomic_load(&worlds_alive), 0);
        assert_true(atomic_load(&begun) > 0);
        print_message("# %llu exchanges, at most %u generations alive\n",
                      (unsigned long long)atomic_load(&begun), atomic_load(&worlds_alive_most));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_worker_sees_a_generation_at_its_next_turn_and_not_before),
                cmocka_unit_test(an_exchange_keeps_what_it_began_with_and_the_last_one_retires_it),
                cmocka_unit_test(a_generation_that_a_worker_never_used_is_left_at_once),
                cmocka_unit_test(the_oldest_are_asked_to_drain_when_more_than_sixteen_live),
                cmocka_unit_test(a_worker_that_has_left_does_not_hold_later_generations),
                cmocka_unit_test(leaving_with_a_pin_in_hand_is_a_fault_of_ours),
                cmocka_unit_test(thousands_of_swaps_under_load_lose_and_leak_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
