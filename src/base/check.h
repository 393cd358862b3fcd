/* check.h -- asserts that stay on in every build, and the one way to die.
 * A failed check is our own fault: the process writes what it knows and aborts, the keeper starts
 * another one. Faults of the world are `enum err`, faults of a peer are `enum reason`. */
#pragma once

#include "base/base.h"

#define CHECK(cond)                                                                                \
        do {                                                                                       \
                if (unlikely(!(cond)))                                                             \
                        panic_at(__FILE__, __LINE__, #cond);                                       \
        } while (0)

/* Objects that travel through `void *` carry a magic number and are checked at the door. */
#define CHECK_IS(obj, MAGIC) CHECK((obj) != NULL && (obj)->magic == (MAGIC))

_Noreturn void panic_at(const char *file, int line, const char *what);
_Noreturn void panic(const char *format, ...) printf_like(1, 2);

/* Called by panic and by the crash handler to add what the thread was doing, e.g. the trail of its
 * exchange. Must only write to `fd`, with async-signal-safe calls. One per thread; NULL removes. */
typedef void panic_note_fn(int fd, void *arg);
void panic_note(panic_note_fn *fn, void *arg);

/* Makes SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT write a backtrace and the note to stderr. */
void panic_on_signals(void);

/* Writes this thread's backtrace and note to fd (async-signal-safe). */
void panic_trace(int fd);
