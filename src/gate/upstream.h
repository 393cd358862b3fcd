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
        enum proxy_version speaks; /* whose connections these are, as they begin */
        uint64_t dns_min_ns, dns_max_ns, dns_stale_ns;
        struct upstream_live *live; /* NULL: compiled for checking only */
};

/* An exchange's way through an upstream; in its trip, zero before upstream_begin. */
struct attempt {
        const struct upstream *upstream;
        const struct upstream_target *target; /* the one in turn; NULL: none yet */
        struct lane *lane;
        struct seat *seat; /* the address in turn */
        struct exchange *ex;
        struct timer pause; /* before the next try */
        uint64_t pause_ns;
        uint64_t hash;
        uint64_t begun;          /* ns: when the try in turn began */
        uint64_t tried;          /* bits of addresses tried */
        uint64_t retry_after_ns; /* the upstream is not asked before; 0: not known */
        enum reason failure;     /* of the last try */
        uint32_t set;            /* generation of the addresses that the bits belong to */
        uint8_t tries;           /* all that were made */
        uint8_t free_tries;      /* of these: those that are no retries */
        uint8_t pass;            /* enum breaker_pass */
        bool is_trying : 1;      /* a try began and upstream_tried did not tell its end */
        bool is_retry : 1;       /* it counts against the budget */
        bool is_fresh : 1;       /* the next one takes no connection that was idle */
        bool is_crossing : 1;    /* the next one goes to the target's other family */
        bool was_stale : 1, was_crossing : 1; /* each is done once */
};

/* Begins: no target is chosen yet. */
void upstream_begin(struct attempt *attempt, struct worker *worker, const struct upstream *upstream,
                    uint64_t hash);

/* Chooses a target and gets ex->back a connection to it. ERR_ok: ready; ERR_again: being made, or
 * waiting for its time; the exchange is resumed when back.is_ready or back.failure is set;
 * ERR_missing, ERR_no_ports: no target can be asked (REASON_no_target); ERR_limit, ERR_memory: no
 * connection may be made (REASON_overloaded); other: this target cannot be reached, or no further
 * one can be asked after others failed, and back.failure is set. */
must_use enum err upstream_get(struct attempt *attempt, struct exchange *ex);

/* The try in turn has ended: with back.failure set, or (none) with a response head of
 * ex->res.head.status. Feeds health, breaker and counts. */
void upstream_tried(struct attempt *attempt, struct exchange *ex);

/* After upstream_tried, whatever came: is there to be another try? By the terms of the route, the
 * method, what was sent and heard (back.is_begun, is_heard, is_stale), the body (body_rewind), the
 * budget and the deadline. Outside of attempts and budget: one fresh try after a pooled connection
 * was found dead, where nothing can be done twice by it; and one at an address of another family
 * when the target cannot be reached by the first. True: the back was let go of and the body put
 * back; call upstream_get again. */
must_use bool upstream_may_retry(struct attempt *attempt, struct exchange *ex,
                                 const struct terms *terms);

/* After ERR_missing: in how many seconds it may be asked again; 0: nobody knows. */
uint32_t upstream_retry_after_s(const struct attempt *attempt);

/* The exchange is over with it, however it ended. Must follow upstream_begin exactly once. */
void upstream_end(struct attempt *attempt, struct exchange *ex);
