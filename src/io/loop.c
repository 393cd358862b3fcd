/* loop.c -- the turn. What is gathered during a turn leaves at its end in one write per socket;
 * what was closed is buried last. */
#include "io/loop.h"

#include <stdlib.h>

#include "base/check.h"
#include "io/sock.h"

enum { RESERVE_PAGES = 64 };

/* How long the time of day may be off after a step of the clock. */
#define WALL_FRESH_NS 250000000u

struct loop *loop_make(const struct driver *driver, size_t pages_max)
{
        struct loop *loop = calloc(1, sizeof *loop);
        CHECK(loop != NULL);
        loop->driver = driver;
        loop->world = driver->make();
        loop->hot = aligned_alloc(PAGE_SIZE, LOOP_HOT_SIZE);
        loop->pages = page_pool_make(pages_max, RESERVE_PAGES);
        CHECK(loop->world != NULL && loop->hot != NULL);
        list_init(&loop->ready);
        list_init(&loop->late);
        list_init(&loop->readers);
        list_init(&loop->writers);
        list_init(&loop->graves);
        list_init(&loop->turners);
        list_init(&loop->stalled);
        loop->now = driver->now(loop->world);
        loop->wall_offset = driver->wall(loop->world) - loop->now;
        loop->wall_read = loop->now;
        wheel_init(&loop->wheel, loop->now);
        return loop;
}

void loop_free(struct loop *loop)
{
        loop->driver->free(loop->world);
        page_pool_free(loop->pages);
        free(loop->hot);
        free(loop);
}

static void run_tasks(struct list *queue)
{
        struct list *node;
        while ((node = list_pop(queue)) != NULL) {
                struct task *task = list_entry(node, struct task, node);
                task->run(task);
        }
}

void loop_run_ready(struct loop *loop)
{
        if (!list_is_empty(&loop->ready))
                run_tasks(&loop->ready);
}

void loop_bury(struct loop *loop, struct task *task)
{
        list_remove(&task->node);
        list_push(&loop->graves, &task->node);
}

void loop_each_turn(struct loop *loop, struct task *task)
{
        list_push(&loop->turners, &task->node);
}

void loop_post(struct loop *loop, struct mail *mail)
{
        if (mailbox_put(&loop->mailbox, mail))
                loop->driver->wake(loop->world);
}

static void open_mail(struct loop *loop)
{
        struct mail *mail = mailbox_take(&loop->mailbox);
        while (mail != NULL) {
                struct mail *next = mail->next;
                mail->open(mail);
                mail = next;
                loop_run_ready(loop);
        }
}

static void read_clock(struct loop *loop)
{
        loop->now = loop->driver->now(loop->world);
        if (loop->now - loop->wall_read >= WALL_FRESH_NS) {
                loop->wall_offset = loop->driver->wall(loop->world) - loop->now;
                loop->wall_read = loop->now;
        }
}

static uint64_t time_to_wait(const struct loop *loop, uint64_t wait)
{
        if (!list_is_empty(&loop->ready) || !list_is_empty(&loop->late) ||
            !list_is_empty(&loop->readers) || !list_is_empty(&loop->writers))
                return 0;
        uint64_t next = wheel_next(&loop->wheel);
        if (next == TIMER_NEVER)
                return wait;
        return next <= loop->now ? 0 : u64_min(wait, next - loop->now);
}

void loop_turn(struct loop *loop, uint64_t wait)
{
        struct event events[LOOP_EVENTS];
        wait = time_to_wait(loop, wait);
        if (wait > 0)
                atomic_store_explicit(&loop->busy_since, 0, memory_order_relaxed);
        int count = loop->driver->wait(loop->world, wait, events, LOOP_EVENTS);
        read_clock(loop);
        atomic_store_explicit(&loop->busy_since, loop->now, memory_order_relaxed);
        open_mail(loop);
        loop_run_ready(loop);
        for (int i = 0; i < count; i++) {
                events[i].watcher->event(events[i].watcher, events[i].flags);
                loop_run_ready(loop);
        }
        sock_read_more(loop);
        /* After the events: who sent in time is not late because this thread is. */
        wheel_turn(&loop->wheel, loop->now);
        loop_run_ready(loop);
        while (!list_is_empty(&loop->late)) {
                run_tasks(&loop->late);
                loop_run_ready(loop);
        }
        sock_flush_all(loop); /* much ends with its last byte: it is counted in this turn */
        list_each_safe (node, &loop->turners) {
                struct task *task = list_entry(node, struct task, node);
                task->run(task);
        }
        run_tasks(&loop->graves);
}

void loop_run(struct loop *loop)
{
        while (!loop->is_stopped)
                loop_turn(loop, UINT64_MAX);
}

void loop_stop(struct loop *loop)
{
        loop->is_stopped = true;
}
