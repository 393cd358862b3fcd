/* index.h -- from a 128-bit hash to a number, for one writer and many readers at once. Readers
 * neither wait nor write; what is put in is found by everybody from then on, what is removed by
 * nobody. It is made of many small tables, so that growing never takes longer than one of them.
 *
 * Not a map: different keys may share a hash, and the number only leads to an entry of the
 * caller's, who compares. Old tables are handed to `retire`, to be freed when no reader can look at
 * them. */
#pragma once

#include "base/err.h"
#include "base/hash.h"

enum { INDEX_VALUE_MAX = 0x7fffffff };

struct index;

/* retire(arg, memory) must have index_free_old(memory) called once readers are done with it. */
struct index *index_make(void (*retire)(void *arg, void *memory), void *arg);
void index_free(struct index *index); /* no reader is left */
void index_free_old(void *memory);

/* ---- the writer ---- */

/* Adds a number; the same pair must not be there already. ERR_memory changes nothing. */
must_use enum err index_put(struct index *index, struct hash128 hash, uint32_t value);

/* Removes that pair, which must be there. */
void index_remove(struct index *index, struct hash128 hash, uint32_t value);

size_t index_bytes(const struct index *index);

/* ---- readers, and the writer ---- */

struct index_walk {
        const void *shard;
        uint64_t at;
        uint32_t mark;
};

/* The numbers that may belong to the hash, one after the other:
 * struct index_walk walk = index_begin(index, hash); while (index_next(&walk, &value)) … */
struct index_walk index_begin(const struct index *index, struct hash128 hash);
bool index_next(struct index_walk *walk, uint32_t *ret_value);
