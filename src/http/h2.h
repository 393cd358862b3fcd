/* h2.h -- HTTP/2 towards callers: how it begins on a conn. Afterwards it is a codec like the other.
 * A front of which it is not known yet which version it speaks has one of these tables, too. */
#pragma once

#include "http/codec.h"

/* Of one listener. Each is a number with a name in the configuration. */
struct h2_limits {
        uint32_t streams;  /* at the same time, counted until the work for them has ended */
        uint32_t resets;   /* streams broken off within H2_WINDOW_NS, by either side */
        uint32_t glitches; /* frames within H2_WINDOW_NS that were of no use */
};

#define H2_WINDOW_NS 30000000000ull

extern const struct codec h2_front;

/* In the clear, when both versions may come: the first bytes decide. */
extern const struct codec h2_or_h1_front;

/* From now on this front speaks HTTP/2, whose first byte is the next that comes. For who knows
 * already, from ALPN; its codec so far must have left nothing behind. False: no memory; the conn
 * was closed. */
must_use bool h2_begin(struct conn *conn);
