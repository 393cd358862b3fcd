/* gitworld.h -- files as they are in a commit, for the loader: what lies beside the configuration
 * is read from git, what lies elsewhere (secrets) from the disk. */
#pragma once

#include "config/load.h"

struct gitworld {
        struct world world; /* for struct load_request */
        struct arena *arena;
        struct str ref;
        struct str dir; /* of the configuration: empty or ends with '/' */
};

/* `path` is the configuration's. ERR_missing: git is not installed, or there is no such commit, or
 * the configuration is not in it. */
must_use enum err gitworld_open(struct gitworld *gitworld, struct str ref, struct str path,
                                struct arena *arena);
