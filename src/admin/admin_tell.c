/* admin_tell.c -- what is told: the index, probes, metrics, the configuration in force, limits; and
 * the numbers that nobody counts but the steward knows. */
#include "admin/admin_int.h"
#include "admin/exposition.h"
#include "io/usage.h"
#include "wire/accept.h"
#include "wire/json_put.h"

static const struct str PLAIN = S_INIT("text/plain; charset=utf-8");
static const struct str JSON = S_INIT("application/json");

/* ---- what there is ---- */

static const struct {
        const char *method, *path, *door, *help;
} offers[] = {
#define ADMIN(method, path, door, takes, serve, help) {#method, path, #door, help},
#include "admin/admin.def"
#undef ADMIN
};

static bool wants_page(const struct visit *visit)
{
        const struct fields *fields = &visit->ex->req.head.fields;
        return accept_quality_named(fields, S("text/html")) >
               accept_quality(fields, S("text/plain"));
}

/* Only what can be opened here stands in the page. */
static void put_offer(struct text *out, size_t i, bool is_page)
{
        if (!is_page)
                text_format(out, "%-7s%-24s %s%s\n", offers[i].method, offers[i].path,
                            offers[i].help,
                            strcmp(offers[i].door, "SOCKET") == 0 ? " Socket only." : "");
        else if (strcmp(offers[i].door, "ANYWHERE") == 0)
                text_format(out, "<dt><a href=\"%s\">%s</a><dd>%s", offers[i].path, offers[i].path,
                            offers[i].help);
}

void serve_index(struct visit *visit)
{
        bool is_page = wants_page(visit);
        struct text out = text_grow(visit_arena(visit), 16 * 1024);
        if (is_page)
                text_put(&out, S("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
                                 "<title>Gatehouse</title><h1>Gatehouse</h1><dl>"));
        for (size_t i = 0; i < countof(offers); i++)
                put_offer(&out, i, is_page);
        visit_answer(visit, 200, is_page ? S("text/html; charset=utf-8") : PLAIN, text_str(&out));
}

/* ---- how it is ---- */

/* That this is answered says that the steward turns; a worker that does not is the watchdog's. */
void serve_livez(struct visit *visit)
{
        if (visit_wants_json(visit))
                visit_answer(visit, 200, JSON, S("{\"status\":\"live\"}\n"));
        else
                visit_answer(visit, 200, PLAIN, S("live\n"));
}

static struct str readiness(struct visit *visit, const struct admin_state *state, bool is_ready)
{
        struct text out = text_grow(visit_arena(visit), 16 * 1024);
        struct json_put put = json_put_on(&out);
        struct str rest = state->not_ready;
        put_begin(&put, '{');
        put_text_at(&put, "status", is_ready ? S("ready") : S("not ready"));
        put_key(&put, "reasons");
        put_begin(&put, '[');
        if (state->is_draining)
                put_text(&put, S("draining"));
        while (rest.len > 0)
                put_text(&put, str_cut(&rest, '\n'));
        put_end(&put, ']');
        put_end(&put, '}');
        text_char(&out, '\n');
        return text_str(&out);
}

void serve_readyz(struct visit *visit)
{
        struct admin_state state = {0};
        visit->admin->calls.state(visit->admin->calls.arg, &state);
        bool is_ready = state.not_ready.len == 0 && !state.is_draining;
        uint16_t status = is_ready ? 200 : 503;
        if (visit_wants_json(visit)) {
                visit_answer(visit, status, JSON, readiness(visit, &state, is_ready));
                return;
        }
        struct str text = S("ready\n");
        if (!is_ready)
                text = arena_format(visit_arena(visit), "not ready\n%s" STR_FMT "\n",
                                    state.is_draining ? "draining\n" : "",
                                    STR_ARG(str_first(state.not_ready, 4096)));
        visit_answer(visit, status, PLAIN, text);
}

/* ---- the configuration in force ---- */

/* A text that may be far larger than what an exchange has memory for. */
struct whole {
        struct arena arena;
        struct str rest;
};

static bool next_piece(struct visit *visit, struct text *out)
{
        struct whole *whole = visit->maker;
        struct str piece = str_first(whole->rest, out->max - out->len);
        text_put(out, piece);
        whole->rest = str_skip(whole->rest, piece.len);
        return whole->rest.len > 0;
}

static void end_whole(struct visit *visit)
{
        struct whole *whole = visit->maker;
        arena_fini(&whole->arena);
}

void serve_config(struct visit *visit)
{
        const struct admin_calls *calls = &visit->admin->calls;
        struct whole *whole = arena_new(visit_arena(visit), struct whole);
        if (calls->config == NULL) {
                visit_deny(visit, REASON_not_implemented, "%s", "");
                return;
        }
        arena_init(&whole->arena, NULL, SIZE_MAX / 2);
        struct text text = text_grow(&whole->arena, SIZE_MAX / 2);
        calls->config(calls->arg, &whole->arena, &text);
        text_char(&text, '\n');
        whole->rest = text_str(&text);
        visit->end = end_whole;
        visit_stream(visit, JSON, next_piece, whole);
}

/* ---- limits ---- */

/* What stands in hexadecimal; STR_NONE when it is none. */
static struct str read_hex(struct visit *visit, struct str text)
{
        char *bytes = arena_alloc(visit_arena(visit), text.len / 2 + 1);
        for (size_t i = 0; i < text.len; i += 2) {
                int high = char_hex(text.ptr[i]);
                int low = i + 1 < text.len ? char_hex(text.ptr[i + 1]) : -1;
                if (high < 0 || low < 0)
                        return STR_NONE;
                bytes[i / 2] = (char)(high << 4 | low);
        }
        return str_from(bytes, text.len / 2);
}

void serve_limits(struct visit *visit)
{
        const struct gate *gate = visit->admin->gate;
        struct str limit = visit_parameter(visit, "limit"), kind = visit_parameter(visit, "kind");
        struct who who = {
                .text = read_hex(visit, visit_parameter(visit, "who")),
                .is_proved = str_is(visit_parameter(visit, "proved"), "1"),
        };
        const struct bucket_table *table = who.is_proved ? &gate->known : &gate->strangers;
        if (limit.len == 0 || kind.len != 1 || who.text.ptr == NULL || table->header == NULL) {
                visit_deny(visit, REASON_bad_request,
                           "limit, kind and who, in hexadecimal, say whose count of which limit");
                return;
        }
        who.kind = kind.ptr[0];
        struct limit_keys keys = {.known = bucket_limit(&gate->known, limit),
                                  .strangers = bucket_limit(&gate->strangers, limit)};
        struct bucket_answer answer = bucket_take(table, limit_cell(&keys, &who), &bucket_time, 0,
                                                  loop_now(visit->admin->http.loop));
        struct text out = text_grow(visit_arena(visit), 256);
        struct json_put put = json_put_on(&out);
        put_begin(&put, '{');
        put_decimal_at(&put, "ahead", answer.reset_ns, 9);
        put_end(&put, '}');
        text_char(&out, '\n');
        visit_answer(visit, 200, JSON, text_str(&out));
}

/* ---- metrics ---- */

static void count_cells(struct counts *counts, const struct bucket_table *table, bool is_known)
{
        if (table->header == NULL)
                return;
        struct bucket_counts found = bucket_counts(table);
        counts_set(counts, is_known ? COUNT_cells_known : COUNT_cells_strangers, found.cells);
        counts_set(counts, is_known ? COUNT_cells_made_known : COUNT_cells_made_strangers,
                   found.made);
        counts_set(counts, is_known ? COUNT_cells_evicted_known : COUNT_cells_evicted_strangers,
                   found.evicted);
}

void admin_count(struct admin *admin, const struct admin_state *state)
{
        struct counts *counts = admin->counts;
        struct usage usage;
        usage_read(&usage);
        counts_set(counts, COUNT_cpu, usage.cpu_ns);
        counts_set(counts, COUNT_rss, usage.rss_bytes);
        counts_set(counts, COUNT_fds, usage.fds);
        counts_set(counts, COUNT_fds_max, usage.fds_max);
        counts_set(counts, COUNT_started, state->started);
        counts_set(counts, COUNT_reloads_good, state->reload.good);
        counts_set(counts, COUNT_reloads_bad, state->reload.bad);
        counts_set(counts, COUNT_reload_good, state->reload.wall == 0 || state->reload.is_good);
        counts_set(counts, COUNT_reload_time, state->config_wall);
        if (admin->gate->board != NULL)
                counts_set(counts, COUNT_snapshots, pin_alive(admin->gate->board));
        if (admin->gate->roster != NULL) {
                struct roster_counts roster = roster_counts(admin->gate->roster);
                counts_set(counts, COUNT_consumers, roster.consumers);
                counts_set(counts, COUNT_keys, roster.keys);
                counts_set(counts, COUNT_roster_bytes, roster.bytes);
        }
        count_cells(counts, &admin->gate->known, true);
        count_cells(counts, &admin->gate->strangers, false);
        if (admin->journal != NULL)
                journal_count(admin->journal);
}

static bool next_metrics(struct visit *visit, struct text *out)
{
        return exposition_next(visit->maker, out);
}

void serve_metrics(struct visit *visit)
{
        struct admin *admin = visit->admin;
        struct admin_state state = {0};
        struct exposition *exposition = arena_new(visit_arena(visit), struct exposition);
        admin->calls.state(admin->calls.arg, &state);
        admin_count(admin, &state);
        exposition->board = admin->gate->counts;
        exposition->live = admin->gate->live;
        exposition->snapshot = &admin->gate->current;
        exposition->each_target = admin->gate->live == NULL ? NULL : live_each;
        exposition->version = arena_str(visit_arena(visit), state.version);
        exposition->config = arena_str(visit_arena(visit), state.config_hash);
        exposition->form = exposition_form(&visit->ex->req.head.fields);
        visit_stream(visit, exposition_type(exposition->form), next_metrics, exposition);
}
