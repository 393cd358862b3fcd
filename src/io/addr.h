/* addr.h -- a socket address (IPv4 or IPv6) and its text. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

struct addr {
        union {
                struct sockaddr any;
                struct sockaddr_in v4;
                struct sockaddr_in6 v6;
        } u;
};

enum { ADDR_TEXT_MAX = 64 };

/* Reads "127.0.0.1:80", "[::1]:80"; no names. ERR_syntax. */
must_use enum err addr_read(struct str text, struct addr *ret_addr);

/* Reads an address without a port. */
must_use enum err addr_read_ip(struct str ip, uint16_t port, struct addr *ret_addr);

socklen_t addr_len(const struct addr *addr);
uint16_t addr_port(const struct addr *addr);
void addr_set_port(struct addr *addr, uint16_t port);
bool addr_eq(const struct addr *a, const struct addr *b);
bool addr_is_loopback(const struct addr *addr);

/* The address as 16 bytes, IPv4 as ::ffff:a.b.c.d; and back. */
void addr_bytes(const struct addr *addr, uint8_t ret_bytes[16]);
struct addr addr_of_bytes(const uint8_t bytes[16], uint16_t port);

void addr_put(struct text *text, const struct addr *addr);       /* with port, [v6]:port */
void addr_put_ip(struct text *text, const struct addr *addr);    /* without port; v4-mapped as v4 */
void addr_put_bytes(struct text *text, const uint8_t bytes[16]); /* the same, of addr_bytes() */
