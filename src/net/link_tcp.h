/* link_tcp.h -- a link that is a TCP (or unix) stream socket and nothing else. */
#pragma once

#include "io/sock.h"
#include "net/link.h"

struct link_tcp {
        struct link link;
        struct sock sock;
};

/* Takes over an accepted descriptor. After an error it is closed. */
must_use enum err link_tcp_open(struct link_tcp *tcp, struct loop *loop, int fd,
                                const struct link_up *above);

/* Begins to connect: `up` or `down` follows later. After an error there is nothing to close. */
must_use enum err link_tcp_dial(struct link_tcp *tcp, struct loop *loop, const struct addr *to,
                                const struct link_up *above);
