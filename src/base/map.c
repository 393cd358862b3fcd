/* map.c -- linear probing, at most three quarters full. Nothing is ever removed. */
#include "base/map.h"

#include "base/check.h"
#include "base/hash.h"

void map_init(struct map *map, struct arena *arena)
{
        *map = (struct map){.arena = arena};
}

static struct map_entry *find(const struct map *map, struct str key, uint64_t hash)
{
        size_t at = hash & (map->cap - 1);
        for (;;) {
                struct map_entry *entry = &map->entries[at];
                if (entry->value == NULL || (entry->hash == hash && str_eq(entry->key, key)))
                        return entry;
                at = (at + 1) & (map->cap - 1);
        }
}

void *map_get(const struct map *map, struct str key)
{
        return map->cap == 0 ? NULL : find(map, key, hash_str(key))->value;
}

static void grow(struct map *map)
{
        struct map old = *map;
        map->cap = old.cap == 0 ? 8 : old.cap * 2;
        map->entries = arena_array(map->arena, struct map_entry, map->cap);
        for (size_t i = 0; i < old.cap; i++) {
                if (old.entries[i].value != NULL)
                        *find(map, old.entries[i].key, old.entries[i].hash) = old.entries[i];
        }
}

void *map_put(struct map *map, struct str key, void *value)
{
        CHECK(value != NULL);
        if (map->count + 1 > map->cap / 4 * 3)
                grow(map);
        uint64_t hash = hash_str(key);
        struct map_entry *entry = find(map, key, hash);
        void *old = entry->value;
        if (old == NULL)
                map->count++;
        *entry = (struct map_entry){key, hash, value};
        return old;
}

struct map_entry *map_next(const struct map *map, size_t *at)
{
        while (*at < map->cap) {
                struct map_entry *entry = &map->entries[(*at)++];
                if (entry->value != NULL)
                        return entry;
        }
        return NULL;
}
