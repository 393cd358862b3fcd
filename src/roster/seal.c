/* seal.c -- HMAC-SHA-256 with both pads worked out beforehand: two runs of SHA-256 over a short
 * text and nothing else. OpenSSL's plain SHA-256 is used for it, because its newer interface costs
 * several times the hash itself (doc: design, performance.md 2.6). */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "roster/seal.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/check.h"

enum {
        FIND_SIZE = 16,
        MAC_KEY_SIZE = SEAL_SECRET_SIZE - FIND_SIZE,
        BLOCK = 64,
        SHORT_MAX = BLOCK - 9
};

static_assert(sizeof(SHA256_CTX) == sizeof(((struct seal_secret *)0)->inner),
              "the state of SHA-256 fits");
static_assert(SEAL_MAC_SIZE == SHA256_DIGEST_LENGTH, "the seal holds a whole digest");

/* SHA-256 after the key, padded with `pad`. RFC 2104 2. */
static void start(uint32_t *ret_state, const uint8_t *key, uint8_t pad)
{
        uint8_t block[BLOCK];
        SHA256_CTX sha;
        memset(block, pad, sizeof block);
        for (int i = 0; i < MAC_KEY_SIZE; i++)
                block[i] ^= key[i];
        CHECK(SHA256_Init(&sha) == 1 && SHA256_Update(&sha, block, sizeof block) == 1);
        memcpy(ret_state, &sha, sizeof sha);
        OPENSSL_cleanse(block, sizeof block);
        OPENSSL_cleanse(&sha, sizeof sha);
}

void seal_secret_init(struct seal_secret *secret, const uint8_t bytes[SEAL_SECRET_SIZE])
{
        memcpy(&secret->find, bytes, sizeof secret->find);
        start(secret->inner, bytes + FIND_SIZE, 0x36);
        start(secret->outer, bytes + FIND_SIZE, 0x5c);
}

void seal_secret_fini(struct seal_secret *secret)
{
        OPENSSL_cleanse(secret, sizeof *secret);
}

struct hash128 seal_tag(const struct seal_secret *secret, struct str key)
{
        return hash_siphash24_128(&secret->find, key.ptr, key.len);
}

/* What is short, and that is every digest and almost every key, is one block with the end of the
 * message in it (FIPS 180-4 5.1.1): it needs none of the buffering, which costs a tenth. */
static void finish_short(SHA256_CTX *sha, const void *bytes, size_t len, uint8_t *ret_digest)
{
        uint8_t block[BLOCK] = {0};
        uint64_t bits = (BLOCK + len) * 8;
        memcpy(block, bytes, len);
        block[len] = 0x80;
        for (int i = 0; i < 8; i++)
                block[BLOCK - 1 - i] = (uint8_t)(bits >> (8 * i));
        SHA256_Transform(sha, block);
        for (int i = 0; i < 8; i++) {
                for (int k = 0; k < 4; k++)
                        ret_digest[i * 4 + k] = (uint8_t)(sha->h[i] >> (24 - 8 * k));
        }
}

static void finish(const uint32_t *state, const void *bytes, size_t len, uint8_t *ret_digest)
{
        SHA256_CTX sha;
        memcpy(&sha, state, sizeof sha);
        if (len <= SHORT_MAX) {
                finish_short(&sha, bytes, len, ret_digest);
                return;
        }
        CHECK(SHA256_Update(&sha, bytes, len) == 1 && SHA256_Final(ret_digest, &sha) == 1);
}

void seal_mac(const struct seal_secret *secret, struct str key, uint8_t ret_mac[SEAL_MAC_SIZE])
{
        uint8_t digest[SEAL_MAC_SIZE];
        finish(secret->inner, key.ptr, key.len, digest);
        finish(secret->outer, digest, sizeof digest, ret_mac);
}

struct seal seal_make(const struct seal_secret *secret, struct str key)
{
        struct seal seal = {.tag = seal_tag(secret, key)};
        seal_mac(secret, key, seal.mac);
        return seal;
}

bool seal_fits(const struct seal_secret *secret, const struct seal *seal, struct str key)
{
        struct seal other = seal_make(secret, key);
        int differs = CRYPTO_memcmp(&other.tag, &seal->tag, sizeof other.tag);
        differs |= CRYPTO_memcmp(other.mac, seal->mac, sizeof other.mac);
        return differs == 0;
}
