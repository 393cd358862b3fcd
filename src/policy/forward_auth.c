/* forward_auth.c -- asks somebody else whether a request may pass. The service gets a GET that
 * describes the request, never its body or framing; 2xx lets it pass, 401, 403 and redirects are
 * the caller's answer, anything else means that nobody can tell: refused, unless `open` says
 * otherwise. */
#include "gate/policy.h"
#include "policy/list.h"

enum { BODY_MAX = 64 * 1024 };

struct conf {
        struct url url;
        struct str api, path;
        int64_t timeout;
        struct texts request_headers, response_headers;
        bool open;
        const struct route *outlet;
};

struct state {
        struct answer *answer;
};

static void prepare(const struct prepare *prepare, void *c)
{
        struct conf *conf = c;
        bool has_url = conf->url.host.len > 0;
        if (has_url == (conf->api.len > 0))
                fault_add(prepare->faults, FAULT_E206, prepare->node,
                          "`url` or `api`: one of them says whom to ask");
        else if (has_url)
                conf->outlet = prepare_outlet(prepare, &conf->url, conf->timeout);
        else
                prepare_api(prepare, conf->api, &conf->path);
        for (size_t i = 0; i < conf->response_headers.count; i++) {
                struct str name = conf->response_headers.at[i];
                if (name_flags(name_find(name)) & (NAME_FRAMING | NAME_HOP))
                        fault_add(prepare->faults, FAULT_E211, conf->response_headers.nodes[i],
                                  "`" STR_FMT "` belongs to the gateway and cannot be copied",
                                  STR_ARG(name));
        }
}

static struct answer *question(struct exchange *ex, const struct conf *conf)
{
        const struct fields *from = ex_request_fields(ex);
        struct str query = ex_query(ex);
        struct ask ask = {
                .method = S("GET"),
                .outlet = conf->outlet,
                .path = conf->path.len > 0 ? conf->path : S("/"),
                .timeout_ns = conf->timeout,
                .body_max = BODY_MAX,
        };
        fields_init(&ask.fields, ex_arena(ex), 16);
        for (size_t i = 0; i < conf->request_headers.count; i++) {
                const struct field *field = fields_find(from, conf->request_headers.at[i]);
                if (field != NULL)
                        fields_add(&ask.fields, field->name, field->value);
        }
        fields_add(&ask.fields, S("X-Forwarded-Method"), ex_method(ex));
        fields_add(&ask.fields, S("X-Forwarded-Proto"), ex_scheme(ex));
        fields_add(&ask.fields, S("X-Forwarded-Host"), ex_host(ex));
        fields_add(&ask.fields, S("X-Forwarded-For"), ex_address_text(ex));
        fields_add(&ask.fields, S("X-Forwarded-Uri"),
                   query.ptr == NULL ? ex_path(ex)
                                     : ex_text(ex, STR_FMT "?" STR_FMT, STR_ARG(ex_path(ex)),
                                               STR_ARG(query)));
        return ex_ask(ex, &ask);
}

/* The client's own fields of those names go first: only the service may say them. */
static void copy_fields(struct exchange *ex, const struct conf *conf, const struct answer *answer)
{
        struct fields *to = ex_request_fields(ex);
        for (size_t i = 0; i < conf->response_headers.count; i++) {
                fields_remove(to, conf->response_headers.at[i]);
                const struct field *field = fields_find(&answer->fields,
                                                        conf->response_headers.at[i]);
                if (field != NULL && value_is_safe(field->value))
                        fields_add(to, field->name, field->value);
        }
}

static enum verdict relay(struct exchange *ex, const struct answer *answer)
{
        static const enum name passed[] = {NAME_www_authenticate, NAME_location, NAME_set_cookie,
                                           NAME_cache_control, NAME_retry_after};
        fields_each (field, &answer->fields) {
                for (size_t i = 0; i < countof(passed); i++) {
                        if (field->id == passed[i])
                                ex_answer_field(ex, field->id, field->value);
                }
        }
        ex_answer(ex, answer->status, fields_value(&answer->fields, NAME_content_type),
                  answer->body);
        ex_outcome(ex, answer->status == 401   ? REASON_credentials_invalid
                       : answer->status == 403 ? REASON_not_allowed
                                               : REASON_done);
        return VERDICT_REPLY;
}

static enum verdict on_request(struct exchange *ex, const void *c, void *s)
{
        const struct conf *conf = c;
        struct state *state = s;
        if (state->answer == NULL)
                state->answer = question(ex, conf);
        const struct answer *answer = state->answer;
        if (answer->status == 0 && answer->failure == REASON_none)
                return VERDICT_WAIT;
        ex_note(ex, "answered %d", answer->status);
        if (answer->status >= 200 && answer->status < 300) {
                copy_fields(ex, conf, answer);
                return VERDICT_PASS;
        }
        bool is_redirect = answer->status >= 300 && answer->status < 400 && answer->status != 304;
        if (answer->status == 401 || answer->status == 403 || is_redirect)
                return relay(ex, answer);
        if (conf->open)
                return VERDICT_PASS;
        return ex_deny(ex, REASON_dependency_down, "%s", "");
}

static const struct setting settings[] = {
        {URL(url), .example = "http://decide.internal:8080/check", .text = "Whom to ask."},
        {TEXT(api), .most = 64,
         .text = "Instead of `url`: an API of this gate, asked through its whole chain."},
        {TEXT(path), .most = 2000, .text = "Path below the API, or below the URL."},
        {DURATION(timeout), .least = 10 * MILLISECOND, .most = MINUTE, .preset = 5 * SECOND,
         .text = "How long to wait for the decision."},
        {TEXTS(request_headers), .most = 32, .preset_text = "[Authorization, Cookie]",
         .text = "Header fields of the request that are shown to it."},
        {TEXTS(response_headers), .most = 32,
         .text = "Header fields of its answer that are sent on; the caller's own are removed."},
        {FLAG(open), .text = "Let requests pass when it cannot be asked. Think twice."},
        {0}};

const struct shape shape_forward_auth = {
        .name = "forward_auth",
        .text = "Ask another service whether a request may pass.",
        .settings = settings,
        .size = sizeof(struct conf),
        .shorthand = "url",
};

const struct policy policy_forward_auth = {
        .shape = &shape_forward_auth,
        .stage = STAGE_ADMIT,
        .state_size = sizeof(struct state),
        .prepare = prepare,
        .on_request = on_request,
        .examples =
                (const struct example[]){
                        {"Where nobody answers, nobody passes",
                         "forward_auth: { url: \"http://127.0.0.1:1/check\", timeout: 100ms }",
                         "GET / HTTP/1.1", .status = 503},
                        {0}},
};
