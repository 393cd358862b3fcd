/* show.c -- what cmd/show.h promises: quantities of three digits, tables that stand straight, and
 * nothing from outside that moves a cursor. */
#include "cmd/show.h"

#include "../unit.h"

static struct arena arena;

static int begin(void **state)
{
        (void)state;
        arena_init(&arena, NULL, 16 << 20);
        return 0;
}

static int end(void **state)
{
        (void)state;
        arena_fini(&arena);
        return 0;
}

static void shows(void (*fn)(struct text *out, uint64_t value), uint64_t value, const char *text)
{
        char memory[64];
        struct text out = text_over(memory, sizeof memory);
        fn(&out, value);
        assert_str(text_str(&out), text);
}

static void durations_have_three_digits(void **state)
{
        (void)state;
        shows(show_ns, 0, "0");
        shows(show_ns, 800, "0.8 us");
        shows(show_ns, 12345, "12.3 us");
        shows(show_ns, 850000, "850 us");
        shows(show_ns, 1234567, "1.23 ms");
        shows(show_ns, 1235567, "1.24 ms");
        shows(show_ns, 12000000000, "12 s");
}

static void spans_have_two_units(void **state)
{
        (void)state;
        shows(show_seconds, 0, "0 s");
        shows(show_seconds, 59, "59 s");
        shows(show_seconds, 60, "1 min");
        shows(show_seconds, 303, "5 min 3 s");
        shows(show_seconds, 3600 * 3 + 60 * 12 + 5, "3 h 12 min");
        shows(show_seconds, 86400 * 4 + 3600 * 2, "4 d 2 h");
        shows(show_seconds, 86400 * 1000, "1000 d");
}

static void sizes_and_numbers_are_short(void **state)
{
        (void)state;
        shows(show_bytes, 0, "0 B");
        shows(show_bytes, 1023, "1023 B");
        shows(show_bytes, 1536, "1.5 KiB");
        shows(show_bytes, 36 << 20, "36 MiB");
        shows(show_bytes, UINT64_MAX, "16777215 TiB");
        shows(show_number, 9999, "9999");
        shows(show_number, 12345, "12.3k");
        shows(show_number, 4560000, "4.56M");
        shows(show_number, 7000000000, "7G");
        shows(show_milli, 400, "0.4");
        shows(show_milli, 12345, "12.3");
        shows(show_milli, 1234567, "1234");
}

static void controls_do_not_reach_a_terminal(void **state)
{
        char memory[64];
        struct text out = text_over(memory, sizeof memory);
        (void)state;
        show_text(&out, S("a\x1b[2Jb\xc2\x9bm\r\n\x7f\xff\xc3\xa9"), SIZE_MAX);
        assert_str(text_str(&out), "a?[2Jb?m???\?\xc3\xa9");
        out.len = 0;
        show_text(&out, S("abcdefgh"), 4);
        assert_str(text_str(&out), "abc…");
        out.len = 0;
        show_text(&out, S("abcd"), 4);
        assert_str(text_str(&out), "abcd");
}

static void widths_do_not_count_colors(void **state)
{
        (void)state;
        assert_int_equal(show_width(S("\x1b[1;31mab\x1b[0mé…")), 4);
}

static void numbers_of_documents_are_scaled(void **state)
{
        const struct json *root;
        struct json_trouble trouble;
        (void)state;
        assert_int_equal(json_read(S("{\"a\":0.0021,\"b\":12,\"c\":\"x\",\"d\":1.23456789,"
                                     "\"e\":99999999999999999999999}"),
                                   NULL, &arena, &root, &trouble),
                         ERR_ok);
        assert_int_equal(show_scaled(root, "a", 9), 2100000);
        assert_int_equal(show_scaled(root, "a", 3), 2);
        assert_int_equal(show_u64(root, "b"), 12);
        assert_int_equal(show_scaled(root, "b", 3), 12000);
        assert_int_equal(show_u64(root, "c"), 0);
        assert_int_equal(show_u64(root, "none"), 0);
        assert_int_equal(show_scaled(root, "d", 3), 1234);
        assert_true(show_u64(root, "e") > 0); /* too large to be right, and no crash */
}

static void fill(struct table *table)
{
        static const struct column columns[] = {{"NAME", false}, {"N", true}, {"MORE", false}};
        table_init(table, &arena, columns, countof(columns));
        const char *cells[] = {"a",         "1",  "x", "é\x1b[1mé\x1b[0m", "1000", "",
                               "long name", "22", "y"};
        for (size_t i = 0; i < countof(cells); i++)
                table_add(table, str_of(cells[i]));
}

static void tables_stand_straight(void **state)
{
        struct table table;
        struct table_look look = {.indent = "  "};
        struct text out = text_grow(&arena, 4096);
        (void)state;
        fill(&table);
        table_write(&table, &look, &out);
        assert_str(text_str(&out), "  NAME          N  MORE\n"
                                   "  a             1  x\n"
                                   "  é\x1b[1mé\x1b[0m         1000\n"
                                   "  long name    22  y\n");
}

static void tables_are_cut_to_rows_and_columns(void **state)
{
        struct table table;
        struct table_look look = {.indent = "", .first = 1, .most = 1, .width = 16};
        struct text out = text_grow(&arena, 4096);
        (void)state;
        fill(&table);
        table_write(&table, &look, &out);
        assert_str(text_str(&out), "NAME          N\n"
                                   "é\x1b[1mé\x1b[0m         1000\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(durations_have_three_digits, begin, end),
                cmocka_unit_test_setup_teardown(spans_have_two_units, begin, end),
                cmocka_unit_test_setup_teardown(sizes_and_numbers_are_short, begin, end),
                cmocka_unit_test_setup_teardown(controls_do_not_reach_a_terminal, begin, end),
                cmocka_unit_test_setup_teardown(widths_do_not_count_colors, begin, end),
                cmocka_unit_test_setup_teardown(numbers_of_documents_are_scaled, begin, end),
                cmocka_unit_test_setup_teardown(tables_stand_straight, begin, end),
                cmocka_unit_test_setup_teardown(tables_are_cut_to_rows_and_columns, begin, end),
        };
        return cmocka_run_group_tests_name("show", tests, NULL, NULL);
}
