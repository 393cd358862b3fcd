/* bundle.h -- one configuration as it was read: files, document, settings, complaints, and the hash
 * that is its version. The one way from a path to something that can be compiled, for the data
 * process and for every command that looks at a configuration. */
#pragma once

#include "config/load.h"
#include "gate/compile.h"

struct bundle {
        struct arena arena; /* of everything, this included */
        struct load load;
        struct reader reader;
        struct config *config; /* NULL when the document could not be read at all */
        const struct policies *policies;
        const struct proofs *proofs;
};

/* Reads and checks; complaints are in load.faults. Never NULL. */
struct bundle *bundle_read(const struct load_request *request, const struct policies *policies,
                           const struct proofs *proofs);

/* Compiles, for a gate or (NULL) to see whether it would work. The snapshot owns the bundle from
 * then on; NULL after an error: the bundle stays the caller's. */
struct snapshot *bundle_compile(struct bundle *bundle, const struct gate *gate);

static inline bool bundle_is_good(const struct bundle *bundle)
{
        return bundle->load.faults.errors == 0;
}

void bundle_free(struct bundle *bundle);
