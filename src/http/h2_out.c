/* h2_out.c -- what a caller is sent: heads are handed to the library, which packs them; of bodies
 * it asks how much there is, and they go from where they lie to the link without passing through
 * it. Nothing is written that the link does not take whole. */
#include "base/check.h"
#include "http/h2_int.h"

enum { VALUES_HERE = 48, PIECES = 3 }; /* with its head a frame is as many as a link takes */

/* ---- heads ---- */

struct values {
        nghttp2_nv here[VALUES_HERE];
        nghttp2_nv *at;
        size_t count, bytes;
};

static void put(struct values *values, struct str name, struct str value)
{
        values->at[values->count++] = (nghttp2_nv){
                .name = (uint8_t *)(uintptr_t)name.ptr,
                .namelen = name.len,
                .value = (uint8_t *)(uintptr_t)value.ptr,
                .valuelen = value.len,
        };
        values->bytes += name.len + value.len + H2_FIELD_OVERHEAD;
}

/* The library copies all of it, in lower case. */
static void put_fields(struct values *values, const struct fields *fields, struct arena *arena)
{
        const size_t more = 2; /* :status and Content-Length */
        *values = (struct values){.at = values->here};
        if (fields->count + more > VALUES_HERE)
                values->at = arena_alloc(arena, (fields->count + more) * sizeof *values->at);
        values->count = 1;
        fields_each (field, fields) {
                put(values, field->name, field->value);
        }
}

static void put_status(struct values *values, uint16_t status, char digits[3])
{
        digits[0] = (char)('0' + status / 100);
        digits[1] = (char)('0' + status / 10 % 10);
        digits[2] = (char)('0' + status % 10);
        size_t count = values->count;
        values->count = 0;
        put(values, S(":status"), str_from(digits, 3));
        values->count = count;
}

bool h2_put_interim(struct h2_stream *stream)
{
        const struct exchange *ex = stream->ex;
        struct values values;
        char status[3];
        put_fields(&values, &ex->res.head.fields, &stream->ex->arena);
        put_status(&values, ex->res.head.status, status);
        return nghttp2_submit_headers(stream->h2->session, NGHTTP2_FLAG_NONE, stream->id, NULL,
                                      values.at, values.count, NULL) == 0;
}

static bool answers_without_body(const struct exchange *ex)
{
        uint16_t status = ex->res.head.status;
        return ex->req.head.method == METHOD_HEAD || status == 204 || status == 304;
}

/* What lies there of a body, at most `len` bytes of it, as a frame can take it. */
static int offer(const struct body *body, size_t len, struct iovec *iov, size_t *ret_total)
{
        int count = 1, used = 0;
        if (body->held.len > 0)
                count = buf_iovec(&body->held, iov, PIECES);
        else
                *iov = (struct iovec){(void *)(uintptr_t)body->hand.ptr, body->hand.len};
        *ret_total = 0;
        for (; used < count && *ret_total < len; used++) {
                iov[used].iov_len = size_min(iov[used].iov_len, len - *ret_total);
                *ret_total += iov[used].iov_len;
        }
        return used;
}

/* tidy: many, because the library calls it so. */
static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t len,
                       uint32_t *flags, nghttp2_data_source *source, void *arg)
{
        struct h2 *h2 = arg;
        struct h2_stream *stream = h2_find(h2, id);
        (void)session, (void)buffer, (void)source;
        if (stream == NULL)
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        const struct body *body = &stream->ex->res.body;
        struct iovec iov[PIECES];
        size_t total;
        offer(body, len, iov, &total);
        /* What was discarded has holes: its end must never look like one. */
        bool is_last = body->is_complete && !body->is_discarded && total == body_waiting(body);
        if (total == 0 && !is_last) {
                stream->is_deferred = true;
                return NGHTTP2_ERR_DEFERRED;
        }
        *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
        if (is_last)
                *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (is_last && stream->ex->res.trailers.count > 0)
                *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        return (ssize_t)total;
}

/* HEAD and 304 say what a GET would have given, where that is known. */
static bool tells_length(const struct exchange *ex)
{
        uint64_t length = ex->res.body.length;
        uint16_t status = ex->res.head.status;
        if (length == BODY_LENGTH_UNKNOWN || status == 204)
                return false;
        return status != 304 || length > 0;
}

bool h2_put_head(struct h2_stream *stream)
{
        struct exchange *ex = stream->ex;
        struct values values;
        char status[3], digits[24];
        struct text length = text_over(digits, sizeof digits);
        nghttp2_data_provider body = {.read_callback = on_read};
        bool has_body = !answers_without_body(ex) && !body_is_empty(&ex->res.body);
        put_fields(&values, &ex->res.head.fields, &ex->arena);
        put_status(&values, ex->res.head.status, status);
        if (tells_length(ex)) {
                text_u64(&length, ex->res.body.length);
                put(&values, S("content-length"), text_str(&length));
        }
        if (values.bytes > HTTP_SCRATCH)
                return false;
        return nghttp2_submit_response(stream->h2->session, stream->id, values.at, values.count,
                                       has_body ? &body : NULL) == 0;
}

static void put_trailers(struct h2_stream *stream)
{
        struct values values;
        put_fields(&values, &stream->ex->res.trailers, &stream->ex->arena);
        if (nghttp2_submit_trailer(stream->h2->session, stream->id, values.at + 1,
                                   values.count - 1) != 0)
                h2_fail(stream->h2, NGHTTP2_INTERNAL_ERROR);
}

/* ---- frames ---- */

/* One frame of a body, from where it lies. */
/* tidy: many, because the library calls it so. */
static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                        size_t len, nghttp2_data_source *source, void *arg)
{
        struct h2 *h2 = arg;
        struct h2_stream *stream = h2_find(h2, frame->hd.stream_id);
        struct link *link = conn_link(h2->conn);
        struct iovec iov[1 + PIECES];
        size_t total;
        (void)session, (void)source;
        if (stream == NULL)
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        CHECK(frame->data.padlen == 0);
        struct body *body = &stream->ex->res.body;
        iov[0] = (struct iovec){(void *)(uintptr_t)head, 9};
        int count = offer(body, len, iov + 1, &total);
        CHECK(total == len && link_fits(link, len + 9));
        link_send(link, iov, 1 + count, len + 9);
        for (size_t left = len; left > 0;) {
                size_t taken = size_min(left, body_peek(body).len);
                body_take(body, taken);
                left -= taken;
        }
        stream->sent += len;
        if (len > 0)
                h2_credit(h2, 4);
        exchange_took(stream->ex, body);
        bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        if (!is_end && body_is_over(body) && !body->is_discarded &&
            stream->ex->res.trailers.count > 0)
                put_trailers(stream);
        /* The library asks for the next frame only when it can be sent, too: what it was told of a
         * body must still be so when it comes back to it. */
        return link_fits(link, H2_FRAME_MAX) ? 0 : NGHTTP2_ERR_PAUSE;
}

/* All of our message left. A request that is still coming is of no use to anybody then
 * (RFC 9113 8.1). */
static void over(struct h2_stream *stream)
{
        struct exchange *ex = stream->ex;
        struct h2 *h2 = stream->h2;
        stream->is_out_over = true;
        ex->front.is_sent = true;
        ex->req.body.is_discarded = true;
        body_fini(&ex->req.body);
        if (!stream->is_in_over && nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE,
                                                             stream->id, NGHTTP2_NO_ERROR) != 0)
                h2_fail(h2, NGHTTP2_INTERNAL_ERROR);
        h2_let_go(stream);
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
        struct h2 *h2 = arg;
        struct h2_stream *stream;
        (void)session;
        switch (frame->hd.type) {
        case NGHTTP2_HEADERS:
        case NGHTTP2_DATA:
                if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
                        break;
                stream = h2_find(h2, frame->hd.stream_id);
                if (stream != NULL)
                        over(stream);
                break;
        case NGHTTP2_RST_STREAM:
                /* What is not the caller's doing is not counted against it. */
                if (frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
                    frame->rst_stream.error_code != NGHTTP2_INTERNAL_ERROR)
                        h2_guard_reset(h2);
                break;
        default:
                break;
        }
        return 0;
}

/* Of our own accord nothing that was submitted is dropped, unless its stream went. */
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error, void *arg)
{
        struct h2 *h2 = arg;
        struct h2_stream *stream = h2_find(h2, frame->hd.stream_id);
        (void)session, (void)error;
        if (frame->hd.type == NGHTTP2_HEADERS && stream != NULL)
                h2_gone(stream, REASON_client_abort);
        return 0;
}

void h2_out_callbacks(nghttp2_session_callbacks *callbacks)
{
        nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
        nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
}

/* Our SETTINGS, the first that is sent, say how many streams there may be. The library was told of
 * twice as many, since it would end a connection for one too many, which is for us to refuse. */
static void tell_streams(const struct h2 *h2, uint8_t *frame, size_t len)
{
        uint32_t streams = h2_entrance(h2)->limits.h2.streams;
        CHECK(len >= 15 && frame[3] == NGHTTP2_SETTINGS &&
              frame[10] == NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
        streams = big_endian_u32(streams);
        memcpy(frame + 11, &streams, sizeof streams);
}

/* True when the library gave nothing more, false when the link is full or the conn is to end. */
static bool write_frames(struct h2 *h2)
{
        struct link *link = conn_link(h2->conn);
        const uint8_t *bytes;
        ssize_t len;
        while (link_fits(link, H2_FRAME_MAX)) {
                len = nghttp2_session_mem_send(h2->session, &bytes);
                if (len < 0) {
                        h2_fail(h2, NGHTTP2_INTERNAL_ERROR);
                        return false;
                }
                if (len == 0)
                        return link_fits(link, H2_FRAME_MAX);
                if (!h2->is_told)
                        tell_streams(h2, (uint8_t *)(uintptr_t)bytes, (size_t)len);
                h2->is_told = true;
                struct iovec iov = {(void *)(uintptr_t)bytes, (size_t)len};
                link_send(link, &iov, 1, (size_t)len);
        }
        return false;
}

void h2_pump(struct h2 *h2)
{
        CHECK(!h2->is_inside);
        h2->is_inside = true;
        bool is_full = !write_frames(h2);
        h2->is_inside = false;
        /* Who does not read our answers to its frames gets to send no more of them. */
        bool holds = is_full && nghttp2_session_get_outbound_queue_size(h2->session) >
                                        H2_QUEUE_MAX + h2->stream_count;
        if (holds != h2->is_held_back)
                link_pause(conn_link(h2->conn), holds);
        h2->is_held_back = holds;
}
