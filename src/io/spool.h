/* spool.h -- empties the rings of all workers on the steward's loop and writes out what becomes of
 * their messages. It looks by itself, often while there is much and seldom while there is nothing:
 * a worker wakes it only when its ring is half full before the next look. What a message means it
 * does not know: that is told by a function, which usually makes a line of it and puts that into an
 * outlet. */
#pragma once

#include "io/loop.h"
#include "io/outlet.h"
#include "io/ring.h"

enum { SPOOL_RINGS_MAX = 512, SPOOL_OUTLETS_MAX = 8 };

/* What becomes of a message; its bytes are gone when the call returns. */
typedef void spool_fn(void *owner, const struct ring_message *message);

struct spool {
        struct loop *loop;
        struct timer timer;
        struct mail call; /* posted while is_called, by whichever writer was first */
        _Atomic bool is_called;
        spool_fn *fn;
        void *owner;
        uint64_t pause_ns; /* until it looks again */
        struct ring *rings[SPOOL_RINGS_MAX];
        struct outlet *outlets[SPOOL_OUTLETS_MAX];
        unsigned ring_count, outlet_count;
        uint64_t messages, calls, dropped_before;
};

/* Also makes the process ignore SIGPIPE, which it must. */
void spool_init(struct spool *spool, struct loop *loop, spool_fn *fn, void *owner);

/* Stops looking; empties the rings and flushes once more. Rings and outlets stay the caller's. */
void spool_fini(struct spool *spool);

/* Before their threads begin, or after they have ended. */
void spool_add_ring(struct spool *spool, struct ring *ring);
void spool_remove_ring(struct spool *spool, struct ring *ring); /* empties it first */
void spool_add_outlet(struct spool *spool, struct outlet *outlet);
void spool_remove_outlet(struct spool *spool, struct outlet *outlet);

/* Empties the rings and flushes the outlets now; true when there was anything to do. */
bool spool_turn(struct spool *spool);

/* After a rotation of logs (USR1): all files anew. */
void spool_reopen(struct spool *spool);

/* Messages that rings had no room for, so far. */
uint64_t spool_dropped(const struct spool *spool);
