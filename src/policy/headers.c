/* headers.c -- sets, adds and removes header fields on the way in and on the way back. What frames
 * a message (Content-Length, Transfer-Encoding, Connection, …) belongs to the gateway and cannot be
 * named here. */
#include "gate/policy.h"
#include "policy/list.h"

struct changes {
        struct pairs set, add;
        struct texts remove;
};

struct conf {
        struct changes request, response;
};

static void fault_owned(const struct prepare *prepare, const struct json *node, struct str name)
{
        fault_add(prepare->faults, FAULT_E211, node,
                  "`" STR_FMT "` belongs to the gateway and cannot be changed", STR_ARG(name));
}

static bool is_framing(struct str name)
{
        return (name_flags(name_find(name)) & (NAME_FRAMING | NAME_HOP)) != 0 ||
               name_find(name) == NAME_host;
}

static void check_template(const struct prepare *prepare, const struct pair *pair)
{
        struct str rest = pair->value;
        ptrdiff_t at;
        if (!value_is_safe(pair->value))
                fault_add(prepare->faults, FAULT_E211, pair->node,
                          "a header value cannot hold control characters");
        while ((at = str_find_str(rest, S("${"))) >= 0) {
                rest = str_skip(rest, (size_t)at + 2);
                struct str name = str_cut(&rest, '}');
                if (!ex_can_fill(name))
                        fault_add(prepare->faults, FAULT_E211, pair->node,
                                  "nothing is known as ${" STR_FMT "}", STR_ARG(name));
        }
}

/* What is filled in, from elsewhere or for each request, is not written in the file. */
static void check_secret(const struct prepare *prepare, const struct pair *pair)
{
        bool is_secret = (name_flags(name_find(pair->name)) & NAME_SECRET) != 0;
        bool is_filled = (pair->node->flags & JSON_FILLED) != 0 ||
                         str_find_str(pair->value, S("${")) >= 0;
        if (!is_secret || is_filled || pair->value.len == 0)
                return;
        sources_hide(prepare->faults->sources, pair->node);
        struct fault *fault = fault_add(prepare->faults, FAULT_W401, pair->node,
                                        "the value of `" STR_FMT "` is written in the file",
                                        STR_ARG(pair->name));
        fault->help = S("keep it elsewhere: \"${file:/run/secrets/token}\", \"${cred:token}\" or "
                        "\"${env:TOKEN}\"");
}

static void check(const struct prepare *prepare, const struct changes *changes, bool is_request)
{
        const struct pairs *lists[] = {&changes->set, &changes->add};
        for (size_t l = 0; l < countof(lists); l++) {
                for (size_t i = 0; i < lists[l]->count; i++) {
                        const struct pair *pair = &lists[l]->at[i];
                        if (is_framing(pair->name) || (is_request && ex_says(pair->name)))
                                fault_owned(prepare, json_key(pair->node), pair->name);
                        check_template(prepare, pair);
                        check_secret(prepare, pair);
                }
        }
        for (size_t i = 0; i < changes->remove.count; i++) {
                struct str name = changes->remove.at[i];
                if (is_framing(name) || (is_request && ex_adds(name)))
                        fault_owned(prepare, changes->remove.nodes[i], name);
        }
}

static void prepare(const struct prepare *prepare, void *c)
{
        const struct conf *conf = c;
        check(prepare, &conf->request, true);
        check(prepare, &conf->response, false);
}

/* ---- a floor ---- */

static const struct pair *find_pair(const struct pairs *pairs, struct str name)
{
        for (size_t i = 0; i < pairs->count; i++) {
                if (name_eq(pairs->at[i].name, name))
                        return &pairs->at[i];
        }
        return NULL;
}

static bool removes(const struct changes *changes, struct str name)
{
        for (size_t i = 0; i < changes->remove.count; i++) {
                if (name_eq(changes->remove.at[i], name))
                        return true;
        }
        return false;
}

/* What a floor sets or removes afterwards. To say the same is no fault. */
static void weigh_changes(struct weighing *weighing, const struct changes *floor,
                          const struct changes *changes)
{
        for (size_t i = 0; i < changes->set.count; i++) {
                const struct pair *one = &changes->set.at[i];
                const struct pair *other = find_pair(&floor->set, one->name);
                if (other == NULL ? removes(floor, one->name) : !str_eq(other->value, one->value))
                        weigh_idle(weighing, one->node);
        }
        for (size_t i = 0; i < changes->add.count; i++) {
                const struct pair *one = &changes->add.at[i];
                if (find_pair(&floor->set, one->name) != NULL || removes(floor, one->name))
                        weigh_idle(weighing, one->node);
        }
        for (size_t i = 0; i < changes->remove.count; i++) {
                if (find_pair(&floor->set, changes->remove.at[i]) != NULL)
                        weigh_idle(weighing, changes->remove.nodes[i]);
        }
}

static void weigh(struct weighing *weighing, const void *f, const void *c)
{
        const struct conf *floor = f, *conf = c;
        weigh_changes(weighing, &floor->request, &conf->request);
        weigh_changes(weighing, &floor->response, &conf->response);
}

/* ---- messages ---- */

/* False when a value came out that no field may hold: then nothing is sent. */
static bool apply(struct exchange *ex, const struct changes *changes, struct fields *fields)
{
        for (size_t i = 0; i < changes->remove.count; i++)
                fields_remove(fields, changes->remove.at[i]);
        for (size_t i = 0; i < changes->set.count; i++) {
                struct str value = ex_fill(ex, changes->set.at[i].value);
                if (!value_is_safe(value))
                        return false;
                fields_set(fields, changes->set.at[i].name, value);
        }
        for (size_t i = 0; i < changes->add.count; i++) {
                struct str value = ex_fill(ex, changes->add.at[i].value);
                if (!value_is_safe(value))
                        return false;
                fields_add(fields, changes->add.at[i].name, value);
        }
        return true;
}

static enum verdict on_request(struct exchange *ex, const void *c, void *state)
{
        const struct conf *conf = c;
        (void)state;
        if (!apply(ex, &conf->request, ex_request_fields(ex)))
                return ex_deny(ex, REASON_fault, "%s", "");
        return VERDICT_PASS;
}

static void on_response(struct exchange *ex, const void *c, void *state)
{
        const struct conf *conf = c;
        (void)state;
        if (!apply(ex, &conf->response, ex_response_fields(ex)))
                ex_fault(ex, REASON_fault);
}

#undef CONF
#define CONF struct changes
static const struct setting change_settings[] = {
        {PAIRS(set), .format = FORMAT_token, .most = 100,
         .example = "{ X-Channel: \"${channel}\" }",
         .text = "Set to these values, whatever was there."},
        {PAIRS(add), .format = FORMAT_token, .most = 100, .text = "Added besides what is there."},
        {TEXTS(remove), .format = FORMAT_token, .most = 100, .text = "Removed."},
        {0}};

static const struct shape shape_changes = {
        .name = "changes",
        .text = "What is done to the fields of one direction: removed first, then set, then added.",
        .settings = change_settings,
        .size = sizeof(struct changes),
};

#undef CONF
#define CONF struct conf
static const struct setting settings[] = {
        {OBJECT(request, changes), .text = "On the way to the service."},
        {OBJECT(response, changes), .text = "On the way back to the caller."},
        {0}};

const struct shape shape_headers = {
        .name = "headers",
        .text = "Set, add and remove header fields, also of answers of the gateway itself. Values "
                "may hold ${channel}, ${consumer}, ${api}, ${request_id}, ${host}, ${path}, "
                "${scheme}, ${ip} and ${param.NAME}.",
        .settings = settings,
        .size = sizeof(struct conf),
};

const struct policy policy_headers = {
        .shape = &shape_headers,
        .stage = STAGE_SHAPE,
        .hears_all = true,
        .prepare = prepare,
        .weigh = weigh,
        .on_request = on_request,
        .on_response = on_response,
        .examples =
                (const struct example[]){
                        {"A request field is set, whatever the caller sent",
                         "headers: { request: { set: { X-Api: \"${api}\" } } }",
                         "GET / HTTP/1.1\nX-Api: mine", .status = 200,
                         .has = "X-Got-X-Api: example"},
                        {"A request field is added besides the caller's",
                         "headers: { request: { add: { Accept-Language: de } } }", "GET / HTTP/1.1",
                         .status = 200, .has = "X-Got-Accept-Language: de"},
                        {"A request field is removed",
                         "headers: { request: { remove: [X-Debug] } }",
                         "GET / HTTP/1.1\nX-Debug: 1", .status = 200, .lacks = "X-Got-X-Debug"},
                        {"The service is told who calls",
                         "auth: api_key, headers: { request: { set: { X-Caller: \"${consumer}\" } "
                         "} "
                         "}",
                         "GET / HTTP/1.1\nX-API-Key: example-key-of-acme", .status = 200,
                         .has = "X-Got-X-Caller: acme"},
                        {"A response field is set",
                         "headers: { response: { set: { X-Frame-Options: DENY } } }",
                         "GET / HTTP/1.1", .status = 200, .has = "X-Frame-Options: DENY"},
                        {"It is set on what the gateway itself answers, too",
                         "auth: api_key, headers: { response: { set: { X-Frame-Options: DENY } } }",
                         "GET / HTTP/1.1", .status = 401, .has = "X-Frame-Options: DENY"},
                        {"A response field is removed",
                         "headers: { response: { remove: [X-Got-Target] } }", "GET / HTTP/1.1",
                         .status = 200, .lacks = "X-Got-Target"},
                        {0}},
};
