/* check.h -- what the parts of a configuration mean together, as far as it can be said without
 * compiling: names that refer to nothing, doors that are open, things that are never used. */
#pragma once

#include "gate/config.h"

/* Adds complaints and warnings to reader->faults. The config must have been read by this reader;
 * where reading found errors, what is said here may follow from them, so call it only without. */
void config_check(struct reader *reader, const struct config *config);
