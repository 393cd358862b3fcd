/* pki.h -- certificates made on the spot, as PEM, for tests: signed by themselves. */
#pragma once

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/arena.h"
#include "base/check.h"
#include "net/tls.h"

struct pki {
        struct str cert, key;
};

static inline struct str pki_text(struct arena *arena, BIO *bio)
{
        char *at;
        long len = BIO_get_mem_data(bio, &at);
        struct str text = arena_str(arena, str_from(at, (size_t)len));
        BIO_free(bio);
        return text;
}

/* `names` is a value of subjectAltName, "DNS:a.test,DNS:*.b.test"; from and until are seconds since
 * 1970. */
static inline struct pki pki_make(struct arena *arena, const char *names, EVP_PKEY *key,
                                  int64_t from, int64_t until)
{
        X509 *cert = X509_new();
        BIO *cert_text = BIO_new(BIO_s_mem()), *key_text = BIO_new(BIO_s_mem());
        CHECK(key != NULL && X509_set_version(cert, 2) == 1);
        ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
        ASN1_TIME_set(X509_getm_notBefore(cert), from);
        ASN1_TIME_set(X509_getm_notAfter(cert), until);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                                   (const unsigned char *)"cn.test", -1, -1, 0);
        X509_set_issuer_name(cert, X509_get_subject_name(cert));
        X509_set_pubkey(cert, key);
        X509_EXTENSION *alt = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
        if (alt != NULL)
                CHECK(X509_add_ext(cert, alt, -1) == 1);
        X509_EXTENSION_free(alt);
        CHECK(X509_sign(cert, key, EVP_sha256()) > 0);
        CHECK(PEM_write_bio_X509(cert_text, cert) == 1);
        CHECK(PEM_write_bio_PrivateKey(key_text, key, NULL, NULL, 0, NULL, NULL) == 1);
        X509_free(cert);
        EVP_PKEY_free(key);
        return (struct pki){pki_text(arena, cert_text), pki_text(arena, key_text)};
}

static inline struct pki pki_ec(struct arena *arena, const char *names)
{
        return pki_make(arena, names, EVP_EC_gen("P-256"), 0, INT32_MAX);
}

static inline struct pki pki_rsa(struct arena *arena, const char *names)
{
        return pki_make(arena, names, EVP_RSA_gen(2048), 0, INT32_MAX);
}

/* A set of these pairs, with tickets if there is a ring. */
static inline struct tls_set *pki_set(const struct pki *pairs, size_t count, enum tls_version least,
                                      struct ticket_ring *ring)
{
        struct arena arena;
        size_t bad;
        arena_init(&arena, NULL, 1 << 24);
        struct tls_pair *all = arena_array(&arena, struct tls_pair, count);
        for (size_t i = 0; i < count; i++) {
                all[i].least = least;
                CHECK(cert_read(pairs[i].cert, pairs[i].key, &arena, &all[i].cert) == CERT_GOOD);
        }
        const struct tls_terms terms = {.name = S("main"),
                                        .alpn = S("\x08http/1.1"),
                                        .tickets = ring,
                                        .pairs = all,
                                        .pairs_count = count};
        struct tls_set *set = tls_set_make(&arena, &terms, &bad);
        CHECK(set != NULL);
        return set;
}
