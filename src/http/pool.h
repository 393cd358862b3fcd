/* pool.h -- gives the back end of an exchange: an idle connection to that address, or a new one.
 * One pool for each address, worker and set of security inputs (TLS name, verify mode, client
 * certificate: later); so a connection never serves what it was not made for. One that was told
 * whose it is (PROXY header) serves exchanges of that caller alone. Which address is not decided
 * here. A pool must live until its last connection is gone (open_count). */
#pragma once

#include "http/exchange.h"
#include "wire/proxy.h"

struct pool {
        struct http *http;
        struct list idle; /* of conn.task.node, the one used last first */
        struct addr addr;
        uint32_t idle_count, open_count, max;
        uint8_t speaks;   /* enum proxy_version: of the header that new ones begin with */
        uint64_t idle_ns; /* how long one may lie idle; 0: none is kept */
        uint64_t age_ns;  /* how old one may become; 0: any age */
        uint64_t opened, reused, failed;
        void (*changed)(struct pool *pool); /* after idle_count or open_count; NULL: nobody asks */
};

void pool_init(struct pool *pool, struct http *http, const struct addr *addr);

/* Gives ex->back a conn. ERR_ok: it is ready; ERR_again: it is being made, the exchange is resumed
 * when back.is_ready or back.failure is set; ERR_limit: `max` are open; else it cannot be had.
 * `is_fresh`: not one that was idle. A new one must be up within `connect_ns` (0: any time) and by
 * times.deadline. */
must_use enum err pool_get(struct pool *pool, struct exchange *ex, bool is_fresh,
                           uint64_t connect_ns);

/* Closes what is idle; busy ones are not kept afterwards. */
void pool_drain(struct pool *pool);

/* For conn.c: it is connected; says whose it is, where the pool wants that, before anything else.
 */
void pool_introduce(struct conn *conn);

/* For the codec: the conn is free again. */
void pool_give(struct conn *conn);

/* For the codec: it was closed, or is not to be used again. */
void pool_lost(struct conn *conn);
