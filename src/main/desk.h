/* desk.h -- the admin site of a data process: the doors it has, and what may be asked for there. */
#pragma once

#include "main/steward.h"

/* Binds the admin's address and socket, as the keeper does it; before privileges go. Complaints go
 * to stderr. An exit code, 0 when all that was asked for is bound. */
int desk_bind(struct steward *steward, const struct config *config);

/* Opens the doors; after the journal, before the workers run. */
void desk_begin(struct steward *steward);
void desk_open(struct steward *steward); /* its doors, once the keeper listens */

/* Tells whoever waits what came of the last reload: what a person reads, and a JSON array. */
void desk_tell(struct steward *steward, struct str text, struct str faults);

/* The keeper could not do what it was asked for. */
void desk_refused(struct steward *steward, struct str why);

/* Shuts the doors; last answers are finished. */
void desk_end(struct steward *steward);
