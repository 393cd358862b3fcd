/* flags.h -- the command line into a struct call: global flags before and behind the command, its
 * own behind it, values after `=` or a blank, one-letter flags joined, `--` for what only looks
 * like a flag. What is not on the command line may stand in the environment as GATE_<FLAG>. */
#pragma once

#include "cmd/command.h"

/* Fills in a call; EXIT_done, or the code after a complaint. `--help` and `--version` are left to
 * the caller: call_has(call, "help"). */
int flags_read(struct call *call, int argc, char **argv);
