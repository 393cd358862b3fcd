/* exchange.h -- one request and its response, front to back: birth, resume and death. The site
 * moves it in steps (site.run); codecs, timers, dns and other threads only call exchange_resume,
 * which queues. It owns one arena; it dies at the end of a turn, after the site ended it and both
 * ends let go. */
#pragma once

#include "base/arena.h"
#include "http/codec.h"
#include "http/conn.h"
#include "http/message.h"
#include "http/reason.h"

struct proxy_header;

/* How long a back may take. ns; 0: no limit. */
struct timeouts {
        uint64_t connect, response, idle, total;
};

struct end {
        const struct codec *codec;
        struct conn *conn;   /* NULL: none yet, let go, or an end without a connection */
        void *stream;        /* the codec's state for this exchange, in its arena */
        enum reason failure; /* of a back: why it failed; of a front: why its head cannot be sent;
                                run decides what follows */
        bool is_ready;       /* a back that is connected */
        bool is_head_ready;  /* the outgoing head may be sent */
        bool is_sent;        /* the outgoing message was handed to the link, whole */
        bool is_gone;        /* a front whose caller is no longer there */
        bool is_stale;       /* a back that was idle before, and its peer was gone */
        bool is_begun;       /* something of the outgoing message may have left */
        bool is_heard;       /* a back from which something of a response came */
        bool closes;         /* a front that is not to be used again */
};

struct times {
        uint64_t begin;    /* ns of loop_now: the head was complete */
        uint64_t response; /* the response head was complete */
        uint64_t deadline; /* by when the response head must be there, all tries together;
                              TIMER_NEVER. The time that a body took to be sent is added. */
};

struct exchange {
        unsigned magic;
        enum reason reason; /* why it ended, or is about to; the first one stays */
        struct task ready;
        struct task grave;
        struct arena arena;
        struct http *http;
        const struct site *site;
        void *trip; /* the site's own, in the arena */
        struct end front, back;
        struct http_message req, res;
        struct times times;
        const struct timeouts *timeouts; /* for the back in turn */
        struct addr peer;                /* who is connected to us, or to what is in front of us */
        const struct proxy_header *caller; /* whom connections that say so speak for; NULL: us */
        const struct entrance *entrance;   /* NULL: began inside */
        struct tls_facts tls;              /* of how it came; zeros: not over TLS */
        bool is_secure;                    /* what was asked for is https */
        bool is_over;
};

enum { EXCHANGE_MAGIC = 0x45584348, EXCHANGE_ARENA_MAX = 256 * 1024 };

/* Who serves what comes in. The gateway is one, the admin another. */
struct site {
        const char *name;
        void (*begin)(struct exchange *ex); /* the request head is complete; nothing has run yet */
        void (*run)(struct exchange *ex);   /* takes steps until it must wait */
        void (*end)(struct exchange *ex);   /* its memory is about to go */
        /* A piece of a watched body passes; false: refuse the rest (the site set the reason, or
         * ended the body before this piece). */
        bool (*piece)(struct exchange *ex, struct body *body, struct str bytes);
        /* A request that could not become an exchange: writes the whole answer and the record. */
        void (*refuse)(struct conn *conn, enum reason reason, struct str method, struct str target,
                       struct text *answer);
};

/* An exchange with an empty request head, for a front conn or (NULL) begun inside; NULL when the
 * worker has no pages left. */
struct exchange *exchange_begin(struct http *http, const struct site *site, struct conn *front);

/* Hands it to its site once the head is filled. */
void exchange_start(struct exchange *ex);

/* Queues it to be run after the event in hand. Any number of times. */
void exchange_resume(struct exchange *ex);

/* It is to end, for this reason; the first reason stays. */
void exchange_fault(struct exchange *ex, enum reason reason);

/* The site is done with it: frees it at the end of the turn. Both ends must have let go. */
void exchange_finish(struct exchange *ex);

/* A piece of a body came (from the codec of the producing end). */
void exchange_push(struct exchange *ex, struct body *body, struct str bytes);

/* All of the body came. */
void exchange_push_end(struct exchange *ex, struct body *body);

/* For the codec of the back: its peer switches protocols, as it was asked to. From now on the
 * request body is what the caller says in that protocol, and is not over. */
void exchange_switch(struct exchange *ex);

/* True once the caller was told that protocols are switched, or is about to be: the bodies are both
 * ways of a stream. */
static inline bool exchange_is_stream(const struct exchange *ex)
{
        return ex->res.head.status == 101;
}

/* Called by the consuming codec after it took something: wakes the producer. */
void exchange_took(struct exchange *ex, struct body *body);

/* Sends the outgoing head of that end, and the body behind it as it comes. */
void exchange_send(struct exchange *ex, struct end *end);

/* Breaks off what that end is doing, if anything, and lets its conn go. */
void exchange_reset(struct exchange *ex, struct end *end, enum reason reason);

/* When a limit of `limit_ns` from now on is over: 0 is none. */
static inline uint64_t exchange_due(const struct exchange *ex, uint64_t limit_ns)
{
        return limit_ns == 0 ? TIMER_NEVER : loop_now(ex->http->loop) + limit_ns;
}

/* Forgets the response so far (after a failed try). */
void exchange_clear_response(struct exchange *ex);
