/* date.c -- dates agree with the C library's where it can be asked, and are read strictly. */
#include "wire/date.h"

#include <time.h>

#include "../unit.h"
#include "base/rand.h"

static const int64_t first = -62167219200, last = 253402300799;

static void http_dates_agree_with_the_library(void **state)
{
        (void)state;
        for (int i = 0; i < 100000; i++) {
                int64_t seconds = first + (int64_t)rand_below((uint64_t)(last - first));
                if (i < 3)
                        seconds = i == 0 ? first : i == 1 ? last : 0;
                char memory[DATE_HTTP_LENGTH], expected[64];
                struct text text = text_over(memory, sizeof memory);
                struct tm tm;
                time_t t = (time_t)seconds;
                gmtime_r(&t, &tm);
                size_t n = strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &tm);
                date_write_http(seconds, &text);
                int64_t again = 0;
                assert_int_equal(date_read_http(text_str(&text), &again), ERR_ok);
                assert_true(again == seconds);
                if (tm.tm_year >= -900) /* strftime pads no year */
                        assert_str_eq(text_str(&text), str_from(expected, n));
        }
}

static void other_http_dates_are_refused(void **state)
{
        static const char *const bad[] = {
                "Thu, 20 Nov 2026 10:00:00 GMT",  "Fri, 20 Nov 2026 10:00:00 UTC",
                "fri, 20 Nov 2026 10:00:00 GMT",  "Fri, 20 nov 2026 10:00:00 GMT",
                "Fri, 20 Nov 2026 24:00:00 GMT",  "Fri, 20 Nov 2026 10:60:00 GMT",
                "Fri, 20 Nov 2026 10:00:61 GMT",  "Fri, 32 Nov 2026 10:00:00 GMT",
                "Sun, 29 Feb 2026 10:00:00 GMT",  "Fri, 0 Nov 2026 10:00:00 GMT",
                "Friday, 20-Nov-26 10:00:00 GMT", "Fri Nov 20 10:00:00 2026",
                "Fri, 20 Nov 2026 10:00:00 GMT ", "",
                "Fri, 20 Nov +026 10:00:00 GMT",  "Fri, 00 Nov 2026 10:00:00 GMT",
        };
        int64_t seconds;
        (void)state;
        for (size_t i = 0; i < countof(bad); i++)
                assert_int_equal(date_read_http(str_of(bad[i]), &seconds), ERR_syntax);
        assert_int_equal(date_read_http(S("Sat, 31 Dec 2016 23:59:60 GMT"), &seconds), ERR_ok);
        assert_true(seconds == 1483228800);
}

static void rfc3339_is_written_and_read(void **state)
{
        static const struct {
                const char *text;
                int64_t ms;
        } rows[] = {
                {"1970-01-01T00:00:00.000Z", 0},
                {"1969-12-31T23:59:59.999Z", -1},
                {"2026-11-20T10:00:00.123Z", 1795168800123},
                {"0000-01-01T00:00:00.000Z", -62167219200000},
                {"9999-12-31T23:59:59.999Z", 253402300799999},
        };
        static const struct {
                const char *text;
                int64_t ms;
        } others[] = {
                {"2026-11-20T10:00:00Z", 1795168800000},
                {"2026-11-20t10:00:00z", 1795168800000},
                {"2026-11-20 12:30:00+02:30", 1795168800000},
                {"2026-11-20T08:00:00.5-02:00", 1795168800500},
                {"2026-11-20T10:00:00.1239999999Z", 1795168800123},
                {"2024-02-29T00:00:00Z", 1709164800000},
        };
        static const char *const bad[] = {
                "",
                "2026-11-20",
                "2026-11-20T10:00:00",
                "2026-11-20T10:00:00.Z",
                "2026-13-20T10:00:00Z",
                "2026-02-29T10:00:00Z",
                "2026-11-20T10:00:00+24:00",
                "2026-11-20T10:00:00+0200",
                "2026-11-20T10:00Z",
                "2026-11-20T10:00:00Z ",
                "1900-02-29T00:00:00Z",
                "2026-11-20T10:00:00*02:00",
        };
        int64_t ms;
        (void)state;
        for (size_t i = 0; i < countof(rows); i++) {
                char memory[DATE_RFC3339_LENGTH];
                struct text text = text_over(memory, sizeof memory);
                date_write_rfc3339(rows[i].ms, &text);
                assert_str(text_str(&text), rows[i].text);
                assert_int_equal(date_read_rfc3339(text_str(&text), &ms), ERR_ok);
                assert_true(ms == rows[i].ms);
        }
        for (size_t i = 0; i < countof(others); i++) {
                assert_int_equal(date_read_rfc3339(str_of(others[i].text), &ms), ERR_ok);
                assert_true(ms == others[i].ms);
        }
        for (size_t i = 0; i < countof(bad); i++)
                assert_int_equal(date_read_rfc3339(str_of(bad[i]), &ms), ERR_syntax);
}

static void moments_outside_the_years_are_clamped(void **state)
{
        char memory[64];
        struct text text = text_over(memory, sizeof memory);
        (void)state;
        date_write_http(INT64_MAX, &text);
        assert_str(text_str(&text), "Fri, 31 Dec 9999 23:59:59 GMT");
        text.len = 0;
        date_write_rfc3339(INT64_MIN, &text);
        assert_int_equal(text.len, DATE_RFC3339_LENGTH);
}

static void dates_in_a_row_are_each_what_they_are_alone(void **state)
{
        static const int64_t steps[] = {0,    1,        998,
                                        1,    60000,    -60000,
                                        -999, 86400000, -1795341600999,
                                        -1,   -1000,    5,
                                        995,  1,        INT64_MAX / 1000000};
        struct date_memo memo = {0};
        int64_t ms = 1795341600123;
        (void)state;
        for (size_t i = 0; i < countof(steps); i++) {
                char one[DATE_RFC3339_LENGTH], other[DATE_RFC3339_LENGTH];
                struct text text = text_over(one, sizeof one);
                struct text again = text_over(other, sizeof other);
                ms += steps[i];
                date_write_rfc3339(ms, &text);
                date_write_again(&memo, ms, &again);
                assert_str_eq(text_str(&again), text_str(&text));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(http_dates_agree_with_the_library),
                cmocka_unit_test(other_http_dates_are_refused),
                cmocka_unit_test(rfc3339_is_written_and_read),
                cmocka_unit_test(dates_in_a_row_are_each_what_they_are_alone),
                cmocka_unit_test(moments_outside_the_years_are_clamped),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
