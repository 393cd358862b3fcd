/* link.h -- bytes between two machines, in layers: tcp, later tls and the PROXY header on top of
 * it, later quic. Whoever stands on a link sees only this; nobody above net may assume a file
 * descriptor. Down: room, send, pause, shut, close. Up: up, data, room, end, down. */
#pragma once

#include <sys/uio.h>

#include "base/base.h"
#include "io/addr.h"
#include "io/loop.h"

struct link;

struct link_ops {
        size_t (*room)(struct link *link);
        bool (*fits)(struct link *link, size_t len);
        void (*send)(struct link *link, const struct iovec *iov, int count, size_t total);
        void (*pause)(struct link *link, bool is_paused);
        void (*shut)(struct link *link);
        void (*close)(struct link *link, bool is_abrupt);
        size_t (*queued)(const struct link *link);
        uint64_t (*sent)(const struct link *link);
        bool (*is_quiet)(struct link *link);
};

/* What the layer above gives. None of these may free the link; close is enough, its memory goes
 * with the conn's at the end of the turn. */
struct link_up {
        void (*up)(struct link *link); /* connected and ready to send */
        /* Bytes came. Returns how many were used: when it leaves some, the ready queue runs and it
         * is called again with the rest; when it then uses none of them, they must not be needed.
         * The bytes are gone when the call returns. */
        size_t (*data)(struct link *link, struct slice bytes);
        void (*room)(struct link *link); /* after link_room was 0 or something did not fit */
        void (*end)(struct link *link);  /* the peer will send no more */
        void (*down)(struct link *link, enum err err); /* it failed; only close is left */
};

struct link {
        const struct link_ops *ops;
        const struct link_up *above;
        void *owner; /* the layer above's own: set once the link is open */
};

/* How many bytes link_send takes now; after 0, `room` is called once there is some again. */
static inline size_t link_room(struct link *link)
{
        return link->ops->room(link);
}

/* True when link_send takes `len` bytes (at most SOCK_PIECE_MAX) whole now; after false, `room` is
 * called when it is worth asking again. For what cannot be cut: when link_room is only less than
 * needed, nobody calls `room`. */
static inline bool link_fits(struct link *link, size_t len)
{
        return link->ops->fits(link, len);
}

/* Sends all of it (total <= link_room, or it fits). Small pieces are gathered until the end of the
 * turn. */
static inline void link_send(struct link *link, const struct iovec *iov, int count, size_t total)
{
        link->ops->send(link, iov, count, total);
}

/* Bytes taken that have not left yet. */
static inline size_t link_queued(const struct link *link)
{
        return link->ops->queued(link);
}

/* Grows whenever anything leaves: two readings are equal only if nothing left in between. */
static inline uint64_t link_sent(const struct link *link)
{
        return link->ops->sent(link);
}

/* True when the peer of a link at rest has sent nothing and not ended; when false, the link is of
 * no further use. Asks the system: for where it matters that a message is not sent in vain. */
must_use static inline bool link_is_quiet(struct link *link)
{
        return link->ops->is_quiet(link);
}

static inline void link_pause(struct link *link, bool is_paused)
{
        link->ops->pause(link, is_paused);
}

/* No more will be sent; the peer sees our end after all that was. */
static inline void link_shut(struct link *link)
{
        link->ops->shut(link);
}

static inline void link_close(struct link *link, bool is_abrupt)
{
        link->ops->close(link, is_abrupt);
}

/* Hands bytes to the layer above in as many calls as it wants, with the ready queue run in between,
 * so that a head can take its steps while the body behind it is still in hand. */
void link_deliver(struct link *link, struct loop *loop, struct slice bytes);
