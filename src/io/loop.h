/* loop.h -- one per thread: time, events, timers, work that is ready, mail from other threads.
 * A turn: wait, mail, events (each followed by the ready queue, while the bytes it was about are
 * still in hand), timers, what is late, flush of what was written, burial of what was closed.
 * Nothing dies on somebody's stack: loop_bury frees at the end of the turn. Only loop_post may be
 * called from other threads. */
#pragma once

#include <stdatomic.h>

#include "base/base.h"
#include "base/list.h"
#include "base/page.h"
#include "io/driver.h"
#include "io/mail.h"
#include "io/timer.h"

struct sock;

/* Something to run soon on this loop. */
struct task {
        struct list node;
        void (*run)(struct task *task);
};

static inline void task_init(struct task *task, void (*run)(struct task *task))
{
        list_init(&task->node);
        task->run = run;
}

enum { LOOP_HOT_SIZE = 64 * 1024, LOOP_EVENTS = 256 };

struct loop {
        uint64_t now; /* ns, monotonic, fixed during a turn */
        const struct driver *driver;
        void *world; /* the driver's own */
        struct page_pool *pages;
        uint8_t *hot;        /* what is received lies here until the callback returns */
        struct list ready;   /* of task: runs after the event in hand */
        struct list late;    /* of task: runs before what was written leaves */
        struct list readers; /* of sock: more to read than one buffer held */
        struct list writers; /* of sock: something to flush at the end of the turn */
        struct list graves;  /* of task: run at the very end of the turn */
        struct list stalled; /* of sock: the system had no memory to send */
        struct timer stall;
        struct list turners; /* of task: run at the end of every turn, not removed */
        struct mailbox mailbox;
        struct wheel wheel;
        uint64_t wall_offset; /* ns from now to the time of day, as of wall_read */
        uint64_t wall_read;
        _Atomic uint64_t
                busy_since; /* ns; 0 while it waits: for the watchdog, from other threads */
        bool is_stopped;
};

/* A loop with its own driver and page pool of pages_max; dies when the system refuses. */
struct loop *loop_make(const struct driver *driver, size_t pages_max);
void loop_free(struct loop *loop);

/* Turns until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* One turn that waits at most `wait` ns. */
void loop_turn(struct loop *loop, uint64_t wait);

static inline uint64_t loop_now(const struct loop *loop)
{
        return loop->now;
}

/* Time of day, ns since 1970; follows steps of the clock within a second. */
static inline uint64_t loop_wall(const struct loop *loop)
{
        return loop->now + loop->wall_offset;
}

/* Runs the task after the event in hand; does nothing if it is queued already. */
static inline void loop_ready(struct loop *loop, struct task *task)
{
        if (list_is_empty(&task->node))
                list_push(&loop->ready, &task->node);
}

/* Runs the task once, at the end of the turn, before what was written leaves: for what should be
 * written once, after everybody has added to it. Does nothing if it is queued already. */
static inline void loop_late(struct loop *loop, struct task *task)
{
        if (list_is_empty(&task->node))
                list_push(&loop->late, &task->node);
}

/* Runs what is ready now. For whoever holds borrowed bytes and wants the exchange to take its steps
 * before it hands out the rest (see link_deliver); never from inside a task. */
void loop_run_ready(struct loop *loop);

/* Runs the task at the end of the turn, to free what it belongs to. */
void loop_bury(struct loop *loop, struct task *task);

/* Runs the task at the end of every turn from now on: after what was to be sent has been sent,
 * before what was to be freed is freed. */
void loop_each_turn(struct loop *loop, struct task *task);

/* Gives mail to the loop, from any thread. */
void loop_post(struct loop *loop, struct mail *mail);

/* Fires at `due` (ns of loop_now); later than it stood costs one store. */
static inline void timer_set(struct loop *loop, struct timer *timer, uint64_t due)
{
        timer->due = due;
        if (timer->seat == 0 || due < timer->seat)
                wheel_seat(&loop->wheel, timer);
}

/* It is not to fire; it may stay on the wheel: before its memory goes, timer_stop. */
static inline void timer_clear(struct timer *timer)
{
        timer->due = TIMER_NEVER;
}
