/* binder_int.h -- what binder.c (which doors there are) asks of binder_open.c (how one is made). */
#pragma once

#include "io/addr.h"
#include "main/binder.h"

/* Where a door is to be: one of both. */
struct place {
        bool is_unix;
        char path[108];
        struct addr addr;
};

/* Reads the address of a request. ERR_syntax. */
must_use enum err place_read(struct str address, struct place *ret_place);

/* Makes sockets until the door has `count`; they do not listen yet. Returns 0 or errno. A door that
 * had sockets keeps those it had. */
must_use int door_open(struct door *door, const struct place *place, uint32_t count, uint32_t mode);

/* True when somebody else listens there, who would share it with us unasked. */
bool place_is_taken(const struct place *place);

/* Says in a sentence why an address cannot be had. */
void place_explain(const struct place *place, int error, struct text *why);

/* Writes where a socket is bound, as an address of a request. */
void socket_put_place(int fd, struct text *text);

/* Closes its sockets; removes the file of a unix socket that is still ours. */
void door_close(struct door *door);
