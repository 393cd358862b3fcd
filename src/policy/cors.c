/* cors.c -- which web pages may call from a browser (Fetch standard). Origins are compared exactly;
 * nothing is reflected. It is no authentication: the request is authenticated like any other. An
 * answer that refuses is read by pages, too, so the fields are on every answer of the route. */
#include "gate/policy.h"
#include "policy/list.h"

enum { LIST_MAX = 16 * 1024 };

struct conf {
        struct texts origins, methods, headers, expose;
        bool credentials;
        int64_t max_age;
        bool allows_all;
        bool names_headers; /* those that are listed, perhaps none; else what is asked for */
        bool has_methods, has_expose, has_credentials, has_max_age; /* written */
        struct str methods_text, headers_text, expose_text, age_text;
};

struct state {
        bool is_seen;
        struct str origin; /* allowed; empty: no CORS request, or not allowed */
};

/* ---- the conf ---- */

static struct str join(struct arena *arena, const struct texts *texts)
{
        struct text text = text_grow(arena, LIST_MAX);
        for (size_t i = 0; i < texts->count; i++) {
                if (i > 0)
                        text_put(&text, S(", "));
                text_put(&text, texts->at[i]);
        }
        return text_str(&text);
}

static void finish(struct arena *arena, struct conf *conf)
{
        struct text age = text_grow(arena, 32);
        conf->methods_text = join(arena, &conf->methods);
        conf->headers_text = join(arena, &conf->headers);
        conf->expose_text = join(arena, &conf->expose);
        text_i64(&age, conf->max_age / SECOND);
        conf->age_text = text_str(&age);
}

/* What is no origin as browsers send it, scheme://host[:port]; NULL: it is one. */
static const char *wrong_with(struct str s)
{
        ptrdiff_t at = str_find_str(s, S("://"));
        struct str host = at < 0 ? STR_NONE : str_skip(s, (size_t)at + 3);
        bool is_plain = at > 0 && host.len > 0;
        for (size_t i = 0; i < s.len; i++) {
                if (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z')
                        return "browsers send origins in lower case";
                is_plain = is_plain && s.ptr[i] > 0x20 && s.ptr[i] < 0x7f;
        }
        if (str_find(host, '*') >= 0)
                return "origins are compared exactly: name each, or write `*` alone for any";
        if (str_find(host, '/') >= 0)
                return "an origin has no path, not even `/`";
        if ((str_starts(s, S("https:")) && str_ends(s, S(":443"))) ||
            (str_starts(s, S("http:")) && str_ends(s, S(":80"))))
                return "browsers leave out the port that is the scheme's own";
        if (!is_plain || str_find(host, ',') >= 0)
                return "write scheme, host and perhaps port: https://app.example.com";
        return NULL;
}

static void check_origins(const struct prepare *prepare, struct conf *conf)
{
        for (size_t i = 0; i < conf->origins.count; i++) {
                struct str origin = conf->origins.at[i];
                bool is_all = str_is(origin, "*");
                const char *wrong = is_all ? NULL : wrong_with(origin);
                conf->allows_all |= is_all;
                if (wrong != NULL)
                        fault_add(prepare->faults, FAULT_E211, conf->origins.nodes[i],
                                  "no page has the origin `" STR_FMT "`", STR_ARG(origin))
                                ->help = str_of(wrong);
        }
        if (conf->allows_all && conf->credentials)
                fault_add(
                        prepare->faults, FAULT_E211, prepare->node,
                        "any origin with credentials would let every web page act for its visitor")
                        ->help = S("name the origins, or leave out `credentials`");
}

/* With credentials, a browser takes `*` for a name. */
static void check_stars(const struct prepare *prepare, const struct conf *conf)
{
        const struct texts *lists[] = {&conf->methods, &conf->headers, &conf->expose};
        for (size_t l = 0; l < countof(lists) && conf->credentials; l++) {
                for (size_t i = 0; i < lists[l]->count; i++) {
                        if (str_is(lists[l]->at[i], "*"))
                                fault_add(prepare->faults, FAULT_E211, lists[l]->nodes[i],
                                          "`*` means nothing to a browser where credentials are "
                                          "sent")
                                        ->help = S("name what is meant");
                }
        }
}

static bool is_written(const struct prepare *prepare, const char *member)
{
        return written(prepare->node, member, "origins") != NULL;
}

static void prepare(const struct prepare *prepare, void *c)
{
        struct conf *conf = c;
        conf->names_headers = is_written(prepare, "headers");
        conf->has_methods = is_written(prepare, "methods");
        conf->has_expose = is_written(prepare, "expose");
        conf->has_credentials = is_written(prepare, "credentials");
        conf->has_max_age = is_written(prepare, "max_age");
        check_origins(prepare, conf);
        check_stars(prepare, conf);
        finish(prepare->arena, conf);
}

/* ---- a floor ---- */

static bool has_text(const struct texts *texts, struct str text, bool is_header)
{
        for (size_t i = 0; i < texts->count; i++) {
                if (is_header ? str_eq_nocase(texts->at[i], text) : str_eq(texts->at[i], text))
                        return true;
        }
        return false;
}

static struct texts both(struct arena *arena, const struct texts *a, const struct texts *b,
                         bool is_header)
{
        struct str *at = arena_array(arena, struct str, a->count + 1);
        const struct json **nodes = arena_array(arena, const struct json *, a->count + 1);
        size_t count = 0;
        for (size_t i = 0; i < a->count; i++) {
                if (!has_text(b, a->at[i], is_header))
                        continue;
                at[count] = a->at[i];
                nodes[count++] = a->nodes[i];
        }
        return (struct texts){at, nodes, count};
}

/* What is not written in a floor does not bound. */
static const void *merge(const struct prepare *prepare, const void *f, const void *c)
{
        const struct conf *floor = f, *conf = c;
        struct arena *arena = prepare->arena;
        struct conf *merged = arena_new(arena, struct conf);
        *merged = *conf;
        merged->allows_all = conf->allows_all && floor->allows_all;
        if (conf->allows_all)
                merged->origins = floor->origins;
        else if (!floor->allows_all)
                merged->origins = both(arena, &conf->origins, &floor->origins, false);
        if (floor->has_methods)
                merged->methods = both(arena, &conf->methods, &floor->methods, false);
        if (floor->names_headers && !conf->names_headers)
                merged->headers = floor->headers;
        else if (floor->names_headers)
                merged->headers = both(arena, &conf->headers, &floor->headers, true);
        merged->names_headers = conf->names_headers || floor->names_headers;
        if (floor->has_expose)
                merged->expose = both(arena, &conf->expose, &floor->expose, true);
        if (floor->has_credentials)
                merged->credentials = conf->credentials && floor->credentials;
        if (floor->has_max_age && floor->max_age < conf->max_age)
                merged->max_age = floor->max_age;
        finish(arena, merged);
        return merged;
}

static void weigh_texts(struct weighing *weighing, const struct texts *floor,
                        const struct texts *texts, bool is_header)
{
        for (size_t i = 0; i < texts->count; i++) {
                if (!has_text(floor, texts->at[i], is_header))
                        weigh_idle(weighing, texts->nodes[i]);
        }
}

static void weigh(struct weighing *weighing, const void *f, const void *c)
{
        const struct conf *floor = f, *conf = c;
        const struct json *node = weighing->node;
        if (!floor->allows_all)
                weigh_texts(weighing, &floor->origins, &conf->origins, false);
        if (floor->has_methods && conf->has_methods)
                weigh_texts(weighing, &floor->methods, &conf->methods, false);
        if (floor->names_headers)
                weigh_texts(weighing, &floor->headers, &conf->headers, true);
        if (floor->has_expose)
                weigh_texts(weighing, &floor->expose, &conf->expose, true);
        if (floor->has_credentials && !floor->credentials && conf->credentials)
                weigh_idle(weighing, written(node, "credentials", NULL));
        if (floor->has_max_age && conf->has_max_age && conf->max_age > floor->max_age)
                weigh_idle(weighing, written(node, "max_age", NULL));
}

/* ---- requests ---- */

static void see_origin(struct exchange *ex, const struct conf *conf, struct state *state)
{
        struct str origin = fields_value(ex_request_fields(ex), NAME_origin);
        if (state->is_seen || origin.ptr == NULL)
                return;
        state->is_seen = true;
        if (conf->allows_all || has_text(&conf->origins, origin, false))
                state->origin = origin;
        ex_note(ex, "origin " STR_FMT " is %s", STR_ARG(origin),
                state->origin.len > 0 ? "allowed" : "not allowed");
}

static enum verdict answer_preflight(struct exchange *ex, const struct conf *conf,
                                     const struct state *state)
{
        enum { WANTED_MAX = 1024 };
        struct str wanted = fields_value(ex_request_fields(ex),
                                         NAME_access_control_request_headers);
        if (state->origin.len == 0)
                return ex_answer(ex, 204, STR_NONE, STR_NONE);
        ex_answer_field(ex, NAME_access_control_allow_methods, conf->methods_text);
        /* Where no headers are listed, what was asked for is allowed: it is checked like any
         * request. */
        if (conf->headers_text.len > 0)
                ex_answer_field(ex, NAME_access_control_allow_headers, conf->headers_text);
        else if (!conf->names_headers && wanted.len > 0 && wanted.len <= WANTED_MAX)
                ex_answer_field(ex, NAME_access_control_allow_headers, wanted);
        ex_answer_field(ex, NAME_access_control_max_age, conf->age_text);
        return ex_answer(ex, 204, STR_NONE, STR_NONE);
}

static enum verdict on_request(struct exchange *ex, const void *c, void *s)
{
        const struct conf *conf = c;
        struct state *state = s;
        bool is_preflight = str_is(ex_method(ex), "OPTIONS") &&
                            fields_get(ex_request_fields(ex), NAME_access_control_request_method) !=
                                    NULL;
        see_origin(ex, conf, state);
        /* Of a WebSocket no browser asks before, and what it hears any page may read. */
        if (state->is_seen && state->origin.len == 0 && ex_wants_websocket(ex))
                return ex_deny(ex, REASON_not_allowed,
                               "Pages of this origin may not open a WebSocket.");
        if (!state->is_seen || !is_preflight)
                return VERDICT_PASS;
        return answer_preflight(ex, conf, state);
}

/* The gateway's word replaces the service's. */
static void on_response(struct exchange *ex, const void *c, void *s)
{
        const struct conf *conf = c;
        struct state *state = s;
        struct fields *fields = ex_response_fields(ex);
        see_origin(ex, conf, state);
        fields_remove_known(fields, NAME_access_control_allow_origin);
        fields_remove_known(fields, NAME_access_control_allow_credentials);
        /* The same for everybody, so that a cache may keep it for everybody. */
        if (conf->allows_all)
                fields_add_known(fields, NAME_access_control_allow_origin, S("*"));
        else if (!fields_has_member(fields, NAME_vary, S("Origin")))
                fields_add_known(fields, NAME_vary, S("Origin"));
        if (!conf->allows_all && state->origin.len > 0)
                fields_add_known(fields, NAME_access_control_allow_origin, state->origin);
        if (state->origin.len == 0 && !conf->allows_all)
                return;
        if (conf->credentials)
                fields_add_known(fields, NAME_access_control_allow_credentials, S("true"));
        if (conf->expose_text.len > 0)
                fields_set_known(fields, NAME_access_control_expose_headers, conf->expose_text);
}

static const struct setting settings[] = {
        {TEXTS(origins), .required = true, .least = 1, .most = 1000,
         .example = "https://app.example.com",
         .text = "Origins whose pages may call, compared exactly; `*` for any. Pages of others may "
                 "not open a WebSocket, either."},
        {TEXTS(methods), .format = FORMAT_method, .most = 32,
         .preset_text = "[GET, HEAD, POST, PUT, PATCH, DELETE]", .text = "Methods a page may use."},
        {TEXTS(headers), .format = FORMAT_token, .most = 100,
         .text = "Header fields a page may send; where none are named, those it asks for."},
        {TEXTS(expose), .format = FORMAT_token, .most = 100,
         .text = "Response header fields a page may read."},
        {FLAG(credentials), .text = "Whether cookies and credentials may be sent along."},
        {DURATION(max_age), .least = 0, .most = DAY, .preset = 10 * MINUTE,
         .text = "How long a browser may remember the answer."},
        {0}};

const struct shape shape_cors = {
        .name = "cors",
        .text = "Which web pages may call from a browser. What the service says of it is replaced.",
        .settings = settings,
        .size = sizeof(struct conf),
        .shorthand = "origins",
};

#define PAGE "GET / HTTP/1.1\nOrigin: https://app.example.com"
#define ASKS                                                                                       \
        "OPTIONS / HTTP/1.1\nOrigin: https://app.example.com\nAccess-Control-Request-Method: PUT"

const struct policy policy_cors = {
        .shape = &shape_cors,
        .stage = STAGE_IDENTIFY,
        .state_size = sizeof(struct state),
        .answers_preflight = true,
        .hears_all = true,
        .prepare = prepare,
        .weigh = weigh,
        .merge = merge,
        .on_request = on_request,
        .on_response = on_response,
        .examples =
                (const struct example[]){
                        {"A page of a named origin may read the answer",
                         "cors: https://app.example.com", PAGE, .status = 200,
                         .has = "Access-Control-Allow-Origin: https://app.example.com"},
                        {"Another origin gets no permission", "cors: https://app.example.com",
                         "GET / HTTP/1.1\nOrigin: https://app.example.com.evil.test", .status = 200,
                         .lacks = "Access-Control-Allow-Origin"},
                        {"A preflight is answered by the gateway", "cors: https://app.example.com",
                         ASKS, .status = 204, .has = "Access-Control-Max-Age: 600"},
                        {"A browser may remember it for longer",
                         "cors: { origins: https://app.example.com, max_age: 24h }", ASKS,
                         .status = 204, .has = "Access-Control-Max-Age: 86400"},
                        {"Methods and header fields can be named",
                         "cors: { origins: https://app.example.com, methods: [GET, PUT], "
                         "headers: [X-Trace] }",
                         ASKS, .status = 204, .has = "Access-Control-Allow-Methods: GET, PUT"},
                        {"A page may read further fields of the answer",
                         "cors: { origins: https://app.example.com, expose: [RateLimit, ETag] }",
                         PAGE, .status = 200,
                         .has = "Access-Control-Expose-Headers: RateLimit, ETag"},
                        {"Cookies may be sent along",
                         "cors: { origins: https://app.example.com, credentials: true }", PAGE,
                         .status = 200, .has = "Access-Control-Allow-Credentials: true"},
                        {"A page of another origin opens no WebSocket",
                         "cors: https://app.example.com",
                         "GET / HTTP/1.1\nOrigin: https://evil.test\nConnection: Upgrade\n"
                         "Upgrade: websocket\nSec-WebSocket-Version: 13\n"
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                         .status = 403},
                        {"Any page may read what is public", "cors: \"*\"", PAGE, .status = 200,
                         .has = "Access-Control-Allow-Origin: *"},
                        {"A page may read why it was refused",
                         "cors: https://app.example.com, auth: api_key", PAGE, .status = 401,
                         .has = "Access-Control-Allow-Origin: https://app.example.com"},
                        {0}},
};
