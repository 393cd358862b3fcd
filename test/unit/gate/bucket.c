/* bucket.c -- what gate/bucket.h promises: exact whatever the interleaving of threads, while
 * cells are made and evicted. */
#include <pthread.h>
#include <sched.h>

#include "base/rand.h"
#include "bucket_memory.h"

/* ---- one caller ---- */

static void a_burst_is_admitted_and_then_the_pace(void **state)
{
        struct memory memory = make(100);
        struct bucket_rate rate = rate_of(10, SECOND, 5);
        struct hash128 cell = cell_of(1);
        uint64_t now = 100 * SECOND;
        (void)state;
        for (uint64_t left = 5; left-- > 0;) {
                struct bucket_answer answer = bucket_take(&memory.table, cell, &rate, 1, now);
                assert_true(answer.is_admitted);
                assert_int_equal(answer.remaining, left);
                assert_int_equal(answer.reset_ns, (5 - left) * SECOND / 10);
                assert_int_equal(answer.retry_ns, 0);
        }
        struct bucket_answer answer = bucket_take(&memory.table, cell, &rate, 1, now);
        assert_false(answer.is_admitted);
        assert_int_equal(answer.remaining, 0);
        assert_int_equal(answer.retry_ns, SECOND / 10);
        assert_int_equal(answer.reset_ns, SECOND / 2);
        assert_false(bucket_take(&memory.table, cell, &rate, 1, now + SECOND / 10 - 1).is_admitted);
        assert_true(bucket_take(&memory.table, cell, &rate, 1, now + SECOND / 10).is_admitted);
        assert_false(bucket_take(&memory.table, cell, &rate, 1, now + SECOND / 10).is_admitted);
        assert_true(bucket_take(&memory.table, cell_of(2), &rate, 1, now).is_admitted);
        assert_int_equal(bucket_take(&memory.table, cell, &rate, 0, now + HOUR).remaining, 5);
        drop(&memory);
}

static void asking_takes_nothing_and_makes_no_cell(void **state)
{
        struct memory memory = make(100);
        struct bucket_rate rate = rate_of(100, SECOND, 100);
        (void)state;
        for (int i = 0; i < 10; i++) {
                struct bucket_answer answer = bucket_take(&memory.table, cell_of(1), &rate, 0,
                                                          SECOND);
                assert_true(answer.is_admitted);
                assert_int_equal(answer.remaining, 100);
                assert_int_equal(answer.reset_ns, 0);
        }
        assert_int_equal(bucket_counts(&memory.table).made, 0);
        drop(&memory);
}

static void how_far_a_cell_is_ahead_can_be_read_and_carried_over(void **state)
{
        struct memory memory = make(100);
        struct bucket_rate rate = rate_of(100, 86400 * SECOND, 100);
        (void)state;
        bucket_take(&memory.table, cell_of(1), &rate, 60, SECOND);
        uint64_t ahead = bucket_take(&memory.table, cell_of(1), &bucket_time, 0, SECOND).reset_ns;
        assert_int_equal(ahead, 60 * 864 * SECOND);
        bucket_take(&memory.table, cell_of(2), &bucket_time, ahead, 5 * SECOND);
        assert_int_equal(bucket_take(&memory.table, cell_of(2), &rate, 0, 5 * SECOND).remaining,
                         40);
        drop(&memory);
}

static void a_cost_takes_as_many_units_and_one_over_the_burst_is_always_refused(void **state)
{
        struct memory memory = make(100);
        struct bucket_rate rate = rate_of(100, SECOND, 100);
        (void)state;
        assert_int_equal(bucket_take(&memory.table, cell_of(1), &rate, 60, SECOND).remaining, 40);
        struct bucket_answer answer = bucket_take(&memory.table, cell_of(1), &rate, 60, SECOND);
        assert_false(answer.is_admitted);
        assert_int_equal(answer.remaining, 40);
        assert_int_equal(answer.retry_ns, SECOND / 5);
        static const uint64_t over[] = {101, UINT64_MAX};
        for (unsigned i = 0; i < countof(over); i++) {
                answer = bucket_take(&memory.table, cell_of(2), &rate, over[i], SECOND);
                assert_false(answer.is_admitted);
                assert_true(answer.retry_ns > 0);
        }
        drop(&memory);
}

static void what_is_given_back_can_be_taken_again_and_not_more(void **state)
{
        struct memory memory = make(100);
        struct bucket_rate rate = rate_of(10, SECOND, 10);
        (void)state;
        bucket_give(&memory.table, cell_of(1), &rate, 5, SECOND);
        bucket_take(&memory.table, cell_of(1), &rate, 7, SECOND);
        bucket_give(&memory.table, cell_of(1), &rate, 2, SECOND);
        assert_int_equal(bucket_take(&memory.table, cell_of(1), &rate, 0, SECOND).remaining, 5);
        bucket_give(&memory.table, cell_of(1), &rate, UINT64_MAX, SECOND);
        assert_int_equal(bucket_take(&memory.table, cell_of(1), &rate, 0, SECOND).remaining, 10);
        drop(&memory);
}

static void a_clock_that_goes_back_never_refills_nor_goes_below_nothing(void **state)
{
        struct memory memory = make(100);
        struct bucket_rate rate = rate_of(10, SECOND, 10);
        (void)state;
        for (int i = 0; i < 10; i++)
                bucket_take(&memory.table, cell_of(1), &rate, 1, 1000 * SECOND);
        for (uint64_t back = 1; back < 100; back++) {
                struct bucket_answer answer = bucket_take(&memory.table, cell_of(1), &rate, 1,
                                                          1000 * SECOND - back * SECOND / 100);
                assert_false(answer.is_admitted);
                assert_int_equal(answer.remaining, 0);
                assert_in_range(answer.retry_ns, 1, SECOND);
        }
        assert_int_equal(bucket_take(&memory.table, cell_of(1), &rate, 1, 1001 * SECOND).remaining,
                         9);
        drop(&memory);
}

static void a_limit_made_smaller_locks_nobody_out_for_longer_than_it_takes_to_refill(void **state)
{
        struct memory memory = make(100);
        struct bucket_rate daily = rate_of(1000, 24 * HOUR, 1000), quick = rate_of(10, SECOND, 10);
        uint64_t now = HOUR;
        (void)state;
        bucket_take(&memory.table, cell_of(1), &daily, 1000, now);
        struct bucket_answer answer = bucket_take(&memory.table, cell_of(1), &quick, 1, now);
        assert_false(answer.is_admitted);
        assert_int_equal(answer.retry_ns, SECOND / 10);
        assert_true(
                bucket_take(&memory.table, cell_of(1), &quick, 1, now + SECOND / 10).is_admitted);
        drop(&memory);
}

static void rates_that_make_no_sense_are_refused(void **state)
{
        static const uint64_t bad[][3] = {
                {0, SECOND, 1},
                {1, 0, 1},
                {1, SECOND, 0},
                {SECOND + 1, SECOND, 1},
                {1, 31 * 366 * 24 * HOUR, 1},
                {1, 24 * HOUR, 1000000},
                {1, SECOND, UINT64_MAX},
                {1, UINT64_MAX, UINT64_MAX},
        };
        static const uint64_t good[][3] = {
                {1, 24 * HOUR, 10000},
                {SECOND, SECOND, 1000000},
                {1, 29 * 365 * 24 * HOUR, 1},
        };
        struct bucket_rate rate;
        (void)state;
        for (unsigned i = 0; i < countof(bad); i++)
                assert_int_equal(bucket_rate_make(bad[i][0], bad[i][1], bad[i][2], &rate),
                                 ERR_range);
        for (unsigned i = 0; i < countof(good); i++) {
                struct memory memory = make(10);
                assert_int_equal(bucket_rate_make(good[i][0], good[i][1], good[i][2], &rate),
                                 ERR_ok);
                uint64_t most = rate.burst;
                assert_int_equal(
                        bucket_take(&memory.table, cell_of(1), &rate, most - 1, HOUR).remaining, 1);
                assert_true(bucket_take(&memory.table, cell_of(1), &rate, 1, HOUR).is_admitted);
                assert_false(bucket_take(&memory.table, cell_of(1), &rate, 1, HOUR).is_admitted);
                drop(&memory);
        }
}

static void remaining_is_exact_for_any_interval(void **state)
{
        (void)state;
        for (int i = 0; i < 20000; i++) {
                uint64_t count = 1 + rand_below(rand_below(2) ? 50 : 1000000);
                uint64_t burst = 1 + rand_below(1000);
                struct bucket_rate rate = rate_of(count, 60 * SECOND, burst);
                struct memory memory = {.size = 0};
                static _Alignas(128) char bytes[256 + 128];
                uint64_t take = rand_below(burst + 1);
                memset(bytes, 0, sizeof bytes);
                assert_int_equal(bucket_init(bytes, sizeof bytes), ERR_ok);
                assert_int_equal(bucket_map(bytes, sizeof bytes, &memory.table), ERR_ok);
                struct bucket_answer answer = bucket_take(&memory.table, cell_of(1), &rate, take,
                                                          HOUR);
                assert_true(answer.is_admitted);
                assert_int_equal(answer.remaining, burst - take);
        }
}

/* ---- the table ---- */

static void a_table_is_found_again_with_what_it_holds(void **state)
{
        struct memory memory = make(1000);
        struct bucket_table again;
        struct bucket_rate rate = rate_of(1, HOUR, 3);
        (void)state;
        struct hash_key limit = bucket_limit(&memory.table, S("api/orders/rate_limit"));
        struct hash128 cell = hash_siphash24_128(&limit, "acme", 4);
        bucket_take(&memory.table, cell, &rate, 2, SECOND);
        assert_int_equal(bucket_map(memory.at, memory.size, &again), ERR_ok);
        struct hash_key other = bucket_limit(&again, S("api/orders/rate_limit"));
        assert_memory_equal(&limit, &other, sizeof limit);
        assert_int_equal(bucket_take(&again, cell, &rate, 0, SECOND).remaining, 1);
        assert_int_equal(bucket_used(&again, SECOND), 1);
        assert_int_equal(bucket_used(&again, 10 * HOUR), 0);
        drop(&memory);
}

static void memory_that_is_no_table_is_refused(void **state)
{
        struct memory memory = make(1000);
        struct bucket_table table;
        static _Alignas(128) char zero[4096];
        (void)state;
        assert_int_equal(bucket_map(zero, sizeof zero, &table), ERR_version);
        assert_int_equal(bucket_map(memory.at, memory.size - 128, &table), ERR_range);
        assert_int_equal(bucket_map(memory.at, 10, &table), ERR_range);
        assert_int_equal(bucket_map((char *)memory.at + 64, memory.size - 64, &table), ERR_range);
        assert_int_equal(bucket_init(zero, 256), ERR_range);
        ((char *)memory.at)[8]++;
        assert_int_equal(bucket_map(memory.at, memory.size, &table), ERR_version);
        drop(&memory);
}

static void what_says_nothing_any_more_goes_first_then_what_will_soonest(void **state)
{
        struct memory memory = make_tiny();
        struct bucket_rate rate = rate_of(1, SECOND, 100);
        uint64_t now = HOUR;
        (void)state;
        /* Cell n is full again in n + 1 seconds. */
        for (uint64_t n = 0; n < 8; n++)
                bucket_take(&memory.table, cell_of(n), &rate, n + 1, now);
        bucket_take(&memory.table, cell_of(100), &rate, 50, now);
        assert_int_equal(bucket_counts(&memory.table).evicted, 1);
        assert_int_equal(bucket_take(&memory.table, cell_of(0), &rate, 0, now).remaining, 100);
        for (uint64_t n = 1; n < 8; n++)
                assert_int_equal(bucket_take(&memory.table, cell_of(n), &rate, 0, now).remaining,
                                 99 - n);
        /* Four seconds later those of two and three seconds are over and may go uncounted. */
        bucket_take(&memory.table, cell_of(101), &rate, 50, now + 4 * SECOND);
        bucket_take(&memory.table, cell_of(102), &rate, 50, now + 4 * SECOND);
        assert_int_equal(bucket_counts(&memory.table).evicted, 1);
        for (uint64_t n = 4; n < 8; n++)
                assert_int_equal(bucket_take(&memory.table, cell_of(n), &rate, 0, now).remaining,
                                 99 - n);
        drop(&memory);
}

/* Row 226: ten million keys, memory stays what it is. */
static void a_flood_of_keys_is_bounded_and_seldom_evicts_who_is_busy(void **state)
{
        struct memory memory = make(10000);
        struct bucket_rate rate = rate_of(100, 60 * SECOND, 100);
        uint64_t lost = 0;
        (void)state;
        for (uint64_t n = 0; n < 1000; n++)
                bucket_take(&memory.table, cell_of(n), &rate, 80, HOUR);
        for (uint64_t n = 0; n < 1000000; n++)
                bucket_take(&memory.table, cell_of(1000000 + n), &rate, 1, HOUR + n);
        for (uint64_t n = 0; n < 1000; n++)
                lost += bucket_take(&memory.table, cell_of(n), &rate, 0, HOUR).remaining > 20;
        assert_int_equal(lost, 0);
        assert_true(bucket_counts(&memory.table).evicted > 900000);
        assert_in_range(bucket_counts(&memory.table).cells, 10000, 16000);
        drop(&memory);
}

static void as_many_keys_as_the_limit_says_fit_nearly_without_loss(void **state)
{
        enum { KEYS = 100000 };
        struct memory memory = make(KEYS);
        struct bucket_rate rate = rate_of(100, HOUR, 100);
        (void)state;
        for (uint64_t n = 0; n < KEYS; n++)
                bucket_take(&memory.table, cell_of(n), &rate, 1, HOUR);
        assert_in_range(bucket_counts(&memory.table).evicted, 0, KEYS / 25);
        assert_int_equal(bucket_used(&memory.table, HOUR),
                         KEYS - bucket_counts(&memory.table).evicted);
        drop(&memory);
}

/* ---- many at once ---- */

enum { THREADS = 8 };

static void run_crowd(struct crowd *crowd)
{
        pthread_t threads[THREADS];
        for (unsigned i = 0; i < THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, take_some, crowd), 0);
        for (unsigned i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
}

static void a_thousand_of_many_are_admitted_whatever_the_interleaving(void **state)
{
        struct memory memory = make(100);
        (void)state;
        for (uint64_t round = 0; round < 20; round++) {
                _Atomic(unsigned) admitted = 0;
                struct crowd crowd = {.table = &memory.table,
                                      .rate = rate_of(1000, HOUR, 1000),
                                      .tries = round % 2 == 0 ? 126 : 2000,
                                      .cells = 1,
                                      .admitted = &admitted,
                                      .seed = round * 1000};
                run_crowd(&crowd);
                assert_int_equal(atomic_load(&admitted), 1000);
        }
        drop(&memory);
}

/* Two threads make the same cell at the same moment, and as their clocks differ by half a second
 * they take different cells of the full set for expired ones. */
struct race {
        struct memory *memory;
        struct bucket_rate rate;
        _Atomic(unsigned) *ready, *admitted;
        unsigned rounds;
        uint64_t late;
};

static void await(_Atomic(unsigned) *count, unsigned wanted)
{
        atomic_fetch_add(count, 1);
        while (atomic_load_explicit(count, memory_order_acquire) < wanted)
                sched_yield();
}

/* Cells that are expired for both, but the first for the one who is ahead only. */
static void fill_with_expired(struct memory *memory, uint64_t now)
{
        struct duo *cells = (struct duo *)(void *)((char *)memory->at + 256);
        for (unsigned i = 0; i < 8; i++) {
                struct duo held = {duo_lo(&cells[i]), duo_hi(&cells[i])};
                while (!duo_swap(&cells[i], &held,
                                 (struct duo){i + 1, i == 0 ? now - SECOND : 1})) {
                }
        }
}

static void *race_to_make(void *arg)
{
        const struct race *race = arg;
        for (unsigned round = 0; round < race->rounds; round++) {
                uint64_t now = HOUR * (round + 1);
                if (race->late == 0)
                        fill_with_expired(race->memory, now);
                await(&race->ready[round], 2);
                unsigned got = 0;
                for (int i = 0; i < 3; i++)
                        got += bucket_take(&race->memory->table, cell_of(round), &race->rate, 1,
                                           now - race->late)
                                       .is_admitted;
                atomic_fetch_add(&race->admitted[round], got);
                await(&race->ready[round], 4);
        }
        return NULL;
}

static void a_cell_made_by_two_at_once_is_exact(void **state)
{
        enum { ROUNDS = 50000 };
        static _Atomic(unsigned) ready[ROUNDS], admitted[ROUNDS];
        struct memory memory = make_tiny();
        struct race races[2];
        pthread_t threads[2];
        struct bucket_rate rate = rate_of(4, HOUR, 4);
        (void)state;
        rate.tolerance_ns += SECOND; /* so that the clocks' difference refuses nobody */
        for (unsigned i = 0; i < 2; i++) {
                races[i] = (struct race){&memory, rate, ready, admitted, ROUNDS, i * SECOND / 2};
                assert_int_equal(pthread_create(&threads[i], NULL, race_to_make, &races[i]), 0);
        }
        for (unsigned i = 0; i < 2; i++)
                pthread_join(threads[i], NULL);
        for (unsigned i = 0; i < ROUNDS; i++)
                assert_int_equal(atomic_load(&admitted[i]), 4);
        assert_int_equal(bucket_counts(&memory.table).evicted, 0);
        drop(&memory);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_burst_is_admitted_and_then_the_pace),
                cmocka_unit_test(asking_takes_nothing_and_makes_no_cell),
                cmocka_unit_test(how_far_a_cell_is_ahead_can_be_read_and_carried_over),
                cmocka_unit_test(
                        a_cost_takes_as_many_units_and_one_over_the_burst_is_always_refused),
                cmocka_unit_test(what_is_given_back_can_be_taken_again_and_not_more),
                cmocka_unit_test(a_clock_that_goes_back_never_refills_nor_goes_below_nothing),
                cmocka_unit_test(
                        a_limit_made_smaller_locks_nobody_out_for_longer_than_it_takes_to_refill),
                cmocka_unit_test(rates_that_make_no_sense_are_refused),
                cmocka_unit_test(remaining_is_exact_for_any_interval),
                cmocka_unit_test(a_table_is_found_again_with_what_it_holds),
                cmocka_unit_test(memory_that_is_no_table_is_refused),
                cmocka_unit_test(what_says_nothing_any_more_goes_first_then_what_will_soonest),
                cmocka_unit_test(a_flood_of_keys_is_bounded_and_seldom_evicts_who_is_busy),
                cmocka_unit_test(as_many_keys_as_the_limit_says_fit_nearly_without_loss),
                cmocka_unit_test(a_thousand_of_many_are_admitted_whatever_the_interleaving),
                cmocka_unit_test(a_cell_made_by_two_at_once_is_exact),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
