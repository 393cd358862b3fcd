/* h1_flow.c -- bodies in and out, with the framing of HTTP/1. */
#include "http/h1_flow.h"

#include "base/check.h"

enum { CHUNK_OVERHEAD = 32, GATHER_MAX = 512 };

enum reason h1_reason(enum h1_fault fault)
{
        switch (fault) {
        case H1_FAULT_VERSION:
                return REASON_version_not_supported;
        case H1_FAULT_CODING:
                return REASON_not_implemented;
        case H1_FAULT_EXPECT:
                return REASON_expectation_failed;
        case H1_FAULT_TARGET_LENGTH:
                return REASON_target_too_long;
        case H1_FAULT_FIELD_LENGTH:
                return REASON_header_too_large;
        case H1_FAULT_NONE:
        case H1_FAULT_SYNTAX:
        case H1_FAULT_FRAMING:
                break;
        }
        return REASON_bad_request;
}

/* RFC 9110 7.6.1: what Connection names is meant for us only. */
static void remove_listed(struct fields *fields, const struct fields *connection)
{
        struct fields_walk walk = {.fields = connection, .id = NAME_connection};
        struct str member;
        while (fields_member(&walk, &member)) {
                if (!str_eq_nocase(member, S("close")) && !str_eq_nocase(member, S("keep-alive")))
                        fields_remove(fields, member);
        }
}

/* RFC 9110 7.8: of one line; several lines are nobody's habit and are not heeded. */
static void note_upgrade(struct head *head, struct str value)
{
        head->upgrade = head->upgrade.ptr == NULL ? value : S("");
}

void h1_head_take(struct exchange *ex, struct head *head, const struct h1_head *read,
                  struct str bytes)
{
        struct str copy = arena_str(&ex->arena, bytes);
        struct fields hop;
        fields_init(&head->fields, &ex->arena, (uint16_t)(read->count + 16));
        fields_init(&hop, &ex->arena, 0);
        head->version = read->version;
        head->expects_continue = read->expects_continue;
        for (uint16_t i = 0; i < read->count; i++) {
                const struct h1_field *at = &read->fields[i];
                struct field field = {
                        .name = str_from(copy.ptr + at->name, at->name_len),
                        .value = str_from(copy.ptr + at->value, at->value_len),
                        .id = (enum name)at->id,
                };
                unsigned flags = name_flags(field.id);
                if ((flags & (NAME_HOP | NAME_FRAMING)) == 0)
                        head->fields.at[head->fields.count++] = field;
                else if (field.id == NAME_connection)
                        fields_add_known(&hop, NAME_connection, field.value);
                else if (field.id == NAME_upgrade)
                        note_upgrade(head, field.value);
                else if (field.id == NAME_te && str_eq_nocase(field.value, S("trailers")))
                        head->takes_trailers = true;
        }
        if (hop.count > 0)
                remove_listed(&head->fields, &hop);
        if (head->upgrade.ptr != NULL &&
            (read->version < 11 || !fields_has_member(&hop, NAME_connection, S("upgrade"))))
                head->upgrade = STR_NONE;
        if (read->kind == H1_RESPONSE) {
                head->status = read->status;
                return;
        }
        head->method_text = h1_str(copy, read->method);
        head->method = method_find(head->method_text);
        head->raw_target = h1_str(copy, read->target);
}

void h1_in_begin(struct h1_flow *flow, enum h1_body kind, uint64_t length, uint32_t extensions_max)
{
        flow->in = (uint8_t)kind;
        flow->in_left = kind == H1_BODY_LENGTH ? length : 0;
        flow->is_in_over = kind == H1_BODY_NONE || (kind == H1_BODY_LENGTH && length == 0);
        h1_chunks_begin(&flow->chunks, extensions_max);
}

void h1_go_raw(struct h1_flow *flow)
{
        flow->in = flow->out = H1_BODY_CLOSE;
        flow->is_in_over = flow->is_out_over = false;
        flow->is_raw = flow->closes = true;
}

void h1_put_upgrade(struct text *text, struct str protocol)
{
        h1_put_field(text, S("Connection"), S("Upgrade"));
        h1_put_field(text, S("Upgrade"), protocol);
}

static size_t read_length(struct conn *conn, struct h1_flow *flow, struct body *body,
                          struct slice bytes)
{
        size_t n = (size_t)u64_min(flow->in_left, bytes.len);
        flow->in_left -= n;
        exchange_push(conn->exchange, body, str_from((const char *)bytes.ptr, n));
        flow->is_in_over = flow->in_left == 0;
        return n;
}

static void take_trailers(struct exchange *ex, struct body *body, const struct h1_head *read,
                          struct str bytes)
{
        struct http_message *message = body == &ex->req.body ? &ex->req : &ex->res;
        struct head section = {0};
        if (read->count == 0)
                return;
        h1_head_take(ex, &section, read, bytes);
        fields_init(&message->trailers, &ex->arena, section.fields.count);
        fields_each (field, &section.fields) {
                if (trailer_may_pass(&message->head, field))
                        fields_add(&message->trailers, field->name, field->value);
        }
}

/* The trailer section, usually just an empty line; it is read like a head. */
static size_t read_trailers(struct conn *conn, struct h1_flow *flow, struct body *body,
                            struct slice bytes)
{
        struct str in = str_from((const char *)bytes.ptr, bytes.len);
        const struct http_limits *limits = conn->is_front
                                                   ? &((struct entrance *)conn->owner)->limits
                                                   : &conn->http->back_limits;
        size_t used = 0;
        enum h1_state state;
        if (conn->partial != NULL) {
                state = partial_read(conn->partial, in, &used);
                if (state == H1_DONE)
                        take_trailers(conn->exchange, body, &conn->partial->head,
                                      partial_bytes(conn->partial));
                if (state != H1_MORE)
                        partial_free(TAKE(conn->partial));
        } else {
                struct h1_head head;
                h1_begin(&head, H1_TRAILER, &limits->h1, conn->http->fields);
                state = h1_read(&head, in, &used);
                if (state == H1_DONE)
                        take_trailers(conn->exchange, body, &head, str_first(in, used));
                if (state == H1_MORE)
                        conn->partial = partial_make(conn->http->loop->pages, &head, in);
                flow->is_in_starved = state == H1_MORE && conn->partial == NULL;
                if (flow->is_in_starved)
                        state = H1_BAD;
        }
        flow->is_in_over = state == H1_DONE;
        flow->is_in_broken = state == H1_BAD;
        return state == H1_DONE ? used : bytes.len;
}

/* Adds data to what was gathered: small pieces move together, over the chunk lines between them,
 * so that tiny chunks cost their bytes and not a turn through everything for each. */
static void gather(struct exchange *ex, struct body *body, struct slice *run, struct str data)
{
        if (run->len > 0 && data.len <= GATHER_MAX) {
                memmove(run->ptr + run->len, data.ptr, data.len);
                run->len += data.len;
                return;
        }
        if (run->len > 0)
                exchange_push(ex, body, str_from((const char *)run->ptr, run->len));
        *run = (struct slice){(uint8_t *)(uintptr_t)data.ptr, data.len};
}

static size_t read_chunks(struct conn *conn, struct h1_flow *flow, struct body *body,
                          struct slice bytes)
{
        struct str left = str_from((const char *)bytes.ptr, bytes.len);
        struct slice run = {bytes.ptr, 0};
        while (left.len > 0 && !flow->wants_trailers) {
                struct str data;
                size_t used;
                enum h1_state state = h1_chunks_read(&flow->chunks, left, &used, &data);
                if (state == H1_BAD) {
                        flow->is_in_broken = true;
                        return bytes.len;
                }
                if (flow->chunks.is_first_read)
                        body->is_proven = true;
                gather(conn->exchange, body, &run, data);
                left = str_skip(left, used);
                if (state == H1_DONE)
                        flow->wants_trailers = true;
        }
        exchange_push(conn->exchange, body, str_from((const char *)run.ptr, run.len));
        size_t used = bytes.len - left.len;
        if (flow->wants_trailers && left.len > 0)
                used += read_trailers(conn, flow, body,
                                      (struct slice){(uint8_t *)(uintptr_t)left.ptr, left.len});
        return used;
}

size_t h1_in_read(struct conn *conn, struct h1_flow *flow, struct body *body, struct slice bytes)
{
        switch ((enum h1_body)flow->in) {
        case H1_BODY_LENGTH:
                return read_length(conn, flow, body, bytes);
        case H1_BODY_CHUNKED:
                return read_chunks(conn, flow, body, bytes);
        case H1_BODY_CLOSE:
                exchange_push(conn->exchange, body, str_from((const char *)bytes.ptr, bytes.len));
                return bytes.len;
        case H1_BODY_NONE:
                break;
        }
        return 0;
}

bool h1_out_text(struct conn *conn, const struct text *text)
{
        struct link *link = conn_link(conn);
        struct iovec iov = {text->at, text->len};
        if (!link_fits(link, text->len))
                return false;
        link_send(link, &iov, 1, text->len);
        return true;
}

static void send_piece(struct conn *conn, const struct h1_flow *flow, struct str piece)
{
        struct iovec iov[3];
        char line[24];
        struct text size = text_over(line, sizeof line);
        int count = 0;
        size_t total = piece.len;
        if (flow->out == H1_BODY_CHUNKED) {
                h1_put_chunk_size(&size, piece.len);
                iov[count++] = (struct iovec){line, size.len};
                total += size.len + 2;
        }
        iov[count++] = (struct iovec){(void *)(uintptr_t)piece.ptr, piece.len};
        if (flow->out == H1_BODY_CHUNKED)
                iov[count++] = (struct iovec){(void *)(uintptr_t)"\r\n", 2};
        link_send(conn_link(conn), iov, count, total);
}

static bool send_last_chunk(struct conn *conn, const struct fields *trailers)
{
        struct text text = text_over(conn->http->scratch, HTTP_SCRATCH);
        text_put(&text, S("0\r\n"));
        if (trailers != NULL) {
                fields_each (field, trailers) {
                        h1_put_field(&text, field->name, field->value);
                }
        }
        text_put(&text, S("\r\n"));
        CHECK(!text.is_cut);
        return h1_out_text(conn, &text);
}

bool h1_out_pump(struct conn *conn, struct h1_flow *flow, struct body *body,
                 const struct fields *trailers)
{
        struct str piece;
        if (flow->is_out_over)
                return true;
        while ((piece = body_peek(body)).len > 0) {
                size_t room = link_room(conn_link(conn));
                if (room <= CHUNK_OVERHEAD)
                        return false;
                piece = str_first(piece, room - CHUNK_OVERHEAD);
                if (flow->out == H1_BODY_LENGTH) {
                        CHECK(piece.len <= flow->out_left);
                        flow->out_left -= piece.len;
                }
                if (flow->out != H1_BODY_NONE)
                        send_piece(conn, flow, piece);
                body_take(body, piece.len);
                exchange_took(conn->exchange, body);
        }
        /* What was discarded has holes: its end must never look like one. */
        if (!body->is_complete || body->is_discarded)
                return false;
        if (flow->out == H1_BODY_CHUNKED && !send_last_chunk(conn, trailers))
                return false;
        CHECK(flow->out != H1_BODY_LENGTH || flow->out_left == 0);
        flow->is_out_over = true;
        return true;
}
