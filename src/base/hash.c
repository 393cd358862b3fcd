/* hash.c -- SipHash after J.-P. Aumasson and D. J. Bernstein, written from the paper. */
#include "base/hash.h"

#include <pthread.h>

#include "base/rand.h"

struct sip {
        uint64_t v0, v1, v2, v3;
};

static always_inline void sip_round(struct sip *s)
{
        s->v0 += s->v1;
        s->v1 = rotl64(s->v1, 13) ^ s->v0;
        s->v0 = rotl64(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotl64(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotl64(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotl64(s->v1, 17) ^ s->v2;
        s->v2 = rotl64(s->v2, 32);
}

static always_inline void sip_rounds(struct sip *s, int count)
{
        for (int i = 0; i < count; i++)
                sip_round(s);
}

static always_inline struct sip sip_begin(const struct hash_key *key)
{
        return (struct sip){key->k0 ^ 0x736f6d6570736575u, key->k1 ^ 0x646f72616e646f6du,
                            key->k0 ^ 0x6c7967656e657261u, key->k1 ^ 0x7465646279746573u};
}

static always_inline void sip_take(struct sip *s, const void *bytes, size_t len, int rounds)
{
        const uint8_t *p = bytes;
        uint64_t word;
        size_t left = len;
        for (; left >= 8; left -= 8, p += 8) {
                memcpy(&word, p, 8);
                s->v3 ^= word;
                sip_rounds(s, rounds);
                s->v0 ^= word;
        }
        word = (uint64_t)len << 56;
        for (size_t i = 0; i < left; i++)
                word |= (uint64_t)p[i] << (8 * i);
        s->v3 ^= word;
        sip_rounds(s, rounds);
        s->v0 ^= word;
}

uint64_t hash_siphash13(const struct hash_key *key, const void *bytes, size_t len)
{
        struct sip s = sip_begin(key);
        sip_take(&s, bytes, len, 1);
        s.v2 ^= 0xff;
        sip_rounds(&s, 3);
        return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

struct hash128 hash_siphash24_128(const struct hash_key *key, const void *bytes, size_t len)
{
        struct sip s = sip_begin(key);
        struct hash128 hash;
        s.v1 ^= 0xee;
        sip_take(&s, bytes, len, 2);
        s.v2 ^= 0xee;
        sip_rounds(&s, 4);
        hash.lo = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
        s.v1 ^= 0xdd;
        sip_rounds(&s, 4);
        hash.hi = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
        return hash;
}

static struct hash_key process_key;

static void make_process_key(void)
{
        rand_bytes(&process_key, sizeof process_key);
}

uint64_t hash_str(struct str s)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        pthread_once(&once, make_process_key);
        return hash_siphash13(&process_key, s.ptr, s.len);
}
