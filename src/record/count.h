/* count.h -- what every thread counts for itself, and what all of them counted, when it is read.
 * Each worker, and the steward, has a `struct counts`: numbers (COUNT of metric.def), and series,
 * one for each API, route and upstream that has a name. Its owner alone writes it, with plain
 * stores; others read without stopping it. What is read is never torn, but not of one moment.
 *
 * Series belong to names, not to snapshots: a reload that keeps a name keeps its numbers. A name
 * that no snapshot has any more is forgotten; consumers are never. Their number is bounded
 * (SERIES_*_MAX): what comes after that is counted together under the name `_other`, so a
 * configuration can be of any size and no caller can make a series. Within a route or an upstream,
 * at most CELLS_MAX combinations of method, status and reason are told apart.
 *
 * Not the metrics' text (exposition.h) and not the record (record.h). */
#pragma once

#include <stdatomic.h>

#include "base/base.h"
#include "base/str.h"
#include "http/reason.h"

struct http;
struct record;

enum metric {
#define METRIC(id, kind, name, otel, unit, labels, help) METRIC_##id,
#define COUNT(id, metric, labels)
#include "record/metric.def"
#undef METRIC
#undef COUNT
        METRIC_TOTAL
};

enum count {
#define METRIC(id, kind, name, otel, unit, labels, help)
#define COUNT(id, metric, labels) COUNT_##id,
#include "record/metric.def"
#undef METRIC
#undef COUNT
        COUNT_TOTAL
};

enum {
        SERIES_APIS_MAX = 1024,
        SERIES_ROUTES_MAX = 4096,
        SERIES_UPSTREAMS_MAX = 1024,
        SERIES_CONSUMERS_MAX = 1024,
        CELLS_MAX = 32,
        BUCKETS = 17,   /* bounds of duration histograms, without the last, +Inf */
        FINE_SHIFT = 3, /* fine histograms: 8 steps for each power of two … */
        FINE_LOW = 14,  /* … from 2^14 ns (16 µs) … */
        FINE_HIGH = 38, /* … to 2^38 ns (4.6 min) */
        FINE_STEPS = ((FINE_HIGH - FINE_LOW) << FINE_SHIFT) + 2,
};

/* Two series that are always there. */
enum { SERIES_NONE, SERIES_OTHER, SERIES_FIRST };

enum series_kind { SERIES_api, SERIES_route, SERIES_upstream, SERIES_consumer };

struct count_board;
struct counts;

/* The numbers come first in every struct counts. */
struct numbers {
        _Atomic(uint64_t) at[COUNT_TOTAL];
};

/* For that many workers and the steward. */
struct count_board *count_board_make(unsigned workers);
void count_board_free(struct count_board *board);

/* The counts of worker 0 … workers - 1; of the steward: index = workers. */
struct counts *count_board_of(struct count_board *board, unsigned index);

/* ---- the steward ---- */

/* The series of that name, made when there is none; for a route `api` is the API's name and `name`
 * its path template, else `api` is empty. SERIES_OTHER: there are too many. It is there until as
 * many have released as have held it. */
uint32_t series_hold(struct count_board *board, enum series_kind kind, struct str api,
                     struct str name);
void series_release(struct count_board *board, enum series_kind kind, uint32_t index);

/* ---- the owner of a struct counts ---- */

static inline void counts_add(struct counts *counts, enum count count, uint64_t n)
{
        _Atomic(uint64_t) *at = &((struct numbers *)(void *)counts)->at[count];
        atomic_store_explicit(at, atomic_load_explicit(at, memory_order_relaxed) + n,
                              memory_order_relaxed);
}

static inline void counts_set(struct counts *counts, enum count count, uint64_t value)
{
        atomic_store_explicit(&((struct numbers *)(void *)counts)->at[count], value,
                              memory_order_relaxed);
}

/* Counts what a request came to. */
void counts_record(struct counts *counts, const struct record *record);

/* At the end of a turn: copies what HTTP on this loop counts: connections, requests, pages. */
void counts_turn(struct counts *counts, const struct http *http);

/* ---- reading, on the steward's thread ---- */

/* The sum over all threads. */
uint64_t counts_number(const struct count_board *board, enum count count);

/* Name of a series of that kind; false when there is none of that index. For a route `api` is the
 * API's name and `name` its path template; both empty for SERIES_NONE. */
struct series_name {
        struct str api, name;
};

unsigned series_end(const struct count_board *board,
                    enum series_kind kind); /* one behind the last */
bool series_name(const struct count_board *board, enum series_kind kind, unsigned index,
                 struct series_name *ret_name);

/* Sums of an API or an upstream. */
enum { STATUS_CLASSES = 6 }; /* 0: no answer; 1xx to 5xx */

struct api_sum {
        uint64_t reasons[REASON_COUNT], statuses[STATUS_CLASSES];
        uint64_t request_bytes, response_bytes;
        uint64_t fine[FINE_STEPS]; /* of durations */
};

struct upstream_sum {
        uint64_t tries, requests;
};

void series_api(const struct count_board *board, unsigned index, struct api_sum *ret_sum);
void series_upstream(const struct count_board *board, unsigned index, struct upstream_sum *ret_sum);

/* One histogram of a route or an upstream, summed. */
struct cell_sum {
        uint8_t method;     /* enum method */
        uint16_t status;    /* 0: no answer */
        enum reason reason; /* done: no error */
        bool is_rest;       /* what did not fit into CELLS_MAX, whatever it was */
        uint64_t sum_ns;
        uint64_t buckets[BUCKETS + 1];
};

enum { CELLS_SUM_MAX = CELLS_MAX + 1 };

/* Fills `cells` (CELLS_SUM_MAX of them); returns how many. */
unsigned series_cells(const struct count_board *board, enum series_kind kind, unsigned index,
                      struct cell_sum *cells);

/* Requests of a consumer by class: answered well, 4xx, 5xx. */
enum { CLASS_GOOD, CLASS_CALLER, CLASS_SERVER, CLASSES };

void series_consumer(const struct count_board *board, unsigned index, uint64_t ret_sum[CLASSES]);

extern const uint64_t bucket_bounds_ns[BUCKETS];

/* The duration below which that many of 10,000 lie, to an eighth; 0 when there are none. */
uint64_t fine_quantile(const uint64_t fine[FINE_STEPS], unsigned of_10000);
