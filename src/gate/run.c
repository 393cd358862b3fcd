/* run.c -- the way of a request: the steps of an exchange, top down. This is the file to read.
 *
 * An exchange stands on exactly one step. A step does its work and says NEXT (the next step is set),
 * WAIT (somebody will resume the exchange) or DONE. Heads go once through the line; bodies move
 * themselves beside it. Everything ends with a reason: a fault that comes up while it waits is seen
 * before the next step runs. Nothing here blocks, and nothing else moves an exchange. */
#include "base/check.h"
#include "gate/roster.h"
#include "gate/trip.h"
#include "http/inner.h"

/* The head of a chunked request waits this long for a good first chunk line. */
#define PROOF_NS 50000000u

#define STEP(id, name, text) static enum onward step_##name(struct exchange *ex, struct trip *trip);
STEPS(STEP)
#undef STEP

static enum onward (*const steps[])(struct exchange *, struct trip *) = {
#define STEP(id, name, text) step_##name,
        STEPS(STEP)
#undef STEP
};

static void gate_begin(struct exchange *ex)
{
        struct worker *worker = worker_of(ex);
        struct trip *trip = arena_new(&ex->arena, struct trip);
        ex->trip = trip;
        trip->pin = pin_take(worker->pins);
        trip->snapshot = trip->pin->value;
}

/* A fault came up since the last step: answer it while that is possible, break off where it is not. */
static void interrupt(struct exchange *ex, struct trip *trip)
{
        trip->is_ending = true;
        exchange_reset(ex, &ex->back, ex->reason);
        ex->req.body.is_discarded = true;
        bool can_answer = !ex->front.is_gone && trip->step < STEP_RELAY &&
                          reason_status(ex->reason) != 0;
        if (can_answer) {
                answer_problem(ex, trip, ex->reason);
                trip->step = STEP_RESPONSE;
                return;
        }
        exchange_reset(ex, &ex->front, ex->reason);
        inner_fail(ex, ex->reason);
        trip->step = STEP_FINISH;
}

static void gate_run(struct exchange *ex)
{
        struct trip *trip = ex->trip;
        enum onward onward;
        do {
                if (ex->reason != REASON_none && (!trip->is_ending || ex->front.is_gone) &&
                    trip->step != STEP_FINISH)
                        interrupt(ex, trip);
                if (trip->trail_len < TRAIL_MAX &&
                    (trip->trail_len == 0 || trip->trail[trip->trail_len - 1] != trip->step))
                        trip->trail[trip->trail_len++] = (uint8_t)trip->step;
                onward = steps[trip->step](ex, trip);
        } while (onward == ONWARD_NEXT);
}

static enum onward go(struct trip *trip, enum step step)
{
        trip->step = step;
        return ONWARD_NEXT;
}

static enum onward refuse(struct exchange *ex, struct trip *trip, enum reason reason)
{
        answer_problem(ex, trip, reason);
        return go(trip, STEP_RESPONSE);
}

/* ---- ROUTE ---- */

/* Two paths are protected alike when they lead to routes of the same protection, or nowhere. */
static bool reads_alike(const struct route_result *strict, const struct route_result *loose)
{
        const struct route *a = strict->value, *b = loose->value;
        if (loose->kind != ROUTE_FOUND)
                return true;
        return a == b || a->protection == b->protection;
}

/* security.md row 145: what a looser reader would take for another, differently protected route. */
static bool is_ambiguous(struct exchange *ex, struct trip *trip, const struct route_ask *ask)
{
        const struct route *route = trip->route;
        struct route_ask again = *ask;
        struct route_result loose;
        if (!route->api->is_strict)
                return false;
        if (!ex->req.head.target.has_escapes && !trip->snapshot->needs_loose)
                return false;
        again.path = path_loose(ask->path, &ex->arena);
        if (str_eq(again.path, ask->path))
                return false;
        again.is_loose = true;
        route_find(trip->snapshot->routes, &again, &loose);
        return !reads_alike(trip->found, &loose);
}

static void refuse_method(struct exchange *ex, struct trip *trip)
{
        struct arena *arena = &ex->arena;
        struct text allow = text_over(arena_alloc(arena, 1024), 1024);
        route_put_allow(trip->snapshot->routes, trip->found, &allow);
        ex_answer_field(ex, NAME_allow, text_str(&allow));
        answer_problem(ex, trip, REASON_method_not_allowed);
}

/* Requests that are no request for a route. True when it has been answered. */
static bool answer_special(struct exchange *ex, struct trip *trip)
{
        const struct head *head = &ex->req.head;
        if (head->method == METHOD_CONNECT || head->method == METHOD_TRACE) {
                ex_answer_field(ex, NAME_allow, S("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
                answer_problem(ex, trip, REASON_method_not_allowed);
                ex->front.closes = head->method == METHOD_CONNECT;
                return true;
        }
        if (head->target.is_asterisk) {
                ex_answer(ex, 204, STR_NONE, STR_NONE);
                return true;
        }
        if (forward_loops(ex, trip)) {
                answer_problem(ex, trip, REASON_loop);
                return true;
        }
        return false;
}

static void enter_route(struct exchange *ex, struct trip *trip)
{
        const struct route *route = trip->route;
        struct str below = ex->req.head.target.path;
        trip->states = arena_zero(&ex->arena, 1, route->chain.state_size);
        ex->timeouts = &route->timeouts;
        ex->times.deadline = ex->times.begin + route->timeouts.response;
        ex->req.body.is_watched = route->chain.watches_request;
        if (route->api->path.len > 1)
                below = str_skip(below, route->api->path.len);
        trip->heading = (struct heading){below, ex->req.head.target.query};
}

static enum onward step_route(struct exchange *ex, struct trip *trip)
{
        const struct head *head = &ex->req.head;
        forward_arrive(ex, trip);
        if (answer_special(ex, trip))
                return go(trip, STEP_RESPONSE);
        struct route_ask ask = {
                .host = head->host,
                .path = head->target.path,
                .method = head->method_text,
                .query = head->target.query,
                .fields = &head->fields,
                .listener = ex->entrance->id,
        };
        trip->found = arena_alloc(&ex->arena, sizeof *trip->found);
        enum route_kind kind = route_find(trip->snapshot->routes, &ask, trip->found);
        if (kind == ROUTE_NO_HOST)
                return refuse(ex, trip, REASON_wrong_host);
        if (kind == ROUTE_NO_PATH)
                return refuse(ex, trip, REASON_not_found);
        if (kind == ROUTE_NO_METHOD) {
                refuse_method(ex, trip);
                return go(trip, STEP_RESPONSE);
        }
        trip->route = trip->found->value;
        if (is_ambiguous(ex, trip, &ask)) {
                trip->route = NULL;
                return refuse(ex, trip, REASON_ambiguous_path);
        }
        enter_route(ex, trip);
        return go(trip, STEP_REQUEST);
}

/* ---- REQUEST ---- */

const struct chain_step *trip_step(const struct trip *trip, uint16_t index)
{
        const struct chain_step *step = &trip->route->chain.at[index];
        if (trip->tier == NULL || step->is_floor || trip->tier->slots[step->index] == NULL)
                return step;
        return trip->tier->slots[step->index];
}

/* Once it is known who calls, the slots of the chain take the caller's tier. */
static void take_tier(struct trip *trip)
{
        if (trip->tier == NULL && trip->caller.tier.len > 0)
                trip->tier = map_get(&trip->snapshot->tiers, trip->caller.tier);
}

static enum onward step_request(struct exchange *ex, struct trip *trip)
{
        const struct chain *chain = &trip->route->chain;
        while (trip->turn < chain->count) {
                take_tier(trip);
                const struct chain_step *step = trip_step(trip, trip->turn);
                void *state = trip->states + chain->at[trip->turn].state_at;
                trip->begun = (uint16_t)(trip->turn + 1);
                enum verdict verdict = VERDICT_PASS;
                if (step->conf != NULL && step->policy->on_request != NULL)
                        verdict = step->policy->on_request(ex, step->conf, state);
                trip->is_waiting = verdict == VERDICT_WAIT;
                if (verdict == VERDICT_WAIT)
                        return ONWARD_WAIT;
                if (verdict == VERDICT_REPLY)
                        return go(trip, STEP_RESPONSE);
                if (ex->arena.is_failed) {
                        exchange_fault(ex, REASON_overloaded);
                        return ONWARD_NEXT;
                }
                trip->turn++;
        }
        upstream_begin(&trip->attempt, worker_of(ex), trip->route->upstream, ex_hash(ex));
        ex->req.body.is_kept = trip->route->terms.retry_attempts > 1 && ex->req.body.length != 0;
        return go(trip, STEP_PICK);
}

/* ---- PICK ---- */

static enum onward failed_to_pick(struct exchange *ex, struct trip *trip, enum err err)
{
        if (err == ERR_missing || err == ERR_no_ports)
                exchange_fault(ex, REASON_no_target);
        else if (err == ERR_limit || err == ERR_memory)
                exchange_fault(ex, REASON_overloaded);
        else
                ex->back.failure = REASON_upstream_refused;
        return ex->back.failure == REASON_none ? ONWARD_NEXT : go(trip, STEP_AWAIT);
}

static enum onward step_pick(struct exchange *ex, struct trip *trip)
{
        ex->back = (struct end){0};
        exchange_clear_response(ex);
        enum err err = upstream_get(&trip->attempt, ex);
        if (err != ERR_ok && err != ERR_again)
                return failed_to_pick(ex, trip, err);
        return go(trip, STEP_SEND);
}

/* ---- SEND ---- */

static void proof_is_late(struct timer *timer)
{
        struct proof *proof = container_of(timer, struct proof, timer);
        proof->is_late = true;
        exchange_resume(proof->ex);
}

/* The head of a chunked request leaves only after a good first chunk line: what a parser downstream would
 * take for a request must not exist before the framing is known to be sound. */
static bool is_proven(struct exchange *ex, struct trip *trip)
{
        struct proof *proof = trip->proof;
        if (ex->req.body.is_proven || ex->req.head.expects_continue)
                return true;
        if (proof != NULL)
                return proof->is_late;
        proof = trip->proof = arena_new(&ex->arena, struct proof);
        proof->ex = ex;
        timer_init(&proof->timer, proof_is_late);
        timer_set(ex->http->loop, &proof->timer, loop_now(ex->http->loop) + PROOF_NS);
        return false;
}

static enum onward step_send(struct exchange *ex, struct trip *trip)
{
        if (ex->back.failure != REASON_none)
                return go(trip, STEP_AWAIT);
        if (!ex->back.is_ready || !is_proven(ex, trip))
                return ONWARD_WAIT;
        forward_depart(ex, trip);
        exchange_send(ex, &ex->back);
        return go(trip, STEP_AWAIT);
}

/* ---- AWAIT ---- */

static enum onward step_await(struct exchange *ex, struct trip *trip)
{
        enum reason failure = ex->back.failure;
        if (failure == REASON_none && ex->res.head.status == 0)
                return ONWARD_WAIT;
        upstream_tried(&trip->attempt, ex);
        if (upstream_may_retry(&trip->attempt, ex, &trip->route->terms)) {
                exchange_reset(ex, &ex->back, REASON_none);
                return go(trip, STEP_PICK);
        }
        if (failure != REASON_none && ex->res.head.status == 0) {
                exchange_fault(ex, failure);
                return ONWARD_NEXT;
        }
        body_forget(&ex->req.body);
        forward_return(ex, trip);
        return go(trip, STEP_RESPONSE);
}

/* ---- RESPONSE ---- */

static enum onward step_response(struct exchange *ex, struct trip *trip)
{
        if (trip->is_own)
                exchange_reset(ex, &ex->back, REASON_done);
        while (trip->begun > 0) {
                const struct chain_step *step = trip_step(trip, (uint16_t)(trip->begun - 1));
                void *state = trip->states + trip->route->chain.at[trip->begun - 1].state_at;
                trip->begun--;
                if (step->conf != NULL && step->policy->on_response != NULL)
                        step->policy->on_response(ex, step->conf, state);
        }
        if (ex->front.codec == NULL)
                return go(trip, STEP_FINISH);
        exchange_send(ex, &ex->front);
        return go(trip, STEP_RELAY);
}

/* ---- RELAY ---- */

static enum onward step_relay(struct exchange *ex, struct trip *trip)
{
        if (ex->back.failure != REASON_none && !ex->res.body.is_complete) {
                exchange_fault(ex, ex->back.failure);
                return ONWARD_NEXT;
        }
        if (ex->front.conn != NULL || !(ex->front.is_sent || ex->front.is_gone))
                return ONWARD_WAIT;
        if (ex->back.conn != NULL && ex->res.body.is_complete)
                exchange_reset(ex, &ex->back, REASON_done);
        if (ex->back.conn != NULL)
                return ONWARD_WAIT;
        return go(trip, STEP_FINISH);
}

/* ---- FINISH ---- */

static enum onward step_finish(struct exchange *ex, struct trip *trip)
{
        exchange_reset(ex, &ex->back, REASON_done);
        if (!trip->is_ask)
                worker_record(worker_of(ex), ex, trip);
        exchange_finish(ex);
        return ONWARD_DONE;
}

/* Its memory is about to go: every policy that was asked hears of it, whatever happened. */
static void gate_end(struct exchange *ex)
{
        struct trip *trip = ex->trip;
        const struct chain *chain = trip->route == NULL ? NULL : &trip->route->chain;
        for (uint16_t i = 0; chain != NULL && trip->states != NULL && i < trip->ended; i++) {
                const struct chain_step *step = trip_step(trip, i);
                if (step->conf != NULL && step->policy->on_end != NULL)
                        step->policy->on_end(ex, step->conf, trip->states + chain->at[i].state_at);
        }
        asks_end(trip);
        if (trip->proof != NULL)
                timer_stop(&trip->proof->timer);
        if (trip->attempt.upstream != NULL)
                upstream_end(&trip->attempt, ex);
        pin_give(trip->pin);
}

/* A piece of the request body passes the policies that watch it. */
static bool gate_piece(struct exchange *ex, struct body *body, struct str bytes)
{
        struct trip *trip = ex->trip;
        const struct chain *chain = &trip->route->chain;
        (void)body;
        for (uint16_t i = 0; i < chain->count; i++) {
                const struct chain_step *step = trip_step(trip, i);
                void *state = trip->states + chain->at[i].state_at;
                if (step->conf != NULL && step->policy->on_body != NULL &&
                    !step->policy->on_body(ex, step->conf, state, bytes))
                        return false;
        }
        return true;
}
