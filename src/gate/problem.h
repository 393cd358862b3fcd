/* problem.h -- what a caller is told when a request is not answered by an upstream: a problem of
 * RFC 9457, or a small page for a browser, and the fields that go with it (Retry-After,
 * Proxy-Status of RFC 9209). Pure: a small struct in, text out. What came from the caller stands
 * only where it is escaped and cut to a length, and never in a header field. */
#pragma once

#include "base/str.h"
#include "http/reason.h"
#include "wire/fields.h"

enum {
        PROBLEM_MAX = 12 * 1024, /* bytes of a body without members, whatever it is made of */
        PROBLEM_DETAIL_MAX = 512 /* bytes of detail; more is cut */
};

enum problem_form { PROBLEM_JSON, PROBLEM_HTML };

/* A further member of the document. */
struct problem_member {
        const char *name;
        struct str text; /* a string, unless is_json */
        bool is_json;    /* text is a JSON value, made by a writer of JSON */
};

struct problem {
        enum reason reason; /* code, status, title */
        uint16_t status;    /* 0: that of the reason */
        struct str code;    /* empty: the reason's token */
        struct str title;   /* empty: the reason's sentence */
        struct str detail;  /* why, this time; may be empty */
        struct str request_id;
        struct str types;    /* URL above the code; empty: urn:gatehouse:problem: */
        struct str next_hop; /* for Proxy-Status, where it may be known outside; may be empty */
        uint64_t retry_s;    /* for Retry-After; 0: none */
        const struct problem_member *members;
        unsigned member_count;
};

uint16_t problem_status(const struct problem *problem);
struct str problem_type(enum problem_form form); /* media type */

/* JSON unless the caller's Accept prefers text/html. */
enum problem_form problem_form(const struct fields *request);

/* The body. What is too long is cut, so `out` needs room for PROBLEM_MAX bytes; members that do not
 * fit are left out. */
void problem_put(const struct problem *problem, enum problem_form form, struct text *out);

/* Sets Content-Type, Cache-Control, Retry-After and Proxy-Status of the response. */
void problem_put_fields(const struct problem *problem, enum problem_form form,
                        struct fields *response, struct arena *arena);

/* All of it for an answer whose memory is `arena`: negotiates with the request's fields, sets
 * Content-Type, Cache-Control, Retry-After and Proxy-Status of the response, returns the body. */
struct str problem_make(const struct problem *problem, const struct fields *request,
                        struct fields *response, struct arena *arena);

/* Value of Proxy-Status for a failure on the way to an upstream or of the gateway's own: `gate;
 * error=http_response_timeout`. Writes nothing where the reason is none of these. */
void proxy_status_put(struct text *out, enum reason reason, struct str next_hop);

/* A whole HTTP/1.1 answer that ends the connection, for a request that could not become an
 * exchange. `date` is the value of Date. */
void problem_put_answer(const struct problem *problem, struct str date, struct text *out);
