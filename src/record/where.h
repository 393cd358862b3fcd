/* where.h -- a question asked of records: `status >= 500 && api == "orders"`. For `gate logs` and
 * whoever follows the log. Fields are those of where.def; values are numbers, durations, addresses
 * or texts, quoted where they hold more than letters, digits and -._/. `!`, `&&`, `||` and
 * parentheses; && binds tighter. Read once into a short program, which has no loop. Pure. */
#pragma once

#include "base/arena.h"
#include "record/record.h"

enum { WHERE_TERMS_MAX = 32, WHERE_DEPTH_MAX = 32, WHERE_TEXT_MAX = 2048 };

struct where;

struct where_trouble {
        const char *what; /* a sentence part */
        size_t at, len;   /* what is meant */
};

/* ERR_syntax, ERR_limit. The text must live as long as the arena. An empty text holds for all. */
must_use enum err where_read(struct str text, struct arena *arena, const struct where **ret_where,
                             struct where_trouble *ret_trouble);

bool where_holds(const struct where *where, const struct record *record);
