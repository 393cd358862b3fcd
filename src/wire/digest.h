/* digest.h -- SHA-256, as a pure function over OpenSSL. */
#pragma once

#include "base/str.h"

enum { DIGEST_SIZE = 32 };

struct digest {
        uint8_t bytes[DIGEST_SIZE];
};

struct digest digest_sha256(struct str s);

/* The first `count` bytes in lower case hexadecimal. */
void digest_write(const struct digest *digest, size_t count, struct text *out);
