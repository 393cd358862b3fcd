/* body.h -- the way of bytes between the two ends of an exchange. The producing codec pushes
 * pieces, which lie in the loop's buffer; the consuming codec is offered them at once and takes
 * what its link has room for; only the rest is copied into pages. While anything lies there, the
 * producer is paused: so a body never holds more than one read and never reads ahead of its
 * consumer. */
#pragma once

#include "base/buf.h"
#include "base/str.h"

struct exchange;

#define BODY_LENGTH_UNKNOWN UINT64_MAX

enum { BODY_HELD_MAX = 128 * 1024, BODY_KEPT_MAX = 64 * 1024 };

struct body {
        struct buf held;   /* pushed, not taken yet */
        struct buf kept;   /* taken, kept to be sent again; only while is_kept */
        struct str hand;   /* the piece being offered, not copied */
        uint64_t length;   /* as declared; BODY_LENGTH_UNKNOWN */
        uint64_t passed;   /* bytes that were pushed so far */
        bool is_complete;  /* all of it was pushed */
        bool is_proven;    /* the framing was good so far as one can tell: it may be sent on */
        bool is_discarded; /* nobody wants it: what is pushed is dropped */
        bool is_paused;    /* the producer was told to wait */
        bool is_kept;      /* what is taken is kept, until it is too much */
        bool is_watched;   /* the site sees each piece first */
};

void body_init(struct body *body, struct page_pool *pool);
void body_fini(struct body *body);

/* True when there is a body at all or may be one. */
static inline bool body_is_empty(const struct body *body)
{
        return body->is_complete && body->passed == 0;
}

/* The next piece to send; empty when there is none now. */
struct str body_peek(const struct body *body);

/* The first `len` bytes of what body_peek showed were sent. */
void body_take(struct body *body, size_t len);

/* Bytes that wait to be taken. */
static inline size_t body_waiting(const struct body *body)
{
        return body->held.len + body->hand.len;
}

/* All was pushed and all was taken. */
static inline bool body_is_over(const struct body *body)
{
        return body->is_complete && body_waiting(body) == 0;
}

/* Puts what was kept back in front, to be sent again from the first byte. False when that is not
 * possible: not all of it was kept. */
must_use bool body_rewind(struct body *body);

/* Nothing needs to be kept any more. */
void body_forget(struct body *body);

/* Fills an empty body with bytes of the gateway's own. They are copied. */
void body_fill(struct body *body, struct str bytes);
