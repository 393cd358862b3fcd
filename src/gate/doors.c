/* doors.c -- the compiler's part about what is offered where: channels, APIs and routes into the
 * table of routes, each route with its chain. A route that adds nothing to its API shares the API's
 * chain. */
#include "base/check.h"
#include "gate/compile_int.h"

/* A channel on its way into the table. */
struct placing {
        const struct conf_channel *conf; /* NULL: the one that is there when none is configured */
        const struct channel *channel;
        struct route_channel *place;
};

/* One API under one channel. */
struct offer {
        struct compile *compile;
        const struct conf_api *conf;
        const struct channel *channel;
        const struct api *api;
        struct route_api *routes;
        struct level levels[LEVELS];
        struct route plain; /* chain, terms, upstream of a route that adds nothing */
};

static void on_fault(void *arg, const struct route_fault *fault)
{
        struct compile *compile = arg;
        struct faults *faults = compile->in->faults;
        /* Route, API and channel begin with the node they come from. */
        const struct json *const *first = fault->first, *const *second = fault->second;
        const struct json *node = first == NULL ? NULL : *first;
        static const struct {
                enum fault_code code;
                const char *text;
        } texts[] = {
                [ROUTE_FAULT_CONFLICT] = {FAULT_E208, "matches the same requests as another route"},
                [ROUTE_FAULT_API_TAKEN] = {FAULT_E209, "has the path of another API"},
                [ROUTE_FAULT_HOST_TAKEN] = {FAULT_E203, "has a host of another channel"},
                [ROUTE_FAULT_HOST] = {FAULT_E113, "is no host"},
                [ROUTE_FAULT_PATH] = {FAULT_E113, "is no path of an API"},
                [ROUTE_FAULT_TEMPLATE] = {FAULT_E113, "is no path template"},
                [ROUTE_FAULT_METHOD] = {FAULT_E113, "is no method"},
                [ROUTE_FAULT_CONDITION] = {FAULT_E113, "is no header name"},
                [ROUTE_FAULT_MANY_SAME] = {FAULT_E114, "is the path of too many routes"},
                [ROUTE_FAULT_MANY_METHODS] = {FAULT_E114, "is one method too many"},
                [ROUTE_FAULT_DEEP] = {FAULT_E114, "has too many segments"},
                [ROUTE_FAULT_WIDE] = {FAULT_E114, "overlaps with too many other routes"},
        };
        struct fault *added = fault_add(faults, texts[fault->kind].code, node, "`" STR_FMT "` %s",
                                        STR_ARG(fault->text), texts[fault->kind].text);
        if (second != NULL && *second != NULL) {
                added->also = place_of(faults->sources, *second);
                added->also_label = fault_text(faults, "the other is `" STR_FMT "`",
                                               STR_ARG(fault->second_name));
        }
}

static struct route *route_make(struct offer *offer, struct str name, const struct json *node)
{
        struct compile *compile = offer->compile;
        struct snapshot *snapshot = compile->snapshot;
        struct arena *arena = compile->in->arena;
        struct route *route = arena_new(arena, struct route);
        if (snapshot->route_count == compile->route_cap) {
                size_t cap = compile->route_cap == 0 ? 64 : compile->route_cap * 2;
                struct route **list = arena_array(arena, struct route *, cap);
                if (snapshot->route_count > 0)
                        memcpy(list, snapshot->route_list, snapshot->route_count * sizeof *list);
                snapshot->route_list = list;
                compile->route_cap = cap;
        }
        *route = offer->plain;
        route->node = node;
        route->name = name;
        route->id = snapshot->route_count;
        snapshot->route_list[snapshot->route_count++] = route;
        return route;
}

/* "METHOD /path" or "/path"; a name alone says its path in `match`. */
static bool split_name(struct str name, struct str *ret_method, struct str *ret_path)
{
        struct str rest = name;
        *ret_method = STR_NONE;
        if (!str_starts(name, S("/")))
                *ret_method = str_cut(&rest, ' ');
        *ret_path = str_trim(rest.ptr == NULL ? S("") : rest);
        return str_starts(*ret_path, S("/"));
}

static uint16_t add_conditions(struct arena *arena, const struct conf_match *match,
                               const struct route_condition **ret_conditions)
{
        size_t count = match->headers.count + match->query.count, n = 0;
        struct route_condition *list = arena_array(arena, struct route_condition, count);
        for (size_t i = 0; i < match->headers.count; i++)
                list[n++] = (struct route_condition){false, match->headers.at[i].name,
                                                     match->headers.at[i].value};
        for (size_t i = 0; i < match->query.count; i++)
                list[n++] = (struct route_condition){true, match->query.at[i].name,
                                                     match->query.at[i].value};
        *ret_conditions = list;
        return (uint16_t)n;
}

static void fill_spec(struct offer *offer, const struct conf_route *conf, struct route_spec *spec)
{
        struct arena *arena = offer->compile->in->arena;
        struct str method, path;
        spec->name = conf->name;
        spec->methods = conf->match.methods.at;
        spec->method_count = (uint16_t)conf->match.methods.count;
        spec->condition_count = add_conditions(arena, &conf->match, &spec->conditions);
        if (!split_name(conf->name, &method, &path)) {
                spec->path = conf->match.path.len > 0 ? conf->match.path : S("/{rest*}");
                return;
        }
        spec->path = path;
        if (conf->match.path.len > 0)
                fault_add(offer->compile->in->faults, FAULT_E206, conf->node,
                          "the path stands in the name of the route and in `match`");
        if (method.len == 0)
                return;
        if (spec->method_count > 0)
                fault_add(offer->compile->in->faults, FAULT_E206, conf->node,
                          "the method stands in the name of the route and in `match`");
        struct str *methods = arena_new(arena, struct str);
        *methods = method;
        spec->methods = methods;
        spec->method_count = 1;
}

/* The path of a route with that of its API before it: what logs and metrics call it. */
static struct str whole_path(const struct offer *offer, struct str path)
{
        struct str before = offer->api->path;
        if (before.len <= 1)
                return path;
        if (path.len <= 1)
                return before;
        return arena_format(offer->compile->in->arena, STR_FMT STR_FMT, STR_ARG(before),
                            STR_ARG(path));
}

/* Somebody must answer. */
static void check_served(const struct compile *compile, const struct route *route)
{
        if (route->upstream != NULL || chain_answers(compile, &route->chain))
                return;
        struct fault *fault = fault_add(compile->in->faults, FAULT_E210, json_key(route->node),
                                        "requests to `" STR_FMT "` have nowhere to go",
                                        STR_ARG(route->name));
        fault->help = S("write `upstream: http://localhost:9000`, or the name of an upstream");
}

static void add_route(struct offer *offer, const struct conf_route *conf)
{
        struct compile *compile = offer->compile;
        struct arena *arena = compile->in->arena;
        struct route_spec spec = {0};
        struct route *route = route_make(offer, conf->name, conf->node);
        if (conf->policies.count > 0) {
                offer->levels[3] = (struct level){
                        .text = arena_format(arena, "operation " STR_FMT, STR_ARG(conf->name)),
                        .identity = arena_format(arena, "api/" STR_FMT "/" STR_FMT,
                                                 STR_ARG(offer->api->name), STR_ARG(conf->name)),
                        .limit = conf->name,
                        .policies = &conf->policies,
                };
                route->chain = (struct chain){0};
                chain_build(compile, offer->levels, route);
                offer->levels[3] = (struct level){0};
        }
        if (conf->upstream.len > 0)
                route->upstream = compile_upstream(compile, conf->upstream, conf->node);
        check_served(compile, route);
        fill_spec(offer, conf, &spec);
        route->template = whole_path(offer, spec.path);
        spec.value = route;
        route_add(compile->routes, offer->routes, &spec);
}

/* Whom an API asks: what each of its routes does, not what one of them does otherwise. */
static void note_asks(struct offer *offer)
{
        const struct conf_api *conf = offer->conf;
        const struct chain *chain = &offer->plain.chain;
        for (uint16_t i = 0; i < chain->count; i++) {
                bool is_common = true;
                for (size_t k = 0; k < conf->routes_count && is_common; k++) {
                        const struct block *block = &conf->routes[k].policies;
                        for (size_t j = 0; j < block->count; j++)
                                is_common &= block->at[j].index != chain->at[i].index;
                }
                if (is_common)
                        asks_note(offer->compile, offer->api, chain->at[i].node);
        }
}

static void add_offer(struct compile *compile, const struct conf_api *conf, const struct api *api,
                      const struct placing *placing)
{
        struct arena *arena = compile->in->arena;
        const struct config *config = compile->in->config;
        const struct conf_channel *conf_channel = placing->conf;
        const struct channel *channel = placing->channel;
        struct offer *offer = arena_new(&compile->scratch, struct offer);
        *offer = (struct offer){.compile = compile, .conf = conf, .channel = channel, .api = api};
        offer->levels[0] = (struct level){S("gateway"), S("gateway"), S("default"),
                                          &config->policies, &config->enforce};
        offer->levels[1] = (struct level){
                .text = arena_format(arena, "channel " STR_FMT, STR_ARG(channel->name)),
                .identity = arena_format(arena, "channel/" STR_FMT, STR_ARG(channel->name)),
                .limit = channel->name,
                .policies = conf_channel == NULL ? NULL : &conf_channel->policies,
                .enforce = conf_channel == NULL ? NULL : &conf_channel->enforce,
        };
        offer->levels[2] = (struct level){
                .text = arena_format(arena, "api " STR_FMT, STR_ARG(api->name)),
                .identity = arena_format(arena, "api/" STR_FMT, STR_ARG(api->name)),
                .limit = api->name,
                .policies = &conf->policies,
        };
        offer->plain = (struct route){.api = api, .channel = channel};
        if (conf->upstream.len > 0)
                offer->plain.upstream = compile_upstream(compile, conf->upstream, conf->node);
        chain_build(compile, offer->levels, &offer->plain);
        if (compile->asks.count > 0)
                note_asks(offer);
        struct route *whole = conf->routes_count == 0 ? route_make(offer, conf->name, conf->node)
                                                      : NULL;
        if (whole != NULL) {
                whole->template = whole_path(offer, S("/{rest*}"));
                check_served(compile, whole);
        }
        offer->routes = route_add_api(compile->routes, placing->place, conf->name, conf->path,
                                      whole != NULL ? (void *)whole : (void *)(uintptr_t)api);
        for (size_t i = 0; i < conf->routes_count; i++)
                add_route(offer, &conf->routes[i]);
}

/* ---- channels ---- */

static int listener_index(const struct snapshot *snapshot, struct str name)
{
        for (uint32_t i = 0; i < snapshot->listener_count; i++) {
                if (str_eq(snapshot->listeners[i].name, name))
                        return (int)i;
        }
        return -1;
}

static void add_hosts(struct compile *compile, const struct conf_channel *conf,
                      struct route_channel *place, unsigned listener)
{
        if (conf == NULL || conf->hosts.count == 0)
                route_add_host(compile->routes, listener, S("*"), place);
        for (size_t i = 0; conf != NULL && i < conf->hosts.count; i++)
                route_add_host(compile->routes, listener, conf->hosts.at[i], place);
}

static struct route_channel *place_channel(struct compile *compile, const struct conf_channel *conf,
                                           struct channel *channel)
{
        const struct snapshot *snapshot = compile->snapshot;
        struct route_channel *place = route_add_channel(compile->routes, channel->name, channel);
        for (uint32_t i = 0; i < snapshot->listener_count; i++) {
                bool is_on = conf == NULL || conf->listener.count == 0;
                for (size_t k = 0; conf != NULL && k < conf->listener.count; k++)
                        is_on |= listener_index(snapshot, conf->listener.at[k]) == (int)i;
                if (is_on)
                        add_hosts(compile, conf, place, i);
        }
        return place;
}

static bool is_offered(const struct conf_api *api, const struct conf_channel *channel)
{
        if (channel == NULL)
                return true;
        for (size_t i = 0; i < api->channels.count; i++) {
                if (str_eq(api->channels.at[i], channel->name))
                        return true;
        }
        return false;
}

static void add_channel(struct compile *compile, const struct conf_channel *conf)
{
        const struct config *config = compile->in->config;
        struct snapshot *snapshot = compile->snapshot;
        struct channel *channel = arena_new(compile->in->arena, struct channel);
        channel->name = conf == NULL ? S("default") : conf->name;
        channel->node = conf == NULL ? NULL : conf->node;
        channel->id = snapshot->channel_count;
        snapshot->channel_list[snapshot->channel_count++] = channel;
        struct placing placing = {conf, channel, place_channel(compile, conf, channel)};
        for (size_t i = 0; i < config->apis_count; i++) {
                if (is_offered(&config->apis[i], conf))
                        add_offer(compile, &config->apis[i], snapshot->api_list[i], &placing);
        }
}

void compile_doors(struct compile *compile)
{
        const struct config *config = compile->in->config;
        struct snapshot *snapshot = compile->snapshot;
        struct arena *arena = compile->in->arena;
        compile->routes = route_build_begin(arena, &compile->scratch, snapshot->listener_count,
                                            on_fault, compile);
        snapshot->api_count = (uint32_t)config->apis_count;
        snapshot->api_list = arena_array(arena, struct api *, config->apis_count);
        snapshot->channel_list = arena_array(arena, struct channel *, config->channels_count + 1);
        for (size_t i = 0; i < config->apis_count; i++) {
                struct api *api = arena_new(arena, struct api);
                *api = (struct api){
                        .node = config->apis[i].node,
                        .name = config->apis[i].name,
                        .path = config->apis[i].path,
                        .id = (uint32_t)i,
                        .is_strict = config->apis[i].path_strict,
                };
                snapshot->api_list[i] = api;
        }
        if (config->channels_count == 0)
                add_channel(compile, NULL);
        for (size_t i = 0; i < config->channels_count; i++)
                add_channel(compile, &config->channels[i]);
        snapshot->routes = route_build_end(compile->routes);
}
