/* unit.c -- quantities as people write them, by tables of units. A fraction is good as long as it
 * is a whole number of the smallest unit. */
#include "wire/unit.h"

#include "wire/cidr.h"

struct unit {
        struct str name;
        int64_t value;
};

static const struct unit durations[] = {
        {S_INIT("ms"), MILLISECOND}, {S_INIT("s"), SECOND}, {S_INIT("min"), MINUTE},
        {S_INIT("m"), MINUTE},       {S_INIT("h"), HOUR},   {S_INIT("d"), DAY},
        {S_INIT("w"), 7 * DAY},
};

static const struct unit sizes[] = {
        {S_INIT("B"), 1},        {S_INIT("KiB"), KIB},        {S_INIT("MiB"), MIB},
        {S_INIT("GiB"), GIB},    {S_INIT("TiB"), 1024 * GIB}, {S_INIT("kB"), 1000},
        {S_INIT("MB"), 1000000}, {S_INIT("GB"), 1000000000},  {S_INIT("TB"), 1000000000000},
};

static const struct unit percents[] = {{S_INIT("%"), PERCENT}};

static const struct unit periods[] = {
        {S_INIT("s"), SECOND}, {S_INIT("min"), MINUTE},       {S_INIT("h"), HOUR},
        {S_INIT("day"), DAY},  {S_INIT("month"), RATE_MONTH},
};

static const struct unit *unit_find(const struct unit *units, size_t count, struct str name)
{
        for (size_t i = 0; i < count; i++) {
                if (str_eq(units[i].name, name))
                        return &units[i];
        }
        return NULL;
}

/* Cuts off what stands before the first character that is not in the class. */
static struct str cut_run(struct str *s, bool (*is_in)(char c))
{
        size_t n = 0;
        while (n < s->len && is_in(s->ptr[n]))
                n++;
        struct str run = str_first(*s, n);
        *s = str_skip(*s, n);
        return run;
}

static bool is_number(char c)
{
        return char_is_digit(c) || c == '.';
}

static bool is_unit(char c)
{
        return !is_number(c);
}

/* "12.5" of a unit. The fraction must come out even. */
static enum err scale(struct str number, int64_t unit, int64_t *ret_value)
{
        uint64_t whole, part = 0, power = 1;
        struct str fraction = number;
        struct str digits = str_cut(&fraction, '.');
        enum err err = str_to_u64(digits, &whole);
        if (err == ERR_ok && fraction.ptr != NULL)
                err = fraction.len > 9 ? ERR_range : str_to_u64(fraction, &part);
        if (err != ERR_ok)
                return err;
        for (size_t i = 0; i < fraction.len; i++)
                power *= 10;
        int64_t product, rest;
        if (whole > INT64_MAX || mul_overflows((int64_t)whole, unit, &product) ||
            mul_overflows((int64_t)part, unit, &rest) || rest % (int64_t)power != 0 ||
            add_overflows(product, rest / (int64_t)power, ret_value))
                return ERR_range;
        return ERR_ok;
}

/* One number with its unit, cut off the start of s. */
static enum err read_one(struct str *s, const struct unit *units, size_t count, int64_t *ret_value)
{
        struct str number = cut_run(s, is_number);
        const struct unit *unit = unit_find(units, count, cut_run(s, is_unit));
        return unit == NULL ? ERR_syntax : scale(number, unit->value, ret_value);
}

enum err duration_read(struct str s, int64_t *ret_ns)
{
        int64_t total = 0, part;
        do {
                enum err err = read_one(&s, durations, countof(durations), &part);
                if (err != ERR_ok)
                        return err;
                if (add_overflows(total, part, &total))
                        return ERR_range;
        } while (s.len > 0);
        *ret_ns = total;
        return ERR_ok;
}

static enum err read_single(struct str s, const struct unit *units, size_t count,
                            int64_t *ret_value)
{
        int64_t value;
        enum err err = read_one(&s, units, count, &value);
        if (err == ERR_ok && s.len > 0)
                err = ERR_syntax;
        if (err == ERR_ok)
                *ret_value = value;
        return err;
}

enum err size_read(struct str s, int64_t *ret_bytes)
{
        return read_single(s, sizes, countof(sizes), ret_bytes);
}

enum err byte_rate_read(struct str s, int64_t *ret_bytes)
{
        if (!str_ends(s, S("/s")))
                return ERR_syntax;
        return size_read(str_first(s, s.len - 2), ret_bytes);
}

enum err share_read(struct str s, int64_t *ret_ppm)
{
        int64_t value;
        enum err err = read_single(s, percents, countof(percents), &value);
        if (err == ERR_ok && value > 100 * PERCENT)
                err = ERR_range;
        if (err == ERR_ok)
                *ret_ppm = value;
        return err;
}

/* Digits with `_` between them. */
static enum err count_read(struct str s, int64_t *ret_count)
{
        int64_t count = 0;
        if (s.len == 0 || !char_is_digit(s.ptr[0]))
                return ERR_syntax;
        for (size_t i = 0; i < s.len; i++) {
                if (s.ptr[i] == '_')
                        continue;
                if (!char_is_digit(s.ptr[i]))
                        return ERR_syntax;
                if (mul_overflows(count, (int64_t)10, &count) ||
                    add_overflows(count, (int64_t)(s.ptr[i] - '0'), &count))
                        return ERR_range;
        }
        *ret_count = count;
        return ERR_ok;
}

static const struct str bys[] = {
        [RATE_BY_unsaid] = S_INIT(""),
        [RATE_BY_consumer] = S_INIT("consumer"),
        [RATE_BY_ip] = S_INIT("ip"),
        [RATE_BY_channel] = S_INIT("channel"),
        [RATE_BY_credential] = S_INIT("credential"),
        [RATE_BY_header] = S_INIT("header"),
        [RATE_BY_claim] = S_INIT("claim"),
};

static bool is_name(struct str name, bool is_header)
{
        for (size_t i = 0; i < name.len; i++) {
                char c = name.ptr[i], lower = char_lower(c);
                bool is_good = char_is_digit(c) || (lower >= 'a' && lower <= 'z') ||
                               (is_header ? c == '-' : c == '_' || c == '.');
                if (!is_good)
                        return false;
        }
        return name.len > 0;
}

static enum err read_by(struct str s, struct rate *rate)
{
        struct str name = s;
        struct str by = str_cut(&name, ':');
        for (size_t i = RATE_BY_consumer; i < countof(bys); i++) {
                bool is_named = i == RATE_BY_header || i == RATE_BY_claim;
                if (!str_eq(by, bys[i]) || is_named != (name.ptr != NULL))
                        continue;
                if (is_named && !is_name(name, i == RATE_BY_header))
                        return ERR_syntax;
                rate->by = (enum rate_by)i;
                rate->name = is_named ? name : STR_NONE;
                return ERR_ok;
        }
        return ERR_syntax;
}

enum err rate_read(struct str s, struct rate *ret_rate)
{
        struct rate rate = {0};
        ptrdiff_t per = str_find_str(s, S(" per "));
        struct str period = per < 0 ? s : str_first(s, (size_t)per);
        struct str count = str_cut(&period, '/');
        const struct unit *unit = unit_find(periods, countof(periods), period);
        if (unit == NULL)
                return ERR_syntax;
        rate.period_ns = unit->value;
        enum err err = count_read(count, &rate.count);
        if (err == ERR_ok && per >= 0)
                err = read_by(str_skip(s, (size_t)per + 5), &rate);
        if (err == ERR_ok)
                *ret_rate = rate;
        return err;
}

/* "1.5" out of thousandths and the like; trailing zeros dropped. */
static void write_fraction(int64_t value, int64_t unit, struct text *out)
{
        text_i64(out, value / unit);
        value %= unit;
        if (value == 0)
                return;
        text_char(out, '.');
        while (value != 0) {
                unit /= 10;
                text_i64(out, value / unit);
                value %= unit;
        }
}

void duration_write(int64_t ns, struct text *out)
{
        static const struct unit steps[] = {
                {S_INIT("d"), DAY}, {S_INIT("h"), HOUR}, {S_INIT("m"), MINUTE}};
        if (ns == 0)
                text_put(out, S("0s"));
        for (size_t i = 0; i < countof(steps); i++) {
                if (ns < steps[i].value)
                        continue;
                text_i64(out, ns / steps[i].value);
                text_put(out, steps[i].name);
                ns %= steps[i].value;
        }
        if (ns == 0)
                return;
        bool is_short = ns < SECOND;
        write_fraction(ns, is_short ? MILLISECOND : SECOND, out);
        text_put(out, is_short ? S("ms") : S("s"));
}

void size_write(int64_t bytes, struct text *out)
{
        const struct unit *best = &sizes[0];
        for (size_t i = 1; i < countof(sizes); i++) {
                if (bytes > 0 && bytes % sizes[i].value == 0 && sizes[i].value > best->value)
                        best = &sizes[i];
        }
        text_i64(out, bytes / best->value);
        text_put(out, best->name);
}

void share_write(int64_t ppm, struct text *out)
{
        write_fraction(ppm, PERCENT, out);
        text_char(out, '%');
}

void rate_write(const struct rate *rate, struct text *out)
{
        text_i64(out, rate->count);
        for (size_t i = 0; i < countof(periods); i++) {
                if (periods[i].value == rate->period_ns) {
                        text_char(out, '/');
                        text_put(out, periods[i].name);
                }
        }
        if (rate->by == RATE_BY_unsaid)
                return;
        text_put(out, S(" per "));
        text_put(out, bys[rate->by]);
        if (rate->name.len > 0) {
                text_char(out, ':');
                text_put(out, rate->name);
        }
}

static bool is_host_char(char c)
{
        char lower = char_lower(c);
        return char_is_digit(c) || (lower >= 'a' && lower <= 'z') || c == '.' || c == '-' ||
               c == '_';
}

static bool is_v6_char(char c)
{
        return char_hex(c) >= 0 || c == ':' || c == '.';
}

/* A name, an IPv4 address, or an IPv6 address in brackets, cut off the start of s. */
static bool cut_host(struct str *s, struct str *ret_host)
{
        if (s->len == 0 || s->ptr[0] != '[') {
                *ret_host = cut_run(s, is_host_char);
                return true;
        }
        *s = str_skip(*s, 1);
        *ret_host = cut_run(s, is_v6_char);
        bool is_closed = s->len > 0 && s->ptr[0] == ']' && ret_host->len > 1;
        *s = str_skip(*s, 1);
        return is_closed;
}

static enum err read_port(struct str s, int64_t *ret_port)
{
        uint64_t port;
        enum err err = s.len > 5 ? ERR_range : str_to_u64(s, &port);
        if (err == ERR_ok && port > UINT16_MAX)
                err = ERR_range;
        if (err == ERR_ok)
                *ret_port = (int64_t)port;
        return err;
}

enum err host_port_read(struct str s, struct host_port *ret_host_port)
{
        struct host_port result;
        if (!cut_host(&s, &result.host) || s.len == 0 || s.ptr[0] != ':')
                return ERR_syntax;
        enum err err = read_port(str_skip(s, 1), &result.port);
        if (err == ERR_ok)
                *ret_host_port = result;
        return err;
}

bool host_is_loopback(struct str host)
{
        static const uint8_t v6[16] = {[15] = 1};
        uint8_t address[16];
        if (str_eq_nocase(host, S("localhost")))
                return true;
        if (ip_read(host, address) != ERR_ok)
                return false;
        return ip_is_v4(address) ? address[12] == 127 : memcmp(address, v6, sizeof v6) == 0;
}

enum err url_read(struct str s, struct url *ret_url)
{
        struct url url = {0};
        ptrdiff_t colon = str_find_str(s, S("://"));
        url.scheme = str_first(s, colon < 0 ? 0 : (size_t)colon);
        bool is_https = str_is(url.scheme, "https");
        if (!is_https && !str_is(url.scheme, "http"))
                return ERR_syntax;
        s = str_skip(s, url.scheme.len + 3);
        url.port = is_https ? 443 : 80;
        if (!cut_host(&s, &url.host) || url.host.len == 0)
                return ERR_syntax;
        if (s.len > 0 && s.ptr[0] == ':') {
                s = str_skip(s, 1);
                enum err err = read_port(cut_run(&s, char_is_digit), &url.port);
                if (err != ERR_ok || url.port == 0) /* nobody can be reached at port 0 */
                        return err != ERR_ok ? err : ERR_range;
                if (url.port == 0) /* one can listen there, not go there */
                        return ERR_range;
        }
        for (size_t i = 0; i < s.len; i++) {
                unsigned char c = (unsigned char)s.ptr[i];
                if (c <= ' ' || c >= 0x7f || c == '?' || c == '#' || c == '\\')
                        return ERR_syntax;
        }
        if (s.len > 0 && s.ptr[0] != '/')
                return ERR_syntax;
        url.path = s;
        *ret_url = url;
        return ERR_ok;
}
