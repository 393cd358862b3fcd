/* arena.c -- small pieces are bumped out of the page in hand; what does not fit in a page has a
 * chunk of its own. Past the limit it goes on (reserve pages, then the heap) and remembers that it
 * failed: the work in hand is about to be ended by its owner. */
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

enum { ALIGN = 16, HEAP_CHUNK = 64 * 1024 };

struct arena_chunk {
        struct arena_chunk *next;
        size_t size;
        alignas(ALIGN) char data[];
};

struct arena_cleanup {
        struct arena_cleanup *next;
        void (*fn)(void *arg);
        void *arg;
};

static size_t heap_fail_at;

void arena_fail_at(size_t n)
{
        heap_fail_at = n;
}

void arena_init(struct arena *arena, struct page_pool *pool, size_t max)
{
        *arena = (struct arena){.pool = pool, .max = max};
}

void arena_fini(struct arena *arena)
{
        while (arena->cleanups != NULL) {
                struct arena_cleanup *cleanup = arena->cleanups;
                arena->cleanups = cleanup->next;
                cleanup->fn(cleanup->arg);
        }
        while (arena->pages != NULL) {
                struct page *page = arena->pages;
                arena->pages = page->next;
                page_give(arena->pool, page);
        }
        while (arena->chunks != NULL) {
                struct arena_chunk *chunk = arena->chunks;
                arena->chunks = chunk->next;
                free(chunk);
        }
        *arena = (struct arena){.pool = arena->pool, .max = arena->max};
}

static void account(struct arena *arena, size_t size)
{
        if (add_overflows(arena->used, size, &arena->used))
                panic("arena: size overflow");
        if (arena->used > arena->max)
                arena->is_failed = true;
}

static struct arena_chunk *chunk_add(struct arena *arena, size_t size)
{
        size_t total;
        if (add_overflows(size, sizeof(struct arena_chunk), &total))
                panic("arena: size overflow");
        account(arena, total);
        if (arena->pool == NULL && heap_fail_at > 0 && --heap_fail_at == 0)
                arena->is_failed = true;
        struct arena_chunk *chunk = malloc(total);
        if (chunk == NULL)
                panic("out of memory: %zu bytes", total);
        chunk->size = size;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
        return chunk;
}

static void *alloc_slow(struct arena *arena, size_t size)
{
        size_t small = arena->pool == NULL ? HEAP_CHUNK / 4 : PAGE_ROOM / 2;
        if (size > small)
                return chunk_add(arena, size)->data;
        if (arena->pool == NULL) {
                struct arena_chunk *chunk = chunk_add(arena, HEAP_CHUNK);
                arena->at = chunk->data;
                arena->end = chunk->data + HEAP_CHUNK;
        } else {
                struct page *page = page_take(arena->pool);
                if (page == NULL) {
                        arena->is_failed = true;
                        page = page_take_reserved(arena->pool);
                }
                /* However many end at once: a piece each is little, and soon given back. */
                if (page == NULL)
                        return chunk_add(arena, size)->data;
                account(arena, PAGE_SIZE);
                page->next = arena->pages;
                arena->pages = page;
                arena->at = page->data;
                arena->end = page->data + PAGE_ROOM;
        }
        void *piece = arena->at;
        arena->at += size;
        return piece;
}

void *arena_alloc(struct arena *arena, size_t size)
{
        size_t rounded = (size_max(size, 1) + ALIGN - 1) & ~(size_t)(ALIGN - 1);
        CHECK(rounded >= size);
        if (likely(rounded <= (size_t)(arena->end - arena->at))) {
                void *piece = arena->at;
                arena->at += rounded;
                return piece;
        }
        return alloc_slow(arena, rounded);
}

void *arena_zero(struct arena *arena, size_t count, size_t size)
{
        size_t total;
        if (mul_overflows(count, size, &total))
                panic("arena: size overflow");
        return memset(arena_alloc(arena, total), 0, total);
}

struct str arena_str(struct arena *arena, struct str s)
{
        char *copy = arena_alloc(arena, s.len);
        if (s.len > 0)
                memcpy(copy, s.ptr, s.len);
        return (struct str){copy, s.len};
}

char *arena_cstr(struct arena *arena, struct str s)
{
        char *copy = arena_alloc(arena, s.len + 1);
        if (s.len > 0)
                memcpy(copy, s.ptr, s.len);
        copy[s.len] = '\0';
        return copy;
}

struct str arena_vformat(struct arena *arena, const char *format, va_list args)
{
        va_list again;
        CHECK(format != NULL);
        va_copy(again, args);
        int n = vsnprintf(NULL, 0, format, args);
        CHECK(n >= 0);
        char *text = arena_alloc(arena, (size_t)n + 1);
        vsnprintf(text, (size_t)n + 1, format, again);
        va_end(again);
        return (struct str){text, (size_t)n};
}

struct str arena_format(struct arena *arena, const char *format, ...)
{
        va_list args;
        va_start(args, format);
        struct str text = arena_vformat(arena, format, args);
        va_end(args);
        return text;
}

void arena_defer(struct arena *arena, void (*fn)(void *arg), void *arg)
{
        struct arena_cleanup *cleanup = arena_alloc(arena, sizeof *cleanup);
        *cleanup = (struct arena_cleanup){arena->cleanups, fn, arg};
        arena->cleanups = cleanup;
}
