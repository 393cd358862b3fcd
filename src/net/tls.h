/* tls.h -- what a listener shows to callers who speak TLS: its certificates, which of them for
 * which name, the least version, the protocols above. A set is made once, never changed, shared by
 * all workers, and counted: connections that were made with it keep it when a newer one takes its
 * place.
 *
 * Certificates with the same names and keys of different kinds (ECDSA, RSA) are one face: callers
 * get the one they can use. A face is chosen by the name that the caller asks for: the exact one,
 * then the wildcard, else the first face. Session tickets are good for the same face of the same
 * listener only. */
#pragma once

#include "io/loop.h"
#include "net/cert.h"
#include "net/ticket.h"

enum tls_version { TLS_1_2, TLS_1_3 };

struct ssl_st;
struct tls_set;
struct tls_face;

/* One certificate, as the configuration says it. */
struct tls_pair {
        struct cert *cert;
        enum tls_version least;
};

struct tls_terms {
        struct str name;             /* of the listener: tickets of one are nothing to another */
        struct str alpn;             /* protocols, the best first, each behind its length */
        struct ticket_ring *tickets; /* outlives the set; NULL: no tickets */
        const struct tls_pair *pairs;
        size_t pairs_count; /* at least one */
};

/* A set that is held once, by the caller. It takes over the arena, where the certificates and all
 * that terms refer to must lie. NULL: OpenSSL will not have a certificate, *ret_bad says which; the
 * arena stays the caller's. */
struct tls_set *tls_set_make(struct arena *arena, const struct tls_terms *terms, size_t *ret_bad);

void tls_set_take(struct tls_set *set);
void tls_set_give(struct tls_set *set); /* NULL is nothing. Any thread */

/* The certificates, in the order of the configuration. */
size_t tls_set_count(const struct tls_set *set);
const struct cert *tls_set_cert(const struct tls_set *set, size_t at);

/* The face for a host (lower case, without port), or for none: never NULL. */
const struct tls_face *tls_set_face(const struct tls_set *set, struct str host);

/* True when a caller to whom this face was shown may ask for that host: the certificate for it is
 * the one that it saw. */
bool tls_set_may(const struct tls_set *set, const struct tls_face *shown, struct str host);

/* What a session knows of whom it is with. */
struct tls_party {
        struct loop *loop;
        struct tls_set *set;
        const struct tls_face *face; /* the one that was asked for */
};

/* For link_tls: a session of party->set, which must outlive it as `party` must. NULL: no memory. */
struct ssl_st *tls_session(struct tls_party *party);
