/* admin_status.c -- /status: everything at one look, for `gate status`, `gate top` and programs.
 * Written piece by piece, as the metrics are: a gate may have thousands of APIs and targets. Its
 * members are documented in doc/ref; new ones may be added, none change their meaning. */
#include "admin/admin_int.h"
#include "base/check.h"
#include "gate/live.h"
#include "net/cert.h"
#include "wire/date.h"
#include "wire/json_put.h"
#include "wire/unit.h"

/* Texts are cut, so that every part fits a piece even if each byte of it is escaped. */
enum { REASON_TEXT_MAX = 2048 };

enum part {
        PART_HEAD,
        PART_LISTENERS,
        PART_CERTIFICATES,
        PART_APIS,
        PART_UPSTREAMS,
        PART_TARGETS,
        PART_CONSUMERS,
        PART_END
};

/* Where the writing stands. */
struct status {
        struct admin *admin;
        enum part part;
        unsigned at;
        bool is_behind; /* of json_put */
};

static void put_time(struct json_put *put, const char *key, uint64_t wall)
{
        char memory[DATE_RFC3339_LENGTH + 1];
        struct text text = text_over(memory, sizeof memory);
        if (wall == 0)
                return;
        date_write_rfc3339((int64_t)(wall / MILLISECOND), &text);
        put_text_at(put, key, text_str(&text));
}

static void put_seconds(struct json_put *put, const char *key, uint64_t ns)
{
        put_decimal_at(put, key, ns, 9);
}

/* ---- the head ---- */

static void put_config(struct json_put *put, const struct admin_state *state, uint64_t now)
{
        put_key(put, "config");
        put_begin(put, '{');
        put_text_at(put, "path", state->config_path);
        put_text_at(put, "hash", state->config_hash);
        put_u64_at(put, "number", state->config_number);
        put_time(put, "since", state->config_wall);
        if (state->config_wall > 0 && now > state->config_wall)
                put_seconds(put, "age", (now - state->config_wall) / SECOND * SECOND);
        if (state->reload.wall > 0) {
                put_key(put, "reload");
                put_begin(put, '{');
                put_time(put, "time", state->reload.wall);
                put_text_at(put, "result", state->reload.is_good ? S("success") : S("failure"));
                if (!state->reload.is_good)
                        put_text_at(put, "error", str_first(state->reload.text, REASON_TEXT_MAX));
                put_end(put, '}');
        }
        put_end(put, '}');
}

static void put_readiness(struct json_put *put, const struct admin_state *state)
{
        struct str rest = str_first(state->not_ready, REASON_TEXT_MAX);
        put_bool_at(put, "ready", state->not_ready.len == 0 && !state->is_draining);
        put_bool_at(put, "draining", state->is_draining);
        put_key(put, "reasons");
        put_begin(put, '[');
        while (rest.len > 0)
                put_text(put, str_cut(&rest, '\n'));
        put_end(put, ']');
}

/* Requests, and what the last seconds were like. */
static void put_view(struct json_put *put, const struct window_view *view)
{
        uint64_t span = u64_max(view->ns, MILLISECOND) / MILLISECOND;
        put_decimal_at(put, "per_second", view->requests * 1000 * 1000 / span, 3);
        put_decimal_at(put, "errors_4xx_per_second", view->statuses[4] * 1000 * 1000 / span, 3);
        put_decimal_at(put, "errors_5xx_per_second", view->statuses[5] * 1000 * 1000 / span, 3);
        put_seconds(put, "p50", view->p50_ns);
        put_seconds(put, "p95", view->p95_ns);
        put_seconds(put, "p99", view->p99_ns);
}

static void put_requests(struct json_put *put, const struct admin *admin)
{
        const struct count_board *board = admin->gate->counts;
        uint64_t reasons[REASON_COUNT] = {0}, total = 0;
        struct window_view view;
        for (unsigned i = 0; i < series_end(board, SERIES_api); i++) {
                struct api_sum sum;
                series_api(board, i, &sum);
                for (unsigned k = 0; k < REASON_COUNT; k++) {
                        reasons[k] += sum.reasons[k];
                        total += sum.reasons[k];
                }
        }
        window_all(&admin->window, &view);
        put_key(put, "requests");
        put_begin(put, '{');
        put_u64_at(put, "total", total);
        put_u64_at(put, "active", counts_number(board, COUNT_active_requests));
        put_seconds(put, "window", view.ns / MILLISECOND * MILLISECOND);
        put_view(put, &view);
        put_key(put, "reasons");
        put_begin(put, '{');
        for (unsigned k = 0; k < REASON_COUNT; k++) {
                char token[64];
                struct text name = text_over(token, sizeof token - 1);
                if (reasons[k] == 0)
                        continue;
                text_put(&name, reason_token((enum reason)k));
                token[name.len] = '\0';
                put_u64_at(put, token, reasons[k]);
        }
        put_end(put, '}');
        put_end(put, '}');
}

static void put_number(struct json_put *put, const struct admin *admin, const char *key,
                       enum count count)
{
        put_u64_at(put, key, counts_number(admin->gate->counts, count));
}

static void put_numbers(struct json_put *put, const struct admin *admin)
{
        put_key(put, "connections");
        put_begin(put, '{');
        put_number(put, admin, "active", COUNT_connections_active);
        put_number(put, admin, "idle", COUNT_connections_idle);
        put_number(put, admin, "accepted", COUNT_accepted);
        put_u64_at(put, "refused",
                   counts_number(admin->gate->counts, COUNT_refused) +
                           counts_number(admin->gate->counts, COUNT_refused_per_ip));
        put_end(put, '}');
        put_key(put, "log");
        put_begin(put, '{');
        put_number(put, admin, "lines", COUNT_log_lines);
        put_number(put, admin, "dropped_ring", COUNT_log_dropped_ring);
        put_number(put, admin, "dropped_target", COUNT_log_dropped_target);
        put_number(put, admin, "dropped_flood", COUNT_log_dropped_flood);
        put_number(put, admin, "followers", COUNT_followers);
        put_end(put, '}');
        put_key(put, "roster");
        put_begin(put, '{');
        put_number(put, admin, "consumers", COUNT_consumers);
        put_number(put, admin, "keys", COUNT_keys);
        put_end(put, '}');
        put_key(put, "limit_cells");
        put_begin(put, '{');
        put_number(put, admin, "known", COUNT_cells_known);
        put_number(put, admin, "known_evicted", COUNT_cells_evicted_known);
        put_number(put, admin, "strangers", COUNT_cells_strangers);
        put_number(put, admin, "strangers_evicted", COUNT_cells_evicted_strangers);
        put_end(put, '}');
        put_key(put, "process");
        put_begin(put, '{');
        put_seconds(put, "cpu", counts_number(admin->gate->counts, COUNT_cpu));
        put_number(put, admin, "rss", COUNT_rss);
        put_number(put, admin, "fds", COUNT_fds);
        put_number(put, admin, "fds_max", COUNT_fds_max);
        put_number(put, admin, "pages_used", COUNT_pages_used);
        put_number(put, admin, "pages_max", COUNT_pages_max);
        put_end(put, '}');
}

static void put_head(struct json_put *put, struct admin *admin)
{
        struct admin_state state = {0};
        uint64_t now = loop_wall(admin->http.loop);
        admin->calls.state(admin->calls.arg, &state);
        admin_count(admin, &state);
        put_begin(put, '{');
        put_text_at(put, "version", state.version);
        put_text_at(put, "instance", state.instance);
        put_u64_at(put, "pid", state.pid);
        put_time(put, "started", state.started);
        if (now > state.started)
                put_seconds(put, "uptime", (now - state.started) / SECOND * SECOND);
        put_readiness(put, &state);
        if (state.refused.len > 0)
                put_text_at(put, "refused", str_first(state.refused, REASON_TEXT_MAX));
        put_config(put, &state, now);
        put_u64_at(put, "workers", admin->gate->worker_count);
        put_number(put, admin, "snapshots", COUNT_snapshots);
        put_requests(put, admin);
        put_numbers(put, admin);
}

/* ---- lists: each writes its element of that number, or says that there is none ---- */

enum element { ELEMENT_PUT, ELEMENT_NOTHING, ELEMENT_END };

static enum element put_listener(struct json_put *put, const struct admin *admin, unsigned at)
{
        struct admin_state state = {0};
        admin->calls.state(admin->calls.arg, &state);
        if (at >= state.listener_count)
                return ELEMENT_END;
        const struct admin_listener *listener = &state.listeners[at];
        put_begin(put, '{');
        put_text_at(put, "name", str_first(listener->name, 512));
        put_text_at(put, "address", str_first(listener->address, 512));
        put_bool_at(put, "tls", listener->is_secure);
        put_end(put, '}');
        return ELEMENT_PUT;
}

static enum element put_certificate(struct json_put *put, const struct admin *admin, unsigned at)
{
        enum { NAMES_SHOWN = 20, MARK = 2 * DIGEST_SIZE };
        const struct listener_rules *listener;
        const struct cert *cert = snapshot_cert(admin->gate->current, at, &listener);
        int64_t now = (int64_t)(loop_wall(admin->http.loop) / SECOND);
        char memory[MARK];
        struct text mark = text_over(memory, sizeof memory);
        if (cert == NULL)
                return ELEMENT_END;
        digest_write(&cert->fingerprint, DIGEST_SIZE, &mark);
        put_begin(put, '{');
        put_text_at(put, "listener", str_first(listener->name, 512));
        put_key(put, "names");
        put_begin(put, '[');
        for (size_t i = 0; i < cert->names_count && i < NAMES_SHOWN; i++)
                put_text(put, cert->names[i]);
        put_end(put, ']');
        put_text_at(put, "sha256", text_str(&mark));
        put_time(put, "from", cert->from > 0 ? (uint64_t)cert->from * SECOND : 1);
        put_time(put, "until", cert->until > 0 ? (uint64_t)cert->until * SECOND : 1);
        put_bool_at(put, "valid", now >= cert->from && now < cert->until);
        put_u64_at(put, "days",
                   now < cert->until ? (uint64_t)(cert->until - now) / (DAY / SECOND) : 0);
        put_end(put, '}');
        return ELEMENT_PUT;
}

static enum element put_api(struct json_put *put, const struct admin *admin, unsigned at)
{
        const struct count_board *board = admin->gate->counts;
        struct series_name name;
        struct window_view view;
        struct api_sum sum;
        uint64_t total = 0;
        if (at >= series_end(board, SERIES_api))
                return ELEMENT_END;
        if (!series_name(board, SERIES_api, at, &name))
                return ELEMENT_NOTHING;
        series_api(board, at, &sum);
        window_api(&admin->window, at, &view);
        for (unsigned k = 0; k < STATUS_CLASSES; k++)
                total += sum.statuses[k];
        if (at < SERIES_FIRST && total == 0)
                return ELEMENT_NOTHING;
        put_begin(put, '{');
        put_text_at(put, "name", str_first(name.name, 512));
        put_u64_at(put, "requests", total);
        put_u64_at(put, "errors_4xx", sum.statuses[4]);
        put_u64_at(put, "errors_5xx", sum.statuses[5]);
        put_u64_at(put, "rate_limited", sum.reasons[REASON_rate_limited]);
        put_u64_at(put, "request_bytes", sum.request_bytes);
        put_u64_at(put, "response_bytes", sum.response_bytes);
        put_view(put, &view);
        put_end(put, '}');
        return ELEMENT_PUT;
}

static enum element put_upstream(struct json_put *put, const struct admin *admin, unsigned at)
{
        const struct count_board *board = admin->gate->counts;
        struct series_name name;
        struct upstream_sum sum;
        if (at >= series_end(board, SERIES_upstream))
                return ELEMENT_END;
        if (at < SERIES_FIRST || !series_name(board, SERIES_upstream, at, &name))
                return ELEMENT_NOTHING;
        series_upstream(board, at, &sum);
        put_begin(put, '{');
        put_text_at(put, "name", str_first(name.name, 512));
        put_u64_at(put, "requests", sum.requests);
        put_u64_at(put, "tries", sum.tries);
        if (admin->gate->live != NULL)
                put_bool_at(put, "circuit_open",
                            live_breaker_is_open(admin->gate->live, name.name));
        put_end(put, '}');
        return ELEMENT_PUT;
}

struct target_search {
        struct json_put *put;
        unsigned wanted, at;
        bool is_found;
};

static void on_target(void *arg, const struct target_state *state)
{
        struct target_search *search = arg;
        struct json_put *put = search->put;
        char memory[ADDR_TEXT_MAX];
        struct text address = text_over(memory, sizeof memory);
        if (search->at++ != search->wanted)
                return;
        search->is_found = true;
        addr_put(&address, &state->addr);
        put_begin(put, '{');
        put_text_at(put, "upstream", str_first(state->upstream, 512));
        put_text_at(put, "target", str_first(state->target, 1024));
        put_text_at(put, "address", text_str(&address));
        put_bool_at(put, "healthy", !state->is_out);
        put_bool_at(put, "standby", state->is_standby);
        put_decimal_at(put, "share", (uint64_t)state->share * 1000 / BALANCE_SHARE_FULL, 3);
        put_u64_at(put, "active", state->in_flight);
        put_u64_at(put, "connections", state->open);
        put_u64_at(put, "idle", state->idle);
        put_u64_at(put, "ejections", state->ejected);
        put_end(put, '}');
}

static enum element put_target(struct json_put *put, const struct admin *admin, unsigned at)
{
        struct target_search search = {.put = put, .wanted = at};
        if (admin->gate->live == NULL)
                return ELEMENT_END;
        live_each(admin->gate->live, on_target, &search);
        return search.is_found ? ELEMENT_PUT : ELEMENT_END;
}

static enum element put_consumer(struct json_put *put, const struct admin *admin, unsigned at)
{
        const struct count_board *board = admin->gate->counts;
        uint64_t classes[CLASSES];
        struct series_name name;
        if (at >= series_end(board, SERIES_consumer))
                return ELEMENT_END;
        if (!series_name(board, SERIES_consumer, at, &name) || name.name.len == 0)
                return ELEMENT_NOTHING;
        series_consumer(board, at, classes);
        uint64_t total = classes[CLASS_GOOD] + classes[CLASS_CALLER] + classes[CLASS_SERVER];
        if (total == 0)
                return ELEMENT_NOTHING;
        put_begin(put, '{');
        put_text_at(put, "name", str_first(name.name, 512));
        put_u64_at(put, "requests", total);
        put_u64_at(put, "errors_4xx", classes[CLASS_CALLER]);
        put_u64_at(put, "errors_5xx", classes[CLASS_SERVER]);
        put_end(put, '}');
        return ELEMENT_PUT;
}

static const struct {
        const char *key;
        enum element (*put)(struct json_put *put, const struct admin *admin, unsigned at);
} lists[] = {
        [PART_LISTENERS] = {"listeners", put_listener},
        [PART_CERTIFICATES] = {"certificates", put_certificate},
        [PART_APIS] = {"apis", put_api},
        [PART_UPSTREAMS] = {"upstreams", put_upstream},
        [PART_TARGETS] = {"targets", put_target},
        [PART_CONSUMERS] = {"consumers", put_consumer},
};

/* ---- all of it ---- */

static void put_element(struct status *status, struct json_put *put)
{
        if (status->at == 0) {
                put_key(put, lists[status->part].key);
                put_begin(put, '[');
        }
        if (lists[status->part].put(put, status->admin, status->at) != ELEMENT_END) {
                status->at++;
                return;
        }
        put_end(put, ']');
        status->part++;
        status->at = 0;
}

static bool next_status(struct visit *visit, struct text *out)
{
        struct status *status = visit->maker;
        for (;;) {
                struct status before = *status;
                struct json_put put = {.out = out, .is_behind = status->is_behind};
                size_t len = out->len;
                if (status->part == PART_HEAD) {
                        put_head(&put, status->admin);
                        status->part++;
                } else if (status->part < PART_END) {
                        put_element(status, &put);
                } else {
                        put_end(&put, '}');
                        text_char(out, '\n');
                }
                status->is_behind = put.is_behind;
                if (out->is_cut) {
                        CHECK(len > 0);
                        out->is_cut = false;
                        out->len = len;
                        *status = before;
                        return true;
                }
                if (before.part == PART_END)
                        return false;
        }
}

void serve_status(struct visit *visit)
{
        struct status *status = arena_new(visit_arena(visit), struct status);
        status->admin = visit->admin;
        visit_stream(visit, S("application/json"), next_status, status);
}
