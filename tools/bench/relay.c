/* relay.c -- the limit: the least that a proxy on epoll can do. For each connection one to the
 * upstream, bytes passed on unchanged through one hot buffer, every socket registered once and
 * edge-triggered. It reads no HTTP, has no timeouts and no limits: a yardstick, not a proxy. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOT = 65536, EVENTS = 256 };

/* One socket of a pair; `held` is what its peer sent and it did not take yet. */
struct end {
        struct end *peer;
        int fd;
        bool is_back;
        size_t held_at, held_len;
        char *held;
};

struct pair {
        struct end front, back;
        struct pair *next_dead;
        bool is_dead;
};

static char hot[HOT];
static int epoll;
static struct pair *graves;
static struct sockaddr_in upstream;

static struct pair *pair_of(struct end *end)
{
        return (struct pair *)(void *)(end->is_back ? (char *)end->peer : (char *)end);
}

static void bury(struct end *end)
{
        struct pair *pair = pair_of(end);
        if (pair->is_dead)
                return;
        pair->is_dead = true;
        close(pair->front.fd);
        close(pair->back.fd);
        pair->next_dead = graves;
        graves = pair;
}

/* False when the socket is broken. */
static bool flush(struct end *end)
{
        while (end->held_at < end->held_len) {
                ssize_t n = send(end->fd, end->held + end->held_at, end->held_len - end->held_at,
                                 MSG_NOSIGNAL);
                if (n < 0)
                        return errno == EAGAIN;
                end->held_at += (size_t)n;
        }
        free(end->held);
        end->held = NULL;
        end->held_at = end->held_len = 0;
        return true;
}

static bool keep(struct end *to, const char *bytes, size_t len)
{
        to->held = malloc(len);
        if (to->held == NULL)
                return false;
        memcpy(to->held, bytes, len);
        to->held_len = len;
        return true;
}

/* Moves what `from` has to its peer; false when one of them ended. */
static bool pump(struct end *from)
{
        struct end *to = from->peer;
        while (to->held == NULL) {
                ssize_t n = recv(from->fd, hot, HOT, 0);
                if (n <= 0)
                        return n < 0 && errno == EAGAIN;
                ssize_t sent = send(to->fd, hot, (size_t)n, MSG_NOSIGNAL);
                if (sent < 0 && errno != EAGAIN && errno != ENOTCONN)
                        return false;
                if (sent < n) {
                        size_t done = sent < 0 ? 0 : (size_t)sent;
                        return keep(to, hot + done, (size_t)n - done);
                }
                if (n < HOT)
                        return true;
        }
        return true;
}

static void watch(struct end *end)
{
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                    .data.ptr = end};
        setsockopt(end->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        epoll_ctl(epoll, EPOLL_CTL_ADD, end->fd, &event);
}

static void take_new(int listener)
{
        int fd;
        while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                struct pair *pair = calloc(1, sizeof *pair);
                if (pair == NULL)
                        abort();
                pair->front = (struct end){.fd = fd, .peer = &pair->back};
                pair->back = (struct end){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0),
                                          .peer = &pair->front,
                                          .is_back = true};
                connect(pair->back.fd, (struct sockaddr *)&upstream, sizeof upstream);
                watch(&pair->back);
                watch(&pair->front);
        }
}

static void on_event(struct end *end, unsigned events)
{
        if (pair_of(end)->is_dead)
                return;
        bool is_fine = true;
        if (events & EPOLLOUT && end->held != NULL)
                is_fine = flush(end) && (end->held != NULL || pump(end->peer));
        if (is_fine && events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
                is_fine = pump(end);
        if (!is_fine)
                bury(end);
}

static struct sockaddr_in loopback(const char *port)
{
        struct sockaddr_in address = {.sin_family = AF_INET};
        address.sin_port = htons((uint16_t)strtol(port, NULL, 10));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return address;
}

int main(int argc, char **argv)
{
        if (argc != 3) {
                fprintf(stderr, "relay PORT UPSTREAM-PORT\n");
                return 64;
        }
        struct sockaddr_in own = loopback(argv[1]);
        upstream = loopback(argv[2]);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
        if (bind(listener, (struct sockaddr *)&own, sizeof own) < 0 || listen(listener, 4096) < 0) {
                perror("relay");
                return 71;
        }
        epoll = epoll_create1(0);
        struct epoll_event events[EVENTS], event = {.events = EPOLLIN, .data.ptr = NULL};
        epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
        for (;;) {
                int count = epoll_wait(epoll, events, EVENTS, -1);
                for (int i = 0; i < count; i++) {
                        if (events[i].data.ptr == NULL)
                                take_new(listener);
                        else
                                on_event(events[i].data.ptr, events[i].events);
                }
                while (graves != NULL) {
                        struct pair *pair = graves;
                        graves = pair->next_dead;
                        free(pair->front.held);
                        free(pair->back.held);
                        free(pair);
                }
        }
}
