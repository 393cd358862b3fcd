/* worker.c -- a worker's thread from the inside: taking over snapshots, listening, recording. */
#include "gate/worker.h"

#include "base/check.h"
#include "gate/count.h"
#include "gate/live.h"
#include "gate/roster.h"

/* Entrances follow the snapshot: what is allowed there, and their place in its list. */
static void adopt(struct worker *worker)
{
        const struct snapshot *snapshot = worker_snapshot(worker);
        for (unsigned i = 0; i < worker->entrance_count; i++) {
                struct entrance *entrance = worker->entrances[i];
                entrance->id = UINT32_MAX;
                for (uint32_t k = 0; k < snapshot->listener_count; k++) {
                        const struct listener_rules *rules = &snapshot->listeners[k];
                        if (!str_eq(rules->name, entrance->name))
                                continue;
                        entrance->id = k;
                        entrance->limits = rules->limits;
                }
        }
        worker->http.back_limits = snapshot->back_limits;
}

static void on_turn(struct task *task)
{
        struct worker *worker = container_of(task, struct worker, turn);
        if (pin_turn(worker->pins))
                adopt(worker);
        roster_turn(worker->gate->roster, worker->index);
        counts_turn(worker->counts, &worker->http);
}

void worker_init(struct worker *worker, struct gate *gate, unsigned index, struct loop *loop)
{
        worker->gate = gate;
        worker->index = index;
        worker->pins = pin_worker(gate->board, index);
        worker->counts = count_board_of(gate->counts, index);
        http_init(&worker->http, loop);
        lanes_init(worker);
        task_init(&worker->turn, on_turn);
        loop_each_turn(loop, &worker->turn);
}

void worker_fini(struct worker *worker)
{
        lanes_fini(worker);
        list_remove(&worker->turn.node);
        pin_leave(worker->pins);
        roster_leave(worker->gate->roster, worker->index);
        http_fini(&worker->http);
}

enum err worker_enter(struct worker *worker, struct entrance *entrance, int fd)
{
        if (worker->entrance_count == ENTRANCES_MAX)
                return ERR_limit;
        worker->entrances[worker->entrance_count++] = entrance;
        adopt(worker);
        return entrance_open(entrance, &worker->http, fd);
}

void worker_record(struct worker *worker, const struct record *record)
{
        counts_record(worker->counts, record);
}
