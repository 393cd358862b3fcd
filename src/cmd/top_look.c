/* top_look.c -- one look at a running gate: its status, and of its metrics the routes. */
#include "cmd/top.h"

enum { LOOK_MAX = 512 << 20, KEY_MAX = 2048 };

void look_init(struct look *look)
{
        *look = (struct look){0};
        arena_init(&look->arena, NULL, LOOK_MAX);
}

void look_fini(struct look *look)
{
        arena_fini(&look->arena);
}

/* ---- things of the status ---- */

static void put_key(struct text *key, const char *list, struct str name)
{
        text_format(key, "%s/", list);
        text_put(key, name);
}

static void index_list(struct look *look, const char *list)
{
        json_each (thing, json_get(look->status, str_of(list))) {
                struct text key = text_grow(&look->arena, KEY_MAX);
                put_key(&key, list, json_raw(json_get(thing, S("name"))));
                map_put(&look->things, text_str(&key), (void *)(uintptr_t)thing);
        }
}

const struct json *thing_before(const struct pair *pair, const char *list, const struct json *now)
{
        char memory[KEY_MAX];
        struct text key = text_over(memory, sizeof memory);
        if (pair->before->at == 0)
                return NULL;
        put_key(&key, list, json_raw(json_get(now, S("name"))));
        return map_get(&pair->before->things, text_str(&key));
}

static enum err take_status(struct look *look, const struct gateway *gateway)
{
        struct question question = {S("GET"), S("/status")};
        struct reply reply;
        enum err err = gateway_try(gateway, &question, &look->arena, &reply);
        if (err != ERR_ok)
                return err;
        look->status = reply.status == 200 ? reply_json(&reply, &look->arena) : NULL;
        if (!json_is(json_get(look->status, S("version")), JSON_STRING))
                return ERR_syntax;
        index_list(look, "apis");
        index_list(look, "consumers");
        return ERR_ok;
}

/* ---- routes of the metrics ---- */

/* One label of a sample: name="value"; escapes in it stay as they are. */
static bool label_next(struct str *rest, struct str *ret_name, struct str *ret_value)
{
        ptrdiff_t equals = str_find(*rest, '=');
        if (equals <= 0 || (size_t)equals + 1 >= rest->len || rest->ptr[equals + 1] != '"')
                return false;
        *ret_name = str_first(*rest, (size_t)equals);
        *rest = str_skip(*rest, (size_t)equals + 2);
        for (size_t i = 0; i < rest->len; i++) {
                if (rest->ptr[i] == '\\') {
                        i++;
                        continue;
                }
                if (rest->ptr[i] != '"')
                        continue;
                *ret_value = str_first(*rest, i);
                *rest = str_skip(*rest, i + 1);
                if (str_starts(*rest, S(",")))
                        *rest = str_skip(*rest, 1);
                return true;
        }
        return false;
}

/* Digits with at most nine behind the point, times 10^9 or as they are. */
static uint64_t read_value(struct str text, bool is_seconds)
{
        struct json number = {.ptr = text.ptr, .len = (uint32_t)text.len, .kind = JSON_NUMBER};
        return show_number_scaled(&number, is_seconds ? 9 : 0);
}

struct sample_labels {
        struct str api, route, method, status;
};

static void read_labels(struct str rest, struct sample_labels *ret_labels)
{
        struct str name, value;
        *ret_labels = (struct sample_labels){0};
        while (label_next(&rest, &name, &value)) {
                if (str_is(name, "gatehouse_api"))
                        ret_labels->api = value;
                else if (str_is(name, "http_route"))
                        ret_labels->route = value;
                else if (str_is(name, "http_request_method"))
                        ret_labels->method = value;
                else if (str_is(name, "http_response_status_code"))
                        ret_labels->status = value;
        }
}

static struct top_route *route_of(struct look *look, const struct sample_labels *labels)
{
        struct str key = arena_format(&look->arena, STR_FMT "\t" STR_FMT " " STR_FMT,
                                      STR_ARG(labels->api), STR_ARG(labels->method),
                                      STR_ARG(labels->route));
        struct top_route *route = map_get(&look->routes, key);
        if (route != NULL)
                return route;
        route = arena_new(&look->arena, struct top_route);
        route->api = str_first(key, labels->api.len);
        route->name = str_skip(key, labels->api.len + 1);
        map_put(&look->routes, key, route);
        return route;
}

/* PREFIX_sum{…} 1.5 or PREFIX_count{…} 12 */
static void read_sample(struct look *look, struct str line)
{
        static const struct str prefix = S_INIT("http_server_request_duration_seconds_");
        struct sample_labels labels;
        ptrdiff_t open = str_find(line, '{'), space = -1;
        if (open < 0 || !str_starts(line, prefix))
                return;
        for (size_t i = 0; i < line.len; i++)
                space = line.ptr[i] == ' ' && line.ptr[i - 1] == '}' ? (ptrdiff_t)i : space;
        bool is_sum = str_is(str_skip(str_first(line, (size_t)open), prefix.len), "sum");
        bool is_count = str_is(str_skip(str_first(line, (size_t)open), prefix.len), "count");
        if (space < 0 || (!is_sum && !is_count))
                return;
        read_labels(str_skip(str_first(line, (size_t)space - 1), (size_t)open + 1), &labels);
        if (labels.route.len == 0)
                return;
        uint64_t value = read_value(str_skip(line, (size_t)space + 1), is_sum);
        struct top_route *route = route_of(look, &labels);
        if (is_sum) {
                route->sum_ns += value;
                return;
        }
        route->count += value;
        if (str_starts(labels.status, S("4")))
                route->errors_4xx += value;
        if (str_starts(labels.status, S("5")))
                route->errors_5xx += value;
}

static enum err take_routes(struct look *look, const struct gateway *gateway)
{
        struct question question = {S("GET"), S("/metrics")};
        struct reply reply;
        enum err err = gateway_try(gateway, &question, &look->arena, &reply);
        if (err != ERR_ok)
                return err;
        struct str rest = reply.body;
        while (rest.ptr != NULL && rest.len > 0)
                read_sample(look, str_cut(&rest, '\n'));
        return ERR_ok;
}

enum err look_take(struct look *look, const struct gateway *gateway, bool has_routes)
{
        struct look next;
        look_init(&next);
        map_init(&next.things, &next.arena);
        map_init(&next.routes, &next.arena);
        next.at = gateway_clock();
        enum err err = take_status(&next, gateway);
        if (err == ERR_ok && has_routes)
                err = take_routes(&next, gateway);
        if (err != ERR_ok) {
                look_fini(&next);
                return err;
        }
        look_fini(look);
        *look = next;
        look->things.arena = look->routes.arena = &look->arena;
        return ERR_ok;
}
