/* spool.c -- what io/spool.h promises: in the simulated world for time, with threads for the rest.
 */
#include "io/spool.h"

#include "../unit.h"

#include <pthread.h>

#include "io/sim.h"

#define MS  1000000ull
#define SEC (1000 * MS)

enum { RINGS = 4, MANY = 100000 };

static struct sim *sim;
static struct loop *loop;
static struct spool spool;
static struct ring *rings[RINGS];
static uint32_t next[RINGS];
static uint64_t seen;
static bool is_disordered;

static void see(void *owner, const struct ring_message *message)
{
        uint32_t number;
        assert_ptr_equal(owner, &spool);
        assert_int_equal(message->bytes.len, sizeof number);
        memcpy(&number, message->bytes.ptr, sizeof number);
        is_disordered |= number < next[message->kind];
        next[message->kind] = number + 1;
        seen++;
}

static int begin(void **state)
{
        (void)state;
        sim = sim_make(1);
        loop = loop_make(&driver_sim, 1024);
        spool_init(&spool, loop, see, &spool);
        for (unsigned i = 0; i < RINGS; i++) {
                rings[i] = ring_make(64 * 1024);
                spool_add_ring(&spool, rings[i]);
                next[i] = 0;
        }
        seen = 0;
        is_disordered = false;
        return 0;
}

static int end(void **state)
{
        (void)state;
        spool_fini(&spool);
        for (unsigned i = 0; i < RINGS; i++)
                ring_free(rings[i]);
        loop_free(loop);
        sim_free(sim);
        return 0;
}

static bool put(uint32_t ring, uint32_t number)
{
        return ring_put(rings[ring], ring, &number, sizeof number);
}

static unsigned run_for(uint64_t time)
{
        uint64_t until = sim_now(sim) + time;
        unsigned turns = 0;
        for (; sim_now(sim) < until; turns++)
                loop_turn(loop, until - sim_now(sim));
        return turns;
}

static void messages_are_found_without_waking_anybody(void **state)
{
        (void)state;
        run_for(10 * SEC);
        for (uint32_t i = 0; i < 100; i++)
                assert_true(put(i % RINGS, i));
        run_for(200 * MS);
        assert_int_equal(seen, 100);
        assert_false(is_disordered);
        assert_int_equal(ring_used(rings[0]), 0);
}

static void with_nothing_to_do_it_looks_seldom(void **state)
{
        (void)state;
        run_for(SEC);
        assert_true(run_for(10 * SEC) < 200);
}

static void with_much_to_do_it_looks_often(void **state)
{
        (void)state;
        run_for(10 * SEC);
        uint32_t number = 0;
        uint64_t dropped = 0;
        for (uint64_t until = sim_now(sim) + 5 * SEC; sim_now(sim) < until;) {
                for (int i = 0; i < 300; i++) /* 300,000 a second: 24 bytes each */
                        dropped += !put(0, number++);
                loop_turn(loop, MS);
        }
        /* It looked seldom when it began, and was called. */
        assert_int_equal(dropped, 0);
        assert_true(spool.calls > 0);
        run_for(SEC);
        assert_int_equal(seen, number);
        assert_false(is_disordered);
}

static void one_flooded_ring_does_not_hold_up_the_others(void **state)
{
        (void)state;
        for (uint32_t i = 0; put(0, i); i++) {
        }
        assert_true(put(1, 0));
        assert_true(spool_turn(&spool));
        assert_int_equal(next[1], 1);
}

static void what_a_removed_ring_held_and_lost_is_not_forgotten(void **state)
{
        (void)state;
        unsigned taken = 0;
        while (put(2, taken))
                taken++;
        spool_remove_ring(&spool, rings[2]);
        assert_int_equal(seen, taken);
        assert_int_equal(spool_dropped(&spool), 1);
        spool_add_ring(&spool, rings[2]);
}

static void what_is_there_at_the_end_is_seen(void **state)
{
        (void)state;
        for (uint32_t i = 0; i < 2000; i++)
                assert_true(put(3, i));
        spool_fini(&spool);
        assert_int_equal(seen, 2000);
}

static void *write_many(void *arg)
{
        uint32_t ring = *(uint32_t *)arg;
        for (uint32_t i = 0; i < MANY; i++)
                put(ring, i);
        return NULL;
}

static void lines_of_all_threads_reach_the_outlet_or_are_counted(void **state)
{
        (void)state;
        pthread_t threads[RINGS];
        uint32_t numbers[RINGS];
        for (uint32_t i = 0; i < RINGS; i++) {
                numbers[i] = i;
                assert_int_equal(pthread_create(&threads[i], NULL, write_many, &numbers[i]), 0);
        }
        while (seen + spool_dropped(&spool) < RINGS * MANY)
                spool_turn(&spool);
        for (uint32_t i = 0; i < RINGS; i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(seen + spool_dropped(&spool), RINGS * MANY);
        assert_false(is_disordered);
}

static struct outlet outlet;

static void write_line(void *owner, const struct ring_message *message)
{
        (void)owner;
        outlet_put(&outlet, str_from((char *)message->bytes.ptr, message->bytes.len));
}

static void what_becomes_a_line_is_written(void **state)
{
        (void)state;
        int ends[2];
        char text[64];
        assert_int_equal(pipe(ends), 0);
        spool_fini(&spool);
        spool_init(&spool, loop, write_line, NULL);
        spool_add_ring(&spool, rings[0]);
        outlet_open_fd(&outlet, loop, ends[1]);
        spool_add_outlet(&spool, &outlet);
        assert_true(ring_put(rings[0], 1, "hello\n", 6));
        run_for(SEC);
        assert_int_equal(read(ends[0], text, sizeof text), 6);
        spool_reopen(&spool);
        spool_remove_outlet(&spool, &outlet);
        outlet_close(&outlet);
        close(ends[0]), close(ends[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(messages_are_found_without_waking_anybody),
                TEST(with_nothing_to_do_it_looks_seldom),
                TEST(with_much_to_do_it_looks_often),
                TEST(one_flooded_ring_does_not_hold_up_the_others),
                TEST(what_a_removed_ring_held_and_lost_is_not_forgotten),
                TEST(what_is_there_at_the_end_is_seen),
                TEST(lines_of_all_threads_reach_the_outlet_or_are_counted),
                TEST(what_becomes_a_line_is_written),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
