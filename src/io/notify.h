/* notify.h -- telling systemd how a service is (sd_notify(3)), and taking the sockets it opened for
 * it (sd_listen_fds(3)). Without systemd nothing happens. Never waits; what cannot be said is lost.
 */
#pragma once

#include "base/str.h"

enum { NOTIFY_ADDRESS_MAX = 108 };

struct notify {
        int fd; /* -1: nobody listens */
        size_t address_len;
        char address[NOTIFY_ADDRESS_MAX];
        uint64_t watchdog_ms; /* how often it wants to hear WATCHDOG=1 at least; 0: never */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. */
void notify_open(struct notify *notify);
void notify_close(struct notify *notify);

/* Says lines like "READY=1\nSTATUS=serving". */
void notify_say(const struct notify *notify, struct str lines);

/* "RELOADING=1" with the time that goes with it. */
void notify_reloading(const struct notify *notify);

/* How many sockets systemd passed to this process, from descriptor 3 on (LISTEN_FDS, LISTEN_PID);
 * they are close-on-exec now, and the variables are gone. */
int notify_take_sockets(void);
