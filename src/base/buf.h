/* buf.h -- a bounded queue of bytes in pages. It cannot be made without a maximum. Empty, it holds
 * no page. What is queued can be seen as an iovec and dropped from the front as it is taken. */
#pragma once

#include <sys/uio.h>

#include "base/base.h"
#include "base/page.h"
#include "base/str.h"

struct buf {
        struct page *first, *last;
        struct page_pool *pool;
        uint32_t len, max; /* bytes queued; bytes allowed */
};

static inline void buf_init(struct buf *buf, struct page_pool *pool, uint32_t max)
{
        *buf = (struct buf){.pool = pool, .max = max};
}

void buf_fini(struct buf *buf); /* drops everything */

/* How many bytes may still be added. */
static inline size_t buf_room(const struct buf *buf)
{
        return buf->len >= buf->max ? 0 : buf->max - buf->len;
}

/* Appends all of it or nothing; false when over the maximum or out of pages. */
must_use bool buf_add(struct buf *buf, const void *bytes, size_t len);

/* A contiguous place for `len` (at most PAGE_ROOM) bytes at the end, NULL when there is none;
 * then buf_commit for as many as were written. */
char *buf_reserve(struct buf *buf, size_t len);
void buf_commit(struct buf *buf, size_t len);

/* The first contiguous piece; empty when the queue is. */
struct slice buf_peek(const struct buf *buf);

/* Fills at most `count` entries; returns how many. */
int buf_iovec(const struct buf *buf, struct iovec *iov, int count);

/* Takes `len` bytes off the front. */
void buf_drop(struct buf *buf, size_t len);

/* Copies `len` bytes from `offset` on, as far as there are any; returns how many. */
size_t buf_copy(const struct buf *buf, size_t offset, void *to, size_t len);

/* Moves all of `from` behind what `to` holds, without a copy. Both on the same pool. */
void buf_move(struct buf *to, struct buf *from);
