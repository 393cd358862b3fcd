/* bucket.h -- rate cells that all workers, old and new processes share: a table in memory that the
 * keeper holds and others map. One cell is one caller of one limit, and one number, the theoretical
 * arrival time of GCRA, moved by one atomic swap together with the cell's tag: exact across threads
 * and processes, also while cells are made and evicted, and wherever a process is killed.
 *
 * Not a quota by calendar and no place for names: keys are 128-bit keyed hashes. The table never
 * grows: where all ways of a set are taken, a cell that says nothing any more goes first, then the
 * one that will the soonest (counted in `evicted`). What strangers choose (addresses, header
 * values) and what was proved (consumers, credentials) belong in two tables, so that strangers
 * cannot evict.
 *
 * Time is nanoseconds of CLOCK_BOOTTIME, given by the caller; threads may be up to a second apart.
 */
#pragma once

#include "base/base.h"
#include "base/err.h"
#include "base/hash.h"

enum { BUCKET_CELLS_LEAST = 64 };

struct bucket_header;
struct bucket_set;

/* A process's view of a table; plain pointers into the shared memory. */
struct bucket_table {
        struct bucket_header *header;
        struct bucket_set *sets;
        uint64_t set_count;
        struct hash_key key; /* for bucket_limit */
};

struct bucket_counts {
        uint64_t made, evicted, cells; /* ever made; of these over a live one; room */
};

/* How fast, in numbers that need no division in the data path. */
struct bucket_rate {
        uint64_t interval_ns;  /* per unit */
        uint64_t tolerance_ns; /* burst × interval */
        uint64_t burst;
        uint64_t inverse; /* 2^64 / interval */
};

struct bucket_answer {
        bool is_admitted;
        uint64_t remaining; /* units that would be admitted now */
        uint64_t reset_ns;  /* until the bucket is full again */
        uint64_t retry_ns;  /* when refused: until this cost would be admitted; never 0 then */
};

/* How many bytes a table of at least `cells` cells takes. */
size_t bucket_size(uint64_t cells);

/* Makes an empty table in `size` zeroed bytes, aligned to two cache lines. Done once, by whoever
 * made the memory, before others map it. */
must_use enum err bucket_init(void *memory, size_t size);

/* Opens a table that bucket_init made, perhaps in another process: ERR_version when it is not one
 * or of another layout, ERR_range when `size` is not its size. */
must_use enum err bucket_map(void *memory, size_t size, struct bucket_table *ret_table);

/* `count` units per period, `burst` of them at once. ERR_range: none of them may be 0, burst at
 * most 10^12, count at most 10^9 per second, and the burst must refill within 30 years. */
must_use enum err bucket_rate_make(uint64_t count, uint64_t period_ns, uint64_t burst,
                                   struct bucket_rate *ret_rate);

/* The key of one limit, from its stable identity ("api/orders/rate_limit"): made once, when a
 * snapshot is compiled. A caller's cell is then hash_siphash24_128(&key, who, len). */
struct hash_key bucket_limit(const struct bucket_table *table, struct str identity);

/* Takes `cost` units off the cell if they are there. A cost of 0 only asks. A cost over the burst
 * is always refused. */
struct bucket_answer bucket_take(const struct bucket_table *table, struct hash128 cell,
                                 const struct bucket_rate *rate, uint64_t cost, uint64_t now_ns);

/* A rate whose units are nanoseconds, for looking at a cell: taken with a cost of 0, reset_ns is
 * how far it is ahead of now, whatever its limit; with another cost it is that much further. */
extern const struct bucket_rate bucket_time;

/* Puts back what a bucket_take admitted, for work that was not done after all. */
void bucket_give(const struct bucket_table *table, struct hash128 cell,
                 const struct bucket_rate *rate, uint64_t cost, uint64_t now_ns);

struct bucket_counts bucket_counts(const struct bucket_table *table);

/* How many cells are in use now; walks the whole table. */
uint64_t bucket_used(const struct bucket_table *table, uint64_t now_ns);
