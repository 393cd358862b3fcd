/* compile_int.h -- what the files of the compiler share: compile.c (things), chain.c (policies). */
#pragma once

#include "base/map.h"
#include "gate/compile.h"
#include "gate/route.h"

/* A place in the document that stands below an `enforce` that is stricter. */
struct idle {
        struct idle *next; /* of the same value */
        const struct json *node;
        const struct prepared *floor;
        uint32_t met;  /* chains in which it is so */
        uint32_t last; /* number of the last of these */
};

/* What was found out about a floor and a value below it, once. */
struct bound {
        const struct prepared *merged; /* one step made of both; NULL: there are two */
        struct bound_idle *idles;
        bool is_weighed;
};

/* A conf that has been prepared: once for each place where one is written. */
struct prepared {
        const struct policy *policy;
        const void *conf;
        const struct json *node;
        struct str level;
        uint64_t content; /* hash of what was written: equal for equal settings */
        uint16_t index;
        bool is_floor, is_off;
        uint32_t met; /* chains that it was weighed for */
        struct idle *idles;
        struct prepared *weighed; /* next of those that have idles */
};

struct compile {
        const struct compile_input *in;
        struct arena scratch; /* for the time of compiling */
        struct snapshot *snapshot;
        struct route_build *routes;
        struct map upstreams;     /* struct upstream by name or URL */
        struct map prepared;      /* struct prepared by the bytes of the conf's address */
        struct map bounds;        /* struct bound by the bytes of both addresses */
        struct prepared *weighed; /* those with idles */
        uint32_t chain_number;
        bool has_floors;                 /* there is some `enforce` */
        const struct prepared **presets; /* by index of the policy; of those that always hold */
        bool *tier_slots;                /* by index: some tier has something for it */
        struct map asks; /* struct conf_api asked by a policy, by the bytes of its node's address */
        struct map askings; /* struct asking, by the bytes of both APIs' addresses */
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

/* True when every request that comes through the chain so far is answered in it. */
bool chain_answers(const struct compile *compile, const struct chain *chain);

/* Conf of an item, prepared when it is met first. */
struct prepared *prepare_item(struct compile *compile, const struct block_item *item,
                              const struct level *level, bool is_floor);

/* ---- weigh.c ---- */

/* What is known of this floor and this value: the same struct each time. */
struct bound *bound_of(struct compile *compile, const struct prepared *floor,
                       const struct prepared *value);

/* Counts what stands without effect under these levels (the first `count` ones). */
void weigh_levels(struct compile *compile, const struct level *levels, int count);

/* Complains of what never has an effect (E205); after all chains. */
void weigh_end(struct compile *compile);

/* The upstream of that name or URL, made when needed; NULL after a fault at node. */
struct upstream *compile_upstream(struct compile *compile, struct str name,
                                  const struct json *node);

/* An upstream that nobody gave a name: one target, and the presets. */
struct upstream *compile_upstream_of_url(struct compile *compile, struct str name,
                                         const struct url *url, const struct json *node);

/* "host:port", without the port where it is the scheme's own. */
struct str compile_authority(struct arena *arena, const struct url *url);

/* ---- asked.c ---- */

/* Requests to this API meet the policy that is written at this node. */
void asks_note(struct compile *compile, const struct api *api, const struct json *node);

/* Complains of APIs that ask themselves (E213); after all chains. */
void asks_check(struct compile *compile);

/* certs.c: what a listener shows to callers who speak TLS; NULL: they do not, or a fault. */
struct tls_set *compile_tls(struct compile *compile, const struct conf_listener *listener);

/* doors.c: channels, APIs and routes into the snapshot's table. */
void compile_doors(struct compile *compile);
