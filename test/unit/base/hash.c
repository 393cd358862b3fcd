/* hash.c -- SipHash against the vectors published with it and against OpenSSL's, for all lengths.
 */
#include "base/hash.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "../unit.h"
#include "base/rand.h"

/* Key 00 01 … 0f and input 00 01 …, as in the authors' vectors. */
static const uint8_t key_bytes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static struct hash_key key_of(const uint8_t bytes[16])
{
        struct hash_key key;
        memcpy(&key, bytes, 16);
        return key;
}

static void the_published_vectors_of_24_128_hold(void **state)
{
        (void)state;
        static const uint8_t vectors[][16] = {
                {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55,
                 0x02, 0x93},
                {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22,
                 0xfc, 0x45},
                {0x81, 0x77, 0x22, 0x8d, 0xa4, 0xa4, 0x5d, 0xc7, 0xfc, 0xa3, 0x8b, 0xde, 0xf6, 0x0a,
                 0xff, 0xe4},
                {0x9c, 0x70, 0xb6, 0x0c, 0x52, 0x67, 0xa9, 0x4e, 0x5f, 0x33, 0xb6, 0xb0, 0x29, 0x85,
                 0xed, 0x51},
                {0xf8, 0x81, 0x64, 0xc1, 0x2d, 0x9c, 0x8f, 0xaf, 0x7d, 0x0f, 0x6e, 0x7c, 0x7b, 0xcd,
                 0x55, 0x79},
        };
        struct hash_key key = key_of(key_bytes);
        for (size_t len = 0; len < countof(vectors); len++) {
                struct hash128 hash = hash_siphash24_128(&key, key_bytes, len);
                assert_memory_equal(&hash, vectors[len], 16);
        }
}

static void the_known_values_of_13_hold(void **state)
{
        (void)state;
        struct hash_key key = key_of(key_bytes);
        assert_int_equal(hash_siphash13(&key, "", 0), 0xabac0158050fc4dc);
        assert_int_equal(hash_siphash13(&key, key_bytes, 3), 0x8bf80ab8e7ddf7fb);
}

/* SipHash-c-d of OpenSSL with `size` bytes of output. */
static void oracle(const uint8_t key[16], unsigned rounds[2], struct str text, uint8_t *out,
                   size_t size)
{
        OSSL_PARAM params[] = {
                OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_C_ROUNDS, &rounds[0]),
                OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_D_ROUNDS, &rounds[1]),
                OSSL_PARAM_construct_end(),
        };
        EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
        EVP_MAC_CTX *run = EVP_MAC_CTX_new(mac);
        size_t written;
        assert_int_equal(EVP_MAC_init(run, key, 16, params), 1);
        assert_int_equal(EVP_MAC_update(run, (const unsigned char *)text.ptr, text.len), 1);
        assert_int_equal(EVP_MAC_final(run, out, &written, size), 1);
        assert_int_equal(written, size);
        EVP_MAC_CTX_free(run);
        EVP_MAC_free(mac);
}

static void both_agree_with_openssl_at_all_lengths(void **state)
{
        (void)state;
        uint8_t bytes[200], secret[16], expected[16];
        rand_bytes(bytes, sizeof bytes);
        for (size_t len = 0; len <= sizeof bytes; len++) {
                struct str text = str_from((const char *)bytes, len);
                rand_bytes(secret, sizeof secret);
                struct hash_key key = key_of(secret);
                oracle(secret, (unsigned[]){1, 3}, text, expected, 8);
                uint64_t short_hash = hash_siphash13(&key, bytes, len);
                assert_memory_equal(&short_hash, expected, 8);
                oracle(secret, (unsigned[]){2, 4}, text, expected, 16);
                struct hash128 long_hash = hash_siphash24_128(&key, bytes, len);
                assert_memory_equal(&long_hash, expected, 16);
        }
}

static void the_process_has_one_key_of_its_own(void **state)
{
        (void)state;
        struct hash_key zero = {0};
        assert_int_equal(hash_str(S("gate")), hash_str(S("gate")));
        assert_int_not_equal(hash_str(S("gate")), hash_str(S("gats")));
        assert_int_not_equal(hash_str(S("gate")), hash_siphash13(&zero, "gate", 4));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_published_vectors_of_24_128_hold),
                cmocka_unit_test(the_known_values_of_13_hold),
                cmocka_unit_test(both_agree_with_openssl_at_all_lengths),
                cmocka_unit_test(the_process_has_one_key_of_its_own),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
