/* date.c -- dates by arithmetic. Days are counted from 1970-01-01 in eras of 400 years that begin
 * on the first of March, so that a leap day is always the last of a year. */
#include "wire/date.h"

enum {
        DAY_SECONDS = 86400,
        ERA_DAYS = 146097,   /* in 400 years */
        EPOCH_DAYS = 719468, /* from 0000-03-01 to 1970-01-01 */
};

static const int64_t seconds_min = -62167219200; /* 0000-01-01T00:00:00Z */
static const int64_t seconds_max = 253402300799; /* 9999-12-31T23:59:59Z */

static const char day_names[] = "ThuFriSatSunMonTueWed"; /* from 1970-01-01 on */
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

struct date {
        unsigned year, month, day, hour, minute, second;
};

static int64_t days_of(const struct date *d)
{
        int64_t year = (int64_t)d->year - (d->month <= 2);
        int64_t era = (year >= 0 ? year : year - 399) / 400;
        int64_t year_of_era = year - era * 400;
        int64_t month = d->month > 2 ? d->month - 3 : d->month + 9;
        int64_t day_of_year = (153 * month + 2) / 5 + d->day - 1;
        int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        return era * ERA_DAYS + day_of_era - EPOCH_DAYS;
}

/* *ret_day_name: of the week, counted from a Thursday. */
static struct date date_of(int64_t seconds, unsigned *ret_day_name)
{
        struct date d;
        if (seconds < seconds_min)
                seconds = seconds_min;
        if (seconds > seconds_max)
                seconds = seconds_max;
        int64_t days = seconds / DAY_SECONDS, rest = seconds % DAY_SECONDS;
        if (rest < 0) {
                rest += DAY_SECONDS;
                days--;
        }
        *ret_day_name = (unsigned)((days % 7 + 7) % 7);
        d.hour = (unsigned)(rest / 3600);
        d.minute = (unsigned)(rest / 60 % 60);
        d.second = (unsigned)(rest % 60);
        days += EPOCH_DAYS;
        int64_t era = (days >= 0 ? days : days - ERA_DAYS + 1) / ERA_DAYS;
        int64_t of_era = days - era * ERA_DAYS;
        int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
        int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
        int64_t month = (5 * of_year + 2) / 153;
        d.day = (unsigned)(of_year - (153 * month + 2) / 5 + 1);
        d.month = (unsigned)(month < 10 ? month + 3 : month - 9);
        d.year = (unsigned)(year + era * 400 + (d.month <= 2));
        return d;
}

/* `count` digits, leading zeros kept. */
static void put_digits(char *at, unsigned value, unsigned count)
{
        while (count > 0) {
                at[--count] = (char)('0' + value % 10);
                value /= 10;
        }
}

void date_write_http(int64_t seconds, struct text *out)
{
        char line[DATE_HTTP_LENGTH + 1] = "Ddd, 00 Mmm 0000 00:00:00 GMT";
        unsigned day_name;
        struct date d = date_of(seconds, &day_name);
        memcpy(line, day_names + day_name * 3, 3);
        put_digits(line + 5, d.day, 2);
        memcpy(line + 8, month_names + (d.month - 1) * 3, 3);
        put_digits(line + 12, d.year, 4);
        put_digits(line + 17, d.hour, 2);
        put_digits(line + 20, d.minute, 2);
        put_digits(line + 23, d.second, 2);
        text_put(out, str_from(line, DATE_HTTP_LENGTH));
}

void date_write_rfc3339(int64_t ms, struct text *out)
{
        char line[DATE_RFC3339_LENGTH + 1] = "0000-00-00T00:00:00.000Z";
        unsigned day_name;
        int64_t seconds = ms / 1000, rest = ms % 1000;
        if (rest < 0) {
                rest += 1000;
                seconds--;
        }
        struct date d = date_of(seconds, &day_name);
        put_digits(line, d.year, 4);
        put_digits(line + 5, d.month, 2);
        put_digits(line + 8, d.day, 2);
        put_digits(line + 11, d.hour, 2);
        put_digits(line + 14, d.minute, 2);
        put_digits(line + 17, d.second, 2);
        put_digits(line + 20, (unsigned)rest, 3);
        text_put(out, str_from(line, DATE_RFC3339_LENGTH));
}

void date_write_again(struct date_memo *memo, int64_t ms, struct text *out)
{
        int64_t second = ms / 1000;
        char line[DATE_RFC3339_LENGTH];
        if (ms < 0 || !memo->is_made || memo->second != second) {
                struct text text = text_over(memo->text, sizeof memo->text);
                date_write_rfc3339(ms, &text);
                memo->second = second;
                memo->is_made = ms >= 0;
        }
        memcpy(line, memo->text, sizeof line);
        if (ms >= 0)
                put_digits(line + 20, (unsigned)(ms % 1000), 3);
        text_put(out, str_from(line, sizeof line));
}

/* True when s looks like form, where '0' stands for a digit and 'x' for anything. */
static bool has_form(struct str s, struct str form)
{
        if (s.len != form.len)
                return false;
        for (size_t i = 0; i < s.len; i++) {
                bool is_good = form.ptr[i] == '0'   ? char_is_digit(s.ptr[i])
                               : form.ptr[i] == 'x' ? true
                                                    : s.ptr[i] == form.ptr[i];
                if (!is_good)
                        return false;
        }
        return true;
}

static unsigned digits_at(struct str s, size_t at, size_t count)
{
        unsigned value = 0;
        for (size_t i = at; i < at + count; i++)
                value = value * 10 + (unsigned)(s.ptr[i] - '0');
        return value;
}

static unsigned month_length(unsigned year, unsigned month)
{
        static const uint8_t lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        return lengths[month - 1] + (month == 2 && is_leap);
}

static bool is_date(const struct date *d)
{
        return d->month >= 1 && d->month <= 12 && d->day >= 1 &&
               d->day <= month_length(d->year, d->month) && d->hour < 24 && d->minute < 60 &&
               d->second <= 60;
}

static int64_t seconds_of(const struct date *d)
{
        return days_of(d) * DAY_SECONDS + d->hour * 3600 + d->minute * 60 + d->second;
}

enum err date_read_http(struct str s, int64_t *ret_seconds)
{
        if (!has_form(s, S("xxx, 00 xxx 0000 00:00:00 GMT")))
                return ERR_syntax;
        struct date d = {.year = digits_at(s, 12, 4),
                         .day = digits_at(s, 5, 2),
                         .hour = digits_at(s, 17, 2),
                         .minute = digits_at(s, 20, 2),
                         .second = digits_at(s, 23, 2)};
        for (unsigned i = 0; i < 12; i++) {
                if (memcmp(month_names + i * 3, s.ptr + 8, 3) == 0)
                        d.month = i + 1;
        }
        if (!is_date(&d))
                return ERR_syntax;
        int64_t day_name = (days_of(&d) % 7 + 7) % 7;
        if (memcmp(day_names + day_name * 3, s.ptr, 3) != 0)
                return ERR_syntax;
        *ret_seconds = seconds_of(&d);
        return ERR_ok;
}

/* ".5" and the like; *rest goes behind it. */
static bool read_fraction(struct str *rest, unsigned *ret_ms)
{
        unsigned ms = 0, digits = 0;
        if (rest->len == 0 || rest->ptr[0] != '.') {
                *ret_ms = 0;
                return true;
        }
        *rest = str_skip(*rest, 1);
        while (rest->len > 0 && char_is_digit(rest->ptr[0])) {
                if (digits < 3)
                        ms = ms * 10 + (unsigned)(rest->ptr[0] - '0');
                digits++;
                *rest = str_skip(*rest, 1);
        }
        for (unsigned i = digits; i < 3; i++)
                ms *= 10;
        *ret_ms = ms;
        return digits > 0;
}

static bool read_offset(struct str s, int64_t *ret_seconds)
{
        if (str_eq_nocase(s, S("Z"))) {
                *ret_seconds = 0;
                return true;
        }
        if (!has_form(s, S("x00:00")) || (s.ptr[0] != '+' && s.ptr[0] != '-'))
                return false;
        unsigned hours = digits_at(s, 1, 2), minutes = digits_at(s, 4, 2);
        int64_t seconds = (int64_t)hours * 3600 + minutes * 60;
        *ret_seconds = s.ptr[0] == '-' ? -seconds : seconds;
        return hours < 24 && minutes < 60;
}

enum err date_read_rfc3339(struct str s, int64_t *ret_ms)
{
        unsigned ms;
        int64_t offset;
        struct str date = str_first(s, 19), rest = str_skip(s, 19);
        if (!has_form(date, S("0000-00-00x00:00:00")) ||
            (date.ptr[10] != 'T' && date.ptr[10] != 't' && date.ptr[10] != ' '))
                return ERR_syntax;
        struct date d = {digits_at(s, 0, 4),  digits_at(s, 5, 2),  digits_at(s, 8, 2),
                         digits_at(s, 11, 2), digits_at(s, 14, 2), digits_at(s, 17, 2)};
        if (!is_date(&d) || !read_fraction(&rest, &ms) || !read_offset(rest, &offset))
                return ERR_syntax;
        *ret_ms = (seconds_of(&d) - offset) * 1000 + ms;
        return ERR_ok;
}
