/* seal.h -- what is kept of an API key: a 128-bit SipHash to find it by and an HMAC-SHA-256 to
 * compare, both keyed by one secret of the installation. The key itself is nowhere. Pure functions.
 */
#pragma once

#include "base/hash.h"
#include "base/str.h"

enum { SEAL_SECRET_SIZE = 48, SEAL_MAC_SIZE = 32 };

/* The secret, ready for use: the SipHash key, and SHA-256 after the inner and the outer pad. */
struct seal_secret {
        struct hash_key find;
        uint32_t inner[28], outer[28]; /* SHA256_CTX */
};

struct seal {
        struct hash128 tag;
        uint8_t mac[SEAL_MAC_SIZE];
};

/* Derives everything from SEAL_SECRET_SIZE random bytes that the installation keeps. */
void seal_secret_init(struct seal_secret *secret, const uint8_t bytes[SEAL_SECRET_SIZE]);
void seal_secret_fini(struct seal_secret *secret); /* overwrites it */

struct hash128 seal_tag(const struct seal_secret *secret, struct str key);
void seal_mac(const struct seal_secret *secret, struct str key, uint8_t ret_mac[SEAL_MAC_SIZE]);
struct seal seal_make(const struct seal_secret *secret, struct str key);

/* True when key is the one that was sealed; the time says nothing about where they differ. */
bool seal_fits(const struct seal_secret *secret, const struct seal *seal, struct str key);
