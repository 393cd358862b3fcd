/* body.c -- the queue of one direction. Pushing itself is exchange_push: it needs both ends. */
#include "http/body.h"

#include "base/check.h"

void body_init(struct body *body, struct page_pool *pool)
{
        *body = (struct body){.length = BODY_LENGTH_UNKNOWN};
        buf_init(&body->held, pool, BODY_HELD_MAX);
        buf_init(&body->kept, pool, BODY_KEPT_MAX);
}

void body_fini(struct body *body)
{
        buf_fini(&body->held);
        buf_fini(&body->kept);
        body->hand = STR_NONE;
}

struct str body_peek(const struct body *body)
{
        struct slice piece = buf_peek(&body->held);
        if (piece.len > 0)
                return str_from((const char *)piece.ptr, piece.len);
        return body->hand;
}

static void keep(struct body *body, struct str bytes)
{
        if (!buf_add(&body->kept, bytes.ptr, bytes.len))
                body_forget(body);
}

void body_take(struct body *body, size_t len)
{
        struct str piece = body_peek(body);
        CHECK(len <= piece.len);
        if (body->is_kept)
                keep(body, str_first(piece, len));
        if (body->held.len > 0)
                buf_drop(&body->held, len);
        else
                body->hand = str_skip(body->hand, len);
}

bool body_rewind(struct body *body)
{
        if (!body->is_kept)
                return body->passed == 0 || body->held.len + body->hand.len == body->passed;
        CHECK(body->hand.len == 0);
        buf_move(&body->kept, &body->held);
        struct buf swap = body->held;
        body->held = body->kept;
        body->held.max = BODY_HELD_MAX;
        body->kept = swap;
        body->kept.max = BODY_KEPT_MAX;
        return true;
}

void body_forget(struct body *body)
{
        body->is_kept = false;
        buf_fini(&body->kept);
}

void body_fill(struct body *body, struct str bytes)
{
        body_fini(body);
        body->is_complete = true;
        body->is_proven = true;
        body->is_paused = false;
        body->length = body->passed = bytes.len;
        if (!buf_add(&body->held, bytes.ptr, bytes.len))
                body->length = body->passed = 0;
}
