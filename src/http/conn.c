/* conn.c -- birth, accepting, draining and death of connections. */
#include "http/conn.h"

#include "base/check.h"
#include "base/rand.h"
#include "http/crowd.h"
#include "http/exchange.h"
#include "http/partial.h"
#include "http/pool.h"

enum { LOOK_MOST = 64 }; /* callers' conns that are looked at for one that rests */

static struct conn *of(struct link *link)
{
        return link->owner;
}

static bool is_shaking(const struct conn *conn)
{
        return conn->is_front && conn->phase == CONN_CONNECT;
}

/* Begins to wait for a caller's first request, in the version of HTTP that the handshake named. */
static void greeted(struct conn *conn)
{
        const struct entrance *entrance = conn->owner;
        bool is_leaving = conn->is_leaving;
        conn->phase = CONN_IDLE;
        conn->codec = &h1_front;
        conn->is_leaving = false;
        conn_deadline(conn, entrance->limits.header_ns);
        if (str_eq(link_tls_alpn(conn->link), S("h2")) && !h2_begin(conn))
                return;
        if (is_leaving)
                conn->codec->retire(conn);
}

/* A back is connected, or the handshake of a front is over. */
static void on_up(struct link *link)
{
        struct conn *conn = of(link);
        if (conn->is_front) {
                greeted(conn);
                return;
        }
        pool_introduce(conn);
        conn->codec->room(conn);
}

static size_t on_data(struct link *link, struct slice bytes)
{
        struct conn *conn = of(link);
        if (conn->phase == CONN_DEAD)
                return bytes.len;
        if (conn->phase != CONN_LINGER)
                return conn->codec->data(conn, bytes);
        conn->lingered += (uint32_t)bytes.len;
        /* To close over bytes that nobody read would take the answer back: what comes now waits in
         * the system until the time is over. */
        if (conn->lingered > LINGER_BYTES)
                link_pause(link, true);
        return bytes.len;
}

static void on_room(struct link *link)
{
        struct conn *conn = of(link);
        if (conn->phase != CONN_DEAD && conn->phase != CONN_LINGER)
                conn->codec->room(conn);
}

static void on_end(struct link *link)
{
        struct conn *conn = of(link);
        conn->has_ended = true;
        if (conn->phase != CONN_LINGER && conn->phase != CONN_DEAD)
                conn->codec->over(conn);
        else if (conn->phase == CONN_LINGER && link_queued(link) == 0)
                conn_close(conn, false); /* else what is left of the answer is still to leave */
}

static void on_down(struct link *link, enum err err)
{
        struct conn *conn = of(link);
        if (conn->phase == CONN_LINGER)
                conn_close(conn, true);
        else if (is_shaking(conn))
                conn_close(conn, false); /* with what TLS had to say about it */
        else if (conn->phase != CONN_DEAD)
                conn->codec->down(conn, err);
}

static const struct link_up above = {
        .up = on_up,
        .data = on_data,
        .room = on_room,
        .end = on_end,
        .down = on_down,
};

bool conn_moves(struct conn *conn)
{
        uint32_t queued = (uint32_t)link_queued(conn_link(conn));
        bool moves = queued == 0 || queued < conn->queued;
        conn->queued = queued;
        return moves;
}

/* What is left of an answer may take its time, as long as the peer takes something of it. */
static void lingered(struct conn *conn)
{
        const struct entrance *entrance = conn->owner;
        if (link_queued(conn_link(conn)) > 0 && conn_moves(conn))
                conn_deadline(conn, entrance->limits.stall_ns);
        else
                conn_close(conn, link_queued(conn_link(conn)) > 0);
}

static void on_timer(struct timer *timer)
{
        struct conn *conn = container_of(timer, struct conn, timer);
        if (conn->phase == CONN_LINGER)
                lingered(conn);
        else if (is_shaking(conn))
                conn_close(conn, true);
        else if (conn->phase != CONN_DEAD)
                conn->codec->timeout(conn);
}

static void bury(struct task *task)
{
        struct conn *conn = container_of(task, struct conn, task);
        slab_give(&conn->http->conns, conn);
}

static struct conn *conn_make(struct http *http, bool is_front)
{
        struct conn *conn = slab_take(&http->conns);
        if (conn == NULL)
                return NULL;
        conn->http = http;
        conn->link = &conn->tcp.link;
        conn->is_front = is_front;
        conn->since = loop_now(http->loop);
        task_init(&conn->task, bury);
        timer_init(&conn->timer, on_timer);
        list_push(is_front ? &http->fronts : &http->backs, &conn->task.node);
        *(is_front ? &http->front_count : &http->back_count) += 1;
        return conn;
}

static void leave(struct entrance *entrance, const struct addr *peer, bool is_placed)
{
        uint8_t address[16];
        addr_bytes(peer, address);
        if (entrance->http->crowd != NULL)
                crowd_leave(entrance->http->crowd, entrance->door, is_placed ? address : NULL);
}

static void forget(struct conn *conn)
{
        struct http *http = conn->http;
        CHECK(conn->exchange == NULL);
        *(conn->is_front ? &http->front_count : &http->back_count) -= 1;
        if (conn->is_front) {
                struct entrance *entrance = conn->owner;
                entrance->conns--;
                leave(entrance, &conn->peer, conn->arrival.is_placed);
        }
        conn->phase = CONN_DEAD;
        timer_stop(&conn->timer);
        if (conn->talk != NULL)
                conn->codec->fini(conn);
        if (conn->partial != NULL)
                partial_free(TAKE(conn->partial));
        while (conn->held != NULL) {
                struct page *page = conn->held;
                conn->held = page->next;
                page_give(http->loop->pages, page);
        }
        loop_bury(http->loop, &conn->task);
}

void conn_close(struct conn *conn, bool is_abrupt)
{
        if (conn->phase == CONN_DEAD)
                return;
        link_close(conn_link(conn), is_abrupt);
        forget(conn);
}

void conn_linger(struct conn *conn)
{
        struct entrance *entrance = conn->owner;
        if (conn->phase == CONN_DEAD || conn->phase == CONN_LINGER)
                return;
        CHECK(conn->is_front && conn->exchange == NULL);
        if (conn->has_ended && link_queued(conn_link(conn)) == 0) {
                conn_close(conn, false);
                return;
        }
        conn->phase = CONN_LINGER;
        conn->queued = UINT32_MAX;
        conn->lingered = 0;
        link_shut(conn_link(conn));
        link_pause(conn_link(conn), false);
        conn_deadline(conn, entrance->limits.linger_ns);
}

/* The front at this door that has rested longest makes room for a new one: false when none of the
 * oldest rests. */
static bool make_room(struct http *http, const struct entrance *entrance)
{
        unsigned looked_at = 0;
        list_each (node, &http->fronts) {
                struct conn *conn = list_entry(node, struct conn, task.node);
                const struct entrance *own = conn->owner;
                if (own->door == entrance->door && conn->phase == CONN_IDLE &&
                    link_queued(conn_link(conn)) == 0) {
                        conn_close(conn, false);
                        return true;
                }
                if (++looked_at == LOOK_MOST)
                        return false;
        }
        return false;
}

/* Counts a caller in, unless there are too many. Of one who speaks for others the network is
 * counted once it is known (conn_admit). */
static bool enter(struct entrance *entrance, const struct addr *peer, bool is_trusted,
                  bool *ret_placed)
{
        struct http *http = entrance->http;
        struct crowd_caps caps = {entrance->limits.connections,
                                  entrance->limits.connections_per_ip};
        uint8_t bytes[16];
        const uint8_t *address = is_trusted ? NULL : bytes;
        *ret_placed = false;
        if (http->crowd == NULL && http->front_count < caps.door)
                return true;
        if (http->crowd == NULL) {
                http->counts.refused++;
                return false;
        }
        addr_bytes(peer, bytes);
        enum crowd_answer answer = crowd_enter(http->crowd, entrance->door, address, &caps);
        if (answer == CROWD_DOOR_FULL && make_room(http, entrance))
                answer = crowd_enter(http->crowd, entrance->door, address, &caps);
        if (answer == CROWD_NETWORK_FULL)
                http->counts.refused_per_ip++;
        else if (answer == CROWD_DOOR_FULL)
                http->counts.refused++;
        *ret_placed = answer == CROWD_COUNTED;
        return answer == CROWD_COUNTED || answer == CROWD_UNPLACED;
}

/* Nothing is read of a caller's before the handshake is over. False: it cannot be. */
static bool secure(struct conn *conn)
{
        struct entrance *entrance = conn->owner;
        struct link *link = NULL;
        if (entrance->tls != NULL)
                link = link_tls_accept(&conn->http->tls, &conn->tcp.link, entrance->tls, &above);
        if (link == NULL)
                return false;
        conn->link = link;
        conn->phase = CONN_CONNECT;
        return true;
}

bool conn_admit(struct conn *conn)
{
        const struct entrance *entrance = conn->owner;
        struct http *http = conn->http;
        if (conn->arrival.is_trusted && http->crowd != NULL) {
                uint8_t address[16];
                addr_bytes(&conn->peer, address);
                enum crowd_answer answer = crowd_place(http->crowd, address,
                                                       entrance->limits.connections_per_ip);
                if (answer == CROWD_NETWORK_FULL) {
                        http->counts.refused_per_ip++;
                        conn_close(conn, true);
                        return false;
                }
                conn->arrival.is_placed = answer == CROWD_COUNTED;
        }
        conn->codec = entrance->is_both && !entrance->takes_tls ? &h2_or_h1_front : &h1_front;
        conn->arrival.is_secure = entrance->is_secure;
        conn_deadline(conn, entrance->limits.header_ns);
        if (!entrance->takes_tls || secure(conn))
                return true;
        conn_close(conn, true);
        return false;
}

/* True when this peer may say whose connection it is. */
static bool may_introduce(const struct entrance *entrance, const struct addr *peer)
{
        uint8_t address[16];
        if (entrance->introduction == INTRODUCTION_OFF || entrance->trusted == NULL)
                return false;
        addr_bytes(peer, address);
        return cidrs_has(entrance->trusted, address);
}

static void accepted(struct listener *listener, int fd, const struct addr *peer)
{
        struct entrance *entrance = container_of(listener, struct entrance, listener);
        struct http *http = entrance->http;
        struct conn *conn = NULL;
        bool is_trusted = may_introduce(entrance, peer);
        bool is_placed, is_in = enter(entrance, peer, is_trusted, &is_placed);
        if (is_in)
                conn = conn_make(http, true);
        if (conn == NULL) {
                if (is_in)
                        leave(entrance, peer, is_placed);
                http->loop->driver->close(http->loop->world, fd, true);
                return;
        }
        http->counts.accepted++;
        conn->owner = entrance;
        conn->arrival.is_placed = is_placed;
        conn->arrival.is_trusted = is_trusted;
        entrance->conns++;
        conn->peer = *peer;
        if (link_tcp_open(&conn->tcp, http->loop, fd, &above) != ERR_ok) {
                forget(conn);
                return;
        }
        conn->tcp.link.owner = conn;
        if (entrance->introduction == INTRODUCTION_OFF)
                conn_admit(conn);
        else
                proxy_front_begin(conn);
}

struct conn *conn_dial(struct http *http, const struct addr *to, void *owner, enum err *ret_err)
{
        struct conn *conn = conn_make(http, false);
        if (conn == NULL) {
                *ret_err = ERR_memory;
                return NULL;
        }
        conn->owner = owner;
        conn->codec = &h1_back;
        conn->peer = *to;
        conn->phase = CONN_CONNECT;
        enum err err = link_tcp_dial(&conn->tcp, http->loop, to, &above);
        if (err != ERR_ok) {
                forget(conn);
                *ret_err = err;
                return NULL;
        }
        conn->tcp.link.owner = conn;
        return conn;
}

void http_init(struct http *http, struct loop *loop)
{
        *http = (struct http){.loop = loop};
        arena_init(&http->arena, NULL, SIZE_MAX / 2);
        tls_loop_init(&http->tls, loop, &http->arena);
        slab_init(&http->conns, loop->pages, sizeof(struct conn));
        list_init(&http->fronts);
        list_init(&http->backs);
        rand_bytes(&http->key, sizeof http->key);
        http->fields = arena_array(&http->arena, struct h1_field, FIELDS_MOST);
        http->scratch = arena_alloc(&http->arena, HTTP_SCRATCH);
}

void http_fini(struct http *http)
{
        CHECK(http->front_count == 0 && http->back_count == 0);
        slab_fini(&http->conns);
        tls_loop_fini(&http->tls);
        arena_fini(&http->arena);
}

enum err entrance_open(struct entrance *entrance, struct http *http, int fd)
{
        entrance->http = http;
        return listener_open(&entrance->listener, http->loop, fd, accepted);
}

void entrance_finish(struct entrance *entrance)
{
        listener_finish(&entrance->listener);
}

void entrance_shut(struct entrance *entrance)
{
        listener_shut(&entrance->listener);
}

void http_drain(struct http *http)
{
        http->is_draining = true;
        list_each_safe (node, &http->fronts) {
                struct conn *conn = list_entry(node, struct conn, task.node);
                conn->codec->retire(conn);
        }
}

void http_abort(struct http *http)
{
        list_each_safe (node, &http->fronts) {
                struct conn *conn = list_entry(node, struct conn, task.node);
                if (conn->exchange != NULL)
                        exchange_fault(conn->exchange, REASON_draining);
                if (conn->phase == CONN_LINGER)
                        conn_close(conn, true);
                else if (is_shaking(conn))
                        conn_close(conn, true);
                else
                        conn->codec->down(conn, ERR_cancelled);
        }
}
