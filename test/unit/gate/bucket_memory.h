/* bucket_memory.h -- memory for a table of cells, shared with children of fork, and callers that
 * count what they are admitted, for the tests of gate/bucket.h. */
#pragma once

#include <stdatomic.h>
#include <sys/mman.h>

#include "../unit.h"
#include "gate/bucket.h"

static const uint64_t SECOND = 1000000000, HOUR = 3600 * (uint64_t)1000000000;

struct memory {
        struct bucket_table table;
        void *at;
        size_t size;
};

static inline struct memory make_size(size_t size)
{
        struct memory memory = {.size = size};
        memory.at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(memory.at != MAP_FAILED);
        assert_int_equal(bucket_init(memory.at, size), ERR_ok);
        assert_int_equal(bucket_map(memory.at, size, &memory.table), ERR_ok);
        return memory;
}

static inline struct memory make(uint64_t cells)
{
        return make_size(bucket_size(cells));
}

/* One set of eight cells and nothing else. */
static inline struct memory make_tiny(void)
{
        return make_size(256 + 128);
}

static inline void drop(struct memory *memory)
{
        munmap(memory->at, memory->size);
}

static inline struct bucket_rate rate_of(uint64_t count, uint64_t period, uint64_t burst)
{
        struct bucket_rate rate;
        assert_int_equal(bucket_rate_make(count, period, burst, &rate), ERR_ok);
        return rate;
}

static inline struct hash128 cell_of(uint64_t number)
{
        static const struct hash_key key = {1, 2};
        return hash_siphash24_128(&key, &number, sizeof number);
}

struct crowd {
        const struct bucket_table *table;
        struct bucket_rate rate;
        unsigned tries, cells;
        _Atomic(unsigned) *admitted; /* per cell */
        uint64_t seed;
};

static inline void *take_some(void *arg)
{
        struct crowd *crowd = arg;
        for (unsigned i = 0; i < crowd->tries; i++) {
                unsigned n = i % crowd->cells;
                if (bucket_take(crowd->table, cell_of(crowd->seed + n), &crowd->rate, 1, HOUR)
                            .is_admitted)
                        atomic_fetch_add_explicit(&crowd->admitted[n], 1, memory_order_relaxed);
        }
        return NULL;
}
