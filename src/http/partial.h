/* partial.h -- a head (or trailer section) that did not arrive in one piece: its bytes so far and
 * where the reader stands. Made only then, bounded by the limits of the head. */
#pragma once

#include "base/arena.h"
#include "wire/h1.h"

struct partial {
        struct arena arena;
        struct h1_head head;
        char *bytes;
        size_t len, cap;
};

/* Begins one with a reader that stands behind `bytes`, which are copied. NULL: out of pages. */
struct partial *partial_make(struct page_pool *pool, const struct h1_head *head, struct str bytes);
void partial_free(struct partial *partial);

/* Appends bytes and reads on. *ret_used: how many of `more` belong to the head, when it is done. */
enum h1_state partial_read(struct partial *partial, struct str more, size_t *ret_used);

static inline struct str partial_bytes(const struct partial *partial)
{
        return (struct str){partial->bytes, partial->len};
}
