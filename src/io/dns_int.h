/* dns_int.h -- what dns.c asks of whoever speaks DNS. */
#pragma once

#include "io/dns.h"

struct dns_wire;

/* Speaks DNS on the loop with the system's name servers or those of conf; NULL when it cannot. */
struct dns_wire *dns_wire_make(struct loop *loop, const struct dns_conf *conf);

/* What is still under way is answered with ERR_cancelled. */
void dns_wire_free(struct dns_wire *wire);

/* Calls dns_give once, now or later. A dns_ask_fn, of which `arg` is the wire. */
void dns_wire_ask(void *arg, struct dns_name *name, struct str text, enum dns_family family);
