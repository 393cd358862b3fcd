/* worker.c -- a worker's thread from the inside: taking over snapshots, listening, recording. */
#include "gate/worker.h"

#include "base/check.h"
#include "gate/live.h"
#include "http/crowd.h"
#include "record/count.h"
#include "roster/roster.h"

/* How long pages must have lain unused. */
#define TRIM_NS 1000000000u

/* Entrances follow the snapshot: what is allowed there, and their place in its list. */
static void adopt(struct worker *worker)
{
        const struct snapshot *snapshot = worker_snapshot(worker);
        if (snapshot == NULL)
                return;
        for (unsigned i = 0; i < worker->entrance_count; i++) {
                struct entrance *entrance = worker->entrances[i];
                entrance->id = UINT32_MAX;
                entrance->trusted = NULL;
                entrance->tls = NULL; /* of the snapshot that holds it */
                for (uint32_t k = 0; k < snapshot->listener_count; k++) {
                        const struct listener_rules *rules = &snapshot->listeners[k];
                        if (!str_eq(rules->name, entrance->name))
                                continue;
                        entrance->id = k;
                        entrance->limits = rules->limits;
                        entrance->introduction = (uint8_t)rules->introduction;
                        entrance->is_both = rules->is_both;
                        entrance->trusted = &rules->trusted_proxies;
                        entrance->tls = rules->tls;
                        entrance->takes_tls = entrance->is_secure = rules->tls != NULL;
                }
        }
        worker->http.back_limits = snapshot->back_limits;
}

static void on_trim(struct timer *timer)
{
        struct worker *worker = container_of(timer, struct worker, trim);
        page_pool_trim(worker->http.loop->pages);
}

/* Behind the exchanges that ended in this turn: the next turn may be long in coming. */
static void on_tally(struct task *task)
{
        struct worker *worker = container_of(task, struct worker, tally);
        counts_turn(worker->counts, &worker->http);
        if (worker->http.is_draining)
                atomic_store(&worker->is_drained,
                             worker->http.front_count == 0 && worker->http.exchange_count == 0);
}

static void on_news(struct mail *mail)
{
        struct worker *worker = container_of(mail, struct worker, news);
        atomic_store(&worker->is_news_posted, false);
        if (pin_turn(worker->pins))
                adopt(worker);
}

void worker_tell(struct worker *worker)
{
        if (!atomic_exchange(&worker->is_news_posted, true))
                loop_post(worker->http.loop, &worker->news);
}

static void on_turn(struct task *task)
{
        struct worker *worker = container_of(task, struct worker, turn);
        struct loop *loop = worker->http.loop;
        if (worker->trim.due == TIMER_NEVER && page_pool_can_trim(loop->pages))
                timer_set(loop, &worker->trim, loop_now(loop) + TRIM_NS);
        if (pin_turn(worker->pins))
                adopt(worker);
        roster_turn(worker->gate->roster, worker->index);
        loop_bury(worker->http.loop, &worker->tally);
}

void worker_init(struct worker *worker, struct gate *gate, unsigned index, struct loop *loop)
{
        worker->gate = gate;
        worker->index = index;
        worker->pins = pin_worker(gate->board, index);
        worker->counts = count_board_of(gate->counts, index);
        arena_init(&worker->arena, NULL, SIZE_MAX / 2);
        http_init(&worker->http, loop);
        worker->http.crowd = gate->crowd;
        list_init(&worker->streams);
        worker->streams_end = TIMER_NEVER;
        lanes_init(worker);
        timer_init(&worker->trim, on_trim);
        worker->news.open = on_news;
        task_init(&worker->turn, on_turn);
        task_init(&worker->tally, on_tally);
        loop_each_turn(loop, &worker->turn);
}

void worker_fini(struct worker *worker)
{
        list_remove(&worker->turn.node);
        timer_stop(&worker->trim);
        list_remove(&worker->tally.node);
        lanes_fini(worker);
        loop_turn(worker->http.loop, 0); /* buries the connections of the lanes */
        pin_leave(worker->pins);
        roster_leave(worker->gate->roster, worker->index);
        http_fini(&worker->http);
        arena_fini(&worker->arena);
}

struct entrance *worker_new_entrance(struct worker *worker)
{
        struct entrance *entrance = NULL;
        for (unsigned i = 0; i < worker->entrance_count && entrance == NULL; i++) {
                struct entrance *old = worker->entrances[i];
                if (!old->listener.is_open && old->conns == 0)
                        entrance = old;
        }
        if (entrance == NULL && worker->entrance_count < ENTRANCES_MAX) {
                entrance = arena_new(&worker->arena, struct entrance);
                worker->entrances[worker->entrance_count++] = entrance;
        }
        if (entrance != NULL)
                *entrance = (struct entrance){.id = UINT32_MAX};
        return entrance;
}

enum err worker_enter(struct worker *worker, struct entrance *entrance, int fd)
{
        if (worker->gate->crowd != NULL)
                entrance->door = crowd_door(worker->gate->crowd, entrance->name);
        adopt(worker);
        return entrance_open(entrance, &worker->http, fd);
}

void worker_leave(struct worker *worker, struct str name, const struct addr *address)
{
        for (unsigned i = 0; i < worker->entrance_count; i++) {
                struct entrance *entrance = worker->entrances[i];
                if (str_eq(entrance->name, name) && addr_eq(&entrance->address, address))
                        entrance_shut(entrance);
        }
}

void worker_record(struct worker *worker, const struct record *record)
{
        counts_record(worker->counts, record);
        if (worker->ring != NULL)
                record_put(worker->ring, record);
}

void worker_drain(struct worker *worker)
{
        for (unsigned i = 0; i < worker->entrance_count; i++)
                entrance_finish(worker->entrances[i]);
        http_drain(&worker->http);
}

bool worker_is_drained(const struct worker *worker)
{
        return atomic_load(&worker->is_drained);
}

void worker_abort(struct worker *worker)
{
        worker_drain(worker);
        http_abort(&worker->http);
}

bool worker_is_empty(const struct worker *worker)
{
        return worker->http.front_count == 0 && worker->http.exchange_count == 0;
}
