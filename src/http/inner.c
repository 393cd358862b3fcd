/* inner.c -- the codec that speaks with nobody. */
#include "http/inner.h"

#include "base/check.h"

static void end_with(struct exchange *ex, struct end *end, enum reason failure)
{
        struct inner *inner = end->stream;
        end->is_head_ready = false;
        if (inner == NULL)
                return;
        end->stream = NULL;
        inner->failure = failure;
        inner->done(inner);
        inner->ex = NULL;
        exchange_resume(ex);
}

static bool collect(struct inner *inner, struct str piece)
{
        if (piece.len > inner->max - inner->len)
                return false;
        if (inner->len + piece.len > inner->cap) {
                size_t cap = size_max(inner->cap * 2, inner->len + piece.len);
                char *bytes = arena_alloc(inner->arena, cap);
                if (inner->len > 0)
                        memcpy(bytes, inner->bytes, inner->len);
                inner->bytes = bytes;
                inner->cap = cap;
        }
        memcpy(inner->bytes + inner->len, piece.ptr, piece.len);
        inner->len += piece.len;
        return true;
}

static void inner_body(struct exchange *ex, struct end *end)
{
        struct body *body = &ex->res.body;
        struct str piece;
        while ((piece = body_peek(body)).len > 0) {
                struct inner *inner = end->stream;
                if (inner != NULL && !collect(inner, piece)) {
                        body->is_discarded = true;
                        end_with(ex, end, REASON_overloaded);
                        end->is_gone = true;
                        exchange_fault(ex, REASON_client_abort);
                }
                body_take(body, piece.len);
        }
        exchange_took(ex, body);
        if (body->is_complete && !end->is_gone && !end->is_sent) {
                end->is_sent = true;
                end_with(ex, end, REASON_none);
        }
}

static void inner_interim(struct exchange *ex, struct end *end)
{
        (void)ex;
        (void)end;
}

const struct codec codec_inner = {
        .name = "inner",
        .head = inner_body,
        .body = inner_body,
        .interim = inner_interim,
};

void inner_attach(struct inner *inner, struct exchange *ex)
{
        CHECK(ex->front.conn == NULL && ex->front.codec == NULL);
        inner->ex = ex;
        ex->front.codec = &codec_inner;
        ex->front.stream = inner;
}

void inner_give_up(struct inner *inner)
{
        struct exchange *ex = TAKE(inner->ex);
        if (ex == NULL)
                return;
        ex->front.stream = NULL;
        ex->front.is_gone = true;
        exchange_fault(ex, REASON_client_abort);
}

void inner_fail(struct exchange *ex, enum reason failure)
{
        if (ex->front.codec != &codec_inner || ex->front.is_sent)
                return;
        ex->front.is_gone = true;
        end_with(ex, &ex->front, failure);
}
