/* levels.h -- the levels at which the policies of a route stand: top, channel, API, route, from
 * outside in, as they were written. What holds of them the compiler decides; this is for showing
 * where a value came from and what it took the place of. */
#pragma once

#include "config/config.h"
#include "gate/snapshot.h"

enum { LEVELS_MOST = 4 };

struct level_view {
        const struct block *policies, *enforce; /* NULL: none */
};

struct levels {
        struct level_view at[LEVELS_MOST];
        const struct conf_channel *channel; /* NULL: the one that is there without any */
        const struct conf_api *api;
        const struct conf_route *route; /* NULL: the API has none */
};

struct levels levels_of(const struct config *config, const struct route *route);

/* What a block says of a policy; NULL: nothing. */
const struct block_item *levels_item(const struct block *block, size_t policy);

/* The innermost word on a policy, and (ret_before, NULL when there is none) the one that it took
 * the place of. NULL: nobody wrote one. */
const struct block_item *levels_last(const struct levels *levels, size_t policy,
                                     const struct block_item **ret_before);
