/* ring.c -- positions count bytes for ever and are cut to the size when used. The writer looks at
 * the reader's position only when the one it knows leaves no room, the reader at the writer's only
 * when it has read all it knows of: in the long run the two share no cache line. A message that
 * would lie across the end begins anew at the start, behind a filler. */
#include "io/ring.h"

#include <sys/mman.h>

#include "base/check.h"

/* What stands before every message. */
struct head {
        uint32_t len;  /* of the bytes behind it */
        uint32_t kind; /* UINT32_MAX: filler, skip len bytes */
};

#define FILLER UINT32_MAX

static_assert(sizeof(struct head) == RING_HEAD, "bytes behind it are aligned");

static size_t round_up(size_t len)
{
        return (len + 7) & ~(size_t)7;
}

struct ring *ring_make(size_t size)
{
        CHECK(size >= PAGE_SIZE && (size & (size - 1)) == 0 && size <= UINT32_MAX / 2);
        /* Present from the start: the writer must not wait for the system to find a page. */
        void *memory = mmap(NULL, PAGE_SIZE + size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (memory == MAP_FAILED)
                panic("no memory for a ring of %zu bytes", size);
        struct ring *ring = memory;
        ring->bytes = (uint8_t *)memory + PAGE_SIZE;
        ring->size = size;
        return ring;
}

void ring_free(struct ring *ring)
{
        munmap(ring, PAGE_SIZE + ring->size);
}

static struct head *head_at(const struct ring *ring, uint64_t position)
{
        return (struct head *)(void *)(ring->bytes + (position & (ring->size - 1)));
}

/* True when `need` bytes are free behind `head`. */
static bool has_room(struct ring *ring, uint64_t head, size_t need)
{
        if (likely(head + need - ring->tail_seen <= ring->size / 2))
                return true;
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (ring->alarm != NULL && head + need - ring->tail_seen > ring->size / 2)
                ring->alarm(ring);
        return head + need - ring->tail_seen <= ring->size;
}

/* Everything was read, and the writer is far from the start: it goes back there, so that a ring
 * which is emptied often lives in a small part of its memory, and of the processor's caches. */
static bool may_restart(struct ring *ring, uint64_t head, size_t need)
{
        size_t at = (size_t)(head & (ring->size - 1));
        if (at < RING_WARM || at < need)
                return false;
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        return ring->tail_seen == head;
}

static void drop(struct ring *ring)
{
        uint64_t dropped = atomic_load_explicit(&ring->dropped, memory_order_relaxed);
        atomic_store_explicit(&ring->dropped, dropped + 1, memory_order_relaxed);
}

void *ring_reserve(struct ring *ring, size_t len)
{
        uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
        size_t need = RING_HEAD + round_up(len);
        size_t to_end = ring->size - (size_t)(head & (ring->size - 1));
        size_t skipped = need > to_end || may_restart(ring, head, need) ? to_end : 0;
        if (unlikely(len > ring_message_max(ring) || !has_room(ring, head, skipped + need))) {
                drop(ring);
                ring->reserved = 0;
                return NULL;
        }
        if (skipped > 0)
                *head_at(ring, head) = (struct head){(uint32_t)(skipped - RING_HEAD), FILLER};
        ring->skipped = skipped;
        ring->reserved = need;
        return head_at(ring, head + skipped) + 1;
}

void ring_commit(struct ring *ring, uint32_t kind, size_t len)
{
        uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed) + ring->skipped;
        size_t used = RING_HEAD + round_up(len);
        CHECK(used <= ring->reserved && kind != FILLER);
        *head_at(ring, head) = (struct head){(uint32_t)len, kind};
        ring->reserved = ring->skipped = 0;
        atomic_store_explicit(&ring->head, head + used, memory_order_release);
}

bool ring_put(struct ring *ring, uint32_t kind, const void *bytes, size_t len)
{
        void *place = ring_reserve(ring, len);
        if (place == NULL)
                return false;
        memcpy(place, bytes, len);
        ring_commit(ring, kind, len);
        return true;
}

bool ring_next(struct ring *ring, struct ring_message *ret_message)
{
        for (;;) {
                if (ring->at == ring->head_seen) {
                        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
                        if (ring->at == ring->head_seen)
                                return false;
                }
                struct head *head = head_at(ring, ring->at);
                ring->at += RING_HEAD + round_up(head->len);
                if (head->kind == FILLER)
                        continue;
                ret_message->kind = head->kind;
                ret_message->bytes = (struct slice){(uint8_t *)(head + 1), head->len};
                return true;
        }
}

void ring_release(struct ring *ring)
{
        atomic_store_explicit(&ring->tail, ring->at, memory_order_release);
}

uint64_t ring_dropped(const struct ring *ring)
{
        return atomic_load_explicit(&ring->dropped, memory_order_relaxed);
}

size_t ring_used(const struct ring *ring)
{
        uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
        uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
        return head < tail ? 0 : (size_t)(head - tail);
}
