/* changes.h -- the difference of two configurations: of what is written, value by value, and of
 * what it means, route by route. Pure: two good bundles in, a list out. */
#pragma once

#include "gate/bundle.h"

enum change_kind { CHANGE_REMOVED, CHANGE_CHANGED, CHANGE_ADDED };

struct change {
        enum change_kind kind;
        struct str what;    /* "apis.orders.upstream"; of an effect "api orders, GET /x" */
        struct str was, is; /* brief values; empty: none */
        struct str place;   /* where the new value is written, of a removed one the old */
};

struct changes {
        struct arena *arena;
        struct change *at;
        size_t count, cap;
};

/* What is written, presets included: removals first. */
struct changes changes_written(struct bundle *before, struct bundle *after, struct arena *arena);

/* What it means: routes that come and go, policies that hold on them, consumers. The bundles must
 * have been compiled, dry. */
struct changes changes_meant(const struct snapshot *before, const struct snapshot *after,
                             struct arena *arena);
