/* slab.h -- cells of one size out of pages: for connections, of which there are many and which are
 * small. Cells come back to the slab; its pages stay with it. */
#pragma once

#include "base/page.h"

struct slab_cell {
        struct slab_cell *next;
};

struct slab {
        struct page_pool *pool;
        struct page *pages;
        struct slab_cell *free;
        uint32_t cell_size, cells_per_page;
        size_t in_use;
};

/* Cells of `size` bytes, at most PAGE_ROOM. */
void slab_init(struct slab *slab, struct page_pool *pool, size_t size);
void slab_fini(struct slab *slab); /* every cell must have been given back */

/* A cleared cell, aligned for any type; NULL when the pool is out of pages. */
void *slab_take(struct slab *slab);
void slab_give(struct slab *slab, void *cell);
