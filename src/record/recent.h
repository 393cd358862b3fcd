/* recent.h -- the last records, as the messages they came in: what `gate logs` shows, and what
 * those who follow the log read at their own pace. A bounded ring of one thread: what is written
 * over the oldest is lost to readers who were not there yet, and they are told how many records
 * that was. */
#pragma once

#include "base/base.h"

enum { RECENT_SIZE = 128 * 1024 };

struct recent {
        uint64_t oldest, end; /* offsets since the beginning; the ring holds what is between */
        uint64_t first, next; /* numbers of the records at these */
        uint8_t bytes[RECENT_SIZE];
};

/* Where a reader stands. */
struct recent_place {
        uint64_t at;
        uint64_t number; /* of the record there */
};

void recent_init(struct recent *recent);

/* Keeps a copy; the oldest go. A message is at most an eighth of the ring. */
void recent_put(struct recent *recent, struct slice message);

/* The place of the oldest record; the one behind the newest. */
struct recent_place recent_begin(const struct recent *recent);
struct recent_place recent_now(const struct recent *recent);

/* The record at that place, which moves on; false when there is none yet. *ret_lost: how many were
 * written over before they were read. Valid until the next recent_put. */
bool recent_read(const struct recent *recent, struct recent_place *place, struct slice *ret_message,
                 uint64_t *ret_lost);
