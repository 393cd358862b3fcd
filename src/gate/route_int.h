/* route_int.h -- the compiled table of routes, shared by its builder and its reader. All nodes lie
 * in one array. Those reached by a literal segment are its hash table: the place of a node follows
 * from its parent and its text, so that a step of the walk touches one cache line. Behind them lie
 * the nodes that are reached otherwise: roots of channels and APIs, and {id} children. */
#pragma once

#include "base/hash.h"
#include "gate/route.h"

enum { ROUTE_TEXT_INLINE = 38 };

struct route_node {
        uint32_t tag;    /* of the hash; 0: the place is empty */
        uint32_t parent; /* of a literal */
        uint32_t param;  /* the {id} child; 0: none */
        uint32_t leaf;   /* 1 + the first route that ends here; 0: none */
        uint32_t rest;   /* 1 + the first route with a {rest*} here; 0: none */
        uint32_t api;    /* 1 + the API whose path ends here; 0: none */
        uint8_t has_literals;
        uint8_t len;
        char text[ROUTE_TEXT_INLINE]; /* longer: a pointer to the text */
} aligned(CACHE_LINE);

static_assert(sizeof(struct route_node) == CACHE_LINE, "a step of the walk touches one cache line");

struct route_entry {
        void *value;
        const char *name, *path;
        const struct str *param_names;
        const struct route_compiled *conditions;
        uint64_t methods; /* bits; 0: any */
        uint32_t name_len, path_len;
        uint16_t condition_count;
        uint8_t param_count;
        bool is_last; /* of those that share a template */
};

struct route_compiled {
        struct str name, value;
        enum name id;
        bool is_query;
        bool is_any; /* whatever its value */
};

struct route_api_entry {
        void *value;
        struct str path;
        uint32_t root;
};

struct route_channel_entry {
        void *value;
        uint32_t root;
};

struct route_host {
        uint64_t hash;
        struct str name;  /* of a wildcard: without "*." */
        uint32_t channel; /* 1 + index; 0: the place is empty */
        uint32_t where;   /* listener << 1 | is wildcard */
};

struct route_table {
        struct hash_key key;
        struct route_node *nodes;
        uint64_t places; /* for literals */
        struct route_entry *entries;
        struct route_api_entry *apis;
        struct route_channel_entry *channels;
        struct route_host *hosts;
        uint64_t host_places;
        uint32_t *any_host; /* by listener: 1 + channel; 0: none */
        unsigned listeners;
        unsigned labels_max; /* of a wildcard's host */
        struct str *methods; /* by bit */
        unsigned method_count;
        struct route_table *loose; /* the same routes with literals loosely read; NULL: no other */
        size_t count, bytes;
};

/* Bits of the methods that every table knows. */
enum { ROUTE_GET = 0, ROUTE_HEAD = 1 };

/* The bit of a method, -1 when no route names it. */
int route_method_bit(const struct route_table *table, struct str method);

static inline struct str route_node_text(const struct route_node *node)
{
        struct str text = {node->text, node->len};
        if (node->len > ROUTE_TEXT_INLINE)
                memcpy(&text.ptr, node->text, sizeof text.ptr);
        return text;
}

/* Hash of a child's text. */
uint64_t route_hash(const struct route_table *table, uint32_t parent, struct str text);

static inline uint64_t route_place(uint64_t hash, uint64_t places)
{
        return mul_high(hash, places);
}

static inline uint32_t route_tag(uint64_t hash)
{
        return (uint32_t)hash | 1;
}

uint64_t route_host_hash(const struct route_table *table, uint32_t where, struct str host);
