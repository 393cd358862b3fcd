/* check.c -- how the process dies: what failed, where, what the thread was doing, a backtrace.
 * Everything here may run in a signal handler, so it formats by hand and calls write(2) only. */
#include "base/check.h"

#include <execinfo.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static _Thread_local panic_note_fn *note_fn;
static _Thread_local void *note_arg;

void panic_note(panic_note_fn *fn, void *arg)
{
        note_fn = fn;
        note_arg = arg;
}

static void put(int fd, const char *text)
{
        ssize_t n = write(fd, text, strlen(text));
        (void)n;
}

void panic_trace(int fd)
{
        void *frames[48];
        if (note_fn != NULL)
                note_fn(fd, note_arg);
        int n = backtrace(frames, (int)countof(frames));
        backtrace_symbols_fd(frames, n, fd);
}

static void on_fatal(int signo)
{
        put(STDERR_FILENO, "gate: fatal signal ");
        const char digits[3] = {(char)('0' + signo / 10), (char)('0' + signo % 10), '\n'};
        ssize_t n = write(STDERR_FILENO, digits, sizeof digits);
        (void)n;
        panic_trace(STDERR_FILENO);
        signal(signo, SIG_DFL);
        raise(signo);
}

/* Our own handler has nothing to add; somebody else's, as a fuzzer's, is left in place. */
static _Noreturn void die(void)
{
        struct sigaction action;
        panic_trace(STDERR_FILENO);
        if (sigaction(SIGABRT, NULL, &action) == 0 && action.sa_handler == on_fatal)
                signal(SIGABRT, SIG_DFL);
        abort();
}

_Noreturn void panic_at(const char *file, int line, const char *what)
{
        char text[512];
        snprintf(text, sizeof text, "gate: check failed: %s (%s:%d)\n", what, file, line);
        put(STDERR_FILENO, text);
        die();
}

_Noreturn void panic(const char *format, ...)
{
        char text[512];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        put(STDERR_FILENO, "gate: ");
        put(STDERR_FILENO, text);
        put(STDERR_FILENO, "\n");
        die();
}

void panic_on_signals(void)
{
        static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
        struct sigaction action = {.sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND};
        void *warm[1];
        backtrace(warm, 1); /* loads libgcc now: it must not be loaded inside a handler */
        sigemptyset(&action.sa_mask);
        for (size_t i = 0; i < countof(fatal); i++)
                sigaction(fatal[i], &action, NULL);
}
