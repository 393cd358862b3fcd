/* live.h -- what outlives snapshots, by stable identity: upstreams with the addresses of their
 * targets and their health. One registry per data process, kept by the steward; workers get every
 * change of addresses by mail and keep what is theirs (pools, balance) in a lane per upstream. */
#pragma once

#include "gate/upstream.h"

struct live;
struct snapshot;
struct dns;

struct live *live_make(struct loop *steward, struct dns *dns, struct worker *const *workers,
                       unsigned worker_count);

/* Every worker must have ended, and the steward's loop must not turn any more: mail of workers may
 * still lie there. */
void live_free(struct live *live);

/* Steward: finds or makes the live side of each upstream of a snapshot about to be published, sets
 * upstream.live, follows the names of its targets, and tells the workers. Held until live_release.
 */
void live_hold(struct live *live, struct upstream *const *upstreams, size_t count);

/* Steward: the snapshot is retired. What no snapshot holds any more goes. */
void live_release(struct live *live, struct upstream *const *upstreams, size_t count);

/* Steward: true once every name of every held upstream has addresses or has failed once: so that
 * the first snapshot does not serve 503 for want of a DNS answer. */
bool live_is_settled(const struct live *live);

/* Worker: called once when it starts, and once when its exchanges are over: closes every pool. Its
 * loop must turn once more to bury the connections. */
void lanes_init(struct worker *worker);
void lanes_fini(struct worker *worker);

/* Steward: state of an upstream's targets for status and metrics; calls `each` per address. */
struct target_state {
        struct str upstream, target;
        struct addr addr;
        bool is_out;      /* ejected now */
        bool is_standby;  /* an address of the family that is not in use */
        uint32_t share;   /* of 256: its part of the traffic, less while it comes back */
        uint64_t ejected; /* how often */
        uint32_t in_flight, idle, open; /* summed over workers, approximately */
};

void live_each(struct live *live, void (*each)(void *arg, const struct target_state *state),
               void *arg);
bool live_breaker_is_open(struct live *live, struct str upstream);
