/* watchdog.h -- notices that a worker does not turn. Looked at from the steward's timer twice a
 * second; a worker that has been in one turn for WATCHDOG_LIMIT_MS writes where it is, then the
 * process dies, and the keeper starts another. When the steward itself was late (the machine slept,
 * the process was stopped), nobody is blamed. Blocking work belongs in no loop that is watched. */
#pragma once

#include <pthread.h>

#include "io/loop.h"

enum { WATCHDOG_LIMIT_MS = 2000, WATCHDOG_LOOK_MS = 250 };

struct watched {
        struct loop *loop;
        pthread_t thread;
        const char *name;
};

struct watchdog {
        struct timer look;
        struct loop *steward;
        const struct watched *watched; /* the caller's; must last */
        size_t count;
        uint64_t looked;            /* ns, when it looked last */
        void (*stuck)(void *owner); /* told before the dump begins, e.g. keeper_link_stuck */
        void *owner;
};

/* Begins to look, from the steward's loop. */
void watchdog_start(struct watchdog *watchdog, struct loop *steward, const struct watched *watched,
                    size_t count);
void watchdog_stop(struct watchdog *watchdog);
