/* format.c -- forms of texts: by hand and by regular expression the same. The expressions are those
 * of the JSON Schema; here the ones that POSIX can read are run beside the functions. */
#include "schema/setting.h"

#include <regex.h>

#include "../unit.h"

static const struct {
        enum format format;
        const char *text;
        bool fits;
} cases[] = {
        {FORMAT_name, "orders", true},
        {FORMAT_name, "a", true},
        {FORMAT_name, "a-1", true},
        {FORMAT_name, "Orders", false},
        {FORMAT_name, "1a", false},
        {FORMAT_name, "a_b", false},
        {FORMAT_name, "", false},
        {FORMAT_name, "a.b", false},
        {FORMAT_name, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true},
        {FORMAT_name, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
        {FORMAT_path, "/", true},
        {FORMAT_path, "/a/{b}/{c*}", true},
        {FORMAT_path, "a", false},
        {FORMAT_path, "/a?b", false},
        {FORMAT_path, "/a#b", false},
        {FORMAT_path, "/a b", false},
        {FORMAT_path, "", false},
        {FORMAT_host, "a.example.com", true},
        {FORMAT_host, "*.example.com", true},
        {FORMAT_host, "127.0.0.1", true},
        {FORMAT_host, "[::1]", true},
        {FORMAT_host, "*", false},
        {FORMAT_host, "a..b", false},
        {FORMAT_host, "a.", false},
        {FORMAT_host, "a:80", false},
        {FORMAT_host, "a.*.b", false},
        {FORMAT_host, "[::1", false},
        {FORMAT_host, "", false},
        {FORMAT_token, "X-Api_Key~1", true},
        {FORMAT_token, "a b", false},
        {FORMAT_token, "a:b", false},
        {FORMAT_token, "", false},
        {FORMAT_method, "GET", true},
        {FORMAT_method, "VERSION-CONTROL", true},
        {FORMAT_method, "Get", false},
        {FORMAT_method, "-GET", false},
        {FORMAT_method, "", false},
        {FORMAT_route, "GET /a", true},
        {FORMAT_route, "/a/{rest*}", true},
        {FORMAT_route, "list_orders-2", true},
        {FORMAT_route, "GET", true},
        {FORMAT_route, "get /a", false},
        {FORMAT_route, "GET  /a", false},
        {FORMAT_route, "GET a", false},
        {FORMAT_route, "2x", false},
        {FORMAT_route, "", false},
        {FORMAT_hash, "ip", true},
        {FORMAT_hash, "header:X-User", true},
        {FORMAT_hash, "header:", false},
        {FORMAT_hash, "host", false},
        {FORMAT_origin, "*", true},
        {FORMAT_origin, "null", true},
        {FORMAT_origin, "https://a.example:8443", true},
        {FORMAT_origin, "http://[::1]:80", true},
        {FORMAT_origin, "https://a.example/", false},
        {FORMAT_origin, "a.example", false},
        {FORMAT_origin, "ftp://a", false},
};

static void functions_and_expressions_say_the_same(void **state)
{
        (void)state;
        for (size_t i = 0; i < countof(cases); i++) {
                char pattern[256];
                size_t len = 0;
                regex_t regex;
                /* POSIX has no escapes inside brackets; the controls are tested by the functions.
                 */
                for (const char *at = format_pattern(cases[i].format); *at != '\0'; at++) {
                        if (strncmp(at, "\\x00-\\x20\\x7f", 12) == 0) {
                                pattern[len++] = ' ';
                                at += 11;
                                continue;
                        }
                        pattern[len++] = *at;
                }
                pattern[len] = '\0';
                assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
                bool matches = regexec(&regex, cases[i].text, 0, NULL, 0) == 0;
                bool fits = format_fits(cases[i].format, str_of(cases[i].text));
                regfree(&regex);
                if (matches != cases[i].fits || fits != cases[i].fits)
                        print_error("%s: matches %d, fits %d\n", cases[i].text, matches, fits);
                assert_int_equal(fits, cases[i].fits);
                assert_int_equal(matches, cases[i].fits);
        }
}

static void controls_fit_nowhere(void **state)
{
        static const enum format formats[] = {FORMAT_name,    FORMAT_path,  FORMAT_host,
                                              FORMAT_token,   FORMAT_route, FORMAT_method,
                                              FORMAT_visible, FORMAT_line,  FORMAT_url,
                                              FORMAT_origin,  FORMAT_hash};
        (void)state;
        for (size_t i = 0; i < countof(formats); i++) {
                assert_false(format_fits(formats[i], S("a\n")));
                assert_false(format_fits(formats[i], S("/a\0")));
                assert_false(format_fits(formats[i], S("/\x7f")));
        }
        assert_true(format_fits(FORMAT_header_value, S("a\tb \xc3\xa9")));
        assert_false(format_fits(FORMAT_header_value, S("a\r\nb")));
        assert_false(format_fits(FORMAT_file, S("a\0b")));
        assert_true(format_fits(FORMAT_visible, S("!~")));
        assert_false(format_fits(FORMAT_visible, S("a b")));
}

static void each_example_fits_its_format(void **state)
{
        (void)state;
        for (unsigned format = FORMAT_any + 1; format < FORMAT_COUNT; format++) {
                struct str example = str_of(format_example((enum format)format));
                if (example.len > 0)
                        assert_true(format_fits((enum format)format, example));
                assert_true(strlen(format_text((enum format)format)) > 5);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(functions_and_expressions_say_the_same),
                cmocka_unit_test(controls_fit_nowhere),
                cmocka_unit_test(each_example_fits_its_format),
        };
        return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
