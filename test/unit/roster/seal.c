/* seal.c -- what roster/seal.h promises; OpenSSL's own HMAC is the judge. */
#include "roster/seal.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "../unit.h"
#include "base/rand.h"

static void a_seal_is_an_hmac_under_the_second_part_of_the_secret(void **state)
{
        uint8_t bytes[SEAL_SECRET_SIZE], wanted[EVP_MAX_MD_SIZE], mac[SEAL_MAC_SIZE];
        char key[300];
        struct seal_secret secret;
        (void)state;
        for (size_t len = 0; len <= sizeof key; len++) {
                unsigned size = 0;
                rand_bytes(bytes, sizeof bytes);
                rand_bytes(key, sizeof key);
                seal_secret_init(&secret, bytes);
                seal_mac(&secret, str_from(key, len), mac);
                assert_non_null(HMAC(EVP_sha256(), bytes + 16, 32, (const uint8_t *)key, len,
                                     wanted, &size));
                assert_int_equal(size, sizeof mac);
                assert_memory_equal(mac, wanted, sizeof mac);
        }
        seal_secret_fini(&secret);
        for (size_t i = 0; i < sizeof secret; i++)
                assert_int_equal(((uint8_t *)&secret)[i], 0);
}

static void only_the_key_that_was_sealed_fits(void **state)
{
        uint8_t bytes[SEAL_SECRET_SIZE];
        struct seal_secret secret, other;
        (void)state;
        rand_bytes(bytes, sizeof bytes);
        seal_secret_init(&secret, bytes);
        bytes[20] ^= 1;
        seal_secret_init(&other, bytes);
        struct seal seal = seal_make(&secret, S("gate_test_something"));
        assert_true(seal_fits(&secret, &seal, S("gate_test_something")));
        assert_false(seal_fits(&secret, &seal, S("gate_test_something ")));
        assert_false(seal_fits(&secret, &seal, S("Gate_test_something")));
        assert_false(seal_fits(&secret, &seal, S("gate_test_somethinG")));
        assert_false(seal_fits(&secret, &seal, S("")));
        assert_false(seal_fits(&other, &seal, S("gate_test_something")));
        seal.mac[31] ^= 1;
        assert_false(seal_fits(&secret, &seal, S("gate_test_something")));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_seal_is_an_hmac_under_the_second_part_of_the_secret),
                cmocka_unit_test(only_the_key_that_was_sealed_fits),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
