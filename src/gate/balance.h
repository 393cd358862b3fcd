/* balance.h -- which target of an upstream is next. Pure functions over an array that belongs to
 * one worker: no clock, no random source, no knowledge of connections. The caller keeps weight,
 * load and availability in the entries up to date and says which ones it tried already.
 *
 * Defined for all inputs: a weight of 0 takes no traffic, weights over BALANCE_WEIGHT_MAX count as
 * that, equal addresses are independent entries (but alike for `hash`), and when nobody may be
 * chosen the answer is BALANCE_NONE. Each pick costs time in proportion to the number of targets.
 */
#pragma once

#include "base/base.h"
#include "base/str.h"

enum {
        BALANCE_NONE = -1,
        BALANCE_WEIGHT_MAX = 1000000,
        BALANCE_SHARE_FULL = 256,
        BALANCE_TARGETS_MAX = 1024,
};

struct balance_target {
        uint64_t seed;     /* balance_seed of its stable name; used by hash */
        int64_t credit;    /* of round robin; begins at 0 */
        uint32_t weight;   /* as configured */
        uint32_t load;     /* requests in flight */
        uint16_t share;    /* of BALANCE_SHARE_FULL: slow start and gradual return; 0 counts as 1 */
        bool is_available; /* not ejected, not draining */
        bool is_tried;     /* by this exchange; the next try goes elsewhere if it can */
};

/* The same on all nodes and after a restart: depends on nothing but the text. */
uint64_t balance_seed(struct str text);

/* Smooth weighted round robin. `random` moves the start, once per worker and snapshot. */
void balance_round_robin_start(struct balance_target *targets, unsigned count, uint64_t random);
int balance_round_robin(struct balance_target *targets, unsigned count);

/* The least load per weight; `random` breaks ties. */
int balance_least_conn(const struct balance_target *targets, unsigned count, uint64_t random);

/* The less loaded of two that are drawn by weight. */
int balance_random(const struct balance_target *targets, unsigned count, uint64_t random);

/* Consistent: the same key meets the same target as long as that is available; a target that comes
 * or goes moves only its own part of the keys. Neither share nor load counts. */
int balance_hash(const struct balance_target *targets, unsigned count, uint64_t key);
