/* map.h -- hash map from text to a pointer, open addressing, keyed SipHash. Keys are not copied:
 * they must live as long as the map. On an arena it grows by leaving the old table behind. */
#pragma once

#include "base/arena.h"
#include "base/str.h"

struct map_entry {
        struct str key;
        uint64_t hash;
        void *value; /* NULL: empty */
};

struct map {
        struct arena *arena;
        struct map_entry *entries;
        size_t count, cap; /* cap is a power of two or 0 */
};

void map_init(struct map *map, struct arena *arena);

/* The value of key, NULL if absent. */
void *map_get(const struct map *map, struct str key);

/* Sets key to value (not NULL); returns what it replaced, NULL if nothing. */
void *map_put(struct map *map, struct str key, void *value);

/* Walks the entries in no order: for (size_t i = 0; (entry = map_next(map, &i)) != NULL;) */
struct map_entry *map_next(const struct map *map, size_t *at);
