/* fdpass.c -- SCM_RIGHTS over SOCK_SEQPACKET. */
#include "io/fdpass.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

union control {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * FDPASS_MAX)];
};

enum err fdpass_pair(int ret_fds[2])
{
        int fds[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
                return err_from_errno(errno);
        ret_fds[0] = fds[0];
        ret_fds[1] = fds[1];
        return ERR_ok;
}

enum err fdpass_send(int fd, const struct parcel *parcel)
{
        union control control;
        struct iovec iov[2] = {{parcel->head, parcel->head_len}, {parcel->body, parcel->body_len}};
        struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};
        CHECK(parcel->fds_count >= 0 && parcel->fds_count <= FDPASS_MAX);
        if (parcel->fds_count > 0) {
                size_t len = sizeof(int) * (size_t)parcel->fds_count;
                memset(&control, 0, sizeof control);
                message.msg_control = control.bytes;
                message.msg_controllen = CMSG_SPACE(len);
                struct cmsghdr *piece = CMSG_FIRSTHDR(&message);
                piece->cmsg_level = SOL_SOCKET;
                piece->cmsg_type = SCM_RIGHTS;
                piece->cmsg_len = CMSG_LEN(len);
                memcpy(CMSG_DATA(piece), parcel->fds, len);
        }
        ssize_t n;
        do {
                n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        } while (n < 0 && errno == EINTR);
        if (n >= 0)
                return ERR_ok;
        if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
                return ERR_closed;
        return err_from_errno(errno);
}

bool fdpass_has_unread(int fd)
{
        int bytes = 0;
        return ioctl(fd, TIOCOUTQ, &bytes) == 0 && bytes > 0;
}

/* Moves the descriptors of one record to `parcel`; those without room there are closed. */
static bool unpack(struct msghdr *message, struct parcel *parcel, int room)
{
        bool fits = true;
        parcel->fds_count = 0;
        for (struct cmsghdr *piece = CMSG_FIRSTHDR(message); piece != NULL;
             piece = CMSG_NXTHDR(message, piece)) {
                if (piece->cmsg_level != SOL_SOCKET || piece->cmsg_type != SCM_RIGHTS)
                        continue;
                size_t count = (piece->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                for (size_t i = 0; i < count; i++) {
                        int fd;
                        memcpy(&fd, CMSG_DATA(piece) + i * sizeof fd, sizeof fd);
                        fits = fits && parcel->fds_count < room;
                        if (fits)
                                parcel->fds[parcel->fds_count++] = fd;
                        else
                                close(fd);
                }
        }
        return fits;
}

enum err fdpass_take(int fd, struct parcel *parcel)
{
        union control control;
        struct iovec iov[2] = {{parcel->head, parcel->head_len}, {parcel->body, parcel->body_len}};
        struct msghdr message = {.msg_iov = iov,
                                 .msg_iovlen = 2,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof control.bytes};
        ssize_t n;
        do {
                n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        } while (n < 0 && errno == EINTR);
        if (n == 0 || (n < 0 && errno == ECONNRESET))
                return ERR_closed;
        if (n < 0)
                return err_from_errno(errno);
        bool fits = unpack(&message, parcel, parcel->fds_count);
        if ((size_t)n >= parcel->head_len && fits &&
            !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
                parcel->body_len = (size_t)n - parcel->head_len;
                return ERR_ok;
        }
        for (int i = 0; i < parcel->fds_count; i++)
                close(parcel->fds[i]);
        parcel->fds_count = 0;
        return ERR_syntax;
}

static int64_t now_ms(void)
{
        struct timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

enum err fdpass_wait(int fd, int wait_ms)
{
        struct pollfd wanted = {.fd = fd, .events = POLLIN};
        int64_t end = now_ms() + wait_ms;
        for (;;) {
                int64_t left = end - now_ms();
                int n = poll(&wanted, 1, left > 0 ? (int)left : 0);
                if (n > 0)
                        return ERR_ok;
                if (n == 0)
                        return ERR_timeout;
                if (errno != EINTR)
                        return err_from_errno(errno);
        }
}
