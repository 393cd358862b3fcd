/* addr.c -- what io/addr.h promises. */
#include "io/addr.h"

#include "../unit.h"

static struct str text_of(const struct addr *addr)
{
        static char space[ADDR_TEXT_MAX];
        struct text text = {.at = space, .max = sizeof space};
        addr_put(&text, addr);
        assert_false(text.is_cut);
        return str_from(space, text.len);
}

static void addresses_are_written_as_they_are_read(void **state)
{
        (void)state;
        static const char *const good[][2] = {
                {"127.0.0.1:80", "127.0.0.1:80"},
                {"0.0.0.0:0", "0.0.0.0:0"},
                {"255.255.255.255:65535", "255.255.255.255:65535"},
                {"[::1]:8080", "[::1]:8080"},
                {"[2001:DB8::1]:443", "[2001:db8::1]:443"},
                {"[::ffff:10.0.0.1]:1", "10.0.0.1:1"},
        };
        for (size_t i = 0; i < countof(good); i++) {
                struct addr addr;
                assert_int_equal(addr_read(str_of(good[i][0]), &addr), ERR_ok);
                assert_str(text_of(&addr), good[i][1]);
        }
}

static void what_is_no_address_is_refused(void **state)
{
        (void)state;
        static const char *const bad[] = {
                "",
                "1.2.3.4",
                "1.2.3.4:",
                "1.2.3.4:+80",
                "1.2.3.4: 80",
                "1.2.3:80",
                "01.2.3.4:80",
                "1.2.3.4.5:80",
                "256.1.1.1:80",
                "localhost:80",
                "::1:80",
                "[::1]",
                "[::1]80",
                "[::1:80",
                "[]:80",
                "[1.2.3.4]:80",
                "[fe80::1%lo]:80",
                "[:::1]:80",
                "0x7f.1:80",
                "2130706433:80",
                "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80",
        };
        for (size_t i = 0; i < countof(bad); i++) {
                struct addr addr;
                if (addr_read(str_of(bad[i]), &addr) != ERR_syntax)
                        fail_msg("%s", bad[i]);
        }
        struct addr addr;
        assert_int_equal(addr_read(S("1.2.3.4:65536"), &addr), ERR_range);
        assert_int_equal(addr_read(S("1.2.3.4:99999999999999999999999"), &addr), ERR_range);
}

static void a_nul_hides_nothing(void **state)
{
        (void)state;
        struct addr addr;
        assert_int_equal(addr_read_ip(S("127.0.0.1\0.evil"), 80, &addr), ERR_syntax);
        assert_int_equal(addr_read(S("127.0.0.1\0x:80"), &addr), ERR_syntax);
        assert_int_equal(addr_read(S("[::1\0]:80"), &addr), ERR_syntax);
}

static void mapped_and_plain_addresses_are_equal(void **state)
{
        (void)state;
        struct addr a, b, c;
        assert_int_equal(addr_read(S("10.0.0.1:80"), &a), ERR_ok);
        assert_int_equal(addr_read(S("[::ffff:10.0.0.1]:80"), &b), ERR_ok);
        assert_int_equal(addr_read(S("10.0.0.1:81"), &c), ERR_ok);
        assert_true(addr_eq(&a, &b));
        assert_false(addr_eq(&a, &c));
        addr_set_port(&c, 80);
        assert_true(addr_eq(&a, &c));
        addr_set_port(&b, 7);
        assert_int_equal(addr_port(&b), 7);
}

static void loopback_has_many_faces(void **state)
{
        (void)state;
        static const char *const yes[] = {"127.0.0.1:1", "127.255.0.9:1", "[::1]:1",
                                          "[::ffff:127.0.0.1]:1"};
        static const char *const no[] = {"128.0.0.1:1", "10.0.0.1:1", "[::2]:1", "0.0.0.0:1"};
        struct addr addr;
        for (size_t i = 0; i < countof(yes); i++) {
                assert_int_equal(addr_read(str_of(yes[i]), &addr), ERR_ok);
                assert_true(addr_is_loopback(&addr));
                assert_int_equal(addr_read(str_of(no[i]), &addr), ERR_ok);
                assert_false(addr_is_loopback(&addr));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(addresses_are_written_as_they_are_read),
                cmocka_unit_test(what_is_no_address_is_refused),
                cmocka_unit_test(a_nul_hides_nothing),
                cmocka_unit_test(mapped_and_plain_addresses_are_equal),
                cmocka_unit_test(loopback_has_many_faces),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
