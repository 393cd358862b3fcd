/* forwarded.c -- the client is the first from the right that is not trusted; rows 157 to 159. */
#include "wire/forwarded.h"

#include "../unit.h"

/* Who the client is: lines parted by '|', 10.0.0.0/8 and fd00::/8 trusted. */
static void walk(enum name id, const char *peer, const char *all, const char *expected)
{
        struct arena arena;
        struct cidr networks[2];
        struct fields fields;
        uint8_t address[16];
        char memory[IP_TEXT_MAX];
        struct text text = text_over(memory, sizeof memory);
        arena_init(&arena, NULL, 1 << 16);
        assert_int_equal(cidr_read(S("10.0.0.0/8"), &networks[0]), ERR_ok);
        assert_int_equal(cidr_read(S("fd00::/8"), &networks[1]), ERR_ok);
        struct cidrs trusted = cidrs_make(networks, 2, &arena);
        fields_init(&fields, &arena, 4);
        struct str rest = str_of(all);
        while (rest.ptr != NULL)
                fields_add_known(&fields, id, str_cut(&rest, '|'));
        assert_int_equal(ip_read(str_of(peer), address), ERR_ok);
        forwarded_walk(&fields, id, &trusted, address);
        ip_write(address, &text);
        if (!str_is(text_str(&text), expected))
                fail_msg("%s from %s: " STR_FMT, all, peer, STR_ARG(text_str(&text)));
        arena_fini(&arena);
}

static void x_forwarded_for_is_walked_from_the_right(void **state)
{
        static const char *const rows[][3] = {
                {"192.0.2.1", "127.0.0.1", "192.0.2.1"}, /* row 157 */
                {"10.0.0.1", "1.2.3.4", "1.2.3.4"},
                {"10.0.0.1", "9.9.9.9, 1.2.3.4, 10.0.0.2", "1.2.3.4"},
                {"10.0.0.1", "9.9.9.9|1.2.3.4|10.0.0.2, 10.0.0.3", "1.2.3.4"},
                {"10.0.0.1", "10.0.0.4, 10.0.0.3", "10.0.0.4"},
                {"10.0.0.1", "", "10.0.0.1"},
                {"10.0.0.1", "1.2.3.4,", "10.0.0.1"},
                {"10.0.0.1", "1.2.3.4, x, 10.0.0.3", "10.0.0.3"},
                {"10.0.0.1", "\"1.2.3.4, 5.6.7.8", "5.6.7.8"},
                {"10.0.0.1", "1.2.3.4:4711", "1.2.3.4"},
                {"10.0.0.1", "1.2.3.4:99999", "10.0.0.1"},
                {"10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"},
                {"10.0.0.1", "2001:db8::1", "2001:db8::1"},
                {"10.0.0.1", "[2001:db8::1]", "2001:db8::1"},
                {"10.0.0.1", "[2001:db8::1]x", "10.0.0.1"},
                {"10.0.0.1", "[1.2.3.4]", "10.0.0.1"},
                {"10.0.0.1", "::ffff:1.2.3.4", "1.2.3.4"},
                {"fd00::1", "2001:db8::1, ::ffff:10.1.1.1", "2001:db8::1"},
                {"10.0.0.1", "unknown", "10.0.0.1"},
                {"10.0.0.1", "localhost", "10.0.0.1"},
        };
        (void)state;
        for (size_t i = 0; i < countof(rows); i++)
                walk(NAME_x_forwarded_for, rows[i][0], rows[i][1], rows[i][2]);
}

static void forwarded_is_walked_the_same_way(void **state)
{
        static const char *const rows[][3] = {
                {"192.0.2.1", "for=127.0.0.1", "192.0.2.1"},
                {"10.0.0.1", "for=1.2.3.4", "1.2.3.4"},
                {"10.0.0.1", "For=\"[2001:DB8::1]:4711\"; proto=https;by=10.0.0.3", "2001:db8::1"},
                {"10.0.0.1", "for=9.9.9.9;host=evil, for=1.2.3.4;proto=http|for=10.0.0.2",
                 "1.2.3.4"},
                {"10.0.0.1", "for=_hidden", "10.0.0.1"},
                {"10.0.0.1", "for=unknown, for=10.0.0.2", "10.0.0.2"},
                {"10.0.0.1", "proto=https", "10.0.0.1"},
                {"10.0.0.1", "for=1.2.3.4;for=5.6.7.8", "10.0.0.1"},
                {"10.0.0.1", "for=\"1.2.3.4", "10.0.0.1"},
                {"10.0.0.1", "for=\"9.9.9.9, for=1.2.3.4", "1.2.3.4"},
                {"10.0.0.1", "for=\"1.2.3\\.4\"", "10.0.0.1"},
                {"10.0.0.1", "for = 1.2.3.4", "10.0.0.1"},
                {"10.0.0.1", "for=1.2.3.4 x", "10.0.0.1"},
                {"10.0.0.1", ";;for=1.2.3.4;", "1.2.3.4"},
        };
        (void)state;
        for (size_t i = 0; i < countof(rows); i++)
                walk(NAME_forwarded, rows[i][0], rows[i][1], rows[i][2]);
}

static void the_walk_has_an_end(void **state)
{
        char memory[16384];
        struct text text = text_over(memory, sizeof memory);
        (void)state;
        text_put(&text, S("1.2.3.4"));
        for (unsigned i = 0; i < 1000; i++)
                text_format(&text, ",10.0.%u.%u", i / 256, i % 256);
        text_char(&text, 0);
        walk(NAME_x_forwarded_for, "10.0.0.1", memory, "10.0.3.200"); /* 1,000 - 32 */
}

static void elements_are_taken_apart(void **state)
{
        struct forwarded_element e;
        (void)state;
        assert_int_equal(forwarded_read(S("host=\"a.test:80\";proto=https;for=x;by=_a;q=1"), &e),
                         ERR_ok);
        assert_str(e.host, "a.test:80");
        assert_str(e.proto, "https");
        assert_str(e.node, "x");
        assert_str(e.by, "_a");
        assert_int_equal(forwarded_read(S("host"), &e), ERR_syntax);
        assert_int_equal(forwarded_read(S("host=a host=b"), &e), ERR_syntax);
}

static void what_we_write_is_read_back(void **state)
{
        static const char *const rows[][4] = {
                {"192.0.2.1", "a.test", "https", "for=192.0.2.1;host=a.test;proto=https"},
                {"2001:db8::1", "a.test:81", "", "for=\"[2001:db8::1]\";host=\"a.test:81\""},
        };
        (void)state;
        for (size_t i = 0; i < countof(rows); i++) {
                char memory[128];
                uint8_t address[16], again[16];
                struct forwarded_element e;
                struct text text = text_over(memory, sizeof memory);
                assert_int_equal(ip_read(str_of(rows[i][0]), address), ERR_ok);
                forwarded_write(address, str_of(rows[i][1]), str_of(rows[i][2]), &text);
                assert_str(text_str(&text), rows[i][3]);
                assert_int_equal(forwarded_read(text_str(&text), &e), ERR_ok);
                assert_int_equal(forwarded_node_read(e.node, again), ERR_ok);
                assert_memory_equal(address, again, 16);
                assert_str(e.host, rows[i][1]);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(x_forwarded_for_is_walked_from_the_right),
                cmocka_unit_test(forwarded_is_walked_the_same_way),
                cmocka_unit_test(the_walk_has_an_end),
                cmocka_unit_test(elements_are_taken_apart),
                cmocka_unit_test(what_we_write_is_read_back),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
