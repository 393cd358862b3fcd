/* inner.h -- a front end without a connection: an exchange that begins inside (a question of a
 * policy, a call of the gate to itself) has one, and its response is collected in memory, bounded.
 */
#pragma once

#include "http/exchange.h"

struct inner {
        struct exchange *ex; /* NULL: over, or given up */
        struct arena *arena; /* where the body is collected */
        char *bytes;
        size_t len, cap, max;
        enum reason failure; /* none; overloaded when the body was larger than max */
        /* The response is complete in ex->res and bytes, or failure is set. Called once; not after
         * inner_give_up. */
        void (*done)(struct inner *inner);
};

extern const struct codec codec_inner;

/* Makes the new exchange's front an inner one. done, arena and max are set. */
void inner_attach(struct inner *inner, struct exchange *ex);

/* Nobody wants the answer any more: the exchange ends by itself. */
void inner_give_up(struct inner *inner);

/* For the site: no response will come; tells whoever asked. Does nothing for other fronts. */
void inner_fail(struct exchange *ex, enum reason failure);
