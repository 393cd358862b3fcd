/* pool.c -- idle connections, last in first out: the ones not needed grow old and go. */
#include "http/pool.h"

#include "base/check.h"

void pool_init(struct pool *pool, struct http *http, const struct addr *addr)
{
        *pool = (struct pool){.http = http, .addr = *addr, .max = 1024};
        pool->idle_ns = 4000000000u;
        pool->age_ns = 600000000000u;
        list_init(&pool->idle);
}

static struct conn *take_idle(struct pool *pool)
{
        uint64_t now = loop_now(pool->http->loop);
        struct list *node;
        while ((node = list_pop(&pool->idle)) != NULL) {
                struct conn *conn = list_entry(node, struct conn, task.node);
                list_push(&pool->http->backs, node);
                if (now - conn->since < pool->age_ns) {
                        pool->idle_count--;
                        return conn;
                }
                pool_lost(conn);
                conn_close(conn, false);
        }
        return NULL;
}

static void attach(struct exchange *ex, struct conn *conn)
{
        struct end *end = &ex->back;
        CHECK(end->conn == NULL && conn->exchange == NULL);
        *end = (struct end){.codec = conn->codec, .conn = conn};
        conn->exchange = ex;
        conn->heads = 0;
}

enum err pool_get(struct pool *pool, struct exchange *ex, bool is_fresh)
{
        struct conn *conn = is_fresh ? NULL : take_idle(pool);
        enum err err;
        if (conn != NULL) {
                attach(ex, conn);
                conn->phase = CONN_BUSY;
                conn->is_reused = true;
                ex->back.is_ready = true;
                pool->reused++;
                return ERR_ok;
        }
        if (pool->open_count >= pool->max)
                return ERR_limit;
        conn = conn_dial(pool->http, &pool->addr, pool, &err);
        if (conn == NULL) {
                pool->failed++;
                return err;
        }
        pool->open_count++;
        pool->opened++;
        attach(ex, conn);
        conn_deadline(conn, ex->timeouts->connect);
        return ERR_again;
}

void pool_give(struct conn *conn)
{
        struct pool *pool = conn->owner;
        CHECK(conn->exchange == NULL);
        conn->phase = CONN_IDLE;
        list_remove(&conn->task.node);
        list_push_front(&pool->idle, &conn->task.node);
        pool->idle_count++;
        conn_deadline(conn, pool->idle_ns);
}

void pool_lost(struct conn *conn)
{
        struct pool *pool = conn->owner;
        CHECK(pool->open_count > 0);
        pool->open_count--;
        if (conn->phase == CONN_IDLE)
                pool->idle_count--;
        conn->phase = CONN_BUSY;
}

void pool_drain(struct pool *pool)
{
        pool->idle_ns = 0;
        list_each_safe (node, &pool->idle) {
                struct conn *conn = list_entry(node, struct conn, task.node);
                pool_lost(conn);
                conn_close(conn, false);
        }
}
