/* reading.h -- a configuration for a command to look at: found, read, checked, and its complaints
 * shown. */
#pragma once

#include "cmd/command.h"
#include "gate/bundle.h"

/* Where the configuration is, by --config and the rules of discovery; empty after a complaint. */
struct str reading_path(struct call *call);

/* Reads one with --env; "-" is standard input. Complaints stay in it. Never NULL; the caller's to
 * free. */
struct bundle *reading_begin(struct call *call, struct str path);

/* Reads the configuration of a command that can do nothing with a bad one: NULL after its
 * complaints were shown, and *ret_code is the exit code. */
struct bundle *reading_good(struct call *call, int *ret_code);

/* Shows the complaints of a bundle that is of no use on standard error, frees it, and returns the
 * exit code. */
int reading_refuse(struct call *call, struct bundle *bundle);

/* Exit code for what a reading found. */
int reading_code(const struct bundle *bundle);
