/* levels.c -- from a route back to what was written. */
#include "cmd/levels.h"

struct levels levels_of(const struct config *config, const struct route *route)
{
        struct levels levels = {.at = {{&config->policies, &config->enforce}}};
        levels.channel = config_find(config, CONFIG_CHANNEL, route->channel->name);
        for (size_t i = 0; i < config->apis_count; i++) {
                if (str_eq(config->apis[i].name, route->api->name))
                        levels.api = &config->apis[i];
        }
        for (size_t i = 0; levels.api != NULL && i < levels.api->routes_count; i++) {
                if (str_eq(levels.api->routes[i].name, route->name))
                        levels.route = &levels.api->routes[i];
        }
        if (levels.channel != NULL)
                levels.at[1] = (struct level_view){&levels.channel->policies,
                                                   &levels.channel->enforce};
        if (levels.api != NULL)
                levels.at[2].policies = &levels.api->policies;
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
