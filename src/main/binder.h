/* binder.h -- the listening sockets of a gate: made once for an address, held as long as some data
 * process wants them, handed to each that asks. For TCP there is one SO_REUSEPORT socket per
 * worker. A socket listens from the moment a process that asked for it is ready: until then callers
 * are refused and not left waiting. No allocation; addresses are compared as they are written. */
#pragma once

#include <sys/stat.h>

#include "main/keeper_link.h"

enum {
        BINDER_DOORS_MAX = 320,     /* addresses of one gate */
        BINDER_SOCKETS_MAX = 16384, /* of all of them; never more than half of what we may open */
        BINDER_OWNERS_MAX = 32,     /* processes that may want one */
        BINDER_BACKLOG = 65535,     /* the kernel cuts it at net.core.somaxconn */
        BINDER_WHY_MAX = 512,       /* room a caller leaves for what is in the way */
};

/* One address. */
struct door {
        char key[LINK_ADDRESS_MAX];  /* as asked for: "127.0.0.1:0", a tab, "admin" */
        char real[LINK_ADDRESS_MAX]; /* as bound: "127.0.0.1:40123" */
        bool is_unix;
        bool is_given;             /* by systemd: one socket, made before us, living after us */
        uint32_t count, listening; /* sockets; how many of them listen, from the first on */
        uint32_t wanted_by;        /* one bit per process */
        dev_t device;              /* of a unix socket's file: it is removed if it is still ours */
        ino_t inode;
        int fds[MESSAGE_FDS_MAX];
};

struct binder {
        uint32_t count, sockets_max;
        struct door doors[BINDER_DOORS_MAX];
};

void binder_init(struct binder *binder);

/* Takes over a listening socket that systemd made. Says why not, when it is of no use. */
void binder_adopt(struct binder *binder, int fd);

/* The door for what `owner` asks, made if there is none; what is new does not listen yet. Returns 0
 * or errno; `why` says it in a sentence. */
must_use int binder_bind(struct binder *binder, const struct bind_request *request, uint32_t owner,
                         struct door **ret_door, struct text *why);

/* All sockets of the doors that `owner` wants listen from now on. Returns and says as above. */
must_use int binder_listen(struct binder *binder, uint32_t owner, struct text *why);

/* The owner no longer wants this door; or none at all. What nobody wants stays until binder_prune.
 */
void binder_release(struct binder *binder, struct str key, uint32_t owner);
void binder_release_all(struct binder *binder, uint32_t owner);

/* Closes what nobody wants. Doors that systemd gave stay. */
void binder_prune(struct binder *binder);

/* For a stop: closes TCP sockets, so that callers are refused once the data process stops too; and
 * at the end everything, with the files of unix sockets. */
void binder_close_tcp(struct binder *binder);
void binder_close(struct binder *binder);

/* For the keeper's heir: puts back a door that was written down. NULL when there are too many. */
struct door *binder_add(struct binder *binder);
