/* date.h -- moments as text: the date of HTTP (RFC 9110 5.6.7) and that of RFC 3339, always UTC,
 * from the year 0 to 9999. Pure arithmetic: no locale, no time zone, no clock. */
#pragma once

#include "base/str.h"

enum { DATE_HTTP_LENGTH = 29, DATE_RFC3339_LENGTH = 24 };

/* Seconds since 1970 as "Fri, 20 Nov 2026 10:00:00 GMT". Moments outside the years are clamped. */
void date_write_http(int64_t seconds, struct text *out);

/* That form exactly, with the right day of the week; the two obsolete forms are ERR_syntax, as is a
 * date that no calendar has. A 60th second is read as the next minute. */
must_use enum err date_read_http(struct str s, int64_t *ret_seconds);

/* Milliseconds since 1970 as "2026-11-20T10:00:00.000Z". */
void date_write_rfc3339(int64_t ms, struct text *out);

/* The same, where one date after the other is written and most are of the second before: `memo`
 * begins as all zeros and is the writer's own. */
struct date_memo {
        int64_t second;
        bool is_made;
        char text[DATE_RFC3339_LENGTH];
};
void date_write_again(struct date_memo *memo, int64_t ms, struct text *out);

/* With or without a fraction (what is below a millisecond is dropped), with Z or an offset. */
must_use enum err date_read_rfc3339(struct str s, int64_t *ret_ms);
