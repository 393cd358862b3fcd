/* partial.c -- the run of bytes doubles as it grows; the reader keeps offsets, so it may move. */
#include "http/partial.h"

#include "base/check.h"

static size_t bytes_max(const struct h1_limits *limits)
{
        /* A line more than the limits allow, so that the reader meets them first. */
        return (size_t)limits->target + limits->header + limits->field + 256;
}

struct partial *partial_make(struct page_pool *pool, const struct h1_head *head, struct str bytes)
{
        struct arena arena;
        if (page_pool_is_low(pool))
                return NULL;
        arena_init(&arena, pool, SIZE_MAX / 2);
        struct partial *partial = arena_new(&arena, struct partial);
        size_t fields = (size_t)head->limits->fields * sizeof *head->fields;
        /* The one behind the last is of the line in hand. */
        size_t known = size_min(head->count + 1u, head->limits->fields);
        partial->head = *head;
        partial->head.fields = arena_alloc(&arena, fields);
        memcpy(partial->head.fields, head->fields, known * sizeof *head->fields);
        partial->cap = size_max(bytes.len * 2, 1024);
        partial->bytes = arena_alloc(&arena, partial->cap);
        partial->len = bytes.len;
        memcpy(partial->bytes, bytes.ptr, bytes.len);
        partial->arena = arena;
        return partial;
}

void partial_free(struct partial *partial)
{
        struct arena arena = partial->arena;
        arena_fini(&arena);
}

enum h1_state partial_read(struct partial *partial, struct str more, size_t *ret_used)
{
        size_t before = partial->len, used;
        size_t taken = size_min(more.len, bytes_max(partial->head.limits) - before);
        if (before + taken > partial->cap) {
                size_t cap = (before + taken) * 2;
                char *bytes = arena_alloc(&partial->arena, cap);
                memcpy(bytes, partial->bytes, before);
                partial->bytes = bytes;
                partial->cap = cap;
        }
        memcpy(partial->bytes + before, more.ptr, taken);
        partial->len = before + taken;
        enum h1_state state = h1_read(&partial->head, partial_bytes(partial), &used);
        if (state == H1_DONE) {
                CHECK(used >= before && used <= partial->len);
                *ret_used = used - before;
        }
        if (state == H1_MORE && taken < more.len) {
                partial->head.fault = H1_FAULT_FIELD_LENGTH;
                return H1_BAD;
        }
        return state;
}
