/* pool.c -- idle connections, last in first out: the ones not needed grow old and go. */
#include "http/pool.h"

#include "base/check.h"

enum { LOOK_MOST = 64 }; /* idle ones of other callers that are passed over */

void pool_init(struct pool *pool, struct http *http, const struct addr *addr)
{
        *pool = (struct pool){.http = http, .addr = *addr, .max = 1024};
        pool->idle_ns = 4000000000u;
        pool->age_ns = 600000000000u;
        list_init(&pool->idle);
}

static void changed(struct pool *pool)
{
        if (pool->changed != NULL)
                pool->changed(pool);
}

static void close_idle(struct conn *conn)
{
        pool_lost(conn);
        conn_close(conn, false);
}

/* A request that cannot be sent twice is not to be wasted on a peer that has ended already: for it
 * one more system call is well spent. For others a look at the first byte of the answer does. */
static bool is_careful(const struct exchange *ex)
{
        return ex->req.body.length != 0 || !method_is_idempotent(ex->req.head.method);
}

/* Whom a connection speaks for: the digest of the header it begins with. */
static struct hash128 voice(const struct pool *pool, const struct exchange *ex)
{
        static const struct proxy_header own = {.is_local = true};
        char memory[PROXY_WRITE_MAX];
        struct text text = text_over(memory, sizeof memory);
        if (likely(pool->speaks == PROXY_OFF))
                return (struct hash128){0};
        proxy_write((enum proxy_version)pool->speaks, ex->caller != NULL ? ex->caller : &own,
                    &text);
        return hash_siphash24_128(&pool->http->key, text.at, text.len);
}

static bool speaks_for(const struct conn *conn, struct hash128 whom)
{
        return conn->speaks.lo == whom.lo && conn->speaks.hi == whom.hi;
}

static struct conn *take_idle(struct pool *pool, const struct exchange *ex)
{
        uint64_t now = loop_now(pool->http->loop);
        struct hash128 whom = voice(pool, ex);
        bool careful = is_careful(ex);
        unsigned others = 0;
        list_each_safe (node, &pool->idle) {
                struct conn *conn = list_entry(node, struct conn, task.node);
                if (!speaks_for(conn, whom)) {
                        if (++others == LOOK_MOST)
                                return NULL;
                        continue;
                }
                list_remove(node);
                list_push(&pool->http->backs, node);
                bool is_old = pool->age_ns > 0 && now - conn->since >= pool->age_ns;
                if (is_old || (careful && !link_is_quiet(conn_link(conn)))) {
                        close_idle(conn);
                        continue;
                }
                pool->idle_count--;
                timer_clear(&conn->timer);
                return conn;
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

/* Who needs a new one does not wait behind one that lies there. */
static bool has_place(struct pool *pool)
{
        if (pool->open_count < pool->max)
                return true;
        if (list_is_empty(&pool->idle))
                return false;
        close_idle(list_entry(pool->idle.prev, struct conn, task.node));
        return pool->open_count < pool->max;
}

static enum err dial(struct pool *pool, struct exchange *ex, uint64_t connect_ns)
{
        enum err err;
        if (!has_place(pool))
                return ERR_limit;
        struct conn *conn = conn_dial(pool->http, &pool->addr, pool, &err);
        if (conn == NULL) {
                pool->failed++;
                return err;
        }
        pool->open_count++;
        pool->opened++;
        attach(ex, conn);
        conn->speaks = voice(pool, ex);
        timer_set(pool->http->loop, &conn->timer,
                  u64_min(exchange_due(ex, connect_ns), ex->times.deadline));
        changed(pool);
        return ERR_again;
}

enum err pool_get(struct pool *pool, struct exchange *ex, bool is_fresh, uint64_t connect_ns)
{
        struct conn *conn = is_fresh ? NULL : take_idle(pool, ex);
        if (conn == NULL)
                return dial(pool, ex, connect_ns);
        attach(ex, conn);
        conn->phase = CONN_BUSY;
        conn->is_reused = true;
        ex->back.is_ready = true;
        pool->reused++;
        changed(pool);
        return ERR_ok;
}

void pool_introduce(struct conn *conn)
{
        static const struct proxy_header own = {.is_local = true};
        const struct pool *pool = conn->owner;
        char memory[PROXY_WRITE_MAX];
        struct text text = text_over(memory, sizeof memory);
        if (likely(pool->speaks == PROXY_OFF))
                return;
        proxy_write((enum proxy_version)pool->speaks,
                    conn->exchange->caller != NULL ? conn->exchange->caller : &own, &text);
        struct iovec iov = {text.at, text.len};
        link_send(&conn->tcp.link, &iov, 1, text.len);
}

void pool_give(struct conn *conn)
{
        struct pool *pool = conn->owner;
        CHECK(conn->exchange == NULL);
        if (pool->open_count > pool->max) {
                close_idle(conn);
                return;
        }
        conn->phase = CONN_IDLE;
        list_remove(&conn->task.node);
        list_push_front(&pool->idle, &conn->task.node);
        pool->idle_count++;
        conn_deadline(conn, pool->idle_ns);
        changed(pool);
}

void pool_lost(struct conn *conn)
{
        struct pool *pool = conn->owner;
        CHECK(pool->open_count > 0);
        pool->open_count--;
        if (conn->phase == CONN_IDLE)
                pool->idle_count--;
        conn->phase = CONN_BUSY;
        changed(pool);
}

void pool_drain(struct pool *pool)
{
        pool->idle_ns = 0;
        list_each_safe (node, &pool->idle)
                close_idle(list_entry(node, struct conn, task.node));
}
