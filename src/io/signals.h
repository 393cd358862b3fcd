/* signals.h -- signals as something to read: blocked everywhere, taken one by one from a
 * descriptor, so that nothing ever runs in the middle of something else. */
#pragma once

#include "base/base.h"
#include "base/err.h"

/* Blocks these signals in this thread and those it will make, and opens a non-blocking,
 * close-on-exec descriptor they come through. A list ends with 0. */
must_use enum err signals_open(const int *list, int *ret_fd);

/* The next one, and whether the system sent it by itself (e.g. SIGHUP: the terminal is gone); 0
 * when there is none. */
int signals_take(int fd, bool *ret_is_of_system);

/* Lets all signals through again, as a new program expects it. */
void signals_restore(void);

/* Ignores these; what a program starts ignores them too. A list ends with 0. */
void signals_ignore(const int *list);
bool signals_is_ignored(int signo);
