/* digest.h -- SHA-256, and SHA-1 for WebSocket's handshake, as pure functions over OpenSSL. */
#pragma once

#include "base/str.h"

enum { DIGEST_SIZE = 32 };

struct digest {
        uint8_t bytes[DIGEST_SIZE];
};

struct digest digest_sha256(struct str s);

/* Proves nothing to anybody any more: only for formats that ask for it. */
struct sha1 {
        uint8_t bytes[20];
};

struct sha1 digest_sha1(struct str s);

/* The first `count` bytes in lower case hexadecimal. */
void digest_write(const struct digest *digest, size_t count, struct text *out);
