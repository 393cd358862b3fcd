/* admin_change.c -- what changes something: reloads, the life of the process, consumers and keys.
 * Only over the socket, which only the owner can open. */
#include "admin/admin_int.h"
#include "base/check.h"
#include "wire/date.h"
#include "wire/json.h"

static const struct str JSON = S_INIT("application/json");

enum { OUTCOME_MAX = 64 * 1024 };

/* ---- reload ---- */

void serve_reload(struct visit *visit)
{
        struct admin *admin = visit->admin;
        if (admin->calls.reload == NULL) {
                visit_deny(visit, REASON_not_implemented, "%s", "");
                return;
        }
        visit->reload = admin->calls.reload(admin->calls.arg);
        list_push(&admin->waiting, &visit->node);
}

static void tell_success(struct visit *visit, const struct admin_outcome *outcome)
{
        struct text body = text_grow(visit_arena(visit), OUTCOME_MAX);
        text_format(&body, "{\"result\":\"success\",\"hash\":\"" STR_FMT "\",\"text\":\"",
                    STR_ARG(outcome->hash));
        text_json(&body, outcome->text);
        text_put(&body, S("\",\"warnings\":"));
        text_put(&body, outcome->faults.len > 0 ? outcome->faults : S("[]"));
        text_put(&body, S("}\n"));
        visit_answer(visit, 200, JSON, text_str(&body));
}

static void tell(struct visit *visit, const struct admin_outcome *outcome)
{
        if (outcome->is_good) {
                tell_success(visit, outcome);
                return;
        }
        struct problem_member members[] = {
                {"text", outcome->text, false},
                {"errors", outcome->faults.len > 0 ? outcome->faults : S("[]"), true},
        };
        struct problem problem = {
                .reason = REASON_bad_request,
                .status = 422,
                .code = S("config-invalid"),
                .title = S("The configuration was refused; the one before stays in force"),
                .members = members,
                .member_count = countof(members),
        };
        visit_problem(visit, &problem);
}

void admin_reloaded(struct admin *admin, const struct admin_outcome *outcome)
{
        list_each_safe (node, &admin->waiting) {
                struct visit *visit = list_entry(node, struct visit, node);
                if (visit->reload > outcome->number)
                        continue;
                list_remove(&visit->node);
                if (visit->stage == VISIT_WAIT && visit->ex->reason == REASON_none)
                        tell(visit, outcome);
        }
}

/* ---- the life of the process ---- */

static void act(struct visit *visit, enum admin_action action)
{
        struct admin *admin = visit->admin;
        enum err err = ERR_ok;
        if (admin->calls.act == NULL) {
                visit_deny(visit, REASON_not_implemented, "%s", "");
                return;
        }
        err = admin->calls.act(admin->calls.arg, action);
        if (err == ERR_ok)
                visit_answer(visit, 202, JSON, S("{\"result\":\"accepted\"}\n"));
        else
                visit_err(visit, err);
}

void serve_drain(struct visit *visit)
{
        act(visit, ADMIN_DRAIN);
}

void serve_stop(struct visit *visit)
{
        bool is_now = str_is(visit_parameter(visit, "now"), "1");
        act(visit, is_now ? ADMIN_ABORT : ADMIN_STOP);
}

void serve_upgrade(struct visit *visit)
{
        act(visit, ADMIN_UPGRADE);
}

void serve_reopen(struct visit *visit)
{
        act(visit, ADMIN_REOPEN);
}

/* ---- consumers and keys ---- */

/* The request's document, an object of these members and no others; NULL: it was answered. An empty
 * body is an empty object. */
static const struct json *read_document(struct visit *visit, const char *const *known,
                                        size_t known_count)
{
        struct str text = visit->body_len == 0 ? S("{}") : str_from(visit->body, visit->body_len);
        struct json_limits limits = {.nodes_max = 1000, .depth_max = 4};
        const struct json *root;
        struct json_trouble trouble;
        if (json_read(text, &limits, visit_arena(visit), &root, &trouble) != ERR_ok) {
                visit_deny(visit, REASON_bad_request, "byte %u: %s", trouble.at, trouble.what);
                return NULL;
        }
        if (root->kind != JSON_OBJECT) {
                visit_deny(visit, REASON_bad_request, "an object is expected");
                return NULL;
        }
        json_each (value, root) {
                bool is_known = false;
                for (size_t i = 0; i < known_count; i++)
                        is_known |= str_is(json_key_str(value), known[i]);
                if (!is_known) {
                        visit_deny(visit, REASON_bad_request, "unknown member: " STR_FMT,
                                   STR_ARG(str_first(json_key_str(value), 64)));
                        return NULL;
                }
        }
        return root;
}

/* A text member; empty where there is none. False: it is something else, and was answered. */
static bool read_member(struct visit *visit, const struct json *root, struct str name,
                        struct str *ret_text)
{
        const struct json *value = json_get(root, name);
        *ret_text = json_str(value, visit_arena(visit));
        if (value == NULL || value->kind == JSON_STRING)
                return true;
        visit_deny(visit, REASON_bad_request, STR_FMT " must be a text", STR_ARG(name));
        return false;
}

/* true or false, which is also meant where it is absent. */
static bool read_flag(struct visit *visit, const struct json *root, struct str name, bool *ret_flag)
{
        const struct json *value = json_get(root, name);
        *ret_flag = json_is(value, JSON_TRUE);
        if (value == NULL || *ret_flag || json_is(value, JSON_FALSE))
                return true;
        visit_deny(visit, REASON_bad_request, STR_FMT " must be true or false", STR_ARG(name));
        return false;
}

/* RFC 3339, or absent. */
static bool read_expiry(struct visit *visit, const struct json *root, int64_t *ret_seconds)
{
        struct str text;
        int64_t ms = 0;
        if (!read_member(visit, root, S("expires"), &text))
                return false;
        if (text.len > 0 && (date_read_rfc3339(text, &ms) != ERR_ok || ms <= 0)) {
                visit_deny(visit, REASON_bad_request,
                           "expires must be a moment such as 2027-01-31T00:00:00Z");
                return false;
        }
        *ret_seconds = ms / 1000;
        return true;
}

static void done(struct visit *visit, enum err err)
{
        if (err == ERR_ok)
                visit_answer(visit, 200, JSON, S("{\"result\":\"done\"}\n"));
        else
                visit_err(visit, err);
}

void serve_put_key(struct visit *visit)
{
        static const char *const known[] = {"key", "id", "expires"};
        struct admin_calls *calls = &visit->admin->calls;
        struct admin_key key = {.consumer = visit->name};
        const struct json *root = read_document(visit, known, countof(known));
        if (root == NULL || !read_member(visit, root, S("key"), &key.key) ||
            !read_member(visit, root, S("id"), &key.id) ||
            !read_expiry(visit, root, &key.expires_s))
                return;
        if (key.key.len == 0)
                visit_deny(visit, REASON_bad_request, "key is missing");
        else if (calls->put_key == NULL)
                visit_deny(visit, REASON_not_implemented, "%s", "");
        else
                done(visit, calls->put_key(calls->arg, &key));
}

void serve_remove_key(struct visit *visit)
{
        static const char *const known[] = {"key"};
        struct admin_calls *calls = &visit->admin->calls;
        struct str key;
        const struct json *root = read_document(visit, known, countof(known));
        if (root == NULL || !read_member(visit, root, S("key"), &key))
                return;
        if (key.len == 0)
                visit_deny(visit, REASON_bad_request, "key is missing");
        else if (calls->remove_key == NULL)
                visit_deny(visit, REASON_not_implemented, "%s", "");
        else
                done(visit, calls->remove_key(calls->arg, visit->name, key));
}

void serve_put_consumer(struct visit *visit)
{
        static const char *const known[] = {"tier", "channel", "blocked"};
        struct admin_calls *calls = &visit->admin->calls;
        struct consumer consumer = {.name = visit->name, .origin = ROSTER_HOUSE};
        const struct json *root = read_document(visit, known, countof(known));
        if (root == NULL || !read_member(visit, root, S("tier"), &consumer.tier) ||
            !read_member(visit, root, S("channel"), &consumer.channel) ||
            !read_flag(visit, root, S("blocked"), &consumer.is_blocked))
                return;
        if (calls->put_consumer == NULL)
                visit_deny(visit, REASON_not_implemented, "%s", "");
        else
                done(visit, calls->put_consumer(calls->arg, &consumer));
}

void serve_remove_consumer(struct visit *visit)
{
        struct admin_calls *calls = &visit->admin->calls;
        if (calls->remove_consumer == NULL)
                visit_deny(visit, REASON_not_implemented, "%s", "");
        else
                done(visit, calls->remove_consumer(calls->arg, visit->name));
}
