/* retry.h -- how many retries an upstream may get: a budget per upstream and worker, so that a
 * failing service is not buried under repetition. Each first try earns a part of a retry (20 %),
 * what is earned fades in seconds; besides that some per second are always allowed (3). And at no
 * time are more than that part of the active requests retries, waiting ones counted. Pure: time is
 * given. The rule which request may be retried at all is not here. */
#pragma once

#include "base/base.h"

struct retry_budget {
        uint32_t part_permille; /* of the requests, e.g. 200 */
        uint32_t least_per_s;   /* always allowed, e.g. 3; this worker's part of it */
        uint32_t active;        /* requests under way, tried once or more */
        uint32_t retrying;      /* of these: in a retry, or waiting for one */
        uint64_t earned;        /* in thousandths of a retry */
        uint64_t faded_ns;      /* when `earned` last faded */
        uint64_t arrival_ns;    /* GCRA of least_per_s */
        uint64_t refused;       /* for the metric */
};

static inline void retry_init(struct retry_budget *budget, uint32_t part_permille,
                              uint32_t least_per_s)
{
        *budget = (struct retry_budget){.part_permille = part_permille, .least_per_s = least_per_s};
}

/* A request begins its first try; it ends for good. */
void retry_begin(struct retry_budget *budget, uint64_t now_ns);
void retry_end(struct retry_budget *budget);

/* True when that request may be tried once more; then retry_give when this retry has ended, before
 * the next retry_take and before retry_end. */
must_use bool retry_take(struct retry_budget *budget, uint64_t now_ns);
void retry_give(struct retry_budget *budget);
