/* keepsake.h -- the last good configuration, kept on disk: the texts it was made of, not what they
 * refer to, so no secret lies in it that did not lie in a file of the configuration. Read when a
 * gate that served before must start and its configuration has become unreadable. */
#pragma once

#include "gate/bundle.h"

/* Writes what this bundle was read from to <state>/last-good.json, mode 0600: old or new, never a
 * mix. What is in the way is said on stderr, once; it never stops anything. */
void keepsake_write(const struct bundle *bundle);

/* Reads it back; NULL when there is none that is whole and good. */
struct bundle *keepsake_read(const struct policies *policies, const struct proofs *proofs);
