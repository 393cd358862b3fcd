/* page.c -- pages come from the system in batches and stay in the pool; with ASan a free page is
 * poisoned, so that whoever still writes to it is caught. */
#include "base/page.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/check.h"

enum { BATCH_PAGES = 64, BATCHES_MAX = 1 << 16 };

struct page_pool {
        struct page *free;
        size_t in_use, made, max, reserve;
        size_t fail_at;
        size_t batch_count, batch_cap;
        void **batches;
};

static_assert(sizeof(struct page) == PAGE_SIZE, "a page fills a page");

static bool batch_add(struct page_pool *pool)
{
        size_t count = size_min(BATCH_PAGES, pool->max - pool->made);
        if (count == 0)
                return false;
        if (pool->batch_count == pool->batch_cap) {
                size_t cap = pool->batch_cap == 0 ? 16 : pool->batch_cap * 2;
                void **batches = realloc(pool->batches, cap * sizeof *batches);
                if (batches == NULL)
                        return false;
                pool->batches = batches;
                pool->batch_cap = cap;
        }
        char *memory = mmap(NULL, BATCH_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
                return false;
        pool->batches[pool->batch_count++] = memory;
        pool->made += count;
        for (size_t i = count; i > 0; i--) {
                struct page *page = (struct page *)(void *)(memory + (i - 1) * PAGE_SIZE);
                page->next = pool->free;
                pool->free = page;
                poison(page->data, sizeof page->data);
        }
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
        free(pool);
}

static struct page *take(struct page_pool *pool)
{
        struct page *page = pool->free;
        if (unlikely(page == NULL)) {
                if (!batch_add(pool))
                        return NULL;
                page = pool->free;
        }
        pool->free = page->next;
        pool->in_use++;
        unpoison(page->data, sizeof page->data);
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
        struct page *page = take(pool);
        if (page == NULL)
                panic("out of pages: %zu of %zu are in use", pool->in_use, pool->max);
        return page;
}

void page_give(struct page_pool *pool, struct page *page)
{
        CHECK(pool->in_use > 0);
        pool->in_use--;
        page->next = pool->free;
        pool->free = page;
        poison(page->data, sizeof page->data);
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
