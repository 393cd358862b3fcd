/* shared.h -- what lies in the memory that the keeper holds: the cells of limits, and the secret
 * that keys are sealed with, so that a limit and a credential's id are the same after a crash or an
 * upgrade. */
#pragma once

#include "gate/worker.h"
#include "main/keeper_link.h"
#include "roster/seal.h"

/* Maps the memory for that many cells of each kind and makes it ready if it is new: gate->known and
 * gate->strangers, and the secret. `why` says what is in the way. */
must_use enum err shared_map(struct keeper_link *link, uint64_t cells, struct gate *gate,
                             struct seal_secret *ret_secret);
