/* binder_open.c -- how one listening address is made. Root or not, nothing here follows what a data
 * process says further than to a socket: a file in the way that is no socket stays. */
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "main/binder_int.h"
#include "main/holder.h"

enum { UNIX_MODE = 0600, DIRECTORY_MODE = 0700, PERMISSIONS = 0777, PORT_FREE_FOR_ALL = 1024 };

enum err place_read(struct str address, struct place *ret_place)
{
        struct str path = address;
        *ret_place = (struct place){.is_unix = str_starts(address, S("unix:"))};
        if (!ret_place->is_unix)
                return addr_read(address, &ret_place->addr);
        path = str_skip(path, 5);
        if (path.len < 2 || path.ptr[0] != '/' || path.len >= sizeof ret_place->path ||
            str_find(path, '\0') >= 0)
                return ERR_syntax;
        memcpy(ret_place->path, path.ptr, path.len);
        return ERR_ok;
}

static struct sockaddr_un unix_address(const struct place *place)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        memcpy(address.sun_path, place->path, sizeof address.sun_path);
        return address;
}

static void set_option(int fd, int level, int option)
{
        int one = 1;
        setsockopt(fd, level, option, &one, sizeof one);
}

/* A socket bound to a place; shared with others of ours, or to find out whether it is free. */
static int open_tcp(const struct addr *addr, bool is_shared, int *ret_fd)
{
        int fd = socket(addr->u.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return errno;
        set_option(fd, SOL_SOCKET, SO_REUSEADDR);
        if (is_shared)
                set_option(fd, SOL_SOCKET, SO_REUSEPORT);
        if (addr->u.any.sa_family == AF_INET6)
                set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
        set_option(fd, IPPROTO_TCP, TCP_NODELAY); /* what is accepted inherits it */
        if (bind(fd, &addr->u.any, addr_len(addr)) < 0) {
                int error = errno;
                close(fd);
                return error;
        }
        *ret_fd = fd;
        return 0;
}

/* Connects to a unix socket, to see whether somebody answers: the descriptor, or -errno. */
static int try_unix(const struct place *place)
{
        struct sockaddr_un address = unix_address(place);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN)
                return fd;
        int error = errno;
        close(fd);
        return -error;
}

bool place_is_taken(const struct place *place)
{
        int fd;
        if (place->is_unix) {
                fd = try_unix(place);
                if (fd >= 0)
                        close(fd);
                return fd >= 0;
        }
        if (addr_port(&place->addr) == 0)
                return false;
        int error = open_tcp(&place->addr, false, &fd);
        if (error == 0)
                close(fd);
        return error == EADDRINUSE;
}

/* Removes the socket of somebody who is gone, and makes the folder if only that is missing. */
static int clear_path(const struct place *place)
{
        struct stat info;
        char folder[sizeof place->path];
        if (lstat(place->path, &info) == 0) {
                if (!S_ISSOCK(info.st_mode))
                        return EEXIST;
                return unlink(place->path) == 0 || errno == ENOENT ? 0 : errno;
        }
        if (errno != ENOENT)
                return errno;
        memcpy(folder, place->path, sizeof folder);
        char *slash = strrchr(folder, '/');
        CHECK(slash != NULL);
        if (slash == folder)
                return 0;
        *slash = '\0';
        return mkdir(folder, DIRECTORY_MODE) == 0 || errno == EEXIST ? 0 : errno;
}

static int open_unix(struct door *door, const struct place *place, uint32_t mode, int *ret_fd)
{
        struct sockaddr_un address = unix_address(place);
        struct stat info;
        int error = clear_path(place);
        if (error != 0)
                return error;
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return errno;
        mode_t mask = umask(PERMISSIONS & ~UNIX_MODE);
        if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
            chmod(place->path, (mode == 0 ? (uint32_t)UNIX_MODE : mode) & PERMISSIONS) < 0 ||
            lstat(place->path, &info) < 0) {
                error = errno;
                close(fd);
        } else {
                door->device = info.st_dev;
                door->inode = info.st_ino;
                *ret_fd = fd;
        }
        umask(mask);
        return error;
}

/* The place the door really has: with port 0, what the first socket got. */
static int open_next_tcp(const struct door *door, const struct place *place, int *ret_fd)
{
        struct addr addr = place->addr;
        socklen_t len = sizeof addr.u;
        if (door->count > 0 && getsockname(door->fds[0], &addr.u.any, &len) < 0)
                return errno;
        return open_tcp(&addr, true, ret_fd);
}

int door_open(struct door *door, const struct place *place, uint32_t count, uint32_t mode)
{
        struct text real = text_over(door->real, sizeof door->real - 1);
        door->is_unix = place->is_unix;
        CHECK(count > 0 && count <= MESSAGE_FDS_MAX);
        if (place->is_unix)
                count = 1;
        while (door->count < count) {
                int fd;
                int error = place->is_unix ? open_unix(door, place, mode, &fd)
                                           : open_next_tcp(door, place, &fd);
                if (error != 0)
                        return error;
                door->fds[door->count++] = fd;
        }
        socket_put_place(door->fds[0], &real);
        door->real[real.len] = '\0';
        return 0;
}

void socket_put_place(int fd, struct text *text)
{
        struct addr addr;
        struct sockaddr_un local = {0};
        socklen_t len = sizeof local;
        if (getsockname(fd, (struct sockaddr *)&local, &len) < 0)
                return;
        if (local.sun_family == AF_UNIX) {
                text_put(text, S("unix:"));
                text_put(text,
                         str_from(local.sun_path, strnlen(local.sun_path, sizeof local.sun_path)));
                return;
        }
        memset(&addr, 0, sizeof addr);
        memcpy(&addr.u, &local, sizeof addr.u);
        addr_put(text, &addr);
}

static void explain_used(const struct place *place, struct text *why)
{
        char memory[160];
        struct text holder = text_over(memory, sizeof memory);
        if (place->is_unix) {
                int fd = try_unix(place);
                if (fd >= 0) {
                        holder_of_peer(fd, &holder);
                        close(fd);
                }
        } else {
                holder_find(&place->addr, &holder);
        }
        text_put(why, S("address already in use"));
        if (holder.len > 0) {
                text_put(why, S(" by "));
                text_put(why, text_str(&holder));
        }
}

void place_explain(const struct place *place, int error, struct text *why)
{
        bool is_low = !place->is_unix && addr_port(&place->addr) < PORT_FREE_FOR_ALL;
        if (error == EADDRINUSE)
                explain_used(place, why);
        else if (error == EEXIST && place->is_unix)
                text_put(why, S("there is a file of that name that is not a socket"));
        else if ((error == EACCES || error == EPERM) && is_low)
                text_put(why, S("ports below 1024 need the capability CAP_NET_BIND_SERVICE"));
        else if (error == EMFILE)
                text_put(why, S("there are too many listening sockets; see `ulimit -n`"));
        else if (error == EADDRNOTAVAIL)
                text_put(why, S("this machine has no such address"));
        else
                text_put(why, str_of(strerror(error)));
}

void door_close(struct door *door)
{
        struct place place;
        struct stat info;
        for (uint32_t i = 0; i < door->count; i++)
                close(door->fds[i]);
        door->count = door->listening = 0;
        if (!door->is_unix || door->is_given || door->inode == 0)
                return;
        if (place_read(str_of(door->real), &place) == ERR_ok && lstat(place.path, &info) == 0 &&
            info.st_dev == door->device && info.st_ino == door->inode)
                unlink(place.path);
}
