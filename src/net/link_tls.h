/* link_tls.h -- a link that speaks TLS over another one: the server's side. OpenSSL sees no
 * descriptor: it reads the bytes in hand and writes into what the link below gathers, so it never
 * waits for anything but more bytes. Until the handshake is over the layer above hears nothing but
 * `up` or `down`; what an unfinished handshake may take is bounded here (TLS_HELLO_MAX), how long
 * it may take is for the layer above to say, who has the timer. At rest a session holds no buffer.
 */
#pragma once

#include "base/slab.h"
#include "net/link.h"
#include "net/tls.h"
#include "wire/suite.h"

enum {
        TLS_HELLO_MAX = 64 * 1024, /* bytes that a peer may send before it has proved itself */
        TLS_RECORD_MAX = 16 * 1024,
};

struct tls_counts {
        uint64_t full, resumed; /* handshakes that came to an end */
        uint64_t failed;        /* the peer spoke something else, or wanted what we do not do */
        uint64_t cut;           /* the peer went away */
        uint64_t late;          /* closed by the layer above before they were over */
        uint32_t shaking;       /* handshakes under way now */
};

/* TLS on one loop: cells for links, the buffers that all of them use in turn, counts. */
struct tls_loop {
        struct loop *loop;
        struct arena *arena;
        struct slab links;
        uint8_t *clear;  /* what was opened lies here until the callback returns */
        uint8_t *gather; /* small pieces on their way into one record */
        struct bio_method_st *method;
        struct tls_counts counts;
};

/* Takes its buffers from the arena when it is first needed. */
void tls_loop_init(struct tls_loop *tls, struct loop *loop, struct arena *arena);
void tls_loop_fini(struct tls_loop *tls);

/* A link over `below`, which is open and whose layer above it becomes: the peer is to begin a
 * handshake. `up` follows once it is done. NULL: no memory; nothing has changed. */
struct link *link_tls_accept(struct tls_loop *tls, struct link *below, struct tls_set *set,
                             const struct link_up *above);

/* Of a link that is up: the protocol agreed on (empty: none was named), the face shown of which
 * set, version and suite. */
struct str link_tls_alpn(struct link *link);
const struct tls_face *link_tls_face(struct link *link);
struct tls_set *link_tls_set(struct link *link);
struct tls_facts link_tls_facts(const struct link *link);
