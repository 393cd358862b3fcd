/* slab.c -- a free list over pages. */
#include "base/slab.h"

#include "base/check.h"

enum { ALIGN = 16 };

void slab_init(struct slab *slab, struct page_pool *pool, size_t size)
{
        size_t rounded = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
        CHECK(rounded <= PAGE_ROOM);
        *slab = (struct slab){.pool = pool, .cell_size = (uint32_t)rounded};
        slab->cells_per_page = (uint32_t)(PAGE_ROOM / rounded);
}

void slab_fini(struct slab *slab)
{
        CHECK(slab->in_use == 0);
        while (slab->pages != NULL) {
                struct page *page = slab->pages;
                slab->pages = page->next;
                unpoison(page->data, sizeof page->data);
                page_give(slab->pool, page);
        }
        slab->free = NULL;
}

static bool grow(struct slab *slab)
{
        struct page *page = page_take(slab->pool);
        if (page == NULL)
                return false;
        page->next = slab->pages;
        slab->pages = page;
        for (uint32_t i = slab->cells_per_page; i > 0; i--) {
                void *at = page->data + (size_t)(i - 1) * slab->cell_size;
                struct slab_cell *cell = at;
                cell->next = slab->free;
                slab->free = cell;
                poison(cell + 1, slab->cell_size - sizeof *cell);
        }
        return true;
}

void *slab_take(struct slab *slab)
{
        if (slab->free == NULL && !grow(slab))
                return NULL;
        struct slab_cell *cell = slab->free;
        slab->free = cell->next;
        slab->in_use++;
        unpoison(cell, slab->cell_size);
        return memset(cell, 0, slab->cell_size);
}

void slab_give(struct slab *slab, void *cell)
{
        struct slab_cell *back = cell;
        CHECK(slab->in_use > 0);
        slab->in_use--;
        back->next = slab->free;
        slab->free = back;
        poison(back + 1, slab->cell_size - sizeof *back);
}
