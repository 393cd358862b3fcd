/* route_build_int.h -- a table of routes while it is being built: what was added, and the tree that
 * the templates grow. Shared by the two files that build; gone when the table stands. */
#pragma once

#include "gate/route_int.h"

static const uint32_t ROUTE_NONE = UINT32_MAX;

struct route_channel {
        struct str name;
        void *value;
        uint32_t index;
        struct route_channel *next;
};

struct route_api {
        struct str name, path;
        void *value;
        struct route_channel *channel;
        struct route_api *next;
        uint32_t index;
        uint32_t root;
        uint16_t segments; /* of its path */
        bool has_routes;
};

/* One node of the tree. Parents have smaller numbers than their children. */
struct route_place {
        struct str text; /* of a literal */
        uint32_t parent;
        uint32_t param;
        uint32_t slot; /* in the table */
        uint32_t api;  /* 1 + index */
        uint32_t leaf, rest;
        uint32_t visits, visits_below; /* worst case, for the limit */
        uint16_t depth;                /* below its root */
        bool is_literal, has_literals;
};

/* One route on its way into the table. */
struct route_item {
        struct route_api *api;
        struct route_spec spec;
        struct route_compiled *conditions; /* sorted */
        const struct str *param_names;
        uint64_t methods;
        uint32_t place;
        uint8_t param_count;
        bool is_rest;
        struct route_item *next;
};

struct route_host_item {
        struct str text;
        unsigned listener;
        struct route_channel *channel;
        struct route_host_item *next;
};

struct route_build {
        struct arena *arena, *scratch;
        route_fault_fn *fault;
        void *fault_arg;
        bool is_failed;
        struct route_channel *channels;
        struct route_api *apis;
        struct route_item *items;
        struct route_host_item *hosts;
        uint32_t channel_count, api_count, item_count, host_count;
        struct route_place *places;
        uint32_t place_count, place_cap;
        uint32_t *slots; /* hash of literals by parent and text: 1 + place */
        uint32_t slot_cap;
        struct hash_key key;
        struct str methods[ROUTE_METHODS_MAX];
        unsigned method_count;
        struct route_table *table; /* the one in hand: the strict one, then the loose one */
        bool needs_loose, is_loose;
};

void route_complain(struct route_build *build, struct route_fault fault);
void route_complain_item(struct route_build *build, const struct route_item *item,
                         enum route_fault_kind kind, struct str text);

/* Begin a tree for build->table, and grow it. */
void route_tree_begin(struct route_build *build);
void route_compile_apis(struct route_build *build);
void route_compile_template(struct route_build *build, struct route_item *item);
void route_add_implied(struct route_build *build);

void route_compile_hosts(struct route_build *build);
