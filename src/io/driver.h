/* driver.h -- the world as a loop sees it: time, readiness, stream sockets. One implementation
 * speaks to the kernel (poll_epoll.c), one is a simulator with a virtual clock and network (sim.c);
 * everything above io uses neither directly, so the whole gateway can run in the simulator. */
#pragma once

#include <sys/uio.h>

#include "base/base.h"
#include "base/err.h"
#include "io/addr.h"

enum event_flag {
        EVENT_READ = 1,  /* bytes, a connection or the peer's end may be there */
        EVENT_WRITE = 2, /* there may be room again, or a connection was made */
        EVENT_END = 4,   /* the peer will send no more */
        EVENT_FAULT = 8, /* the socket failed */
};

/* Whoever waits for events of a descriptor embeds one. Its memory must last to the end of the turn.
 */
struct watcher {
        void (*event)(struct watcher *watcher, unsigned flags);
};

struct event {
        struct watcher *watcher;
        unsigned flags;
};

enum watch_mode { WATCH_STREAM, WATCH_LISTEN };

struct driver {
        const char *name;
        /* A driver of its own for one loop; NULL when the system refuses. */
        void *(*make)(void);
        void (*free)(void *self);
        uint64_t (*now)(void *self);  /* ns, monotonic */
        uint64_t (*wall)(void *self); /* ns since 1970 */
        /* Waits at most timeout ns (UINT64_MAX: for ever; 0: not at all); returns how many events.
         */
        int (*wait)(void *self, uint64_t timeout, struct event *events, int max);
        /* Makes wait return, from another thread. */
        void (*wake)(void *self);
        /* Edge-triggered for streams, level-triggered for listeners; once per descriptor. */
        enum err (*watch)(void *self, int fd, enum watch_mode mode, struct watcher *watcher);
        void (*unwatch)(void *self, int fd);
        enum err (*open)(void *self, const struct addr *to, int *ret_fd); /* begins to connect */
        enum err (*opened)(void *self, int fd);                           /* how connecting ended */
        enum err (*accept)(void *self, int listener, struct addr *ret_peer, int *ret_fd);
        /* The address of a connected stream on this side; of a unix socket the unspecified one. */
        void (*local)(void *self, int fd, struct addr *ret_addr);
        /* Both: bytes moved, or -enum err (-ERR_again); recv 0: the peer's end. */
        ssize_t (*recv)(void *self, int fd, void *to, size_t len);
        ssize_t (*send)(void *self, int fd, const struct iovec *iov, int count);
        void (*shut)(void *self, int fd);                  /* no more sending */
        void (*close)(void *self, int fd, bool is_abrupt); /* abrupt: the peer sees a reset */
};

extern const struct driver driver_epoll;
