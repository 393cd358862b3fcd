/* topic.c -- topics and their pages, each from the list that it explains. */
#include "cmd/topic.h"

#include "cmd/command.h"
#include "cmd/settings.h"
#include "config/config.h"
#include "http/reason.h"
#include "policy/list.h"
#include "schema/fault.h"

/* ---- the configuration ---- */

static void write_config(struct sheet *sheet)
{
        sheet_text(sheet,
                   S("The configuration is one document, in YAML 1.2 or JSON: maps keyed by names, "
                     "in snake_case. A gateway of three lines offers http://localhost:9000 as "
                     "http://localhost:8080/orders:"));
        sheet_code(sheet, S("apis:\n  orders:\n    upstream: http://localhost:9000"));
        sheet_text(sheet, S("With a key and a limit:"));
        sheet_code(sheet, S("apis:\n  orders:\n    upstream: http://localhost:9000\n"
                            "    policies: { auth: api_key, rate_limit: 100/min }\n"
                            "consumers:\n  acme: { api_key: \"${env:ACME_KEY}\" }"));
        sheet_text(sheet, S("`policies` stand at four levels: at the top, in a channel, in an API, "
                            "in a route. A lower level replaces a key whole, `off` removes it. "
                            "`enforce`, at the top and in a channel, is a floor: what stands there "
                            "holds besides, and lower levels can only tighten it. `gate render` "
                            "shows what holds and where it was written."));
        sheet_text(sheet,
                   S("Values may refer to what is elsewhere: `${env:NAME}`, "
                     "`${env:NAME:-default}`, `${file:PATH}`, and `${cred:NAME}` of "
                     "systemd's $CREDENTIALS_DIRECTORY. Without a colon, as in `${consumer}`, "
                     "they are filled in for each request."));
        sheet_text(sheet, S("Durations are written 500ms, 30s, 5m, 24h, 7d; sizes 512B, 64KiB, "
                            "10MiB; shares 5%; rates 100/min, 50/s per consumer, 1000/month per "
                            "ip."));
        settings_write_all(sheet, &shape_config);
}

/* ---- policies ---- */

static void write_policies(struct sheet *sheet)
{
        sheet_text(sheet, S("Policies are asked in this order, whatever order they are written in; "
                            "the answer goes back through them in reverse. What stands in "
                            "`enforce` is asked besides."));
        for (size_t i = 0; i < policy_list.count; i++) {
                sheet_head(sheet, str_of(policy_list.at[i]->shape->name));
                settings_write_policy(sheet, policy_list.at[i]);
        }
}

static bool write_policy(struct str name, struct sheet *sheet)
{
        for (size_t i = 0; i < policy_list.count; i++) {
                const struct policy *policy = policy_list.at[i];
                if (!str_is(name, policy->shape->name))
                        continue;
                sheet_title(sheet, policy->shape->name, 7, S("a policy"));
                settings_write_policy(sheet, policy);
                return true;
        }
        return false;
}

/* ---- complaints ---- */

static bool write_code(struct str name, struct sheet *sheet)
{
        enum fault_code code = fault_code_find(name);
        if (code == FAULT_none)
                return false;
        sheet_title(sheet, fault_code_name(code), 7, str_of(fault_code_title(code)));
        sheet_text(sheet, str_of(fault_code_text(code)));
        sheet_text(sheet, fault_code_severity(code) == SEVERITY_error
                                  ? S("An error: the configuration is refused.")
                                  : S("A warning: the configuration is taken."));
        return true;
}

static void write_codes(struct sheet *sheet)
{
        static const char *const heads[] = {"code", "what", "why", NULL};
        sheet_text(sheet, S("What `gate check` complains of. E is an error: the configuration is "
                            "refused; W is a warning. A code never changes its meaning."));
        sheet_table(sheet, heads);
        for (int i = FAULT_none + 1; i < FAULT_COUNT; i++) {
                enum fault_code code = (enum fault_code)i;
                const struct str cells[] = {str_of(fault_code_name(code)),
                                            str_of(fault_code_title(code)),
                                            str_of(fault_code_text(code))};
                sheet_row(sheet, cells);
        }
}

/* ---- reasons ---- */

static void put_status(enum reason reason, struct text *out)
{
        if (reason_status(reason) == 0)
                text_put(out, S("none"));
        else
                text_u64(out, reason_status(reason));
}

static bool write_reason(struct str name, struct sheet *sheet)
{
        char memory[160], token[64];
        struct text text = text_over(memory, sizeof memory);
        for (int i = REASON_none + 1; i < REASON_COUNT; i++) {
                enum reason reason = (enum reason)i;
                if (!str_eq(name, reason_token(reason)))
                        continue;
                struct text title = text_over(token, sizeof token);
                text_put(&title, name);
                text_char(&title, '\0');
                sheet_title(sheet, token, 7, reason_text(reason));
                text_put(&text, S("Status of the gateway's own answer: "));
                put_status(reason, &text);
                text_put(&text, S(". It is the `code` of the problem, and the reason in log and "
                                  "metrics."));
                sheet_text(sheet, text_str(&text));
                return true;
        }
        return false;
}

static struct str whose_text(enum whose whose)
{
        switch (whose) {
        case WHOSE_NOBODY:
                return S("nobody's");
        case WHOSE_CALLER:
                return S("the caller's");
        case WHOSE_UPSTREAM:
                return S("the upstream's");
        case WHOSE_GATE:
                return S("the gate's");
        }
        return S("");
}

static void write_reasons(struct sheet *sheet)
{
        static const char *const heads[] = {"reason", "status", "whose", "sentence", NULL};
        sheet_text(sheet, S("Every request ends with one reason. It is the `code` of the problem "
                            "that the caller gets (RFC 9457), `gatehouse.reason` in the access log "
                            "and `gatehouse_reason` in metrics."));
        sheet_table(sheet, heads);
        for (int i = REASON_none + 1; i < REASON_COUNT; i++) {
                enum reason reason = (enum reason)i;
                char memory[16];
                struct text status = text_over(memory, sizeof memory);
                put_status(reason, &status);
                const struct str cells[] = {reason_token(reason), text_str(&status),
                                            whose_text(reason_whose(reason)), reason_text(reason)};
                sheet_row(sheet, cells);
        }
}

/* ---- metrics and the access log ---- */

static void write_metrics(struct sheet *sheet)
{
        static const char *const heads[] = {"name",          "kind",    "unit", "labels",
                                            "OpenTelemetry", "meaning", NULL};
        static const struct str rows[][6] = {
#define METRIC(id, kind, name, otel, unit, labels, help)                                           \
        {S_INIT(name), S_INIT(#kind), S_INIT(unit), S_INIT(labels), S_INIT(otel), S_INIT(help)},
#define COUNT(id, metric, labels)
#include "record/metric.def"
#undef METRIC
#undef COUNT
        };
        sheet_text(sheet, S("What `/metrics` on the admin address says, in the text format of "
                            "Prometheus or OpenMetrics 1.0."));
        sheet_table(sheet, heads);
        for (size_t i = 0; i < countof(rows); i++)
                sheet_row(sheet, rows[i]);
}

static void write_where(struct sheet *sheet)
{
        static const char *const heads[] = {"field", "meaning", NULL};
        static const struct str rows[][2] = {
#define FIELD(name, kind, value, help) {S_INIT(#name), S_INIT(help)},
#include "record/where.def"
#undef FIELD
        };
        sheet_head(sheet, S("What `where` may ask"));
        sheet_text(sheet, S("`status >= 500 && api == orders`, `duration > 1s || !(ip == "
                            "10.0.0.0/8)`. Texts have `==`, `!=` and `~` (contains); numbers and "
                            "times `<`, `<=`, `>` and `>=` too. `!` binds tightest, then `&&`, "
                            "then `||`."));
        sheet_table(sheet, heads);
        for (size_t i = 0; i < countof(rows); i++)
                sheet_row(sheet, rows[i]);
}

static void write_log(struct sheet *sheet)
{
        static const char *const heads[] = {"attribute", "meaning", NULL};
        static const struct str rows[][2] = {
#define LINE(key, kind, value, help) {S_INIT(key), S_INIT(help)},
#include "record/line.def"
#undef LINE
        };
        sheet_text(sheet, S("With `telemetry: { logs: json }`, and where standard output is no "
                            "terminal, each request is one line of JSON after OpenTelemetry's log "
                            "data model: `timestamp`, `severity_text`, `body`, `trace_id`, "
                            "`span_id` and `attributes`. What has no value is not there. `gate "
                            "schema log` prints the JSON Schema."));
        sheet_table(sheet, heads);
        for (size_t i = 0; i < countof(rows); i++)
                sheet_row(sheet, rows[i]);
        write_where(sheet);
}

/* ---- the admin ---- */

static void write_admin(struct sheet *sheet)
{
        static const char *const heads[] = {"request", "where", "meaning", NULL};
        static const struct str rows[][3] = {
#define ADMIN(method, path, door, takes, serve, help)                                              \
        {S_INIT(#method " " path), S_INIT(#door), S_INIT(help)},
#include "admin/admin.def"
#undef ADMIN
        };
        sheet_text(sheet, S("`admin.address` is read only. It answers to addresses, to `localhost` "
                            "and to the name that is configured, and to no other name. What "
                            "changes something is asked over the socket, which only its owner can "
                            "open: `curl --unix-socket admin.sock -X POST "
                            "http://localhost/reload`."));
        sheet_table(sheet, heads);
        for (size_t i = 0; i < countof(rows); i++) {
                struct str cells[] = {rows[i][0],
                                      str_is(rows[i][1], "SOCKET") ? S("socket") : S("both"),
                                      rows[i][2]};
                sheet_row(sheet, cells);
        }
}

static void write_exits(struct sheet *sheet)
{
        static const char *const heads[] = {"code", "meaning", NULL};
        static const struct str rows[][2] = {
#define LEAVE(name, number, text) {S_INIT(#number), S_INIT(text)},
#include "cmd/exits.def"
#undef LEAVE
        };
        sheet_table(sheet, heads);
        for (size_t i = 0; i < countof(rows); i++)
                sheet_row(sheet, rows[i]);
}

/* ---- all of them ---- */

const struct topic topics[] = {
        {"settings", "gateway.yaml", 5, "the configuration: every key", write_config},
        {"policies", "gate-policies", 7, "rules that requests and answers pass", write_policies},
        {"codes", "gate-codes", 7, "complaints about the configuration", write_codes},
        {"reasons", "gate-reasons", 7, "why a request ended as it did", write_reasons},
        {"metrics", "gate-metrics", 7, "what is counted", write_metrics},
        {"log", "gate-log", 5, "a line of the access log", write_log},
        {"admin", "gate-admin", 7, "what the admin address and socket offer", write_admin},
        {"exit-codes", "gate-exit-codes", 7, "what a command returns", write_exits},
        {0}};

void topic_write_page(const struct topic *topic, struct sheet *sheet)
{
        sheet_title(sheet, topic->page, topic->section, str_of(topic->line));
        topic->write(sheet);
}

bool topic_write(struct str word, struct sheet *sheet)
{
        for (const struct topic *topic = topics; topic->name != NULL; topic++) {
                if (!str_is(word, topic->name) && !str_is(word, topic->page))
                        continue;
                topic_write_page(topic, sheet);
                return true;
        }
        return write_code(word, sheet) || write_policy(word, sheet) || write_reason(word, sheet);
}

void topic_write_list(struct sheet *sheet)
{
        for (const struct topic *topic = topics; topic->name != NULL; topic++)
                sheet_item(sheet, str_of(topic->name), str_of(topic->line));
        sheet_item(sheet, S("E104"),
                   S("a complaint of `gate check`; a policy such as "
                     "`rate_limit`; a reason such as `rate-limited`"));
}

struct str topic_nearest(struct str word)
{
        struct str names[128];
        size_t count = 0;
        for (const struct topic *topic = topics; topic->name != NULL; topic++)
                names[count++] = str_of(topic->name);
        for (size_t i = 0; i < policy_list.count && count < countof(names); i++)
                names[count++] = str_of(policy_list.at[i]->shape->name);
        for (int i = REASON_none + 1; i < REASON_COUNT && count < countof(names); i++)
                names[count++] = reason_token((enum reason)i);
        struct str near = fault_nearest(word, names, count);
        return near.len > 0 ? near : command_nearest(word);
}
