/* exchange.c -- life of an exchange and the passing of its bodies. */
#include "http/exchange.h"

#include "base/check.h"

enum { FIELDS_TO_BEGIN = 24, PAUSE_MARK = 16 * 1024 };

static void run(struct task *task)
{
        struct exchange *ex = container_of(task, struct exchange, ready);
        CHECK_IS(ex, EXCHANGE_MAGIC);
        if (!ex->is_over)
                ex->site->run(ex);
}

static void bury(struct task *task)
{
        struct exchange *ex = container_of(task, struct exchange, grave);
        struct http *http = ex->http;
        struct arena arena = ex->arena;
        CHECK_IS(ex, EXCHANGE_MAGIC);
        CHECK(ex->front.conn == NULL && ex->back.conn == NULL);
        ex->site->end(ex);
        body_fini(&ex->req.body);
        body_fini(&ex->res.body);
        list_remove(&ex->ready.node);
        http->exchange_count--;
        ex->magic = 0;
        arena.cleanups = ex->arena.cleanups;
        arena_fini(&arena);
}

struct exchange *exchange_begin(struct http *http, const struct site *site, struct conn *front)
{
        struct arena arena;
        if (page_pool_is_low(http->loop->pages))
                return NULL;
        arena_init(&arena, http->loop->pages, EXCHANGE_ARENA_MAX);
        struct exchange *ex = arena_new(&arena, struct exchange);
        ex->magic = EXCHANGE_MAGIC;
        task_init(&ex->ready, run);
        task_init(&ex->grave, bury);
        ex->arena = arena;
        ex->http = http;
        ex->site = site;
        ex->times.begin = loop_now(http->loop);
        ex->times.deadline = TIMER_NEVER;
        body_init(&ex->req.body, http->loop->pages);
        body_init(&ex->res.body, http->loop->pages);
        http->exchange_count++;
        if (front != NULL) {
                ex->front.codec = front->codec;
                ex->front.conn = front;
                ex->peer = front->peer;
                ex->entrance = front->owner;
                ex->is_secure = front->arrival.is_secure;
                if (conn_tls(front) != NULL)
                        ex->tls = link_tls_facts(conn_tls(front));
                front->exchange = ex;
                front->phase = CONN_BUSY;
        }
        return ex;
}

void exchange_start(struct exchange *ex)
{
        ex->site->begin(ex);
        exchange_resume(ex);
}

void exchange_resume(struct exchange *ex)
{
        if (!ex->is_over)
                loop_ready(ex->http->loop, &ex->ready);
}

void exchange_fault(struct exchange *ex, enum reason reason)
{
        if (ex->reason == REASON_none)
                ex->reason = reason;
        exchange_resume(ex);
}

void exchange_finish(struct exchange *ex)
{
        CHECK(!ex->is_over && ex->front.conn == NULL && ex->back.conn == NULL);
        ex->is_over = true;
        loop_bury(ex->http->loop, &ex->grave);
}

static struct end *consumer(struct exchange *ex, const struct body *body)
{
        return body == &ex->req.body ? &ex->back : &ex->front;
}

static struct end *producer(struct exchange *ex, const struct body *body)
{
        return body == &ex->req.body ? &ex->front : &ex->back;
}

static void hold(struct exchange *ex, struct body *body, struct str bytes)
{
        struct end *from = producer(ex, body);
        if (!buf_add(&body->held, bytes.ptr, bytes.len)) {
                body->is_discarded = true;
                exchange_fault(ex, REASON_overloaded);
                return;
        }
        if (body->held.len < PAUSE_MARK || body->is_paused)
                return;
        body->is_paused = true;
        if (from->conn != NULL)
                from->codec->pause(ex, from, true);
}

void exchange_push(struct exchange *ex, struct body *body, struct str bytes)
{
        struct end *to = consumer(ex, body);
        if (bytes.len == 0 || (body->is_complete && !body->is_discarded))
                return;
        body->passed += bytes.len;
        if (body->is_discarded)
                return;
        if (body->is_watched && !ex->site->piece(ex, body, bytes)) {
                body->is_discarded = !body->is_complete;
                return;
        }
        if (body->held.len == 0 && to->is_head_ready && to->codec != NULL) {
                body->hand = bytes;
                to->codec->body(ex, to);
                bytes = body->hand;
                body->hand = STR_NONE;
        }
        if (bytes.len > 0 && !body->is_discarded)
                hold(ex, body, bytes);
}

void exchange_push_end(struct exchange *ex, struct body *body)
{
        struct end *to = consumer(ex, body);
        body->is_complete = true;
        if (to->is_head_ready && to->codec != NULL && !body->is_discarded)
                to->codec->body(ex, to);
        exchange_resume(ex);
}

void exchange_switch(struct exchange *ex)
{
        struct body *body = &ex->req.body;
        CHECK(body->is_complete && body->passed == 0);
        body->is_complete = body->is_discarded = body->is_kept = false;
        body->length = BODY_LENGTH_UNKNOWN;
}

void exchange_took(struct exchange *ex, struct body *body)
{
        struct end *from = producer(ex, body);
        if (!body->is_paused || body->held.len >= PAUSE_MARK)
                return;
        body->is_paused = false;
        if (from->conn != NULL)
                from->codec->pause(ex, from, false);
        /* A site that makes the body itself may go on. */
        if (from->conn == NULL)
                exchange_resume(ex);
}

void exchange_send(struct exchange *ex, struct end *end)
{
        end->is_head_ready = true;
        end->codec->head(ex, end);
}

void exchange_reset(struct exchange *ex, struct end *end, enum reason reason)
{
        if (end->codec != NULL && end->conn != NULL)
                end->codec->reset(ex, end, reason);
        end->is_head_ready = false;
}

void exchange_clear_response(struct exchange *ex)
{
        body_fini(&ex->res.body);
        body_init(&ex->res.body, ex->http->loop->pages);
        ex->res.head = (struct head){0};
        ex->res.trailers = (struct fields){0};
}
