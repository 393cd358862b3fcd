/* log.h -- what the gate has to say about itself to whoever operates it; the access log is made of
 * records, elsewhere. A line is a sentence and named values. It never blocks: a worker's lines go
 * where log_to says (its ring), other threads write to stderr only what that takes at once. Each
 * place in the code may say ten lines a second; what is above that is counted and told with the
 * next one, so that a flood of the same fault costs nanoseconds and no disk.
 *
 *     log_warn("a target is ejected", log_str("upstream", name), log_num("failures", n));
 */
#pragma once

#include <stdatomic.h>

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

enum log_level { LEVEL_ERROR, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG };

/* AUTO: for people when stderr is a terminal, else key=value. */
enum log_format { LOG_AUTO, LOG_HUMAN, LOG_PAIRS, LOG_JSON };

enum { LOG_LINE_MAX = 2048, LOG_VALUE_MAX = 512, LOG_PER_SECOND = 10 };

struct log_pair {
        const char *name; /* NULL: the last one */
        enum { LOG_PAIR_STR, LOG_PAIR_NUM, LOG_PAIR_INT } kind;
        struct str str;
        uint64_t number;
};

/* A place in the code that logs. */
struct log_site {
        _Atomic uint64_t second; /* in which `said` counts */
        _Atomic uint32_t said, suppressed;
};

/* What to say from now on, in which form; by every thread. Before: LEVEL_INFO, LOG_AUTO. */
void log_set(enum log_level level, enum log_format format);

/* Reads "error", "warn", "info", "debug". ERR_syntax. */
must_use enum err log_level_read(struct str name, enum log_level *ret_level);

/* Where this thread's lines go, each with its newline, and the name that they bear; NULL: stderr.
 * `name` must live as long as the thread. */
typedef void log_sink_fn(void *arg, struct str line);
void log_to(log_sink_fn *sink, void *arg, const char *name);

/* Writes a line as the default sink does: to stderr, if that takes it without blocking. For the
 * thread to which others hand their lines. */
void log_write_out(void *arg, struct str line);

/* Lines that stderr did not take. */
uint64_t log_dropped(void);

/* For tests: reads the time of day in ns instead of the system. NULL: the system again. */
void log_set_clock(uint64_t (*wall)(void));

extern _Atomic int log_level_now;

static inline bool log_is_on(enum log_level level)
{
        return (int)level <= atomic_load_explicit(&log_level_now, memory_order_relaxed);
}

static inline struct log_pair log_str(const char *name, struct str value)
{
        return (struct log_pair){.name = name, .kind = LOG_PAIR_STR, .str = value};
}

static inline struct log_pair log_text(const char *name, const char *value)
{
        return log_str(name, str_of(value));
}

static inline struct log_pair log_num(const char *name, uint64_t value)
{
        return (struct log_pair){.name = name, .kind = LOG_PAIR_NUM, .number = value};
}

static inline struct log_pair log_int(const char *name, int64_t value)
{
        return (struct log_pair){.name = name, .kind = LOG_PAIR_INT, .number = (uint64_t)value};
}

static inline struct log_pair log_err(enum err err)
{
        return log_text("error", err_text(err));
}

static inline struct log_pair log_end(void)
{
        return (struct log_pair){.name = NULL};
}

void log_say(struct log_site *site, enum log_level level, const char *text,
             const struct log_pair *pairs);

/* log_xxx(TEXT, PAIR…) */
#define LOG_FIRST(first, ...) first
#define LOG_REST(first, ...)  __VA_ARGS__
#define log_at(level, ...)                                                                         \
        do {                                                                                       \
                static struct log_site site_;                                                      \
                if (log_is_on(level))                                                              \
                        log_say(&site_, level, LOG_FIRST(__VA_ARGS__, NULL),                       \
                                (const struct log_pair[]){LOG_REST(__VA_ARGS__, log_end())});      \
        } while (0)

#define log_error(...) log_at(LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LEVEL_DEBUG, __VA_ARGS__)
