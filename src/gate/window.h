/* window.h -- what the last seconds were like: requests and errors a second, durations, of all APIs
 * and of each. The steward looks at the counters every five seconds and keeps two looks; what has
 * come since the older of them is the window, five to ten seconds long. */
#pragma once

#include "base/arena.h"
#include "io/loop.h"
#include "record/count.h"

struct window_look;

struct window {
        struct loop *loop;
        const struct count_board *board;
        struct timer timer;
        struct arena arena;
        struct window_look *looks[2]; /* the newer one first */
};

struct window_view {
        uint64_t ns;       /* how long it is */
        uint64_t requests; /* that ended in it */
        uint64_t statuses[STATUS_CLASSES];
        uint64_t p50_ns, p95_ns, p99_ns;
};

void window_init(struct window *window, struct loop *loop, const struct count_board *board);
void window_fini(struct window *window);

/* Of one API's series. */
void window_api(const struct window *window, unsigned series, struct window_view *ret_view);

/* Of all requests. */
void window_all(const struct window *window, struct window_view *ret_view);
