/* h1_front.c -- HTTP/1 towards callers: reads requests one after the other, writes their responses.
 * At most one exchange is on the conn; what comes behind its request is held until it is over. */
#include "base/check.h"
#include "http/h1_flow.h"

enum { INTERIM_MOST = 10, DRAIN_BYTES = 64 * 1024 };

static struct entrance *entrance_of(const struct conn *conn)
{
        return conn->owner;
}

static void feed(struct conn *conn);

static void idle(struct conn *conn)
{
        const struct entrance *entrance = entrance_of(conn);
        conn->phase = CONN_IDLE;
        conn->queued = UINT32_MAX;
        conn->heads = 0;
        conn->lingered = 0;
        conn->since = loop_now(conn->http->loop);
        conn_deadline(conn, conn->is_leaving ? u64_min(RETIRE_NS, entrance->limits.idle_ns)
                                             : entrance->limits.idle_ns);
}

/* The conn is free of its exchange: goes on with the next request, or ends. */
static void next(struct conn *conn, bool closes)
{
        if (closes) {
                conn_linger(conn);
                return;
        }
        idle(conn);
        if (conn->is_feeding)
                return; /* what is held is being read: whoever does that goes on */
        if (conn->held != NULL)
                feed(conn);
        if (conn->phase == CONN_IDLE && (conn->has_ended || conn->is_retiring))
                conn_linger(conn);
}

static void let_go(struct conn *conn)
{
        struct exchange *ex = conn->exchange;
        struct end *end = &ex->front;
        if (conn->partial != NULL)
                partial_free(TAKE(conn->partial));
        end->is_head_ready = false;
        end->conn = NULL;
        conn->exchange = NULL;
        if (ex->req.body.is_paused && conn->held == NULL)
                link_pause(conn_link(conn), false);
        exchange_resume(ex);
}

/* Both messages are over, or the conn cannot go on. */
static void done(struct conn *conn)
{
        struct exchange *ex = conn->exchange;
        bool closes = flow_of(&ex->front)->closes || conn->is_retiring;
        let_go(conn);
        next(conn, closes);
}

/* Answers a request that never became an exchange, and closes. */
static void refuse(struct conn *conn, enum reason reason, struct str method, struct str target)
{
        const struct site *site = entrance_of(conn)->site;
        struct text text = text_over(conn->http->scratch, HTTP_SCRATCH);
        conn->http->counts.heads_refused++;
        if (conn->partial != NULL && conn->partial->bytes != method.ptr)
                partial_free(TAKE(conn->partial));
        site->refuse(conn, reason, method, target, &text);
        if (text.len > 0 && !text.is_cut)
                h1_out_text(conn, &text);
        conn_linger(conn);
}

static void refuse_head(struct conn *conn, const struct h1_head *head, struct str bytes)
{
        struct str method = STR_NONE, target = STR_NONE;
        if (head->method.len > 0)
                method = h1_str(bytes, head->method);
        if (head->target.len > 0)
                target = h1_str(bytes, head->target);
        refuse(conn, h1_reason(head->fault), method, target);
}

/* The canonical host: of the target in absolute form, else of Host (RFC 9112 3.2.2). */
static enum reason read_authority(struct exchange *ex, struct head *head)
{
        uint16_t default_port = ex->is_secure ? 443 : 80;
        struct str authority = head->target.authority;
        if (authority.ptr == NULL)
                authority = fields_value(&head->fields, NAME_host);
        fields_remove_known(&head->fields, NAME_host);
        if (authority.ptr == NULL || authority.len == 0)
                return authority.ptr == NULL && head->version == 10 ? REASON_none
                                                                    : REASON_bad_request;
        enum err err = host_normalise(authority, default_port, &ex->arena, &head->host,
                                      &head->port);
        return err == ERR_ok ? REASON_none : REASON_bad_request;
}

/* The target, whose form depends on the method (RFC 9112 3.2). */
static enum reason read_target(struct exchange *ex, struct head *head)
{
        enum target_fault fault = target_read(head->raw_target, &ex->arena, &head->target);
        /* Nothing is ever connected: it is refused as that, whatever the target is. */
        if (head->method == METHOD_CONNECT)
                head->target = (struct target){0};
        else if (fault != TARGET_OK)
                return REASON_bad_request;
        if (head->target.is_asterisk && head->method != METHOD_OPTIONS)
                return REASON_bad_request;
        return read_authority(ex, head);
}

static void begin(struct conn *conn, const struct h1_head *read, struct str bytes)
{
        const struct entrance *entrance = entrance_of(conn);
        struct exchange *ex = exchange_begin(conn->http, entrance->site, conn);
        if (ex == NULL) {
                conn->phase = CONN_BUSY;
                refuse(conn, REASON_overloaded, h1_str(bytes, read->method),
                       h1_str(bytes, read->target));
                return;
        }
        struct head *head = &ex->req.head;
        struct h1_flow *flow = arena_new(&ex->arena, struct h1_flow);
        ex->front.stream = flow;
        h1_head_take(ex, head, read, bytes);
        h1_in_begin(flow, (enum h1_body)read->body, read->length,
                    entrance->limits.chunk_extensions);
        flow->closes = !read->keeps_alive || conn->http->is_draining;
        if (read->body != H1_BODY_CHUNKED)
                ex->req.body.is_proven = true;
        if (read->body == H1_BODY_LENGTH)
                ex->req.body.length = read->length;
        if (flow->is_in_over)
                ex->req.body.length = 0;
        ex->req.body.is_complete = flow->is_in_over;
        enum reason reason = read_target(ex, head);
        if (reason != REASON_none) {
                ex->reason = reason;
                flow->closes = true;
        }
        if (flow->is_in_over)
                timer_clear(&conn->timer);
        else
                conn_deadline(conn, entrance->limits.idle_ns);
        exchange_start(ex);
}

static size_t read_head(struct conn *conn, struct slice bytes)
{
        const struct entrance *entrance = entrance_of(conn);
        struct str in = str_from((const char *)bytes.ptr, bytes.len);
        struct h1_head head;
        size_t used = 0;
        h1_begin(&head, H1_REQUEST, &entrance->limits.h1, conn->http->fields);
        enum h1_state state = h1_read(&head, in, &used);
        if (state == H1_DONE) {
                begin(conn, &head, str_first(in, used));
                return used;
        }
        if (state == H1_BAD) {
                refuse_head(conn, &head, in);
                return bytes.len;
        }
        conn->partial = partial_make(conn->http->loop->pages, &head, in);
        if (conn->partial == NULL) {
                refuse(conn, REASON_overloaded, STR_NONE, STR_NONE);
                return bytes.len;
        }
        /* From the first byte of the head to its last, whatever comes in between. */
        conn->phase = CONN_HEAD;
        conn_deadline(conn, entrance->limits.header_ns);
        return bytes.len;
}

static size_t read_head_on(struct conn *conn, struct slice bytes)
{
        struct partial *partial = conn->partial;
        size_t used = 0;
        enum h1_state state = partial_read(partial, str_from((const char *)bytes.ptr, bytes.len),
                                           &used);
        if (state == H1_MORE)
                return bytes.len;
        conn->partial = NULL;
        if (state == H1_DONE)
                begin(conn, &partial->head, partial_bytes(partial));
        else
                refuse_head(conn, &partial->head, partial_bytes(partial));
        partial_free(partial);
        return state == H1_DONE ? used : bytes.len;
}

/* Keeps bytes of the next request; nothing more is read until they are used. */
static void hold(struct conn *conn, struct slice bytes)
{
        struct page **last = &conn->held;
        while (*last != NULL)
                last = &(*last)->next;
        while (bytes.len > 0) {
                struct page *page = page_take(conn->http->loop->pages);
                if (page == NULL) {
                        /* Without them the conn makes no sense: it ends after this answer. */
                        conn->is_retiring = true;
                        break;
                }
                page->end = (uint32_t)size_min(bytes.len, PAGE_ROOM);
                memcpy(page->data, bytes.ptr, page->end);
                bytes.ptr += page->end;
                bytes.len -= page->end;
                *last = page;
                last = &page->next;
        }
        link_pause(conn_link(conn), true);
}

static void body_broken(struct conn *conn, struct exchange *ex)
{
        struct h1_flow *flow = flow_of(&ex->front);
        flow->closes = true;
        ex->req.body.is_discarded = true;
        link_pause(conn_link(conn), true);
        exchange_fault(ex, flow->is_in_starved ? REASON_overloaded : REASON_bad_request);
}

static size_t read_body(struct conn *conn, struct slice bytes)
{
        struct exchange *ex = conn->exchange;
        struct h1_flow *flow = flow_of(&ex->front);
        if (flow->is_in_broken)
                return bytes.len;
        bool was_proven = ex->req.body.is_proven;
        size_t used = h1_in_read(conn, flow, &ex->req.body, bytes);
        if (flow->is_in_broken) {
                body_broken(conn, ex);
                return bytes.len;
        }
        if (flow->is_in_over) {
                timer_clear(&conn->timer);
                exchange_push_end(ex, &ex->req.body);
                if (flow->is_out_over)
                        done(conn);
        } else if (!was_proven && ex->req.body.is_proven) {
                exchange_resume(ex);
        }
        return used;
}

static size_t front_data(struct conn *conn, struct slice bytes)
{
        if (conn->exchange == NULL && conn->held != NULL && !conn->is_feeding) {
                hold(conn, bytes);
                return bytes.len;
        }
        if (conn->exchange == NULL)
                return conn->partial != NULL ? read_head_on(conn, bytes) : read_head(conn, bytes);
        if (!flow_of(&conn->exchange->front)->is_in_over)
                return read_body(conn, bytes);
        if (conn->is_feeding)
                return 0;
        hold(conn, bytes);
        return bytes.len;
}

/* Reads what was held: the rest of requests that came together. */
static void feed(struct conn *conn)
{
        struct page_pool *pool = conn->http->loop->pages;
        conn->is_feeding = true;
        while (conn->held != NULL && conn->phase != CONN_LINGER && conn->phase != CONN_DEAD) {
                struct page *page = conn->held;
                size_t used = front_data(conn, (struct slice){(uint8_t *)page->data + page->begin,
                                                              page->end - page->begin});
                if (used == 0 || conn->held != page)
                        break;
                page->begin += (uint32_t)used;
                if (page->begin == page->end) {
                        conn->held = page->next;
                        page_give(pool, page);
                }
        }
        conn->is_feeding = false;
        bool is_paused = conn->exchange != NULL && conn->exchange->req.body.is_paused;
        if (conn->held == NULL && conn->phase != CONN_DEAD && !is_paused)
                link_pause(conn_link(conn), false);
}

static bool answers_without_body(const struct exchange *ex)
{
        uint16_t status = ex->res.head.status;
        return ex->req.head.method == METHOD_HEAD || status == 204 || status == 304;
}

/* An incomplete request either has little left, which is read and thrown away, or ends the conn. */
static bool must_close(const struct exchange *ex, const struct h1_flow *flow)
{
        if (flow->is_in_over)
                return false;
        if (flow->is_in_broken || ex->req.head.expects_continue)
                return true;
        return flow->in != H1_BODY_LENGTH || flow->in_left > DRAIN_BYTES;
}

static void choose_framing(struct exchange *ex, struct h1_flow *flow)
{
        if (exchange_is_stream(ex)) {
                h1_go_raw(flow);
                return;
        }
        if (ex->front.closes || ex->front.conn->http->is_draining || must_close(ex, flow))
                flow->closes = true;
        if (answers_without_body(ex)) {
                flow->out = H1_BODY_NONE;
        } else if (ex->res.body.length != BODY_LENGTH_UNKNOWN) {
                flow->out = H1_BODY_LENGTH;
                flow->out_left = ex->res.body.length;
        } else if (ex->req.head.version >= 11) {
                flow->out = H1_BODY_CHUNKED;
        } else {
                flow->out = H1_BODY_CLOSE;
                flow->closes = true;
        }
}

static void put_framing(struct text *text, const struct exchange *ex, const struct h1_flow *flow)
{
        uint64_t length = ex->res.body.length;
        uint16_t status = ex->res.head.status;
        char digits[24];
        struct text number = text_over(digits, sizeof digits);
        /* HEAD and 304 say what a GET would have given, where that is known. */
        bool tells_length = flow->out == H1_BODY_LENGTH ||
                            (flow->out == H1_BODY_NONE && status != 204 &&
                             length != BODY_LENGTH_UNKNOWN && (status != 304 || length > 0));
        if (tells_length) {
                text_u64(&number, length);
                h1_put_field(text, S("Content-Length"), text_str(&number));
        } else if (flow->out == H1_BODY_CHUNKED) {
                h1_put_field(text, S("Transfer-Encoding"), S("chunked"));
        }
        if (ex->res.head.upgrade.len > 0)
                h1_put_upgrade(text, ex->res.head.upgrade);
        if (flow->is_raw)
                return;
        if (flow->closes)
                h1_put_field(text, S("Connection"), S("close"));
        else if (ex->req.head.version == 10)
                h1_put_field(text, S("Connection"), S("keep-alive"));
}

static bool send_head(struct exchange *ex, struct conn *conn, struct h1_flow *flow)
{
        struct text text = text_over(conn->http->scratch, HTTP_SCRATCH);
        h1_put_status_line(&text, ex->res.head.status);
        fields_each (field, &ex->res.head.fields) {
                h1_put_field(&text, field->name, field->value);
        }
        put_framing(&text, ex, flow);
        text_put(&text, S("\r\n"));
        if (text.is_cut) {
                ex->front.failure = REASON_fault;
                exchange_fault(ex, REASON_fault);
                return false;
        }
        flow->is_head_out = h1_out_text(conn, &text);
        ex->front.is_begun = flow->is_head_out;
        return flow->is_head_out;
}

/* Nothing can be sent now: the caller has a time to take some of it. */
static void watch_stall(struct conn *conn)
{
        if (conn->timer.due != TIMER_NEVER)
                return;
        conn->queued = (uint32_t)link_queued(conn_link(conn));
        conn_deadline(conn, entrance_of(conn)->limits.stall_ns);
}

static void pump(struct exchange *ex)
{
        struct conn *conn = ex->front.conn;
        struct h1_flow *flow = flow_of(&ex->front);
        const struct fields *trailers = ex->req.head.takes_trailers ? &ex->res.trailers : NULL;
        if (flow->is_out_over)
                return;
        if ((!flow->is_head_out && !send_head(ex, conn, flow)) ||
            !h1_out_pump(conn, flow, &ex->res.body, trailers)) {
                if (ex->front.conn == conn && link_queued(conn_link(conn)) > SOCK_OUT_MAX / 2)
                        watch_stall(conn);
                return;
        }
        ex->front.is_sent = true;
        /* Of a stream the last words to the back may still be on their way. */
        if (!flow->is_raw) {
                ex->req.body.is_discarded = true;
                body_fini(&ex->req.body);
        }
        if (flow->is_in_over || flow->closes)
                done(conn);
        else
                link_pause(conn_link(conn), false);
}

/* The caller says no more in a stream. */
static void end_raw(struct conn *conn)
{
        struct exchange *ex = conn->exchange;
        flow_of(&ex->front)->is_in_over = true;
        exchange_push_end(ex, &ex->req.body);
}

static void front_head(struct exchange *ex, struct end *end)
{
        struct conn *conn = end->conn;
        if (conn == NULL)
                return;
        choose_framing(ex, flow_of(end));
        pump(ex);
        /* What came behind the request was said in the new protocol, as it turns out. */
        if (end->conn == conn && flow_of(end)->is_raw && conn->held != NULL && !conn->is_feeding)
                feed(conn);
        if (end->conn == conn && flow_of(end)->is_raw && conn->has_ended)
                end_raw(conn);
}

static void front_body(struct exchange *ex, struct end *end)
{
        if (end->conn != NULL)
                pump(ex);
}

static void front_interim(struct exchange *ex, struct end *end)
{
        struct conn *conn = end->conn;
        if (conn == NULL || ex->req.head.version < 11 || flow_of(end)->is_head_out)
                return;
        struct text text = text_over(conn->http->scratch, HTTP_SCRATCH);
        h1_put_status_line(&text, ex->res.head.status);
        fields_each (field, &ex->res.head.fields) {
                h1_put_field(&text, field->name, field->value);
        }
        text_put(&text, S("\r\n"));
        h1_out_text(conn, &text);
}

static void front_room(struct conn *conn)
{
        if (conn->exchange == NULL)
                return;
        const struct h1_flow *flow = flow_of(&conn->exchange->front);
        if (flow->is_in_over || flow->is_raw)
                timer_clear(&conn->timer);
        if (conn->exchange->front.is_head_ready)
                pump(conn->exchange);
}

static void gone(struct conn *conn, bool is_abrupt)
{
        struct exchange *ex = conn->exchange;
        if (ex != NULL) {
                ex->front.is_gone = true;
                let_go(conn);
                exchange_fault(ex, REASON_client_abort);
        }
        conn_close(conn, is_abrupt);
}

static void front_over(struct conn *conn)
{
        struct exchange *ex = conn->exchange;
        if (ex == NULL)
                conn_linger(conn);
        else if (flow_of(&ex->front)->is_raw)
                end_raw(conn);
        else if (!flow_of(&ex->front)->is_in_over && !flow_of(&ex->front)->is_in_broken)
                gone(conn, true); /* half a request: there is nothing to wait for */
}

static void front_down(struct conn *conn, enum err err)
{
        (void)err;
        gone(conn, true);
}

/* The body comes too slowly: nothing for idle_ns, or less than the least rate after that. */
static void body_slow(struct conn *conn, struct exchange *ex)
{
        const struct http_limits *limits = &entrance_of(conn)->limits;
        uint64_t now = loop_now(conn->http->loop);
        uint64_t passed = ex->req.body.passed;
        uint64_t age = (now - ex->times.begin) / 1000000;
        uint64_t grace = limits->idle_ns / 1000000;
        bool is_late = age > grace && passed * 1000 < limits->body_rate * (age - grace);
        if (ex->req.body.is_paused || (!is_late && passed != conn->lingered)) {
                conn->lingered = (uint32_t)passed;
                conn_deadline(conn, limits->idle_ns);
                return;
        }
        flow_of(&ex->front)->closes = true;
        flow_of(&ex->front)->is_in_broken = true;
        if (ex->front.is_head_ready)
                gone(conn, true);
        else
                exchange_fault(ex, REASON_request_timeout);
}

static bool is_body_due(const struct h1_flow *flow)
{
        return !flow->is_in_over && !flow->is_in_broken && !flow->is_raw;
}

static void front_timeout(struct conn *conn)
{
        struct exchange *ex = conn->exchange;
        if (ex == NULL && conn->phase == CONN_HEAD) {
                refuse(conn, REASON_request_timeout, STR_NONE, STR_NONE);
        } else if (ex == NULL) {
                if (link_queued(conn_link(conn)) > 0 && conn_moves(conn))
                        conn_deadline(conn, entrance_of(conn)->limits.stall_ns);
                else
                        conn_close(conn, link_queued(conn_link(conn)) > 0);
        } else if (is_body_due(flow_of(&ex->front))) {
                body_slow(conn, ex);
        } else if (link_queued(conn_link(conn)) > 0 && !conn_moves(conn)) {
                gone(conn, true);
        } else if (link_queued(conn_link(conn)) > 0) {
                conn_deadline(conn, entrance_of(conn)->limits.stall_ns);
        }
}

/* One that holds requests to come stays paused for those. */
static void front_pause(struct exchange *ex, struct end *end, bool is_paused)
{
        (void)ex;
        if (is_paused || end->conn->held == NULL)
                link_pause(conn_link(end->conn), is_paused);
}

static void front_reset(struct exchange *ex, struct end *end, enum reason reason)
{
        struct conn *conn = end->conn;
        (void)ex;
        (void)reason;
        let_go(conn);
        conn_close(conn, true);
}

static void front_retire(struct conn *conn)
{
        uint64_t now = loop_now(conn->http->loop), due = conn->since + RETIRE_NS;
        bool is_first = !conn->is_leaving;
        conn->is_leaving = true;
        if (conn->phase != CONN_IDLE || conn->partial != NULL || conn->held != NULL)
                return;
        if (now >= due)
                conn_linger(conn);
        else if (is_first && due < conn->timer.due)
                conn_deadline(conn, due - now);
}

const struct codec h1_front = {
        .name = "http/1.1",
        .data = front_data,
        .room = front_room,
        .over = front_over,
        .down = front_down,
        .timeout = front_timeout,
        .head = front_head,
        .body = front_body,
        .interim = front_interim,
        .pause = front_pause,
        .reset = front_reset,
        .retire = front_retire,
};
