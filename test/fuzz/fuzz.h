/* fuzz.h -- what every fuzz target shares: the entry, and input in memory of exactly its own size.
 */
#pragma once

#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy that ends where its memory ends, so that a look behind it is seen. */
static inline struct str fuzz_copy(struct str s)
{
        char *copy = malloc(size_max(s.len, 1));
        CHECK(copy != NULL);
        if (s.len > 0)
                memcpy(copy, s.ptr, s.len);
        return str_from(copy, s.len);
}

static inline void fuzz_free(struct str s)
{
        free((void *)(uintptr_t)s.ptr);
}

static inline struct str fuzz_input(const uint8_t *data, size_t size)
{
        return str_from((const char *)data, size);
}
