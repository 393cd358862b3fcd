/* crowd.h -- how many callers' connections are open at each door and from each network, counted
 * over all workers of the process, so that the caps hold exactly whoever accepts. A network is one
 * IPv4 address or one IPv6 /64. What is counted when a connection is let in is taken back when it
 * ends; nothing else changes the numbers. The table of networks has a fixed size: one that finds no
 * place in it is not counted, and let in. */
#pragma once

#include "base/str.h"

struct crowd;
struct crowd_door;

enum { CROWD_DOORS_MAX = 256, CROWD_NETWORKS_MAX = 65536 };

struct crowd *crowd_make(void);
void crowd_free(struct crowd *crowd);

/* The door of that name, the same for all who ask; NULL when there are too many. It stays as long
 * as the crowd does. */
struct crowd_door *crowd_door(struct crowd *crowd, struct str name);

enum crowd_answer {
        CROWD_COUNTED,
        CROWD_UNPLACED, /* let in, but its network is not counted */
        CROWD_DOOR_FULL,
        CROWD_NETWORK_FULL
};

/* Most that may be in, this one counted. */
struct crowd_caps {
        uint32_t door, network;
};

/* Counts a connection from that address, unless a cap is reached. `address` is NULL for one of
 * which it is not known yet whose it is: only the door counts it (UNPLACED), until crowd_place. */
enum crowd_answer crowd_enter(struct crowd *crowd, struct crowd_door *door, const uint8_t *address,
                              const struct crowd_caps *caps);

/* Counts one that is in, and unplaced, under its network: COUNTED, UNPLACED or NETWORK_FULL. */
enum crowd_answer crowd_place(struct crowd *crowd, const uint8_t address[16], uint32_t cap);

/* Takes back one that was let in; `address` is NULL for one that was unplaced. */
void crowd_leave(struct crowd *crowd, struct crowd_door *door, const uint8_t *address);
