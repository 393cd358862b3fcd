/* pin.c -- a generation counts the workers that have not left it; a mailbox is one atomic pointer,
 * exchanged by both sides, so that what lies in it always has exactly one owner. The last to leave
 * puts the generation on a stack that the publisher empties. */
#include "gate/pin.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/list.h"

struct pin_generation {
        void *value;
        uint64_t number;
        _Atomic(uint32_t) staying;    /* workers that have not left */
        struct pin_generation *below; /* in the stack of those to retire */
        struct list alive;            /* oldest first; the publisher's */
        struct pin pins[];            /* one per worker */
};

struct pin_board {
        struct pin_calls calls;
        unsigned count; /* of workers */
        uint64_t number;
        struct list alive;
        _Atomic(unsigned) alive_count;
        _Atomic(struct pin_generation *) retired;
        struct pin_worker workers[];
};

/* In the mailbox of a worker that is no more. */
static struct pin_generation nobody;

static void *take_memory(size_t size)
{
        size_t rounded = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
        void *memory = aligned_alloc(CACHE_LINE, rounded);
        if (memory == NULL)
                panic("out of memory: %zu bytes", rounded);
        return memset(memory, 0, rounded);
}

struct pin_board *pin_board_make(const struct pin_calls *calls, unsigned workers)
{
        CHECK(workers > 0 && calls->post != NULL && calls->retire != NULL);
        struct pin_board *board = take_memory(sizeof *board + workers * sizeof board->workers[0]);
        board->calls = *calls;
        board->count = workers;
        list_init(&board->alive);
        for (unsigned i = 0; i < workers; i++) {
                board->workers[i].board = board;
                board->workers[i].index = i;
        }
        return board;
}

void pin_board_free(struct pin_board *board)
{
        pin_retire(board);
        CHECK(list_is_empty(&board->alive));
        free(board);
}

struct pin_worker *pin_worker(struct pin_board *board, unsigned index)
{
        CHECK(index < board->count);
        return &board->workers[index];
}

/* One worker less. Whoever is the last hands the generation to the publisher. */
static void leave(struct pin_board *board, struct pin_generation *generation)
{
        if (atomic_fetch_sub_explicit(&generation->staying, 1, memory_order_acq_rel) != 1)
                return;
        struct pin_generation *top = atomic_load_explicit(&board->retired, memory_order_relaxed);
        do
                generation->below = top;
        while (!atomic_compare_exchange_weak_explicit(&board->retired, &top, generation,
                                                      memory_order_release, memory_order_relaxed));
        board->calls.post(board->calls.arg);
}

void pin_retire(struct pin_board *board)
{
        struct pin_generation *generation = atomic_exchange_explicit(&board->retired, NULL,
                                                                     memory_order_acquire);
        while (generation != NULL) {
                struct pin_generation *below = generation->below;
                list_remove(&generation->alive);
                atomic_fetch_sub_explicit(&board->alive_count, 1, memory_order_relaxed);
                board->calls.retire(board->calls.arg, generation->value, generation->number);
                free(generation);
                generation = below;
        }
}

static struct pin_generation *generation_make(struct pin_board *board, void *value)
{
        struct pin_generation *generation = take_memory(sizeof *generation +
                                                        board->count * sizeof generation->pins[0]);
        generation->value = value;
        generation->number = ++board->number;
        atomic_store_explicit(&generation->staying, board->count, memory_order_relaxed);
        for (unsigned i = 0; i < board->count; i++) {
                generation->pins[i] = (struct pin){.value = value,
                                                   .number = generation->number,
                                                   .worker = &board->workers[i],
                                                   .generation = generation};
        }
        return generation;
}

/* Puts the generation into the mailbox. One that lies there still was never used by this worker:
 * it is left on the worker's behalf. */
static void deliver(struct pin_board *board, unsigned index, struct pin_generation *generation)
{
        struct pin_worker *worker = &board->workers[index];
        struct pin_generation *old = atomic_load_explicit(&worker->mailbox, memory_order_relaxed);
        do {
                if (old == &nobody) {
                        leave(board, generation);
                        return;
                }
        } while (!atomic_compare_exchange_weak_explicit(
                &worker->mailbox, &old, generation, memory_order_acq_rel, memory_order_relaxed));
        if (old != NULL)
                leave(board, old);
        if (board->calls.wake != NULL)
                board->calls.wake(board->calls.arg, index);
}

/* Asks the oldest to drain, as many as are too many. */
static void drain_oldest(struct pin_board *board)
{
        unsigned alive = pin_alive(board);
        if (board->calls.drain == NULL)
                return;
        list_each (node, &board->alive) {
                if (alive-- <= PIN_ALIVE_MAX)
                        return;
                struct pin_generation *old = list_entry(node, struct pin_generation, alive);
                board->calls.drain(board->calls.arg, old->value, old->number);
        }
}

uint64_t pin_publish(struct pin_board *board, void *value)
{
        struct pin_generation *generation = generation_make(board, value);
        uint64_t number = generation->number;
        list_push(&board->alive, &generation->alive);
        atomic_fetch_add_explicit(&board->alive_count, 1, memory_order_relaxed);
        for (unsigned i = 0; i < board->count; i++)
                deliver(board, i, generation);
        pin_retire(board);
        drain_oldest(board);
        return number;
}

uint64_t pin_oldest(const struct pin_board *board)
{
        if (list_is_empty(&board->alive))
                return 0;
        return list_entry(board->alive.next, struct pin_generation, alive)->number;
}

unsigned pin_alive(const struct pin_board *board)
{
        return atomic_load_explicit(&board->alive_count, memory_order_relaxed);
}

uint64_t pin_reached(const struct pin_board *board)
{
        uint64_t least = UINT64_MAX;
        for (unsigned i = 0; i < board->count; i++) {
                const struct pin_worker *worker = &board->workers[i];
                least = u64_min(least,
                                atomic_load_explicit(&worker->running, memory_order_acquire));
        }
        return least;
}

void pin_let_go(struct pin *pin)
{
        CHECK(pin->held == 0 && !pin->is_left);
        pin->is_left = true;
        leave(pin->worker->board, pin->generation);
}

bool pin_turn(struct pin_worker *worker)
{
        if (likely(atomic_load_explicit(&worker->mailbox, memory_order_relaxed) == NULL))
                return false;
        struct pin_generation *newest = atomic_exchange_explicit(&worker->mailbox, NULL,
                                                                 memory_order_acquire);
        CHECK(newest != &nobody);
        struct pin *old = worker->now;
        worker->now = &newest->pins[worker->index];
        atomic_store_explicit(&worker->running, newest->number, memory_order_release);
        if (old != NULL && old->held == 0)
                pin_let_go(old);
        return true;
}

void pin_leave(struct pin_worker *worker)
{
        struct pin_generation *unused = atomic_exchange_explicit(&worker->mailbox, &nobody,
                                                                 memory_order_acquire);
        CHECK(unused != &nobody);
        struct pin *old = TAKE(worker->now);
        atomic_store_explicit(&worker->running, UINT64_MAX, memory_order_release);
        if (unused != NULL)
                leave(worker->board, unused);
        if (old != NULL)
                pin_let_go(old);
}
