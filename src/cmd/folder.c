/* folder.c -- writing files. */
#include "cmd/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool refuse(struct call *call, struct str path, int *ret_code)
{
        bool is_denied = errno == EACCES || errno == EPERM || errno == EROFS;
        *ret_code = call_fail(call, is_denied ? EXIT_denied : EXIT_system, NULL,
                              "cannot write " STR_FMT ": %s", STR_ARG(path), strerror(errno));
        return false;
}

bool folder_make(struct call *call, struct str path, int *ret_code)
{
        for (size_t i = 1; i <= path.len; i++) {
                if (i < path.len && path.ptr[i] != '/')
                        continue;
                const char *part = arena_cstr(&call->arena, str_first(path, i));
                if (mkdir(part, 0777) < 0 && errno != EEXIST)
                        return refuse(call, path, ret_code);
        }
        return true;
}

static bool write_all(int fd, struct str text)
{
        while (text.len > 0) {
                ssize_t n = write(fd, text.ptr, text.len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return false;
                text = str_skip(text, (size_t)n);
        }
        return true;
}

/* The permissions that a file has, or will have. */
static mode_t mode_of(const char *name)
{
        struct stat now;
        return stat(name, &now) == 0 ? now.st_mode & 0777 : 0666;
}

bool folder_write(struct call *call, struct str path, struct str text, bool may_replace,
                  int *ret_code)
{
        const char *name = arena_cstr(&call->arena, path);
        struct str half = arena_format(&call->arena, STR_FMT ".half-%d", STR_ARG(path),
                                       (int)getpid());
        const char *half_name = arena_cstr(&call->arena, half);
        int fd = open(half_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode_of(name));
        if (fd < 0)
                return refuse(call, path, ret_code);
        bool is_done = write_all(fd, text);
        is_done = close(fd) == 0 && is_done;
        /* link() fails where a file is there, rename() replaces it. */
        if (is_done && may_replace)
                is_done = rename(half_name, name) == 0;
        else if (is_done)
                is_done = link(half_name, name) == 0;
        int error = errno;
        if (!is_done || !may_replace)
                unlink(half_name);
        errno = error;
        return is_done || refuse(call, path, ret_code);
}
