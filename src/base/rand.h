/* rand.h -- random bytes, ids and the keys of hash tables. */
#pragma once

#include "base/base.h"

/* From the system (getrandom); dies when the system has none. For keys and secrets. */
void rand_bytes(void *to, size_t len);

/* Fast and unpredictable enough for ids and choices, not for secrets: xoshiro256** per thread,
 * seeded from the system, seeded anew in a child of fork. */
uint64_t rand_u64(void);

/* For tests: what rand_u64 gives this thread from now on follows from `from`. */
void rand_seed(uint64_t from);

/* Below `n`, without bias that matters; 0 for n = 0. */
uint64_t rand_below(uint64_t n);
