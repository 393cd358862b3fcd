/* cors.c -- which web pages may call from a browser (Fetch standard). Origins are compared exactly;
 * nothing is reflected. It is no authentication: the request is authenticated like any other. */
#include "gate/policy.h"
#include "policy/list.h"

struct conf {
        struct texts origins, methods, headers, expose;
        bool credentials;
        int64_t max_age;
        bool allows_all;
        struct str methods_text, headers_text, expose_text, age_text;
};

struct state {
        struct str origin; /* allowed; empty: no CORS request, or not allowed */
};

static struct str join(struct arena *arena, const struct texts *texts)
{
        struct text text = text_grow(arena, 16384);
        for (size_t i = 0; i < texts->count; i++) {
                if (i > 0)
                        text_put(&text, S(", "));
                text_put(&text, texts->at[i]);
        }
        return text_str(&text);
}

/* scheme://host[:port], as browsers send it. */
static bool is_origin(struct str s)
{
        ptrdiff_t at = str_find_str(s, S("://"));
        struct str rest = at < 0 ? STR_NONE : str_skip(s, (size_t)at + 3);
        if (at <= 0 || rest.len == 0 || str_find(rest, '/') >= 0 || str_find(rest, '*') >= 0)
                return false;
        return value_is_safe(s) && str_find(s, ' ') < 0 && str_find(s, ',') < 0;
}

static void prepare(const struct prepare *prepare, void *c)
{
        struct conf *conf = c;
        for (size_t i = 0; i < conf->origins.count; i++) {
                struct str origin = conf->origins.at[i];
                if (str_is(origin, "*"))
                        conf->allows_all = true;
                else if (!is_origin(origin))
                        fault_add(prepare->faults, FAULT_E211, conf->origins.nodes[i],
                                  "`" STR_FMT "` is no origin", STR_ARG(origin))
                                ->help = S(
                                "write scheme, host and perhaps port: https://app.example.com");
        }
        if (conf->allows_all && conf->credentials)
                fault_add(
                        prepare->faults, FAULT_E211, prepare->node,
                        "any origin with credentials would let every web page act for its visitor")
                        ->help = S("name the origins, or leave out `credentials`");
        for (size_t i = 0; i < conf->methods.count; i++) {
                if (!name_is_token(conf->methods.at[i]))
                        fault_add(prepare->faults, FAULT_E211, conf->methods.nodes[i],
                                  "`" STR_FMT "` is no method", STR_ARG(conf->methods.at[i]));
        }
        conf->methods_text = join(prepare->arena, &conf->methods);
        conf->headers_text = join(prepare->arena, &conf->headers);
        conf->expose_text = join(prepare->arena, &conf->expose);
        struct text age = text_grow(prepare->arena, 32);
        text_i64(&age, conf->max_age / SECOND);
        conf->age_text = text_str(&age);
}

static bool is_allowed(const struct conf *conf, struct str origin)
{
        if (conf->allows_all)
                return true;
        for (size_t i = 0; i < conf->origins.count; i++) {
                if (str_eq(conf->origins.at[i], origin))
                        return true;
        }
        return false;
}

static enum verdict answer_preflight(struct exchange *ex, const struct conf *conf)
{
        const struct fields *fields = ex_request_fields(ex);
        struct str wanted = fields_value(fields, NAME_access_control_request_headers);
        ex_answer_field(ex, NAME_access_control_allow_methods, conf->methods_text);
        /* Where no headers are listed, what was asked for is allowed: it is checked like any
         * request. */
        if (conf->headers.count > 0)
                ex_answer_field(ex, NAME_access_control_allow_headers, conf->headers_text);
        else if (wanted.len > 0 && wanted.len < 1024)
                ex_answer_field(ex, NAME_access_control_allow_headers, wanted);
        ex_answer_field(ex, NAME_access_control_max_age, conf->age_text);
        return ex_answer(ex, 204, STR_NONE, STR_NONE);
}

static enum verdict on_request(struct exchange *ex, const void *c, void *s)
{
        const struct conf *conf = c;
        struct state *state = s;
        const struct fields *fields = ex_request_fields(ex);
        struct str origin = fields_value(fields, NAME_origin);
        bool is_preflight = str_is(ex_method(ex), "OPTIONS") &&
                            fields_get(fields, NAME_access_control_request_method) != NULL;
        if (origin.ptr != NULL && is_allowed(conf, origin))
                state->origin = origin;
        if (origin.ptr != NULL)
                ex_note(ex, "origin " STR_FMT " is %s", STR_ARG(origin),
                        state->origin.len > 0 ? "allowed" : "not allowed");
        if (origin.ptr == NULL || !is_preflight)
                return VERDICT_PASS;
        return answer_preflight(ex, conf);
}

static void on_response(struct exchange *ex, const void *c, void *s)
{
        const struct conf *conf = c;
        const struct state *state = s;
        struct fields *fields = ex_response_fields(ex);
        fields_remove_known(fields, NAME_access_control_allow_origin);
        fields_remove_known(fields, NAME_access_control_allow_credentials);
        if (!conf->allows_all && !fields_has_member(fields, NAME_vary, S("Origin")))
                fields_add_known(fields, NAME_vary, S("Origin"));
        if (state->origin.len == 0)
                return;
        fields_add_known(fields, NAME_access_control_allow_origin,
                         conf->allows_all ? S("*") : state->origin);
        if (conf->credentials)
                fields_add_known(fields, NAME_access_control_allow_credentials, S("true"));
        if (conf->expose.count > 0)
                fields_set_known(fields, NAME_access_control_expose_headers, conf->expose_text);
}

static const struct setting settings[] = {
        {TEXTS(origins), .required = true, .most = 1000, .example = "https://app.example.com",
         .text = "Origins whose pages may call, compared exactly; `*` for any."},
        {TEXTS(methods), .most = 32, .preset_text = "[GET, HEAD, POST, PUT, PATCH, DELETE]",
         .text = "Methods a page may use."},
        {TEXTS(headers), .most = 100,
         .text = "Header fields a page may send; where none are named, those it asks for."},
        {TEXTS(expose), .most = 100, .text = "Response header fields a page may read."},
        {FLAG(credentials), .text = "Whether cookies and credentials may be sent along."},
        {DURATION(max_age), .least = 0, .most = DAY, .preset = 10 * MINUTE,
         .text = "How long a browser may remember the answer."},
        {0}};

const struct shape shape_cors = {
        .name = "cors",
        .text = "Which web pages may call from a browser.",
        .settings = settings,
        .size = sizeof(struct conf),
        .shorthand = "origins",
};

const struct policy policy_cors = {
        .shape = &shape_cors,
        .stage = STAGE_IDENTIFY,
        .state_size = sizeof(struct state),
        .answers_preflight = true,
        .prepare = prepare,
        .on_request = on_request,
        .on_response = on_response,
        .examples =
                (const struct example[]){
                        {"A page of a named origin may read the answer",
                         "cors: https://app.example.com",
                         "GET / HTTP/1.1\nOrigin: https://app.example.com", .status = 200,
                         .has = "Access-Control-Allow-Origin: https://app.example.com"},
                        {"Another origin gets no permission", "cors: https://app.example.com",
                         "GET / HTTP/1.1\nOrigin: https://app.example.com.evil.test", .status = 200,
                         .lacks = "Access-Control-Allow-Origin"},
                        {"A preflight is answered by the gateway", "cors: https://app.example.com",
                         "OPTIONS / HTTP/1.1\nOrigin: https://app.example.com\n"
                         "Access-Control-Request-Method: PUT",
                         .status = 204, .has = "Access-Control-Max-Age: 600"},
                        {0}},
};
