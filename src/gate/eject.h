/* eject.h -- passive health: a target that fails several times in a row is left out for a while,
 * longer each time, and comes back gradually. All workers of a process share one `struct eject` per
 * target (in the live registry) and one `struct eject_group` per upstream. As long as all is well
 * nobody writes here, a success only reads. Never more than the set share of an upstream is out,
 * and never its last target. No clock: time is given, in nanoseconds that only rise. */
#pragma once

#include <stdatomic.h>

#include "base/base.h"

struct eject_rule {
        uint32_t failures;      /* in a row, e.g. 5; 0: never */
        uint32_t share_percent; /* of the targets that may be out at once, e.g. 50 */
        uint64_t time_ns;       /* e.g. 30 s, doubled each time … */
        uint64_t time_max_ns;   /* … up to e.g. 5 min */
        uint64_t return_ns;     /* how long the gradual return takes, e.g. 10 s */
};

/* One target. Zero is a healthy one. */
struct eject {
        _Atomic(uint32_t) failures; /* in a row */
        _Atomic(uint32_t) times;    /* ejected without a quiet time in between */
        _Atomic(uint64_t) until_ns; /* out until then; 0: never was, or long ago */
        _Atomic(uint64_t) ejected;  /* ever, for the metric */
} aligned(CACHE_LINE);

/* All targets of an upstream. `targets` is replaced only with the group. */
struct eject_group {
        const struct eject_rule *rule;
        struct eject *const *targets;
        uint32_t count;
        atomic_flag is_deciding;
};

/* True while the target is out. */
static inline bool eject_is_out(struct eject *eject, uint64_t now_ns)
{
        return atomic_load_explicit(&eject->until_ns, memory_order_relaxed) > now_ns;
}

/* How much of its traffic a target should get, of 256: 0 while it is out, rising after. */
uint32_t eject_share(struct eject *eject, const struct eject_rule *rule, uint64_t now_ns);

/* What a try ended with. eject_failure is true when that made the target go out. */
void eject_success(struct eject *eject, const struct eject_rule *rule, uint64_t now_ns);
bool eject_failure(struct eject_group *group, struct eject *eject, uint64_t now_ns);
