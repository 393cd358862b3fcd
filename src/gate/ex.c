/* ex.c -- the door between policies and the gateway: everything a policy may do, and nothing else.
 */
#include "gate/ex.h"

#include "gate/trip.h"
#include "roster/roster.h"

enum { FILL_MAX = 32 * 1024 };

bool ex_wants_websocket(const struct exchange *ex)
{
        return tunnel_is_websocket(ex->req.head.upgrade);
}

struct str ex_method(const struct exchange *ex)
{
        return ex->req.head.method_text;
}

struct str ex_host(const struct exchange *ex)
{
        return trip_of(ex)->origin.host;
}

struct str ex_path(const struct exchange *ex)
{
        return ex->req.head.target.path;
}

struct str ex_query(const struct exchange *ex)
{
        return ex->req.head.target.query;
}

struct str ex_scheme(const struct exchange *ex)
{
        return trip_of(ex)->origin.scheme;
}

struct fields *ex_request_fields(struct exchange *ex)
{
        return &ex->req.head.fields;
}

struct str ex_param(const struct exchange *ex, struct str name)
{
        return route_param(trip_of(ex)->found, name);
}

const uint8_t *ex_address(const struct exchange *ex)
{
        return trip_of(ex)->origin.address;
}

struct str ex_address_text(struct exchange *ex)
{
        struct origin *origin = &trip_of(ex)->origin;
        if (origin->text.len > 0)
                return origin->text;
        struct text text = text_over(arena_alloc(&ex->arena, ADDR_TEXT_MAX), ADDR_TEXT_MAX);
        addr_put_bytes(&text, origin->address);
        origin->text = text_str(&text);
        return origin->text;
}

bool ex_is_from_trusted(const struct exchange *ex)
{
        return trip_of(ex)->origin.is_trusted;
}

uint64_t ex_body_length(const struct exchange *ex)
{
        return ex->req.body.length;
}

bool ex_set_path(struct exchange *ex, struct str path)
{
        struct trip *trip = trip_of(ex);
        struct str normal;
        if (path.len == 0) /* nothing below the upstream's URL */
                normal = STR_NONE;
        else if (path_normalise(path, &ex->arena, &normal) != TARGET_OK)
                return false;
        trip->heading.path = normal;
        return true;
}

void ex_set_query(struct exchange *ex, struct str query)
{
        trip_of(ex)->heading.query = query;
}

bool ex_says(struct str name)
{
        static const enum name said[] = {NAME_forwarded, NAME_x_forwarded_for, NAME_via,
                                         NAME_traceparent, NAME_x_request_id};
        enum name id = name_find(name);
        for (size_t i = 0; i < countof(said); i++) {
                if (id == said[i])
                        return true;
        }
        return false;
}

bool ex_adds(struct str name)
{
        enum name id = name_find(name);
        return ex_says(name) || id == NAME_x_forwarded_proto || id == NAME_x_forwarded_host ||
               id == NAME_x_forwarded_prefix;
}

uint16_t ex_status(const struct exchange *ex)
{
        return ex->res.head.status;
}

struct fields *ex_response_fields(struct exchange *ex)
{
        return &ex->res.head.fields;
}

bool ex_is_own(const struct exchange *ex)
{
        return trip_of(ex)->is_own;
}

enum reason ex_reason(const struct exchange *ex)
{
        return ex->reason != REASON_none ? ex->reason : trip_of(ex)->outcome;
}

struct caller *ex_caller(struct exchange *ex)
{
        return &trip_of(ex)->caller;
}

struct str ex_channel(const struct exchange *ex)
{
        return trip_of(ex)->route->channel->name;
}

struct str ex_api(const struct exchange *ex)
{
        return trip_of(ex)->route->api->name;
}

struct str ex_route(const struct exchange *ex)
{
        return trip_of(ex)->route->name;
}

struct str ex_request_id(const struct exchange *ex)
{
        return trip_of(ex)->ids.request;
}

enum key_answer ex_find_key(struct exchange *ex, struct str key)
{
        struct caller *caller = &trip_of(ex)->caller;
        struct arena *arena = &ex->arena;
        struct credential credential;
        int64_t now_s = (int64_t)(ex_wall(ex) / 1000000000u);
        switch (roster_find(worker_of(ex)->gate->roster, key, now_s, &credential)) {
        case ROSTER_UNKNOWN:
                return KEY_UNKNOWN;
        case ROSTER_EXPIRED:
                return KEY_EXPIRED;
        case ROSTER_BLOCKED:
                return KEY_BLOCKED;
        case ROSTER_KNOWN:
                break;
        }
        /* What is found is valid until the turn ends: the exchange keeps copies. */
        caller->is_known = true;
        caller->consumer = arena_str(arena, credential.consumer->name);
        caller->tier = arena_str(arena, credential.consumer->tier);
        caller->channel = arena_str(arena, credential.consumer->channel);
        caller->credential = arena_str(arena, credential.id);
        caller->display = arena_str(arena, credential.display);
        return KEY_KNOWN;
}

struct hash128 limit_cell(const struct limit_keys *keys, const struct who *who)
{
        struct hash_key key = who->is_proved ? keys->known : keys->strangers;
        key.k0 ^= (uint64_t)who->kind;
        return hash_siphash24_128(&key, who->text.ptr, who->text.len);
}

struct hash128 ex_cell(struct exchange *ex, const struct limit_keys *keys, const struct who *who)
{
        struct hearing *hearing = trip_of(ex)->hearing;
        struct hash128 cell = limit_cell(keys, who);
        if (hearing != NULL && hearing->count != NULL)
                hearing->count(hearing, keys, who, cell);
        return cell;
}

const struct bucket_table *ex_buckets(const struct exchange *ex, bool is_proved)
{
        const struct gate *gate = worker_of(ex)->gate;
        return is_proved ? &gate->known : &gate->strangers;
}

uint64_t ex_now(const struct exchange *ex)
{
        return loop_now(ex->http->loop);
}

uint64_t ex_wall(const struct exchange *ex)
{
        return loop_wall(ex->http->loop);
}

struct arena *ex_arena(struct exchange *ex)
{
        return &ex->arena;
}

struct str ex_text(struct exchange *ex, const char *format, ...)
{
        va_list args;
        va_start(args, format);
        struct str text = arena_vformat(&ex->arena, format, args);
        va_end(args);
        return text;
}

/* The value of one ${name}; STR_NONE when there is no such thing. */
static struct str fill_one(struct exchange *ex, struct str name)
{
        const struct trip *trip = trip_of(ex);
        if (str_is(name, "channel"))
                return ex_channel(ex);
        if (str_is(name, "api"))
                return ex_api(ex);
        if (str_is(name, "consumer"))
                return trip->caller.consumer;
        if (str_is(name, "request_id"))
                return trip->ids.request;
        if (str_is(name, "host"))
                return trip->origin.host;
        if (str_is(name, "path"))
                return ex_path(ex);
        if (str_is(name, "scheme"))
                return trip->origin.scheme;
        if (str_is(name, "ip"))
                return ex_address_text(ex);
        if (str_starts(name, S("param.")) && trip->found != NULL)
                return ex_param(ex, str_skip(name, 6));
        return STR_NONE;
}

bool ex_can_fill(struct str name)
{
        static const char *const names[] = {"channel", "api",  "consumer", "request_id",
                                            "host",    "path", "scheme",   "ip"};
        for (size_t i = 0; i < countof(names); i++) {
                if (str_is(name, names[i]))
                        return true;
        }
        return str_starts(name, S("param.")) && name.len > 6;
}

/* A value in a query: what would end it there or begin another one is escaped. */
static void put_query_value(struct text *text, struct str value)
{
        for (size_t i = 0; i < value.len; i++) {
                if (str_find(S("&+=;#"), value.ptr[i]) < 0)
                        text_char(text, value.ptr[i]);
                else
                        text_format(text, "%%%02X", (unsigned)(uint8_t)value.ptr[i]);
        }
}

struct filling {
        struct str open; /* what stands between it and '}' is filled in */
        struct str (*one)(struct exchange *, struct str name);
        enum reason too_long;
        bool is_target, is_query; /* the text is one, or begins as one */
};

/* What nobody knows becomes nothing. What becomes too long ends the exchange: a part of it would be
 * another text. */
static struct str fill(struct exchange *ex, struct str template, const struct filling *filling)
{
        struct text text = text_grow(&ex->arena, FILL_MAX);
        struct str open = filling->open;
        bool is_query = filling->is_query;
        if (str_find_str(template, open) < 0)
                return template;
        while (template.len > 0) {
                ptrdiff_t at = str_find_str(template, open);
                struct str rest = at < 0 ? STR_NONE : str_skip(template, (size_t)at + open.len);
                ptrdiff_t end = at < 0 ? -1 : str_find(rest, '}');
                if (end < 0) {
                        text_put(&text, template);
                        break;
                }
                struct str literal = str_first(template, (size_t)at);
                struct str name = str_first(rest, (size_t)end);
                is_query |= filling->is_target && str_find(literal, '?') >= 0;
                text_put(&text, literal);
                struct str value = filling->one(ex, name);
                bool is_whole = filling->is_target && str_is(name, "query");
                if (is_query && !is_whole)
                        put_query_value(&text, value);
                else
                        text_put(&text, value);
                is_query |= is_whole && value.len > 0;
                template = str_skip(rest, (size_t)end + 1);
        }
        if (text.is_cut)
                exchange_fault(ex, filling->too_long);
        return text_str(&text);
}

struct str ex_fill(struct exchange *ex, struct str template)
{
        const struct filling filling = {S("${"), fill_one, REASON_header_too_large, false, false};
        return fill(ex, template, &filling);
}

static struct str fill_target(struct exchange *ex, struct str name)
{
        struct str query = ex_query(ex);
        if (str_is(name, "path"))
                return ex_path(ex);
        if (str_is(name, "query"))
                return query.ptr == NULL ? STR_NONE : ex_text(ex, "?" STR_FMT, STR_ARG(query));
        if (str_is(name, "host"))
                return trip_of(ex)->origin.host;
        if (str_is(name, "scheme"))
                return trip_of(ex)->origin.scheme;
        return ex_param(ex, name);
}

static struct str fill_below(struct exchange *ex, struct str name)
{
        return str_is(name, "path") ? trip_of(ex)->heading.path : fill_target(ex, name);
}

struct str ex_fill_target(struct exchange *ex, struct str template, enum fill_as as)
{
        const struct filling filling = {S("{"), as == FILL_URL ? fill_target : fill_below,
                                        REASON_target_too_long, true, as == FILL_QUERY};
        return fill(ex, template, &filling);
}

static bool is_param_name(struct str name)
{
        for (size_t i = 0; i < name.len; i++) {
                char c = char_lower(name.ptr[i]);
                if (!(c >= 'a' && c <= 'z') && !char_is_digit(c) && c != '_' && c != '-')
                        return false;
        }
        return name.len > 0;
}

bool ex_can_fill_target(struct str template, enum fill_as as)
{
        struct str rest = template;
        while (rest.len > 0) {
                ptrdiff_t at = str_find(rest, '{');
                struct str plain = at < 0 ? rest : str_first(rest, (size_t)at);
                if (target_run(plain) != plain.len || str_find(plain, '}') >= 0 ||
                    (as != FILL_URL && str_find(plain, '#') >= 0) ||
                    (as == FILL_PATH && str_find(plain, '?') >= 0))
                        return false;
                if (at < 0)
                        return true;
                rest = str_skip(rest, (size_t)at + 1);
                struct str name = str_cut(&rest, '}');
                if (rest.ptr == NULL || !is_param_name(name) ||
                    (as == FILL_PATH && str_is(name, "query")))
                        return false;
        }
        return true;
}

enum verdict ex_deny(struct exchange *ex, enum reason reason, const char *format, ...)
{
        struct trip *trip = trip_of(ex);
        va_list args;
        va_start(args, format);
        trip->words.detail = format[0] == '\0' ? STR_NONE : arena_vformat(&ex->arena, format, args);
        va_end(args);
        answer_problem(ex, trip, reason);
        return VERDICT_REPLY;
}

void ex_answer_field(struct exchange *ex, enum name name, struct str value)
{
        fields_add_known(&trip_of(ex)->answer_fields, name, value);
}

enum verdict ex_answer(struct exchange *ex, uint16_t status, struct str type, struct str body)
{
        struct trip *trip = trip_of(ex);
        answer_begin(ex, trip, status);
        if (type.len > 0 && body.len > 0)
                fields_add_known(&ex->res.head.fields, NAME_content_type, type);
        body_fill(&ex->res.body, body);
        trip->outcome = REASON_done;
        return VERDICT_REPLY;
}

void ex_outcome(struct exchange *ex, enum reason reason)
{
        trip_of(ex)->outcome = reason;
}

void ex_remark(struct exchange *ex, struct str text)
{
        trip_of(ex)->words.remark = text;
}

void ex_fault(struct exchange *ex, enum reason reason)
{
        exchange_fault(ex, reason);
}

void ex_sleep(struct exchange *ex, uint64_t ns)
{
        struct clocks *clocks = trip_clocks(ex, trip_of(ex));
        timer_set(ex->http->loop, &clocks->sleep, ex_now(ex) + ns);
}

void ex_note(struct exchange *ex, const char *format, ...)
{
        struct trip *trip = trip_of(ex);
        va_list args;
        if (trip->hearing == NULL)
                return;
        va_start(args, format);
        trip->hearing->note(trip->hearing, trip->walk.turn,
                            arena_vformat(&ex->arena, format, args));
        va_end(args);
}
