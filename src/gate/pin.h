/* pin.h -- how a table that all workers read is replaced while they read it. One thread publishes
 * generations; each worker has a mailbox of one place, takes the newest at the end of a turn, and
 * counts in plain (not atomic) numbers who on its side still uses which generation. The last worker
 * to leave a generation says so to the publisher, whose thread retires it. Nobody ever waits.
 *
 * Not a loop and not a table: how a thread is woken and what a generation holds is the caller's.
 * Invariant: a value is retired exactly once, after every pin on it was given back, and by then
 * every worker has left it for good. A worker that gets 43 before it used 42 leaves 42 at once. */
#pragma once

#include "base/base.h"

enum { PIN_ALIVE_MAX = 16 }; /* generations alive before the oldest is asked to drain */

struct pin_board;
struct pin_worker;
struct pin_generation;

/* One worker's hold on one generation. What is here belongs to that worker's thread. */
struct pin {
        void *value;
        uint64_t number; /* 1 for the first generation, then rising */
        uint32_t held;
        bool is_left;
        struct pin_worker *worker;
        struct pin_generation *generation;
} aligned(CACHE_LINE);

/* One worker's side of the board. Only its own thread touches `now`. */
struct pin_worker {
        struct pin *now; /* NULL before the first generation came */
        struct pin_board *board;
        unsigned index;
        _Atomic(uint64_t) running; /* number of `now`, for others to read */
        _Atomic(struct pin_generation *) mailbox;
} aligned(CACHE_LINE);

struct pin_calls {
        /* Publisher's thread: a newer generation lies in that worker's mailbox. May be NULL when
         * the worker will come by in any case. */
        void (*wake)(void *arg, unsigned worker);
        /* Any thread: there is something to retire; call pin_retire on the publisher's thread. */
        void (*post)(void *arg);
        /* Publisher's thread: nobody sees value any more. */
        void (*retire)(void *arg, void *value, uint64_t number);
        /* Publisher's thread: too many generations are alive; ask the exchanges of this one to
         * end. May be called again for the same generation. May be NULL. */
        void (*drain)(void *arg, void *value, uint64_t number);
        void *arg;
};

/* A board for that many workers. */
struct pin_board *pin_board_make(const struct pin_calls *calls, unsigned workers);

/* Retires what is left. Every worker must have left (pin_leave). */
void pin_board_free(struct pin_board *board);

/* Publisher: makes value the newest generation and returns its number. */
uint64_t pin_publish(struct pin_board *board, void *value);

/* Publisher: calls `retire` for each generation that the last worker has left. */
void pin_retire(struct pin_board *board);

/* Publisher: the number of the oldest generation that is alive, 0 when there is none. */
uint64_t pin_oldest(const struct pin_board *board);

/* Any thread: how many generations are alive; the number that every worker has reached. */
unsigned pin_alive(const struct pin_board *board);
uint64_t pin_reached(const struct pin_board *board);

/* The side of worker 0 … workers - 1. */
struct pin_worker *pin_worker(struct pin_board *board, unsigned index);

/* Worker, at the end of a turn: true when `now` became a newer generation. */
bool pin_turn(struct pin_worker *worker);

/* Worker, when its thread ends: leaves the current generation. All its pins must be given back. */
void pin_leave(struct pin_worker *worker);

void pin_let_go(struct pin *pin);

/* Worker: holds the current generation until pin_give. There must be one. */
static inline struct pin *pin_take(struct pin_worker *worker)
{
        worker->now->held++;
        return worker->now;
}

/* Worker: the last one to give back an old generation leaves it. */
static inline void pin_give(struct pin *pin)
{
        if (--pin->held == 0 && pin != pin->worker->now)
                pin_let_go(pin);
}
