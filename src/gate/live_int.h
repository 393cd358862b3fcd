/* live_int.h -- what endpoint.c, live.c, live_names.c, lane.c and upstream.c share: the parts of an
 * upstream that are alive, and which thread may touch them.
 *
 * The steward keeps an upstream_live for each name, with the addresses of its targets. From these
 * it makes an endpoint_set, immutable, counted by atomics, and puts it into the lane_mail of each
 * worker: a mailbox of one place, so that only the newest counts and nothing piles up. A worker
 * keeps a lane for each upstream and in it a seat for each endpoint: connections, load, balance.
 * What all threads write is in endpoints and in the upstream_live, as atomics, and nobody writes
 * there as long as all is well.
 *
 * Invariant: an upstream_live outlives every lane, an endpoint every seat on it. */
#pragma once

#include "base/arena.h"
#include "gate/live.h"
#include "gate/worker.h"
#include "io/dns.h"

enum {
        ENDPOINTS_MAX = BALANCE_TARGETS_MAX, /* of one upstream; further addresses are not used */
        ADDRESSES_MAX = DNS_ADDRS_MAX,       /* of one name */
};

/* How long connecting may take where addresses of another family are there to be tried
 * (RFC 8305 5). */
#define FAMILY_CONNECT_NS 250000000u

/* ---- shared ---- */

/* What one worker does with an endpoint, for others to read. */
struct endpoint_counts {
        _Atomic(uint32_t) in_flight, idle, open;
} aligned(CACHE_LINE);

/* One address of one target. */
struct endpoint {
        struct eject eject;
        _Atomic(uint32_t) holds;
        _Atomic(uint32_t) unreached; /* failures to connect in a row */
        _Atomic(bool) was_reached;   /* ever */
        _Atomic(bool) is_reached;    /* a standby that was connected to: for the steward */
        struct addr addr;
        struct upstream_target target;   /* its texts lie behind the counts */
        uint64_t seed;                   /* for balance: hash */
        uint64_t born;                   /* ns: joined others then; 0: was there from the start */
        struct endpoint_counts counts[]; /* by worker */
};

struct endpoint_entry {
        struct endpoint *endpoint;
        uint32_t weight;
        uint32_t target;  /* its place among the targets of the upstream */
        bool is_standby;  /* of the family that is not in use */
        bool has_standby; /* its target has addresses of another family in reserve */
};

/* What is configured and does not lie in the exchange's snapshot: it belongs to connections. */
struct endpoint_rules {
        struct eject_rule eject;
        uint64_t slow_start_ns, pool_idle_ns, pool_age_ns;
        uint32_t pool_max;
        enum proxy_version speaks;
};

struct endpoint_set {
        _Atomic(uint32_t) holds;
        uint32_t generation;
        uint32_t count;
        struct endpoint_rules rules;
        struct eject_group group; /* of those in use */
        struct endpoint_entry entries[];
};

/* Memory of the heap, cleared; in proportion to the configuration. */
void *live_memory(size_t size);
void live_memory_free(void *memory);

struct endpoint *endpoint_make(const struct upstream_target *target, const struct addr *addr,
                               unsigned workers);
void endpoint_hold(struct endpoint *endpoint);
void endpoint_let_go(struct endpoint *endpoint);

/* A set with room for `count` entries, held once. Each entry put into it holds its endpoint. */
struct endpoint_set *endpoint_set_make(uint32_t count, const struct endpoint_rules *rules);
void endpoint_set_add(struct endpoint_set *set, const struct endpoint_entry *entry);
/* Once all entries are in. */
void endpoint_set_close(struct endpoint_set *set);
bool endpoint_set_eq(const struct endpoint_set *a, const struct endpoint_set *b);
void endpoint_set_hold(struct endpoint_set *set);
void endpoint_set_let_go(struct endpoint_set *set);

/* Of BALANCE_SHARE_FULL: less while it comes back or is new, 0 while it is out. */
uint32_t endpoint_share(struct endpoint *endpoint, const struct endpoint_rules *rules,
                        uint64_t now);

/* ---- the steward's ---- */

struct target_live {
        struct upstream_live *upstream;
        struct upstream_target target; /* its texts lie behind it */
        struct addr *addrs;
        uint32_t addr_count;
        int family;      /* in use where there are two */
        bool is_settled; /* it has addresses, or it is known that there are none */
        bool is_followed;
        bool is_inherited; /* the addresses are of a watch under other rules, the last good ones */
        struct dns_rule rule; /* by which it is followed */
        struct dns_watch watch;
};

/* What goes to one worker. */
struct lane_mail {
        struct mail mail, ack;
        struct upstream_live *upstream;
        struct worker *worker;
        _Atomic(struct endpoint_set *) next; /* holds it */
        _Atomic(bool) is_posted, is_dropped;
} aligned(CACHE_LINE);

struct upstream_live {
        struct breaker breaker;    /* everybody's */
        _Atomic(uint32_t) changes; /* everybody's: how often an endpoint was ejected */
        _Atomic(bool) is_telling;  /* `told` is on its way */
        struct mail told;          /* to the steward: a standby was reached */
        struct live *live;
        struct str name;
        uint32_t slot; /* in the lanes of all workers */
        uint32_t holds;
        unsigned acks; /* workers whose lane is gone */
        bool is_dropped;
        struct dns_rule dns;
        struct endpoint_rules rules;
        struct target_live **targets;
        uint32_t target_count, generation;
        struct endpoint_set *set; /* the newest */
        struct lane_mail mails[]; /* by worker */
};

struct live {
        struct loop *loop;
        struct dns *dns;
        struct worker *const *workers;
        unsigned worker_count;
        struct upstream_live **slots; /* NULL: free */
        uint32_t slot_count, slot_cap;
};

/* live_names.c: a target, followed from now on. */
struct target_live *target_live_make(struct upstream_live *upstream,
                                     const struct upstream_target *target);

/* It is in the new configuration, too. */
void target_live_keep(struct target_live *target, uint32_t weight);
void target_live_free(struct target_live *target);

/* Makes its set anew from its targets, and sends it if it is another one. */
void upstream_live_renew(struct upstream_live *upstream);

/* live.c: gives the newest set to every worker. */
void upstream_live_send(struct upstream_live *upstream);

/* lane.c: opens a lane_mail. */
void lane_mail_open(struct mail *mail);

/* ---- a worker's ---- */

/* One endpoint on one worker. It goes when nobody is on it, no connection is left, and it is in no
 * set any more. */
struct seat {
        struct pool pool;
        struct list node; /* among the lane's */
        struct task grave;
        struct lane *lane;
        struct endpoint *endpoint;
        struct endpoint_counts *counts;
        int32_t index; /* in the lane's arrays; -1: no longer there */
        uint32_t load; /* exchanges on it */
};

struct lane {
        struct worker *worker;
        struct upstream_live *upstream;
        struct endpoint_set *set; /* NULL: none came yet */
        struct seat **seats;      /* of the set's entries */
        struct balance_target *balance;
        struct list all_seats; /* those that are about to go, too */
        struct task grave;
        uint32_t users; /* attempts that have begun and not ended */
        bool is_dropped;
        uint32_t changes;     /* of the upstream_live, as of the last look */
        uint64_t refresh_due; /* ns: when availability or shares change by themselves */
        struct breaker_worker breaker;
        struct retry_budget retry;
};

/* The lane of an upstream; NULL: nothing came from the steward yet. */
struct lane *lane_find(struct worker *worker, const struct upstream_live *upstream);

/* One attempt more on the lane, and one less. */
void lane_enter(struct lane *lane);
void lane_leave(struct lane *lane);

void seat_enter(struct seat *seat);
void seat_leave(struct seat *seat);

/* Brings availability and shares up to date; costs one load when nothing has changed. */
void lane_look(struct lane *lane, uint64_t now);

/* The next endpoint; BALANCE_NONE. `tried`: bits, by index modulo 64. */
int lane_pick(struct lane *lane, const struct upstream *upstream, uint64_t hash, uint64_t tried);

/* True when there is another one than those tried. */
bool lane_has_others(const struct lane *lane, uint64_t tried);

/* An address of the other family of that entry's target; BALANCE_NONE when there is none. */
int lane_pick_standby(struct lane *lane, int index);

/* True when the target of that entry has addresses of another family in reserve, and none of those
 * in use was reached the last time. */
bool lane_has_failed_family(const struct lane *lane, int index);
