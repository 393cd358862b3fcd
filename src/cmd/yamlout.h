/* yamlout.h -- nodes written as YAML: blocks for maps, one line for lists of words, and behind each
 * value, where that is wanted, where it was written. Secrets come out as digests. What is written
 * reads as the same document again. */
#pragma once

#include "schema/fault.h"

struct yamlout {
        struct text *out;
        struct arena *arena;           /* scratch */
        const struct sources *sources; /* NULL: no origins */
        struct line_table *lines;      /* of the sources; made when first needed */
        bool is_colored;
};

void yamlout_put(struct yamlout *yamlout, const struct json *node);

/* One scalar, as it must be written to be read as the same. */
void yamlout_scalar(struct yamlout *yamlout, const struct json *node);

/* "gateway.yaml:7"; "default" for what nobody wrote. Fast for any number of nodes. */
void yamlout_place(struct yamlout *yamlout, const struct json *node, struct text *out);
