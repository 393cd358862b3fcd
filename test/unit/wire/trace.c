/* trace.c -- what the W3C suite for Trace Context asks at its strict level, as far as it can be
 * told from the fields. */
#include "wire/trace.h"

#include "../unit.h"

#define ID     "12345678901234567890123456789012"
#define PARENT "1234567890123456"

static void a_parent_is_read_exactly_or_not_at_all(void **state)
{
        static const char *const good[] = {
                "00-" ID "-" PARENT "-01", "00-" ID "-" PARENT "-00",
                "cc-" ID "-" PARENT "-01", "cc-" ID "-" PARENT "-01-what-the-future-will-be",
                "00-" ID "-" PARENT "-ff", "01-" ID "-" PARENT "-01-",
        };
        static const char *const bad[] = {
                "",
                "00-" ID "-" PARENT "-01.",
                "00-" ID "-" PARENT "-01-what-the-future-will-be-like",
                "cc-" ID "-" PARENT "-01.what-the-future-will-be-like",
                "ff-" ID "-" PARENT "-01",
                ".0-" ID "-" PARENT "-01",
                "0.-" ID "-" PARENT "-01",
                "000-" ID "-" PARENT "-01",
                "0000-" ID "-" PARENT "-01",
                "0-" ID "-" PARENT "-01",
                "00-00000000000000000000000000000000-" PARENT "-01",
                "00-.2345678901234567890123456789012-" PARENT "-01",
                "00-1234567890123456789012345678901.-" PARENT "-01",
                "00-123456789012345678901234567890123-" PARENT "-01",
                "00-1234567890123456789012345678901-" PARENT "-01",
                "00-1234567890123456789012345678901A-" PARENT "-01",
                "00-" ID "-0000000000000000-01",
                "00-" ID "-.234567890123456-01",
                "00-" ID "-123456789012345.-01",
                "00-" ID "-12345678901234567-01",
                "00-" ID "-123456789012345-01",
                "00-" ID "-" PARENT "-.0",
                "00-" ID "-" PARENT "-0.",
                "00-" ID "-" PARENT "-001",
                "00-" ID "-" PARENT "-1",
                "00-" ID "-" PARENT,
                "00_" ID "-" PARENT "-01",
                "00-" ID "_" PARENT "-01",
                "00-" ID "-" PARENT "_01",
        };
        struct trace trace;
        (void)state;
        for (size_t i = 0; i < countof(good); i++) {
                assert_int_equal(trace_read(str_of(good[i]), &trace), ERR_ok);
                assert_int_equal(trace.id[15], 0x12);
                assert_int_equal(trace.parent[0], 0x12);
        }
        for (size_t i = 0; i < countof(bad); i++) {
                if (trace_read(str_of(bad[i]), &trace) == ERR_ok)
                        fail_msg("accepted: %s", bad[i]);
        }
}

static void flags_we_do_not_know_are_cleared(void **state)
{
        char memory[TRACEPARENT_LENGTH];
        struct text text = text_over(memory, sizeof memory);
        struct trace trace;
        (void)state;
        assert_int_equal(trace_read(S("00-" ID "-" PARENT "-ff"), &trace), ERR_ok);
        trace_write(&trace, &text);
        assert_str(text_str(&text), "00-" ID "-" PARENT "-03");
        assert_int_equal(trace_read(S("cc-" ID "-" PARENT "-fe"), &trace), ERR_ok);
        assert_int_equal(trace.flags, 0);
}

/* The fields of a request; lines parted by '|', named as `id`. */
static struct fields lines(struct arena *arena, enum name id, struct str all)
{
        struct fields fields;
        fields_init(&fields, arena, 4);
        while (all.ptr != NULL)
                fields_add_known(&fields, id, str_cut(&all, '|'));
        return fields;
}

static void two_parents_are_none(void **state)
{
        struct arena arena;
        struct trace trace;
        (void)state;
        arena_init(&arena, NULL, 4096);
        struct fields one = lines(&arena, NAME_traceparent, S("00-" ID "-" PARENT "-01"));
        assert_int_equal(trace_of(&one, &trace), ERR_ok);
        struct fields two = lines(&arena, NAME_traceparent,
                                  S("00-" ID "-" PARENT "-01|00-" ID "-" PARENT "-01"));
        assert_int_equal(trace_of(&two, &trace), ERR_syntax);
        struct fields none = lines(&arena, NAME_tracestate, S("foo=1"));
        assert_int_equal(trace_of(&none, &trace), ERR_missing);
        arena_fini(&arena);
}

static void join(const char *all, const char *expected)
{
        struct arena arena;
        char memory[TRACESTATE_MAX];
        struct text text = text_over(memory, sizeof memory);
        arena_init(&arena, NULL, 8192);
        struct fields fields = lines(&arena, NAME_tracestate, str_of(all));
        enum err err = tracestate_join(&fields, &text);
        if (err != (expected == NULL ? ERR_syntax : ERR_ok))
                fail_msg("%s: %s", all, err_text(err));
        if (expected != NULL)
                assert_str(text_str(&text), expected);
        arena_fini(&arena);
}

#define KEY_CHARS   "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
#define VALUE_CHARS " !\"#$%&'()*+-./0123456789:;<>?@ABC[\\]^_`abc{}~"

static void states_are_joined_or_dropped(void **state)
{
        static const char *const same[] = {"foo=1",
                                           "foo=1,bar=2",
                                           KEY_CHARS "=" VALUE_CHARS,
                                           KEY_CHARS "@a-z0-9_-*/=" VALUE_CHARS,
                                           "0a=1",
                                           "foo= 1",
                                           "1@a=2"};
        static const char *const bad[] = {
                "foo=1,foo=1",
                "foo=1,foo=2",
                "foo=1|foo=1",
                "foo=1|foo=2",
                "foo =1",
                "FOO=1",
                "foo.bar=1",
                "foo@=1,bar=2",
                "@foo=1,bar=2",
                "foo@@bar=1,bar=2",
                "foo@bar@baz=1,bar=2",
                "foo=bar=baz",
                "foo=,bar=3",
                "foo",
                "=1",
                "_a=1",
                "foo@1a=1",
                "foo=\x80",
                "foo=a\tb",
        };
        (void)state;
        for (size_t i = 0; i < countof(same); i++)
                join(same[i], same[i]);
        for (size_t i = 0; i < countof(bad); i++)
                join(bad[i], NULL);
        join("", "");
        join("foo=1|", "foo=1");
        join("|foo=1", "foo=1");
        join("foo=1,bar=2|rojo=1,congo=2|baz=3", "foo=1,bar=2,rojo=1,congo=2,baz=3");
        join("foo=1 \t , \t bar=2, \t baz=3", "foo=1,bar=2,baz=3");
        join("\t foo=1 \t,,", "foo=1");
}

static void states_have_limits(void **state)
{
        char memory[4096], small[600];
        struct text text = text_over(memory, sizeof memory);
        (void)state;
        for (unsigned count = 32; count <= 33; count++) {
                text.len = 0;
                for (unsigned i = 0; i < count; i++)
                        text_format(&text, "%sbar%u=%u", i == 0 ? "" : ",", i, i);
                text_char(&text, 0);
                join(memory, count == 32 ? memory : NULL);
        }
        static const struct {
                int tenant, system;
                bool is_good;
        } rows[] = {
                {256, 0, true}, {257, 0, false}, {241, 14, true}, {242, 1, false}, {1, 15, false}};
        for (size_t i = 0; i < countof(rows); i++) {
                text.len = 0;
                text_put(&text, S("foo=1,"));
                memset(text.at + text.len, 'z', (size_t)rows[i].tenant);
                text.len += (size_t)rows[i].tenant;
                if (rows[i].system > 0)
                        text_char(&text, '@');
                memset(text.at + text.len, 'v', (size_t)rows[i].system);
                text.len += (size_t)rows[i].system;
                text_put(&text, S("=1"));
                text_char(&text, 0);
                join(memory, rows[i].is_good ? memory : NULL);
        }
        /* Long members go first, then the last ones. */
        text.len = 0;
        text_format(&text, "a=%0200d,b=%0100d,c=%0200d,d=%0100d,e=%0100d,f=%0100d,g=%0100d", 1, 2,
                    3, 4, 5, 6, 7);
        struct arena arena;
        arena_init(&arena, NULL, 8192);
        struct fields fields = lines(&arena, NAME_tracestate, text_str(&text));
        struct text out = text_over(small, 450);
        assert_int_equal(tracestate_join(&fields, &out), ERR_ok);
        assert_false(out.is_cut);
        struct str rest = text_str(&out);
        static const char kept[] = "bdef";
        for (size_t i = 0; i < sizeof kept - 1; i++)
                assert_int_equal(str_cut(&rest, ',').ptr[0], kept[i]);
        assert_null(rest.ptr);
        arena_fini(&arena);
}

static void request_ids_are_plain(void **state)
{
        char memory[129];
        (void)state;
        memset(memory, 'a', sizeof memory);
        assert_true(request_id_is_good(str_from(memory, 128)));
        assert_false(request_id_is_good(str_from(memory, 129)));
        assert_true(request_id_is_good(S("aZ09._~-")));
        assert_false(request_id_is_good(S("")));
        assert_false(request_id_is_good(S("a b")));
        assert_false(request_id_is_good(S("a\r\nb")));
        assert_false(request_id_is_good(S("a\"")));
        assert_false(request_id_is_good(S("\xc3\xa9")));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_parent_is_read_exactly_or_not_at_all),
                cmocka_unit_test(flags_we_do_not_know_are_cleared),
                cmocka_unit_test(two_parents_are_none),
                cmocka_unit_test(states_are_joined_or_dropped),
                cmocka_unit_test(states_have_limits),
                cmocka_unit_test(request_ids_are_plain),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
