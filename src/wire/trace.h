/* trace.h -- W3C Trace Context (traceparent, tracestate; level 2) and request ids, read strictly:
 * what is not exactly right counts as absent, and a new trace begins. Pure functions: ids come from
 * the caller. */
#pragma once

#include "base/str.h"
#include "wire/fields.h"

enum trace_flag { TRACE_SAMPLED = 1, TRACE_RANDOM = 2 };

enum {
        TRACEPARENT_LENGTH = 55,
        TRACESTATE_MAX = 1024,   /* bytes of it that are passed on */
        TRACESTATE_MEMBERS = 32, /* more of them: all are dropped */
        REQUEST_ID_MAX = 128,
};

struct trace {
        uint8_t id[16];    /* of the whole trace; never all zero */
        uint8_t parent[8]; /* of the span that sends; never all zero */
        uint8_t flags;     /* of enum trace_flag */
};

/* ERR_syntax for anything that may not be used; versions to come are read as far as we know them.
 */
must_use enum err trace_read(struct str s, struct trace *ret_trace);
void trace_write(const struct trace *trace, struct text *out);

/* The traceparent of a request: there must be exactly one. */
must_use enum err trace_of(const struct fields *fields, struct trace *ret_trace);

/* All tracestate lines as one, canonical; nothing where there is none. ERR_syntax: not to be passed
 * on. What is too long for `out` or TRACESTATE_MAX loses whole members: those over 128 bytes first,
 * then the last ones. */
must_use enum err tracestate_join(const struct fields *fields, struct text *out);

/* True for 1 to 128 of [A-Za-z0-9._~-]: what we take from a caller as the id of its request. */
bool request_id_is_good(struct str s);
