/* index.c -- a shard is an open table of words, each part of the hash and the number. A word is
 * written in one step, and a shard that grew replaces the old one in one step, complete. */
#include "roster/index.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/check.h"

enum { SHARD_BITS = 10, SHARDS = 1 << SHARD_BITS, LEAST = 4 };

static const uint64_t GONE = UINT32_MAX; /* a word whose number was removed; probes go on */

struct shard {
        uint64_t mask;
        uint32_t taken, live; /* words not 0; of these not GONE; the writer's */
        _Atomic(uint64_t) words[];
};

struct index {
        void (*retire)(void *arg, void *memory);
        void *arg;
        size_t bytes;
        _Atomic(struct shard *) shards[SHARDS]; /* NULL: empty */
};

struct index *index_make(void (*retire)(void *arg, void *memory), void *arg)
{
        struct index *index = calloc(1, sizeof *index);
        if (index == NULL)
                panic("out of memory: %zu bytes", sizeof *index);
        index->retire = retire;
        index->arg = arg;
        index->bytes = sizeof *index;
        return index;
}

void index_free(struct index *index)
{
        for (int i = 0; i < SHARDS; i++)
                free(atomic_load_explicit(&index->shards[i], memory_order_relaxed));
        free(index);
}

void index_free_old(void *memory)
{
        free(memory);
}

size_t index_bytes(const struct index *index)
{
        return index->bytes;
}

static unsigned shard_of(struct hash128 hash)
{
        return (unsigned)(hash.hi >> (64 - SHARD_BITS));
}

/* The part of the hash that is kept in a word. The place in the shard follows from it, so that a
 * shard can grow without asking for the hash again. */
static uint32_t mark_of(struct hash128 hash)
{
        return (uint32_t)hash.lo;
}

static uint64_t word_of(uint32_t mark, uint32_t value)
{
        return (uint64_t)mark << 32 | (value + 1);
}

static size_t shard_size(uint64_t words)
{
        return sizeof(struct shard) + words * sizeof(uint64_t);
}

/* Puts a word at the first place that holds none. */
static void place(struct shard *shard, uint64_t word)
{
        uint64_t at = word >> 32 & shard->mask, held;
        while ((held = atomic_load_explicit(&shard->words[at], memory_order_relaxed)) != 0 &&
               held != GONE)
                at = (at + 1) & shard->mask;
        shard->taken += held == 0;
        shard->live++;
        atomic_store_explicit(&shard->words[at], word, memory_order_release);
}

/* A shard with room for one more word than `old` holds. */
static enum err grow(struct index *index, unsigned number, struct shard *old)
{
        uint64_t words = LEAST, live = old == NULL ? 0 : old->live;
        while (words / 2 < live + 1)
                words *= 2;
        struct shard *shard = calloc(1, shard_size(words));
        if (shard == NULL)
                return ERR_memory;
        shard->mask = words - 1;
        for (uint64_t i = 0; old != NULL && i <= old->mask; i++) {
                uint64_t word = atomic_load_explicit(&old->words[i], memory_order_relaxed);
                if (word != 0 && word != GONE)
                        place(shard, word);
        }
        index->bytes += shard_size(words);
        atomic_store_explicit(&index->shards[number], shard, memory_order_release);
        if (old != NULL) {
                index->bytes -= shard_size(old->mask + 1);
                index->retire(index->arg, old);
        }
        return ERR_ok;
}

enum err index_put(struct index *index, struct hash128 hash, uint32_t value)
{
        CHECK(value <= INDEX_VALUE_MAX);
        unsigned number = shard_of(hash);
        struct shard *shard = atomic_load_explicit(&index->shards[number], memory_order_relaxed);
        /* At most three quarters are taken, so that every probe ends. */
        if (shard == NULL || (shard->taken + 1) * (uint64_t)4 > (shard->mask + 1) * 3) {
                enum err err = grow(index, number, shard);
                if (err != ERR_ok)
                        return err;
                shard = atomic_load_explicit(&index->shards[number], memory_order_relaxed);
        }
        place(shard, word_of(mark_of(hash), value));
        return ERR_ok;
}

void index_remove(struct index *index, struct hash128 hash, uint32_t value)
{
        struct shard *shard = atomic_load_explicit(&index->shards[shard_of(hash)],
                                                   memory_order_relaxed);
        uint64_t word = word_of(mark_of(hash), value), held;
        CHECK(shard != NULL);
        uint64_t at = mark_of(hash) & shard->mask;
        while ((held = atomic_load_explicit(&shard->words[at], memory_order_relaxed)) != word) {
                CHECK(held != 0);
                at = (at + 1) & shard->mask;
        }
        shard->live--;
        atomic_store_explicit(&shard->words[at], GONE, memory_order_release);
}

struct index_walk index_begin(const struct index *index, struct hash128 hash)
{
        const struct shard *shard = atomic_load_explicit(&index->shards[shard_of(hash)],
                                                         memory_order_acquire);
        uint32_t mark = mark_of(hash);
        return (struct index_walk){shard, shard == NULL ? 0 : mark & shard->mask, mark};
}

bool index_next(struct index_walk *walk, uint32_t *ret_value)
{
        const struct shard *shard = walk->shard;
        if (shard == NULL)
                return false;
        for (;;) {
                uint64_t word = atomic_load_explicit(&shard->words[walk->at], memory_order_acquire);
                if (word == 0)
                        return false;
                walk->at = (walk->at + 1) & shard->mask;
                if (word >> 32 == walk->mark && word != GONE) {
                        *ret_value = (uint32_t)word - 1;
                        return true;
                }
        }
}
