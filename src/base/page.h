/* page.h -- a pool of 4 KiB pages, one per thread. All memory that grows with traffic comes from
 * here, so its maximum is the memory limit of a worker. Last in, first out: the page in hand is
 * warm. */
#pragma once

#include "base/base.h"
#include "base/err.h"

/* Page as its owner sees it; a free page links to the next free one. */
struct page {
        struct page *next;
        uint32_t begin, end; /* what is in use of data[], for whoever queues pages */
        char data[PAGE_SIZE - sizeof(struct page *) - 2 * sizeof(uint32_t)];
};

enum { PAGE_ROOM = sizeof(((struct page *)0)->data) };

struct page_pool;

/* A pool of at most `max` pages, taken from the system as they are needed; `reserve` of them are
 * kept for page_take_reserved. Dies when the system refuses the first batch. */
struct page_pool *page_pool_make(size_t max, size_t reserve);
void page_pool_free(struct page_pool *pool); /* every page must have been given back */

/* A page with next = NULL and begin = end = 0; NULL when only the reserve is left. */
struct page *page_take(struct page_pool *pool);

/* As page_take, but may use the reserve: for work that is already under way and about to end. NULL
 * when even that is used up. */
struct page *page_take_reserved(struct page_pool *pool);

void page_give(struct page_pool *pool, struct page *page);

/* True when new work should be refused: less than the reserve and a quarter of it again is left. */
bool page_pool_is_low(const struct page_pool *pool);

/* Gives the memory of pages back to the system that were free ever since the last call; returns how
 * many. They stay in the pool. Worth calling now and then while page_pool_can_trim. */
size_t page_pool_trim(struct page_pool *pool);
bool page_pool_can_trim(const struct page_pool *pool);

size_t page_pool_in_use(const struct page_pool *pool);
size_t page_pool_max(const struct page_pool *pool);

/* For tests: the n-th page_take from now on fails, once. 0 means never. */
void page_pool_fail_at(struct page_pool *pool, size_t n);
