/* unit.c -- what wire/unit.h promises. */
#include "wire/unit.h"

#include "../unit.h"

typedef enum err reader_fn(struct str s, int64_t *ret_value);
typedef void writer_fn(int64_t value, struct text *out);

struct quantity {
        const char *text;
        int64_t value;
        enum err err;
        const char *shortest; /* NULL: the text itself */
};

static void check(const struct quantity *cases, size_t count, reader_fn *read, writer_fn *write)
{
        for (size_t i = 0; i < count; i++) {
                char memory[64];
                int64_t value = -7;
                struct text out = text_over(memory, sizeof memory);
                enum err err = read(str_of(cases[i].text), &value);
                if (err != cases[i].err)
                        print_error("%s\n", cases[i].text);
                assert_int_equal(err, cases[i].err);
                assert_int_equal(value, err == ERR_ok ? cases[i].value : -7);
                if (err != ERR_ok || write == NULL)
                        continue;
                write(value, &out);
                assert_str(text_str(&out),
                           cases[i].shortest == NULL ? cases[i].text : cases[i].shortest);
        }
}

static void durations_are_read_and_written_back(void **state)
{
        static const struct quantity cases[] = {
                {"30s", 30 * SECOND},
                {"500ms", 500 * MILLISECOND},
                {"1.5s", 1500 * MILLISECOND},
                {"5m", 5 * MINUTE},
                {"5min", 5 * MINUTE, .shortest = "5m"},
                {"1h30m", 90 * MINUTE},
                {"24h", DAY, .shortest = "1d"},
                {"2w", 14 * DAY, .shortest = "14d"},
                {"0s", 0},
                {"0.25ms", 250 * MICROSECOND},
                {"0.5d", 12 * HOUR, .shortest = "12h"},
                {"90s", 90 * SECOND, .shortest = "1m30s"},
                {"", 0, ERR_syntax},
                {"30", 0, ERR_syntax},
                {"s", 0, ERR_syntax},
                {"30 s", 0, ERR_syntax},
                {"30S", 0, ERR_syntax},
                {"-30s", 0, ERR_syntax},
                {"1.2.3s", 0, ERR_syntax},
                {".5s", 0, ERR_syntax},
                {"5.s", 0, ERR_syntax},
                {"1h30", 0, ERR_syntax},
                {"1y", 0, ERR_syntax},
                {"0.0000000001s", 0, ERR_range},
                {"0.0000001ms", 0, ERR_range},
                {"99999999999w", 0, ERR_range},
                {"99999999999999999999s", 0, ERR_range},
                {"15000w15000w", 0, ERR_range},
        };
        (void)state;
        check(cases, countof(cases), duration_read, duration_write);
}

static void sizes_need_a_unit_and_whole_bytes(void **state)
{
        static const struct quantity cases[] = {
                {"512B", 512},
                {"64KiB", 64 * KIB},
                {"10MiB", 10 * MIB},
                {"1024MiB", GIB, .shortest = "1GiB"},
                {"1.5KiB", 1536, .shortest = "1536B"},
                {"10MB", 10000000},
                {"0B", 0},
                {"1TiB", 1024 * GIB},
                {"0.5B", 0, ERR_range},
                {"10", 0, ERR_syntax},
                {"10M", 0, ERR_syntax},
                {"10mib", 0, ERR_syntax},
                {"10MiBMiB", 0, ERR_syntax},
                {"10MiB5KiB", 0, ERR_syntax},
                {"9999999999TiB", 0, ERR_range},
        };
        static const struct quantity rates[] = {
                {"240B/s", 240}, {"1KiB/s", KIB}, {"240B", 0, ERR_syntax}, {"/s", 0, ERR_syntax}};
        (void)state;
        check(cases, countof(cases), size_read, size_write);
        check(rates, countof(rates), byte_rate_read, NULL);
}

static void shares_lie_between_none_and_all(void **state)
{
        static const struct quantity cases[] = {
                {"10%", 10 * PERCENT},    {"0%", 0},
                {"100%", 100 * PERCENT},  {"2.5%", 25000},
                {"0.0001%", 1},           {"0.00001%", 0, ERR_range},
                {"100.1%", 0, ERR_range}, {"10", 0, ERR_syntax},
                {"ten%", 0, ERR_syntax},  {"%", 0, ERR_syntax},
                {"10%%", 0, ERR_syntax},
        };
        (void)state;
        check(cases, countof(cases), share_read, share_write);
}

static void rates_say_how_many_how_often_and_for_whom(void **state)
{
        static const struct {
                const char *text;
                int64_t count, period;
                enum rate_by by;
                const char *name;
        } cases[] = {
                {"100/min", 100, MINUTE, RATE_BY_unsaid, ""},
                {"50/s per consumer", 50, SECOND, RATE_BY_consumer, ""},
                {"1000/month per ip", 1000, RATE_MONTH, RATE_BY_ip, ""},
                {"5/h per channel", 5, HOUR, RATE_BY_channel, ""},
                {"5/day per credential", 5, DAY, RATE_BY_credential, ""},
                {"5/day per header:X-Team", 5, DAY, RATE_BY_header, "X-Team"},
                {"5/day per claim:org.id", 5, DAY, RATE_BY_claim, "org.id"},
        };
        static const char *const none[] = {"",
                                           "100",
                                           "100 per minute",
                                           "100/minute",
                                           "/min",
                                           "100/",
                                           "-5/s",
                                           "5/s per",
                                           "5/s per ",
                                           "5/s per moon",
                                           "5/s per ip ",
                                           "_5/s",
                                           "5/s per header",
                                           "5/s per header:",
                                           "5/s per header:a b",
                                           "5/s per ip:x",
                                           "5.5/s",
                                           "5/s  per ip",
                                           "99999999999999999999/s"};
        struct rate rate;
        (void)state;
        for (size_t i = 0; i < countof(cases); i++) {
                char memory[64];
                struct text out = text_over(memory, sizeof memory);
                assert_int_equal(rate_read(str_of(cases[i].text), &rate), ERR_ok);
                assert_int_equal(rate.count, cases[i].count);
                assert_int_equal(rate.period_ns, cases[i].period);
                assert_int_equal(rate.by, cases[i].by);
                assert_str(rate.name, cases[i].name);
                rate_write(&rate, &out);
                assert_str(text_str(&out), cases[i].text);
        }
        assert_int_equal(rate_read(S("1_000_000/s"), &rate), ERR_ok);
        assert_int_equal(rate.count, 1000000);
        for (size_t i = 0; i < countof(none); i++)
                assert_int_not_equal(rate_read(str_of(none[i]), &rate), ERR_ok);
}

static void addresses_have_a_host_or_none_and_a_port(void **state)
{
        struct host_port at;
        (void)state;
        assert_int_equal(host_port_read(S("localhost:8080"), &at), ERR_ok);
        assert_str(at.host, "localhost");
        assert_int_equal(at.port, 8080);
        assert_int_equal(host_port_read(S(":443"), &at), ERR_ok);
        assert_str(at.host, "");
        assert_int_equal(host_port_read(S("[::1]:80"), &at), ERR_ok);
        assert_str(at.host, "::1");
        static const char *const none[] = {
                "",        "localhost",       "8080", "localhost:", "a:b:1",  "[::1]80",
                "[::1:80", "localhost:65536", "[]:1", "a/b:80",     "a b:80", "localhost:-1",
                "*:80",    "host:00080x"};
        for (size_t i = 0; i < countof(none); i++)
                assert_int_not_equal(host_port_read(str_of(none[i]), &at), ERR_ok);
}

static void loopback_is_what_nobody_else_can_reach(void **state)
{
        (void)state;
        assert_true(host_is_loopback(S("localhost")));
        assert_true(host_is_loopback(S("127.0.0.1")));
        assert_true(host_is_loopback(S("127.8.9.1")));
        assert_true(host_is_loopback(S("::1")));
        assert_true(host_is_loopback(S("0:0:0:0:0:0:0:1")));
        assert_true(host_is_loopback(S("::ffff:127.0.0.1")));
        assert_false(host_is_loopback(S("::")));
        assert_false(host_is_loopback(S("127.1")));
        assert_false(host_is_loopback(S("")));
        assert_false(host_is_loopback(S("127.example.com")));
        assert_false(host_is_loopback(S("127.")));
        assert_false(host_is_loopback(S("10.0.0.1")));
        assert_false(host_is_loopback(S("localhost.example.com")));
}

static void urls_are_taken_apart_and_odd_ones_refused(void **state)
{
        struct url url;
        (void)state;
        assert_int_equal(url_read(S("http://orders:8080/v1/"), &url), ERR_ok);
        assert_str(url.scheme, "http");
        assert_str(url.host, "orders");
        assert_int_equal(url.port, 8080);
        assert_str(url.path, "/v1/");
        assert_int_equal(url_read(S("https://[2001:db8::1]"), &url), ERR_ok);
        assert_str(url.host, "2001:db8::1");
        assert_int_equal(url.port, 443);
        assert_str(url.path, "");
        static const char *const none[] = {"",
                                           "orders",
                                           "//orders",
                                           "ftp://a",
                                           "HTTP://a",
                                           "http://",
                                           "http:///x",
                                           "http://a:b",
                                           "http://a:70000",
                                           "http://a:0",
                                           "http://a:00/x",
                                           "http://u@a",
                                           "http://a?x",
                                           "http://a/b#c",
                                           "http://a/b c",
                                           "http://a\\b",
                                           "http://a:/x",
                                           "http://[::1",
                                           "http://a/\x7f",
                                           "http://a b/"};
        for (size_t i = 0; i < countof(none); i++) {
                assert_int_not_equal(url_read(str_of(none[i]), &url), ERR_ok);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(durations_are_read_and_written_back),
                cmocka_unit_test(sizes_need_a_unit_and_whole_bytes),
                cmocka_unit_test(shares_lie_between_none_and_all),
                cmocka_unit_test(rates_say_how_many_how_often_and_for_whom),
                cmocka_unit_test(addresses_have_a_host_or_none_and_a_port),
                cmocka_unit_test(loopback_is_what_nobody_else_can_reach),
                cmocka_unit_test(urls_are_taken_apart_and_odd_ones_refused),
        };
        return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
