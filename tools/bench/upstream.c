/* upstream.c -- the service behind every proxy in a bench: one thread, epoll, fixed answers. The
 * end of the path decides: /1k, /10k, /100k have bodies of that size, everything else 100 bytes of
 * JSON. It reads no bodies and checks nothing; it is a calibration, not a server. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HELD_MAX = 16384, EVENTS = 256 };

struct answer {
        const char *ending;
        size_t body, len;
        char *bytes;
};

static struct answer answers[] = {
        {"/100k", 102400, 0, NULL},
        {"/10k", 10240, 0, NULL},
        {"/1k", 1024, 0, NULL},
        {"", 100, 0, NULL},
};

enum { ANSWERS = sizeof answers / sizeof *answers };

/* One connection: the start of a request that is not whole, and answers not yet sent. */
struct conn {
        int fd;
        size_t held, unsent_at, unsent_len;
        const char *unsent;
        char bytes[HELD_MAX];
};

static void die(const char *what)
{
        perror(what);
        exit(1);
}

static void make_answers(void)
{
        for (size_t i = 0; i < ANSWERS; i++) {
                struct answer *a = &answers[i];
                a->bytes = malloc(a->body + 256);
                if (a->bytes == NULL)
                        die("malloc");
                int head = snprintf(a->bytes, 256,
                                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                    "Content-Length: %zu\r\n\r\n",
                                    a->body);
                memset(a->bytes + head, 'x', a->body);
                a->bytes[head] = '"';
                a->bytes[(size_t)head + a->body - 1] = '"';
                a->len = (size_t)head + a->body;
        }
}

/* The answer for the request that starts at `text`. */
static const struct answer *choose(const char *text, size_t len)
{
        const char *path = memchr(text, ' ', len);
        const char *end = path == NULL ? NULL
                                       : memchr(path + 1, ' ', len - (size_t)(path + 1 - text));
        if (end == NULL)
                return &answers[ANSWERS - 1];
        for (size_t i = 0; i < ANSWERS; i++) {
                size_t n = strlen(answers[i].ending);
                if ((size_t)(end - path) > n && memcmp(end - n, answers[i].ending, n) == 0)
                        return &answers[i];
        }
        return &answers[ANSWERS - 1];
}

/* Sends what is left of an answer; false when the socket takes no more. */
static bool flush(struct conn *conn)
{
        while (conn->unsent_at < conn->unsent_len) {
                ssize_t n = send(conn->fd, conn->unsent + conn->unsent_at,
                                 conn->unsent_len - conn->unsent_at, MSG_NOSIGNAL);
                if (n < 0)
                        return false;
                conn->unsent_at += (size_t)n;
        }
        conn->unsent_len = conn->unsent_at = 0;
        return true;
}

/* Answers every whole request that is held; false when the socket takes no more. */
static bool answer_held(struct conn *conn)
{
        char *at = conn->bytes, *end = conn->bytes + conn->held, *stop;
        bool goes_on = true;
        while (goes_on && (stop = memmem(at, (size_t)(end - at), "\r\n\r\n", 4)) != NULL) {
                const struct answer *a = choose(at, (size_t)(stop - at));
                at = stop + 4;
                conn->unsent = a->bytes;
                conn->unsent_len = a->len;
                goes_on = flush(conn);
        }
        conn->held = (size_t)(end - at);
        if (at != conn->bytes)
                memmove(conn->bytes, at, conn->held);
        return goes_on;
}

static bool serve(struct conn *conn)
{
        if (!flush(conn) || !answer_held(conn))
                return true;
        for (;;) {
                size_t room = HELD_MAX - conn->held;
                ssize_t n = room == 0 ? 0 : recv(conn->fd, conn->bytes + conn->held, room, 0);
                if (n == 0)
                        return false;
                if (n < 0)
                        return true;
                conn->held += (size_t)n;
                if (!answer_held(conn) || (size_t)n < room)
                        return true;
        }
}

static void take_new(int listener, int epoll)
{
        int fd;
        while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                struct conn *conn = calloc(1, sizeof *conn);
                if (conn == NULL)
                        die("calloc");
                conn->fd = fd;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
                struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                            .data.ptr = conn};
                epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        }
}

static int listen_on(int port)
{
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
        if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 4096) < 0)
                die("listen");
        return fd;
}

int main(int argc, char **argv)
{
        int listener = listen_on(argc > 1 ? (int)strtol(argv[1], NULL, 10) : 9000);
        int epoll = epoll_create1(0);
        struct epoll_event events[EVENTS], event = {.events = EPOLLIN, .data.ptr = NULL};
        make_answers();
        epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
        for (;;) {
                int count = epoll_wait(epoll, events, EVENTS, -1);
                for (int i = 0; i < count; i++) {
                        struct conn *conn = events[i].data.ptr;
                        if (conn == NULL) {
                                take_new(listener, epoll);
                        } else if (!serve(conn)) {
                                close(conn->fd);
                                free(conn);
                        }
                }
        }
}
