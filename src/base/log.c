/* log.c -- lines in three forms, made on the stack of whoever logs. Values are escaped, so that no
 * peer can write a line of its own or move the cursor of a terminal. */
#include "base/log.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

_Atomic int log_level_now = LEVEL_INFO;

static _Atomic int format_now = LOG_AUTO;
static _Atomic uint64_t dropped;
static uint64_t (*clock_now)(void);

static _Thread_local log_sink_fn *sink;
static _Thread_local void *sink_arg;
static _Thread_local const char *thread_name;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* What is kept free in a line for its end. */
enum { TAIL = 32 };

/* What a pipe takes whole once poll says that it takes anything. */
enum { PIECE = 4096 };

void log_set(enum log_level level, enum log_format format)
{
        atomic_store(&log_level_now, (int)level);
        atomic_store(&format_now, (int)format);
}

enum err log_level_read(struct str name, enum log_level *ret_level)
{
        for (size_t i = 0; i < countof(level_names); i++) {
                if (str_is(name, level_names[i])) {
                        *ret_level = (enum log_level)i;
                        return ERR_ok;
                }
        }
        return ERR_syntax;
}

void log_to(log_sink_fn *fn, void *arg, const char *name)
{
        sink = fn;
        sink_arg = arg;
        thread_name = name;
}

void log_set_clock(uint64_t (*wall)(void))
{
        clock_now = wall;
}

uint64_t log_dropped(void)
{
        return atomic_load(&dropped);
}

void log_write_out(void *arg, struct str line)
{
        struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
        (void)arg;
        line = str_first(line, PIECE);
        bool may = poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) != 0;
        if (!may || write(STDERR_FILENO, line.ptr, line.len) != (ssize_t)line.len)
                atomic_fetch_add(&dropped, 1);
}

static uint64_t wall(void)
{
        struct timespec time;
        if (clock_now != NULL)
                return clock_now();
        clock_gettime(CLOCK_REALTIME, &time);
        return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static enum log_format format_of(void)
{
        int format = atomic_load(&format_now);
        if (format == LOG_AUTO) {
                format = isatty(STDERR_FILENO) ? LOG_HUMAN : LOG_PAIRS;
                atomic_store(&format_now, format);
        }
        return (enum log_format)format;
}

static void put_digits(struct text *text, uint64_t value, unsigned digits)
{
        for (uint64_t unit = 1; digits > 0; digits--, unit = 1) {
                for (unsigned i = 1; i < digits; i++)
                        unit *= 10;
                text_char(text, (char)('0' + value / unit % 10));
        }
}

/* RFC 3339 in UTC with milliseconds; for people the time of day only. */
static void put_time(struct text *text, uint64_t now, bool has_date)
{
        struct tm tm;
        time_t seconds = (time_t)(now / 1000000000u);
        if (gmtime_r(&seconds, &tm) == NULL)
                return;
        if (has_date) {
                put_digits(text, (uint64_t)tm.tm_year + 1900, 4);
                text_char(text, '-');
                put_digits(text, (uint64_t)tm.tm_mon + 1, 2);
                text_char(text, '-');
                put_digits(text, (uint64_t)tm.tm_mday, 2);
                text_char(text, 'T');
        }
        put_digits(text, (uint64_t)tm.tm_hour, 2);
        text_char(text, ':');
        put_digits(text, (uint64_t)tm.tm_min, 2);
        text_char(text, ':');
        put_digits(text, (uint64_t)tm.tm_sec, 2);
        text_char(text, '.');
        put_digits(text, now / 1000000u % 1000, 3);
        if (has_date)
                text_char(text, 'Z');
}

static bool is_bare(struct str value)
{
        for (size_t i = 0; i < value.len; i++) {
                char c = value.ptr[i];
                if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=' || c == '\'')
                        return false;
        }
        return value.len > 0;
}

static void put_quoted(struct text *text, struct str value)
{
        bool is_long = value.len > LOG_VALUE_MAX;
        text_char(text, '"');
        text_json(text, str_first(value, LOG_VALUE_MAX));
        text_put(text, is_long ? S("...\"") : S("\""));
}

static void put_value(struct text *text, const struct log_pair *pair, enum log_format format)
{
        switch (pair->kind) {
        case LOG_PAIR_NUM:
                text_u64(text, pair->number);
                return;
        case LOG_PAIR_INT:
                text_i64(text, (int64_t)pair->number);
                return;
        case LOG_PAIR_STR:
                break;
        }
        if (format != LOG_JSON && pair->str.len <= LOG_VALUE_MAX && is_bare(pair->str))
                text_put(text, pair->str);
        else
                put_quoted(text, pair->str);
}

/* All of the pair or nothing of it. */
static void put_pair(struct text *text, const struct log_pair *pair, enum log_format format)
{
        size_t before = text->len;
        if (format == LOG_JSON) {
                text_put(text, S(",\""));
                text_json(text, str_of(pair->name));
                text_put(text, S("\":"));
        } else {
                text_char(text, ' ');
                text_put(text, str_of(pair->name));
                text_char(text, '=');
        }
        put_value(text, pair, format);
        if (text->is_cut) {
                text->len = before;
                text->is_cut = false;
        }
}

static void put_opening(struct text *text, enum log_level level, const char *what,
                        enum log_format format)
{
        const char *name = level_names[level];
        switch (format) {
        case LOG_JSON:
                text_put(text, S("{\"time\":\""));
                put_time(text, wall(), true);
                text_format(text, "\",\"level\":\"%s\",\"message\":", name);
                put_quoted(text, str_of(what));
                break;
        case LOG_PAIRS:
                text_put(text, S("time="));
                put_time(text, wall(), true);
                text_format(text, " level=%s message=", name);
                put_quoted(text, str_of(what));
                break;
        case LOG_AUTO:
        case LOG_HUMAN:
                put_time(text, wall(), false);
                text_format(text, " %-5s ", name);
                text_json(text, str_first(str_of(what), LOG_VALUE_MAX));
                break;
        }
}

/* False when this place has said enough in this second; ret_suppressed is what it held back since
 * it last spoke. */
static bool may_say(struct log_site *site, uint32_t *ret_suppressed)
{
        uint64_t now = wall() / 1000000000u + 1;
        uint64_t second = atomic_load_explicit(&site->second, memory_order_relaxed);
        if (second != now && atomic_compare_exchange_strong(&site->second, &second, now))
                atomic_store(&site->said, 0);
        if (atomic_load_explicit(&site->said, memory_order_relaxed) >= LOG_PER_SECOND ||
            atomic_fetch_add(&site->said, 1) >= LOG_PER_SECOND) {
                atomic_fetch_add_explicit(&site->suppressed, 1, memory_order_relaxed);
                return false;
        }
        *ret_suppressed = atomic_exchange(&site->suppressed, 0);
        return true;
}

void log_say(struct log_site *site, enum log_level level, const char *what,
             const struct log_pair *pairs)
{
        char space[LOG_LINE_MAX];
        struct text text = text_over(space, sizeof space - TAIL);
        enum log_format format = format_of();
        uint32_t suppressed;
        if (!may_say(site, &suppressed))
                return;
        put_opening(&text, level, what, format);
        for (const struct log_pair *pair = pairs; pair->name != NULL; pair++)
                put_pair(&text, pair, format);
        if (thread_name != NULL)
                put_pair(&text, &(const struct log_pair){.name = "by", .str = str_of(thread_name)},
                         format);
        if (suppressed > 0) {
                struct log_pair held = log_num("suppressed", suppressed);
                put_pair(&text, &held, format);
        }
        text.max = sizeof space;
        text_put(&text, format == LOG_JSON ? S("}\n") : S("\n"));
        if (sink != NULL)
                sink(sink_arg, text_str(&text));
        else
                log_write_out(NULL, text_str(&text));
}
