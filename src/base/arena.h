/* arena.h -- bump allocator that dies in one call. An exchange, a snapshot and a call of the admin
 * each have one. Allocation never yields NULL: what exceeds the limit is still served, and the
 * failure sticks, so that the owner checks `is_failed` between its steps and nobody else has to. */
#pragma once

#include <stdarg.h>

#include "base/base.h"
#include "base/page.h"
#include "base/str.h"

struct arena_chunk;
struct arena_cleanup;

struct arena {
        char *at, *end;
        struct page *pages;         /* newest first */
        struct arena_chunk *chunks; /* pieces too big for a page, and all of a heap arena */
        struct arena_cleanup *cleanups;
        struct page_pool *pool; /* NULL: chunks from the heap */
        size_t used, max;
        bool is_failed;
};

/* An arena of at most `max` bytes on pages of `pool`, or on the heap when pool is NULL. */
void arena_init(struct arena *arena, struct page_pool *pool, size_t max);

/* Runs the cleanups, newest first, and gives everything back. The arena may be used again. */
void arena_fini(struct arena *arena);

/* `size` bytes, aligned for any type, not cleared. */
void *arena_alloc(struct arena *arena, size_t size);

/* The same, cleared; count * size is checked for overflow (is_failed). */
void *arena_zero(struct arena *arena, size_t count, size_t size);

#define arena_new(arena, type)          ((type *)arena_zero(arena, 1, sizeof(type)))
#define arena_array(arena, type, count) ((type *)arena_zero(arena, count, sizeof(type)))

struct str arena_str(struct arena *arena, struct str s); /* a copy */
char *arena_cstr(struct arena *arena, struct str s);     /* a copy with a NUL behind */
struct str arena_format(struct arena *arena, const char *format, ...) printf_like(2, 3);
struct str arena_vformat(struct arena *arena, const char *format, va_list args) printf_like(2, 0);

/* fn(arg) is called by arena_fini. */
void arena_defer(struct arena *arena, void (*fn)(void *arg), void *arg);

/* For tests: the n-th growth of any heap arena from now on fails, once. 0 means never. */
void arena_fail_at(size_t n);
