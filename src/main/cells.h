/* cells.h -- the memory of the live cells, held for those who use it: limits and counters outlive a
 * crash and an upgrade because the keeper never lets go of it. What lies in it is not its business.
 */
#pragma once

#include "base/base.h"
#include "base/err.h"

enum { CELLS_KEPT = 2 };

#define CELLS_SIZE_MAX ((uint64_t)16 << 30)

/* One memory per layout, the last two: an upgrade to another layout can be taken back. */
struct cells {
        struct cells_memory {
                int fd;                       /* -1: none */
                uint64_t size, layout, asked; /* asked: a number that grows, to find the older */
        } memory[CELLS_KEPT];
        uint64_t asks;
};

void cells_init(struct cells *cells);
void cells_close(struct cells *cells);

/* The memory of that layout, at least that large, made or grown if need be; zero where nobody
 * wrote. It can never be made smaller, so that nobody who maps it dies of another's doing. */
must_use enum err cells_hold(struct cells *cells, uint64_t size, uint64_t layout,
                             const struct cells_memory **ret_memory);
