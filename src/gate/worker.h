/* worker.h -- one thread of the data process: a loop with HTTP on it, its hold on the current
 * snapshot, its counters, its ring for records. Nothing of it is touched by other threads but by
 * mail, by reading counters, and by draining the ring. */
#pragma once

#include "gate/bucket.h"
#include "gate/pin.h"
#include "gate/snapshot.h"
#include "gate/trail.h"
#include "http/exchange.h"
#include "record/record.h"

struct gate;
struct ring;
struct counts;
struct count_board;

enum { ENTRANCES_MAX = 512 };

struct worker {
        struct http http;
        struct gate *gate;
        struct pin_worker *pins;
        struct counts *counts;
        struct ring *ring; /* records for the steward; NULL: nobody wants them */
        unsigned index;
        struct entrance *entrances[ENTRANCES_MAX]; /* shut ones are used again */
        unsigned entrance_count;
        struct arena arena;   /* of entrances */
        struct list streams;  /* of tunnel.node */
        uint64_t streams_end; /* ns: by when they are over, in a drain; TIMER_NEVER */
        struct lane **lanes;  /* by slot of the upstream's live side; live.h */
        uint32_t lane_cap;
        char date[32]; /* Date field of this second */
        uint64_t date_second;
        struct trail_text trail; /* of the last exchange */
        struct task turn;        /* at the end of every turn: newer snapshot, roster */
        struct timer trim;       /* gives back memory that a burst left behind */
        struct task tally;       /* behind that, once what ended in it is buried: counts */
        struct mail news;        /* at the start of a turn: there is a newer snapshot */
        _Atomic bool is_news_posted;
        _Atomic bool is_drained;
};

/* What all threads of a data process share. */
struct gate {
        const struct policies *policies;
        const struct proofs *proofs;
        struct pin_board *board; /* of snapshots */
        struct roster *roster;
        struct bucket_table known, strangers; /* cells of consumers, of addresses and headers */
        struct count_board *counts;
        struct live *live;
        struct ticket_ring *tickets;    /* keys of session tickets; NULL: there are none */
        const struct snapshot *current; /* the newest; the steward's. NULL: none yet */
        struct crowd *crowd; /* callers' connections; NULL: each worker counts for itself */
        struct worker **workers;
        unsigned worker_count;
        struct str instance; /* of this gate, in Via */
};

extern const struct site gate_site;

static inline struct worker *worker_of(const struct exchange *ex)
{
        return container_of(ex->http, struct worker, http);
}

static inline const struct snapshot *worker_snapshot(const struct worker *worker)
{
        return worker->pins->now == NULL ? NULL : worker->pins->now->value;
}

void worker_init(struct worker *worker, struct gate *gate, unsigned index, struct loop *loop);
void worker_fini(struct worker *worker);

/* No new requests: entrances shut, idle connections close, busy ones after their answer. */
void worker_drain(struct worker *worker);

/* In a drain: what was switched to another protocol ends within this time, told so before, and not
 * all of it at once. May be called again, to have it sooner. */
void worker_end_streams(struct worker *worker, uint64_t within_ns);

/* Any thread: drained, and no exchange is left. */
bool worker_is_drained(const struct worker *worker);

/* Breaks off everything that is under way; the loop must turn until worker_is_empty. */
void worker_abort(struct worker *worker);
bool worker_is_empty(const struct worker *worker);

/* Any thread: a newer snapshot is published. What comes to the worker after this call is served by
 * it: the worker takes it before it looks at what came. */
void worker_tell(struct worker *worker);

/* An entrance to be filled in: name, address, site. NULL: there are too many. */
struct entrance *worker_new_entrance(struct worker *worker);

/* Accepts on fd, which stays the caller's until worker_leave. */
must_use enum err worker_enter(struct worker *worker, struct entrance *entrance, int fd);

/* Stops accepting at that entrance; connections that are there stay. */
void worker_leave(struct worker *worker, struct str name, const struct addr *address);

/* Counts a record and puts it into the ring. */
void worker_record(struct worker *worker, const struct record *record);

/* Value of Date now. */
struct str worker_date(struct worker *worker);
