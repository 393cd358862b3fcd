/* launch.h -- a gate that a command starts by itself, from a configuration that it has made: free
 * ports to listen on, the keeper's life in this process, and a word once it serves. */
#pragma once

#include <sys/types.h>

#include "cmd/command.h"
#include "main/binder.h"

enum { LAUNCH_PORTS = 100 }; /* how many are tried */

/* The first port from `from` on that is free on both loopback addresses; 0: there is none. */
unsigned port_pick(unsigned from);

/* A listening, non-blocking socket of a loopback address, IPv4 or IPv6; -1: refused. */
int port_listen(unsigned port, bool is_v6);

/* "nginx (pid 123)", who listens on that port of this machine; empty when nobody can tell. */
struct str port_holder(struct call *call, unsigned port);

/* Where the socket of such a gate is to be, when it cannot be where one usually is, because another
 * gate is there or nowhere is such a place; empty: it can. */
struct str launch_socket(struct call *call);

/* What to type for `gate`, for lines to paste: as this program was called, if by a path. */
const char *launch_name(const struct call *call);

/* Reads a configuration made by a command as a gate would, and shows what is wrong with it.
 * EXIT_done, or the code. `name` stands for the file in complaints. */
int launch_check(struct call *call, struct str document, struct str name);

/* Says a line about it: "  ✓ listening    http://localhost:8080". The mark is a ✓, or a ! for what
 * may surprise. */
void launch_say(const struct call *call, bool is_well, const char *word, const char *format, ...)
        printf_like(4, 5);

/* Runs a gate until it is stopped, and returns the exit code: of a document, which `path` is only a
 * name for, or (empty) of the configuration at `path`. `served` is called once it listens. */
int launch_run(const struct call *call, struct str document, struct str path,
               void (*served)(const struct binder *binder));

/* Makes the process that calls it, a child of `parent`, end with that; does not return when that
 * has ended already. Root gives up everything. Ctrl-C is the parent's business. */
void launch_settle(pid_t parent);
