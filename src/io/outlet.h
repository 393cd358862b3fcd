/* outlet.h -- where lines leave the house: a file, a named pipe, or a descriptor such as stdout.
 * Used by the steward alone. Whole lines are kept in a bounded queue and leave in few large writes;
 * what does not fit is dropped whole and counted by why. Nothing here waits: a pipe that is full, a
 * disk that is full or a reader that is gone are tried again a little later, and all is well again
 * when they are. (A disk that is only slow does hold up its writer; that is what the steward is
 * for.) A file that was renamed or removed is made anew; one that was truncated goes on at its
 * start. */
#pragma once

#include "base/buf.h"
#include "io/loop.h"

enum outlet_drop {
        OUTLET_FULL,   /* its queue was full: the system took too little */
        OUTLET_FAILED, /* the system refused (no space, input or output error) */
        OUTLET_CLOSED, /* nobody reads the pipe */
        OUTLET_DROPS
};

enum { OUTLET_PATH_MAX = 512, OUTLET_MAX = 1024 * 1024 };

struct outlet {
        struct buf queue;
        char path[OUTLET_PATH_MAX]; /* empty: a descriptor that was given */
        int fd;
        enum err error; /* what is wrong now; ERR_ok: nothing */
        uint64_t retry_at, look_at, retry_ns;
        uint64_t lines, bytes, reopened; /* lines taken and not dropped later; bytes written */
        uint64_t dropped[OUTLET_DROPS];  /* lines */
        bool is_file;                    /* a regular one, that can be renamed under us */
        bool is_mid;                     /* the last write ended inside a line */
        bool may_wait;                   /* writing could block: ask first, and a page at a time */
        bool is_owned;                   /* fd is ours to close */
        bool is_socket;
};

/* Appends to the file or named pipe at path, which is made (0640) when there is none. When it
 * cannot be opened the error is returned, and it is tried again as time passes. ERR_range: path too
 * long, then there is no outlet. */
must_use enum err outlet_open(struct outlet *outlet, struct loop *loop, struct str path);

/* Writes to a descriptor of the caller, which may be blocking and shared with others. */
void outlet_open_fd(struct outlet *outlet, struct loop *loop, int fd);

/* Writes what it can and gives everything back; what is left is counted as dropped. */
void outlet_close(struct outlet *outlet);

/* A whole line, its newline included, of at most OUTLET_MAX / 4 bytes. */
void outlet_put(struct outlet *outlet, struct str line);

/* Room for a line of at most `len` bytes to be written in place, or NULL: then outlet_put() it.
 * outlet_commit() with what it came to, its newline included. */
char *outlet_reserve(struct outlet *outlet, size_t len);
void outlet_commit(struct outlet *outlet, size_t len);

/* Writes what the system takes now, at most a few times; true when it took something and there is
 * more. Looks after the file now and then. To be called every few turns. */
bool outlet_flush(struct outlet *outlet, uint64_t now);

/* As after a rotation: what is queued goes to the old file, what comes to a new one. */
void outlet_reopen(struct outlet *outlet, uint64_t now);
