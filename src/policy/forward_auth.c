/* forward_auth.c -- asks somebody else whether a request may pass. The service gets a GET that
 * describes the request, never its body or framing; 2xx lets it pass, 401, 403 and redirects are
 * the caller's answer, anything else means that nobody can tell: refused, unless `open` says
 * otherwise. Whatever comes of it, what only the service may say is never the caller's word. */
#include "gate/policy.h"
#include "policy/list.h"

enum { BODY_MAX = 64 * 1024 };

struct conf {
        struct url url;
        struct str api, path;
        int64_t timeout;
        struct texts request_headers, response_headers;
        bool open;
        const struct route *asked;
};

struct state {
        struct answer *answer;
};

static void check_names(const struct prepare *prepare, const struct texts *names, bool is_said)
{
        for (size_t i = 0; i < names->count; i++) {
                enum name id = name_find(names->at[i]);
                bool is_framing = (name_flags(id) & (NAME_FRAMING | NAME_HOP)) != 0;
                if (is_framing || id == NAME_host || ex_says(names->at[i]) ||
                    (is_said && (name_flags(id) & NAME_ORIGIN) != 0))
                        fault_add(prepare->faults, FAULT_E211, names->nodes[i],
                                  "`" STR_FMT "` belongs to the gateway and cannot be copied",
                                  STR_ARG(names->at[i]));
        }
}

static void prepare(const struct prepare *prepare, void *c)
{
        struct conf *conf = c;
        bool has_url = conf->url.host.len > 0;
        struct str path = conf->path;
        if (path.len > 0 && (path.ptr[0] != '/' || !ex_can_fill_target(path, FILL_PATH) ||
                             str_find(path, '{') >= 0))
                fault_add(prepare->faults, FAULT_E211, written(prepare->node, "path", NULL),
                          "`" STR_FMT "` is no path", STR_ARG(path));
        if (has_url == (conf->api.len > 0))
                fault_add(prepare->faults, FAULT_E206, prepare->node,
                          "`url` or `api`: one of them says whom to ask");
        else if (has_url)
                conf->asked = prepare_asked(prepare, &conf->url, conf->timeout);
        else
                prepare_api(prepare, conf->api, &conf->path);
        check_names(prepare, &conf->request_headers, true);
        check_names(prepare, &conf->response_headers, false);
}

/* All lines of these fields. */
static void copy(struct fields *to, const struct fields *from, const struct texts *names)
{
        for (size_t i = 0; i < names->count; i++) {
                fields_each (field, from) {
                        if (name_eq(field->name, names->at[i]))
                                fields_add(to, field->name, field->value);
                }
        }
}

static struct answer *question(struct exchange *ex, const struct conf *conf)
{
        struct str query = ex_query(ex);
        struct ask ask = {
                .method = S("GET"),
                .asked = conf->asked,
                .path = conf->path,
                .timeout_ns = conf->timeout,
                .body_max = BODY_MAX,
        };
        fields_init(&ask.fields, ex_arena(ex), 16);
        copy(&ask.fields, ex_request_fields(ex), &conf->request_headers);
        fields_add_known(&ask.fields, NAME_x_forwarded_method, ex_method(ex));
        fields_add_known(&ask.fields, NAME_x_forwarded_proto, ex_scheme(ex));
        fields_add_known(&ask.fields, NAME_x_forwarded_host, ex_host(ex));
        fields_add_known(&ask.fields, NAME_x_forwarded_for, ex_address_text(ex));
        fields_add_known(&ask.fields, NAME_x_forwarded_uri,
                         query.ptr == NULL ? ex_path(ex)
                                           : ex_text(ex, STR_FMT "?" STR_FMT, STR_ARG(ex_path(ex)),
                                                     STR_ARG(query)));
        return ex_ask(ex, &ask);
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
        /* A decision about one caller is nobody else's. */
        if (fields_get(&answer->fields, NAME_cache_control) == NULL)
                ex_answer_field(ex, NAME_cache_control, S("no-store"));
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
        for (size_t i = 0; i < conf->response_headers.count; i++)
                fields_remove(ex_request_fields(ex), conf->response_headers.at[i]);
        if (answer->status >= 200 && answer->status < 300) {
                copy(ex_request_fields(ex), &answer->fields, &conf->response_headers);
                return VERDICT_PASS;
        }
        bool is_redirect = answer->status >= 300 && answer->status < 400 && answer->status != 304;
        if (answer->status == 401 || answer->status == 403 || is_redirect)
                return relay(ex, answer);
        if (!conf->open)
                return ex_deny(ex, REASON_dependency_down, "%s", "");
        ex_remark(ex, S("forward_auth could not tell, and is open"));
        return VERDICT_PASS;
}

static const struct setting settings[] = {
        {URL(url), .example = "http://decide.internal:8080/check", .text = "Whom to ask."},
        {TEXT(api), .most = 64,
         .text = "Instead of `url`: an API of this gate, asked through its whole chain."},
        {TEXT(path), .most = 2000, .text = "Path below the API, or below the URL."},
        {DURATION(timeout), .least = 10 * MILLISECOND, .most = MINUTE, .preset = 5 * SECOND,
         .text = "How long to wait for the decision."},
        {TEXTS(request_headers), .format = FORMAT_token, .most = 32,
         .preset_text = "[Authorization, Cookie]",
         .text = "Header fields of the request that are shown to it."},
        {TEXTS(response_headers), .format = FORMAT_token, .most = 32,
         .example = "[X-User, X-Groups]",
         .text = "Header fields of its answer that are sent on; the caller's own are removed."},
        {FLAG(open), .text = "Let requests pass when it cannot be asked. Think twice."},
        {0}};

const struct shape shape_forward_auth = {
        .name = "forward_auth",
        .text = "Ask another service whether a request may pass. It gets a GET without body and, "
                "besides the fields that are named, X-Forwarded-Method, -Proto, -Host, -Uri and "
                "-For.",
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
                        {"Who is let in, passes", "forward_auth: http://10.0.1.1/check",
                         "GET /orders HTTP/1.1", .status = 200, .has = "X-Got-Target: /orders"},
                        {"What it says of the caller is sent on, in place of the caller's word",
                         "forward_auth: { url: \"http://10.0.1.1/check\", "
                         "response_headers: [X-Got-Target] }",
                         "GET /orders HTTP/1.1\nX-Got-Target: mine", .status = 200,
                         .has = "X-Got-X-Got-Target: /check"},
                        {"Where nobody answers, nobody passes",
                         "forward_auth: { url: \"http://127.0.0.1:1/check\", timeout: 100ms }",
                         "GET / HTTP/1.1", .status = 503},
                        {0}},
};
