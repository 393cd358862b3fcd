/* uuid.h -- ids that sort by time: UUID version 7 (RFC 9562 5.7) from a time and random bits given.
 */
#pragma once

#include "base/str.h"

enum { UUID_LENGTH = 36 };

/* `ms` since 1970; 12 bits of `high` and 62 of `low` are used. */
void uuid_write_v7(uint64_t ms, uint64_t high, uint64_t low, struct text *out);

/* Any UUID in its text form, in whatever case. */
bool uuid_is(struct str s);
