/* proxy.c -- what wire/proxy.h promises: exact headers are read wherever they are cut, all else is
 * refused as soon as it shows, and what is written is read back. Rows 169 and 170. */
#include "wire/proxy.h"

#include "../unit.h"
#include "wire/cidr.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define IPV4      "\xc0\0\2\1\xc6\x33\x64\1\x12\x67\1\xbb" /* 192.0.2.1:4711 198.51.100.1:443 */

static enum proxy_state read_at_once(struct str bytes, struct proxy_header *header, size_t *used)
{
        return proxy_read(bytes, header, used);
}

/* Byte by byte; the first answer but MORE. */
static enum proxy_state read_bytewise(struct str bytes, struct proxy_header *header, size_t *used)
{
        enum proxy_state state = PROXY_MORE;
        for (size_t len = 1; len <= bytes.len && state == PROXY_MORE; len++)
                state = proxy_read(str_first(bytes, len), header, used);
        return state;
}

static void check_text(const uint8_t address[16], const char *expected)
{
        char memory[IP_TEXT_MAX];
        struct text text = text_over(memory, sizeof memory);
        ip_write(address, &text);
        if (!str_is(text_str(&text), expected))
                fail_msg(STR_FMT " is not %s", STR_ARG(text_str(&text)), expected);
}

static void check_read(struct str bytes, size_t len, const char *source, unsigned port)
{
        enum proxy_state (*const ways[])(struct str, struct proxy_header *,
                                         size_t *) = {read_at_once, read_bytewise};
        for (size_t i = 0; i < countof(ways); i++) {
                struct proxy_header header;
                size_t used = 0;
                assert_int_equal(ways[i](bytes, &header, &used), PROXY_DONE);
                assert_int_equal(used, len);
                assert_int_equal(header.is_local, source == NULL);
                if (source == NULL)
                        continue;
                check_text(header.source, source);
                assert_int_equal(header.source_port, port);
        }
}

static void version_1_is_read(void **state)
{
        static const struct {
                const char *text, *source;
                unsigned port;
        } rows[] = {
                {"PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\r\n", "192.0.2.1", 4711},
                {"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", "0.0.0.0", 0},
                {"PROXY TCP6 2001:db8::1 ::1 65535 1\r\n", "2001:db8::1", 65535},
                {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
                 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535},
                {"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 1 2\r\n", "192.0.2.1", 1},
                {"PROXY UNKNOWN\r\n", NULL, 0},
                {"PROXY UNKNOWN 192.0.2.1 whatever\r\n", NULL, 0},
        };
        (void)state;
        for (size_t i = 0; i < countof(rows); i++) {
                char memory[256];
                struct text more = text_over(memory, sizeof memory);
                text_put(&more, str_of(rows[i].text));
                text_put(&more, S("GET / HTTP/1.1\r\n"));
                check_read(text_str(&more), strlen(rows[i].text), rows[i].source, rows[i].port);
        }
}

static void version_2_is_read(void **state)
{
        (void)state;
        check_read(S(SIGNATURE "\x21\x11\0\x0c" IPV4 "GET /"), 28, "192.0.2.1", 4711);
        check_read(S(SIGNATURE "\x21\x21\0\x24\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
                               "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\0\x50\1\xbb"),
                   52, "2001:db8::1", 80);
        check_read(S(SIGNATURE "\x20\0\0\0"), 16, NULL, 0);
        check_read(S(SIGNATURE "\x20\x11\0\x0c" IPV4), 28, NULL, 0);
        check_read(S(SIGNATURE "\x20\xff\0\3abc"), 19, NULL, 0);
}

static void what_is_attached_is_walked_to_its_end(void **state)
{
        (void)state;
        check_read(S(SIGNATURE "\x21\x11\0\x12" IPV4 "\4\0\0\2\0\0"), 34, "192.0.2.1", 4711);
        check_read(S(SIGNATURE "\x21\x11\0\x11" IPV4 "\1\0\2h2"), 33, "192.0.2.1", 4711);
        /* The checksum of the whole header, itself taken as zero. */
        check_read(S(SIGNATURE "\x21\x11\0\x13" IPV4 "\3\0\4\x4d\x3d\x37\xfa"), 35, "192.0.2.1",
                   4711);
}

static void check_refused(struct str bytes)
{
        struct proxy_header header;
        size_t used;
        if (read_at_once(bytes, &header, &used) != PROXY_BAD ||
            read_bytewise(bytes, &header, &used) != PROXY_BAD)
                fail_msg("not refused: " STR_FMT, STR_ARG(bytes));
}

static void version_1_is_strict(void **state)
{
        static const char *const lines[] = {
                "PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\n",
                "PROXY TCP4 192.0.2.1 198.51.100.1 4711 443 \r\n",
                "PROXY TCP4 192.0.2.1 198.51.100.1 4711 443 1\r\n",
                "PROXY TCP4  192.0.2.1 198.51.100.1 4711 443\r\n",
                "PROXY TCP4 192.0.2.1 198.51.100.1 4711\r\n",
                "PROXY TCP4 192.0.2.1 198.51.100.1 04711 443\r\n",
                "PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n",
                "PROXY TCP4 192.0.2.1 198.51.100.1 -1 443\r\n",
                "PROXY TCP4 192.0.2.1 198.51.100.1 4711 +443\r\n",
                "PROXY TCP4 192.0.2.256 198.51.100.1 4711 443\r\n",
                "PROXY TCP4 192.0.2.01 198.51.100.1 4711 443\r\n",
                "PROXY TCP4 2001:db8::1 ::1 4711 443\r\n",
                "PROXY TCP6 192.0.2.1 198.51.100.1 4711 443\r\n",
                "PROXY TCP6 fe80::1%eth0 ::1 4711 443\r\n",
                "PROXY TCP4 host 198.51.100.1 4711 443\r\n",
                "PROXY UDP4 192.0.2.1 198.51.100.1 4711 443\r\n",
                "PROXY tcp4 192.0.2.1 198.51.100.1 4711 443\r\n",
                "PROXY UNKNOWNX\r\n",
                "PROXY TCP4\r\n",
                "PROXY \r\n",
                "PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\r\r\n",
        };
        char memory[200] = "PROXY UNKNOWN ";
        (void)state;
        for (size_t i = 0; i < countof(lines); i++)
                check_refused(str_of(lines[i]));
        check_refused(S("PROXY TCP4 192.0.2.1\0 198.51.100.1 4711 443\r\n"));
        memset(memory + 14, 'x', sizeof memory - 14);
        memory[105] = '\r';
        memory[106] = '\n';
        check_read(str_from(memory, 107), 107, NULL, 0);
        memory[105] = 'x';
        memory[106] = '\r';
        memory[107] = '\n';
        check_refused(str_from(memory, 108));
}

static void version_2_is_strict(void **state)
{
        (void)state;
        check_refused(S(SIGNATURE "\x11\x11\0\x0c" IPV4)); /* version 1 in this form */
        check_refused(S(SIGNATURE "\x22\x11\0\x0c" IPV4)); /* no such command */
        check_refused(S(SIGNATURE "\x21\0\0\0"));          /* whose it is remains open */
        check_refused(S(SIGNATURE "\x21\x12\0\x0c" IPV4)); /* datagrams */
        check_refused(S(SIGNATURE "\x21\x31\0\xd8"));      /* unix sockets */
        check_refused(S(SIGNATURE "\x21\x41\0\x0c" IPV4));
        check_refused(S(SIGNATURE "\x21\x11\0\x0b" IPV4)); /* shorter than its addresses */
        check_refused(S(SIGNATURE "\x21\x21\0\x0c" IPV4));
        check_refused(S(SIGNATURE "\x21\x11\xff\xff" IPV4)); /* longer than anybody needs */
        check_refused(S(SIGNATURE "\x20\x11\xff\xff" IPV4));
        check_refused(S(SIGNATURE "\x21\x11\0\x0d" IPV4 "\4")); /* runs past the end */
        check_refused(S(SIGNATURE "\x21\x11\0\x0f" IPV4 "\4\0\1"));
        check_refused(S(SIGNATURE "\x21\x11\0\x10" IPV4 "\4\xff\xff\0"));
        check_refused(S(SIGNATURE "\x21\x11\0\x13" IPV4 "\3\0\4\x4d\x3d\x37\xfb"));
        check_refused(S(SIGNATURE "\x21\x11\0\x12" IPV4 "\3\0\3\x4d\x3d\x37"));
}

static void what_is_no_header_is_told_at_once(void **state)
{
        static const struct {
                const char *bytes;
                enum proxy_state state;
        } rows[] = {
                {"", PROXY_MORE},      {"P", PROXY_MORE},         {"PRO", PROXY_MORE},
                {"PR", PROXY_MORE},    {"PROXY", PROXY_MORE},     {"PROXY ", PROXY_MORE},
                {"POST", PROXY_NONE},  {"PRI * ", PROXY_NONE},    {"PROXYX", PROXY_NONE},
                {"GET ", PROXY_NONE},  {"proxy ", PROXY_NONE},    {"\r\n", PROXY_MORE},
                {"\r\nG", PROXY_NONE}, {"\r\n\r\nG", PROXY_NONE}, {"\x16\x03", PROXY_NONE},
        };
        (void)state;
        for (size_t i = 0; i < countof(rows); i++) {
                struct proxy_header header;
                size_t used;
                if (proxy_read(str_of(rows[i].bytes), &header, &used) != rows[i].state)
                        fail_msg("\"%s\"", rows[i].bytes);
        }
}

static struct proxy_header header_of(const char *source, const char *target)
{
        struct proxy_header header = {.source_port = 4711, .target_port = 443};
        assert_int_equal(ip_read(str_of(source), header.source), ERR_ok);
        assert_int_equal(ip_read(str_of(target), header.target), ERR_ok);
        return header;
}

static void what_is_written_is_read_back(void **state)
{
        static const char *const rows[][2] = {{"192.0.2.1", "198.51.100.1"},
                                              {"2001:db8::1", "::1"},
                                              {"192.0.2.1", "2001:db8::1"},
                                              {"2001:db8::1", "192.0.2.1"},
                                              {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                                               "fffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}};
        (void)state;
        for (size_t i = 0; i < 2 * countof(rows); i++) {
                struct proxy_header header = header_of(rows[i / 2][0], rows[i / 2][1]), again;
                char memory[PROXY_WRITE_MAX];
                struct text text = text_over(memory, sizeof memory);
                size_t used;
                proxy_write(i % 2 == 0 ? PROXY_V1 : PROXY_V2, &header, &text);
                assert_false(text.is_cut);
                assert_int_equal(proxy_read(text_str(&text), &again, &used), PROXY_DONE);
                assert_int_equal(used, text.len);
                assert_memory_equal(again.source, header.source, 16);
                assert_memory_equal(again.target, header.target, 16);
                assert_int_equal(again.source_port, 4711);
                assert_int_equal(again.target_port, 443);
                assert_false(again.is_local);
        }
}

static void what_is_our_own_says_so(void **state)
{
        struct proxy_header own = {.is_local = true};
        char memory[PROXY_WRITE_MAX];
        struct text text = text_over(memory, sizeof memory);
        (void)state;
        proxy_write(PROXY_V1, &own, &text);
        assert_true(str_is(text_str(&text), "PROXY UNKNOWN\r\n"));
        text.len = 0;
        proxy_write(PROXY_V2, &own, &text);
        assert_true(str_eq(text_str(&text), S(SIGNATURE "\x20\0\0\0")));
        text.len = 0;
        proxy_write(PROXY_OFF, &own, &text);
        assert_int_equal(text.len, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(version_1_is_read),
                cmocka_unit_test(version_2_is_read),
                cmocka_unit_test(what_is_attached_is_walked_to_its_end),
                cmocka_unit_test(version_1_is_strict),
                cmocka_unit_test(version_2_is_strict),
                cmocka_unit_test(what_is_no_header_is_told_at_once),
                cmocka_unit_test(what_is_written_is_read_back),
                cmocka_unit_test(what_is_our_own_says_so),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
