/* h1_flow.h -- what both sides of HTTP/1 share: the state of one message going in and one going out
 * on a conn, reading bodies, framing what is sent, turning a read head into a struct head. */
#pragma once

#include "http/exchange.h"
#include "http/partial.h"
#include "wire/h1.h"

struct h1_flow {
        uint8_t in, out;     /* enum h1_body */
        bool is_in_over;     /* all of the incoming message was read */
        bool is_out_over;    /* all of the outgoing message was handed to the link */
        bool is_head_out;    /* the outgoing head was */
        bool is_in_broken;   /* the incoming framing failed: nothing more is read … */
        bool is_in_starved;  /* … not by the peer's fault: there was no memory for it */
        bool closes;         /* the conn closes after this exchange */
        bool wants_trailers; /* the trailer section is being read */
        bool is_raw;         /* both bodies are bytes until their ends: another protocol's */
        bool is_head_in;     /* of a back: the response head was read */
        uint64_t begun;      /* of a back: ns, when the request was begun … */
        uint64_t sent;       /* … and what had left on the link before */
        uint64_t in_left;    /* bytes to come of a body with a length */
        uint64_t out_left;   /* bytes to send of one */
        struct h1_chunks chunks;
};

static inline struct h1_flow *flow_of(const struct end *end)
{
        return end->stream;
}

/* Copies a head that was read into the exchange: fields without hop-by-hop, framing and the names
 * that Connection lists. `bytes` may be in the loop's buffer. */
void h1_head_take(struct exchange *ex, struct head *head, const struct h1_head *read,
                  struct str bytes);

/* Begins to read a body of that kind. */
void h1_in_begin(struct h1_flow *flow, enum h1_body kind, uint64_t length, uint32_t extensions_max);

/* Reads the incoming body out of bytes and pushes it; returns how many were used. Sets is_in_over
 * or is_in_broken. */
size_t h1_in_read(struct conn *conn, struct h1_flow *flow, struct body *body, struct slice bytes);

/* Sends what the body has, as far as the link has room, framed as flow->out says, and the end of
 * it. True once all is out. */
bool h1_out_pump(struct conn *conn, struct h1_flow *flow, struct body *body,
                 const struct fields *trailers);

/* Sends bytes that were written to http->scratch; false when the link has no room for them now. */
bool h1_out_text(struct conn *conn, const struct text *text);

/* From here on the conn carries another protocol: bytes both ways. */
void h1_go_raw(struct h1_flow *flow);

/* "Connection: Upgrade" and the protocol. */
void h1_put_upgrade(struct text *text, struct str protocol);

/* The fault of a reader as a reason for the caller. */
enum reason h1_reason(enum h1_fault fault);
