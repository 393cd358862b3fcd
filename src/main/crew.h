/* crew.h -- the worker threads of a data process, as the steward sees them: starting, telling all
 * of them something, draining, ending. */
#pragma once

#include <pthread.h>

#include "gate/worker.h"
#include "main/watchdog.h"

enum { CREW_MOST = 256 };

struct hand {
        struct worker worker;
        struct loop *loop;
        pthread_t thread;
        bool is_started;
};

struct crew {
        struct gate *gate;
        struct hand **hands;
        struct watched *watched;
        unsigned count;
        struct arena arena;
};

/* Makes the workers of a gate, with pages_max pages each; gate->workers is set. Threads do not run
 * yet. */
void crew_init(struct crew *crew, struct gate *gate, unsigned count, size_t pages_max);

/* Starts the threads. */
void crew_start(struct crew *crew);

/* Calls fn(worker, arg) on each worker's thread and waits until all have returned; before
 * crew_start and after crew_join in the caller's. */
void crew_call(struct crew *crew, void (*fn)(struct worker *worker, void *arg), void *arg);

/* No new requests: listeners shut, idle connections close, busy ones after their answer. */
void crew_drain(struct crew *crew);

/* What was switched to other protocols ends within this time. */
void crew_end_streams(struct crew *crew, uint64_t within_ns);
bool crew_is_drained(const struct crew *crew);

/* Ends the threads; what is still under way is broken off. */
void crew_join(struct crew *crew);
void crew_fini(struct crew *crew);
