/* spool.c -- looks at the rings every few milliseconds while it finds something, and twice as
 * seldom each time it finds nothing. A ring is given back in parts, so that its writer has room
 * again long before it has been emptied; one turn takes a bounded amount from each, so that a flood
 * does not keep the steward from its other duties. */
#include "io/spool.h"

#include <signal.h>

#include "base/check.h"

enum { RELEASE_EVERY = 64, BATCH = 4096 };

#define PAUSE_LEAST_NS 2000000u
#define PAUSE_MOST_NS  128000000u

/* Up to `most` messages of one ring; true when it may hold more. */
static bool empty(struct spool *spool, struct ring *ring, unsigned most)
{
        struct ring_message message;
        unsigned count = 0;
        while (count < most && ring_next(ring, &message)) {
                spool->fn(spool->owner, &message);
                if (++count % RELEASE_EVERY == 0)
                        ring_release(ring);
        }
        ring_release(ring);
        spool->messages += count;
        return count == most;
}

static bool flush(struct spool *spool)
{
        bool has_more = false;
        for (unsigned i = 0; i < spool->outlet_count; i++)
                has_more |= outlet_flush(spool->outlets[i], loop_now(spool->loop));
        return has_more;
}

bool spool_turn(struct spool *spool)
{
        uint64_t before = spool->messages;
        bool has_more = false;
        for (unsigned i = 0; i < spool->ring_count; i++)
                has_more |= empty(spool, spool->rings[i], BATCH);
        has_more |= flush(spool);
        return has_more || spool->messages != before;
}

static void on_timer(struct timer *timer)
{
        struct spool *spool = container_of(timer, struct spool, timer);
        if (spool_turn(spool))
                spool->pause_ns = PAUSE_LEAST_NS;
        else
                spool->pause_ns = u64_min(spool->pause_ns * 2, PAUSE_MOST_NS);
        timer_set(spool->loop, timer, loop_now(spool->loop) + spool->pause_ns);
}

void spool_init(struct spool *spool, struct loop *loop, spool_fn *fn, void *owner)
{
        *spool = (struct spool){.loop = loop, .fn = fn, .owner = owner};
        signal(SIGPIPE, SIG_IGN);
        spool->pause_ns = PAUSE_LEAST_NS;
        timer_init(&spool->timer, on_timer);
        timer_set(loop, &spool->timer, loop_now(loop) + spool->pause_ns);
}

void spool_fini(struct spool *spool)
{
        timer_stop(&spool->timer);
        for (unsigned i = 0; i < spool->ring_count; i++) {
                while (empty(spool, spool->rings[i], BATCH))
                        flush(spool);
        }
        flush(spool);
}

void spool_add_ring(struct spool *spool, struct ring *ring)
{
        CHECK(spool->ring_count < SPOOL_RINGS_MAX);
        spool->rings[spool->ring_count++] = ring;
}

void spool_remove_ring(struct spool *spool, struct ring *ring)
{
        while (empty(spool, ring, BATCH))
                flush(spool);
        for (unsigned i = 0; i < spool->ring_count; i++) {
                if (spool->rings[i] != ring)
                        continue;
                spool->dropped_before += ring_dropped(ring);
                spool->rings[i] = spool->rings[--spool->ring_count];
        }
}

void spool_add_outlet(struct spool *spool, struct outlet *outlet)
{
        CHECK(spool->outlet_count < SPOOL_OUTLETS_MAX);
        spool->outlets[spool->outlet_count++] = outlet;
}

void spool_remove_outlet(struct spool *spool, struct outlet *outlet)
{
        for (unsigned i = 0; i < spool->outlet_count; i++) {
                if (spool->outlets[i] == outlet)
                        spool->outlets[i] = spool->outlets[--spool->outlet_count];
        }
}

void spool_reopen(struct spool *spool)
{
        for (unsigned i = 0; i < spool->outlet_count; i++)
                outlet_reopen(spool->outlets[i], loop_now(spool->loop));
}

uint64_t spool_dropped(const struct spool *spool)
{
        uint64_t dropped = spool->dropped_before;
        for (unsigned i = 0; i < spool->ring_count; i++)
                dropped += ring_dropped(spool->rings[i]);
        return dropped;
}
