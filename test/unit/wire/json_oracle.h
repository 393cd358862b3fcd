/* json_oracle.h -- jansson as a second reader. Behind a header of its own, because its names and
 * ours are the same. */
#pragma once

#include "base/str.h"

struct oracle {
        bool is_good;
        bool is_unsure; /* jansson stopped at a number that it cannot hold */
        bool has_reals; /* numbers that jansson rounds */
        char *dump;     /* compact and sorted, NULL when it cannot be had */
};

struct oracle oracle_read(struct str text);
void oracle_free(struct oracle *oracle);
