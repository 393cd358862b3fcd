/* h1_back.c -- HTTP/1 towards targets: writes requests, reads their responses, strictly. A conn
 * goes back to its pool only if both messages ended exactly where they said and nothing is left
 * over. */
#include "base/check.h"
#include "http/h1_flow.h"
#include "http/pool.h"
#include "wire/ws.h"

enum { INTERIM_MOST = 10 };

/* How long a peer may go on after the other direction of a stream has ended. */
#define STREAM_END_NS 5000000000u

static void let_go(struct conn *conn)
{
        struct exchange *ex = conn->exchange;
        if (conn->partial != NULL)
                partial_free(TAKE(conn->partial));
        ex->back.is_head_ready = false;
        ex->back.is_ready = false;
        ex->back.conn = NULL;
        conn->exchange = NULL;
        exchange_resume(ex);
}

static void close_now(struct conn *conn, bool is_abrupt)
{
        pool_lost(conn);
        conn_close(conn, is_abrupt);
}

/* True when something of the request may have reached the peer. */
static bool is_begun(const struct conn *conn)
{
        const struct h1_flow *flow = flow_of(&conn->exchange->back);
        return flow != NULL && link_sent(conn->link) != flow->sent;
}

/* The back cannot go on; what follows (another try, an error, a cut) is for the site to decide. */
static void fail(struct conn *conn, enum reason reason)
{
        struct exchange *ex = conn->exchange;
        struct end *end = &ex->back;
        end->failure = reason;
        end->is_begun = is_begun(conn);
        end->is_stale = conn->is_reused && !end->is_heard && reason == REASON_upstream_cut;
        let_go(conn);
        close_now(conn, true);
}

/* The peer must say by itself that it wants the body. */
static bool awaits_continue(const struct exchange *ex)
{
        return ex->req.head.expects_continue && ex->req.body.passed == 0;
}

/* It has all it needs to answer, and has not begun. */
static bool owes_head(const struct exchange *ex, const struct h1_flow *flow)
{
        return !flow->is_head_in && (flow->is_out_over || awaits_continue(ex));
}

/* What the peer owes us next: something of its answer, or the head of it. The time of the latter
 * runs only once it has all it needs, so that a large body may take as long as it moves. */
static void arm(struct conn *conn)
{
        struct exchange *ex = conn->exchange;
        const struct h1_flow *flow = flow_of(&ex->back);
        const struct timeouts *timeouts = ex->timeouts;
        uint64_t due = exchange_due(ex, timeouts->idle);
        /* How long a stream may rest is for the site to say; its end is in hand already. */
        if (flow->is_raw && !flow->is_out_over)
                timer_clear(&conn->timer);
        if (flow->is_raw)
                return;
        if (owes_head(ex, flow)) {
                due = exchange_due(ex, timeouts->response);
                if (ex->times.deadline != TIMER_NEVER)
                        due = u64_min(due, ex->times.deadline + loop_now(conn->http->loop) -
                                                   flow->begun);
        }
        timer_set(conn->http->loop, &conn->timer, due);
}

/* The response is complete. */
static void done(struct conn *conn, bool has_rest)
{
        struct exchange *ex = conn->exchange;
        struct h1_flow *flow = flow_of(&ex->back);
        struct pool *pool = conn->owner;
        /* RFC 9112 9.3: who answers before it has the whole request may never read the rest, or
         * take it for the next one. */
        bool is_all_out = flow->is_out_over && link_queued(conn_link(conn)) == 0;
        bool keeps = is_all_out && !flow->closes && !has_rest && !conn->has_ended &&
                     !conn->is_retiring && pool->idle_ns > 0;
        if (!flow->is_out_over)
                ex->req.body.is_discarded = true;
        bool is_abrupt = flow->is_raw ? link_queued(conn_link(conn)) > 0 : !is_all_out;
        exchange_push_end(ex, &ex->res.body);
        let_go(conn);
        if (keeps && ex->res.body.is_paused)
                link_pause(conn_link(conn), false);
        if (keeps)
                pool_give(conn);
        else
                close_now(conn, is_abrupt);
}

/* What it switches to is what was asked for, and it says so as the protocol wants it. */
static bool is_switch_good(const struct exchange *ex, const struct h1_head *read)
{
        const struct head *asked = &ex->req.head, *head = &ex->res.head;
        char memory[WS_ACCEPT_SIZE];
        struct text accept = text_over(memory, sizeof memory);
        if (asked->upgrade.len == 0 || read->has_length || read->is_chunked ||
            !flow_of(&ex->back)->is_out_over || !str_eq_nocase(head->upgrade, asked->upgrade))
                return false;
        if (!str_eq(asked->upgrade, S("websocket")))
                return true;
        ws_put_accept(fields_value(&asked->fields, NAME_sec_websocket_key), &accept);
        return fields_count(&head->fields, NAME_sec_websocket_accept) == 1 &&
               str_eq(fields_value(&head->fields, NAME_sec_websocket_accept), text_str(&accept));
}

/* 101: what follows on the conn is another protocol, in both directions. */
static void take_switch(struct conn *conn, const struct h1_head *read, struct str bytes)
{
        struct exchange *ex = conn->exchange;
        struct h1_flow *flow = flow_of(&ex->back);
        h1_head_take(ex, &ex->res.head, read, bytes);
        if (!is_switch_good(ex, read)) {
                ex->res.head = (struct head){0};
                fail(conn, REASON_upstream_invalid);
                return;
        }
        flow->is_head_in = true;
        h1_go_raw(flow);
        exchange_switch(ex);
        ex->times.response = loop_now(conn->http->loop);
        arm(conn);
        exchange_resume(ex);
}

static void take_interim(struct conn *conn, const struct h1_head *read, struct str bytes)
{
        struct exchange *ex = conn->exchange;
        if (read->status == 101) {
                take_switch(conn, read, bytes);
                return;
        }
        if (++conn->heads > INTERIM_MOST) {
                fail(conn, REASON_upstream_invalid);
                return;
        }
        if (read->status == 100 && !ex->req.head.expects_continue)
                return;
        h1_head_take(ex, &ex->res.head, read, bytes);
        if (ex->front.codec != NULL && ex->front.codec->interim != NULL)
                ex->front.codec->interim(ex, &ex->front);
        ex->res.head = (struct head){0};
}

static void take_head(struct conn *conn, const struct h1_head *read, struct str bytes)
{
        struct exchange *ex = conn->exchange;
        struct h1_flow *flow = flow_of(&ex->back);
        bool is_reusable = true;
        bool answers_head = ex->req.head.method == METHOD_HEAD;
        enum h1_body kind = h1_response_body(read, answers_head, &is_reusable);
        flow->is_head_in = true;
        h1_head_take(ex, &ex->res.head, read, bytes);
        ex->res.head.upgrade = STR_NONE; /* what it could do for others is between it and us */
        h1_in_begin(flow, kind, read->length, conn->http->back_limits.chunk_extensions);
        if (!is_reusable || !read->keeps_alive || kind == H1_BODY_CLOSE)
                flow->closes = true;
        if (kind == H1_BODY_LENGTH || (kind == H1_BODY_NONE && read->has_length))
                ex->res.body.length = read->length;
        if (flow->is_in_over && kind != H1_BODY_NONE)
                ex->res.body.length = 0;
        ex->times.response = loop_now(conn->http->loop);
        arm(conn);
        exchange_resume(ex);
}

/* One head out of bytes; false when none is complete yet, or the conn failed. */
static bool read_head(struct conn *conn, struct str in, size_t *ret_used)
{
        struct http *http = conn->http;
        struct h1_head direct;
        struct partial *partial = TAKE(conn->partial);
        struct h1_head *head = partial != NULL ? &partial->head : &direct;
        enum h1_state state;
        bool is_final;
        if (partial != NULL) {
                state = partial_read(partial, in, ret_used);
        } else {
                h1_begin(&direct, H1_RESPONSE, &http->back_limits.h1, http->fields);
                state = h1_read(&direct, in, ret_used);
        }
        if (state == H1_MORE) {
                conn->partial = partial;
                if (partial == NULL)
                        conn->partial = partial_make(http->loop->pages, &direct, in);
                *ret_used = in.len;
                if (conn->partial == NULL)
                        fail(conn, REASON_overloaded);
                return false;
        }
        if (state == H1_BAD) {
                *ret_used = in.len;
                fail(conn, REASON_upstream_invalid);
        } else {
                struct str bytes = partial != NULL ? partial_bytes(partial)
                                                   : str_first(in, *ret_used);
                is_final = head->status >= 200;
                if (is_final)
                        take_head(conn, head, bytes);
                else
                        take_interim(conn, head, bytes);
        }
        if (partial != NULL)
                partial_free(partial);
        return conn->exchange != NULL;
}

/* Bytes that nobody asked for: no later request may take them for its answer. On a conn that served
 * before they are its end (a server that tells of its own timeout); a new one speaks something
 * else. */
static void take_unasked(struct conn *conn)
{
        if (conn->exchange == NULL)
                close_now(conn, true);
        else
                fail(conn, conn->is_reused ? REASON_upstream_cut : REASON_upstream_invalid);
}

static size_t back_data(struct conn *conn, struct slice bytes)
{
        struct exchange *ex = conn->exchange;
        if (ex == NULL || !is_begun(conn)) {
                take_unasked(conn);
                return bytes.len;
        }
        struct h1_flow *flow = flow_of(&ex->back);
        size_t used = 0;
        ex->back.is_heard = true;
        if (!flow->is_head_in) {
                if (!read_head(conn, str_from((const char *)bytes.ptr, bytes.len), &used))
                        return bytes.len;
                if (!flow->is_head_in || !flow->is_in_over)
                        return used;
                done(conn, used < bytes.len);
                return bytes.len;
        }
        used = h1_in_read(conn, flow, &ex->res.body, bytes);
        if (flow->is_in_broken) {
                fail(conn, flow->is_in_starved ? REASON_overloaded : REASON_upstream_invalid);
                return bytes.len;
        }
        if (flow->is_in_over) {
                done(conn, used < bytes.len);
                return bytes.len;
        }
        arm(conn);
        return used;
}

static bool has_body(const struct exchange *ex)
{
        return ex->req.body.length != 0;
}

static void put_framing(struct text *text, const struct exchange *ex, struct h1_flow *flow)
{
        uint64_t length = ex->req.body.length;
        char digits[24];
        struct text number = text_over(digits, sizeof digits);
        bool wants_length = has_body(ex) || ex->req.head.method == METHOD_POST ||
                            ex->req.head.method == METHOD_PUT ||
                            ex->req.head.method == METHOD_PATCH;
        flow->out = H1_BODY_NONE;
        if (length == BODY_LENGTH_UNKNOWN) {
                flow->out = H1_BODY_CHUNKED;
                h1_put_field(text, S("Transfer-Encoding"), S("chunked"));
        } else if (wants_length) {
                flow->out = length > 0 ? H1_BODY_LENGTH : H1_BODY_NONE;
                flow->out_left = length;
                text_u64(&number, length);
                h1_put_field(text, S("Content-Length"), text_str(&number));
        }
        if (ex->req.head.expects_continue && has_body(ex))
                h1_put_field(text, S("Expect"), S("100-continue"));
        if (ex->req.head.upgrade.len > 0) {
                h1_put_upgrade(text, ex->req.head.upgrade);
        } else if (ex->req.head.takes_trailers) {
                h1_put_field(text, S("TE"), S("trailers"));
                h1_put_field(text, S("Connection"), S("TE"));
        }
}

static bool send_head(struct exchange *ex, struct conn *conn, struct h1_flow *flow)
{
        const struct head *head = &ex->req.head;
        struct text text = text_over(conn->http->scratch, HTTP_SCRATCH);
        h1_put_request_line(&text, head->method_text, head->raw_target);
        h1_put_field(&text, S("Host"), head->authority);
        fields_each (field, &head->fields) {
                h1_put_field(&text, field->name, field->value);
        }
        put_framing(&text, ex, flow);
        text_put(&text, S("\r\n"));
        if (text.is_cut) {
                fail(conn, REASON_header_too_large);
                return false;
        }
        flow->is_head_out = h1_out_text(conn, &text);
        return flow->is_head_out;
}

static void pump(struct exchange *ex)
{
        struct conn *conn = ex->back.conn;
        struct h1_flow *flow = flow_of(&ex->back);
        const struct fields *trailers = ex->req.trailers.count > 0 ? &ex->req.trailers : NULL;
        if (flow->is_out_over)
                return;
        if (!flow->is_head_out && !send_head(ex, conn, flow))
                return;
        if (!h1_out_pump(conn, flow, &ex->req.body, trailers))
                return;
        ex->back.is_sent = true;
        arm(conn);
        if (flow->is_raw) {
                link_shut(conn_link(conn));
                conn_deadline(conn, STREAM_END_NS);
        }
}

static void back_head(struct exchange *ex, struct end *end)
{
        struct conn *conn = end->conn;
        struct h1_flow *flow = arena_new(&ex->arena, struct h1_flow);
        flow->begun = loop_now(conn->http->loop);
        flow->sent = link_sent(conn_link(conn));
        conn->queued = UINT32_MAX;
        end->stream = flow;
        pump(ex);
        if (end->conn == conn && !flow->is_out_over)
                arm(conn);
}

static void back_body(struct exchange *ex, struct end *end)
{
        if (end->conn != NULL && end->stream != NULL)
                pump(ex);
}

static void back_room(struct conn *conn)
{
        struct exchange *ex = conn->exchange;
        if (conn->phase == CONN_CONNECT) {
                conn->phase = CONN_BUSY;
                timer_clear(&conn->timer);
                ex->back.is_ready = true;
                exchange_resume(ex);
                return;
        }
        if (ex != NULL && ex->back.is_head_ready)
                pump(ex);
}

static void back_over(struct conn *conn)
{
        struct exchange *ex = conn->exchange;
        struct h1_flow *flow = ex == NULL ? NULL : flow_of(&ex->back);
        if (ex == NULL) {
                close_now(conn, false);
        } else if (flow != NULL && flow->is_head_in && flow->in == H1_BODY_CLOSE) {
                flow->is_in_over = true;
                done(conn, false);
        } else {
                fail(conn, REASON_upstream_cut);
        }
}

static void back_down(struct conn *conn, enum err err)
{
        if (conn->exchange == NULL)
                close_now(conn, true);
        else if (err == ERR_memory)
                fail(conn, REASON_overloaded); /* ours: there was no room for what it is sent */
        else
                fail(conn,
                     conn->phase == CONN_CONNECT ? REASON_upstream_refused : REASON_upstream_cut);
}

/* True when it is not the peer that is slow: our caller does not take its answer or does not send
 * its body, or the peer takes that body as it can. */
static bool is_excused(struct conn *conn)
{
        const struct exchange *ex = conn->exchange;
        const struct h1_flow *flow = flow_of(&ex->back);
        if (flow == NULL)
                return false;
        if (flow->is_head_in && ex->res.body.is_paused)
                return true;
        return !flow->is_out_over && !awaits_continue(ex) && conn_moves(conn);
}

/* What it was that took too long. */
static enum reason late(const struct conn *conn)
{
        const struct h1_flow *flow = flow_of(&conn->exchange->back);
        if (flow == NULL)
                return REASON_upstream_unreached;
        return owes_head(conn->exchange, flow) ? REASON_upstream_timeout : REASON_upstream_stalled;
}

static bool is_raw(const struct conn *conn)
{
        const struct h1_flow *flow = flow_of(&conn->exchange->back);
        return flow != NULL && flow->is_raw;
}

/* The caller's direction has ended a while ago, and the peer's has not: it is over, once the caller
 * has taken what there is. */
static void end_raw(struct conn *conn)
{
        if (conn->exchange->res.body.is_paused)
                conn_deadline(conn, STREAM_END_NS);
        else
                done(conn, false);
}

static void back_timeout(struct conn *conn)
{
        if (conn->exchange == NULL)
                close_now(conn, false);
        else if (is_raw(conn))
                end_raw(conn);
        else if (is_excused(conn))
                arm(conn);
        else
                fail(conn, late(conn));
}

static void back_pause(struct exchange *ex, struct end *end, bool is_paused)
{
        (void)ex;
        link_pause(conn_link(end->conn), is_paused);
}

static void back_reset(struct exchange *ex, struct end *end, enum reason reason)
{
        struct conn *conn = end->conn;
        (void)ex;
        (void)reason;
        let_go(conn);
        close_now(conn, true);
}

static void back_retire(struct conn *conn)
{
        conn->is_retiring = true;
        if (conn->exchange == NULL)
                close_now(conn, false);
}

const struct codec h1_back = {
        .name = "http/1.1",
        .data = back_data,
        .room = back_room,
        .over = back_over,
        .down = back_down,
        .timeout = back_timeout,
        .head = back_head,
        .body = back_body,
        .pause = back_pause,
        .reset = back_reset,
        .retire = back_retire,
};
