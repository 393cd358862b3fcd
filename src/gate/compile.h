/* compile.h -- one configuration in, one snapshot out, or a list of faults. The same code serves
 * `gate check` (dry: without a gate, nothing alive is touched) and the data process, so "would this
 * work?" is answered by what will run it. Runs on the steward's thread, never on a worker. */
#pragma once

#include "config/config.h"
#include "gate/snapshot.h"
#include "gate/worker.h"

struct seal_secret;

struct compile_input {
        struct arena
                *arena; /* holds document and config; the snapshot takes it over, config is in it */
        const struct config *config;
        struct sources *sources;
        struct faults *faults;
        const struct policies *policies;
        const struct proofs *proofs;
        const struct gate *gate; /* NULL: dry */
        struct str hash;         /* of the bundle, hex */
        uint64_t wall;           /* ns since 1970; 0: nobody knows */
};

/* NULL when there were errors (in input->faults). */
struct snapshot *compile(const struct compile_input *input);

/* Frees everything, the bundle it was made of included. */
void snapshot_free(struct snapshot *snapshot);

/* Puts the consumers and keys of a configuration into a roster: those of the file before are
 * replaced. */
must_use enum err compile_roster(const struct config *config, struct roster *roster,
                                 const struct seal_secret *secret);
