/* keepsake.h -- the last good configuration, kept on disk: the texts it was made of, not what they
 * refer to, so no secret lies in it that did not lie in a file of the configuration. Read when a
 * gate that served before must start and its configuration has become unreadable. */
#pragma once

#include "gate/bundle.h"

/* The folder for it: what systemd says, else by custom; to be asked before privileges go. */
struct str keepsake_folder(struct arena *arena);

/* What a bundle was read from, as JSON; and a bundle read from that, good or not: what the texts
 * refer to is read here and now. NULL: it is no such text. */
void keepsake_put(const struct bundle *bundle, struct str environment, struct arena *arena,
                  struct text *out);
struct bundle *keepsake_take(struct str text, const struct policies *policies,
                             const struct proofs *proofs);

/* Writes what this bundle was read from, mode 0600: old or new, never a mix. What is in the way is
 * said on stderr, once; it never stops anything. */
void keepsake_write(struct str folder, const struct bundle *bundle, struct str environment);

/* Reads back what was kept of the configuration at that path; NULL when nothing whole and good was.
 */
struct bundle *keepsake_read(struct str folder, struct str path, const struct policies *policies,
                             const struct proofs *proofs);
