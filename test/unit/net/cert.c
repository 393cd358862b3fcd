/* cert.c -- what is wrong with a pair is said; names are taken from one place only. */
#include "net/cert.h"

#include "../unit.h"
#include "pki.h"

static struct arena arena;

static int begin(void **state)
{
        (void)state;
        arena_init(&arena, NULL, 1 << 24);
        return 0;
}

static int end(void **state)
{
        (void)state;
        arena_fini(&arena);
        return 0;
}

static enum cert_fault fault_of(struct str cert, struct str key)
{
        struct cert *ret;
        return cert_read(cert, key, &arena, &ret);
}

static struct cert *read_good(struct pki pki)
{
        struct cert *cert = NULL;
        assert_int_equal(cert_read(pki.cert, pki.key, &arena, &cert), CERT_GOOD);
        return cert;
}

static void a_pair_is_read_with_its_facts(void **state)
{
        (void)state;
        struct cert *cert = read_good(
                pki_make(&arena, "DNS:A.Test,DNS:*.b.test", EVP_EC_gen("P-256"), 1000, 5000000000));
        assert_int_equal(cert->kind, CERT_EC);
        assert_int_equal(cert->from, 1000);
        assert_int_equal(cert->until, 5000000000);
        assert_int_equal(cert->names_count, 2);
        assert_str(cert->names[0], "a.test");
        assert_str(cert->names[1], "*.b.test");
        assert_int_equal(read_good(pki_rsa(&arena, "DNS:a.test"))->kind, CERT_RSA);
}

static void a_chain_is_kept_in_its_order(void **state)
{
        (void)state;
        struct pki a = pki_ec(&arena, "DNS:a.test"), b = pki_ec(&arena, "DNS:b.test");
        struct pki both = {arena_format(&arena, STR_FMT STR_FMT, STR_ARG(a.cert), STR_ARG(b.cert)),
                           a.key};
        struct cert *cert = read_good(both);
        assert_int_equal(cert->chain_count, 1);
        assert_str(cert->names[0], "a.test");
        struct text long_chain = text_grow(&arena, 1 << 20);
        for (int i = 0; i < CERT_CHAIN_MAX + 2; i++)
                text_put(&long_chain, a.cert);
        assert_int_equal(fault_of(text_str(&long_chain), a.key), CERT_BAD_CHAIN);
}

static void what_is_wrong_with_a_pair_is_said(void **state)
{
        (void)state;
        struct pki a = pki_ec(&arena, "DNS:a.test"), b = pki_ec(&arena, "DNS:a.test");
        struct pki rsa = pki_rsa(&arena, "DNS:a.test");
        struct pki weak = pki_make(&arena, "DNS:a.test", EVP_RSA_gen(1024), 0, INT32_MAX);
        assert_int_equal(fault_of(a.key, a.key), CERT_NO_CERT);
        assert_int_equal(fault_of(S("nonsense"), a.key), CERT_NO_CERT);
        assert_int_equal(fault_of(STR_NONE, STR_NONE), CERT_NO_CERT);
        assert_int_equal(fault_of(str_first(a.cert, a.cert.len / 2), a.key), CERT_NO_CERT);
        assert_int_equal(fault_of(a.cert, a.cert), CERT_NO_KEY);
        assert_int_equal(fault_of(a.cert, str_first(a.key, a.key.len / 2)), CERT_NO_KEY);
        assert_int_equal(fault_of(a.cert, b.key), CERT_OTHER_KEY);
        assert_int_equal(fault_of(a.cert, rsa.key), CERT_OTHER_KEY);
        assert_int_equal(fault_of(weak.cert, weak.key), CERT_WEAK);
        struct str torn = arena_format(&arena, STR_FMT STR_FMT, STR_ARG(a.cert),
                                       STR_ARG(str_first(b.cert, b.cert.len / 2)));
        assert_int_equal(fault_of(torn, a.key), CERT_BAD_CHAIN);
}

static void a_locked_key_is_told_from_a_broken_one(void **state)
{
        (void)state;
        EVP_PKEY *key = EVP_EC_gen("P-256");
        BIO *bio = BIO_new(BIO_s_mem());
        char word[] = "secret";
        assert_int_equal(PEM_write_bio_PrivateKey(bio, key, EVP_aes_128_cbc(), NULL, 0, NULL, word),
                         1);
        struct str locked = pki_text(&arena, bio);
        struct pki pki = pki_make(&arena, "DNS:a.test", key, 0, INT32_MAX);
        assert_int_equal(fault_of(pki.cert, locked), CERT_SEALED);
}

static void names_that_nobody_can_ask_for_are_passed_over(void **state)
{
        (void)state;
        struct cert *cert = read_good(pki_ec(
                &arena, "DNS:*,DNS:*.*.test,DNS:a..test,DNS:*.test,DNS:.test,DNS:a.*.test,IP:1.2.3."
                        "4,email:a@b.test,DNS:good.test,DNS:a b.test"));
        assert_int_equal(cert->names_count, 1);
        assert_str(cert->names[0], "good.test");
        assert_int_equal(read_good(pki_ec(&arena, ""))->names_count, 0); /* not cn.test */
}

static void a_name_with_nul_inside_is_none(void **state)
{
        (void)state;
        /* dNSName of 16 bytes: "good.test" NUL "evil.t" */
        struct cert *cert = read_good(
                pki_make(&arena, "DER:30:12:82:10:67:6f:6f:64:2e:74:65:73:74:00:65:76:69:6c:2e:74",
                         EVP_EC_gen("P-256"), 0, INT32_MAX));
        assert_int_equal(cert->names_count, 0);
}

static void a_wildcard_is_for_one_label(void **state)
{
        (void)state;
        assert_true(cert_name_fits(S("a.test"), S("a.test")));
        assert_false(cert_name_fits(S("a.test"), S("b.a.test")));
        assert_true(cert_name_fits(S("*.a.test"), S("b.a.test")));
        assert_false(cert_name_fits(S("*.a.test"), S("a.test")));
        assert_false(cert_name_fits(S("*.a.test"), S("c.b.a.test")));
        assert_false(cert_name_fits(S("*.a.test"), S(".a.test")));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_pair_is_read_with_its_facts, begin, end),
                cmocka_unit_test_setup_teardown(a_chain_is_kept_in_its_order, begin, end),
                cmocka_unit_test_setup_teardown(what_is_wrong_with_a_pair_is_said, begin, end),
                cmocka_unit_test_setup_teardown(a_locked_key_is_told_from_a_broken_one, begin, end),
                cmocka_unit_test_setup_teardown(names_that_nobody_can_ask_for_are_passed_over,
                                                begin, end),
                cmocka_unit_test_setup_teardown(a_name_with_nul_inside_is_none, begin, end),
                cmocka_unit_test(a_wildcard_is_for_one_label),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
