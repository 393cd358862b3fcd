/* child.c -- running another program. */
#include "cmd/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static enum err spawn(const char *const *argv, int out, pid_t *ret_pid)
{
        posix_spawn_file_actions_t actions;
        if (posix_spawn_file_actions_init(&actions) != 0)
                return ERR_memory;
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, out, 1);
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
        int error = posix_spawnp(ret_pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv,
                                 environ);
        posix_spawn_file_actions_destroy(&actions);
        return error == 0 ? ERR_ok : err_from_errno(error);
}

enum err child_run(const char *const *argv, size_t max, struct arena *arena, struct str *ret_out)
{
        struct text out = text_grow(arena, max);
        char piece[16384];
        int ends[2], status = 0;
        pid_t pid;
        ssize_t n;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return err_from_errno(errno);
        enum err err = spawn(argv, ends[1], &pid);
        close(ends[1]);
        if (err != ERR_ok) {
                close(ends[0]);
                return err;
        }
        while ((n = read(ends[0], piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR)) {
                if (n > 0)
                        text_put(&out, str_from(piece, (size_t)n));
                if (out.is_cut)
                        break;
        }
        close(ends[0]);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (out.is_cut)
                return ERR_limit;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                return WIFEXITED(status) && WEXITSTATUS(status) == 127 ? ERR_missing : ERR_io;
        *ret_out = out.at == NULL ? S("") : text_str(&out);
        return ERR_ok;
}
