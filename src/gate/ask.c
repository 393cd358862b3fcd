/* ask.c -- questions of a policy: requests of our own while an exchange waits. They are exchanges
 * that begin inside: to a URL they skip routing and policies, to the gate itself they pass the
 * whole chain like any other request. They are given up when the asker ends, and they end by their
 * own clock. */
#include "base/check.h"
#include "gate/trip.h"
#include "http/inner.h"

struct asking {
        struct asking *next;
        struct exchange *asker;
        struct inner inner;
        struct timer timer;
        struct answer answer;
};

static void copy_answer(struct asking *asking)
{
        const struct exchange *ex = asking->inner.ex;
        struct answer *answer = &asking->answer;
        struct arena *arena = &asking->asker->arena;
        fields_init(&answer->fields, arena, ex->res.head.fields.count);
        fields_each (field, &ex->res.head.fields) {
                fields_add(&answer->fields, arena_str(arena, field->name),
                           arena_str(arena, field->value));
        }
        answer->body = str_from(asking->inner.bytes, asking->inner.len);
        answer->status = ex->res.head.status;
}

static void on_done(struct inner *inner)
{
        struct asking *asking = container_of(inner, struct asking, inner);
        timer_stop(&asking->timer);
        if (inner->failure == REASON_none)
                copy_answer(asking);
        else
                asking->answer.failure = inner->failure;
        exchange_resume(asking->asker);
}

static void on_timeout(struct timer *timer)
{
        struct asking *asking = container_of(timer, struct asking, timer);
        asking->answer.failure = REASON_upstream_timeout;
        inner_give_up(&asking->inner);
        exchange_resume(asking->asker);
}

static void fill_head(struct exchange *ex, const struct ask *ask)
{
        struct head *head = &ex->req.head;
        struct arena *arena = &ex->arena;
        head->version = 11;
        head->method_text = arena_str(arena, ask->method);
        head->method = method_find(head->method_text);
        head->target.path = arena_str(arena, ask->path);
        head->target.query = ask->query.ptr == NULL ? STR_NONE : arena_str(arena, ask->query);
        head->raw_target = head->target.path;
        fields_init(&head->fields, arena, (uint16_t)(ask->fields.count + 12));
        fields_each (field, &ask->fields) {
                /* On its way through the chain the gateway says those itself. */
                if (ask->asked == NULL && (name_flags(field->id) & NAME_ORIGIN) != 0 &&
                    field->id != NAME_x_forwarded_method && field->id != NAME_x_forwarded_uri)
                        continue;
                fields_add(&head->fields, arena_str(arena, field->name),
                           arena_str(arena, field->value));
        }
        ex->req.body.length = 0;
        ex->req.body.is_complete = true;
        ex->req.body.is_proven = true;
}

/* Straight to who is asked: the steps before PICK are not for it. */
static void head_for(struct exchange *ex, struct trip *trip, const struct ask *ask)
{
        trip->is_ask = true;
        trip->route = ask->asked;
        trip->heading.path = ex->req.head.target.path;
        trip->heading.query = ex->req.head.target.query;
        ex->timeouts = &trip->route->timeouts;
        ex->times.deadline = ex->times.begin + trip->route->timeouts.response;
        upstream_begin(&trip->attempt, worker_of(ex), trip->route->upstream, 0);
        trip->step = STEP_PICK;
}

/* Who is known stays known: what was proved need not be sent again, it was taken out. */
static void introduce(struct trip *trip, const struct caller *caller, struct arena *arena)
{
        const struct proven **last = &trip->caller.proven;
        trip->caller = (struct caller){
                .is_known = caller->is_known,
                .identity = arena_str(arena, caller->identity),
                .consumer = arena_str(arena, caller->consumer),
                .tier = arena_str(arena, caller->tier),
                .channel = arena_str(arena, caller->channel),
                .credential = arena_str(arena, caller->credential),
                .display = arena_str(arena, caller->display),
        };
        for (const struct proven *one = caller->proven; one != NULL; one = one->before) {
                struct proven *copy = arena_new(arena, struct proven);
                copy->identity = arena_str(arena, one->identity);
                *last = copy;
                last = &copy->before;
        }
}

/* The question is asked in the name of the asker: same ids, same origin, never a new identity. */
static void speak_for(struct exchange *ex, const struct exchange *asker)
{
        struct trip *trip = trip_of(ex);
        const struct trip *from = trip_of(asker);
        struct arena *arena = &ex->arena;
        ex->peer = asker->peer;
        ex->entrance = asker->entrance;
        ex->req.head.host = arena_str(arena, asker->req.head.host);
        /* Who is asked lies in the asker's snapshot, so both live under that one. */
        pin_give(trip->pin);
        trip->pin = from->pin;
        trip->pin->held++;
        trip->snapshot = from->snapshot;
        trip->origin = from->origin;
        trip->origin.depth++;
        trip->origin.text = STR_NONE;
        trip->origin.scheme = arena_str(arena, from->origin.scheme);
        trip->origin.host = arena_str(arena, from->origin.host);
        trip->origin.chain = arena_str(arena, from->origin.chain);
        trip->ids = from->ids;
        trip->ids.request = arena_str(arena, from->ids.request);
        trip->ids.correlation = arena_str(arena, from->ids.correlation);
        introduce(trip, &from->caller, arena);
}

struct answer *ex_ask(struct exchange *asker, const struct ask *ask)
{
        struct trip *trip = trip_of(asker);
        struct asking *asking = arena_new(&asker->arena, struct asking);
        struct exchange *ex = exchange_begin(asker->http, &gate_site, NULL);
        asking->asker = asker;
        timer_init(&asking->timer, on_timeout);
        if (ex == NULL) {
                asking->answer.failure = REASON_overloaded;
                exchange_resume(asker);
                return &asking->answer;
        }
        asking->inner.arena = &asker->arena;
        asking->inner.max = ask->body_max;
        asking->inner.done = on_done;
        inner_attach(&asking->inner, ex);
        asking->next = trip->asks;
        trip->asks = asking;
        fill_head(ex, ask);
        gate_site.begin(ex);
        speak_for(ex, asker);
        if (ask->asked != NULL)
                head_for(ex, trip_of(ex), ask);
        timer_set(asker->http->loop, &asking->timer,
                  loop_now(asker->http->loop) + (uint64_t)ask->timeout_ns);
        exchange_resume(ex);
        return &asking->answer;
}

void asks_end(struct trip *trip)
{
        for (struct asking *asking = trip->asks; asking != NULL; asking = asking->next) {
                timer_stop(&asking->timer);
                inner_give_up(&asking->inner);
        }
        trip->asks = NULL;
}
