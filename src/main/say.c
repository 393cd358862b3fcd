/* say.c -- lines on standard error. */
#include "main/say.h"

#include <poll.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"

enum { LINE_MAX_LEN = 1024 }; /* within PIPE_BUF: a pipe that is ready takes it whole */

void say(const char *format, ...)
{
        char memory[LINE_MAX_LEN];
        struct text line = text_over(memory, sizeof memory - 1);
        va_list args;
        text_put(&line, S("gate: "));
        va_start(args, format);
        text_vformat(&line, format, args);
        va_end(args);
        if (line.is_cut)
                text_put(&line, S("(a message too long to show)"));
        memory[line.len] = '\n';
        struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
        if (poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT))
                return;
        ssize_t n = write(STDERR_FILENO, memory, line.len + 1);
        (void)n;
}

const char *say_status(int wait_status)
{
        static char memory[80];
        struct text text = text_over(memory, sizeof memory - 1);
        if (WIFSIGNALED(wait_status))
                text_format(&text, "signal %d (%s)", WTERMSIG(wait_status),
                            strsignal(WTERMSIG(wait_status)));
        else
                text_format(&text, "exit code %d", WEXITSTATUS(wait_status));
        memory[text.len] = '\0';
        return memory;
}
