/* compile_int.h -- what the files of the compiler share: compile.c (things), chain.c (policies). */
#pragma once

#include "base/map.h"
#include "gate/compile.h"
#include "gate/route.h"

/* A conf that has been prepared: once for each place where one is written. */
struct prepared {
        const struct policy *policy;
        const void *conf;
        const struct json *node;
        struct str level;
        uint64_t content; /* hash of what was written: equal for equal settings */
        uint16_t index;
        bool is_floor, is_off;
};

struct compile {
        const struct compile_input *in;
        struct arena scratch; /* for the time of compiling */
        struct snapshot *snapshot;
        struct route_build *routes;
        struct map upstreams;            /* struct upstream by name or URL */
        struct map prepared;             /* struct prepared by the bytes of the conf's address */
        const struct prepared **presets; /* by index of the policy; of those that always hold */
        bool *tier_slots;                /* by index: some tier has something for it */
        size_t upstream_cap, route_cap;
        const struct conf_upstream *upstream_presets; /* made when first needed */
};

/* A level at which policies stand, from outside in. */
struct level {
        struct str text;                        /* "api orders": for people */
        struct str identity;                    /* "api/orders": stable */
        struct str limit;                       /* as RateLimit names it */
        const struct block *policies, *enforce; /* NULL: none */
};

enum { LEVELS = 4 };

/* Prepares presets and tiers; before any chain. */
void chain_begin(struct compile *compile);

/* Builds chain and terms of a route under these LEVELS levels (top, channel, api, route). */
void chain_build(struct compile *compile, const struct level *levels, struct route *route);

/* The upstream of that name or URL, made when needed; NULL after a fault at node. */
struct upstream *compile_upstream(struct compile *compile, struct str name,
                                  const struct json *node);

/* doors.c: channels, APIs and routes into the snapshot's table. */
void compile_doors(struct compile *compile);
