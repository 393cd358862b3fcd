/* shop.h -- a small service to put a gateway in front of: orders, made up and kept in memory, in
 * JSON over the house's own HTTP. It runs in a process of its own and dies with the one that
 * started it. For demonstrations; it is no part of the gateway. */
#pragma once

#include <sys/types.h>

#include "cmd/command.h"

struct shop {
        pid_t pid;
        unsigned port;
};

/* Starts it on the first free port from `from` on, of localhost. False after a complaint. */
bool shop_start(struct call *call, unsigned from, struct shop *ret_shop, int *ret_code);
void shop_stop(struct shop *shop);
