/* proxy.h -- the PROXY header, versions 1 and 2: the first bytes of a connection, in which a proxy
 * that passes bytes on says whose they are. Read strictly from one contiguous run of bytes that
 * starts with the header; who reads is called again with the same bytes and more behind them, until
 * it is decided. Nothing is repaired, nothing is allocated; what is too long is refused before it
 * has come. Whether the sender may be believed is not decided here. */
#pragma once

#include "base/str.h"

enum proxy_state {
        PROXY_MORE, /* it may become a header */
        PROXY_DONE,
        PROXY_NONE, /* these bytes are something else */
        PROXY_BAD,  /* they begin as a header does, and are none */
};

enum {
        PROXY_V1_MAX = 107,    /* with its CRLF */
        PROXY_SIZE_MAX = 2048, /* of version 2, with everything it carries */
        PROXY_WRITE_MAX = 108,
};

/* Whose connection it is. Addresses of 16 bytes, IPv4 as ::ffff:a.b.c.d. */
struct proxy_header {
        uint8_t source[16], target[16];
        uint16_t source_port, target_port;
        bool is_local; /* the sender's own, e.g. to see whether we live: its addresses hold */
};

/* Reads a header of either version; *ret_header and *ret_used, its length, are set with PROXY_DONE.
 * Refused: unix and datagram sockets, an unknown family, version or command, a length that is too
 * short or above PROXY_SIZE_MAX, what is attached and runs past the end, a checksum that is wrong.
 */
enum proxy_state proxy_read(struct str bytes, struct proxy_header *ret_header, size_t *ret_used);

enum proxy_version { PROXY_OFF, PROXY_V1, PROXY_V2 };

/* Writes a header of at most PROXY_WRITE_MAX bytes, without anything attached. Two addresses of
 * different families are both written as IPv6. */
void proxy_write(enum proxy_version version, const struct proxy_header *header, struct text *out);
