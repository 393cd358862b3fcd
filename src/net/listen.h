/* listen.h -- a listening socket on a loop: accepts, a few per turn, and hands on. When the system
 * is out of descriptors, or refuses for another reason, it rests a moment instead of spinning;
 * callers wait in the kernel's queue. */
#pragma once

#include "io/addr.h"
#include "io/loop.h"

struct listener {
        struct watcher watcher;
        struct loop *loop;
        struct timer rest;
        int fd;
        bool is_open, is_resting;
        uint64_t rests; /* how often the system could not accept */
        void *owner;
        /* A connection came; takes over fd. */
        void (*accepted)(struct listener *listener, int fd, const struct addr *peer);
};

/* Starts to accept on fd, a listening, non-blocking socket which stays the caller's. */
must_use enum err listener_open(struct listener *listener, struct loop *loop, int fd,
                                void (*accepted)(struct listener *, int, const struct addr *));

/* Accepts what is queued, and then no more. */
void listener_finish(struct listener *listener);

/* Stops accepting; fd is not closed. */
void listener_shut(struct listener *listener);
