/* file.c -- whole files by open, fstat and read; patterns by glob(3). */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct file_stamp stamp_of(const struct stat *stat)
{
        return (struct file_stamp){.changed_ns = (uint64_t)stat->st_mtim.tv_sec * 1000000000u +
                                                 (uint64_t)stat->st_mtim.tv_nsec,
                                   .size = (uint64_t)stat->st_size,
                                   .inode = stat->st_ino};
}

/* Reads on until the end or `size`; a file that grows meanwhile is cut there, and its stamp says
 * that it has changed. */
static enum err read_all(int fd, char *at, size_t size, size_t *ret_len)
{
        size_t len = 0;
        while (len < size) {
                ssize_t n = pread(fd, at + len, size - len, (off_t)len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_from_errno(errno);
                if (n == 0)
                        break;
                len += (size_t)n;
        }
        *ret_len = len;
        return ERR_ok;
}

enum err file_read_fd(int fd, size_t max, struct arena *arena, struct file *ret_file)
{
        struct stat stat;
        size_t len = 0;
        if (fstat(fd, &stat) != 0)
                return err_from_errno(errno);
        if (!S_ISREG(stat.st_mode))
                return ERR_syntax;
        if ((uint64_t)stat.st_size > max)
                return ERR_limit;
        size_t size = (size_t)stat.st_size;
        char *at = arena_alloc(arena, size + 1);
        enum err err = read_all(fd, at, size, &len);
        if (err == ERR_ok)
                *ret_file = (struct file){.text = {at, len}, .stamp = stamp_of(&stat)};
        return err;
}

enum err file_read(struct str path, size_t max, struct arena *arena, struct file *ret_file)
{
        char *name = arena_cstr(arena, path);
        if (strlen(name) != path.len)
                return ERR_missing;
        int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return err_from_errno(errno);
        struct file file;
        enum err err = file_read_fd(fd, max, arena, &file);
        close(fd);
        if (err != ERR_ok)
                return err;
        file.path = str_from(name, path.len);
        *ret_file = file;
        return ERR_ok;
}

enum err file_stamp(struct str path, struct file_stamp *ret_stamp)
{
        char name[4096];
        struct stat found;
        if (path.len >= sizeof name)
                return ERR_missing;
        memcpy(name, path.ptr, path.len);
        name[path.len] = '\0';
        if (stat(name, &found) != 0)
                return err_from_errno(errno);
        *ret_stamp = stamp_of(&found);
        return ERR_ok;
}

enum err file_list(struct str pattern, size_t most, struct arena *arena, struct str **ret_paths,
                   size_t *ret_count)
{
        glob_t found = {0};
        int failed = glob(arena_cstr(arena, pattern), 0, NULL, &found);
        if (failed != 0 && failed != GLOB_NOMATCH) {
                globfree(&found);
                return failed == GLOB_NOSPACE ? ERR_memory : ERR_io;
        }
        size_t count = failed == 0 ? found.gl_pathc : 0;
        enum err err = count > most ? ERR_limit : ERR_ok;
        if (err == ERR_ok) {
                struct str *paths = arena_array(arena, struct str, count + 1);
                for (size_t i = 0; i < count; i++)
                        paths[i] = arena_str(arena, str_of(found.gl_pathv[i]));
                *ret_paths = paths;
                *ret_count = count;
        }
        globfree(&found);
        return err;
}

static enum err write_all(int fd, struct str text)
{
        while (text.len > 0) {
                ssize_t n = write(fd, text.ptr, text.len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_from_errno(errno);
                text = str_skip(text, (size_t)n);
        }
        return fsync(fd) == 0 ? ERR_ok : err_from_errno(errno);
}

/* What is in a folder is on disk only once the folder is. */
static enum err sync_folder(struct arena *scratch, struct str path)
{
        size_t len = path.len;
        while (len > 0 && path.ptr[len - 1] != '/')
                len--;
        int fd = open(len == 0 ? "." : arena_cstr(scratch, str_first(path, len)),
                      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_from_errno(errno);
        enum err err = fsync(fd) == 0 ? ERR_ok : err_from_errno(errno);
        close(fd);
        return err;
}

enum err file_write(struct str path, struct str text)
{
        struct arena scratch;
        arena_init(&scratch, NULL, 1 << 20);
        char *name = arena_cstr(&scratch, path);
        struct str other = arena_format(&scratch, STR_FMT ".%d.new", STR_ARG(path), (int)getpid());
        char *made = arena_cstr(&scratch, other);
        int fd = open(made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        enum err err = fd < 0 ? err_from_errno(errno) : write_all(fd, text);
        if (fd >= 0)
                close(fd);
        if (err == ERR_ok && rename(made, name) != 0)
                err = err_from_errno(errno);
        if (err == ERR_ok)
                err = sync_folder(&scratch, path);
        else if (fd >= 0)
                unlink(made);
        arena_fini(&scratch);
        return err;
}
