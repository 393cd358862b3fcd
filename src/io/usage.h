/* usage.h -- what this process takes of the machine, as the system counts it. Not for the data
 * path: it reads files of /proc. */
#pragma once

#include "base/base.h"

struct usage {
        uint64_t cpu_ns;       /* of all threads, in user and kernel mode */
        uint64_t rss_bytes;    /* memory in use now */
        uint64_t fds, fds_max; /* descriptors open; that may be */
};

/* What cannot be told is 0. */
void usage_read(struct usage *ret_usage);
