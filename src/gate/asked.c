/* asked.c -- where the questions of policies go: to a URL, which gets an upstream and a route of
 * its own, or to an API of this gate. APIs that ask each other in a ring would answer nobody, so
 * that is found here and not by their callers. */
#include "gate/compile_int.h"

/* A question of one API to another, or to itself. */
struct question {
        uint32_t from, to;
        const struct json *node; /* where it is asked */
};

/* ---- to a URL ---- */

const struct route *prepare_asked(const struct prepare *prepare, const struct url *url,
                                  int64_t timeout_ns)
{
        struct compile *compile = prepare->compile;
        struct arena *arena = prepare->arena;
        static const struct api nowhere = {.name = {"ask", 3}, .path = {"/", 1}};
        static const struct channel inside = {.name = {"inside", 6}};
        struct str name = arena_format(arena, "ask:" STR_FMT "://" STR_FMT STR_FMT,
                                       STR_ARG(url->scheme), STR_ARG(compile_authority(arena, url)),
                                       STR_ARG(url->path));
        struct upstream *upstream = map_get(&compile->upstreams, name);
        struct route *route = arena_new(arena, struct route);
        if (upstream == NULL)
                upstream = compile_upstream_of_url(compile, name, url, prepare->node);
        *route = (struct route){
                .name = name,
                .template = url->path,
                .api = &nowhere,
                .channel = &inside,
                .upstream = upstream,
                .node = prepare->node,
        };
        route->terms.retry_attempts = 2;
        route->terms.retry_on = RETRY_ON_CONNECT | RETRY_ON_BROKEN;
        route->terms.retry_budget_ppm = 20 * PERCENT;
        route->timeouts.connect = (uint64_t)timeout_ns;
        route->timeouts.response = (uint64_t)timeout_ns;
        route->timeouts.idle = (uint64_t)timeout_ns;
        return route;
}

/* ---- to an API ---- */

static struct str bytes_of(const void *const *address)
{
        return str_from((const char *)address, sizeof *address);
}

void prepare_api(const struct prepare *prepare, struct str name, struct str *path)
{
        const struct config *config = prepare->config;
        struct compile *compile = prepare->compile;
        const struct conf_api *api = NULL;
        for (size_t i = 0; i < config->apis_count && api == NULL; i++) {
                if (str_eq(config->apis[i].name, name))
                        api = &config->apis[i];
        }
        if (api == NULL) {
                fault_add(prepare->faults, FAULT_E202, prepare->node,
                          "there is no API `" STR_FMT "`", STR_ARG(name));
                return;
        }
        struct str base = api->path;
        *path = arena_format(prepare->arena, STR_FMT "%s" STR_FMT,
                             STR_ARG(base.len > 1 ? base : STR_NONE),
                             str_starts(*path, S("/")) ? "" : "/", STR_ARG(*path));
        const void **key = arena_new(&compile->scratch, const void *);
        *key = prepare->node;
        map_put(&compile->asks, bytes_of(key), (void *)(uintptr_t)api);
}

void asks_note(struct compile *compile, const struct api *api, const struct json *node)
{
        const void *address = node;
        const struct conf_api *asked = map_get(&compile->asks, bytes_of(&address));
        if (asked == NULL)
                return;
        struct question question = {
                .from = api->id,
                .to = (uint32_t)(asked - compile->in->config->apis),
                .node = node,
        };
        struct str key = str_from((const char *)&question, offsetof(struct question, node));
        if (map_get(&compile->askings, key) != NULL)
                return;
        struct question *kept = arena_new(&compile->scratch, struct question);
        *kept = question;
        map_put(&compile->askings, str_from((const char *)kept, offsetof(struct question, node)),
                kept);
}

/* Where questions lead from one API on, directly or not. */
struct reach {
        bool *is_reached; /* by API */
        uint32_t *open;   /* reached, and not looked at yet */
        size_t open_count;
};

static void reach_on(struct reach *reach, uint32_t api)
{
        if (reach->is_reached[api])
                return;
        reach->is_reached[api] = true;
        reach->open[reach->open_count++] = api;
}

/* True when a question that reaches `api` comes back to it. */
static bool comes_back(struct compile *compile, struct reach *reach, uint32_t api)
{
        memset(reach->is_reached, 0, compile->in->config->apis_count);
        reach->open[0] = api;
        reach->open_count = 1;
        while (reach->open_count > 0 && !reach->is_reached[api]) {
                uint32_t from = reach->open[--reach->open_count];
                struct map_entry *entry;
                for (size_t i = 0; (entry = map_next(&compile->askings, &i)) != NULL;) {
                        const struct question *question = entry->value;
                        if (question->from == from)
                                reach_on(reach, question->to);
                }
        }
        return reach->is_reached[api];
}

void asks_check(struct compile *compile)
{
        const struct config *config = compile->in->config;
        struct reach reach = {
                .is_reached = arena_array(&compile->scratch, bool, config->apis_count),
                .open = arena_array(&compile->scratch, uint32_t, config->apis_count + 1),
        };
        struct map_entry *entry;
        for (size_t i = 0; (entry = map_next(&compile->askings, &i)) != NULL;) {
                const struct question *question = entry->value;
                if (!comes_back(compile, &reach, question->to) || !reach.is_reached[question->from])
                        continue;
                struct fault *fault = fault_add(compile->in->faults, FAULT_E213, question->node,
                                                "api `" STR_FMT "` would ask itself",
                                                STR_ARG(config->apis[question->to].name));
                fault->aside = fault_text(compile->in->faults, "in api `" STR_FMT "`",
                                          STR_ARG(config->apis[question->from].name));
                fault->help = fault_text(compile->in->faults,
                                         "write `off` for this policy in api `" STR_FMT "`",
                                         STR_ARG(config->apis[question->to].name));
        }
}
