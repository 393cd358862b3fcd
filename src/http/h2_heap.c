/* h2_heap.c -- each piece bears its size in front of it. */
#include "http/h2_heap.h"

#include <stdlib.h>

#include "base/check.h"

/* As large as what keeps the piece behind it aligned for any type. */
union tag {
        size_t size;
        max_align_t any;
};

static bool count(struct h2_heap_sum *sum, struct h2_heap *heap, size_t size)
{
        size_t used = heap == NULL ? 0 : heap->used;
        if (size > H2_HEAP_MAX - used || sum->used + size > sum->max) {
                sum->refused++;
                return false;
        }
        sum->used += size;
        if (heap != NULL)
                heap->used += size;
        return true;
}

static void uncount(struct h2_heap *heap, size_t size)
{
        CHECK(size <= heap->used && size <= heap->sum->used);
        heap->used -= size;
        heap->sum->used -= size;
}

static void *take(size_t size, void *arg)
{
        struct h2_heap *heap = arg;
        if (size > H2_HEAP_MAX || !count(heap->sum, heap, sizeof(union tag) + size))
                return NULL;
        union tag *tag = malloc(sizeof(union tag) + size);
        if (tag == NULL) {
                uncount(heap, sizeof(union tag) + size);
                return NULL;
        }
        tag->size = sizeof(union tag) + size;
        return tag + 1;
}

static void give(void *piece, void *arg)
{
        union tag *tag = piece;
        if (piece == NULL)
                return;
        uncount(arg, (--tag)->size);
        free(tag);
}

static void *take_zero(size_t number, size_t size, void *arg)
{
        void *piece = number > 0 && size > H2_HEAP_MAX / number ? NULL : take(number * size, arg);
        if (piece != NULL)
                memset(piece, 0, number * size);
        return piece;
}

static void *take_again(void *piece, size_t size, void *arg)
{
        void *larger = take(size, arg);
        if (larger == NULL || piece == NULL)
                return larger;
        size_t before = ((union tag *)piece)[-1].size - sizeof(union tag);
        memcpy(larger, piece, size_min(before, size));
        give(piece, arg);
        return larger;
}

struct h2_heap *h2_heap_make(struct h2_heap_sum *sum, size_t size)
{
        CHECK(size >= sizeof(struct h2_heap));
        if (!count(sum, NULL, size))
                return NULL;
        struct h2_heap *heap = calloc(1, size);
        if (heap == NULL) {
                sum->used -= size;
                return NULL;
        }
        *heap = (struct h2_heap){
                .sum = sum,
                .used = size,
                .calls = {heap, take, give, take_zero, take_again},
        };
        return heap;
}

void h2_heap_free(struct h2_heap *heap)
{
        /* Its own piece is all that is left: what the library took, it gave back. */
        heap->sum->used -= heap->used;
        free(heap);
}
