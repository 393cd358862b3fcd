/* unit.h -- quantities as people write them: 30s, 10MiB, 5%, 100/min per consumer. Each has one
 * form, one reader, one writer and one regular expression, which is what the JSON Schema shows.
 * Pure functions, no floating point. */
#pragma once

#include "base/str.h"

#define NANOSECOND  ((int64_t)1)
#define MICROSECOND (1000 * NANOSECOND)
#define MILLISECOND (1000 * MICROSECOND)
#define SECOND      (1000 * MILLISECOND)
#define MINUTE      (60 * SECOND)
#define HOUR        (60 * MINUTE)
#define DAY         (24 * HOUR)

#define KIB ((int64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* A share of the whole is counted in parts per million. */
#define PERCENT ((int64_t)10000)

enum rate_by {
        RATE_BY_unsaid, /* the policy decides: the consumer if there is one, else the address */
        RATE_BY_consumer,
        RATE_BY_ip,
        RATE_BY_channel,
        RATE_BY_credential,
        RATE_BY_header, /* `name` says which */
        RATE_BY_claim,  /* `name` says which */
};

/* COUNT/PERIOD, and what each bucket is kept for. */
struct rate {
        int64_t count;
        int64_t period_ns; /* a month has RATE_MONTH here: its length is the calendar's */
        enum rate_by by;
        struct str name; /* of the header or claim; a view into what was read */
};

#define RATE_MONTH (-1)

#define DURATION_PATTERN "^([0-9]+(\\.[0-9]+)?(ms|s|min|m|h|d|w))+$"
#define SIZE_PATTERN     "^[0-9]+(\\.[0-9]+)?(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)$"
#define SHARE_PATTERN    "^(100(\\.0+)?|[0-9]{1,2}(\\.[0-9]{1,4})?)%$"
#define RATE_PATTERN                                                                               \
        "^[0-9][0-9_]*/(s|min|h|day|month)"                                                        \
        "( per (consumer|ip|channel|credential|header:[A-Za-z0-9-]+|claim:[A-Za-z0-9_.]+))?$"

/* Each: ERR_syntax when it is none, ERR_range when it does not fit. */
must_use enum err duration_read(struct str s, int64_t *ret_ns);     /* 1h30m, 1.5s; m is minutes */
must_use enum err size_read(struct str s, int64_t *ret_bytes);      /* a unit is needed */
must_use enum err byte_rate_read(struct str s, int64_t *ret_bytes); /* 240B/s */
must_use enum err share_read(struct str s, int64_t *ret_ppm);       /* 0% to 100% */
must_use enum err rate_read(struct str s, struct rate *ret_rate);

/* The shortest form that reads as the same value. */
void duration_write(int64_t ns, struct text *out);
void size_write(int64_t bytes, struct text *out);
void share_write(int64_t ppm, struct text *out);
void rate_write(const struct rate *rate, struct text *out);

/* HOST:PORT, :PORT (any address), [V6]:PORT. The host is a view into what was read, without
 * brackets; empty when there is none. */
struct host_port {
        struct str host;
        int64_t port;
};

must_use enum err host_port_read(struct str s, struct host_port *ret_host_port);

/* True for localhost, 127.0.0.0/8, ::1. */
bool host_is_loopback(struct str host);

/* http://host[:port][/path], with https too; no user, no query, no fragment. */
struct url {
        struct str scheme, host, path; /* views; path is empty or begins with '/' */
        int64_t port;                  /* the scheme's own when none is written */
};

#define URL_PATTERN "^https?://[^/?#@\\s]+(/[^?#\\s]*)?$"

must_use enum err url_read(struct str s, struct url *ret_url);
