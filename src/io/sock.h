/* sock.h -- a stream socket on a loop. Reading: bytes are handed up in the loop's own buffer and
 * are gone when the call returns. Writing: small pieces are gathered in pages and leave at the end
 * of the turn; from SOCK_DIRECT bytes on they leave at once, and only what the kernel did not take
 * is copied. What sock_send was allowed to take (sock_room) it takes whole. At rest a sock holds no
 * page. */
#pragma once

#include "base/buf.h"
#include "io/loop.h"

enum {
        SOCK_OUT_MAX = LOOP_HOT_SIZE + 16 * 1024,
        SOCK_PIECE_MAX = 256 * 1024, /* what may be sent whole, when nothing else is queued */
        SOCK_DIRECT = 16 * 1024,
};

struct sock_ops {
        void (*up)(struct sock *sock);                       /* connected */
        void (*data)(struct sock *sock, struct slice bytes); /* gone when the call returns */
        void (*room)(struct sock *sock);               /* after sock_room was 0: it is not now */
        void (*end)(struct sock *sock);                /* the peer will send no more */
        void (*down)(struct sock *sock, enum err err); /* it failed; only sock_close is left */
        void (*flushed)(struct sock *sock);            /* all that was sent has left; may be NULL */
};

struct sock {
        struct watcher watcher;
        struct loop *loop;
        const struct sock_ops *ops;
        struct list readers, writers; /* places in the loop's queues */
        struct buf out;
        uint64_t sent; /* bytes that the kernel took so far */
        int fd;
        bool is_connecting : 1;
        bool is_paused : 1; /* nobody wants bytes now */
        bool may_read : 1;  /* there may be bytes that nobody asked for */
        bool may_write : 1; /* the kernel did not say that it is full */
        bool has_ended : 1; /* the peer's end was seen */
        bool is_short : 1;  /* somebody was told that there is no room */
        bool is_shut : 1;   /* no more sending: FIN once all is out */
        bool is_fin_sent : 1;
        bool is_down : 1;
        bool end_hint : 1; /* the driver said that the end is near */
        uint8_t error;     /* enum err: to be told at the end of the turn */
};

/* Takes over a connected descriptor. After an error it is closed. */
must_use enum err sock_open(struct sock *sock, struct loop *loop, const struct sock_ops *ops,
                            int fd);

/* Begins to connect; `up` or `down` follows, never before this returns. After an error there is
 * nothing to close. */
must_use enum err sock_dial(struct sock *sock, struct loop *loop, const struct sock_ops *ops,
                            const struct addr *to);

/* How many bytes sock_send takes now. After 0, `room` is called once there is some again. */
size_t sock_room(struct sock *sock);

/* True when sock_send takes `len` bytes (at most SOCK_PIECE_MAX) whole now. After false, `room` is
 * called when it is worth asking again. For what cannot be cut, such as a head. */
bool sock_fits(struct sock *sock, size_t len);

/* Sends all of it; total must not exceed sock_room, or must have fitted. When it fails, `down`
 * follows at the end of the turn, never inside this call. */
void sock_send(struct sock *sock, const struct iovec *iov, int count, size_t total);

/* A place for up to len (<= PAGE_ROOM) bytes at the end of what is gathered; NULL when there is no
 * room or no page. Then sock_commit. */
char *sock_reserve(struct sock *sock, size_t len);
void sock_commit(struct sock *sock, size_t len);

/* Bytes accepted that the kernel has not taken yet. */
static inline size_t sock_queued(const struct sock *sock)
{
        return sock->out.len;
}

/* True when the peer has sent neither bytes nor its end nor a fault. What it sent is lost: for a
 * connection at rest, which is of no use when it is not quiet. Asks the kernel. */
must_use bool sock_is_quiet(struct sock *sock);

/* Leaves now what was gathered; may call down, room and flushed. */
void sock_flush(struct sock *sock);

void sock_pause(struct sock *sock);
void sock_resume(struct sock *sock);

/* No more will be sent: the peer sees our end after all that was. */
void sock_shut(struct sock *sock);

/* Closes at once; what the system does not take in that moment is lost. Abrupt: all of it, and the
 * peer sees a reset. May be called twice. */
void sock_close(struct sock *sock, bool is_abrupt);

/* For the loop: one more read for each that may have more; writes all that was gathered. */
void sock_read_more(struct loop *loop);
void sock_flush_all(struct loop *loop);

/* The address of a connected sock on this side. Asks the system. */
static inline void sock_local(const struct sock *sock, struct addr *ret_addr)
{
        sock->loop->driver->local(sock->loop->world, sock->fd, ret_addr);
}

static inline bool sock_is_open(const struct sock *sock)
{
        return sock->fd >= 0;
}
