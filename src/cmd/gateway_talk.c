/* gateway_talk.c -- one question over one connection: connecting, writing, reading the answer with
 * the same reader that the gateway has for its upstreams. */
#include <errno.h>
#include <poll.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cmd/gateway.h"

enum { HEAD_MAX = 64 * 1024, FIELDS_MAX = 64, EXTENSIONS_MAX = 4096, QUESTION_ROOM = 1024 };

static const struct h1_limits limits = {
        .target = 8192, .field = 8192, .header = HEAD_MAX - 1024, .fields = FIELDS_MAX};

uint64_t gateway_clock(void)
{
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Waits until it can go on; due 0: for ever. */
static enum err wait_for(int fd, short events, uint64_t due)
{
        for (;;) {
                struct pollfd polled = {.fd = fd, .events = events};
                uint64_t now = gateway_clock();
                int wait = -1;
                if (due != 0 && now >= due)
                        return ERR_timeout;
                if (due != 0)
                        wait = (int)u64_min((due - now) / 1000000 + 1, 60000);
                int n = poll(&polled, 1, wait);
                if (n > 0)
                        return ERR_ok;
                if (n < 0 && errno != EINTR)
                        return ERR_io;
                if (n < 0)
                        return ERR_again;
        }
}

/* ---- connecting ---- */

static enum err connect_to(int fd, const struct sockaddr *to, socklen_t len, uint64_t due)
{
        int error = 0;
        socklen_t size = sizeof error;
        if (connect(fd, to, len) == 0)
                return ERR_ok;
        if (errno != EINPROGRESS && errno != EAGAIN && errno != EINTR)
                return err_from_errno(errno);
        enum err err;
        do {
                err = wait_for(fd, POLLOUT, due);
        } while (err == ERR_again);
        if (err == ERR_ok && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
                error = errno;
        return err == ERR_ok && error != 0 ? err_from_errno(error) : err;
}

enum err place_connect(const struct gateway_place *place, uint64_t timeout_ns, int *ret_fd)
{
        struct sockaddr_un local = {.sun_family = AF_UNIX};
        const struct sockaddr *to = &place->addr.u.any;
        socklen_t len = place->socket.len > 0 ? sizeof local : addr_len(&place->addr);
        if (place->socket.len >= sizeof local.sun_path)
                return ERR_range;
        if (place->socket.len > 0) {
                memcpy(local.sun_path, place->socket.ptr, place->socket.len);
                to = (const struct sockaddr *)&local;
        }
        int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return err_from_errno(errno);
        enum err err = connect_to(fd, to, len, gateway_clock() + timeout_ns);
        if (err == ERR_ok)
                *ret_fd = fd;
        else
                close(fd);
        return err;
}

/* ---- the question ---- */

static enum err send_all(int fd, struct str bytes, uint64_t due)
{
        while (bytes.len > 0) {
                ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
                if (n > 0) {
                        bytes = str_skip(bytes, (size_t)n);
                        continue;
                }
                if (errno != EAGAIN && errno != EINTR)
                        return err_from_errno(errno);
                enum err err = wait_for(fd, POLLOUT, due);
                if (err != ERR_ok && err != ERR_again)
                        return err;
        }
        return ERR_ok;
}

static void put_question(struct text *text, const struct gateway *gateway,
                         const struct question *question)
{
        h1_put_request_line(text, question->method, question->target);
        h1_put_field(text, S("Host"), gateway->place.host);
        h1_put_field(text, S("Accept"), S("application/json, */*;q=0.5"));
        h1_put_field(text, S("Connection"), S("close"));
        text_put(text, question->fields);
        if (question->body.len > 0)
                h1_put_field(text, S("Content-Type"), S("application/json"));
        if (question->body.len > 0 || !str_is(question->method, "GET")) {
                char digits[24];
                struct text length = text_over(digits, sizeof digits);
                text_u64(&length, question->body.len);
                h1_put_field(text, S("Content-Length"), text_str(&length));
        }
        text_put(text, S("\r\n"));
        text_put(text, question->body);
}

/* ---- the answer ---- */

/* Reads more behind what is there; ERR_closed at the end. */
static enum err fill(struct stream *stream)
{
        if (stream->at == stream->len)
                stream->at = stream->len = 0;
        if (stream->len == HEAD_MAX)
                return ERR_limit;
        for (;;) {
                ssize_t n = recv(stream->fd, stream->bytes + stream->len, HEAD_MAX - stream->len,
                                 0);
                if (n > 0) {
                        stream->len += (size_t)n;
                        return ERR_ok;
                }
                if (n == 0)
                        return ERR_closed;
                if (errno != EAGAIN && errno != EINTR)
                        return err_from_errno(errno);
                enum err err = wait_for(stream->fd, POLLIN, stream->due);
                if (err != ERR_ok)
                        return err;
        }
}

static void take_head(struct stream *stream, const struct h1_head *head, struct arena *arena,
                      bool is_head)
{
        bool is_reusable;
        stream->reply = (struct reply){.status = head->status};
        stream->framing = h1_response_body(head, is_head, &is_reusable);
        stream->left = head->length;
        stream->is_over = stream->framing == H1_BODY_NONE;
        h1_chunks_begin(&stream->chunks, EXTENSIONS_MAX);
        for (unsigned i = 0; i < head->count; i++) {
                const struct h1_field *field = &head->fields[i];
                if (field->id == NAME_content_type)
                        stream->reply.type = arena_str(
                                arena, str_from(stream->bytes + field->value, field->value_len));
        }
}

static enum err read_head(struct stream *stream, struct arena *arena, bool is_head)
{
        struct h1_field *fields = arena_array(arena, struct h1_field, FIELDS_MAX);
        struct h1_head head;
        size_t used = 0;
        h1_begin(&head, H1_RESPONSE, &limits, fields);
        for (;;) {
                struct str in = str_from(stream->bytes, stream->len);
                enum h1_state state = h1_read(&head, in, &used);
                if (state == H1_BAD)
                        return ERR_syntax;
                if (state == H1_DONE && head.status >= 200)
                        break;
                if (state == H1_DONE) { /* an informational one; the real one follows */
                        memmove(stream->bytes, stream->bytes + used, stream->len - used);
                        stream->len -= used;
                        h1_begin(&head, H1_RESPONSE, &limits, fields);
                        continue;
                }
                enum err err = fill(stream);
                if (err != ERR_ok && err != ERR_again)
                        return err;
        }
        take_head(stream, &head, arena, is_head);
        stream->at = used;
        return ERR_ok;
}

enum err stream_begin(struct stream *stream, const struct gateway *gateway,
                      const struct question *question, struct arena *arena)
{
        size_t size = question->target.len + question->fields.len + question->body.len;
        struct text text = text_over(arena_alloc(arena, size + QUESTION_ROOM),
                                     size + QUESTION_ROOM);
        *stream = (struct stream){.fd = -1, .due = gateway_clock() + gateway->timeout_ns};
        stream->bytes = arena_alloc(arena, HEAD_MAX);
        put_question(&text, gateway, question);
        if (text.is_cut)
                return ERR_limit;
        enum err err = place_connect(&gateway->place, gateway->timeout_ns, &stream->fd);
        if (err == ERR_ok)
                err = send_all(stream->fd, text_str(&text), stream->due);
        if (err == ERR_ok)
                err = read_head(stream, arena, str_is(question->method, "HEAD"));
        if (err != ERR_ok)
                stream_end(stream);
        stream->due = 0;
        return err;
}

void stream_end(struct stream *stream)
{
        if (stream->fd >= 0)
                close(stream->fd);
        stream->fd = -1;
}

/* What there is in the buffer of a body that is not chunked. */
static struct str take_plain(struct stream *stream)
{
        size_t len = stream->len - stream->at;
        if (stream->framing == H1_BODY_LENGTH) {
                len = (size_t)u64_min(len, stream->left);
                stream->left -= len;
                stream->is_over = stream->left == 0;
        }
        stream->at += len;
        return str_from(stream->bytes + stream->at - len, len);
}

static enum err take_chunks(struct stream *stream, struct str *ret_piece)
{
        *ret_piece = S("");
        while (stream->at < stream->len && ret_piece->len == 0 && !stream->is_over) {
                struct str in = str_from(stream->bytes + stream->at, stream->len - stream->at);
                size_t used = 0;
                enum h1_state state = h1_chunks_read(&stream->chunks, in, &used, ret_piece);
                stream->at += used;
                if (state == H1_BAD)
                        return ERR_syntax;
                /* What follows the last chunk is of no use here: the connection is closed. */
                stream->is_over = state == H1_DONE;
        }
        return ERR_ok;
}

enum err stream_read(struct stream *stream, struct str *ret_piece)
{
        *ret_piece = S("");
        while (ret_piece->len == 0 && !stream->is_over) {
                enum err err = stream->at < stream->len ? ERR_ok : fill(stream);
                if (err == ERR_closed && stream->framing == H1_BODY_CLOSE) {
                        stream->is_over = true;
                        return ERR_ok;
                }
                if (err != ERR_ok)
                        return err;
                if (stream->framing == H1_BODY_CHUNKED)
                        err = take_chunks(stream, ret_piece);
                else
                        *ret_piece = take_plain(stream);
                if (err != ERR_ok)
                        return err;
        }
        return ERR_ok;
}

enum err gateway_try(const struct gateway *gateway, const struct question *question,
                     struct arena *arena, struct reply *ret_reply)
{
        struct text body = text_grow(arena, GATEWAY_ANSWER_MAX);
        struct stream stream;
        enum err err = stream_begin(&stream, gateway, question, arena);
        if (err != ERR_ok)
                return err;
        stream.due = gateway_clock() + gateway->timeout_ns;
        for (struct str piece;;) {
                err = stream_read(&stream, &piece);
                if (err == ERR_again)
                        continue;
                if (err != ERR_ok || piece.len == 0)
                        break;
                text_put(&body, piece);
        }
        stream_end(&stream);
        *ret_reply = stream.reply;
        ret_reply->body = body.at == NULL ? S("") : text_str(&body);
        return err == ERR_ok && body.is_cut ? ERR_limit : err;
}
