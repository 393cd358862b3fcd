/* ring.c -- what io/ring.h promises; the last tests put two threads on a ring. */
#include "io/ring.h"

#include <pthread.h>

#include "../unit.h"
#include "base/rand.h"

enum { SIZE = 8192, MANY = 400000 };

static struct ring *ring;

static int begin(void **state)
{
        (void)state;
        ring = ring_make(SIZE);
        return 0;
}

static int end(void **state)
{
        (void)state;
        ring_free(ring);
        return 0;
}

static void messages_come_out_as_they_went_in(void **state)
{
        (void)state;
        struct ring_message message;
        assert_false(ring_next(ring, &message));
        assert_true(ring_put(ring, 1, "one", 3));
        assert_true(ring_put(ring, 2, "", 0));
        assert_true(ring_put(ring, 3, "three", 5));
        static const char *const texts[] = {"one", "", "three"};
        for (uint32_t i = 0; i < 3; i++) {
                assert_true(ring_next(ring, &message));
                assert_int_equal(message.kind, i + 1);
                assert_str(str_from((char *)message.bytes.ptr, message.bytes.len), texts[i]);
                assert_int_equal((uintptr_t)message.bytes.ptr % 8, 0);
        }
        assert_false(ring_next(ring, &message));
        assert_true(ring_used(ring) > 0);
        ring_release(ring);
        assert_int_equal(ring_used(ring), 0);
}

static void what_is_reserved_and_not_committed_is_not_there(void **state)
{
        (void)state;
        struct ring_message message;
        assert_non_null(ring_reserve(ring, 100));
        assert_false(ring_next(ring, &message));
        char *place = ring_reserve(ring, 100);
        assert_non_null(place);
        memcpy(place, "short", 5);
        ring_commit(ring, 9, 5);
        assert_true(ring_next(ring, &message));
        assert_int_equal(message.bytes.len, 5);
        assert_false(ring_next(ring, &message));
}

static void what_does_not_fit_is_dropped_and_counted(void **state)
{
        (void)state;
        static const char bytes[1000];
        struct ring_message message;
        unsigned taken = 0;
        while (ring_put(ring, 1, bytes, sizeof bytes))
                taken++;
        assert_int_equal(taken, SIZE / 1008);
        assert_int_equal(ring_dropped(ring), 1);
        assert_false(ring_put(ring, 1, bytes, sizeof bytes));
        assert_int_equal(ring_dropped(ring), 2);
        assert_true(ring_next(ring, &message));
        assert_false(ring_put(ring, 1, bytes, sizeof bytes)); /* read, but still in hand */
        ring_release(ring);
        while (ring_next(ring, &message)) {
        }
        ring_release(ring);
        assert_true(ring_put(ring, 1, bytes, sizeof bytes));
        assert_int_equal(ring_dropped(ring), 3);
}

static void what_was_not_read_yet_is_not_given_back(void **state)
{
        (void)state;
        struct ring_message message;
        uint8_t bytes[1000];
        for (unsigned i = 0; i < 8; i++) {
                memset(bytes, (int)i, sizeof bytes);
                assert_true(ring_put(ring, i, bytes, sizeof bytes));
        }
        assert_true(ring_next(ring, &message));
        ring_release(ring);
        memset(bytes, 0xff, sizeof bytes);
        while (ring_put(ring, 99, bytes, sizeof bytes)) {
        }
        for (unsigned i = 1; i < 8; i++) {
                assert_true(ring_next(ring, &message));
                assert_int_equal(message.kind, i);
                memset(bytes, (int)i, sizeof bytes);
                assert_memory_equal(message.bytes.ptr, bytes, sizeof bytes);
        }
}

static void a_message_longer_than_a_quarter_is_dropped(void **state)
{
        (void)state;
        static const char bytes[SIZE];
        assert_int_equal(ring_message_max(ring), SIZE / 4);
        assert_true(ring_put(ring, 1, bytes, SIZE / 4));
        assert_false(ring_put(ring, 1, bytes, SIZE / 4 + 1));
        assert_null(ring_reserve(ring, SIZE_MAX - 100));
        assert_int_equal(ring_dropped(ring), 2);
}

static void commit_more(void *arg)
{
        ring_reserve(arg, 8);
        ring_commit(arg, 1, 17);
}

static void commit_twice(void *arg)
{
        ring_reserve(arg, 8);
        ring_commit(arg, 1, 8);
        ring_commit(arg, 1, 8);
}

static void committing_what_was_not_reserved_is_our_bug(void **state)
{
        (void)state;
        assert_true(dies(commit_more, ring));
        assert_true(dies(commit_twice, ring));
}

/* Every length and every place in the ring, the seam included. */
static void every_message_is_in_one_piece(void **state)
{
        (void)state;
        uint8_t bytes[SIZE / 4];
        struct ring_message message;
        for (int i = 0; i < 20000; i++) {
                size_t len = rand_below(i % 2 == 0 ? 64 : sizeof bytes + 1);
                memset(bytes, i, len);
                uint8_t *place = ring_reserve(ring, size_min(len + rand_below(100), SIZE / 4));
                assert_non_null(place);
                assert_true(place + len <= ring->bytes + SIZE);
                memcpy(place, bytes, len);
                ring_commit(ring, (uint32_t)i, len);
                assert_true(ring_next(ring, &message));
                assert_int_equal(message.kind, i);
                assert_int_equal(message.bytes.len, len);
                assert_memory_equal(message.bytes.ptr, bytes, len);
                ring_release(ring);
        }
        assert_int_equal(ring_dropped(ring), 0);
}

static _Atomic unsigned written;

static void *write_many(void *arg)
{
        uint32_t words[64];
        (void)arg;
        for (uint32_t i = 0; i < MANY; i++) {
                size_t count = 1 + i % 61;
                for (size_t k = 0; k < count; k++)
                        words[k] = i;
                if (ring_put(ring, i, words, count * sizeof words[0]))
                        atomic_fetch_add_explicit(&written, 1, memory_order_relaxed);
        }
        return NULL;
}

static bool is_whole(const struct ring_message *message)
{
        size_t count = message->bytes.len / sizeof(uint32_t);
        const uint32_t *words = (const uint32_t *)(void *)message->bytes.ptr;
        if (count != 1 + message->kind % 61)
                return false;
        for (size_t i = 0; i < count; i++) {
                if (words[i] != message->kind)
                        return false;
        }
        return true;
}

static void two_threads_lose_nothing_but_what_is_counted(void **state)
{
        (void)state;
        pthread_t writer;
        struct ring_message message;
        unsigned read = 0;
        int64_t last = -1;
        bool is_broken = false, is_over = false;
        assert_int_equal(pthread_create(&writer, NULL, write_many, NULL), 0);
        while (!is_over) {
                is_over = atomic_load(&written) + ring_dropped(ring) == MANY;
                while (ring_next(ring, &message)) {
                        is_broken |= !is_whole(&message) || (int64_t)message.kind <= last;
                        last = message.kind;
                        read++;
                        if (read % 7 == 0)
                                ring_release(ring);
                }
                ring_release(ring);
        }
        pthread_join(writer, NULL);
        assert_false(is_broken);
        assert_int_equal(read, atomic_load(&written));
        assert_int_equal(read + ring_dropped(ring), MANY);
        assert_int_equal(ring_used(ring), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(messages_come_out_as_they_went_in),
                TEST(what_is_reserved_and_not_committed_is_not_there),
                TEST(what_does_not_fit_is_dropped_and_counted),
                TEST(what_was_not_read_yet_is_not_given_back),
                TEST(a_message_longer_than_a_quarter_is_dropped),
                TEST(committing_what_was_not_reserved_is_our_bug),
                TEST(every_message_is_in_one_piece),
                TEST(two_threads_lose_nothing_but_what_is_counted),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
