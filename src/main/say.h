/* say.h -- the keeper's own words to who started it: one line each on standard error, never waiting
 * for a reader that does not read. It says little; the log is the data process's. */
#pragma once

#include "base/base.h"

/* "gate: " and the line. */
void say(const char *format, ...) printf_like(1, 2);

/* How a process ended, as words: "exit code 70", "signal 11 (Segmentation fault)". */
const char *say_status(int wait_status);
