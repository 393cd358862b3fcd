/* h2_heap.h -- memory of the HTTP/2 library, which asks for pieces of any size: from the heap, each
 * counted for its conn and for all conns of the loop. What goes over either maximum is refused, and
 * the conn ends. What exchanges need lies in their arenas, as ever. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "base/base.h"

/* Of one conn. HPACK tables, frames and answers' heads on their way, the library's own records of
 * streams: with 100 streams and large heads about half of it. */
enum { H2_HEAP_MAX = 1024 * 1024 };

/* What all conns of a loop have together. */
struct h2_heap_sum {
        uint64_t used, max;
        uint64_t refused; /* how often a maximum was met */
};

struct h2_heap {
        struct h2_heap_sum *sum;
        size_t used;
        nghttp2_mem calls; /* for the library */
};

/* A cleared piece of `size` bytes that begins with a struct h2_heap, which counts it; NULL when
 * there is no memory for it. */
struct h2_heap *h2_heap_make(struct h2_heap_sum *sum, size_t size);

/* Everything else must have been given back. */
void h2_heap_free(struct h2_heap *heap);
