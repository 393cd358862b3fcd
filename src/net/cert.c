/* cert.c -- PEM to certificate and key, by OpenSSL. The common name is never looked at (RFC 9525
 * 6.3), nor is a name that no caller can ask for. */
#include "net/cert.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { SECURITY_BITS = 112 /* RSA of 2048 bits */, DAY_SECONDS = 86400 };

static void free_cert(void *arg)
{
        struct cert *cert = arg;
        X509_free(cert->leaf);
        for (unsigned i = 0; i < cert->chain_count; i++)
                X509_free(cert->chain[i]);
        EVP_PKEY_free(cert->key);
}

/* Nobody is there to be asked for a password: that one is wanted is all there is to know. */
static int no_password(char *to, int size, int is_writing, void *asked)
{
        (void)to, (void)size, (void)is_writing;
        *(bool *)asked = true;
        return -1;
}

static enum cert_fault read_chain(struct cert *cert, struct str pem)
{
        bool asked = false;
        BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
        enum cert_fault fault = CERT_GOOD;
        if (bio == NULL)
                return CERT_NO_CERT;
        cert->leaf = PEM_read_bio_X509_AUX(bio, NULL, no_password, &asked);
        if (cert->leaf == NULL)
                fault = CERT_NO_CERT;
        while (fault == CERT_GOOD) {
                X509 *next = PEM_read_bio_X509(bio, NULL, no_password, &asked);
                unsigned long error = ERR_peek_last_error();
                if (next == NULL) {
                        if (ERR_GET_REASON(error) != PEM_R_NO_START_LINE)
                                fault = CERT_BAD_CHAIN;
                        break;
                }
                if (cert->chain_count == CERT_CHAIN_MAX) {
                        X509_free(next);
                        fault = CERT_BAD_CHAIN;
                        break;
                }
                cert->chain[cert->chain_count++] = next;
        }
        BIO_free(bio);
        ERR_clear_error();
        return fault;
}

static enum cert_fault read_key(struct cert *cert, struct str pem)
{
        bool is_sealed = false;
        BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
        if (bio == NULL)
                return CERT_NO_KEY;
        cert->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, &is_sealed);
        BIO_free(bio);
        ERR_clear_error();
        if (cert->key == NULL)
                return is_sealed ? CERT_SEALED : CERT_NO_KEY;
        return CERT_GOOD;
}

static enum cert_fault match(struct cert *cert)
{
        EVP_PKEY *public = X509_get0_pubkey(cert->leaf);
        bool is_match = public != NULL && EVP_PKEY_eq(public, cert->key) == 1;
        ERR_clear_error();
        if (!is_match)
                return CERT_OTHER_KEY;
        if (EVP_PKEY_get_security_bits(cert->key) < SECURITY_BITS)
                return CERT_WEAK;
        int kind = EVP_PKEY_get_base_id(cert->key);
        cert->kind = kind == EVP_PKEY_RSA ? CERT_RSA : kind == EVP_PKEY_EC ? CERT_EC : CERT_OTHER;
        return CERT_GOOD;
}

/* Seconds since 1970 of a time in a certificate. */
static int64_t seconds_of(const ASN1_TIME *time)
{
        int days = 0, seconds = 0;
        ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
        if (epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, time) != 1)
                days = seconds = 0; /* unreadable: long over */
        ASN1_TIME_free(epoch);
        ERR_clear_error();
        return (int64_t)days * DAY_SECONDS + seconds;
}

/* A name that may be asked for: labels of letters, digits, `-` and `_`, the first of which may be
 * `*` when at least two follow. A NUL inside makes it none. */
static bool is_usable(struct str name)
{
        struct str rest = name;
        unsigned labels = 0;
        bool is_wild = str_starts(name, S("*."));
        if (is_wild)
                rest = str_skip(rest, 2);
        while (rest.ptr != NULL) {
                struct str label = str_cut(&rest, '.');
                if (label.len == 0 || label.len > 63)
                        return false;
                for (size_t i = 0; i < label.len; i++) {
                        char c = label.ptr[i];
                        if (!((c >= 'a' && c <= 'z') || char_is_digit(c) || c == '-' || c == '_'))
                                return false;
                }
                labels++;
        }
        return name.len <= 253 && labels >= (is_wild ? 2 : 1);
}

static void read_names(struct cert *cert, struct arena *arena)
{
        GENERAL_NAMES *all = X509_get_ext_d2i(cert->leaf, NID_subject_alt_name, NULL, NULL);
        int count = all == NULL ? 0 : sk_GENERAL_NAME_num(all);
        struct str *names = arena_array(arena, struct str, CERT_NAMES_MAX);
        for (int i = 0; i < count && cert->names_count < CERT_NAMES_MAX; i++) {
                const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
                if (name->type != GEN_DNS)
                        continue;
                size_t len = (size_t)ASN1_STRING_length(name->d.dNSName);
                const char *from = (const char *)ASN1_STRING_get0_data(name->d.dNSName);
                char *lower = arena_alloc(arena, len + 1);
                for (size_t k = 0; k < len; k++)
                        lower[k] = char_lower(from[k]);
                if (is_usable(str_from(lower, len)))
                        names[cert->names_count++] = str_from(lower, len);
        }
        cert->names = names;
        GENERAL_NAMES_free(all);
        ERR_clear_error();
}

static void read_facts(struct cert *cert, struct arena *arena)
{
        unsigned len = DIGEST_SIZE;
        cert->from = seconds_of(X509_get0_notBefore(cert->leaf));
        cert->until = seconds_of(X509_get0_notAfter(cert->leaf));
        if (X509_digest(cert->leaf, EVP_sha256(), cert->fingerprint.bytes, &len) != 1)
                ERR_clear_error();
        read_names(cert, arena);
}

enum cert_fault cert_read(struct str pem, struct str key, struct arena *arena,
                          struct cert **ret_cert)
{
        struct cert *cert = arena_new(arena, struct cert);
        arena_defer(arena, free_cert, cert);
        ERR_clear_error();
        enum cert_fault fault = read_chain(cert, pem);
        if (fault == CERT_GOOD)
                fault = read_key(cert, key);
        if (fault == CERT_GOOD)
                fault = match(cert);
        if (fault != CERT_GOOD)
                return fault;
        read_facts(cert, arena);
        *ret_cert = cert;
        return CERT_GOOD;
}

const char *cert_fault_text(enum cert_fault fault)
{
        static const char *const texts[] = {
                [CERT_GOOD] = "nothing is wrong",
                [CERT_NO_CERT] = "there is no certificate in PEM in it",
                [CERT_BAD_CHAIN] = "what follows its first certificate cannot be read",
                [CERT_NO_KEY] = "there is no private key in PEM in it",
                [CERT_SEALED] = "the key is locked with a password",
                [CERT_OTHER_KEY] = "this is not the key of the certificate",
                [CERT_WEAK] = "the key is too short: less than 2048 bits of RSA or 224 of a curve",
        };
        return texts[fault];
}

bool cert_name_fits(struct str name, struct str host)
{
        if (!str_starts(name, S("*.")))
                return str_eq(name, host);
        ptrdiff_t dot = str_find(host, '.');
        return dot > 0 && str_eq(str_skip(name, 1), str_skip(host, (size_t)dot));
}

bool cert_fits(const struct cert *cert, struct str host)
{
        for (size_t i = 0; i < cert->names_count; i++) {
                if (cert_name_fits(cert->names[i], host))
                        return true;
        }
        return false;
}
