/* folder.h -- files that a command writes: whole, at one stroke. */
#pragma once

#include "cmd/command.h"

/* Makes the folder and those above it. False after a complaint, with *ret_code set. */
bool folder_make(struct call *call, struct str path, int *ret_code);

/* Writes a file through another beside it, so that nobody reads half of it. `may_replace`: false
 * leaves a file that is there and complains. */
bool folder_write(struct call *call, struct str path, struct str text, bool may_replace,
                  int *ret_code);
