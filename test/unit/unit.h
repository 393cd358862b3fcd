/* unit.h -- what every unit test needs: cmocka with its headers in order, text of the house in
 * assertions, and the death of a child process as something one can promise. Test programs only. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"

#define assert_str(actual, expected)  assert_text_at(actual, str_of(expected), __FILE__, __LINE__)
#define assert_str_eq(actual, wanted) assert_text_at(actual, wanted, __FILE__, __LINE__)

static inline void assert_text_at(struct str actual, struct str expected, const char *file,
                                  int line)
{
        if (!str_eq(actual, expected)) {
                print_error("\"" STR_FMT "\" is not \"" STR_FMT "\"\n", STR_ARG(actual),
                            STR_ARG(expected));
                _fail(file, line);
        }
}

/* True when fn(arg), run in a child with its stderr closed, ends by SIGABRT: a failed check. */
static inline bool dies(void (*fn)(void *arg), void *arg)
{
        int status = 0;
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
                setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
                signal(SIGABRT, SIG_DFL);
                close(STDERR_FILENO);
                fn(arg);
                _exit(0);
        }
        assert_true(child > 0 && waitpid(child, &status, 0) == child);
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}
