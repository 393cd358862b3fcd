/* check_doors.c -- who can reach what. A door is a listener with a channel behind it; it is open
 * when its address is not loopback and something behind it asks nobody who they are. */
#include "config/check_int.h"

/* What the levels say of one policy, the lowest that says anything. */
enum said { SAID_NOTHING, SAID_ON, SAID_OFF };

static enum said said_by(const struct block *block, ptrdiff_t policy)
{
        const struct block_item *item = block_find(block, policy);
        if (item == NULL)
                return SAID_NOTHING;
        return item->conf == NULL ? SAID_OFF : SAID_ON;
}

/* The way down to one endpoint; NULL where there is no such level. */
struct levels {
        const struct config *config;
        const struct conf_channel *channel;
        const struct conf_api *api;
        const struct conf_route *route;
};

static enum said said(const struct levels *levels, ptrdiff_t policy)
{
        const struct conf_channel *channel = levels->channel;
        const struct block *blocks[] = {
                levels->route == NULL ? NULL : &levels->route->policies, &levels->api->policies,
                channel == NULL ? NULL : &channel->policies, &levels->config->policies};
        if (said_by(&levels->config->enforce, policy) == SAID_ON ||
            (channel != NULL && said_by(&channel->enforce, policy) == SAID_ON))
                return SAID_ON;
        for (size_t i = 0; i < countof(blocks); i++) {
                enum said answer = blocks[i] == NULL ? SAID_NOTHING : said_by(blocks[i], policy);
                if (answer != SAID_NOTHING)
                        return answer;
        }
        return SAID_NOTHING;
}

/* The first endpoint of an API for which `is_bad` holds: its route, or the API. */
static const struct json *find_endpoint(struct levels levels, ptrdiff_t policy,
                                        bool (*is_bad)(enum said said))
{
        if (levels.api->routes_count == 0)
                return is_bad(said(&levels, policy)) ? json_key(levels.api->node) : NULL;
        for (size_t i = 0; i < levels.api->routes_count; i++) {
                levels.route = &levels.api->routes[i];
                if (is_bad(said(&levels, policy)))
                        return json_key(levels.route->node);
        }
        return NULL;
}

static bool is_unsaid(enum said said)
{
        return said == SAID_NOTHING;
}

static bool is_not_on(enum said said)
{
        return said != SAID_ON;
}

static struct str door_text(struct check *check, const struct conf_channel *channel,
                            const struct conf_listener *listener)
{
        struct text out = text_grow(check->arena, 1024);
        if (channel != NULL)
                text_format(&out, "channel `" STR_FMT "`, ", STR_ARG(channel->name));
        text_format(&out, "listener `" STR_FMT "` " STR_FMT ":%d", STR_ARG(listener->name),
                    STR_ARG(listener->address.host), (int)listener->address.port);
        return text_str(&out);
}

/* One API at one open door. True when there was something to say. */
static bool check_door(struct check *check, const struct levels *levels,
                       const struct conf_listener *listener)
{
        struct faults *faults = check->faults;
        const struct json *open = find_endpoint(*levels, check->auth, is_not_on);
        if (open != NULL && check->auth >= 0) {
                struct fault *fault = fault_add(faults, FAULT_E201, open,
                                                "api `" STR_FMT "` asks nobody who they are",
                                                STR_ARG(levels->api->name));
                fault->aside = door_text(check, levels->channel, listener);
                fault->label = S("open to everybody who can reach the address");
                fault->help = S("add `policies: { auth: api_key }`, or `auth: none` to say that it "
                                "is meant");
                return true;
        }
        const struct json *unlimited = find_endpoint(*levels, check->rate_limit, is_unsaid);
        if (unlimited != NULL && check->rate_limit >= 0) {
                struct fault *fault = fault_add(faults, FAULT_W203, unlimited,
                                                "api `" STR_FMT
                                                "` answers the public without a rate "
                                                "limit",
                                                STR_ARG(levels->api->name));
                fault->aside = door_text(check, levels->channel, listener);
                fault->help = S(
                        "add `policies: { rate_limit: 10/s per consumer }`, or `rate_limit: "
                        "off` to say that it is meant");
                return true;
        }
        return false;
}

static bool is_behind(const struct conf_channel *channel, const struct conf_listener *listener)
{
        if (channel == NULL || channel->listener.count == 0)
                return true;
        for (size_t i = 0; i < channel->listener.count; i++) {
                if (str_eq(channel->listener.at[i], listener->name))
                        return true;
        }
        return false;
}

/* One API in one channel (NULL: there are none) at all listeners. */
static bool check_api_in(struct check *check, const struct conf_api *api,
                         const struct conf_channel *channel)
{
        const struct config *config = check->config;
        const struct levels levels = {.config = config, .channel = channel, .api = api};
        for (size_t i = 0; i < config->listeners_count; i++) {
                const struct conf_listener *listener = &config->listeners[i];
                if (listener->redirect == CONF_REDIRECT_OFF &&
                    !host_is_loopback(listener->address.host) && is_behind(channel, listener) &&
                    check_door(check, &levels, listener))
                        return true;
        }
        return false;
}

static void check_api(struct check *check, const struct conf_api *api)
{
        if (check->config->channels_count == 0) {
                check_api_in(check, api, NULL);
                return;
        }
        for (size_t i = 0; i < api->channels.count; i++) {
                const struct conf_channel *channel = config_find(check->config, CONFIG_CHANNEL,
                                                                 api->channels.at[i]);
                if (channel != NULL && check_api_in(check, api, channel))
                        return;
        }
}

static void fault_address(struct check *check, const struct json *node, const struct json *other)
{
        struct fault *fault = fault_add(check->faults, FAULT_E204, node,
                                        "the address `" STR_FMT "` is used twice",
                                        STR_ARG(fault_quote(check->faults, node)));
        fault->also = place_of(check->faults->sources, other);
}

static bool same_address(const struct host_port *a, const struct host_port *b)
{
        return a->port == b->port && a->port != 0 && str_eq_nocase(a->host, b->host);
}

static const struct json *address_of(const struct json *node)
{
        const struct json *address = json_get(node, S("address"));
        return address == NULL ? node : address;
}

static void check_addresses(struct check *check)
{
        const struct config *config = check->config;
        for (size_t i = 0; i < config->listeners_count; i++) {
                const struct conf_listener *one = &config->listeners[i];
                if (one->redirect != CONF_REDIRECT_OFF && one->tls_count > 0)
                        fault_add(check->faults, FAULT_E206, json_get(one->node, S("redirect")),
                                  "callers of listener `" STR_FMT "` speak https already",
                                  STR_ARG(one->name));
                for (size_t j = 0; j < i; j++) {
                        const struct conf_listener *other = &config->listeners[j];
                        if (same_address(&one->address, &other->address))
                                fault_address(check, address_of(one->node),
                                              address_of(other->node));
                }
                if (!config->admin.is_off && config->admin.node != NULL &&
                    same_address(&one->address, &config->admin.address))
                        fault_address(check, address_of(config->admin.node), address_of(one->node));
        }
}

static bool share_listener(const struct config *config, const struct conf_channel *a,
                           const struct conf_channel *b)
{
        for (size_t i = 0; i < config->listeners_count; i++) {
                if (is_behind(a, &config->listeners[i]) && is_behind(b, &config->listeners[i]))
                        return true;
        }
        return false;
}

/* A host that a channel answers to; the next one of the same host. */
struct host {
        const struct conf_channel *channel;
        const struct json *node;
        struct host *next;
};

static void check_host(struct check *check, struct map *hosts, struct str name, struct host host)
{
        char *lower = arena_alloc(check->arena, name.len + 1);
        for (size_t i = 0; i < name.len; i++)
                lower[i] = char_lower(name.ptr[i]);
        struct host *mine = arena_new(check->arena, struct host);
        *mine = host;
        mine->next = map_put(hosts, str_from(lower, name.len), mine);
        for (const struct host *other = mine->next; other != NULL; other = other->next) {
                if (!share_listener(check->config, other->channel, host.channel))
                        continue;
                struct fault *fault = fault_add(
                        check->faults, FAULT_E203, host.node,
                        "channels `" STR_FMT "` and `" STR_FMT "` answer to the same host",
                        STR_ARG(other->channel->name), STR_ARG(host.channel->name));
                fault->also = place_of(check->faults->sources, other->node);
                return;
        }
}

static void check_hosts(struct check *check)
{
        struct map hosts;
        map_init(&hosts, check->arena);
        for (size_t i = 0; i < check->config->channels_count; i++) {
                const struct conf_channel *channel = &check->config->channels[i];
                struct host host = {.channel = channel, .node = json_key(channel->node)};
                if (channel->hosts.count == 0)
                        check_host(check, &hosts, S("*"), host);
                for (size_t j = 0; j < channel->hosts.count; j++) {
                        host.node = channel->hosts.nodes[j];
                        check_host(check, &hosts, channel->hosts.at[j], host);
                }
        }
}

/* Whoever may say that he is somebody else must be somebody we know. */
static void check_introductions(struct check *check)
{
        for (size_t i = 0; i < check->config->listeners_count; i++) {
                const struct conf_listener *listener = &check->config->listeners[i];
                if (listener->proxy_protocol == CONF_INTRODUCTION_OFF ||
                    listener->trusted_proxies.count > 0)
                        continue;
                struct fault *fault = fault_add(check->faults, FAULT_E108,
                                                json_get(listener->node, S("proxy_protocol")),
                                                "`proxy_protocol` needs `trusted_proxies`");
                fault->label = S("nobody's header would be believed");
                fault->help = S("write the networks of the proxies in front: `trusted_proxies: "
                                "[10.0.0.0/8]`");
        }
}

void check_doors(struct check *check)
{
        check_addresses(check);
        check_introductions(check);
        check_hosts(check);
        for (size_t i = 0; i < check->config->apis_count; i++)
                check_api(check, &check->config->apis[i]);
}
