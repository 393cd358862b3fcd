/* check.c -- one pass over each kind of thing. References first; then who can be reached by whom,
 * which decides the open doors; last what nobody uses. */
#include "config/check_int.h"

const struct block_item *block_find(const struct block *block, ptrdiff_t index)
{
        for (size_t i = 0; i < block->count; i++) {
                if ((ptrdiff_t)block->at[i].index == index)
                        return &block->at[i];
        }
        return NULL;
}

static ptrdiff_t policy_index(const struct reader *reader, const char *name)
{
        for (size_t i = 0; i < reader->policies_count; i++) {
                if (strcmp(reader->policies[i]->name, name) == 0)
                        return (ptrdiff_t)i;
        }
        return -1;
}

static const char *const kind_names[] = {[CONFIG_LISTENER] = "listener",
                                         [CONFIG_CHANNEL] = "channel",
                                         [CONFIG_UPSTREAM] = "upstream",
                                         [CONFIG_CONSUMER] = "consumer",
                                         [CONFIG_TIER] = "tier"};

/* Looks a name up; when it is there, it is used from now on. */
static const void *refer(struct check *check, enum config_kind kind, struct str name,
                         const struct json *node)
{
        enum { NAMES_MAX = 1000 };
        const void *thing = config_find(check->config, kind, name);
        if (thing != NULL) {
                map_put(&check->used[kind], name, (void *)(uintptr_t)thing);
                return thing;
        }
        struct faults *faults = check->faults;
        struct fault *fault = fault_add(faults, FAULT_E202, node, "there is no %s `" STR_FMT "`",
                                        kind_names[kind], STR_ARG(name));
        if (faults->is_dropping)
                return NULL;
        struct str *names = arena_array(check->arena, struct str, NAMES_MAX);
        size_t count = config_names(check->config, kind, names, NAMES_MAX);
        fault_suggest_near(faults, fault, name, names, count);
        if (fault->label.len == 0)
                fault->help = fault_text(faults, "define it under `%ss`%s", kind_names[kind],
                                         kind == CONFIG_UPSTREAM ? ", or write a URL" : "");
        return NULL;
}

static void check_upstream_of(struct check *check, struct str upstream, const struct json *node)
{
        struct url url;
        if (upstream.len == 0)
                return;
        if (!upstream_is_url(upstream)) {
                refer(check, CONFIG_UPSTREAM, upstream, node);
                return;
        }
        if (url_read(upstream, &url) != ERR_ok) {
                struct fault *fault = fault_add(check->faults, FAULT_E113, node,
                                                "cannot read `" STR_FMT "` as a URL",
                                                STR_ARG(fault_quote(check->faults, node)));
                fault->label = S("expected http://HOST:PORT/PATH");
        }
}

/* True when one of the policies answers by itself, so that no upstream is needed. */
static bool answers(const struct check *check, const struct block *block)
{
        const struct block_item *item = block_find(block, check->redirect);
        return item != NULL && item->conf != NULL;
}

static void check_target(struct check *check, const struct conf_api *api)
{
        const struct config *config = check->config;
        bool may_be_answered = answers(check, &config->policies) ||
                               answers(check, &config->enforce);
        for (size_t i = 0; i < config->channels_count && !may_be_answered; i++)
                may_be_answered = answers(check, &config->channels[i].policies) ||
                                  answers(check, &config->channels[i].enforce);
        /* The compiler, which knows the chains, has the last word. */
        if (api->upstream.len > 0 || answers(check, &api->policies) || may_be_answered)
                return;
        const struct json *at = api->routes_count == 0 ? json_key(api->node) : NULL;
        for (size_t i = 0; i < api->routes_count && at == NULL; i++) {
                const struct conf_route *route = &api->routes[i];
                if (route->upstream.len == 0 && !answers(check, &route->policies))
                        at = json_key(route->node);
        }
        if (at == NULL)
                return;
        struct fault *fault = fault_add(check->faults, FAULT_E210, at,
                                        "requests to api `" STR_FMT "` have nowhere to go",
                                        STR_ARG(api->name));
        fault->help = S("write `upstream: http://localhost:9000`, or the name of an upstream");
}

/* "/orders/" is "/orders". */
static struct str path_key(struct str path)
{
        while (path.len > 1 && path.ptr[path.len - 1] == '/')
                path.len--;
        return path;
}

static void check_path(struct check *check, const struct conf_api *api, struct str channel)
{
        struct str key = arena_format(check->arena, STR_FMT " " STR_FMT, STR_ARG(channel),
                                      STR_ARG(path_key(api->path)));
        const struct conf_api *other = map_get(&check->paths, key);
        if (other == NULL) {
                map_put(&check->paths, key, (void *)(uintptr_t)api);
                return;
        }
        struct fault *fault = fault_add(
                check->faults, FAULT_E209, json_key(api->node),
                "apis `" STR_FMT "` and `" STR_FMT "` have one path: `" STR_FMT "`",
                STR_ARG(other->name), STR_ARG(api->name), STR_ARG(path_key(api->path)));
        fault->also = place_of(check->faults->sources, json_key(other->node));
        fault->help = S("write another `path:` in one of them");
}

static void check_channels_of(struct check *check, const struct conf_api *api)
{
        const struct config *config = check->config;
        if (api->channels.count == 0 && config->channels_count > 0) {
                struct fault *fault = fault_add(check->faults, FAULT_E207, json_key(api->node),
                                                "api `" STR_FMT "` names no channel",
                                                STR_ARG(api->name));
                fault->help = fault_text(check->faults, "write `channels: [" STR_FMT "]`",
                                         STR_ARG(config->channels[0].name));
                return;
        }
        if (api->channels.count == 0)
                check_path(check, api, STR_NONE);
        for (size_t i = 0; i < api->channels.count; i++) {
                struct str name = api->channels.at[i];
                if (refer(check, CONFIG_CHANNEL, name, api->channels.nodes[i]) != NULL)
                        check_path(check, api, name);
        }
}

static void check_apis(struct check *check)
{
        const struct config *config = check->config;
        for (size_t i = 0; i < config->apis_count; i++) {
                const struct conf_api *api = &config->apis[i];
                check_upstream_of(check, api->upstream, json_get(api->node, S("upstream")));
                for (size_t j = 0; j < api->routes_count; j++)
                        check_upstream_of(check, api->routes[j].upstream,
                                          json_get(api->routes[j].node, S("upstream")));
                check_target(check, api);
                check_channels_of(check, api);
        }
}

static void check_consumer(struct check *check, struct map *keys,
                           const struct conf_consumer *consumer)
{
        struct faults *faults = check->faults;
        if (consumer->channel.len > 0)
                refer(check, CONFIG_CHANNEL, consumer->channel,
                      json_get(consumer->node, S("channel")));
        if (consumer->tier.len > 0)
                refer(check, CONFIG_TIER, consumer->tier, json_get(consumer->node, S("tier")));
        for (size_t i = 0; i < consumer->api_key.count; i++) {
                enum { SHORT = 16 };
                struct str key = consumer->api_key.at[i];
                const struct json *node = consumer->api_key.nodes[i];
                const struct json *other = map_put(keys, key, (void *)(uintptr_t)node);
                if (other != NULL) {
                        struct fault *fault = fault_add(faults, FAULT_E212, node,
                                                        "two consumers have the same key");
                        fault->also = place_of(faults->sources, other);
                }
                if ((node->flags & JSON_FILLED) == 0) {
                        struct fault *fault = fault_add(faults, FAULT_W401, node,
                                                        "the key of consumer `" STR_FMT
                                                        "` is written in the file",
                                                        STR_ARG(consumer->name));
                        fault->help = S("keep it elsewhere: \"${file:/run/secrets/key}\", "
                                        "\"${cred:key}\" or \"${env:KEY}\"");
                }
                if (key.len < SHORT) {
                        struct fault *fault = fault_add(faults, FAULT_W402, node,
                                                        "the key of consumer `" STR_FMT
                                                        "` is short enough to be guessed",
                                                        STR_ARG(consumer->name));
                        fault->label = fault_text(faults, "less than %d characters", SHORT);
                }
        }
}

static void check_consumers(struct check *check)
{
        struct map keys;
        map_init(&keys, check->arena);
        for (size_t i = 0; i < check->config->consumers_count; i++)
                check_consumer(check, &keys, &check->config->consumers[i]);
}

static void fault_unused(struct check *check, enum config_kind kind, struct str name,
                         const struct json *node)
{
        if (node == NULL || map_get(&check->used[kind], name) != NULL)
                return;
        struct fault *fault = fault_add(check->faults, FAULT_W201, json_key(node),
                                        "%s `" STR_FMT "` is never used", kind_names[kind],
                                        STR_ARG(name));
        fault->label = S("nothing refers to it");
}

static void check_unused(struct check *check)
{
        const struct config *config = check->config;
        bool all_listeners = config->channels_count == 0;
        for (size_t i = 0; i < config->channels_count; i++) {
                all_listeners = all_listeners || config->channels[i].listener.count == 0;
                fault_unused(check, CONFIG_CHANNEL, config->channels[i].name,
                             config->channels[i].node);
        }
        for (size_t i = 0; i < config->listeners_count && !all_listeners; i++)
                if (config->listeners[i].redirect == CONF_REDIRECT_OFF)
                        fault_unused(check, CONFIG_LISTENER, config->listeners[i].name,
                                     config->listeners[i].node);
        for (size_t i = 0; i < config->upstreams_count; i++)
                fault_unused(check, CONFIG_UPSTREAM, config->upstreams[i].name,
                             config->upstreams[i].node);
        for (size_t i = 0; i < config->tiers_count; i++)
                fault_unused(check, CONFIG_TIER, config->tiers[i].name, config->tiers[i].node);
}

void config_check(struct reader *reader, const struct config *config)
{
        struct check check = {.config = config,
                              .arena = reader->arena,
                              .faults = reader->faults,
                              .auth = policy_index(reader, "auth"),
                              .rate_limit = policy_index(reader, "rate_limit"),
                              .redirect = policy_index(reader, "redirect")};
        for (size_t i = 0; i < countof(check.used); i++)
                map_init(&check.used[i], check.arena);
        map_init(&check.paths, check.arena);
        for (size_t i = 0; i < config->channels_count; i++) {
                const struct texts *listeners = &config->channels[i].listener;
                for (size_t j = 0; j < listeners->count; j++)
                        refer(&check, CONFIG_LISTENER, listeners->at[j], listeners->nodes[j]);
        }
        check_apis(&check);
        check_consumers(&check);
        check_doors(&check);
        if (reader->faults->errors == 0) /* else a name misspelt is the reason */
                check_unused(&check);
}
