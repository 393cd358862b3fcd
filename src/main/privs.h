/* privs.h -- what a process may do, and how it gives that up. The keeper keeps what binding,
 * reading as root and ending children takes; the data process gives up everything before its first
 * thread and its first caller. */
#pragma once

#include <sys/types.h>

#include "base/str.h"

struct user {
        uid_t uid;
        gid_t gid;
        char name[64];
};

/* For the keeper, first thing: no new privileges ever, no capability but what it needs, files for
 * us only, as many descriptors as the system gives, no core dumps unless wanted. */
void privs_keep(bool has_core_dumps);

/* For the keeper once it has served: also gives up what only finds out who holds an address. */
void privs_keep_less(void);

/* The user of that name; empty: `gatehouse` if there is one, else `nobody`. ERR_missing. When this
 * process is not root it is who we are, whatever the name. */
must_use enum err privs_user(struct str name, struct user *ret_user);

/* Makes a directory if it is missing, for that user and closed to others; its parent must be there.
 * One that exists is left as it is. */
must_use enum err privs_make_dir(const char *path, const struct user *user);

/* For the data process, before its first thread: becomes that user, without any capability. Dies
 * when something of root is left. ERR_denied when the system refuses. */
must_use enum err privs_drop(const struct user *user, bool has_core_dumps);
