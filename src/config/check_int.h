/* check_int.h -- what check.c and check_doors.c share. */
#pragma once

#include "config/check.h"

struct check {
        const struct config *config;
        struct arena *arena;
        struct faults *faults;
        ptrdiff_t auth, rate_limit,
                redirect;              /* index in the table of policies; -1: there is none */
        struct map used[CONFIG_KINDS]; /* names that something refers to */
        struct map paths;              /* "CHANNEL PATH": the API that has it */
};

/* The item of that policy, NULL when the block says nothing of it. */
const struct block_item *block_find(const struct block *block, ptrdiff_t index);

/* Addresses, hosts, and what strangers can reach. */
void check_doors(struct check *check);
