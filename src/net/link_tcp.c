/* link_tcp.c -- hands the calls of a sock through. */
#include "net/link_tcp.h"

static struct link_tcp *of(struct sock *sock)
{
        return container_of(sock, struct link_tcp, sock);
}

static void on_up(struct sock *sock)
{
        struct link *link = &of(sock)->link;
        link->above->up(link);
}

static void on_data(struct sock *sock, struct slice bytes)
{
        link_deliver(&of(sock)->link, sock->loop, bytes);
}

static void on_room(struct sock *sock)
{
        struct link *link = &of(sock)->link;
        link->above->room(link);
}

static void on_end(struct sock *sock)
{
        struct link *link = &of(sock)->link;
        link->above->end(link);
}

static void on_down(struct sock *sock, enum err err)
{
        struct link *link = &of(sock)->link;
        link->above->down(link, err);
}

static const struct sock_ops sock_ops = {
        .up = on_up,
        .data = on_data,
        .room = on_room,
        .end = on_end,
        .down = on_down,
};

static struct sock *sock_of(struct link *link)
{
        return &container_of(link, struct link_tcp, link)->sock;
}

static size_t tcp_room(struct link *link)
{
        return sock_room(sock_of(link));
}

static bool tcp_fits(struct link *link, size_t len)
{
        return sock_fits(sock_of(link), len);
}

static void tcp_send(struct link *link, const struct iovec *iov, int count, size_t total)
{
        sock_send(sock_of(link), iov, count, total);
}

static void tcp_pause(struct link *link, bool is_paused)
{
        if (is_paused)
                sock_pause(sock_of(link));
        else
                sock_resume(sock_of(link));
}

static void tcp_shut(struct link *link)
{
        sock_shut(sock_of(link));
}

static void tcp_close(struct link *link, bool is_abrupt)
{
        sock_close(sock_of(link), is_abrupt);
}

static size_t tcp_queued(const struct link *link)
{
        return sock_queued(sock_of((struct link *)(uintptr_t)link));
}

static uint64_t tcp_sent(const struct link *link)
{
        return sock_of((struct link *)(uintptr_t)link)->sent;
}

static bool tcp_is_quiet(struct link *link)
{
        return sock_is_quiet(sock_of(link));
}

static const struct link_ops tcp_ops = {
        .room = tcp_room,
        .fits = tcp_fits,
        .send = tcp_send,
        .pause = tcp_pause,
        .shut = tcp_shut,
        .close = tcp_close,
        .queued = tcp_queued,
        .sent = tcp_sent,
        .is_quiet = tcp_is_quiet,
};

enum err link_tcp_open(struct link_tcp *tcp, struct loop *loop, int fd, const struct link_up *above)
{
        tcp->link = (struct link){&tcp_ops, above};
        return sock_open(&tcp->sock, loop, &sock_ops, fd);
}

enum err link_tcp_dial(struct link_tcp *tcp, struct loop *loop, const struct addr *to,
                       const struct link_up *above)
{
        tcp->link = (struct link){&tcp_ops, above};
        return sock_dial(&tcp->sock, loop, &sock_ops, to);
}
