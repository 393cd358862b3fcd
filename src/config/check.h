/* check.h -- what the parts of a configuration mean together, as far as it can be said without
 * compiling: names that refer to nothing, doors that are open, things that are never used. */
#pragma once

#include "config/config.h"

/* Adds complaints and warnings to reader->faults. The config must have been read by this reader;
 * where reading found errors, what is said here may follow from them, so call it only without. */
void config_check(struct reader *reader, const struct config *config);

/* What a process takes of its configuration when it starts. */
struct config_start {
        int64_t workers, memory, buckets, admin_port;
        struct str user, admin_host, admin_socket;
};

void config_start_take(const struct config *config, struct arena *arena,
                       struct config_start *ret_start);

/* Adds a warning for each of these that is another one in a later configuration. */
void config_start_check(const struct config_start *start, const struct config *config,
                        struct faults *faults);
