/* sight.h -- what can be seen of a running gate: its records, its metrics, its admin site. Wires
 * the parts of gate to the steward. */
#pragma once

#include "main/steward.h"

/* Begins to keep records and opens the admin's doors; before the workers run. */
void sight_begin(struct steward *steward, const struct config *config);

/* A new configuration is in force: the log goes where it says. */
void sight_change(struct steward *steward, const struct config *config);

/* Opens log files anew. */
void sight_reopen(struct steward *steward);

/* Shuts the admin's doors and writes what is left, once the workers have ended. */
void sight_end(struct steward *steward);
