/* ticket.h -- the keys that session tickets are sealed with: made at random, each for one span of
 * time, kept a while for tickets that were given out, then overwritten, so that who learns the keys
 * of today cannot read what was said last week. A ring of them is plain memory: shared by all
 * workers, and where it lies in memory of the keeper also by the process that takes over after a
 * reload, a crash or an upgrade. Any thread, any process, no lock. */
#pragma once

#include "base/base.h"
#include "base/err.h"

enum { TICKET_SLOTS = 4, TICKET_NAME = 16, TICKET_CIPHER = 32, TICKET_MAC = 32 };

/* For how long tickets are sealed with one key; opened they are for two to three times that. */
#define TICKET_SPAN_NS (4 * 3600 * 1000000000ull)

struct ticket_key {
        uint8_t name[TICKET_NAME], cipher[TICKET_CIPHER], mac[TICKET_MAC];
};

struct ticket_slot {
        uint64_t state; /* number of the span, times two; odd while somebody writes */
        struct ticket_key key;
};

/* All zeros is an empty ring. */
struct ticket_ring {
        struct ticket_slot slots[TICKET_SLOTS];
};

/* The key of now (ns since 1970), made when it is the first time. ERR_busy: somebody else is about
 * to make it. Overwrite the copy after use. */
must_use enum err ticket_now(struct ticket_ring *ring, uint64_t wall, struct ticket_key *ret_key);

/* The key of that name, if tickets under it are still good. ERR_missing. */
must_use enum err ticket_find(const struct ticket_ring *ring, uint64_t wall,
                              const uint8_t name[TICKET_NAME], struct ticket_key *ret_key,
                              bool *ret_is_old);
