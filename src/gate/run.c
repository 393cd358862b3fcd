/* run.c -- the way of a request: the steps of an exchange, top down. This is the file to read.
 *
 * An exchange stands on exactly one step. A step does its work and says NEXT (the next step is
 * set), WAIT (somebody will resume the exchange) or DONE. Heads go once through the line; bodies
 * move themselves beside it. Everything ends with a reason: a fault that comes up while it waits is
 * seen before the next step runs. Nothing here blocks, and nothing else moves an exchange. */
#include "base/check.h"
#include "gate/tunnel.h"
#include "http/inner.h"
#include "roster/roster.h"

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
        fields_init(&trip->answer_fields, &ex->arena, 0);
        if (ex->front.conn != NULL)
                forward_arrive(ex, trip);
}

/* A fault came up since the last step: answer it while that is possible, break off where it is not.
 */
static void interrupt(struct exchange *ex, struct trip *trip)
{
        trip->is_ending = true;
        /* A head that is too long: the next one has nothing in it that policies say. */
        if (ex->front.failure != REASON_none)
                trip->answer_fields.count = 0;
        ex->front.failure = REASON_none;
        exchange_reset(ex, &ex->back, ex->reason);
        ex->req.body.is_discarded = true;
        bool is_open = trip->step < STEP_RELAY || (ex->front.conn != NULL && !ex->front.is_begun);
        bool can_answer = is_open && !ex->front.is_gone && reason_status(ex->reason) != 0;
        if (can_answer) {
                answer_problem(ex, trip, ex->reason);
                trip->step = STEP_RESPONSE;
                return;
        }
        exchange_reset(ex, &ex->front, ex->reason);
        inner_fail(ex, ex->reason);
        trip->step = STEP_FINISH;
}

/* True when there is a fault that nothing was done about. */
static bool is_faulty(const struct exchange *ex, const struct trip *trip)
{
        bool is_new = !trip->is_ending || ex->front.is_gone || ex->front.failure != REASON_none;
        return is_new && ex->reason != REASON_none && trip->step != STEP_FINISH;
}

static void note_step(struct trail *trail, enum step step)
{
        if (trail->len < TRAIL_MAX && (trail->len == 0 || trail->at[trail->len - 1] != step))
                trail->at[trail->len++] = (uint8_t)step;
}

static void gate_run(struct exchange *ex)
{
        struct trip *trip = ex->trip;
        enum onward onward;
        do {
                if (is_faulty(ex, trip))
                        interrupt(ex, trip);
                note_step(&trip->trail, trip->step);
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

/* Two paths are protected alike when they lead to routes of equal protection. Where the loose one
 * leads to a refusal (the method, or nothing in another API) the strict one must not serve. */
static bool reads_alike(const struct route_result *strict, const struct route_result *loose)
{
        const struct route *a = strict->value, *b = loose->value;
        if (loose->kind == ROUTE_NO_PATH)
                return loose->api == NULL || loose->api == strict->api;
        if (loose->kind != ROUTE_FOUND)
                return false;
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
        if (str_eq(again.path, ask->path) && !trip->snapshot->needs_loose)
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

static struct str without_port(struct str host)
{
        ptrdiff_t end = str_starts(host, S("[")) ? str_find(host, ']') + 1 : str_find(host, ':');
        return end > 0 ? str_first(host, (size_t)end) : host;
}

/* The same place under https, for a listener that serves nothing else. */
static void redirect_to_https(struct exchange *ex, struct trip *trip, unsigned port)
{
        enum { LOCATION_MAX = 128 * 1024, HTTPS = 443 };
        const struct target *target = &ex->req.head.target;
        struct text to = text_grow(&ex->arena, LOCATION_MAX);
        struct str host = without_port(trip->origin.host);
        text_format(&to, "https://" STR_FMT, STR_ARG(host));
        if (port != HTTPS)
                text_format(&to, ":%u", port);
        text_put(&to, target->path);
        if (target->query.ptr != NULL) {
                text_char(&to, '?');
                text_put(&to, target->query);
        }
        if (host.len == 0 || to.is_cut || !value_is_safe(text_str(&to))) {
                answer_problem(ex, trip, REASON_bad_request);
                return;
        }
        ex_answer_field(ex, NAME_location, text_str(&to));
        ex_answer(ex, 308, STR_NONE, STR_NONE);
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
        const struct snapshot *snapshot = trip->snapshot;
        uint32_t id = ex->entrance->id;
        unsigned port = id < snapshot->listener_count ? snapshot->listeners[id].redirect_port : 0;
        /* Who came over https to a trusted proxy in front is where it should be. */
        if (port > 0 && !str_is(trip->origin.scheme, "https")) {
                redirect_to_https(ex, trip, port);
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
        if (route->timeouts.total > 0)
                timer_set(ex->http->loop, &trip_clocks(ex, trip)->total,
                          ex->times.begin + route->timeouts.total);
        if (route->api->path.len > 1)
                below = str_skip(below, route->api->path.len);
        trip->heading = (struct heading){.path = below, .query = ex->req.head.target.query};
}

/* A preflight asks for another method than its own: the route of that one answers it, if CORS is
 * set there. */
static enum route_kind find(struct exchange *ex, struct trip *trip, struct route_ask *ask)
{
        const struct fields *fields = &ex->req.head.fields;
        enum route_kind kind = route_find(trip->snapshot->routes, ask, trip->found);
        if (ex->req.head.method != METHOD_OPTIONS || kind != ROUTE_NO_METHOD)
                return kind;
        struct str wanted = fields_value(fields, NAME_access_control_request_method);
        struct route_result other;
        struct route_ask again = *ask;
        again.method = wanted;
        /* What CORS would not answer must not pass where OPTIONS is not offered. */
        if (fields_get(fields, NAME_origin) == NULL || wanted.len == 0 ||
            route_find(trip->snapshot->routes, &again, &other) != ROUTE_FOUND)
                return kind;
        const struct route *route = other.value;
        if (!route->chain.answers_preflight)
                return kind;
        *ask = again;
        *trip->found = other;
        return ROUTE_FOUND;
}

/* Over TLS, only hosts may be asked for that share the certificate which was shown: what one of
 * them wants of a handshake is not to be had through another (RFC 9110 7.4). */
static bool is_for_us(const struct exchange *ex)
{
        struct link *tls = ex->front.conn == NULL ? NULL : conn_tls(ex->front.conn);
        return tls == NULL || ex->req.head.host.len == 0 ||
               tls_set_may(link_tls_set(tls), link_tls_face(tls), ex->req.head.host);
}

static enum onward step_route(struct exchange *ex, struct trip *trip)
{
        const struct head *head = &ex->req.head;
        if (!is_for_us(ex))
                return refuse(ex, trip, REASON_wrong_host);
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
        enum route_kind kind = find(ex, trip, &ask);
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
        if (trip->tier == NULL || !step->takes_tier || trip->tier->slots[step->index] == NULL)
                return step;
        return trip->tier->slots[step->index];
}

/* Once it is known who calls, the slots of the chain take the caller's tier. */
static void take_tier(struct trip *trip)
{
        if (trip->tier == NULL && trip->caller.tier.len > 0)
                trip->tier = map_get(&trip->snapshot->tiers, trip->caller.tier);
}

/* Calls the policy in turn. */
static enum verdict ask_policy(struct exchange *ex, struct trip *trip)
{
        struct walk *walk = &trip->walk;
        const struct chain_step *step = trip_step(trip, walk->turn);
        void *state = trip->states + trip->route->chain.at[walk->turn].state_at;
        walk->begun = (uint16_t)(walk->turn + 1);
        if (step->conf == NULL || step->policy->on_request == NULL)
                return VERDICT_PASS;
        return step->policy->on_request(ex, step->conf, state);
}

/* What a request of the same kind should meet the same target by (balance: hash). */
static uint64_t balance_key(struct exchange *ex, const struct trip *trip)
{
        const struct upstream *upstream = trip->route->upstream;
        const struct fields *fields = &ex->req.head.fields;
        const struct field *field;
        if (upstream->balance != BALANCE_HASH)
                return 0;
        switch (upstream->hash_by) {
        case HASH_BY_CONSUMER:
                if (trip->caller.is_known)
                        return balance_seed(trip->caller.consumer);
                break;
        case HASH_BY_PATH:
                return balance_seed(ex->req.head.target.path);
        case HASH_BY_HEADER:
                field = fields_find(fields, upstream->hash_header);
                if (field != NULL)
                        return balance_seed(field->value);
                break;
        case HASH_BY_IP:
                break;
        }
        return balance_seed(str_from((const char *)trip->origin.address, 16));
}

/* A piece of the request body passes the policies that watch it; of a stream both ways do pass. */
static bool gate_piece(struct exchange *ex, struct body *body, struct str bytes)
{
        struct trip *trip = ex->trip;
        const struct chain *chain = &trip->route->chain;
        if (trip->tunnel != NULL)
                return tunnel_piece(ex, body, bytes);
        for (uint16_t i = 0; i < chain->count; i++) {
                const struct chain_step *step = trip_step(trip, i);
                void *state = trip->states + chain->at[i].state_at;
                if (step->conf != NULL && step->policy->on_body != NULL &&
                    !step->policy->on_body(ex, step->conf, state, bytes))
                        return false;
        }
        return true;
}

/* Every policy has passed the head: from now on they see the body, first what has come of it. */
static void watch_body(struct exchange *ex, const struct chain *chain)
{
        enum { PIECES_MAX = BODY_HELD_MAX / PAGE_ROOM + 2 };
        struct body *body = &ex->req.body;
        struct iovec pieces[PIECES_MAX];
        body->is_watched = chain->watches_request;
        if (!body->is_watched)
                return;
        int count = buf_iovec(&body->held, pieces, PIECES_MAX);
        for (int i = 0; i < count && !body->is_discarded; i++)
                body->is_discarded = !gate_piece(ex, body,
                                                 str_from(pieces[i].iov_base, pieces[i].iov_len));
}

static enum onward step_request(struct exchange *ex, struct trip *trip)
{
        const struct route *route = trip->route;
        for (; trip->walk.turn < route->chain.count; trip->walk.turn++) {
                take_tier(trip);
                enum verdict verdict = ask_policy(ex, trip);
                if (verdict == VERDICT_WAIT)
                        return ONWARD_WAIT;
                if (verdict == VERDICT_REPLY)
                        return go(trip, STEP_RESPONSE);
                if (ex->arena.is_failed) {
                        bool is_large = ex->arena.used > ex->arena.max;
                        exchange_fault(ex, is_large ? REASON_header_too_large : REASON_overloaded);
                        return ONWARD_NEXT;
                }
        }
        if (route->upstream == NULL)
                return refuse(ex, trip, REASON_no_target);
        if (unlikely(ex->req.head.upgrade.len > 0) && !tunnel_ask(ex, trip))
                return go(trip, STEP_RESPONSE);
        watch_body(ex, &route->chain);
        if (ex->reason != REASON_none)
                return ONWARD_NEXT;
        forward_introduce(ex, trip);
        upstream_begin(&trip->attempt, worker_of(ex), route->upstream, balance_key(ex, trip));
        ex->req.body.is_kept = route->terms.retry_attempts > 1 && ex->req.body.length != 0;
        return go(trip, STEP_PICK);
}

/* ---- PICK ---- */

static enum onward failed_to_pick(struct exchange *ex, struct trip *trip, enum err err)
{
        uint32_t retry_after_s = upstream_retry_after_s(&trip->attempt);
        if (ex->back.failure != REASON_none)
                return go(trip, STEP_AWAIT);
        if (retry_after_s > 0)
                ex_answer_field(ex, NAME_retry_after, ex_text(ex, "%u", retry_after_s));
        exchange_fault(ex, err == ERR_limit || err == ERR_memory ? REASON_overloaded
                                                                 : REASON_no_target);
        return ONWARD_NEXT;
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

/* The head of a chunked request leaves only after a good first chunk line: what a parser downstream
 * would take for a request must not exist before the framing is known to be sound. */
static bool is_proven(struct exchange *ex, struct trip *trip)
{
        if (ex->req.body.is_proven || ex->req.head.expects_continue)
                return true;
        struct clocks *clocks = trip_clocks(ex, trip);
        if (!clocks->is_proof_set)
                timer_set(ex->http->loop, &clocks->proof, loop_now(ex->http->loop) + PROOF_NS);
        clocks->is_proof_set = true;
        return clocks->is_proof_late;
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

/* Whether this step hears of the answer: those that were asked do, and those that hear all. */
static bool hears(const struct trip *trip, uint16_t at, bool is_floor)
{
        const struct chain_step *step = trip_step(trip, at);
        if (step->is_floor != is_floor || step->conf == NULL || step->policy->on_response == NULL)
                return false;
        return at < trip->walk.begun || step->policy->hears_all;
}

/* Last first: the ones of the levels, or the floors. */
static void walk_back(struct exchange *ex, struct trip *trip, bool is_floor)
{
        const struct chain *chain = &trip->route->chain;
        for (uint16_t at = chain->has_hearers ? chain->count : trip->walk.begun; at-- > 0;) {
                const struct chain_step *step = trip_step(trip, at);
                void *state = trip->states + chain->at[at].state_at;
                if (hears(trip, at, is_floor))
                        step->policy->on_response(ex, step->conf, state);
        }
}

static enum onward step_response(struct exchange *ex, struct trip *trip)
{
        if (trip->is_own)
                exchange_reset(ex, &ex->back, REASON_done);
        if (trip->route != NULL && !trip->walk.is_back) {
                trip->walk.is_back = true;
                walk_back(ex, trip, false);
                /* Floors have the last word in both directions. */
                if (trip->route->chain.has_floors)
                        walk_back(ex, trip, true);
        }
        if (ex->reason != REASON_none && !trip->is_ending)
                return ONWARD_NEXT;
        if (unlikely(exchange_is_stream(ex)))
                tunnel_begin(ex, trip);
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
        /* Of a stream both directions part by themselves, each after its last words. */
        if (ex->back.conn != NULL && ex->res.body.is_complete && !exchange_is_stream(ex))
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
                witness(ex, trip);
        exchange_finish(ex);
        return ONWARD_DONE;
}

/* Its memory is about to go: every policy that was asked hears of it, whatever happened. */
static void gate_end(struct exchange *ex)
{
        struct trip *trip = ex->trip;
        for (uint16_t i = 0; i < trip->walk.begun; i++) {
                const struct chain_step *step = trip_step(trip, i);
                void *state = trip->states + trip->route->chain.at[i].state_at;
                if (step->conf != NULL && step->policy->on_end != NULL)
                        step->policy->on_end(ex, step->conf, state);
        }
        asks_end(trip);
        tunnel_end(trip);
        if (trip->clocks != NULL) {
                timer_stop(&trip->clocks->proof);
                timer_stop(&trip->clocks->total);
                timer_stop(&trip->clocks->sleep);
        }
        if (trip->attempt.upstream != NULL)
                upstream_end(&trip->attempt, ex);
        pin_give(trip->pin);
}

/* A request that never became an exchange: the answer and the record are made from what is known.
 */
static void gate_refuse(struct conn *conn, enum reason reason, struct str method, struct str target,
                        struct text *answer)
{
        struct worker *worker = container_of(conn->http, struct worker, http);
        answer_refusal(worker, conn, reason, answer);
        witness_refusal(worker, conn, reason, method, target);
}

const struct site gate_site = {
        .name = "gate",
        .begin = gate_begin,
        .run = gate_run,
        .end = gate_end,
        .piece = gate_piece,
        .refuse = gate_refuse,
};

/* ---- clocks ---- */

static void on_proof(struct timer *timer)
{
        struct clocks *clocks = container_of(timer, struct clocks, proof);
        clocks->is_proof_late = true;
        exchange_resume(clocks->ex);
}

static void on_total(struct timer *timer)
{
        struct clocks *clocks = container_of(timer, struct clocks, total);
        exchange_fault(clocks->ex, REASON_total_timeout);
}

static void on_sleep(struct timer *timer)
{
        struct clocks *clocks = container_of(timer, struct clocks, sleep);
        exchange_resume(clocks->ex);
}

struct clocks *trip_clocks(struct exchange *ex, struct trip *trip)
{
        if (trip->clocks != NULL)
                return trip->clocks;
        trip->clocks = arena_new(&ex->arena, struct clocks);
        trip->clocks->ex = ex;
        timer_init(&trip->clocks->proof, on_proof);
        timer_init(&trip->clocks->total, on_total);
        timer_init(&trip->clocks->sleep, on_sleep);
        return trip->clocks;
}
