/* witness.c -- what is remembered of a request: one record, made when it is over. */
#include "gate/trip.h"
#include "record/count.h"

/* Of the hash of a configuration: enough to tell those of one gate apart. */
enum { CONFIG_DIGITS = 16 };

enum { NAMES_TEXT_MAX = 512 };

static const struct str step_names[] = {
#define STEP(id, name, text) S_INIT(#name),
        STEPS(STEP)
#undef STEP
};

/* The policies that were asked, "(cors auth)": of the whole chain as it stands in the route. */
static void put_asked(const struct trip *trip, struct text *text)
{
        const struct chain *chain = &trip->route->chain;
        struct str names = chain->names;
        uint16_t asked = trip->walk.begun;
        if (asked == 0)
                return;
        text_char(text, '(');
        for (uint16_t i = 0; asked < chain->count && i < asked; i++) {
                if (i > 0)
                        text_char(text, ' ');
                text_put(text, str_of(chain->at[i].policy->shape->name));
        }
        if (asked == chain->count)
                text_put(text, names);
        text_char(text, ')');
}

/* "route request(cors auth) pick send await response relay finish" */
static void write_trail(const struct trip *trip, struct trail_text *to)
{
        struct text text = text_over(to->text, sizeof to->text);
        for (unsigned i = 0; i < trip->trail.len; i++) {
                if (i > 0)
                        text_char(&text, ' ');
                text_put(&text, step_names[trip->trail.at[i]]);
                if (trip->trail.at[i] == STEP_REQUEST)
                        put_asked(trip, &text);
        }
        to->snapshot = trip->pin->number;
        to->route = trip->route;
        to->trail = trip->trail;
        to->asked = trip->walk.begun;
        to->len = (uint16_t)text.len;
}

/* Valid until the next one is asked for. */
static struct str trail_text(struct worker *worker, const struct trip *trip)
{
        struct trail_text *last = &worker->trail;
        bool is_same = last->snapshot == trip->pin->number && last->route == trip->route &&
                       last->asked == trip->walk.begun && last->trail.len == trip->trail.len &&
                       memcmp(last->trail.at, trip->trail.at, trip->trail.len) == 0;
        if (!is_same)
                write_trail(trip, last);
        return str_from(last->text, last->len);
}

static struct str hex(struct exchange *ex, const uint8_t *bytes, size_t len)
{
        char *at = arena_alloc(&ex->arena, len * 2);
        hex_put(at, bytes, len);
        return str_from(at, len * 2);
}

/* Names, never values: what was asked is data of the caller. */
static struct str query_names(struct exchange *ex)
{
        struct str rest = ex->req.head.target.query, name, value;
        struct text text;
        if (rest.len == 0)
                return STR_NONE;
        text = text_over(arena_alloc(&ex->arena, NAMES_TEXT_MAX), NAMES_TEXT_MAX);
        while (!text.is_cut && query_next(&rest, &name, &value)) {
                if (text.len > 0)
                        text_char(&text, ',');
                text_put(&text, name);
        }
        return text_str(&text);
}

static struct str media_type(const struct exchange *ex)
{
        struct str type = fields_value(&ex->req.head.fields, NAME_content_type);
        return type.ptr == NULL ? STR_NONE : str_trim(str_cut(&type, ';'));
}

static void take_request(struct exchange *ex, const struct trip *trip,
                         struct record_request *request)
{
        const struct head *head = &ex->req.head;
        request->method = head->method_text;
        request->host = head->host;
        request->path = head->target.path;
        request->route = trip->found != NULL ? trip->found->path : STR_NONE;
        request->query_names = query_names(ex);
        request->content_type = media_type(ex);
        request->user_agent = fields_value(&head->fields, NAME_user_agent);
        request->bytes = ex->req.body.passed;
        memcpy(request->address, trip->origin.address, sizeof request->address);
        request->port = addr_port(&ex->peer);
        request->version = head->version;
        request->tls = ex->tls;
}

static void take_who(const struct trip *trip, struct record_who *who)
{
        const struct route *route = trip->route;
        who->consumer = trip->caller.consumer;
        who->credential = trip->caller.credential;
        if (route == NULL)
                return;
        who->api = route->api->name;
        who->channel = route->channel->name;
        who->api_id = route->api->series;
        who->route_id = route->series;
        if (trip->attempt.upstream != NULL) {
                who->upstream = route->upstream->name;
                who->upstream_id = route->upstream->series;
        }
}

void witness(struct exchange *ex, struct trip *trip)
{
        struct worker *worker = worker_of(ex);
        uint64_t now = loop_now(ex->http->loop);
        struct record record = {
                .wall = loop_wall(ex->http->loop) - (now - ex->times.begin),
                .duration = now - ex->times.begin,
                .response_bytes = ex->res.body.passed,
                .detail = trip->words.detail.len > 0 ? trip->words.detail : trip->words.remark,
                .reason = ex->reason != REASON_none      ? ex->reason
                          : trip->outcome != REASON_none ? trip->outcome
                                                         : REASON_done,
                .status = ex->front.is_gone && trip->step < STEP_RELAY ? 0 : ex->res.head.status,
                .tries = trip->attempt.tries,
        };
        if (!trip->is_own)
                record.upstream_status = ex->res.head.status;
        if (ex->times.response > trip->attempt.begun && trip->attempt.begun > 0)
                record.upstream = ex->times.response - trip->attempt.begun;
        take_request(ex, trip, &record.request);
        take_who(trip, &record.who);
        record.trace = (struct record_trace){
                .request_id = trip->ids.request,
                .trace_id = hex(ex, trip->ids.trace.id, sizeof trip->ids.trace.id),
                .span_id = hex(ex, trip->ids.span, sizeof trip->ids.span),
                .config = str_first(trip->snapshot->hash, CONFIG_DIGITS),
                .steps = trail_text(worker, trip),
        };
        worker_record(worker, &record);
}

void witness_refusal(struct worker *worker, const struct conn *conn, enum reason reason,
                     struct str method, struct str target)
{
        const struct snapshot *snapshot = worker_snapshot(worker);
        struct record record = {
                .wall = loop_wall(worker->http.loop),
                .reason = reason,
                .status = reason_status(reason),
        };
        record.request.method = str_first(method, 32);
        record.request.path = str_first(str_cut(&target, '?'), 1024);
        record.request.port = addr_port(&conn->peer);
        addr_bytes(&conn->peer, record.request.address);
        if (snapshot != NULL)
                record.trace.config = str_first(snapshot->hash, CONFIG_DIGITS);
        worker_record(worker, &record);
}
