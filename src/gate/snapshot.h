/* snapshot.h -- one whole configuration, compiled and immutable: routes with their chains, upstream
 * settings, the confs of policies, in one arena. Made by compile.c, published and retired by pins.
 * What is alive never lies here, only pointers to it. */
#pragma once

#include "base/map.h"
#include "gate/policy.h"
#include "gate/route.h"
#include "gate/upstream.h"
#include "wire/cidr.h"

struct bundle;
struct cert;
struct config;
struct live;

/* One policy in a chain, with the conf that holds here. */
struct chain_step {
        const struct policy *policy;
        const void *conf;        /* NULL: a slot that only a tier fills */
        const struct json *node; /* where it was written, for explain; NULL: a preset */
        struct str level;  /* "gateway", "channel partner", "api orders", "operation GET /x" */
        uint32_t state_at; /* offset of its state */
        uint16_t index;    /* of the policy in the table */
        bool is_floor;
        bool takes_tier; /* the caller's tier may replace it */
};

struct chain {
        const struct chain_step *at;
        struct str names; /* of its policies, in order: "cors auth rate_limit" */
        uint16_t count;
        uint32_t state_size;
        bool watches_request;   /* some step has on_body */
        bool answers_preflight; /* some step answers CORS preflights */
        bool has_floors;
        bool has_hearers; /* some step hears all answers */
};

/* Channel, API and route begin with where they were written: whoever holds one of them as a value
 * of the table of routes finds its place. */
struct channel {
        const struct json *node;
        struct str name;
        uint32_t id;
};

struct api {
        const struct json *node;
        struct str name, path;
        uint32_t id;
        uint32_t series; /* count.h */
        bool is_strict;  /* path_strict */
};

struct route {
        const struct json *node;
        struct str name;     /* as written: "GET /orders/{id}"; of an API without routes its name */
        struct str template; /* whole path template */
        uint32_t id;
        uint32_t series; /* count.h */
        const struct api *api;
        const struct channel *channel;
        const struct upstream *upstream;
        struct chain chain;
        struct terms terms;
        struct timeouts timeouts;
        uint64_t protection; /* equal for two routes that are protected alike (two readings) */
};

/* What the caller's tier puts into the slots of the chain, by index of the policy. */
struct tier {
        struct str name;
        const struct chain_step *const *slots; /* NULL entries: the route's own holds */
};

/* What a listener's requests are subject to, by index of the listener. */
struct listener_rules {
        struct str name;
        struct host_port address;
        struct cidrs trusted_proxies;
        enum introduction introduction;
        bool is_both; /* HTTP/2 without TLS as well */
        struct http_limits limits;
        const struct json *node;
        struct tls_set *tls;    /* NULL: callers do not speak TLS */
        uint16_t redirect_port; /* of https, where all requests are sent; 0: they are served */
};

struct snapshot {
        struct bundle *bundle; /* in whose arena it lies */
        uint64_t number;
        struct str hash; /* of the bundle, hex */
        const struct route_table *routes;
        bool needs_loose;
        const struct policies *policies;
        const struct config *config;
        struct sources *sources;
        struct listener_rules *listeners;
        uint32_t listener_count;
        struct http_limits back_limits;
        struct upstream **upstreams;
        uint32_t upstream_count;
        struct route **route_list; /* by id */
        struct api **api_list;
        struct channel **channel_list;
        uint32_t route_count, api_count, channel_count;
        struct map tiers;    /* struct tier by name */
        struct str problems; /* base URL of problem types; empty: urn:gatehouse:problem: */
};

/* Certificate number `at` of all listeners, and whose it is; NULL behind the last. */
const struct cert *snapshot_cert(const struct snapshot *snapshot, unsigned at,
                                 const struct listener_rules **ret_listener);
