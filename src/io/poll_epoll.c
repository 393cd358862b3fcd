/* poll_epoll.c -- the kernel as driver. A stream is registered once, edge-triggered for everything,
 * and never touched again: no epoll_ctl per request. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "io/driver.h"

struct kernel {
        int epoll, wake;
};

static void *kernel_make(void)
{
        struct kernel *kernel = calloc(1, sizeof *kernel);
        if (kernel == NULL)
                return NULL;
        kernel->epoll = epoll_create1(EPOLL_CLOEXEC);
        kernel->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
        if (kernel->epoll < 0 || kernel->wake < 0 ||
            epoll_ctl(kernel->epoll, EPOLL_CTL_ADD, kernel->wake, &event) < 0) {
                close(kernel->epoll);
                close(kernel->wake);
                free(kernel);
                return NULL;
        }
        return kernel;
}

static void kernel_free(void *self)
{
        struct kernel *kernel = self;
        close(kernel->epoll);
        close(kernel->wake);
        free(kernel);
}

static uint64_t clock_read(clockid_t clock)
{
        struct timespec time;
        clock_gettime(clock, &time);
        return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* CLOCK_BOOTTIME goes on during suspend and is the same in every process: shared cells rely on it.
 */
static uint64_t kernel_now(void *self)
{
        (void)self;
        return clock_read(CLOCK_BOOTTIME);
}

static uint64_t kernel_wall(void *self)
{
        (void)self;
        return clock_read(CLOCK_REALTIME);
}

static unsigned flags_of(uint32_t events)
{
        unsigned flags = 0;
        if (events & EPOLLIN)
                flags |= EVENT_READ;
        if (events & EPOLLOUT)
                flags |= EVENT_WRITE;
        if (events & (EPOLLRDHUP | EPOLLHUP))
                flags |= EVENT_END;
        if (events & EPOLLERR)
                flags |= EVENT_FAULT;
        return flags;
}

static int kernel_wait(void *self, uint64_t timeout, struct event *events, int max)
{
        struct kernel *kernel = self;
        struct epoll_event raw[256];
        int timeout_ms = -1;
        if (timeout != UINT64_MAX)
                timeout_ms = (int)u64_min((timeout + 999999) / 1000000, 60000);
        int n = epoll_wait(kernel->epoll, raw, max < 256 ? max : 256, timeout_ms);
        int count = 0;
        CHECK(n >= 0 || errno == EINTR);
        for (int i = 0; i < n; i++) {
                if (raw[i].data.ptr == NULL) {
                        uint64_t value;
                        ssize_t got = read(kernel->wake, &value, sizeof value);
                        (void)got;
                        continue;
                }
                events[count++] = (struct event){raw[i].data.ptr, flags_of(raw[i].events)};
        }
        return count;
}

static void kernel_wake(void *self)
{
        struct kernel *kernel = self;
        uint64_t one = 1;
        ssize_t n = write(kernel->wake, &one, sizeof one);
        (void)n;
}

/* What keeps us from having it. That a call may be repeated (EAGAIN of connect: the kernel has no
 * room for another one) would be read as if it were under way. */
static enum err in_the_way(int error)
{
        enum err err = err_from_errno(error);
        return err == ERR_again ? ERR_no_ports : err;
}

static enum err kernel_watch(void *self, int fd, enum watch_mode mode, struct watcher *watcher)
{
        struct kernel *kernel = self;
        struct epoll_event event = {.data.ptr = watcher};
        event.events = mode == WATCH_LISTEN ? (uint32_t)EPOLLIN
                                            : (uint32_t)(EPOLLIN | EPOLLOUT | EPOLLRDHUP) | EPOLLET;
        if (epoll_ctl(kernel->epoll, EPOLL_CTL_ADD, fd, &event) == 0)
                return ERR_ok;
        return in_the_way(errno);
}

static void kernel_unwatch(void *self, int fd)
{
        struct kernel *kernel = self;
        epoll_ctl(kernel->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static void no_delay(int fd)
{
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static enum err kernel_open(void *self, const struct addr *to, int *ret_fd)
{
        (void)self;
        int fd = socket(to->u.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return in_the_way(errno);
        no_delay(fd);
        if (connect(fd, &to->u.any, addr_len(to)) < 0 && errno != EINPROGRESS) {
                enum err err = in_the_way(errno);
                close(fd);
                return err;
        }
        *ret_fd = fd;
        return ERR_ok;
}

static enum err kernel_opened(void *self, int fd)
{
        int error = 0;
        socklen_t len = sizeof error;
        (void)self;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
                error = errno;
        return err_from_errno(error);
}

static enum err kernel_accept(void *self, int listener, struct addr *ret_peer, int *ret_fd)
{
        socklen_t len = sizeof ret_peer->u;
        (void)self;
        int fd = accept4(listener, &ret_peer->u.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
                return err_from_errno(errno);
        if (ret_peer->u.any.sa_family == AF_INET || ret_peer->u.any.sa_family == AF_INET6)
                no_delay(fd);
        else /* a unix socket: its peer is this machine */
                ret_peer->u.v4 = (struct sockaddr_in){.sin_family = AF_INET,
                                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        *ret_fd = fd;
        return ERR_ok;
}

static void kernel_local(void *self, int fd, struct addr *ret_addr)
{
        struct addr addr = {0};
        socklen_t len = sizeof addr.u;
        (void)self;
        if (getsockname(fd, &addr.u.any, &len) < 0 ||
            (addr.u.any.sa_family != AF_INET && addr.u.any.sa_family != AF_INET6))
                addr.u.v4 = (struct sockaddr_in){.sin_family = AF_INET};
        *ret_addr = addr;
}

/* The C library's recv() and send() are points where a thread can be cancelled, for which each call
 * pays; ours never are. Sanitizers look at what the library is asked, though. */
static ssize_t receive(int fd, void *to, size_t len)
{
        return GATE_SANITIZED ? recv(fd, to, len, 0)
                              : syscall(SYS_recvfrom, fd, to, len, 0, NULL, NULL);
}

static ssize_t transmit(int fd, const struct iovec *iov, int count)
{
        struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                                 .msg_iovlen = (size_t)count};
        if (count != 1)
                return sendmsg(fd, &message, MSG_NOSIGNAL);
        const void *from = iov[0].iov_base;
        return GATE_SANITIZED
                       ? send(fd, from, iov[0].iov_len, MSG_NOSIGNAL)
                       : syscall(SYS_sendto, fd, from, iov[0].iov_len, MSG_NOSIGNAL, NULL, 0);
}

/* A call that a signal broke off is made again at once: the edge that led here does not come twice.
 */
static ssize_t kernel_recv(void *self, int fd, void *to, size_t len)
{
        (void)self;
        ssize_t n;
        do {
                n = receive(fd, to, len);
        } while (unlikely(n < 0) && errno == EINTR);
        return n >= 0 ? n : -(ssize_t)err_from_errno(errno);
}

static ssize_t kernel_send(void *self, int fd, const struct iovec *iov, int count)
{
        (void)self;
        ssize_t n;
        do {
                n = transmit(fd, iov, count);
        } while (unlikely(n < 0) && errno == EINTR);
        return n >= 0 ? n : -(ssize_t)err_from_errno(errno);
}

static void kernel_shut(void *self, int fd)
{
        (void)self;
        shutdown(fd, SHUT_WR);
}

static void kernel_close(void *self, int fd, bool is_abrupt)
{
        (void)self;
        if (is_abrupt) {
                struct linger linger = {.l_onoff = 1, .l_linger = 0};
                setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        }
        close(fd);
}

const struct driver driver_epoll = {
        .name = "epoll",
        .make = kernel_make,
        .free = kernel_free,
        .now = kernel_now,
        .wall = kernel_wall,
        .wait = kernel_wait,
        .wake = kernel_wake,
        .watch = kernel_watch,
        .unwatch = kernel_unwatch,
        .open = kernel_open,
        .opened = kernel_opened,
        .accept = kernel_accept,
        .local = kernel_local,
        .recv = kernel_recv,
        .send = kernel_send,
        .shut = kernel_shut,
        .close = kernel_close,
};
