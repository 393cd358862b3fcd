/* name_server.h -- a name server for tests, on a loopback port of its own, in its own thread. How
 * it answers is the first label of the question: good, late, wrong and hostile ways. Test programs
 * only. */
#pragma once

#include "../unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/base.h"

enum { NS_MESSAGE_MAX = 65535, NS_HEAD = 12, NS_A = 1, NS_CNAME = 5, NS_AAAA = 28 };

struct name_server {
        int udp, tcp, other, port;
        pthread_t thread;
        _Atomic bool is_over, is_down; /* down: answers nothing at all */
        _Atomic unsigned questions, tcp_questions;
        _Atomic uint32_t last_ids[64];
        unsigned drops;
};

struct ns_message {
        uint8_t bytes[NS_MESSAGE_MAX];
        size_t len;
        char label[64]; /* the first of the question */
        unsigned type;
        size_t question_end;
        bool is_tcp;
};

static inline void ns_put16(struct ns_message *message, unsigned value)
{
        message->bytes[message->len++] = (uint8_t)(value >> 8);
        message->bytes[message->len++] = (uint8_t)value;
}

static inline void ns_set16(struct ns_message *message, size_t at, unsigned value)
{
        message->bytes[at] = (uint8_t)(value >> 8);
        message->bytes[at + 1] = (uint8_t)value;
}

static inline unsigned ns_get16(const struct ns_message *message, size_t at)
{
        return (unsigned)message->bytes[at] << 8 | message->bytes[at + 1];
}

/* A record whose name is the question's, by compression. */
static inline void ns_record(struct ns_message *message, unsigned type, uint32_t ttl,
                             const void *data, unsigned len)
{
        ns_put16(message, 0xc000 | NS_HEAD);
        ns_put16(message, type);
        ns_put16(message, 1);
        ns_put16(message, ttl >> 16);
        ns_put16(message, ttl & 0xffff);
        ns_put16(message, len);
        memcpy(message->bytes + message->len, data, len);
        message->len += len;
        ns_set16(message, 6, ns_get16(message, 6) + 1);
}

static inline void ns_address(struct ns_message *message, uint32_t ttl, const char *v4,
                              const char *v6)
{
        uint8_t bytes[16];
        if (message->type == NS_A && v4 != NULL && inet_pton(AF_INET, v4, bytes) == 1)
                ns_record(message, NS_A, ttl, bytes, 4);
        if (message->type == NS_AAAA && v6 != NULL && inet_pton(AF_INET6, v6, bytes) == 1)
                ns_record(message, NS_AAAA, ttl, bytes, 16);
}

static inline bool ns_read_question(struct ns_message *message)
{
        size_t at = NS_HEAD;
        if (message->len < NS_HEAD + 6)
                return false;
        size_t first = message->bytes[at];
        if (first == 0 || first > 63 || at + 1 + first > message->len)
                return false;
        memcpy(message->label, message->bytes + at + 1, first);
        message->label[first] = '\0';
        while (at < message->len && message->bytes[at] != 0)
                at += 1u + message->bytes[at];
        if (at + 5 > message->len)
                return false;
        message->type = ns_get16(message, at + 1);
        message->question_end = message->len = at + 5;
        ns_set16(message, 2, 0x8180); /* an answer, recursion was there */
        ns_set16(message, 6, 0);
        ns_set16(message, 8, 0);
        ns_set16(message, 10, 0);
        return true;
}

static inline void ns_send(struct name_server *server, const struct ns_message *message, int fd,
                           const struct sockaddr_in *to)
{
        (void)server;
        if (!message->is_tcp) {
                sendto(fd, message->bytes, message->len, 0, (const struct sockaddr *)to,
                       sizeof *to);
                return;
        }
        uint8_t head[2] = {(uint8_t)(message->len >> 8), (uint8_t)message->len};
        struct iovec whole[] = {{head, 2}, {(void *)(uintptr_t)message->bytes, message->len}};
        if (message->len < 1000) { /* at once: who reads once per event gets the length only */
                struct msghdr both = {.msg_iov = whole, .msg_iovlen = 2};
                sendmsg(fd, &both, MSG_NOSIGNAL);
                return;
        }
        send(fd, head, 2, MSG_NOSIGNAL);
        /* In small pieces, the first of them slowly. */
        for (size_t at = 0; at < message->len;) {
                size_t n = size_min(message->len - at, at == 0 ? 1 : 700);
                send(fd, message->bytes + at, n, MSG_NOSIGNAL);
                at += n;
                if (at < 1000)
                        usleep(2000);
        }
}

static inline bool ns_is(const struct ns_message *message, const char *label)
{
        return strcmp(message->label, label) == 0;
}

/* Answers of a liar, sent before the true one. */
static inline void ns_lie(struct name_server *server, const struct ns_message *truth, int fd,
                          const struct sockaddr_in *to)
{
        static struct ns_message lie;
        lie = *truth;
        ns_address(&lie, 1000, "192.0.2.66", "2001:db8::66");
        if (ns_is(truth, "wrongid"))
                ns_set16(&lie, 0, ns_get16(&lie, 0) ^ 1);
        else if (ns_is(truth, "wrongname"))
                lie.bytes[NS_HEAD + 1] = 'x';
        else if (ns_is(truth, "wrongsource"))
                fd = server->other;
        else
                return;
        ns_send(server, &lie, fd, to);
        usleep(5000);
}

static inline void ns_chain(struct ns_message *message)
{
        static const uint8_t other[] = {5, 'o', 't', 'h', 'e', 'r', 0xc0, NS_HEAD};
        uint8_t bytes[4] = {192, 0, 2, 7};
        ns_record(message, NS_CNAME, 2, other, sizeof other);
        if (message->type != NS_A)
                return;
        size_t name_at = message->len - sizeof other;
        size_t record_at = message->len;
        ns_record(message, NS_A, 100, bytes, sizeof bytes);
        ns_set16(message, record_at, 0xc000 | (unsigned)name_at);
}

/* False: says nothing. */
static inline bool ns_answer(struct name_server *server, struct ns_message *message)
{
        static const uint8_t to_itself[] = {0xc0, NS_HEAD};
        bool is_v4 = message->type == NS_A;
        if (ns_is(message, "nx"))
                ns_set16(message, 2, 0x8183);
        else if (ns_is(message, "fail"))
                ns_set16(message, 2, 0x8182);
        else if (ns_is(message, "refused"))
                ns_set16(message, 2, 0x8185);
        else if (ns_is(message, "silent"))
                return false;
        else if (ns_is(message, "drop") && server->drops++ < 1)
                return false;
        else if (ns_is(message, "v4only"))
                ns_address(message, 20, "192.0.2.1", NULL);
        else if (ns_is(message, "v6only"))
                ns_address(message, 20, NULL, "2001:db8::1");
        else if (ns_is(message, "halffail") && !is_v4)
                ns_set16(message, 2, 0x8182);
        else if (ns_is(message, "chain"))
                ns_chain(message);
        else if (ns_is(message, "loop"))
                ns_record(message, NS_CNAME, 100, to_itself, sizeof to_itself);
        else if (ns_is(message, "blocked"))
                ns_address(message, 20, "0.0.0.0", "::");
        else if (ns_is(message, "zero"))
                ns_address(message, 0, "192.0.2.1", NULL);
        else if (ns_is(message, "negative"))
                ns_address(message, 0xffffffff, "192.0.2.1", NULL);
        else if (ns_is(message, "trunc") && !message->is_tcp)
                ns_set16(message, 2, 0x8380);
        else if (ns_is(message, "hundred") && !message->is_tcp)
                ns_set16(message, 2, 0x8380);
        else if (ns_is(message, "hundred") && is_v4)
                for (unsigned i = 0; i < 150; i++) {
                        uint8_t bytes[4] = {192, 0, 2, (uint8_t)(i + 1)};
                        ns_record(message, NS_A, 30, bytes, 4);
                }
        else if (!ns_is(message, "empty"))
                ns_address(message, 20, "192.0.2.1", "2001:db8::1");
        return true;
}

/* Messages that are no messages. */
static inline void ns_spoil(struct ns_message *message)
{
        if (ns_is(message, "pointer")) { /* the name of the record points to itself */
                size_t at = message->len;
                ns_address(message, 20, "192.0.2.1", "2001:db8::1");
                ns_set16(message, at, 0xc000 | (unsigned)at);
        } else if (ns_is(message, "beyond")) { /* a record longer than the message */
                message->len -= 2;
        } else if (ns_is(message, "short")) {
                message->len = 7;
        } else if (ns_is(message, "many")) { /* claims records that are not there */
                ns_set16(message, 6, 65535);
        } else if (ns_is(message, "noise")) {
                memset(message->bytes + message->question_end, 0xff, 200);
                message->len = message->question_end + 200;
                ns_set16(message, 6, 20);
        }
}

static inline void ns_serve(struct name_server *server, struct ns_message *message, int fd,
                            const struct sockaddr_in *to)
{
        if (!ns_read_question(message))
                return;
        unsigned number = atomic_fetch_add(&server->questions, 1);
        atomic_store(&server->last_ids[number % countof(server->last_ids)],
                     ns_get16(message, 0) << 16 | ntohs(to->sin_port));
        if (message->is_tcp)
                atomic_fetch_add(&server->tcp_questions, 1);
        if (atomic_load(&server->is_down))
                return;
        ns_lie(server, message, fd, to);
        if (!ns_answer(server, message))
                return;
        ns_spoil(message);
        ns_send(server, message, fd, to);
}

static inline void ns_serve_tcp(struct name_server *server)
{
        static struct ns_message message;
        struct sockaddr_in from;
        socklen_t len = sizeof from;
        uint8_t head[2];
        int fd = accept(server->tcp, (struct sockaddr *)&from, &len);
        struct timeval patience = {.tv_sec = 1};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        while (recv(fd, head, 2, MSG_WAITALL) == 2) {
                size_t wanted = (size_t)head[0] << 8 | head[1];
                if (recv(fd, message.bytes, wanted, MSG_WAITALL) != (ssize_t)wanted)
                        break;
                message.len = wanted;
                message.is_tcp = true;
                ns_serve(server, &message, fd, &from);
        }
        close(fd);
}

static inline void *ns_run(void *arg)
{
        static struct ns_message message;
        struct name_server *server = arg;
        while (!atomic_load(&server->is_over)) {
                struct pollfd ready[] = {{.fd = server->udp, .events = POLLIN},
                                         {.fd = server->tcp, .events = POLLIN}};
                poll(ready, 2, 20);
                if (ready[0].revents != 0) {
                        struct sockaddr_in from;
                        socklen_t len = sizeof from;
                        ssize_t n = recvfrom(server->udp, message.bytes, sizeof message.bytes, 0,
                                             (struct sockaddr *)&from, &len);
                        message.len = n > 0 ? (size_t)n : 0;
                        message.is_tcp = false;
                        ns_serve(server, &message, server->udp, &from);
                }
                if (ready[1].revents != 0)
                        ns_serve_tcp(server);
        }
        return NULL;
}

static inline int ns_bind(int type, int port)
{
        struct sockaddr_in at = {.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                 .sin_port = htons((uint16_t)port)};
        int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
        if (bind(fd, (struct sockaddr *)&at, sizeof at) == 0)
                return fd;
        close(fd);
        return -1;
}

static inline void ns_begin(struct name_server *server)
{
        struct sockaddr_in at;
        socklen_t len = sizeof at;
        memset(server, 0, sizeof *server);
        do { /* until a port is free for both */
                server->udp = ns_bind(SOCK_DGRAM, 0);
                assert_int_equal(getsockname(server->udp, (struct sockaddr *)&at, &len), 0);
                server->port = ntohs(at.sin_port);
                server->tcp = ns_bind(SOCK_STREAM, server->port);
                if (server->tcp < 0)
                        close(server->udp);
        } while (server->tcp < 0);
        server->other = ns_bind(SOCK_DGRAM, 0);
        assert_int_equal(listen(server->tcp, 16), 0);
        assert_int_equal(pthread_create(&server->thread, NULL, ns_run, server), 0);
}

static inline void ns_end(struct name_server *server)
{
        atomic_store(&server->is_over, true);
        pthread_join(server->thread, NULL);
        close(server->udp), close(server->tcp), close(server->other);
}
