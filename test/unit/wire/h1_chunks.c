/* h1_chunks.c -- chunked bodies of security.md rows 25 to 33: exactly what they carry, or refused;
 * the same in one piece, in two, and byte by byte. */
#include <stdlib.h>

#include "../unit.h"
#include "wire/h1.h"

enum { EXTENSIONS_MAX = 32, ROOM = 65536 };

struct reading {
        enum h1_state state;
        size_t used, len;
        bool is_first_read;
        char data[ROOM];
};

/* Reads pieces that end at `first` and every `step` bytes behind it. */
static void read_cut(struct reading *r, struct str bytes, size_t first, size_t step)
{
        struct h1_chunks chunks;
        size_t end = first;
        h1_chunks_begin(&chunks, EXTENSIONS_MAX);
        r->state = H1_MORE;
        r->used = r->len = 0;
        while (r->state == H1_MORE && r->used < bytes.len) {
                while (end <= r->used)
                        end = size_min(end + step, bytes.len);
                struct str data, in = str_from(bytes.ptr + r->used, end - r->used);
                size_t used;
                r->state = h1_chunks_read(&chunks, in, &used, &data);
                assert_true(r->len + data.len <= ROOM && used <= in.len);
                if (data.len > 0)
                        memcpy(r->data + r->len, data.ptr, data.len);
                r->len += data.len;
                r->used += used;
        }
        r->is_first_read = chunks.is_first_read;
}

static void same(const struct reading *a, const struct reading *b, struct str bytes)
{
        bool is_same = a->state == b->state && a->len == b->len && a->used == b->used &&
                       a->is_first_read == b->is_first_read &&
                       memcmp(a->data, b->data, a->len) == 0;
        if (!is_same)
                fail_msg("cuts change the answer: " STR_FMT, STR_ARG(bytes));
}

static struct reading *read_body(struct str bytes)
{
        static struct reading whole, cut;
        read_cut(&whole, bytes, bytes.len, 1);
        for (size_t at = 0; at < bytes.len; at++) {
                read_cut(&cut, bytes, at, bytes.len);
                same(&whole, &cut, bytes);
        }
        read_cut(&cut, bytes, 0, 1);
        same(&whole, &cut, bytes);
        return &whole;
}

static void good_chunks_are_taken_apart(void **state)
{
        static const char *const rows[][2] = {
                {"5\r\nhello\r\n0\r\n", "hello"},
                {"5\r\nhello\r\n6\r\n world\r\n0\r\n", "hello world"},
                {"0\r\n", ""},
                {"000\r\n", ""},
                {"00000005\r\nhello\r\n0\r\n", "hello"},
                {"a\r\n0123456789\r\n0\r\n", "0123456789"},
                {"A\r\n0123456789\r\n0\r\n", "0123456789"},
                {"5;a=b\r\nhello\r\n0\r\n", "hello"},
                {"5;a=\"b;c\"\r\nhello\r\n0\r\n", "hello"},
                {"5;a=\"\\\"\\\\\"\r\nhello\r\n0\r\n", "hello"},
                {"5;a\r\nhello\r\n0;b;c=d\r\n", "hello"},
                {"5;a=\"\"\r\n\r\n\r\n\n\r\n0\r\n", "\r\n\r\n\n"},
        };
        (void)state;
        for (size_t i = 0; i < countof(rows); i++) {
                struct reading *r = read_body(str_of(rows[i][0]));
                if (r->state != H1_DONE)
                        fail_msg("not accepted: %s", rows[i][0]);
                assert_str(str_from(r->data, r->len), rows[i][1]);
                assert_int_equal(r->used, strlen(rows[i][0]));
                assert_true(r->is_first_read);
        }
}

static const struct str refused[] = {
        /* row 25 */
        S_INIT("0x5\r\nhello\r\n"),
        S_INIT("+5\r\nhello\r\n"),
        S_INIT("-5\r\nhello\r\n"),
        S_INIT("5_\r\nhello\r\n"),
        S_INIT(" 5\r\nhello\r\n"),
        S_INIT("5 \r\nhello\r\n"),
        S_INIT("5\t\r\nhello\r\n"),
        S_INIT("g\r\n"),
        S_INIT("\r\nhello\r\n"),
        S_INIT("0_2e\r\n"),
        S_INIT("Z\r\n"),
        S_INIT(";a=b\r\n"),
        /* row 26 */
        S_INIT("FFFFFFFFFFFFFFFF0\r\n"),
        S_INIT("10000000000000005\r\nhello\r\n"),
        S_INIT("8000000000000000\r\n"),
        S_INIT("00000000000000005\r\nhello\r\n"),
        /* row 28 */
        S_INIT("5;\nhello\r\n"),
        S_INIT("5\r;x\r\n"),
        S_INIT("2\r\r;a\r\n"),
        S_INIT("5;a\rX\r\n"),
        S_INIT("5;a=\0\r\n"),
        S_INIT("41;a=b\r\rXX"),
        S_INIT("5;\r\nhello\r\n"),
        S_INIT("5;a=\r\nhello\r\n"),
        S_INIT("5;a=\"b\r\nhello\r\n"),
        S_INIT("5;a=\"b\"c\r\nhello"),
        S_INIT("5;a b\r\nhello\r\n"),
        S_INIT("5 ;a\r\nhello\r\n"),
        S_INIT("5; a\r\nhello\r\n"),
        S_INIT("5;=b\r\nhello\r\n"),
        S_INIT("5;a=\"\\\x01\"\r\nhello\r\n"),
        S_INIT("5;0123456789012345678901234567890123=a\r\nhello\r\n"),
        S_INIT("1;0123456789\r\na\r\n1;0123456789\r\na\r\n1;01234567890\r\na\r\n"),
        /* rows 30, 31 */
        S_INIT("5\r\nhelloXX"),
        S_INIT("5\r\nhello\n"),
        S_INIT("5\r\nhello\rX"),
        S_INIT("a\r\n0123456789\n0\r\n"),
        S_INIT("5\nhello\r\n0\r\n"),
        /* rows 32, 33 */
        S_INIT("0X\r\n"),
        S_INIT("0\rX"),
        S_INIT("0\n"),
        S_INIT("INVALID!!!\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
};

static void other_chunks_are_refused(void **state)
{
        (void)state;
        for (size_t i = 0; i < countof(refused); i++) {
                if (read_body(refused[i])->state != H1_BAD)
                        fail_msg("accepted: " STR_FMT, STR_ARG(refused[i]));
        }
        char zeros[1003];
        memset(zeros, '0', 1000);
        memcpy(zeros + 1000, "5\r\n", 3);
        assert_int_equal(read_body(str_from(zeros, sizeof zeros))->state, H1_BAD);
}

static void the_largest_size_does_not_wrap(void **state)
{
        struct h1_chunks chunks;
        struct str data;
        size_t used;
        (void)state;
        h1_chunks_begin(&chunks, 0);
        assert_int_equal(h1_chunks_read(&chunks, S("7fffffffffffffff\r\nab"), &used, &data),
                         H1_MORE);
        assert_int_equal(data.len, 2);
        assert_true(chunks.left == INT64_MAX - 2);
}

static void the_first_line_is_known_to_be_good(void **state)
{
        (void)state;
        assert_false(read_body(S("5;a=b"))->is_first_read);
        assert_true(read_body(S("5;a=b\r\n"))->is_first_read);
        assert_int_equal(read_body(S("5;a=b\r\n"))->state, H1_MORE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good_chunks_are_taken_apart),
                cmocka_unit_test(other_chunks_are_refused),
                cmocka_unit_test(the_largest_size_does_not_wrap),
                cmocka_unit_test(the_first_line_is_known_to_be_good),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
