/* sock.c -- reading until the kernel has no more, writing once per turn. A short read means
 * drained, so that an idle exchange costs two receives and two sends and nothing else. */
#include "io/sock.h"

#include "base/check.h"

enum { IOV_MAX_HERE = 24, LOW_MARK = SOCK_OUT_MAX / 2, LEAST_ROOM = 4096 };

/* How long a socket rests for which the system had no memory: no event tells when it has some. */
#define STALL_NS 10000000u

static void fail(struct sock *sock, enum err err)
{
        if (sock->is_down || !sock_is_open(sock))
                return;
        sock->is_down = true;
        list_remove(&sock->readers);
        list_remove(&sock->writers);
        buf_fini(&sock->out);
        sock->ops->down(sock, err);
}

/* For failures met while somebody above is sending: told at the end of the turn, never inside the
 * call. */
static void fail_later(struct sock *sock, enum err err)
{
        sock->error = (uint8_t)err;
        list_remove(&sock->writers);
        list_push(&sock->loop->writers, &sock->writers);
}

static void queue_reader(struct sock *sock)
{
        if (list_is_empty(&sock->readers))
                list_push(&sock->loop->readers, &sock->readers);
}

static void queue_writer(struct sock *sock)
{
        if (list_is_empty(&sock->writers))
                list_push(&sock->loop->writers, &sock->writers);
}

static void receive(struct sock *sock)
{
        struct loop *loop = sock->loop;
        ssize_t n = loop->driver->recv(loop->world, sock->fd, loop->hot, LOOP_HOT_SIZE);
        if (n > 0) {
                if (n < LOOP_HOT_SIZE && !sock->end_hint)
                        sock->may_read = false;
                else
                        queue_reader(sock);
                sock->ops->data(sock, (struct slice){loop->hot, (size_t)n});
                return;
        }
        sock->may_read = false;
        if (n == 0) {
                sock->has_ended = true;
                sock->ops->end(sock);
        } else if (n != -(ssize_t)ERR_again) {
                fail(sock, (enum err) - n);
        }
}

static enum err fault_of(struct sock *sock)
{
        enum err err = sock->loop->driver->opened(sock->loop->world, sock->fd);
        return err == ERR_ok ? ERR_reset : err;
}

static void connected(struct sock *sock)
{
        enum err err = sock->loop->driver->opened(sock->loop->world, sock->fd);
        if (err != ERR_ok) {
                fail(sock, err);
                return;
        }
        sock->is_connecting = false;
        sock->may_write = true;
        sock->ops->up(sock);
        if (sock_is_open(sock) && !sock->is_down && (sock->out.len > 0 || sock->is_shut))
                queue_writer(sock);
}

static void on_event(struct watcher *watcher, unsigned flags)
{
        struct sock *sock = container_of(watcher, struct sock, watcher);
        if (!sock_is_open(sock) || sock->is_down)
                return;
        if (sock->is_connecting) {
                if (flags & (EVENT_WRITE | EVENT_FAULT | EVENT_END))
                        connected(sock);
                if (!sock_is_open(sock) || sock->is_connecting)
                        return;
        }
        if ((flags & EVENT_WRITE) && !sock->may_write) {
                sock->may_write = true;
                if (sock->out.len > 0 || sock->is_shut)
                        queue_writer(sock);
        }
        if (flags & EVENT_END)
                sock->end_hint = true;
        if (sock->has_ended) { /* receiving would give the end again, not the fault */
                if (flags & EVENT_FAULT)
                        fail(sock, fault_of(sock));
                return;
        }
        if (flags & (EVENT_READ | EVENT_END | EVENT_FAULT)) {
                sock->may_read = true;
                if (!sock->is_paused)
                        receive(sock);
        }
}

static void init(struct sock *sock, struct loop *loop, const struct sock_ops *ops)
{
        *sock = (struct sock){.watcher.event = on_event, .loop = loop, .ops = ops, .fd = -1};
        list_init(&sock->readers);
        list_init(&sock->writers);
        buf_init(&sock->out, loop->pages, SOCK_PIECE_MAX);
}

enum err sock_open(struct sock *sock, struct loop *loop, const struct sock_ops *ops, int fd)
{
        init(sock, loop, ops);
        sock->fd = fd;
        sock->may_write = true;
        enum err err = loop->driver->watch(loop->world, fd, WATCH_STREAM, &sock->watcher);
        if (err != ERR_ok)
                sock_close(sock, true);
        return err;
}

enum err sock_dial(struct sock *sock, struct loop *loop, const struct sock_ops *ops,
                   const struct addr *to)
{
        init(sock, loop, ops);
        enum err err = loop->driver->open(loop->world, to, &sock->fd);
        if (err != ERR_ok)
                return err;
        sock->is_connecting = true;
        err = loop->driver->watch(loop->world, sock->fd, WATCH_STREAM, &sock->watcher);
        if (err != ERR_ok)
                sock_close(sock, true);
        return err;
}

static bool may_send(const struct sock *sock)
{
        return !sock->is_down && !sock->is_shut && sock->error == 0 && sock_is_open(sock);
}

size_t sock_room(struct sock *sock)
{
        if (!may_send(sock))
                return 0;
        if (!sock->is_short && sock->out.len + LEAST_ROOM <= SOCK_OUT_MAX)
                return SOCK_OUT_MAX - sock->out.len;
        sock->is_short = true;
        return 0;
}

bool sock_is_quiet(struct sock *sock)
{
        uint8_t byte;
        struct loop *loop = sock->loop;
        if (sock->is_down || sock->has_ended || sock->end_hint || sock->error != 0 ||
            !sock_is_open(sock))
                return false;
        return loop->driver->recv(loop->world, sock->fd, &byte, 1) == -(ssize_t)ERR_again;
}

bool sock_fits(struct sock *sock, size_t len)
{
        CHECK(len <= SOCK_PIECE_MAX);
        if (!may_send(sock))
                return false;
        if (sock->out.len == 0 || (!sock->is_short && sock->out.len + len <= SOCK_OUT_MAX))
                return true;
        sock->is_short = true;
        return false;
}

static void stall_over(struct timer *timer)
{
        struct loop *loop = container_of(timer, struct loop, stall);
        struct list *node;
        while ((node = list_pop(&loop->stalled)) != NULL) {
                struct sock *sock = list_entry(node, struct sock, writers);
                sock->may_write = true;
                list_push(&loop->writers, node);
        }
}

static void stall(struct sock *sock)
{
        struct loop *loop = sock->loop;
        if (loop->stall.fire == NULL)
                timer_init(&loop->stall, stall_over);
        list_remove(&sock->writers);
        list_push(&loop->stalled, &sock->writers);
        if (loop->stall.due == TIMER_NEVER)
                timer_set(loop, &loop->stall, loop->now + STALL_NS);
}

/* Writes what is gathered and, when all of that fits in one call, `count` more pieces. On success
 * ret_taken is how many bytes of those were taken. */
static enum err write_through(struct sock *sock, const struct iovec *iov, int count,
                              size_t *ret_taken)
{
        struct iovec all[IOV_MAX_HERE];
        struct loop *loop = sock->loop;
        size_t queued = sock->out.len;
        int n = buf_iovec(&sock->out, all, IOV_MAX_HERE - count);
        size_t total = 0;
        for (int i = 0; i < n; i++)
                total += all[i].iov_len;
        for (int i = 0; i < count && total >= queued; i++) {
                all[n++] = iov[i];
                total += iov[i].iov_len;
        }
        ssize_t sent = loop->driver->send(loop->world, sock->fd, all, n);
        if (sent == -(ssize_t)ERR_memory) {
                stall(sock);
                sent = 0;
        } else if (sent == -(ssize_t)ERR_again) {
                sent = 0;
        } else if (sent < 0) {
                return (enum err) - sent;
        }
        if ((size_t)sent < total)
                sock->may_write = false;
        buf_drop(&sock->out, size_min((size_t)sent, queued));
        sock->sent += (uint64_t)sent;
        *ret_taken = (size_t)sent > queued ? (size_t)sent - queued : 0;
        return ERR_ok;
}

static void gather(struct sock *sock, const struct iovec *iov, int count, size_t skip)
{
        for (int i = 0; i < count; i++) {
                size_t cut = size_min(skip, iov[i].iov_len);
                skip -= cut;
                if (!buf_add(&sock->out, (char *)iov[i].iov_base + cut, iov[i].iov_len - cut)) {
                        fail_later(sock, ERR_memory);
                        return;
                }
        }
        queue_writer(sock);
}

void sock_send(struct sock *sock, const struct iovec *iov, int count, size_t total)
{
        size_t taken = 0;
        enum err err = ERR_ok;
        CHECK(count <= 4 && !sock->is_shut);
        if (sock->is_down || sock->error != 0 || !sock_is_open(sock))
                return;
        if (total >= SOCK_DIRECT && sock->may_write && !sock->is_connecting)
                err = write_through(sock, iov, count, &taken);
        if (err != ERR_ok)
                fail_later(sock, err);
        else if (taken < total)
                gather(sock, iov, count, taken);
}

char *sock_reserve(struct sock *sock, size_t len)
{
        if (!may_send(sock) || sock->out.len + len > SOCK_OUT_MAX)
                return NULL;
        return buf_reserve(&sock->out, len);
}

void sock_commit(struct sock *sock, size_t len)
{
        buf_commit(&sock->out, len);
        queue_writer(sock);
}

void sock_flush(struct sock *sock)
{
        size_t taken;
        enum err err = (enum err)sock->error;
        if (sock->is_down || !sock_is_open(sock))
                return;
        if (err == ERR_ok && (sock->is_connecting || !sock->may_write))
                return;
        while (err == ERR_ok && sock->out.len > 0 && sock->may_write)
                err = write_through(sock, NULL, 0, &taken);
        if (err != ERR_ok) {
                fail(sock, err);
                return;
        }
        if (sock->is_shut && sock->out.len == 0 && !sock->is_fin_sent) {
                sock->is_fin_sent = true;
                sock->loop->driver->shut(sock->loop->world, sock->fd);
        }
        if (sock->is_short && sock->out.len <= LOW_MARK) {
                sock->is_short = false;
                sock->ops->room(sock);
        }
        if (sock->out.len == 0 && sock_is_open(sock) && sock->ops->flushed != NULL)
                sock->ops->flushed(sock);
}

void sock_pause(struct sock *sock)
{
        sock->is_paused = true;
        list_remove(&sock->readers);
}

void sock_resume(struct sock *sock)
{
        if (!sock->is_paused)
                return;
        sock->is_paused = false;
        if (sock->may_read && sock_is_open(sock) && !sock->is_down && !sock->is_connecting)
                queue_reader(sock);
}

void sock_shut(struct sock *sock)
{
        if (sock->is_shut || sock->is_down || !sock_is_open(sock))
                return;
        sock->is_shut = true;
        queue_writer(sock);
}

void sock_close(struct sock *sock, bool is_abrupt)
{
        size_t taken;
        if (!sock_is_open(sock))
                return;
        /* A last word of the layer above. Whether it arrives makes no difference any more. */
        if (!is_abrupt && sock->out.len > 0 && sock->may_write && sock->error == 0)
                (void)write_through(sock, NULL, 0, &taken);
        list_remove(&sock->readers);
        list_remove(&sock->writers);
        buf_fini(&sock->out);
        sock->loop->driver->close(sock->loop->world, sock->fd, is_abrupt);
        sock->fd = -1;
}

void sock_read_more(struct loop *loop)
{
        struct list round;
        struct list *node;
        list_init(&round);
        list_move(&round, &loop->readers);
        while ((node = list_pop(&round)) != NULL) {
                struct sock *sock = list_entry(node, struct sock, readers);
                if (sock->may_read && !sock->is_paused && !sock->is_down && sock_is_open(sock))
                        receive(sock);
                loop_run_ready(loop);
        }
}

void sock_flush_all(struct loop *loop)
{
        struct list *node;
        while ((node = list_pop(&loop->writers)) != NULL) {
                sock_flush(list_entry(node, struct sock, writers));
                loop_run_ready(loop);
        }
}
