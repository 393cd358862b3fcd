/* tls.c -- what sessions are made of, one for each face, all of a listener with the same terms. The
 * first one begins every session; the name in the caller's hello may put another in its place,
 * before the session is looked for that a ticket holds, so that the ticket of one face opens no
 * other. */
#include "net/tls.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdatomic.h>

#include "base/check.h"
#include "base/map.h"
#include "base/rand.h"
#include "wire/sni.h"

enum { TICKETS_PER_HANDSHAKE = 1, IV_SIZE = 16, CERT_KINDS = 3 };

/* How long a caller may come back without a full handshake; its key must be there that long. */
#define RESUME_SECONDS ((long)(2 * TICKET_SPAN_NS / 1000000000ull))

/* With forward secrecy and authenticated encryption only; those of 1.3 are all like that. */
static const char ciphers_1_2[] =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
        "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char ciphers_1_3[] =
        "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char groups[] = "X25519:P-256:P-384";

struct tls_face {
        SSL_CTX *model;
        const struct cert *first; /* whose names are those of the face */
        enum tls_version least;
        bool has_kind[CERT_KINDS];
};

struct tls_set {
        struct arena arena;
        atomic_uint holds;
        const struct tls_terms *terms;
        struct tls_face *faces;
        size_t faces_count;
        struct map exact, wild; /* faces by name; wild ones by what follows the `*` */
        EVP_CIPHER *cipher;     /* of tickets */
};

static struct tls_party *party_of(SSL *ssl)
{
        return SSL_get_app_data(ssl);
}

/* ---- during a handshake ---- */

const struct tls_face *tls_set_face(const struct tls_set *set, struct str host)
{
        const struct tls_face *face = map_get(&set->exact, host);
        ptrdiff_t dot = str_find(host, '.');
        if (face == NULL && dot > 0)
                face = map_get(&set->wild, str_skip(host, (size_t)dot));
        return face == NULL ? &set->faces[0] : face;
}

bool tls_set_may(const struct tls_set *set, const struct tls_face *shown, struct str host)
{
        return set->faces_count == 1 || tls_set_face(set, host) == shown;
}

static int on_hello(SSL *ssl, int *alert, void *arg)
{
        struct tls_party *party = party_of(ssl);
        const struct tls_set *set = party->set;
        const unsigned char *content;
        char memory[SNI_NAME_MAX];
        struct str name = STR_NONE;
        size_t len;
        (void)arg;
        if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &content, &len) == 1 &&
            sni_read(str_from((const char *)content, len), memory, &name) != ERR_ok)
                name = STR_NONE; /* what is malformed is refused by OpenSSL a moment later */
        party->face = tls_set_face(set, name);
        if (party->face != &set->faces[0] && SSL_set_SSL_CTX(ssl, party->face->model) == NULL) {
                *alert = SSL_AD_INTERNAL_ERROR;
                return SSL_CLIENT_HELLO_ERROR;
        }
        if (party->face->least == TLS_1_3)
                SSL_set_min_proto_version(ssl, TLS1_3_VERSION);
        return SSL_CLIENT_HELLO_SUCCESS;
}

/* tidy: many, because OpenSSL calls it so. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *arg)
{
        const struct tls_terms *terms = arg;
        unsigned char *chosen;
        (void)ssl;
        /* RFC 7301 3.2: whoever names protocols gets one of them, or a refusal. */
        if (SSL_select_next_proto(&chosen, out_len, (const unsigned char *)terms->alpn.ptr,
                                  (unsigned)terms->alpn.len, in, in_len) != OPENSSL_NPN_NEGOTIATED)
                return SSL_TLSEXT_ERR_ALERT_FATAL;
        *out = chosen;
        return SSL_TLSEXT_ERR_OK;
}

static bool key_mac(EVP_MAC_CTX *mac, struct ticket_key *key)
{
        char hash[] = "SHA256";
        OSSL_PARAM params[] = {
                OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
                OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash, 0),
                OSSL_PARAM_construct_end(),
        };
        return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* What OpenSSL asks of us: 0 is "there is no such key", or "no ticket". */
enum { TICKET_NONE = 0, TICKET_GOOD = 1, TICKET_RENEW = 2 };

static int seal_ticket(const struct tls_party *party, unsigned char *name, unsigned char *iv,
                       EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
        const struct tls_set *set = party->set;
        struct ticket_key key;
        if (ticket_now(set->terms->tickets, loop_wall(party->loop), &key) != ERR_ok)
                return TICKET_NONE;
        memcpy(name, key.name, TICKET_NAME);
        rand_bytes(iv, IV_SIZE);
        bool is_good = EVP_EncryptInit_ex2(cipher, set->cipher, key.cipher, iv, NULL) == 1 &&
                       key_mac(mac, &key);
        str_wipe(str_from((char *)&key, sizeof key));
        return is_good ? TICKET_GOOD : TICKET_NONE;
}

static int open_ticket(const struct tls_party *party, const unsigned char *name, unsigned char *iv,
                       EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
        const struct tls_set *set = party->set;
        struct ticket_key key;
        bool is_old;
        if (ticket_find(set->terms->tickets, loop_wall(party->loop), name, &key, &is_old) != ERR_ok)
                return TICKET_NONE;
        bool is_good = EVP_DecryptInit_ex2(cipher, set->cipher, key.cipher, iv, NULL) == 1 &&
                       key_mac(mac, &key);
        str_wipe(str_from((char *)&key, sizeof key));
        if (!is_good)
                return TICKET_NONE;
        return is_old ? TICKET_RENEW : TICKET_GOOD;
}

/* tidy: many, because OpenSSL calls it so. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int is_sealing)
{
        return is_sealing ? seal_ticket(party_of(ssl), name, iv, cipher, mac)
                          : open_ticket(party_of(ssl), name, iv, cipher, mac);
}

struct ssl_st *tls_session(struct tls_party *party)
{
        SSL *ssl = SSL_new(party->set->faces[0].model);
        party->face = &party->set->faces[0];
        if (ssl != NULL)
                SSL_set_app_data(ssl, party);
        else
                ERR_clear_error();
        return ssl;
}

/* ---- making ---- */

/* Tickets are told apart by this: the listener, the names, the least version. */
static bool mark(const struct tls_terms *terms, const struct tls_face *face)
{
        struct arena scratch;
        arena_init(&scratch, NULL, 1 << 20);
        struct text text = text_grow(&scratch, 1 << 20);
        text_put(&text, terms->name);
        text_format(&text, " %d", (int)face->least);
        for (size_t i = 0; i < face->first->names_count; i++)
                text_format(&text, " " STR_FMT, STR_ARG(face->first->names[i]));
        struct digest digest = digest_sha256(text_str(&text));
        arena_fini(&scratch);
        return SSL_CTX_set_session_id_context(face->model, digest.bytes, DIGEST_SIZE) == 1;
}

static void settle_tickets(const struct tls_terms *terms, SSL_CTX *model)
{
        SSL_CTX_set_session_cache_mode(model, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_timeout(model, RESUME_SECONDS);
        SSL_CTX_set_num_tickets(model, terms->tickets == NULL ? 0 : TICKETS_PER_HANDSHAKE);
        if (terms->tickets == NULL)
                SSL_CTX_set_options(model, SSL_OP_NO_TICKET);
        else
                SSL_CTX_set_tlsext_ticket_key_evp_cb(model, on_ticket);
}

static bool open_face(const struct tls_terms *terms, const struct tls_pair *pair,
                      struct tls_face *face)
{
        SSL_CTX *model = SSL_CTX_new(TLS_server_method());
        *face = (struct tls_face){.model = model, .first = pair->cert, .least = pair->least};
        if (model == NULL)
                return false;
        SSL_CTX_set_options(model, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                           SSL_OP_CIPHER_SERVER_PREFERENCE |
                                           SSL_OP_PRIORITIZE_CHACHA);
        SSL_CTX_set_mode(model, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_CTX_set_max_early_data(model, 0);
        SSL_CTX_set_client_hello_cb(model, on_hello, NULL);
        SSL_CTX_set_alpn_select_cb(model, on_alpn, (void *)(uintptr_t)terms);
        settle_tickets(terms, model);
        return SSL_CTX_set_min_proto_version(model, TLS1_2_VERSION) == 1 &&
               SSL_CTX_set_cipher_list(model, ciphers_1_2) == 1 &&
               SSL_CTX_set_ciphersuites(model, ciphers_1_3) == 1 &&
               SSL_CTX_set1_groups_list(model, (char *)(uintptr_t)groups) == 1 && mark(terms, face);
}

static bool has_same_names(const struct cert *a, const struct cert *b)
{
        if (a->names_count != b->names_count)
                return false;
        for (size_t i = 0; i < a->names_count; i++) {
                bool is_there = false;
                for (size_t k = 0; k < b->names_count && !is_there; k++)
                        is_there = str_eq(a->names[i], b->names[k]);
                if (!is_there)
                        return false;
        }
        return true;
}

/* The face that another certificate joins: the same names, and no key of that kind yet. */
static struct tls_face *face_for(struct tls_set *set, const struct tls_pair *pair)
{
        for (size_t i = 0; i < set->faces_count; i++) {
                struct tls_face *face = &set->faces[i];
                if (!face->has_kind[pair->cert->kind] && face->least == pair->least &&
                    has_same_names(face->first, pair->cert))
                        return face;
        }
        struct tls_face *face = &set->faces[set->faces_count];
        if (!open_face(set->terms, pair, face)) {
                SSL_CTX_free(face->model);
                return NULL;
        }
        set->faces_count++;
        return face;
}

static bool add_pair(struct tls_set *set, const struct tls_pair *pair)
{
        const struct cert *cert = pair->cert;
        struct tls_face *face = face_for(set, pair);
        STACK_OF(X509) *chain = sk_X509_new_null();
        bool is_good = face != NULL && chain != NULL;
        for (unsigned i = 0; i < cert->chain_count && is_good; i++)
                is_good = sk_X509_push(chain, cert->chain[i]) > 0;
        is_good = is_good &&
                  SSL_CTX_use_cert_and_key(face->model, cert->leaf, cert->key, chain, 1) == 1;
        sk_X509_free(chain);
        if (is_good)
                face->has_kind[cert->kind] = true;
        ERR_clear_error();
        return is_good;
}

/* The first that is written for a name has it. */
static void index_names(struct tls_set *set)
{
        map_init(&set->exact, &set->arena);
        map_init(&set->wild, &set->arena);
        for (size_t i = 0; i < set->faces_count; i++) {
                struct tls_face *face = &set->faces[i];
                for (size_t k = 0; k < face->first->names_count; k++) {
                        struct str name = face->first->names[k];
                        bool is_wild = str_starts(name, S("*."));
                        struct map *map = is_wild ? &set->wild : &set->exact;
                        struct str key = is_wild ? str_skip(name, 1) : name;
                        if (map_get(map, key) == NULL)
                                map_put(map, key, face);
                }
        }
}

static void close_set(struct tls_set *set)
{
        for (size_t i = 0; i < set->faces_count; i++)
                SSL_CTX_free(set->faces[i].model);
        EVP_CIPHER_free(set->cipher);
}

struct tls_set *tls_set_make(struct arena *arena, const struct tls_terms *terms, size_t *ret_bad)
{
        struct tls_set *set = arena_new(arena, struct tls_set);
        struct tls_terms *own = arena_new(arena, struct tls_terms);
        CHECK(terms->pairs_count > 0);
        *own = *terms;
        set->terms = own;
        set->faces = arena_array(arena, struct tls_face, terms->pairs_count);
        set->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
        atomic_init(&set->holds, 1);
        bool is_good = set->cipher != NULL;
        for (size_t i = 0; i < terms->pairs_count && is_good; i++) {
                *ret_bad = i;
                is_good = add_pair(set, &terms->pairs[i]);
        }
        if (!is_good) {
                close_set(set);
                return NULL;
        }
        set->arena = *arena;
        index_names(set);
        return set;
}

void tls_set_take(struct tls_set *set)
{
        atomic_fetch_add_explicit(&set->holds, 1, memory_order_relaxed);
}

void tls_set_give(struct tls_set *set)
{
        if (set == NULL || atomic_fetch_sub_explicit(&set->holds, 1, memory_order_acq_rel) > 1)
                return;
        close_set(set);
        struct arena arena = set->arena;
        arena_fini(&arena);
}

size_t tls_set_count(const struct tls_set *set)
{
        return set->terms->pairs_count;
}

const struct cert *tls_set_cert(const struct tls_set *set, size_t at)
{
        return set->terms->pairs[at].cert;
}
