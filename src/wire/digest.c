/* digest.c -- digests by OpenSSL's EVP; it fails only when OpenSSL is not there at all. */
#include "wire/digest.h"

#include <openssl/evp.h>

#include "base/check.h"

struct digest digest_sha256(struct str s)
{
        struct digest digest;
        unsigned len = 0;
        int ok = EVP_Digest(s.ptr == NULL ? "" : s.ptr, s.len, digest.bytes, &len, EVP_sha256(),
                            NULL);
        CHECK(ok == 1 && len == DIGEST_SIZE);
        return digest;
}

struct sha1 digest_sha1(struct str s)
{
        struct sha1 digest;
        unsigned len = 0;
        int ok = EVP_Digest(s.ptr == NULL ? "" : s.ptr, s.len, digest.bytes, &len, EVP_sha1(),
                            NULL);
        CHECK(ok == 1 && len == sizeof digest.bytes);
        return digest;
}

void digest_write(const struct digest *digest, size_t count, struct text *out)
{
        for (size_t i = 0; i < count && i < DIGEST_SIZE; i++)
                text_hex(out, digest->bytes[i], 2);
}
