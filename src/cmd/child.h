/* child.h -- another program run to its end for what it prints. Nothing goes through a shell. */
#pragma once

#include "base/arena.h"
#include "base/str.h"

/* Runs argv[0], found in $PATH, with nothing on its standard input; argv ends with NULL. Its
 * standard output goes to *ret_out, its standard error nowhere. ERR_missing: there is no such
 * program; ERR_limit: it prints more than max; ERR_io: it ended with another code than 0. */
must_use enum err child_run(const char *const *argv, size_t max, struct arena *arena,
                            struct str *ret_out);
