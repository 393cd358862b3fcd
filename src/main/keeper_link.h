/* keeper_link.h -- the data process's end of the line to its keeper. Used from one thread, the
 * steward. Asking (bind, cells, ready) waits for the answer, which takes a moment; commands of the
 * keeper come as calls on the steward's loop once the link is attached, those that came before are
 * not lost. Without a keeper (--no-keeper) the same functions do the work in this process. */
#pragma once

#include "io/loop.h"
#include "main/message.h"

enum { LINK_ADDRESS_MAX = 160, KEEPER_ASK_MS = 10000 };

struct keeper_link;
struct local;

/* What the keeper says; each is called on the loop. */
struct keeper_link_ops {
        void (*reload)(struct keeper_link *link); /* answer: keeper_link_reloaded, _reload_failed */
        void (*reopen)(struct keeper_link *link);
        /* Begins to drain, or is in a greater hurry than before: all must be over in limit_ms. Also
         * called (DRAIN_STOP, with what keeper_link_ready said) when the keeper is gone. */
        void (*drain)(struct keeper_link *link, enum drain why, uint64_t limit_ms);
        /* keeper_link_request came to nothing; may be NULL. */
        void (*request_failed)(struct keeper_link *link, enum request what, struct str why);
};

struct keeper_link {
        struct watcher watcher; /* of the keeper's messages, or of signals */
        struct timer beat;
        struct task deliver;
        struct loop *loop;
        const struct keeper_link_ops *ops;
        void *owner;
        struct local *local; /* in place of a keeper; NULL when there is one */
        int fd;
        uint32_t serial;
        bool is_ready, is_reload_due, is_reopen_due, is_drain_due, is_gone;
        enum drain drain_why;
        uint64_t drain_due_ms;
        uint64_t drain_ms;      /* what READY promised */
        struct message message; /* the one in hand */
};

/* A listener as the keeper knows it: compared by this, and nothing else. */
struct bind_request {
        struct str
                address; /* "127.0.0.1:80", "[::]:80", "unix:/run/x.sock"; numbers only, no names */
        struct str name; /* tells listeners with port 0 apart; [a-z0-9_.-]*; may be empty */
        uint32_t count;  /* one socket per worker */
        uint32_t mode;   /* of a unix socket; 0: 0600 */
};

/* What it got: all listening sockets of that address, made for this or an earlier process. There
 * may be more or fewer than asked for; bound_pick says who accepts on which. */
struct bound {
        uint32_t count;
        int fds[MESSAGE_FDS_MAX];
        char address[LINK_ADDRESS_MAX]; /* as text; with the real port when 0 was asked for */
};

/* The end of a line; -1: there is no keeper. */
void keeper_link_open(struct keeper_link *link, int fd);

/* The sockets that worker `worker` of `workers` must accept on: call with nth = 0, 1, … until it
 * returns -1. Every socket has somebody, every worker has a socket. */
static inline int bound_pick(const struct bound *bound, uint32_t worker, uint32_t workers,
                             uint32_t nth)
{
        uint64_t at = worker + (uint64_t)nth * workers;
        if (at < bound->count)
                return bound->fds[at];
        return nth == 0 && bound->count > 0 ? bound->fds[worker % bound->count] : -1;
}

/* Listening sockets for an address: non-blocking, close-on-exec, the caller's to close; they wait
 * in the kernel and listen from keeper_link_ready on, or now if this process is ready already. On
 * error `why` (of at least 512 bytes) says in a sentence what is in the way, e.g. who holds the
 * address; exit code 71, for ERR_denied 77. */
must_use enum err keeper_link_bind(struct keeper_link *link, const struct bind_request *request,
                                   struct bound *ret_bound, struct text *why);

/* This address is no longer listened on: after the snapshot that dropped it, with the descriptors
 * closed. */
void keeper_link_release(struct keeper_link *link, const struct bind_request *request);

/* The memory of the live cells: at least `size` bytes that outlive this process, to be mapped
 * shared; zero where nobody wrote. Another `layout` (a number of whoever reads it) is other memory.
 * The descriptor is the caller's. */
must_use enum err keeper_link_cells(struct keeper_link *link, uint64_t size, uint64_t layout,
                                    int *ret_fd, uint64_t *ret_size);

/* The first snapshot serves: from the return on, callers may come. A drain may take drain_ms, on an
 * upgrade streams stream_drain_ms. ERR_address_used: somebody else was quicker; ERR_closed. */
must_use enum err keeper_link_ready(struct keeper_link *link, uint64_t drain_ms,
                                    uint64_t stream_drain_ms);

/* Puts the link on the steward's loop: from now on ops are called, and the keeper hears every
 * second that this loop turns. */
void keeper_link_attach(struct keeper_link *link, struct loop *loop,
                        const struct keeper_link_ops *ops, void *owner);
void keeper_link_detach(struct keeper_link *link);

/* A reload is over, whoever asked for it. */
void keeper_link_reloaded(struct keeper_link *link, uint64_t drain_ms, uint64_t stream_drain_ms);
void keeper_link_reload_failed(struct keeper_link *link, struct str why);

void keeper_link_status(struct keeper_link *link, struct str line);
void keeper_link_stuck(struct keeper_link *link);   /* may be called from any thread */
void keeper_link_drained(struct keeper_link *link); /* then return from data_run with 0 */
void keeper_link_request(struct keeper_link *link, enum request what);
