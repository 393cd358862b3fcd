/* top_view.c -- the tables of `gate top`: one function for each kind of thing. */
#include "cmd/top.h"
#include "http/reason.h"

enum { NAME_WIDTH = 44, CELL_MAX = 512, ROWS_GROW = 64 };

uint64_t rate_milli(const struct pair *pair, uint64_t now, uint64_t before)
{
        uint64_t ms = pair->ns / 1000000, grown;
        if (pair->before->at == 0 || ms == 0 || now < before)
                return 0;
        if (mul_overflows(now - before, (uint64_t)1000000, &grown))
                return 0;
        return grown / ms;
}

/* ---- rows ---- */

static struct row *row_add(struct rows *rows)
{
        if (rows->count == rows->cap) {
                size_t cap = size_max(ROWS_GROW, rows->cap * 2);
                struct row *bigger = arena_array(rows->arena, struct row, cap);
                if (rows->count > 0)
                        memcpy(bigger, rows->at, rows->count * sizeof *bigger);
                rows->at = bigger;
                rows->cap = cap;
        }
        return &rows->at[rows->count++];
}

static struct text cell(struct rows *rows)
{
        return text_grow(rows->arena, CELL_MAX);
}

static void set_name(struct rows *rows, struct row *row, unsigned column, struct str name)
{
        struct text text = cell(rows);
        show_text(&text, name.len > 0 ? name : S("(none)"), NAME_WIDTH);
        row->cells[column] = text_str(&text);
}

static void set_number(struct rows *rows, struct row *row, unsigned column, uint64_t number)
{
        struct text text = cell(rows);
        show_number(&text, number);
        row->cells[column] = text_str(&text);
        row->keys[column] = number;
}

static void set_milli(struct rows *rows, struct row *row, unsigned column, uint64_t milli)
{
        struct text text = cell(rows);
        show_milli(&text, milli);
        row->cells[column] = text_str(&text);
        row->keys[column] = milli;
}

static void set_ns(struct rows *rows, struct row *row, unsigned column, uint64_t ns)
{
        struct text text = cell(rows);
        show_ns(&text, ns);
        row->cells[column] = text_str(&text);
        row->keys[column] = ns;
}

/* One thing in both looks. */
struct growth {
        const struct pair *pair;
        const struct json *now, *before;
};

/* How much a member grew in a second. */
static void set_growth(struct rows *rows, struct row *row, unsigned column,
                       const struct growth *growth, const char *key)
{
        uint64_t now = show_u64(growth->now, key), before = show_u64(growth->before, key);
        set_milli(rows, row, column, rate_milli(growth->pair, now, before));
}

/* ---- kinds of things ---- */

static void fill_apis(struct rows *rows, const struct pair *pair)
{
        json_each (api, json_get(pair->now->status, S("apis"))) {
                const struct growth growth = {pair, api, thing_before(pair, "apis", api)};
                struct row *row = row_add(rows);
                set_name(rows, row, 0, json_str(json_get(api, S("name")), rows->arena));
                set_growth(rows, row, 1, &growth, "requests");
                set_ns(rows, row, 2, show_scaled(api, "p50", 9));
                set_ns(rows, row, 3, show_scaled(api, "p99", 9));
                set_growth(rows, row, 4, &growth, "errors_4xx");
                set_growth(rows, row, 5, &growth, "errors_5xx");
                set_growth(rows, row, 6, &growth, "rate_limited");
                set_number(rows, row, 7, show_u64(api, "requests"));
        }
}

static void fill_consumers(struct rows *rows, const struct pair *pair)
{
        json_each (consumer, json_get(pair->now->status, S("consumers"))) {
                const struct growth growth = {pair, consumer,
                                              thing_before(pair, "consumers", consumer)};
                struct row *row = row_add(rows);
                set_name(rows, row, 0, json_str(json_get(consumer, S("name")), rows->arena));
                set_growth(rows, row, 1, &growth, "requests");
                set_growth(rows, row, 2, &growth, "errors_4xx");
                set_growth(rows, row, 3, &growth, "errors_5xx");
                set_number(rows, row, 4, show_u64(consumer, "requests"));
                set_number(rows, row, 5, show_u64(consumer, "errors_4xx"));
                set_number(rows, row, 6, show_u64(consumer, "errors_5xx"));
        }
}

static void set_health(struct rows *rows, struct row *row, const struct pair *pair,
                       const struct json *target)
{
        struct text text = cell(rows);
        if (!show_is(target, "healthy"))
                show_color(&text, pair->is_colored, SHOW_BAD, S("✗ ejected"));
        else if (show_is(target, "standby"))
                show_color(&text, pair->is_colored, SHOW_DIM, S("- standby"));
        else if (show_scaled(target, "share", 3) < 1000)
                show_color(&text, pair->is_colored, SHOW_WARN, S("! coming back"));
        else
                show_color(&text, pair->is_colored, SHOW_GOOD, S("✓ healthy"));
        row->cells[2] = text_str(&text);
}

static void fill_upstreams(struct rows *rows, const struct pair *pair)
{
        json_each (target, json_get(pair->now->status, S("targets"))) {
                struct row *row = row_add(rows);
                set_name(rows, row, 0, json_str(json_get(target, S("upstream")), rows->arena));
                set_name(rows, row, 1, json_str(json_get(target, S("address")), rows->arena));
                set_health(rows, row, pair, target);
                set_number(rows, row, 3, show_u64(target, "active"));
                set_number(rows, row, 4, show_u64(target, "connections"));
                set_number(rows, row, 5, show_u64(target, "idle"));
                set_number(rows, row, 6, show_u64(target, "ejections"));
        }
}

static void fill_routes(struct rows *rows, const struct pair *pair)
{
        static const struct top_route none;
        const struct map_entry *entry;
        for (size_t i = 0; (entry = map_next(&pair->now->routes, &i)) != NULL;) {
                const struct top_route *now = entry->value, *before = NULL;
                struct row *row = row_add(rows);
                if (pair->before->at != 0)
                        before = map_get(&pair->before->routes, entry->key);
                if (before == NULL || before->count > now->count)
                        before = &none;
                uint64_t count = now->count - before->count;
                uint64_t sum = now->sum_ns > before->sum_ns ? now->sum_ns - before->sum_ns : 0;
                set_name(rows, row, 0, now->name);
                set_name(rows, row, 1, now->api);
                set_milli(rows, row, 2, rate_milli(pair, now->count, before->count));
                set_ns(rows, row, 3, count == 0 ? 0 : sum / count);
                set_milli(rows, row, 4, rate_milli(pair, now->errors_4xx, before->errors_4xx));
                set_milli(rows, row, 5, rate_milli(pair, now->errors_5xx, before->errors_5xx));
                set_number(rows, row, 6, now->count);
        }
}

static struct str words_of(struct str token)
{
        for (unsigned i = 0; i < REASON_COUNT; i++) {
                if (str_eq(reason_token((enum reason)i), token))
                        return reason_text((enum reason)i);
        }
        return S("");
}

static void fill_errors(struct rows *rows, const struct pair *pair)
{
        const struct json *now = json_pointer(pair->now->status, S("/requests/reasons"));
        const struct json *before = NULL;
        if (pair->before->at != 0)
                before = json_pointer(pair->before->status, S("/requests/reasons"));
        json_each (reason, now) {
                struct str token = json_key_str(reason);
                const struct json *then = json_get(before, token);
                uint64_t count = show_number_scaled(reason, 0);
                if (str_is(token, "done"))
                        continue;
                struct row *row = row_add(rows);
                set_name(rows, row, 0, token);
                set_milli(rows, row, 1, rate_milli(pair, count, show_number_scaled(then, 0)));
                set_number(rows, row, 2, count);
                row->cells[3] = words_of(token);
        }
}

const struct view views[] = {
        {'a',
         "apis",
         "APIs",
         {{"API", false},
          {"REQ/S", true},
          {"P50", true},
          {"P99", true},
          {"4XX/S", true},
          {"5XX/S", true},
          {"LIMITED/S", true},
          {"REQUESTS", true}},
         1,
         false,
         fill_apis},
        {'c',
         "consumers",
         "Consumers",
         {{"CONSUMER", false},
          {"REQ/S", true},
          {"4XX/S", true},
          {"5XX/S", true},
          {"REQUESTS", true},
          {"4XX", true},
          {"5XX", true}},
         1,
         false,
         fill_consumers},
        {'u',
         "upstreams",
         "Upstreams",
         {{"UPSTREAM", false},
          {"ADDRESS", false},
          {"HEALTH", false},
          {"ACTIVE", true},
          {"CONNECTIONS", true},
          {"IDLE", true},
          {"EJECTED", true}},
         0,
         false,
         fill_upstreams},
        {'r',
         "routes",
         "Routes",
         {{"ROUTE", false},
          {"API", false},
          {"REQ/S", true},
          {"MEAN", true},
          {"4XX/S", true},
          {"5XX/S", true},
          {"REQUESTS", true}},
         2,
         true,
         fill_routes},
        {'e',
         "errors",
         "What was not answered as it should",
         {{"REASON", false}, {"/S", true}, {"SO FAR", true}, {"MEANS", false}},
         1,
         false,
         fill_errors},
};
const size_t views_count = countof(views);

size_t view_columns(const struct view *view)
{
        size_t count = 0;
        while (count < TOP_COLUMNS && view->columns[count].head != NULL)
                count++;
        return count;
}
