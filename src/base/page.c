/* page.c -- pages come from the system in batches and stay in the pool; with ASan a free page is
 * poisoned, so that whoever still writes to it is caught. */
#include "base/page.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/check.h"

enum { BATCH_PAGES = 64, TRIM_LEAST = 32, TRIM_AT_ONCE = 1024 };

/* Free pages are a stack of pointers beside them: a page that nobody uses is not touched. The ones
 * at the bottom, `cold` of them, take no memory of the system: never used, or trimmed. */
struct page_pool {
        struct page **free;
        size_t free_count, cold;
        size_t free_least; /* how few were free since the last trim */
        size_t in_use, made, max, reserve;
        size_t fail_at;
        size_t batch_count, batch_cap;
        void **batches;
};

static_assert(sizeof(struct page) == PAGE_SIZE, "a page fills a page");

/* Room for one more batch in both tables. */
static bool tables_grow(struct page_pool *pool)
{
        if (pool->batch_count < pool->batch_cap)
                return true;
        size_t cap = pool->batch_cap == 0 ? 16 : pool->batch_cap * 2;
        void **batches = realloc(pool->batches, cap * sizeof *batches);
        if (batches == NULL)
                return false;
        pool->batches = batches;
        struct page **pages = realloc(pool->free, cap * BATCH_PAGES * sizeof(struct page *));
        if (pages == NULL)
                return false;
        pool->free = pages;
        pool->batch_cap = cap;
        return true;
}

/* Only when no page is free. */
static bool batch_add(struct page_pool *pool)
{
        size_t count = size_min(BATCH_PAGES, pool->max - pool->made);
        if (count == 0 || !tables_grow(pool))
                return false;
        char *memory = mmap(NULL, BATCH_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
                return false;
        pool->batches[pool->batch_count++] = memory;
        pool->made += count;
        for (size_t i = count; i > 0; i--) {
                struct page *page = (struct page *)(void *)(memory + (i - 1) * PAGE_SIZE);
                pool->free[pool->free_count++] = page;
                poison(page, sizeof *page);
        }
        pool->cold = pool->free_count;
        pool->free_least = 0;
        return true;
}

struct page_pool *page_pool_make(size_t max, size_t reserve)
{
        struct page_pool *pool = calloc(1, sizeof *pool);
        CHECK(pool != NULL && max > reserve);
        pool->max = max;
        pool->reserve = reserve;
        CHECK(batch_add(pool));
        return pool;
}

void page_pool_free(struct page_pool *pool)
{
        CHECK(pool->in_use == 0);
        for (size_t i = 0; i < pool->batch_count; i++) {
                unpoison(pool->batches[i], BATCH_PAGES * PAGE_SIZE);
                munmap(pool->batches[i], BATCH_PAGES * PAGE_SIZE);
        }
        free(pool->batches);
        free(pool->free);
        free(pool);
}

static struct page *take(struct page_pool *pool)
{
        if (unlikely(pool->free_count == 0) && !batch_add(pool))
                return NULL;
        struct page *page = pool->free[--pool->free_count];
        if (unlikely(pool->cold > pool->free_count))
                pool->cold = pool->free_count;
        if (unlikely(pool->free_least > pool->free_count))
                pool->free_least = pool->free_count;
        pool->in_use++;
        unpoison(page, sizeof *page);
        page->next = NULL;
        page->begin = page->end = 0;
        return page;
}

struct page *page_take(struct page_pool *pool)
{
        if (unlikely(pool->in_use + pool->reserve >= pool->max))
                return NULL;
        if (unlikely(pool->fail_at > 0) && --pool->fail_at == 0)
                return NULL;
        return take(pool);
}

struct page *page_take_reserved(struct page_pool *pool)
{
        return take(pool);
}

void page_give(struct page_pool *pool, struct page *page)
{
        CHECK(pool->in_use > 0);
        pool->in_use--;
        pool->free[pool->free_count++] = page;
        poison(page, sizeof *page);
}

bool page_pool_can_trim(const struct page_pool *pool)
{
        return pool->free_count > pool->cold + TRIM_LEAST;
}

size_t page_pool_trim(struct page_pool *pool)
{
        /* What was never taken since the last time lies at the bottom. */
        size_t end = size_min(pool->free_least, pool->cold + TRIM_AT_ONCE);
        size_t trimmed = 0;
        for (size_t i = pool->cold; i < end; i++, trimmed++)
                madvise(pool->free[i], PAGE_SIZE, MADV_DONTNEED);
        pool->cold += trimmed;
        pool->free_least = pool->free_count;
        return trimmed;
}

bool page_pool_is_low(const struct page_pool *pool)
{
        return pool->in_use + pool->reserve + pool->reserve / 4 >= pool->max;
}

size_t page_pool_in_use(const struct page_pool *pool)
{
        return pool->in_use;
}

size_t page_pool_max(const struct page_pool *pool)
{
        return pool->max;
}

void page_pool_fail_at(struct page_pool *pool, size_t n)
{
        pool->fail_at = n;
}
