/* fdpass.h -- records with descriptors over a pair of local sockets: a record arrives whole or not
 * at all, and what it carries is close-on-exec at once. Never waits. */
#pragma once

#include "base/base.h"
#include "base/err.h"

enum { FDPASS_MAX = 253 }; /* descriptors in one record, the kernel's limit */

/* One record: bytes from two places, and descriptors. */
struct parcel {
        void *head, *body;
        size_t head_len, body_len; /* to take: how much room; ret: what came */
        int *fds;
        int fds_count; /* to take: how much room; ret: how many came */
};

/* Two connected ends, close-on-exec, non-blocking. */
must_use enum err fdpass_pair(int ret_fds[2]);

/* ERR_again: the other end reads too slowly; ERR_closed: it is gone. */
must_use enum err fdpass_send(int fd, const struct parcel *parcel);

/* Fills the parcel. ERR_again: nothing is there; ERR_closed; ERR_syntax: shorter than the head, or
 * more than there was room for (its descriptors are closed then). */
must_use enum err fdpass_take(int fd, struct parcel *parcel);

/* True while the other end has not read all that was sent. */
bool fdpass_has_unread(int fd);

/* Waits until something is there to take, or the other end is gone: ERR_timeout. */
must_use enum err fdpass_wait(int fd, int wait_ms);
