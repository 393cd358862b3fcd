/* ring.h -- messages from one thread to one other, through memory: records and lines on their way
 * from a worker to whoever writes them out. Writing never blocks and wakes nobody: the reader comes
 * round by itself. Only when more than half of it is full, the writer calls. What does not fit is
 * dropped and counted. A message is
 * any run of bytes with a number that says what it is; it lies in one piece, on 8 bytes, so a
 * struct can be written and read in place. */
#pragma once

#include <stdatomic.h>

#include "base/base.h"
#include "base/str.h"

enum { RING_HEAD = 8, RING_WARM = 64 * 1024 };

struct ring {
        /* The writer's line. */
        aligned(CACHE_LINE) _Atomic uint64_t head; /* bytes written since the beginning */
        uint64_t tail_seen;
        size_t reserved, skipped;
        _Atomic uint64_t dropped; /* messages that did not fit */
        /* The reader's line. */
        aligned(CACHE_LINE) _Atomic uint64_t tail; /* bytes given back */
        uint64_t at;                               /* bytes read, not all given back yet */
        uint64_t head_seen;
        /* Fixed. */
        aligned(CACHE_LINE) uint8_t *bytes;
        size_t size; /* a power of two */
        /* Called by the writer, again and again, while it is more than half full; or NULL. */
        void (*alarm)(struct ring *ring);
        void *owner; /* the alarm's */
};

struct ring_message {
        uint32_t kind;
        struct slice bytes; /* in the ring: until ring_release */
};

/* `size` bytes, a power of two of at least a page; dies when the system has no memory. */
struct ring *ring_make(size_t size);
void ring_free(struct ring *ring);

/* The longest message that a ring can ever take. */
static inline size_t ring_message_max(const struct ring *ring)
{
        return ring->size / 4;
}

/* Writer: a place for `len` bytes; NULL when there is none, which is counted. Then ring_commit with
 * as many as were used, or nothing: then the place is forgotten. */
void *ring_reserve(struct ring *ring, size_t len);
void ring_commit(struct ring *ring, uint32_t kind, size_t len);

/* Writer: a copy of all of it, or nothing. */
bool ring_put(struct ring *ring, uint32_t kind, const void *bytes, size_t len);

/* Reader: the next message; false when there is none. */
bool ring_next(struct ring *ring, struct ring_message *ret_message);

/* Reader: gives back all that ring_next handed out. */
void ring_release(struct ring *ring);

/* Anybody: messages dropped so far; bytes in it now. */
uint64_t ring_dropped(const struct ring *ring);
size_t ring_used(const struct ring *ring);
