/* err.h -- operating errors, one list. Functions that can fail return `enum err`, marked must_use;
 * 0 is fine. What is our own bug is a CHECK, what a peer does wrong is an `enum reason`. */
#pragma once

#include "base/base.h"

enum err {
#define ERR(name, text) ERR_##name,
#include "base/err.def"
#undef ERR
        ERR_COUNT
};

/* A sentence part in lower case, e.g. "connection refused". */
const char *err_text(enum err err);

/* The nearest of ours for a value of errno. */
enum err err_from_errno(int number);
