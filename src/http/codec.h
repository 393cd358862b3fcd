/* codec.h -- how HTTP is spoken on a conn: one table for each version and side. The steps of an
 * exchange and the policies never notice which one it is. */
#pragma once

#include "base/base.h"
#include "base/err.h"
#include "http/reason.h"

struct conn;
struct end;
struct exchange;

struct codec {
        const char *name;
        /* Bytes came: returns how many were used, as link_up.data. */
        size_t (*data)(struct conn *conn, struct slice bytes);
        void (*room)(struct conn *conn); /* the link takes more */
        void (*over)(struct conn *conn); /* the peer will send no more */
        void (*down)(struct conn *conn, enum err err);
        void (*timeout)(struct conn *conn); /* conn->timer fired */
        /* Our outgoing head is ready: res.head for a front, req.head for a back. */
        void (*head)(struct exchange *ex, struct end *end);
        /* Outgoing bytes are there or complete, or there is room again for incoming ones. */
        void (*body)(struct exchange *ex, struct end *end);
        /* An informational head of the other end is to be passed on (fronts only). */
        void (*interim)(struct exchange *ex, struct end *end);
        /* The body that end brings is to wait, or may go on: it moves by itself else. */
        void (*pause)(struct exchange *ex, struct end *end, bool is_paused);
        /* Lets go of this exchange at once; what was begun is broken off. */
        void (*reset)(struct exchange *ex, struct end *end, enum reason reason);
        void (*retire)(struct conn *conn); /* no new exchanges; close when idle */
        void (*fini)(struct conn *conn);   /* the conn is closed, its `talk` goes */
};

extern const struct codec h1_front, h1_back;

/* The codec that reads the PROXY header with which a front begins, and then makes way for another
 * one. Closes at once where the header is due and the peer may not send it. */
void proxy_front_begin(struct conn *conn);
