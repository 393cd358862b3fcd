/* forwarded.h -- who a request comes from, as hops in front of us say it: X-Forwarded-For and
 * Forwarded (RFC 7239). They are believed from right to left, as far as each hop is trusted, and no
 * further. */
#pragma once

#include "wire/cidr.h"
#include "wire/fields.h"

enum { FORWARDED_ENTRIES_MAX = 32 }; /* entries looked at, from the right */

/* `address` comes in as the peer's and leaves as the client's: the first from the right that is not
 * trusted. An entry that is no address ends the walk at the last trusted hop, as does the limit.
 * The field is NAME_x_forwarded_for or NAME_forwarded. */
void forwarded_walk(const struct fields *fields, enum name id, const struct cidrs *trusted,
                    uint8_t address[16]);

/* One element of Forwarded; what is absent has a NULL ptr. Quotes are taken off. */
struct forwarded_element {
        struct str node, by, host, proto; /* node: the value of for= */
};

must_use enum err forwarded_read(struct str element, struct forwarded_element *ret_element);

/* "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]:80", "2001:db8::1". ERR_syntax for names of any kind.
 */
must_use enum err forwarded_node_read(struct str node, uint8_t ret_address[16]);

/* An element: for, host and proto; host and proto are left out when empty. */
/* With a node that is text already and needs no quotes. */
void forwarded_write_node(struct str node, struct str host, struct str proto, struct text *out);
void forwarded_write(const uint8_t client[16], struct str host, struct str proto, struct text *out);
