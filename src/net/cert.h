/* cert.h -- a certificate with its chain and its key, read from PEM, and what people want to know
 * about it. It says what is wrong with the pair; who may use it, and when, is for others to decide.
 */
#pragma once

#include "base/arena.h"
#include "wire/digest.h"

enum { CERT_NAMES_MAX = 1000, CERT_CHAIN_MAX = 10 };

enum cert_kind { CERT_RSA, CERT_EC, CERT_OTHER };

enum cert_fault {
        CERT_GOOD,
        CERT_NO_CERT,   /* there is no certificate in the text */
        CERT_BAD_CHAIN, /* what follows the first is none, or there are too many */
        CERT_NO_KEY,    /* there is no key in the text */
        CERT_SEALED,    /* the key wants a password */
        CERT_OTHER_KEY, /* it is the key of another certificate */
        CERT_WEAK,      /* too short to protect anything */
};

struct x509_st;
struct evp_pkey_st;

struct cert {
        struct x509_st *leaf;
        struct x509_st *chain[CERT_CHAIN_MAX];
        struct evp_pkey_st *key;
        unsigned chain_count;
        enum cert_kind kind;
        int64_t from, until;     /* seconds since 1970 */
        const struct str *names; /* DNS names of subjectAltName, in lower case; of each form that a
                                    caller may ask for */
        size_t names_count;
        struct digest fingerprint; /* SHA-256 of the certificate */
};

/* Reads both; what OpenSSL holds is freed with the arena. */
must_use enum cert_fault cert_read(struct str pem, struct str key, struct arena *arena,
                                   struct cert **ret_cert);

/* What the fault is, as a sentence part. */
const char *cert_fault_text(enum cert_fault fault);

/* True when a name of a certificate is for that host (lower case): itself, or `*.` and one label
 * less (RFC 9525 6.3). */
bool cert_name_fits(struct str name, struct str host);
bool cert_fits(const struct cert *cert, struct str host);
