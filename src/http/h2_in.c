/* h2_in.c -- what a caller sends: header sections become exchanges, DATA their bodies. A stream
 * that has no exchange (refused, answered, broken off) is the library's alone: what still comes on
 * it is thrown away. */
#include "base/check.h"
#include "http/h2_int.h"

static struct str str_of_bytes(const uint8_t *bytes, size_t len)
{
        return str_from((const char *)bytes, len);
}

static int outcome(const struct h2 *h2)
{
        return h2->has_error ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static void reset(struct h2 *h2, int32_t id, uint32_t error)
{
        if (nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, error) != 0)
                h2_fail(h2, NGHTTP2_INTERNAL_ERROR);
}

/* A request that never became an exchange leaves a record, and nothing else. */
static void refuse(struct h2 *h2, enum reason reason)
{
        struct conn *conn = h2->conn;
        struct text text = text_over(conn->http->scratch, HTTP_SCRATCH);
        conn->http->counts.heads_refused++;
        h2_entrance(h2)->site->refuse(conn, reason, h2->head.pseudo[H2_METHOD],
                                      h2->head.pseudo[H2_PATH], &text);
}

/* A new stream whose id goes down (RFC 9113 5.1.1). */
static bool goes_down(const struct h2 *h2, const nghttp2_frame_hd *hd)
{
        return hd->type == NGHTTP2_HEADERS && hd->stream_id < h2->highest &&
               nghttp2_session_find_stream(h2->session, hd->stream_id) == NULL;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
        struct h2 *h2 = arg;
        (void)session;
        if (hd->type == NGHTTP2_HEADERS && h2->head_due == 0) {
                h2->head_due = loop_now(h2->conn->http->loop) + h2_entrance(h2)->limits.header_ns;
                h2_due(h2, h2->head_due);
        }
        if (goes_down(h2, hd))
                h2_fail(h2, NGHTTP2_PROTOCOL_ERROR);
        h2_guard_frame(h2, hd);
        return outcome(h2);
}

/* ---- header sections ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
        struct h2 *h2 = arg;
        bool is_trailer = frame->headers.cat != NGHTTP2_HCAT_REQUEST;
        (void)session;
        if (!is_trailer)
                h2->highest = frame->hd.stream_id;
        h2_head_begin(&h2->head, h2->conn->http->loop->pages, &h2_entrance(h2)->limits.h1,
                      is_trailer);
        return outcome(h2);
}

static int add(struct h2 *h2, nghttp2_rcbuf *name, nghttp2_rcbuf *value)
{
        nghttp2_vec n = nghttp2_rcbuf_get_buf(name), v = nghttp2_rcbuf_get_buf(value);
        h2_head_add(&h2->head, str_of_bytes(n.base, n.len), str_of_bytes(v.base, v.len));
        if (h2_head_is_bomb(&h2->head) && !h2->has_error) {
                h2->conn->http->counts.h2.ended_head++;
                h2_fail(h2, NGHTTP2_ENHANCE_YOUR_CALM);
        }
        return outcome(h2);
}

/* tidy: many, because the library calls it so. */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
        (void)session, (void)frame, (void)flags;
        return add(arg, name, value);
}

/* What the library would drop silently is judged as everything else. */
/* tidy: many, because the library calls it so. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                             nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
        struct h2 *h2 = arg;
        (void)session, (void)frame, (void)flags;
        int rv = add(h2, name, value);
        h2->head.fault = H2_FAULT_MALFORMED;
        return rv;
}

/* Its memory is about to go: the work for this stream has ended. */
static void on_exchange_end(void *arg)
{
        struct h2_stream *stream = arg;
        list_remove(&stream->node);
        if (stream->h2 != NULL)
                stream->h2->stream_count--;
}

static struct h2_stream *stream_begin(struct h2 *h2, int32_t id, bool has_body)
{
        struct conn *conn = h2->conn;
        struct exchange *ex = exchange_begin(conn->http, h2_entrance(h2)->site, conn);
        if (ex == NULL)
                return NULL;
        conn->exchange = NULL; /* there may be many */
        struct h2_stream *stream = arena_new(&ex->arena, struct h2_stream);
        stream->h2 = h2;
        stream->ex = ex;
        stream->id = id;
        stream->is_in_over = !has_body;
        ex->front.stream = stream;
        ex->req.body.is_proven = true; /* frames cannot be taken for anything else */
        ex->req.body.is_complete = !has_body;
        ex->req.body.length = !has_body             ? 0
                              : h2->head.has_length ? h2->head.length
                                                    : BODY_LENGTH_UNKNOWN;
        if (!list_is_empty(&h2->streams))
                conn->http->shared_count++;
        list_push(&h2->streams, &stream->node);
        h2->stream_count++;
        arena_defer(&ex->arena, on_exchange_end, stream);
        CHECK(nghttp2_session_set_stream_user_data(h2->session, id, stream) == 0);
        return stream;
}

static void take_request(struct h2 *h2, const nghttp2_frame *frame)
{
        int32_t id = frame->hd.stream_id;
        bool has_body = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0;
        struct h2_stream *stream = NULL;
        h2_head_judge(&h2->head, has_body);
        if (h2->head.fault == H2_FAULT_MALFORMED) {
                refuse(h2, REASON_bad_request);
                reset(h2, id, NGHTTP2_PROTOCOL_ERROR);
                return;
        }
        /* RFC 9113 5.1.2 */
        if (h2->stream_count >= h2_entrance(h2)->limits.h2.streams) {
                h2->conn->http->counts.h2.streams_refused++;
                reset(h2, id, NGHTTP2_REFUSED_STREAM);
                return;
        }
        if (!h2->head.arena.is_failed)
                stream = stream_begin(h2, id, has_body);
        if (stream == NULL) {
                refuse(h2, REASON_overloaded);
                reset(h2, id, NGHTTP2_REFUSED_STREAM);
                return;
        }
        struct exchange *ex = stream->ex;
        ex->reason = h2_head_take(&h2->head, ex);
        if (ex->reason != REASON_none)
                h2_glitch(h2, 1);
        h2_credit(h2, 4);
        h2_due(h2, loop_now(ex->http->loop) + h2_entrance(h2)->limits.idle_ns);
        exchange_start(ex);
}

/* ---- bodies ---- */

/* The stream is not what it said it would be: nothing of it may look complete to anybody. */
static void broken(struct h2_stream *stream)
{
        struct h2 *h2 = stream->h2;
        reset(h2, stream->id, NGHTTP2_PROTOCOL_ERROR);
        h2_gone(stream, REASON_bad_request);
}

static void body_over(struct h2_stream *stream)
{
        struct exchange *ex = stream->ex;
        struct body *body = &ex->req.body;
        if (body->length != BODY_LENGTH_UNKNOWN && body->passed != body->length) {
                broken(stream); /* RFC 9113 8.1.1 */
                return;
        }
        stream->is_in_over = true;
        exchange_push_end(ex, body);
}

static void take_trailers(struct h2 *h2, const nghttp2_frame *frame)
{
        struct h2_stream *stream = h2_find(h2, frame->hd.stream_id);
        if (stream == NULL)
                return;
        bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        if (h2->head.fault == H2_FAULT_MALFORMED || !is_end) {
                broken(stream);
                return;
        }
        if (h2->head.fault != H2_FAULT_NONE || h2->head.arena.is_failed) {
                stream->ex->req.body.is_discarded = true;
                stream->is_in_over = true;
                exchange_fault(stream->ex, REASON_header_too_large);
                return;
        }
        h2_head_take_trailers(&h2->head, stream->ex);
        body_over(stream);
}

/* tidy: many, because the library calls it so. */
static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t len, void *arg)
{
        struct h2 *h2 = arg;
        struct h2_stream *stream = h2_find(h2, id);
        (void)flags;
        if (stream == NULL || stream->is_in_over) {
                if (nghttp2_session_consume_connection(session, len) != 0)
                        h2_fail(h2, NGHTTP2_INTERNAL_ERROR);
                return outcome(h2);
        }
        struct body *body = &stream->ex->req.body;
        stream->owed += len;
        if (body->length != BODY_LENGTH_UNKNOWN && len > body->length - body->passed) {
                broken(stream);
                return outcome(h2);
        }
        h2_credit(h2, 2);
        exchange_push(stream->ex, body, str_of_bytes(bytes, len));
        if (stream->ex->front.conn != NULL && !body->is_paused)
                h2_consume(stream);
        return outcome(h2);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
        struct h2 *h2 = arg;
        struct h2_stream *stream;
        (void)session;
        switch (frame->hd.type) {
        case NGHTTP2_HEADERS:
                h2->head_due = 0;
                if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
                        take_request(h2, frame);
                else
                        take_trailers(h2, frame);
                h2_head_fini(&h2->head);
                break;
        case NGHTTP2_DATA:
                stream = h2_find(h2, frame->hd.stream_id);
                if (stream != NULL && !stream->is_in_over &&
                    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
                        body_over(stream);
                break;
        case NGHTTP2_RST_STREAM:
                stream = h2_find(h2, frame->hd.stream_id);
                if (stream == NULL)
                        break;
                h2_gone(stream, REASON_client_abort);
                h2_guard_reset(h2);
                break;
        case NGHTTP2_SETTINGS:
                if (!h2->is_greeted)
                        h2_greeted(h2);
                break;
        default:
                break;
        }
        return outcome(h2);
}

/* RFC 9113 4.1: what is unknown is passed over; that it came was counted. */
static int on_unknown_bytes(nghttp2_session *session, const nghttp2_frame_hd *hd,
                            const uint8_t *bytes, size_t len, void *arg)
{
        (void)session, (void)hd, (void)bytes, (void)len, (void)arg;
        return NGHTTP2_ERR_CANCEL;
}

static int on_unknown(nghttp2_session *session, void **payload, const nghttp2_frame_hd *hd,
                      void *arg)
{
        (void)session, (void)payload, (void)hd, (void)arg;
        return NGHTTP2_ERR_CANCEL;
}

/* The library found something that breaks the rules and will answer it. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *arg)
{
        struct h2 *h2 = arg;
        (void)session, (void)error;
        if (frame->hd.type == NGHTTP2_HEADERS && h2->head.is_begun) {
                h2->head_due = 0;
                if (!h2->head.is_trailer)
                        refuse(h2, REASON_bad_request);
                h2_head_fini(&h2->head);
        }
        struct h2_stream *stream = h2_find(h2, frame->hd.stream_id);
        if (stream != NULL && !stream->is_out_over)
                h2_gone(stream, REASON_bad_request);
        return outcome(h2);
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *arg)
{
        struct h2 *h2 = arg;
        struct h2_stream *stream = h2_find(h2, id);
        (void)session, (void)error;
        if (stream != NULL)
                h2_gone(stream, REASON_client_abort);
        return outcome(h2);
}

void h2_in_callbacks(nghttp2_session_callbacks *callbacks)
{
        nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
        nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, on_invalid_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
        nghttp2_session_callbacks_set_on_extension_chunk_recv_callback(callbacks, on_unknown_bytes);
        nghttp2_session_callbacks_set_unpack_extension_callback(callbacks, on_unknown);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}
