/* target.c -- one reading of every target: paths and hosts of security.md B and G, and that what is
 * normal stays so. */
#include "wire/target.h"
#include "base/rand.h"

#include "../unit.h"

static struct arena arena;

static int begin(void **state)
{
        (void)state;
        arena_init(&arena, NULL, 1 << 20);
        return 0;
}

static int end(void **state)
{
        (void)state;
        arena_fini(&arena);
        return 0;
}

struct row {
        const char *raw, *path; /* NULL: TARGET_BAD */
};

static const struct row paths[] = {
        {"/", "/"},
        {"/admin", "/admin"},
        {"/public/../admin", "/admin"},
        {"/public/%2e%2e/admin", "/admin"},
        {"/public/.%2E/admin", "/admin"},
        {"/public/..;/admin", NULL},
        {"/public/..;x=1/admin", NULL},
        {"/public/.;/admin", NULL},
        {"/public/%2e%2e;/admin", NULL},
        {"/public/..%2f", NULL},
        {"/public/a%2f..%5cadmin", NULL},
        {"/public/%252e%252e/admin", "/public/%252e%252e/admin"},
        {"//admin", "/admin"},
        {"/./admin", "/admin"},
        {"/admin/", "/admin/"},
        {"/admin//", "/admin/"},
        {"/admin/.", "/admin/"},
        {"/admin/..", "/"},
        {"/a/b/../../c", "/c"},
        {"/..", NULL},
        {"/a/../../b", NULL},
        {"/%61dmin", "/admin"},
        {"/ADMIN", "/ADMIN"},
        {"/admin;x=1", "/admin;x=1"},
        {"/admin%20", "/admin%20"},
        {"/admin%00", NULL},
        {"/admin.", "/admin."},
        {"/admin%09", NULL},
        {"/admin%7f", NULL},
        {"/admin%3f", "/admin%3F"},
        {"/admin%23", "/admin%23"},
        {"/api../admin", "/api../admin"},
        {"/api%2e%2e/admin", "/api../admin"},
        {"/%c0%af", "/%C0%AF"},
        {"/%ef%bc%8f", "/%EF%BC%8F"},
        {"/%zz", NULL},
        {"/%", NULL},
        {"/%2", NULL},
        {"/%u002f", NULL},
        {"/a\\b", NULL},
        {"/a b", NULL},
        {"/a\x80", NULL},
        {"/a{b}|\"<>^`[]", "/a%7Bb%7D%7C%22%3C%3E%5E%60%5B%5D"},
        {"/%7b%7E%41", "/%7B~A"},
        {"/a!$&'()*+,;=:@-._~", "/a!$&'()*+,;=:@-._~"},
        {"/...", "/..."},
        {"/.a/..b", "/.a/..b"},
        {"", NULL},
        {"admin", NULL},
};

static void a_path_has_one_form(void **state)
{
        (void)state;
        for (size_t i = 0; i < countof(paths); i++) {
                struct str path, again;
                enum target_fault fault = path_normalise(str_of(paths[i].raw), &arena, &path);
                if (paths[i].path == NULL) {
                        if (fault != TARGET_BAD)
                                fail_msg("accepted: %s", paths[i].raw);
                        continue;
                }
                if (fault != TARGET_OK || !str_is(path, paths[i].path))
                        fail_msg("%s: fault %d, " STR_FMT, paths[i].raw, fault, STR_ARG(path));
                assert_int_equal(path_normalise(path, &arena, &again), TARGET_OK);
                assert_true(str_eq(path, again));
        }
}

static void escaped_slashes_are_told(void **state)
{
        static const struct row rows[] = {
                {"/users/a%2fb", "/users/a%2Fb"},
                {"/a%5c%2Fb/../c%5C", "/c%5C"},
        };
        struct str path;
        (void)state;
        for (size_t i = 0; i < countof(rows); i++) {
                assert_int_equal(path_normalise(str_of(rows[i].raw), &arena, &path),
                                 TARGET_ESCAPED_SLASH);
                assert_true(str_is(path, rows[i].path));
        }
        static const char *const bad[] = {"/public/..%2fadmin", "/public/%2e%2e%2fadmin",
                                          "/public/..%5cadmin", "/public/a%2f..", "/a%2F.%2Fb"};
        for (size_t i = 0; i < countof(bad); i++)
                assert_int_equal(path_normalise(str_of(bad[i]), &arena, &path), TARGET_BAD);
}

static void the_loosest_reader_is_foreseen(void **state)
{
        static const struct row rows[] = {
                {"/admin", "/admin"},
                {"/ADMIN", "/admin"},
                {"/admin;x=1", "/admin"},
                {"/admin;x=1/b;y", "/admin/b"},
                {"/admin%20", "/admin"},
                {"/admin.", "/admin"},
                {"/admin.%20.", "/admin"},
                {"/admin%3Fx", "/admin"},
                {"/admin%23x", "/admin"},
                {"/admin%00x", "/admin"},
                {"/public/%252e%252e/admin", "/admin"},
                {"/public/%25252e%25252E/admin", "/admin"},
                {"/public/%2%35%32e%2e/admin", "/admin"},
                {"/public/..%2Fadmin", "/admin"},
                {"/public%5C..%5Cadmin", "/admin"},
                {"/public/..%20/admin", "/admin"},
                {"/public/..%3B/admin", "/admin"},
                {"/../../x", "/x"},
                {"/a/./b/", "/a/b/"},
                {"/a//b/.", "/a/b/"},
                {"/%2561", "/a"},
                {"/%3F", "/"},
                {"/.../x", "/x"},
        };
        (void)state;
        for (size_t i = 0; i < countof(rows); i++) {
                struct str loose = path_loose(str_of(rows[i].raw), &arena);
                if (!str_is(loose, rows[i].path))
                        fail_msg("%s: " STR_FMT, rows[i].raw, STR_ARG(loose));
        }
}

static void targets_are_taken_apart(void **state)
{
        static const char *const bad[] = {
                "",         "a.test/x",  "@internal/x",   ":80/x",
                "ftp://a/", "http:///x", "http://u:p@a/", "file:///etc/passwd",
                "/a#b",     "/a?b#c",    "http://?x",     "**",
                "https://", "/a b",      "\\x",           "http:/a",
        };
        struct target t;
        (void)state;
        for (size_t i = 0; i < countof(bad); i++) {
                if (target_read(str_of(bad[i]), &arena, &t) != TARGET_BAD)
                        fail_msg("accepted: %s", bad[i]);
        }
        assert_int_equal(target_read(S("/a?b?c"), &arena, &t), TARGET_OK);
        assert_true(str_is(t.path, "/a") && str_is(t.query, "b?c") && t.authority.ptr == NULL);
        assert_false(t.has_escapes);
        assert_int_equal(target_read(S("/a?"), &arena, &t), TARGET_OK);
        assert_true(t.query.ptr != NULL && t.query.len == 0);
        assert_int_equal(target_read(S("/a/../B"), &arena, &t), TARGET_OK);
        assert_true(str_is(t.path, "/B") && t.query.ptr == NULL && t.has_escapes);
        assert_int_equal(target_read(S("HTTP://b.test:81/x?y"), &arena, &t), TARGET_OK);
        assert_true(str_is(t.path, "/x") && str_is(t.query, "y") &&
                    str_is(t.authority, "b.test:81"));
        assert_int_equal(target_read(S("https://b.test?y"), &arena, &t), TARGET_OK);
        assert_true(str_is(t.path, "/") && str_is(t.query, "y") && str_is(t.authority, "b.test"));
        assert_int_equal(target_read(S("*"), &arena, &t), TARGET_OK);
        assert_true(t.is_asterisk && str_is(t.path, "*"));
        assert_int_equal(target_read(S("/a%2fb?c"), &arena, &t), TARGET_ESCAPED_SLASH);
        assert_true(str_is(t.path, "/a%2Fb") && t.has_escapes);
}

static void a_host_has_one_form(void **state)
{
        static const struct {
                const char *raw, *host;
                uint16_t port;
        } rows[] = {
                {"a.test", "a.test", 80},
                {"A.TEST", "a.test", 80},
                {"a.test.", "a.test", 80},
                {"a.test:80", "a.test", 80},
                {"a.test:", "a.test", 80},
                {"a.test.:8080", "a.test", 8080},
                {"xn--bcher-kva.test", "xn--bcher-kva.test", 80},
                {"my_service", "my_service", 80},
                {"127.0.0.1:1", "127.0.0.1", 1},
                {"[::1]", "[::1]", 80},
                {"[0:0::0:1]:65535", "[::1]", 65535},
                {"[2001:DB8::A]:", "[2001:db8::a]", 80},
                {"[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]", 80},
        };
        static const char *const bad[] = {
                "",
                "a.test/x",
                "u@a.test",
                "a.test:80abc",
                "a.test:99999",
                "[::1",
                "a..test",
                "a.test\t",
                " a.test",
                "a.test..",
                ".",
                ".a",
                "a,b",
                "a:0",
                "a:-1",
                "a:+1",
                "a:1:2",
                "[::1]x",
                "[::1]:x",
                "[1.2.3.4]",
                "[]",
                "[fe80::1%eth0]",
                "a%41",
                "::1",
                "a test",
                "a:000080",
                "a?b",
                "a#b",
                "a\\b",
                "[v1.a]",
                ":80",
                "*",
                "\x80",
                "[:::1]",
                "[1::2::3]",
        };
        struct str host;
        uint16_t port;
        (void)state;
        for (size_t i = 0; i < countof(rows); i++) {
                struct str raw = str_of(rows[i].raw);
                assert_int_equal(host_normalise(raw, 80, &arena, &host, &port), ERR_ok);
                if (!str_is(host, rows[i].host) || port != rows[i].port)
                        fail_msg("%s: " STR_FMT " port %d", rows[i].raw, STR_ARG(host), port);
        }
        for (size_t i = 0; i < countof(bad); i++) {
                if (host_normalise(str_of(bad[i]), 80, &arena, &host, &port) == ERR_ok)
                        fail_msg("accepted: %s", bad[i]);
        }
        assert_int_equal(host_normalise(S("a\0b"), 80, &arena, &host, &port), ERR_syntax);
}

static void a_host_is_as_long_as_dns_allows(void **state)
{
        struct str host;
        uint16_t port;
        char label[304];
        (void)state;
        memset(label, 'a', sizeof label);
        struct str s = {label, 63};
        assert_int_equal(host_normalise(s, 80, &arena, &host, &port), ERR_ok);
        s.len = 64;
        assert_int_equal(host_normalise(s, 80, &arena, &host, &port), ERR_syntax);
        for (size_t i = 50; i < sizeof label; i += 50)
                label[i] = '.';
        s.len = 253;
        assert_int_equal(host_normalise(s, 80, &arena, &host, &port), ERR_ok);
        s.len = 254;
        assert_int_equal(host_normalise(s, 80, &arena, &host, &port), ERR_syntax);
}

static void queries_are_parted_by_ampersands_alone(void **state)
{
        struct str rest = S("a=1&&a=2&b;c=3=4&d&%61="), name, value;
        static const struct {
                const char *name, *value;
        } pairs[] = {{"a", "1"}, {"a", "2"}, {"b;c", "3=4"}, {"d", NULL}, {"%61", ""}};
        (void)state;
        for (size_t i = 0; i < countof(pairs); i++) {
                assert_true(query_next(&rest, &name, &value));
                assert_true(str_is(name, pairs[i].name));
                assert_int_equal(value.ptr == NULL, pairs[i].value == NULL);
                assert_true(str_eq(value, str_of(pairs[i].value)));
        }
        assert_false(query_next(&rest, &name, &value));
        rest = S("");
        assert_false(query_next(&rest, &name, &value));
}

static void escapes_are_decoded_once(void **state)
{
        struct str s;
        (void)state;
        assert_int_equal(percent_decode(S("a%2541+b"), true, &arena, &s), ERR_ok);
        assert_true(str_is(s, "a%41 b"));
        assert_int_equal(percent_decode(S("a+%00"), false, &arena, &s), ERR_ok);
        assert_true(str_eq(s, S("a+\0")));
        assert_int_equal(percent_decode(S("a%4"), false, &arena, &s), ERR_syntax);
        assert_int_equal(percent_decode(S("a%g1"), false, &arena, &s), ERR_syntax);
        assert_int_equal(percent_decode(S("%"), false, &arena, &s), ERR_syntax);
}

static void normalising_twice_is_normalising_once(void **state)
{
        static const char *const pieces[] = {"/",   "//",  ".",   "..",  "%2e", "%2F", "%5c", ";",
                                             "a",   "B",   "%25", "%41", "%3b", "{",   "%zz", "~",
                                             "%2e", "/..", "/./", "%c0", "%af", ":"};
        (void)state;
        unsigned accepted = 0;
        for (int round = 0; round < 200000; round++) {
                char memory[64];
                struct text text = text_over(memory, sizeof memory);
                text_char(&text, '/');
                for (uint64_t n = rand_below(10); n > 0; n--)
                        text_put(&text, str_of(pieces[rand_below(countof(pieces))]));
                struct str once, twice;
                enum target_fault fault = path_normalise(text_str(&text), &arena, &once);
                if (fault != TARGET_BAD) {
                        accepted++;
                        /* A segment with an escaped slash may have been climbed out of. */
                        enum target_fault again = path_normalise(once, &arena, &twice);
                        if (again == TARGET_BAD || again > fault || !str_eq(once, twice))
                                fail_msg(STR_FMT " -> " STR_FMT " -> " STR_FMT,
                                         STR_ARG(text_str(&text)), STR_ARG(once), STR_ARG(twice));
                        struct str loose = path_loose(once, &arena);
                        assert_true(loose.len > 0 && loose.ptr[0] == '/');
                        assert_true(path_may_be_loose(once) || str_eq(loose, once));
                        assert_true(str_eq(path_loose(loose, &arena), loose));
                }
                arena_fini(&arena);
                arena_init(&arena, NULL, 1 << 20);
        }
        assert_true(accepted > 1000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_path_has_one_form, begin, end),
                cmocka_unit_test_setup_teardown(escaped_slashes_are_told, begin, end),
                cmocka_unit_test_setup_teardown(the_loosest_reader_is_foreseen, begin, end),
                cmocka_unit_test_setup_teardown(targets_are_taken_apart, begin, end),
                cmocka_unit_test_setup_teardown(a_host_has_one_form, begin, end),
                cmocka_unit_test_setup_teardown(a_host_is_as_long_as_dns_allows, begin, end),
                cmocka_unit_test_setup_teardown(queries_are_parted_by_ampersands_alone, begin, end),
                cmocka_unit_test_setup_teardown(escapes_are_decoded_once, begin, end),
                cmocka_unit_test_setup_teardown(normalising_twice_is_normalising_once, begin, end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
