/* upstream.h -- a named group of servers, and one exchange's way through them. What is configured
 * (struct upstream) lies in the snapshot and is swapped with it; what is alive (addresses, health,
 * idle connections, requests in flight) is found by name and survives reloads (live.h). Each worker
 * balances for itself over its own lane; what it learns of a target's health all workers see. */
#pragma once

#include "gate/balance.h"
#include "gate/breaker.h"
#include "gate/eject.h"
#include "gate/policy.h"
#include "gate/retry.h"
#include "http/pool.h"

struct worker;
struct lane;
struct upstream_live;

enum balance_kind { BALANCE_ROUND_ROBIN, BALANCE_LEAST_CONN, BALANCE_RANDOM, BALANCE_HASH };
enum hash_by { HASH_BY_IP, HASH_BY_CONSUMER, HASH_BY_PATH, HASH_BY_HEADER };

/* One configured server: all addresses of its name are used. */
struct upstream_target {
        struct str url;       /* as written */
        struct str host;      /* name or address */
        struct str authority; /* what Host says */
        struct str path;      /* prefix of its URL: "" or "/v1" */
        uint16_t port;
        uint32_t weight;
};

struct upstream {
        struct str name;
        uint32_t id;
        uint32_t series; /* count.h */
        const struct upstream_target *targets;
        uint32_t target_count;
        enum balance_kind balance;
        enum hash_by hash_by;
        struct str hash_header;
        struct eject_rule eject;
        struct breaker_rule breaker;
        bool breaker_counts_5xx; /* else only what fails to connect, times out or breaks */
        uint64_t slow_start_ns;
        uint64_t pool_idle_ns, pool_age_ns;
        uint32_t pool_max;
        uint64_t dns_min_ns, dns_max_ns, dns_stale_ns;
        struct upstream_live *live; /* NULL: compiled for checking only */
};

/* An exchange's way through an upstream; in its trip, zero before upstream_begin. */
struct attempt {
        const struct upstream *upstream;
        struct lane *lane;
        const struct upstream_target *target; /* the one in turn */
        struct pool *pool;
        uint64_t hash;
        uint64_t begun;   /* ns: when the try in turn began */
        uint64_t tried;   /* bits of endpoints tried */
        int32_t endpoint; /* index in the lane; -1: none */
        uint32_t set;     /* generation of the lane's endpoints that the index belongs to */
        uint8_t tries;
        uint8_t pass; /* enum breaker_pass */
        bool is_retry, is_active, is_fresh;
};

/* Begins: no target is chosen yet. */
void upstream_begin(struct attempt *attempt, struct worker *worker, const struct upstream *upstream,
                    uint64_t hash);

/* Chooses a target and gets ex->back a connection to it. ERR_ok: ready; ERR_again: being made, the
 * exchange is resumed; ERR_missing: no target is available (REASON_no_target); ERR_limit: the pool
 * is full (overloaded); other: this target cannot be reached (as back.failure = upstream_refused).
 */
must_use enum err upstream_get(struct attempt *attempt, struct exchange *ex);

/* The try in turn has ended: with back.failure set, or (none) with a response head of
 * ex->res.head.status. Feeds health, breaker and counts. */
void upstream_tried(struct attempt *attempt, struct exchange *ex);

/* After a failed try: may there be another one? By the terms of the route, the method, what was
 * sent (back.is_begun, is_stale), the body (body_rewind), the budget and the deadline; a pooled
 * connection found dead gets one fresh try outside the budget. True: call upstream_get again. */
must_use bool upstream_may_retry(struct attempt *attempt, struct exchange *ex,
                                 const struct terms *terms);

/* The exchange is over with it, however it ended. Must follow upstream_begin exactly once. */
void upstream_end(struct attempt *attempt, struct exchange *ex);
