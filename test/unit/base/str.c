/* str.c -- what base/str.h promises. */
#include "base/str.h"

#include "../unit.h"

static void equality_looks_at_bytes_and_length(void **state)
{
        (void)state;
        assert_true(str_eq(S("gate"), S("gate")));
        assert_false(str_eq(S("gate"), S("gates")));
        assert_false(str_eq(S("gate"), S("Gate")));
        assert_true(str_eq(STR_NONE, S("")));
        assert_true(str_eq(str_from("a\0b", 3), str_from("a\0b", 3)));
        assert_false(str_eq(str_from("a\0b", 3), str_from("a\0c", 3)));
        assert_true(str_is(S("x"), "x"));
        assert_int_equal(str_of(NULL).len, 0);
}

static void case_is_ignored_for_ascii_letters_only(void **state)
{
        (void)state;
        assert_true(str_eq_nocase(S("Content-TYPE"), S("content-type")));
        assert_false(str_eq_nocase(S("@"), S("`")));
        assert_false(str_eq_nocase(S("["), S("{")));
        assert_false(str_eq_nocase(S("\xc4"), S("\xe4")));
        assert_false(str_eq_nocase(S("ab"), S("abc")));
}

static void order_is_that_of_bytes_with_the_shorter_first(void **state)
{
        (void)state;
        assert_int_equal(str_compare(S("a"), S("a")), 0);
        assert_true(str_compare(S("a"), S("b")) < 0);
        assert_true(str_compare(S("ab"), S("a")) > 0);
        assert_true(str_compare(S(""), S("a")) < 0);
        assert_true(str_compare(S("\xff"), S("a")) > 0);
        assert_int_equal(str_compare(STR_NONE, S("")), 0);
}

static void pieces_are_found_at_both_ends_and_inside(void **state)
{
        (void)state;
        struct str s = S("/orders/42");
        assert_true(str_starts(s, S("/orders")));
        assert_true(str_starts(s, S("")));
        assert_false(str_starts(s, S("/orders/42/")));
        assert_true(str_ends(s, S("/42")));
        assert_false(str_ends(S("42"), S("/42")));
        assert_int_equal(str_find(s, '/'), 0);
        assert_int_equal(str_find(s, '4'), 8);
        assert_int_equal(str_find(s, 'x'), -1);
        assert_int_equal(str_find(STR_NONE, 'x'), -1);
        assert_int_equal(str_find_str(s, S("ers")), 4);
        assert_int_equal(str_find_str(s, S("")), 0);
        assert_int_equal(str_find_str(s, S("43")), -1);
        assert_int_equal(str_find_str(STR_NONE, S("a")), -1);
}

static void trimming_takes_blanks_and_tabs_and_nothing_else(void **state)
{
        (void)state;
        assert_str(str_trim(S(" \t a b \t")), "a b");
        assert_str(str_trim(S("\va\r")), "\va\r");
        assert_str(str_trim(S(" \t ")), "");
        assert_str(str_trim(STR_NONE), "");
}

static void skipping_and_cutting_stay_inside(void **state)
{
        (void)state;
        assert_str(str_skip(S("abc"), 2), "c");
        assert_str(str_skip(S("abc"), 9), "");
        assert_str(str_first(S("abc"), 2), "ab");
        assert_str(str_first(S("abc"), 9), "abc");
        assert_null(str_skip(STR_NONE, 1).ptr);
}

static void a_list_is_walked_to_its_last_empty_member(void **state)
{
        (void)state;
        struct str rest = S("a,,b,");
        assert_str(str_cut(&rest, ','), "a");
        assert_str(str_cut(&rest, ','), "");
        assert_str(str_cut(&rest, ','), "b");
        assert_non_null(rest.ptr);
        assert_str(str_cut(&rest, ','), "");
        assert_null(rest.ptr);
}

static void numbers_are_digits_that_fit(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                enum err err;
                uint64_t value;
        } cases[] = {
                {"0", ERR_ok, 0},
                {"010", ERR_ok, 10},
                {"18446744073709551615", ERR_ok, UINT64_MAX},
                {"18446744073709551616", ERR_range, 0},
                {"99999999999999999999", ERR_range, 0},
                {"", ERR_syntax, 0},
                {"+1", ERR_syntax, 0},
                {"-1", ERR_syntax, 0},
                {" 1", ERR_syntax, 0},
                {"1 ", ERR_syntax, 0},
                {"0x1", ERR_syntax, 0},
                {"1_0", ERR_syntax, 0},
                {"99999999999999999999x", ERR_syntax, 0},
                {"\xd9\xa5", ERR_syntax, 0},
        };
        for (size_t i = 0; i < countof(cases); i++) {
                uint64_t value = 77;
                assert_int_equal(str_to_u64(str_of(cases[i].text), &value), cases[i].err);
                assert_int_equal(value, cases[i].err == ERR_ok ? cases[i].value : 77);
        }
}

static void hexadecimal_digits_have_values_and_others_have_none(void **state)
{
        (void)state;
        for (int c = 0; c < 256; c++) {
                int expected = -1;
                if (c >= '0' && c <= '9')
                        expected = c - '0';
                else if (c >= 'a' && c <= 'f')
                        expected = c - 'a' + 10;
                else if (c >= 'A' && c <= 'F')
                        expected = c - 'A' + 10;
                assert_int_equal(char_hex((char)c), expected);
        }
}

static void distance_counts_edits_and_stops_at_the_most(void **state)
{
        (void)state;
        assert_int_equal(str_distance(S("upsteam"), S("upstream"), 3), 1);
        assert_int_equal(str_distance(S("chache"), S("cache"), 3), 1);
        assert_int_equal(str_distance(S("ruotes"), S("routes"), 3), 1);
        assert_int_equal(str_distance(S("same"), S("same"), 3), 0);
        assert_int_equal(str_distance(S(""), S("abc"), 3), 3);
        assert_int_equal(str_distance(S("kitten"), S("sitting"), 9), 3);
        assert_int_equal(str_distance(S("abc"), S("xyz"), 2), 3);
        char text[65];
        memset(text, 'a', sizeof text);
        assert_int_equal(str_distance(str_from(text, 64), str_from(text, 64), 2), 0);
        assert_int_equal(str_distance(str_from(text, 65), str_from(text, 65), 2), 3);
}

static void secrets_compare_as_other_text_does(void **state)
{
        (void)state;
        assert_true(str_eq_secret(S("key"), S("key")));
        assert_false(str_eq_secret(S("key"), S("kez")));
        assert_false(str_eq_secret(S("aey"), S("key")));
        assert_false(str_eq_secret(S("key"), S("keys")));
        assert_false(str_eq_secret(S(""), S("k")));
        assert_true(str_eq_secret(STR_NONE, S("")));
}

static void a_builder_writes_all_of_a_piece_or_nothing(void **state)
{
        (void)state;
        char memory[8];
        struct text text = text_over(memory, sizeof memory);
        text_put(&text, S("abcde"));
        text_put(&text, S("fghi"));
        assert_true(text.is_cut);
        text_char(&text, 'f');
        assert_str(text_str(&text), "abcde");
}

static void a_builder_can_be_filled_to_the_brim(void **state)
{
        (void)state;
        char memory[3];
        struct text text = text_over(memory, sizeof memory);
        text_char(&text, 'a');
        text_put(&text, S("bc"));
        text_put(&text, S(""));
        assert_false(text.is_cut);
        assert_str(text_str(&text), "abc");
        text_char(&text, 'd');
        assert_true(text.is_cut);
}

static void numbers_are_written_whole(void **state)
{
        (void)state;
        char memory[128];
        struct text text = text_over(memory, sizeof memory);
        text_u64(&text, 0);
        text_char(&text, ' ');
        text_u64(&text, UINT64_MAX);
        text_char(&text, ' ');
        text_i64(&text, INT64_MIN);
        text_char(&text, ' ');
        text_i64(&text, INT64_MAX);
        text_char(&text, ' ');
        text_hex(&text, 0xab, 4);
        text_char(&text, ' ');
        text_hex(&text, UINT64_MAX, 16);
        text_format(&text, " %d%%", 7);
        assert_str(text_str(&text), "0 18446744073709551615 -9223372036854775808 "
                                    "9223372036854775807 00ab ffffffffffffffff 7%");
}

static void formatting_that_does_not_fit_leaves_no_trace(void **state)
{
        (void)state;
        char memory[6];
        struct text text = text_over(memory, sizeof memory);
        text_format(&text, "%s", "abc");
        text_format(&text, "%s", "defg");
        assert_true(text.is_cut);
        assert_str(text_str(&text), "abc");
}

static void decimals_are_as_short_as_they_can_be(void **state)
{
        (void)state;
        static const struct {
                uint64_t value;
                unsigned places;
                const char *text;
        } cases[] = {
                {0, 9, "0"},
                {2100000, 9, "0.0021"},
                {1000000000, 9, "1"},
                {1500, 3, "1.5"},
                {1, 9, "0.000000001"},
                {7, 0, "7"},
                {UINT64_MAX, 18, "18.446744073709551615"},
        };
        for (size_t i = 0; i < countof(cases); i++) {
                char memory[32];
                struct text text = text_over(memory, sizeof memory);
                text_decimal(&text, cases[i].value, cases[i].places);
                assert_str(text_str(&text), cases[i].text);
        }
}

static struct str json(char *memory, size_t size, struct str s)
{
        struct text text = text_over(memory, size);
        text_json(&text, s);
        assert_false(text.is_cut);
        return text_str(&text);
}

static void json_escapes_what_must_not_stand_in_it(void **state)
{
        (void)state;
        char memory[128];
        assert_str(json(memory, 128, S("a\"b\\c")), "a\\\"b\\\\c");
        assert_str(json(memory, 128, S("\r\n\t\x01\x7f")), "\\u000d\\u000a\\u0009\\u0001\\u007f");
        assert_str(json(memory, 128, str_from("\0", 1)), "\\u0000");
        assert_str(json(memory, 128,
                        S("\xc2\x9b"
                          "31m\xc2\xa0")),
                   "\\u009b31m\xc2\xa0");
        assert_str(json(memory, 128, S("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x9a\xaa")),
                   "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x9a\xaa");
}

static void json_replaces_what_is_not_utf8(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                unsigned replaced;
        } cases[] = {
                {"\x80", 1},         {"\xc0\xaf", 2},         {"\xc3", 1},
                {"\xe0\x80\x80", 3}, {"\xed\xa0\x80", 3},     {"\xf4\x90\x80\x80", 4},
                {"\xff", 1},         {"\xf0\x80\x80\x80", 4}, {"\xe2\x82", 2},
        };
        for (size_t i = 0; i < countof(cases); i++) {
                char memory[64];
                struct str written = json(memory, sizeof memory, str_of(cases[i].text));
                assert_int_equal(written.len, 6 * cases[i].replaced);
                assert_true(str_starts(written, S("\\ufffd")));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(equality_looks_at_bytes_and_length),
                cmocka_unit_test(case_is_ignored_for_ascii_letters_only),
                cmocka_unit_test(order_is_that_of_bytes_with_the_shorter_first),
                cmocka_unit_test(pieces_are_found_at_both_ends_and_inside),
                cmocka_unit_test(trimming_takes_blanks_and_tabs_and_nothing_else),
                cmocka_unit_test(skipping_and_cutting_stay_inside),
                cmocka_unit_test(a_list_is_walked_to_its_last_empty_member),
                cmocka_unit_test(numbers_are_digits_that_fit),
                cmocka_unit_test(hexadecimal_digits_have_values_and_others_have_none),
                cmocka_unit_test(distance_counts_edits_and_stops_at_the_most),
                cmocka_unit_test(secrets_compare_as_other_text_does),
                cmocka_unit_test(a_builder_writes_all_of_a_piece_or_nothing),
                cmocka_unit_test(a_builder_can_be_filled_to_the_brim),
                cmocka_unit_test(numbers_are_written_whole),
                cmocka_unit_test(formatting_that_does_not_fit_leaves_no_trace),
                cmocka_unit_test(decimals_are_as_short_as_they_can_be),
                cmocka_unit_test(json_escapes_what_must_not_stand_in_it),
                cmocka_unit_test(json_replaces_what_is_not_utf8),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
