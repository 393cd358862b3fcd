/* breaker.h -- stops asking an upstream that mostly fails. Over a sliding window (10 s) at least so
 * many tries (20) must have been made and so many of a hundred (50) failed; then it is open for a
 * while (30 s), then lets a few probes through, and closes when they succeed. One `struct breaker`
 * per upstream is shared by all workers; each worker counts its successes for itself and tells them
 * only while somebody sees failures, so that nothing shared is written when all is well. No clock:
 * time is given. */
#pragma once

#include <stdatomic.h>

#include "base/base.h"

struct breaker_rule {
        uint32_t percent; /* of the tries failed, 1 to 100; 0: there is no breaker */
        uint32_t least;   /* tries before it may open */
        uint32_t probes;  /* let through at once when half open, and needed to close; at most 255 */
        uint64_t over_ns; /* window */
        uint64_t open_ns;
};

/* Shared. Zero is closed. */
struct breaker {
        _Atomic(uint64_t) state;     /* see breaker.c */
        _Atomic(uint64_t) window[2]; /* halves of the window: epoch, tries, failures */
        _Atomic(uint64_t) opened;    /* ever, for the metric */
} aligned(CACHE_LINE);

/* One worker's side. */
struct breaker_worker {
        struct breaker *breaker;
        const struct breaker_rule *rule;
        uint64_t epoch;
        uint64_t successes[2]; /* not told yet: of this epoch, of the one before */
};

enum breaker_pass { BREAKER_REFUSE, BREAKER_PASS, BREAKER_PROBE };

/* May a try be made? Each PASS and PROBE must be followed by one breaker_end with it. */
enum breaker_pass breaker_begin(struct breaker_worker *worker, uint64_t now_ns);

/* UNKNOWN: the try said nothing about the upstream (the caller vanished). */
enum breaker_outcome { BREAKER_SUCCESS, BREAKER_FAILURE, BREAKER_UNKNOWN };

void breaker_end(struct breaker_worker *worker, enum breaker_pass pass,
                 enum breaker_outcome outcome, uint64_t now_ns);

/* How long it lets nothing through, ns; 0: it does, or probes are under way. */
uint64_t breaker_wait(struct breaker *breaker, uint64_t now_ns);

/* For status and metrics. */
bool breaker_is_open(struct breaker *breaker);
