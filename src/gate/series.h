/* series.h -- which series of counts a snapshot holds: one for each of its APIs, routes and
 * upstreams. By the steward alone, before a snapshot is published and when it is retired. */
#pragma once

#include "gate/snapshot.h"
#include "record/count.h"

/* Finds or makes them, and writes their numbers into APIs, routes and upstreams, for records. */
void series_hold_all(struct count_board *board, struct snapshot *snapshot);

void series_release_all(struct count_board *board, const struct snapshot *snapshot);
