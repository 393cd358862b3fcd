/* holder.h -- finds out who listens on an address, from /proc, to say it in a message. What the
 * system does not let us see is left out. */
#pragma once

#include "base/str.h"
#include "io/addr.h"

/* Puts "nginx (pid 123)" or "a process of user 33"; nothing when nothing is known. */
void holder_find(const struct addr *addr, struct text *text);

/* The same for the process at the other end of a connected unix socket. */
void holder_of_peer(int fd, struct text *text);
