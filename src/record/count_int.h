/* count_int.h -- how counts lie in memory: private to count*.c. A `struct counts` is written by its
 * thread alone, except that the steward puts series into it before anybody is told their index, and
 * clears them after the last one who knew it has gone. */
#pragma once

#include "base/arena.h"
#include "record/count.h"

enum { CELLS_BLOCK = 16, CELLS_THREAD_MAX = 64 * 1024, NAMES_HEADS = 4096, CONSUMERS_TABLE = 4096 };

static_assert(CONSUMERS_TABLE >= 2 * SERIES_CONSUMERS_MAX, "probing stays short");

typedef _Atomic(uint64_t) number;

/* One histogram. */
struct cell {
        number sum_ns, buckets[BUCKETS + 1];
        struct cell *next; /* among the free ones */
};

/* Histograms by key (count.c), in the order in which they were first needed. */
struct cells {
        _Atomic(uint32_t) count;
        _Atomic(uint32_t) keys[CELLS_MAX];
        _Atomic(struct cell *) at[CELLS_MAX];
        struct cell rest;
};

struct api_series {
        number reasons[REASON_COUNT], statuses[STATUS_CLASSES];
        number request_bytes, response_bytes, fine[FINE_STEPS];
};

struct upstream_series {
        number tries, requests;
        struct cells cells;
};

struct consumer_series {
        number classes[CLASSES];
};

struct counts {
        struct numbers numbers;
        struct count_board *board;
        struct cell *free;
        _Atomic(struct cell *) returned; /* by the steward */
        struct arena arena;              /* of cells and names of consumers; the owner's */
        uint32_t cell_count;
        uint8_t coarse[FINE_STEPS]; /* bucket of the lower end of each step */
        struct api_series *apis[SERIES_APIS_MAX];
        struct cells *routes[SERIES_ROUTES_MAX];
        struct upstream_series *upstreams[SERIES_UPSTREAMS_MAX];
        struct consumer_series consumers[SERIES_CONSUMERS_MAX];
} aligned(CACHE_LINE);

/* A name that snapshots hold. */
struct entry {
        struct str api, name; /* in `text` */
        char *text;
        size_t text_size;
        uint32_t holds; /* 0: free */
        uint32_t next;  /* in its chain, or among the free ones; 0: none */
};

struct names {
        struct entry *at;
        uint32_t end, max, free, in_use;
        uint32_t heads[NAMES_HEADS]; /* 0: none */
};

/* A consumer that was seen by some thread. */
struct seen {
        struct str name;
        uint64_t hash;
        uint32_t index;
};

struct count_board {
        struct arena arena;
        unsigned threads;
        struct counts **at;
        struct names names[SERIES_consumer];
        _Atomic(uint32_t) consumer_count;
        _Atomic(struct seen *) consumers[CONSUMERS_TABLE];
        _Atomic(struct seen *) consumer_list[SERIES_CONSUMERS_MAX];
};

/* The lower end of a step of a fine histogram; of the one behind the last: the last one's. */
static inline uint64_t fine_low(unsigned fine)
{
        if (fine == 0)
                return 0;
        if (fine > FINE_STEPS - 1)
                fine = FINE_STEPS - 1;
        unsigned octave = (fine - 1) >> FINE_SHIFT, step = (fine - 1) & ((1u << FINE_SHIFT) - 1);
        return ((uint64_t)(1u << FINE_SHIFT) + step) << (FINE_LOW + octave - FINE_SHIFT);
}

static inline uint64_t number_get(const number *at)
{
        return atomic_load_explicit(at, memory_order_relaxed);
}

static inline void number_add(number *at, uint64_t n)
{
        atomic_store_explicit(at, number_get(at) + n, memory_order_relaxed);
}

static inline void number_clear(number *at)
{
        atomic_store_explicit(at, 0, memory_order_relaxed);
}
