/* buf.c -- what base/buf.h promises; the last test compares it with a plain array. */
#include "base/buf.h"

#include "../unit.h"
#include "base/rand.h"

enum { MODEL = 40000 };

static int make_pool(void **state)
{
        *state = page_pool_make(256, 8);
        return 0;
}

static int free_pool(void **state)
{
        assert_int_equal(page_pool_in_use(*state), 0);
        page_pool_free(*state);
        return 0;
}

static void it_holds_no_page_when_empty(void **state)
{
        struct buf buf;
        buf_init(&buf, *state, 100);
        assert_int_equal(page_pool_in_use(*state), 0);
        assert_true(buf_add(&buf, "abc", 3));
        assert_int_equal(page_pool_in_use(*state), 1);
        buf_drop(&buf, 3);
        assert_int_equal(page_pool_in_use(*state), 0);
        assert_true(buf_add(&buf, "", 0));
        assert_int_equal(page_pool_in_use(*state), 0);
        assert_int_equal(buf_peek(&buf).len, 0);
}

static void it_takes_all_of_a_piece_or_nothing(void **state)
{
        struct buf buf;
        buf_init(&buf, *state, 5);
        assert_true(buf_add(&buf, "abc", 3));
        assert_false(buf_add(&buf, "def", 3));
        assert_int_equal(buf.len, 3);
        assert_int_equal(buf_room(&buf), 2);
        assert_true(buf_add(&buf, "de", 2));
        assert_int_equal(buf_room(&buf), 0);
        char held[5];
        assert_int_equal(buf_copy(&buf, 0, held, 5), 5);
        assert_memory_equal(held, "abcde", 5);
        buf_fini(&buf);
}

static void a_refused_page_leaves_what_was_there(void **state)
{
        static char large[5 * PAGE_SIZE];
        for (size_t n = 1; n <= 5; n++) {
                struct buf buf;
                buf_init(&buf, *state, 100000);
                assert_true(buf_add(&buf, "head", 4));
                page_pool_fail_at(*state, n);
                assert_false(buf_add(&buf, large, sizeof large));
                page_pool_fail_at(*state, 0);
                assert_int_equal(buf.len, 4);
                assert_int_equal(page_pool_in_use(*state), 1);
                assert_true(buf_add(&buf, "tail", 4));
                char held[8];
                assert_int_equal(buf_copy(&buf, 0, held, sizeof held), 8);
                assert_memory_equal(held, "headtail", 8);
                buf_fini(&buf);
        }
}

static void reserved_room_is_contiguous_and_committed_in_part(void **state)
{
        struct buf buf;
        static const char fill[PAGE_ROOM - 10];
        buf_init(&buf, *state, 10000);
        assert_true(buf_add(&buf, fill, sizeof fill));
        char *place = buf_reserve(&buf, 100);
        assert_non_null(place);
        memset(place, 'x', 100);
        buf_commit(&buf, 60);
        assert_int_equal(buf.len, sizeof fill + 60);
        char held[60];
        assert_int_equal(buf_copy(&buf, sizeof fill, held, 60), 60);
        assert_int_equal(held[0], 'x');
        assert_int_equal(held[59], 'x');
        assert_null(buf_reserve(&buf, PAGE_ROOM + 1));
        buf_drop(&buf, buf.len);
        assert_non_null(buf_reserve(&buf, PAGE_ROOM));
        buf_commit(&buf, 0);
}

static void nothing_is_reserved_over_the_maximum(void **state)
{
        struct buf buf;
        buf_init(&buf, *state, 10);
        assert_null(buf_reserve(&buf, 11));
        assert_non_null(buf_reserve(&buf, 10));
        buf_commit(&buf, 10);
        assert_null(buf_reserve(&buf, 1));
        buf_fini(&buf);
}

static void moving_keeps_the_order(void **state)
{
        struct buf a, b;
        char held[6];
        buf_init(&a, *state, 100);
        buf_init(&b, *state, 100);
        assert_true(buf_add(&a, "abc", 3) && buf_add(&b, "def", 3));
        buf_move(&a, &b);
        assert_int_equal(a.len, 6);
        assert_int_equal(b.len, 0);
        assert_int_equal(buf_copy(&a, 0, held, 6), 6);
        assert_memory_equal(held, "abcdef", 6);
        buf_move(&b, &a);
        assert_int_equal(b.len, 6);
        buf_fini(&b);
        buf_fini(&a);
}

static void compare(const struct buf *buf, const char *model, size_t len)
{
        static char held[MODEL];
        struct iovec iov[64];
        assert_int_equal(buf->len, len);
        assert_int_equal(buf_copy(buf, 0, held, sizeof held), len);
        assert_memory_equal(held, model, len);
        int count = buf_iovec(buf, iov, (int)countof(iov));
        size_t at = 0;
        for (int i = 0; i < count; i++) {
                assert_true(iov[i].iov_len > 0);
                assert_memory_equal(iov[i].iov_base, model + at, iov[i].iov_len);
                at += iov[i].iov_len;
        }
        assert_int_equal(at, len);
}

static size_t fill(struct buf *buf, char *model, size_t len, const char *bytes)
{
        size_t n = rand_below(9000);
        bool fits = n <= buf_room(buf);
        assert_int_equal(buf_add(buf, bytes, n), fits);
        if (!fits)
                return len;
        memcpy(model + len, bytes, n);
        return len + n;
}

static void it_behaves_as_an_array_would(void **state)
{
        static char model[MODEL], bytes[9000];
        struct buf buf;
        size_t len = 0;
        rand_bytes(bytes, sizeof bytes);
        buf_init(&buf, *state, MODEL);
        for (int turn = 0; turn < 3000; turn++) {
                if (rand_below(2) == 0) {
                        len = fill(&buf, model, len, bytes);
                } else {
                        size_t n = rand_below(len + 1);
                        buf_drop(&buf, n);
                        memmove(model, model + n, len - n);
                        len -= n;
                }
                if (turn % 10 == 0)
                        compare(&buf, model, len);
        }
        buf_fini(&buf);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(it_holds_no_page_when_empty, make_pool, free_pool),
                cmocka_unit_test_setup_teardown(it_takes_all_of_a_piece_or_nothing, make_pool,
                                                free_pool),
                cmocka_unit_test_setup_teardown(a_refused_page_leaves_what_was_there, make_pool,
                                                free_pool),
                cmocka_unit_test_setup_teardown(reserved_room_is_contiguous_and_committed_in_part,
                                                make_pool, free_pool),
                cmocka_unit_test_setup_teardown(nothing_is_reserved_over_the_maximum, make_pool,
                                                free_pool),
                cmocka_unit_test_setup_teardown(moving_keeps_the_order, make_pool, free_pool),
                cmocka_unit_test_setup_teardown(it_behaves_as_an_array_would, make_pool, free_pool),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
