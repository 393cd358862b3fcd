/* promises.h -- the tests that every setting gets for nothing, from its row alone: required and not
 * there, below the least, above the most, of another kind, an unknown key beside it, a preset that
 * is itself allowed, a sentence. A shape whose rows all keep their promises passes. Test programs
 * only. */
#pragma once

#include "schema/setting.h"

/* Checks a shape and all its parts with this reader's policies; prints each broken promise and
 * returns how many there are. */
unsigned promises_broken(const struct reader *reader, const struct shape *shape);
