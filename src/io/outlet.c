/* outlet.c -- a line is never torn by us: what is dropped is dropped before it is queued, and when
 * a half-written line's file or reader goes away, the rest of that line goes too. */
#include "io/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

enum { PIECES = 64, WRITES = 8, FILE_MODE = 0640 };

/* How often the name of a file is looked at, and how long it waits after a failure: doubled from
 * the first to the last. */
#define LOOK_NS        1000000000u
#define RETRY_LEAST_NS 100000000u
#define RETRY_MOST_NS  5000000000u

static void init(struct outlet *outlet, struct loop *loop)
{
        *outlet = (struct outlet){.fd = -1, .retry_ns = RETRY_LEAST_NS};
        buf_init(&outlet->queue, loop->pages, OUTLET_MAX);
}

static enum outlet_drop why_dropped(const struct outlet *outlet)
{
        if (outlet->error == ERR_ok || outlet->error == ERR_again)
                return OUTLET_FULL;
        return outlet->error == ERR_closed ? OUTLET_CLOSED : OUTLET_FAILED;
}

/* Lines that were taken and do not leave after all. */
static void recount(struct outlet *outlet, enum outlet_drop why, uint64_t lines)
{
        outlet->lines -= lines;
        outlet->dropped[why] += lines;
}

/* Goes to the first whole line in the queue: what is before it was begun elsewhere. */
static void drop_torn(struct outlet *outlet, enum outlet_drop why)
{
        if (outlet->is_mid)
                recount(outlet, why, 1);
        while (outlet->is_mid && outlet->queue.len > 0) {
                struct slice piece = buf_peek(&outlet->queue);
                uint8_t *end = memchr(piece.ptr, '\n', piece.len);
                outlet->is_mid = end == NULL;
                buf_drop(&outlet->queue, end == NULL ? piece.len : (size_t)(end - piece.ptr) + 1);
        }
        outlet->is_mid = false;
}

static void set_fd(struct outlet *outlet, int fd, mode_t mode)
{
        outlet->fd = fd;
        outlet->is_file = S_ISREG(mode) && outlet->path[0] != '\0';
        outlet->is_socket = S_ISSOCK(mode);
        outlet->may_wait = !S_ISREG(mode) && (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
        outlet->error = ERR_ok;
}

static mode_t mode_of(int fd)
{
        struct stat stat;
        return fstat(fd, &stat) == 0 ? stat.st_mode : 0;
}

static enum err open_path(struct outlet *outlet)
{
        int fd = open(outlet->path,
                      O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, FILE_MODE);
        if (fd < 0) /* ENXIO: a named pipe that nobody reads */
                return errno == ENXIO ? ERR_closed : err_from_errno(errno);
        set_fd(outlet, fd, mode_of(fd));
        outlet->is_owned = true;
        return ERR_ok;
}

static void shut(struct outlet *outlet)
{
        if (outlet->is_owned && outlet->fd >= 0)
                close(outlet->fd);
        outlet->fd = -1;
        drop_torn(outlet, why_dropped(outlet));
}

static void fail(struct outlet *outlet, enum err err, uint64_t now)
{
        outlet->error = err;
        outlet->retry_at = now + outlet->retry_ns;
        outlet->retry_ns = u64_min(outlet->retry_ns * 2, RETRY_MOST_NS);
}

enum err outlet_open(struct outlet *outlet, struct loop *loop, struct str path)
{
        init(outlet, loop);
        if (path.len == 0 || path.len >= sizeof outlet->path || str_find(path, '\0') >= 0)
                return ERR_range;
        memcpy(outlet->path, path.ptr, path.len);
        enum err err = open_path(outlet);
        if (err != ERR_ok)
                fail(outlet, err, loop_now(loop));
        return err;
}

/* A description of our own can be made non-blocking without doing so to whoever shares this one;
 * -1 when it cannot be had that way (sockets, what belongs to another user). A plain file must go
 * on with the position that others share. */
static int own_description(int fd, mode_t mode)
{
        char path[32];
        struct text text = text_over(path, sizeof path - 1);
        if (!S_ISFIFO(mode) && !S_ISCHR(mode))
                return -1;
        text_put(&text, S("/proc/self/fd/"));
        text_u64(&text, (uint64_t)fd);
        path[text.len] = '\0';
        return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

void outlet_open_fd(struct outlet *outlet, struct loop *loop, int fd)
{
        mode_t mode = mode_of(fd);
        int own = own_description(fd, mode);
        init(outlet, loop);
        set_fd(outlet, own >= 0 ? own : fd, mode);
        outlet->is_owned = own >= 0;
}

static void give_up_queue(struct outlet *outlet, enum outlet_drop why)
{
        drop_torn(outlet, why);
        while (outlet->queue.len > 0) {
                struct slice piece = buf_peek(&outlet->queue);
                uint64_t lines = 0;
                for (size_t i = 0; i < piece.len; i++)
                        lines += piece.ptr[i] == '\n';
                recount(outlet, why, lines);
                buf_drop(&outlet->queue, piece.len);
        }
}

void outlet_put(struct outlet *outlet, struct str line)
{
        CHECK(line.len > 0 && line.ptr[line.len - 1] == '\n');
        /* For a reader that is gone nothing is kept: it would be stale when one comes back. */
        if (outlet->error == ERR_closed || line.len > OUTLET_MAX / 4 ||
            !buf_add(&outlet->queue, line.ptr, line.len))
                outlet->dropped[why_dropped(outlet)]++;
        else
                outlet->lines++;
}

char *outlet_reserve(struct outlet *outlet, size_t len)
{
        return outlet->error == ERR_closed ? NULL : buf_reserve(&outlet->queue, len);
}

void outlet_commit(struct outlet *outlet, size_t len)
{
        buf_commit(&outlet->queue, len);
        outlet->lines++;
}

/* Bytes written, or -enum err. */
static ssize_t write_some(struct outlet *outlet)
{
        struct iovec pieces[PIECES];
        int count = buf_iovec(&outlet->queue, pieces, PIECES);
        if (outlet->may_wait && !outlet->is_socket) { /* a pipe that is ready takes a page */
                struct pollfd ready = {.fd = outlet->fd, .events = POLLOUT};
                if (poll(&ready, 1, 0) != 1)
                        return -(ssize_t)ERR_again;
                count = 1;
        }
        struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
        ssize_t n = outlet->is_socket ? sendmsg(outlet->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL)
                                      : writev(outlet->fd, pieces, count);
        return n >= 0 ? n : -(ssize_t)err_from_errno(errno);
}

static void wrote(struct outlet *outlet, size_t n)
{
        char last;
        CHECK(buf_copy(&outlet->queue, n - 1, &last, 1) == 1);
        outlet->is_mid = last != '\n';
        outlet->bytes += n;
        outlet->retry_ns = RETRY_LEAST_NS;
        outlet->error = ERR_ok;
        buf_drop(&outlet->queue, n);
}

/* True when the name no longer stands for the file that is open. */
static bool is_moved(const struct outlet *outlet)
{
        struct stat open_one, named;
        if (fstat(outlet->fd, &open_one) != 0 || stat(outlet->path, &named) != 0)
                return true;
        return open_one.st_ino != named.st_ino || open_one.st_dev != named.st_dev;
}

/* True when some was written and some is left. */
static bool write_all(struct outlet *outlet, uint64_t now)
{
        uint64_t before = outlet->bytes;
        for (int i = 0; i < WRITES && outlet->queue.len > 0; i++) {
                ssize_t n = write_some(outlet);
                if (n > 0) {
                        wrote(outlet, (size_t)n);
                        continue;
                }
                if (n == 0 || n == -(ssize_t)ERR_again)
                        break;
                fail(outlet, (enum err) - n, now);
                if (outlet->error == ERR_closed)
                        give_up_queue(outlet, OUTLET_CLOSED);
                if (outlet->error == ERR_closed && outlet->path[0] != '\0')
                        shut(outlet);
                break;
        }
        return outlet->queue.len > 0 && outlet->bytes != before;
}

bool outlet_flush(struct outlet *outlet, uint64_t now)
{
        if (outlet->error != ERR_ok && now < outlet->retry_at)
                return false;
        if (outlet->fd < 0) {
                enum err err = open_path(outlet);
                if (err != ERR_ok) {
                        fail(outlet, err, now);
                        return false;
                }
        } else if (outlet->error == ERR_closed) {
                outlet->error = ERR_ok; /* only a line can tell whether somebody reads again */
        }
        bool has_more = write_all(outlet, now);
        if (outlet->is_file && now >= outlet->look_at) {
                outlet->look_at = now + LOOK_NS;
                if (is_moved(outlet))
                        outlet_reopen(outlet, now);
        }
        return has_more;
}

void outlet_reopen(struct outlet *outlet, uint64_t now)
{
        if (outlet->path[0] == '\0')
                return;
        while (outlet->fd >= 0 && write_all(outlet, now)) {
        }
        int old = outlet->fd;
        enum outlet_drop why = why_dropped(outlet);
        if (open_path(outlet) != ERR_ok)
                return; /* the old one is better than none, and is looked at again */
        if (old >= 0) {
                close(old);
                drop_torn(outlet, why);
        }
        outlet->reopened++;
}

void outlet_close(struct outlet *outlet)
{
        while (outlet->fd >= 0 && write_all(outlet, 0)) {
        }
        give_up_queue(outlet, why_dropped(outlet));
        shut(outlet);
        buf_fini(&outlet->queue);
}
