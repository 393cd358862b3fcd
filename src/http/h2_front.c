/* h2_front.c -- HTTP/2 towards callers: the codec, and the life of a conn that speaks it. Each
 * stream is an exchange of its own; what they say is written once, at the end of the turn. The
 * conn's one timer looks every so often whether everybody moves. */
#include "http/h2_int.h"

#include <stdatomic.h>
#include <threads.h>

#include "base/check.h"
#include "http/h2.h"

static nghttp2_session_callbacks *callbacks;
static nghttp2_option *options;
static once_flag tables_once = ONCE_FLAG_INIT;
static atomic_bool has_tables; /* for the thread sanitizer, which does not know of call_once */

/* Tables of the library, the same for all. */
static void make_tables(void)
{
        CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
        CHECK(nghttp2_option_new(&options) == 0);
        h2_in_callbacks(callbacks);
        h2_out_callbacks(callbacks);
        nghttp2_option_set_no_auto_window_update(options, 1);
        /* So that we hear of them; the library passes over others without a word. */
        for (unsigned type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++)
                nghttp2_option_set_user_recv_extension_type(options, (uint8_t)type);
        nghttp2_option_set_max_outbound_ack(options, 4 * H2_QUEUE_MAX);
        nghttp2_option_set_max_continuations(options, H2_CONTINUATIONS);
        nghttp2_option_set_max_send_header_block_length(options, 2 * HTTP_SCRATCH);
        atomic_store_explicit(&has_tables, true, memory_order_release);
}

/* ---- the end ---- */

static void let_all_go(struct h2 *h2, enum reason reason)
{
        list_each_safe (node, &h2->streams)
                h2_gone(list_entry(node, struct h2_stream, node), reason);
}

/* Ends the conn, once: says why, if there is something to say. */
static void end(struct h2 *h2)
{
        struct conn *conn = h2->conn;
        if (h2->has_error && nghttp2_session_terminate_session(h2->session, h2->error) == 0)
                h2_pump(h2);
        let_all_go(h2, REASON_client_abort);
        list_remove(&h2->late.node);
        conn_linger(conn);
}

/* After the library was called: true when the conn is over. */
static bool settle(struct h2 *h2)
{
        bool is_over = h2->has_error || (nghttp2_session_want_read(h2->session) == 0 &&
                                         nghttp2_session_want_write(h2->session) == 0);
        if (is_over)
                end(h2);
        return is_over;
}

static void run_late(struct task *task)
{
        struct h2 *h2 = container_of(task, struct h2, late);
        h2_pump(h2);
        settle(h2);
}

void h2_wake(struct h2 *h2)
{
        loop_late(h2->conn->http->loop, &h2->late);
}

void h2_fail(struct h2 *h2, uint32_t error)
{
        if (!h2->has_error)
                h2->error = error;
        h2->has_error = true;
        h2_wake(h2);
}

/* ---- timers ---- */

void h2_due(struct h2 *h2, uint64_t due)
{
        if (due < h2->conn->timer.due)
                timer_set(h2->conn->http->loop, &h2->conn->timer, due);
}

static uint64_t period(const struct h2 *h2)
{
        const struct http_limits *limits = &h2_entrance(h2)->limits;
        return u64_min(limits->idle_ns, limits->stall_ns);
}

static uint64_t idle_due(const struct h2 *h2)
{
        const struct http_limits *limits = &h2_entrance(h2)->limits;
        return h2->conn->since + (h2->is_greeted ? limits->idle_ns : limits->header_ns);
}

/* Seats the timer anew, at whatever comes first. */
static void arm(struct h2 *h2)
{
        struct conn *conn = h2->conn;
        uint64_t now = loop_now(conn->http->loop);
        uint64_t due = list_is_empty(&h2->streams) ? idle_due(h2) : now + period(h2);
        if (h2->head_due > 0)
                due = u64_min(due, h2->head_due);
        if (conn->is_leaving && !h2->is_last_said)
                due = u64_min(due, h2->leave_due);
        timer_set(conn->http->loop, &conn->timer, u64_max(due, now + 1));
}

static void idle(struct h2 *h2)
{
        struct conn *conn = h2->conn;
        conn->phase = CONN_IDLE;
        conn->since = loop_now(conn->http->loop);
        conn->queued = UINT32_MAX;
        h2_due(h2, idle_due(h2));
}

void h2_greeted(struct h2 *h2)
{
        h2->is_greeted = true;
        idle(h2);
        arm(h2);
}

/* The request body of a stream comes too slowly: nothing since the last look, or less than the
 * least rate on the whole. */
static bool is_slow_in(const struct h2_stream *stream, uint64_t now)
{
        const struct exchange *ex = stream->ex;
        const struct http_limits *limits = &h2_entrance(stream->h2)->limits;
        uint64_t age = (now - ex->times.begin) / 1000000, grace = limits->idle_ns / 1000000;
        uint64_t passed = ex->req.body.passed;
        if (stream->is_in_over || ex->req.body.is_paused || age < grace)
                return false;
        return passed == stream->seen_in ||
               (age > grace && passed * 1000 < limits->body_rate * (age - grace));
}

/* The caller takes nothing of its answer: its window is closed (CVE-2019-9511, -9517). */
static bool is_slow_out(struct h2_stream *stream)
{
        bool is_stuck = stream->is_head_out && !stream->is_deferred &&
                        body_waiting(&stream->ex->res.body) > 0 && stream->sent == stream->seen_out;
        bool was_late = stream->is_late;
        stream->is_late = is_stuck;
        stream->seen_out = stream->sent;
        return is_stuck && was_late;
}

static void look(struct h2_stream *stream, uint64_t now)
{
        struct h2 *h2 = stream->h2;
        struct exchange *ex = stream->ex;
        if (is_slow_out(stream)) {
                h2->conn->http->counts.h2.stalled++;
                nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id,
                                          NGHTTP2_CANCEL);
                h2_gone(stream, REASON_client_abort);
                h2_wake(h2);
        } else if (is_slow_in(stream, now)) {
                stream->is_in_over = true;
                ex->req.body.is_discarded = true;
                if (ex->front.is_head_ready)
                        exchange_reset(ex, &ex->front, REASON_request_timeout);
                exchange_fault(ex, REASON_request_timeout);
        } else {
                stream->seen_in = ex->req.body.passed;
        }
}

static void look_at_all(struct h2 *h2)
{
        uint64_t now = loop_now(h2->conn->http->loop);
        if (now - h2->looked < period(h2))
                return;
        h2->looked = now;
        list_each_safe (node, &h2->streams)
                look(list_entry(node, struct h2_stream, node), now);
}

/* Second step of the end: what is on its way has arrived. */
static void say_last(struct h2 *h2)
{
        int32_t last = nghttp2_session_get_last_proc_stream_id(h2->session);
        h2->is_last_said = true;
        if (nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL,
                                  0) != 0)
                h2_fail(h2, NGHTTP2_INTERNAL_ERROR);
        h2_wake(h2);
}

static void on_timeout(struct conn *conn)
{
        struct h2 *h2 = h2_of(conn);
        uint64_t now = loop_now(conn->http->loop);
        if (link_queued(conn_link(conn)) > 0 && !conn_moves(conn)) {
                let_all_go(h2, REASON_client_abort);
                conn_close(conn, true);
                return;
        }
        if (h2->head_due > 0 && now >= h2->head_due) {
                conn->http->counts.h2.ended_head++;
                h2_fail(h2, NGHTTP2_ENHANCE_YOUR_CALM);
                return;
        }
        if (conn->is_leaving && !h2->is_last_said && now >= h2->leave_due)
                say_last(h2);
        look_at_all(h2);
        if (list_is_empty(&h2->streams) && now >= idle_due(h2))
                h2_fail(h2, NGHTTP2_NO_ERROR);
        else
                arm(h2);
}

/* ---- streams ---- */

void h2_consume(struct h2_stream *stream)
{
        struct h2 *h2 = stream->h2;
        if (stream->owed == 0)
                return;
        if (nghttp2_session_consume(h2->session, stream->id, stream->owed) != 0)
                h2_fail(h2, NGHTTP2_INTERNAL_ERROR);
        stream->owed = 0;
        h2_wake(h2);
}

void h2_let_go(struct h2_stream *stream)
{
        struct h2 *h2 = stream->h2;
        struct exchange *ex = stream->ex;
        h2_consume(stream);
        nghttp2_session_set_stream_user_data(h2->session, stream->id, NULL);
        list_remove(&stream->node);
        list_push(&h2->leaving, &stream->node);
        ex->front.is_head_ready = false;
        ex->front.conn = NULL;
        exchange_resume(ex);
        if (list_is_empty(&h2->streams))
                idle(h2);
        else
                h2->conn->http->shared_count--;
        h2_wake(h2);
}

void h2_gone(struct h2_stream *stream, enum reason reason)
{
        struct exchange *ex = stream->ex;
        ex->front.is_gone = true;
        ex->req.body.is_discarded = true;
        h2_let_go(stream);
        exchange_fault(ex, reason);
}

/* ---- the codec ---- */

static uint32_t error_of(ssize_t failure)
{
        switch (failure) {
        case NGHTTP2_ERR_FLOODED:
        case NGHTTP2_ERR_TOO_MANY_SETTINGS:
        case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
                return NGHTTP2_ENHANCE_YOUR_CALM;
        case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
        case NGHTTP2_ERR_PROTO:
                return NGHTTP2_PROTOCOL_ERROR;
        default:
                return NGHTTP2_INTERNAL_ERROR;
        }
}

static size_t front_data(struct conn *conn, struct slice bytes)
{
        struct h2 *h2 = h2_of(conn);
        CHECK(!h2->is_inside);
        if (h2->has_error)
                return bytes.len;
        h2->is_inside = true;
        ssize_t used = nghttp2_session_mem_recv(h2->session, bytes.ptr, bytes.len);
        h2->is_inside = false;
        if (used < 0)
                h2_fail(h2, error_of(used));
        h2_wake(h2);
        return bytes.len;
}

static void front_room(struct conn *conn)
{
        h2_wake(h2_of(conn));
}

static void gone(struct conn *conn, bool is_abrupt, enum reason reason)
{
        let_all_go(h2_of(conn), reason);
        conn_close(conn, is_abrupt);
}

/* RFC 9113 5.4.1 lets a peer close without a word. What it asked for it may still want to hear. */
static void front_over(struct conn *conn)
{
        struct h2 *h2 = h2_of(conn);
        list_each_safe (node, &h2->streams) {
                struct h2_stream *stream = list_entry(node, struct h2_stream, node);
                if (!stream->is_in_over)
                        h2_gone(stream, REASON_client_abort);
        }
        conn->is_retiring = true;
        if (list_is_empty(&h2->streams))
                h2_fail(h2, NGHTTP2_NO_ERROR);
        else if (!h2->is_last_said)
                say_last(h2);
}

static void front_down(struct conn *conn, enum err err)
{
        gone(conn, true, err == ERR_cancelled ? REASON_draining : REASON_client_abort);
}

static void front_head(struct exchange *ex, struct end *end)
{
        struct h2_stream *stream = h2_stream_of(end);
        if (end->conn == NULL)
                return;
        if (!h2_put_head(stream)) {
                end->failure = REASON_fault;
                exchange_fault(ex, REASON_fault);
                return;
        }
        stream->is_head_out = true;
        end->is_begun = true;
        h2_wake(stream->h2);
}

/* Large pieces leave from where they lie, the rest together at the end of the turn. */
static void front_body(struct exchange *ex, struct end *end)
{
        enum { LARGE = 8 * 1024 };
        struct h2_stream *stream = h2_stream_of(end);
        struct h2 *h2;
        if (end->conn == NULL || !stream->is_head_out)
                return;
        h2 = stream->h2;
        if (stream->is_deferred) {
                stream->is_deferred = false;
                nghttp2_session_resume_data(h2->session, stream->id);
        }
        if (ex->res.body.hand.len >= LARGE && !h2->is_inside && !h2->has_error)
                h2_pump(h2);
        if (end->conn != NULL)
                h2_wake(h2);
}

static void front_interim(struct exchange *ex, struct end *end)
{
        (void)ex;
        if (end->conn == NULL || h2_stream_of(end)->is_head_out)
                return;
        if (h2_put_interim(h2_stream_of(end)))
                h2_wake(h2_stream_of(end)->h2);
}

static void front_pause(struct exchange *ex, struct end *end, bool is_paused)
{
        (void)ex;
        if (!is_paused)
                h2_consume(h2_stream_of(end));
}

static void front_reset(struct exchange *ex, struct end *end, enum reason reason)
{
        struct h2_stream *stream = h2_stream_of(end);
        bool is_callers = reason_whose(reason) == WHOSE_CALLER;
        (void)ex;
        if (nghttp2_submit_rst_stream(stream->h2->session, NGHTTP2_FLAG_NONE, stream->id,
                                      is_callers ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR) != 0)
                h2_fail(stream->h2, NGHTTP2_INTERNAL_ERROR);
        h2_let_go(stream);
}

static void front_retire(struct conn *conn)
{
        struct h2 *h2 = h2_of(conn);
        if (conn->is_leaving || conn->phase == CONN_LINGER)
                return;
        conn->is_leaving = true;
        h2->leave_due = loop_now(conn->http->loop) + RETIRE_NS;
        if (nghttp2_submit_shutdown_notice(h2->session) != 0)
                h2_fail(h2, NGHTTP2_INTERNAL_ERROR);
        h2_due(h2, h2->leave_due);
        h2_wake(h2);
}

static void front_fini(struct conn *conn)
{
        struct h2 *h2 = TAKE(conn->talk);
        if (h2 == NULL)
                return;
        CHECK(!h2->is_inside && list_is_empty(&h2->streams));
        list_each_safe (node, &h2->leaving) {
                struct h2_stream *stream = list_entry(node, struct h2_stream, node);
                list_remove(node);
                stream->h2 = NULL;
        }
        list_remove(&h2->late.node);
        h2_head_fini(&h2->head);
        nghttp2_session_del(h2->session);
        h2_heap_free(&h2->heap);
}

const struct codec h2_front = {
        .name = "http/2",
        .data = front_data,
        .room = front_room,
        .over = front_over,
        .down = front_down,
        .timeout = on_timeout,
        .head = front_head,
        .body = front_body,
        .interim = front_interim,
        .pause = front_pause,
        .reset = front_reset,
        .retire = front_retire,
        .fini = front_fini,
};

/* ---- the beginning ---- */

static bool greet(struct h2 *h2)
{
        const struct http_limits *limits = &h2_entrance(h2)->limits;
        const nghttp2_settings_entry settings[] = {
                /* Changed on its way out: see h2_out.c. */
                {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2 * limits->h2.streams},
                {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW},
                {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits->h1.header},
        };
        return nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
                                       countof(settings)) == 0 &&
               nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
                                                     H2_CONN_WINDOW) == 0;
}

bool h2_begin(struct conn *conn)
{
        struct http *http = conn->http;
        call_once(&tables_once, make_tables);
        CHECK(atomic_load_explicit(&has_tables, memory_order_acquire));
        CHECK(conn->is_front && conn->exchange == NULL && conn->talk == NULL);
        http->h2_memory.max = (uint64_t)page_pool_max(http->loop->pages) * PAGE_SIZE / 4;
        struct h2_heap *heap = h2_heap_make(&http->h2_memory, sizeof(struct h2));
        if (heap == NULL) {
                conn_close(conn, true);
                return false;
        }
        struct h2 *h2 = container_of(heap, struct h2, heap);
        h2->conn = conn;
        h2->credit = H2_CREDIT_MAX / 4;
        list_init(&h2->streams);
        list_init(&h2->leaving);
        task_init(&h2->late, run_late);
        if (nghttp2_session_server_new3(&h2->session, callbacks, h2, options, &heap->calls) != 0) {
                h2_heap_free(heap);
                conn_close(conn, true);
                return false;
        }
        conn->talk = h2;
        conn->codec = &h2_front;
        http->counts.h2.begun++;
        if (!greet(h2)) {
                conn_close(conn, true);
                return false;
        }
        if (http->is_draining)
                front_retire(conn);
        arm(h2);
        h2_wake(h2);
        return true;
}
