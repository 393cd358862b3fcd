/* cidr.h -- networks of addresses and sets of them. Every address is 16 bytes, IPv4 as
 * ::ffff:a.b.c.d, so one comparison serves both; networks wider than ::ffff:0:0/96 hold IPv6 alone.
 * A set is made once, sorted and without overlaps, and asked often. */
#pragma once

#include "base/arena.h"
#include "base/str.h"

enum { IP_TEXT_MAX = 45 }; /* "xxxx:xxxx:xxxx:xxxx:xxxx:xxxx:255.255.255.255" */

struct cidr {
        uint8_t bytes[16]; /* bits behind the prefix are zero */
        uint8_t bits;      /* 0 to 128; IPv4 networks have 96 and more */
};

struct cidrs {
        const struct cidr *at; /* sorted, none inside another, those of IPv4 first */
        size_t count, count_v4;
};

/* An address without port: "192.0.2.1", "2001:db8::1"; ERR_syntax. No names, no zones. */
must_use enum err ip_read(struct str s, uint8_t ret_bytes[16]);

bool ip_is_v4(const uint8_t bytes[16]);

/* In the form of RFC 5952; IPv4 in its own, resp. as ::ffff:a.b.c.d where only IPv6 may stand. */
void ip_write(const uint8_t bytes[16], struct text *out);
void ip6_write(const uint8_t bytes[16], struct text *out);

/* An address alone is a network of one. ERR_syntax; ERR_range when bits behind the prefix are set
 * (10.0.0.1/8), because then either the address or the prefix is not what was meant. */
must_use enum err cidr_read(struct str s, struct cidr *ret_cidr);

void cidr_write(const struct cidr *cidr, struct text *out);

bool cidr_has(const struct cidr *cidr, const uint8_t address[16]);

/* Sorts the networks, drops those inside others, keeps the rest in the arena. */
struct cidrs cidrs_make(const struct cidr *networks, size_t count, struct arena *arena);

bool cidrs_has(const struct cidrs *set, const uint8_t address[16]);
