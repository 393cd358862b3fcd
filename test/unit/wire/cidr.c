/* cidr.c -- addresses in one form, networks that mean what they say, sets that agree with asking
 * each network in turn. */
#include "wire/cidr.h"

#include "../unit.h"
#include "base/rand.h"

static void addresses_are_read_strictly_and_written_in_one_form(void **state)
{
        static const char *const rows[][2] = {
                {"192.0.2.1", "192.0.2.1"},
                {"0.0.0.0", "0.0.0.0"},
                {"255.255.255.255", "255.255.255.255"},
                {"::", "::"},
                {"::1", "::1"},
                {"1::", "1::"},
                {"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
                {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
                {"0:0:0:0:0:0:0:0", "::"},
                {"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
                {"::ffff:192.0.2.1", "192.0.2.1"},
                {"::ffff:c000:0201", "192.0.2.1"},
                {"64:ff9b::192.0.2.1", "64:ff9b::c000:201"},
                {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
                {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
        };
        static const char *const bad[] = {
                "",
                "1",
                "1.2.3",
                "1.2.3.4.5",
                "256.1.1.1",
                "01.2.3.4",
                "1.2.3.",
                ".1.2.3",
                "1..2.3",
                "+1.2.3.4",
                "0x1.2.3.4",
                "1.2.3.4 ",
                " 1.2.3.4",
                ":",
                ":::",
                "1::2::3",
                ":1",
                "1:",
                "1:2:3:4:5:6:7",
                "1:2:3:4:5:6:7:8:9",
                "1:2:3:4:5:6:7:8::",
                "12345::",
                "g::",
                "fe80::1%1",
                "[::1]",
                "::1.2.3",
                "1.2.3.4::",
                "::1.2.3.4:5",
                "1:2:3:4:5:6:7:1.2.3.4",
                "::ffff:1.2.3.04",
                "1:2:3:4::5:6:7:8",
        };
        uint8_t bytes[16];
        (void)state;
        for (size_t i = 0; i < countof(rows); i++) {
                char memory[IP_TEXT_MAX];
                struct text text = text_over(memory, sizeof memory);
                assert_int_equal(ip_read(str_of(rows[i][0]), bytes), ERR_ok);
                ip_write(bytes, &text);
                assert_str(text_str(&text), rows[i][1]);
        }
        for (size_t i = 0; i < countof(bad); i++) {
                if (ip_read(str_of(bad[i]), bytes) != ERR_syntax)
                        fail_msg("accepted: %s", bad[i]);
        }
}

static void networks_mean_what_they_say(void **state)
{
        static const char *const good[] = {"10.0.0.0/8",    "192.0.2.1", "0.0.0.0/0", "::/0",
                                           "2001:db8::/32", "::1",       "fe80::/10"};
        static const char *const bad[] = {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/08",
                                          "::/129",      "/8",        "10/8",        "10.0.0.0/8/8",
                                          "a/8",         ""};
        static const char *const loose[] = {"10.0.0.1/8", "::1/64", "192.0.2.128/24"};
        struct cidr cidr;
        (void)state;
        for (size_t i = 0; i < countof(good); i++) {
                char memory[IP_TEXT_MAX + 4];
                struct text text = text_over(memory, sizeof memory);
                assert_int_equal(cidr_read(str_of(good[i]), &cidr), ERR_ok);
                cidr_write(&cidr, &text);
                assert_str(text_str(&text), good[i]);
        }
        for (size_t i = 0; i < countof(bad); i++)
                assert_int_equal(cidr_read(str_of(bad[i]), &cidr), ERR_syntax);
        for (size_t i = 0; i < countof(loose); i++)
                assert_int_equal(cidr_read(str_of(loose[i]), &cidr), ERR_range);
}

static void all_of_ipv6_is_not_ipv4(void **state)
{
        struct cidr all6, all4;
        struct arena arena;
        uint8_t v4[16], v6[16];
        (void)state;
        arena_init(&arena, NULL, 4096);
        assert_int_equal(cidr_read(S("::/0"), &all6), ERR_ok);
        assert_int_equal(cidr_read(S("0.0.0.0/0"), &all4), ERR_ok);
        assert_int_equal(ip_read(S("192.0.2.1"), v4), ERR_ok);
        assert_int_equal(ip_read(S("2001:db8::1"), v6), ERR_ok);
        struct cidrs six = cidrs_make(&all6, 1, &arena), four = cidrs_make(&all4, 1, &arena);
        struct cidrs both = cidrs_make((struct cidr[]){all6, all4}, 2, &arena);
        assert_true(cidrs_has(&six, v6) && !cidrs_has(&six, v4));
        assert_true(cidrs_has(&four, v4) && !cidrs_has(&four, v6));
        assert_true(cidrs_has(&both, v4) && cidrs_has(&both, v6));
        assert_false(cidrs_has(&(struct cidrs){0}, v4));
        arena_fini(&arena);
}

static void random_address(uint8_t bytes[16])
{
        memset(bytes, 0, 16);
        bool is_v4 = rand_below(2) == 0;
        if (is_v4)
                bytes[10] = bytes[11] = 0xff;
        for (size_t i = is_v4 ? 12 : 0; i < 16; i++)
                bytes[i] = (uint8_t)rand_below(3);
}

static void a_set_agrees_with_its_networks(void **state)
{
        (void)state;
        for (int round = 0; round < 200; round++) {
                struct arena arena;
                struct cidr networks[50];
                arena_init(&arena, NULL, 1 << 16);
                for (size_t i = 0; i < countof(networks); i++) {
                        struct cidr *c = &networks[i];
                        random_address(c->bytes);
                        c->bits = (uint8_t)(ip_is_v4(c->bytes) ? 97 + rand_below(32)
                                                               : 1 + rand_below(128));
                        for (unsigned bit = c->bits; bit < 128; bit++)
                                c->bytes[bit / 8] &= (uint8_t)~(0x80u >> bit % 8);
                }
                struct cidrs set = cidrs_make(networks, countof(networks), &arena);
                for (int ask = 0; ask < 500; ask++) {
                        uint8_t address[16];
                        bool expected = false;
                        random_address(address);
                        for (size_t i = 0; i < countof(networks); i++)
                                expected |= cidr_has(&networks[i], address);
                        assert_int_equal(cidrs_has(&set, address), expected);
                }
                arena_fini(&arena);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(addresses_are_read_strictly_and_written_in_one_form),
                cmocka_unit_test(networks_mean_what_they_say),
                cmocka_unit_test(all_of_ipv6_is_not_ipv4),
                cmocka_unit_test(a_set_agrees_with_its_networks),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
