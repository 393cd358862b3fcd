/* spool.c -- looks at the rings every few milliseconds while it finds something, and twice as
 * seldom each time it finds nothing; at once when one of them is half full. A ring is given back in
 * parts, so that its writer has room again long before it has been emptied; one turn takes a
 * bounded amount from each, so that a flood does not keep the steward from its other duties. */
#include "io/spool.h"

#include <signal.h>

#include "base/check.h"

/* Lines are written while they are still in the processor's cache. */
enum { RELEASE_EVERY = 64, BATCH = 4096, FLUSH_AT = 64 * 1024 };

/* Each look costs a switch of threads, and the worker its place in the caches. */
#define PAUSE_LEAST_NS 8000000u
#define PAUSE_MOST_NS  128000000u

/* True when some outlet took something and has more. */
static bool flush(struct spool *spool, size_t least)
{
        bool has_more = false;
        for (unsigned i = 0; i < spool->outlet_count; i++) {
                if (spool->outlets[i]->queue.len >= least)
                        has_more |= outlet_flush(spool->outlets[i], loop_now(spool->loop));
        }
        return has_more;
}

/* Up to `most` messages of one ring; true when it may hold more. */
static bool empty(struct spool *spool, struct ring *ring, unsigned most)
{
        struct ring_message message;
        unsigned count = 0;
        while (count < most && ring_next(ring, &message)) {
                spool->fn(spool->owner, &message);
                if (++count % RELEASE_EVERY > 0)
                        continue;
                ring_release(ring);
                flush(spool, FLUSH_AT);
        }
        ring_release(ring);
        spool->messages += count;
        return count == most;
}

bool spool_turn(struct spool *spool)
{
        uint64_t before = spool->messages;
        bool has_more = false;
        for (unsigned i = 0; i < spool->ring_count; i++)
                has_more |= empty(spool, spool->rings[i], BATCH);
        has_more |= flush(spool, 0);
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

/* A burst, faster than the looks: by a writer, on its thread. */
static void on_alarm(struct ring *ring)
{
        struct spool *spool = ring->owner;
        if (atomic_load_explicit(&spool->is_called, memory_order_relaxed))
                return;
        if (!atomic_exchange_explicit(&spool->is_called, true, memory_order_acq_rel))
                loop_post(spool->loop, &spool->call);
}

static void on_call(struct mail *mail)
{
        struct spool *spool = container_of(mail, struct spool, call);
        atomic_store_explicit(&spool->is_called, false, memory_order_release);
        spool->calls++;
        if (spool->ring_count > 0) /* else it has ended meanwhile */
                on_timer(&spool->timer);
}

void spool_init(struct spool *spool, struct loop *loop, spool_fn *fn, void *owner)
{
        *spool = (struct spool){.loop = loop, .fn = fn, .owner = owner, .call.open = on_call};
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
                        flush(spool, 0);
                spool->rings[i]->alarm = NULL;
                spool->dropped_before += ring_dropped(spool->rings[i]);
        }
        flush(spool, 0);
        spool->ring_count = 0;
}

void spool_add_ring(struct spool *spool, struct ring *ring)
{
        CHECK(spool->ring_count < SPOOL_RINGS_MAX);
        ring->owner = spool;
        ring->alarm = on_alarm;
        spool->rings[spool->ring_count++] = ring;
}

void spool_remove_ring(struct spool *spool, struct ring *ring)
{
        while (empty(spool, ring, BATCH))
                flush(spool, 0);
        for (unsigned i = 0; i < spool->ring_count; i++) {
                if (spool->rings[i] != ring)
                        continue;
                spool->dropped_before += ring_dropped(ring);
                ring->alarm = NULL;
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
