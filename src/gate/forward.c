/* forward.c -- what is said of a request on its way. Strip first, then add: what a stranger says
 * about where a request comes from is removed before anything looks at it; what the gateway says is
 * added last, right before the head is sent, and anew for each try. */
#include "gate/trip.h"

#include "base/rand.h"
#include "wire/forwarded.h"
#include "wire/proxy.h"
#include "wire/uuid.h"

/* A request may pass this gate so many times: an API of it may be the upstream of another. */
enum { PASSES_MOST = 5, FORWARD_TEXT_MAX = 1024 };

static const struct listener_rules *rules_of(const struct exchange *ex, const struct trip *trip)
{
        uint32_t id = ex->entrance->id;
        return id < trip->snapshot->listener_count ? &trip->snapshot->listeners[id] : NULL;
}

/* A host, perhaps with a port, in its one form; empty when it is none. */
static struct str read_host(struct exchange *ex, struct str text)
{
        struct str host;
        uint16_t port;
        if (host_normalise(text, 0, &ex->arena, &host, &port) != ERR_ok)
                return STR_NONE;
        return port == 0 ? host : arena_format(&ex->arena, STR_FMT ":%u", STR_ARG(host), port);
}

static void read_trusted(struct exchange *ex, struct trip *trip, const struct cidrs *trusted)
{
        struct fields *fields = &ex->req.head.fields;
        struct origin *origin = &trip->origin;
        struct str proto = fields_value(fields, NAME_x_forwarded_proto);
        bool has_list = fields_get(fields, NAME_x_forwarded_for) != NULL;
        origin->is_trusted = true;
        forwarded_walk(fields, has_list ? NAME_x_forwarded_for : NAME_forwarded, trusted,
                       origin->address);
        if (fields_count(fields, NAME_x_forwarded_for) == 1)
                origin->chain = fields_value(fields, NAME_x_forwarded_for);
        if (str_eq_nocase(proto, S("https")) || str_eq_nocase(proto, S("http")))
                origin->scheme = proto;
        if (fields_count(fields, NAME_x_forwarded_host) == 1)
                origin->host = read_host(ex, fields_value(fields, NAME_x_forwarded_host));
}

/* Removes in one pass what only the gateway may say. */
static void strip(struct fields *fields)
{
        uint16_t kept = 0;
        for (uint16_t i = 0; i < fields->count; i++) {
                const struct field *field = &fields->at[i];
                bool is_origin = field->id == NAME_other
                                         ? name_is_origin(field->name)
                                         : (name_flags(field->id) & NAME_ORIGIN) != 0;
                if (!is_origin)
                        fields->at[kept++] = *field;
        }
        fields->count = kept;
}

static void read_ids(struct exchange *ex, struct trip *trip)
{
        struct fields *fields = &ex->req.head.fields;
        struct ids *ids = &trip->ids;
        struct str id = fields_value(fields, NAME_x_request_id);
        uint64_t span = rand_u64() | 1;
        if (!request_id_is_good(id) || fields_count(fields, NAME_x_request_id) != 1) {
                struct text text = text_over(arena_alloc(&ex->arena, UUID_LENGTH), UUID_LENGTH);
                uuid_write_v7(loop_wall(ex->http->loop) / 1000000, rand_u64(), rand_u64(), &text);
                id = text_str(&text);
        }
        ids->request = id;
        id = fields_value(fields, NAME_x_correlation_id);
        if (request_id_is_good(id))
                ids->correlation = id;
        if (trace_of(fields, &ids->trace) != ERR_ok) {
                uint64_t high = rand_u64(), low = rand_u64() | 1;
                memcpy(ids->trace.id, &high, 8);
                memcpy(ids->trace.id + 8, &low, 8);
                ids->trace.flags = TRACE_SAMPLED | TRACE_RANDOM;
                fields_remove_known(fields, NAME_tracestate);
        } else if (fields_get(fields, NAME_tracestate) != NULL) {
                struct text text = text_over(arena_alloc(&ex->arena, TRACESTATE_MAX),
                                             TRACESTATE_MAX);
                enum err err = tracestate_join(fields, &text);
                fields_remove_known(fields, NAME_tracestate);
                if (err == ERR_ok && text.len > 0)
                        fields_add_known(fields, NAME_tracestate, text_str(&text));
        }
        memcpy(ids->span, &span, 8);
        fields_remove_known(fields, NAME_traceparent);
        fields_remove_known(fields, NAME_x_request_id);
}

void forward_arrive(struct exchange *ex, struct trip *trip)
{
        const struct listener_rules *rules = rules_of(ex, trip);
        struct origin *origin = &trip->origin;
        addr_bytes(&ex->peer, origin->address);
        origin->scheme = ex->is_secure ? S("https") : S("http");
        if (rules != NULL && rules->trusted_proxies.count > 0 &&
            cidrs_has(&rules->trusted_proxies, origin->address))
                read_trusted(ex, trip, &rules->trusted_proxies);
        if (origin->host.len == 0)
                origin->host = ex->req.head.host;
        strip(&ex->req.head.fields);
        read_ids(ex, trip);
}

/* The address is the client's as it is logged and forwarded; the port is known of whoever is
 * connected to us, or to whom such a header speaks. The target is our address, as the client's
 * connection has it. */
void forward_introduce(struct exchange *ex, const struct trip *trip)
{
        struct proxy_header *caller;
        uint8_t peer[16];
        if (likely(trip->route->upstream->speaks == PROXY_OFF) || ex->front.conn == NULL)
                return;
        caller = arena_new(&ex->arena, struct proxy_header);
        addr_bytes(&ex->peer, peer);
        memcpy(caller->source, trip->origin.address, sizeof caller->source);
        if (memcmp(peer, caller->source, sizeof peer) == 0)
                caller->source_port = addr_port(&ex->peer);
        struct addr here;
        sock_local(&ex->front.conn->tcp.sock, &here);
        addr_bytes(&here, caller->target);
        caller->target_port = addr_port(&here);
        ex->caller = caller;
}

bool forward_loops(const struct exchange *ex, const struct trip *trip)
{
        const struct worker *worker = worker_of(ex);
        unsigned passes = trip->origin.depth;
        fields_each (field, &ex->req.head.fields) {
                if (field->id != NAME_via)
                        continue;
                struct str rest = field->value;
                while (rest.ptr != NULL)
                        passes += str_ends(str_trim(str_cut(&rest, ',')), worker->gate->instance);
        }
        return passes >= PASSES_MOST;
}

/* The target's URL path, what follows the API's path, and the query. */
static struct str target_text(struct exchange *ex, struct trip *trip)
{
        const struct heading *heading = &trip->heading;
        struct str prefix = trip->attempt.target->path;
        size_t max = prefix.len + heading->path.len + heading->query.len + 2;
        struct text text = text_over(arena_alloc(&ex->arena, max), max);
        text_put(&text, prefix);
        if (heading->path.len == 0 ? prefix.len == 0 : heading->path.ptr[0] != '/')
                text_char(&text, '/');
        text_put(&text, heading->path);
        if (heading->query.ptr != NULL) {
                text_char(&text, '?');
                text_put(&text, heading->query);
        }
        return text_str(&text);
}

/* Takes what text got since `from` as one value. */
static struct str piece(const struct text *text, size_t from)
{
        return str_from(text->at + from, text->len - from);
}

/* What strangers say was removed: what is there, a policy has set, and it knows better. */
static void add_unless_set(struct fields *fields, enum name name, struct str value)
{
        if (value.len > 0 && fields_get(fields, name) == NULL)
                fields_add_known(fields, name, value);
}

static void add_forwarded(struct exchange *ex, struct trip *trip, struct text *text)
{
        struct fields *fields = &ex->req.head.fields;
        const struct origin *origin = &trip->origin;
        const struct api *api = trip->route->api;
        size_t from = text->len;
        struct str peer;
        addr_put_ip(text, &ex->peer);
        struct str address = peer = piece(text, from);
        if (origin->chain.len > 0)
                peer = arena_format(&ex->arena, STR_FMT ", " STR_FMT, STR_ARG(origin->chain),
                                    STR_ARG(peer));
        fields_add_known(fields, NAME_x_forwarded_for, peer);
        add_unless_set(fields, NAME_x_forwarded_proto, origin->scheme);
        add_unless_set(fields, NAME_x_forwarded_host, origin->host);
        add_unless_set(fields, NAME_x_forwarded_prefix, api->path.len > 1 ? api->path : STR_NONE);
        from = text->len;
        if (origin->is_trusted || !ip_is_v4(origin->address))
                forwarded_write(origin->address, origin->host, origin->scheme, text);
        else
                forwarded_write_node(address, origin->host, origin->scheme, text);
        fields_add_known(fields, NAME_forwarded, piece(text, from));
}

static void add_ids(struct exchange *ex, struct trip *trip, struct text *text)
{
        struct fields *fields = &ex->req.head.fields;
        struct trace trace = trip->ids.trace;
        size_t from = text->len;
        memcpy(trace.parent, trip->ids.span, sizeof trace.parent);
        trace_write(&trace, text);
        fields_add_known(fields, NAME_traceparent, piece(text, from));
        fields_add_known(fields, NAME_x_request_id, trip->ids.request);
        from = text->len;
        text_put(text, S("1.1 "));
        text_put(text, worker_of(ex)->gate->instance);
        fields_add_known(fields, NAME_via, piece(text, from));
}

void forward_depart(struct exchange *ex, struct trip *trip)
{
        struct head *head = &ex->req.head;
        struct heading *heading = &trip->heading;
        struct text text = text_over(arena_alloc(&ex->arena, FORWARD_TEXT_MAX), FORWARD_TEXT_MAX);
        if (heading->fields > 0)
                head->fields.count = (uint16_t)(heading->fields - 1);
        heading->fields = (uint16_t)(head->fields.count + 1);
        head->raw_target = target_text(ex, trip);
        head->authority = trip->attempt.target->authority;
        if (!trip->is_ask)
                add_forwarded(ex, trip, &text);
        add_ids(ex, trip, &text);
}

void forward_return(struct exchange *ex, struct trip *trip)
{
        struct fields *fields = &ex->res.head.fields;
        if (trip->is_ask)
                return;
        fields_remove_known(fields, NAME_server);
        fields_remove_known(fields, NAME_x_powered_by);
        fields_set_known(fields, NAME_x_request_id, trip->ids.request);
        if (trip->ids.correlation.len > 0)
                fields_set_known(fields, NAME_x_correlation_id, trip->ids.correlation);
}
