/* help.h -- what the table of commands says to people. */
#pragma once

#include "cmd/command.h"
#include "cmd/sheet.h"

/* `gate` alone: what runs, and what one may want next, in twelve lines. */
int help_welcome(struct call *call);

/* `gate COMMAND --help`; NULL: the list of commands. */
int help_of(struct call *call, const struct command *command);

/* The page of a command, in any style. */
void help_write_command(const struct command *command, struct sheet *sheet);

/* The page of `gate` itself: all commands, global flags, environment, exit codes, files. */
void help_write_gate(struct sheet *sheet);
