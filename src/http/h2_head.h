/* h2_head.h -- a header section of HTTP/2 on its way in: fields come one by one, are judged as
 * strictly as those of HTTP/1 (RFC 9113 8.2, 8.3), counted as objects, and become a struct head
 * that no version shows in. What is over a limit is counted but not kept, so that the compression
 * stays in step and the caller gets an answer. Knows no stream and no frame. */
#pragma once

#include "http/exchange.h"

/* The first one stays; MALFORMED beats the others, and no answer is owed to it. */
enum h2_fault {
        H2_FAULT_NONE,
        H2_FAULT_TARGET_LENGTH, /* 414 */
        H2_FAULT_FIELD_LENGTH,  /* 431 */
        H2_FAULT_EXPECT,        /* 417 */
        H2_FAULT_MALFORMED,     /* RFC 9113 8.1.1: a stream error */
};

enum h2_pseudo { H2_METHOD, H2_SCHEME, H2_AUTHORITY, H2_PATH, H2_PSEUDOS };

struct h2_head {
        struct arena arena; /* holds something only between begin and fini */
        struct fields fields;
        struct str pseudo[H2_PSEUDOS]; /* NULL ptr: not there */
        const struct h1_limits *limits;
        uint64_t seen[(NAME_COUNT + 63) / 64]; /* single-valued names */
        uint64_t length;
        uint32_t size;  /* of all fields: name, value and FIELD_OVERHEAD each */
        uint32_t count; /* of all fields, crumbs of cookies and dropped ones with them */
        uint32_t bytes; /* of what is kept */
        enum h2_fault fault;
        bool is_begun, is_trailer;
        bool has_length, has_plain; /* a field that is no pseudo-header field came */
        bool expects_continue, takes_trailers;
};

/* RFC 9113 6.5.2: what a field costs beside its bytes. */
enum { H2_FIELD_OVERHEAD = 32 };

void h2_head_begin(struct h2_head *head, struct page_pool *pool, const struct h1_limits *limits,
                   bool is_trailer);

/* One field; it is copied. */
void h2_head_add(struct h2_head *head, struct str name, struct str value);

/* All came: what they say together. After it `fault` is the last word. `has_body`: the message
 * goes on. */
void h2_head_judge(struct h2_head *head, bool has_body);

/* Over the limits so far that the peer cannot mean it: to be told before memory or time is spent.
 */
bool h2_head_is_bomb(const struct h2_head *head);

/* Fills the request of an exchange; what is NOT none is to be answered at once. */
enum reason h2_head_take(const struct h2_head *head, struct exchange *ex);

/* Fills its trailers with those that may be passed on. */
void h2_head_take_trailers(const struct h2_head *head, struct exchange *ex);

void h2_head_fini(struct h2_head *head); /* may be called when there is nothing in it */
