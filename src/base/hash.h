/* hash.h -- SipHash, for every table whose keys come from outside. Keyed per process, so nobody can
 * choose colliding keys; stable tables (shared cells) bring their own key. */
#pragma once

#include "base/str.h"

struct hash_key {
        uint64_t k0, k1;
};

struct hash128 {
        uint64_t lo, hi;
};

/* SipHash-1-3 with the key of this process. */
uint64_t hash_str(struct str s);

uint64_t hash_siphash13(const struct hash_key *key, const void *bytes, size_t len);

/* SipHash-2-4 with 128 bits of output. */
struct hash128 hash_siphash24_128(const struct hash_key *key, const void *bytes, size_t len);

/* Mixes a number into a hash already made, for composed keys. Not keyed. */
static inline uint64_t hash_mix(uint64_t hash, uint64_t value)
{
        hash ^= value + 0x9e3779b97f4a7c15u + (hash << 6) + (hash >> 2);
        hash *= 0xff51afd7ed558ccdu;
        return hash ^ (hash >> 32);
}
