/* levels.c -- from a route back to what was written. */
#include "cmd/levels.h"

/* Nodes of one array lie in the order of the document, so that a route is found by its place. */
static const struct conf_route *route_at(const struct conf_api *api, const struct json *node)
{
        size_t low = 0, high = api->routes_count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (api->routes[middle].node < node)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < api->routes_count && api->routes[low].node == node ? &api->routes[low] : NULL;
}

struct levels levels_of(const struct config *config, const struct route *route)
{
        struct levels levels = {.at = {{&config->policies, &config->enforce}}};
        levels.channel = config_find(config, CONFIG_CHANNEL, route->channel->name);
        levels.api = &config->apis[route->api->id];
        levels.route = route_at(levels.api, route->node);
        levels.at[2].policies = &levels.api->policies;
        if (levels.channel != NULL)
                levels.at[1] = (struct level_view){&levels.channel->policies,
                                                   &levels.channel->enforce};
        if (levels.route != NULL)
                levels.at[3].policies = &levels.route->policies;
        return levels;
}

const struct block_item *levels_item(const struct block *block, size_t policy)
{
        for (size_t i = 0; block != NULL && i < block->count; i++) {
                if (block->at[i].index == policy)
                        return &block->at[i];
        }
        return NULL;
}

const struct block_item *levels_last(const struct levels *levels, size_t policy,
                                     const struct block_item **ret_before)
{
        const struct block_item *last = NULL;
        *ret_before = NULL;
        for (int i = 0; i < LEVELS_MOST; i++) {
                const struct block_item *item = levels_item(levels->at[i].policies, policy);
                if (item == NULL)
                        continue;
                *ret_before = last;
                last = item;
        }
        return last;
}
