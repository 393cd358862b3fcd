/* journal.h -- what becomes of the records of all workers: a line of the access log each, and a
 * copy among the recent ones, where everybody who follows the log reads it. On the steward's loop;
 * workers put records into their rings and never wait, nor wake anybody. What finds no room is
 * dropped and counted by where: in the ring, at the log's target, at a slow follower. A flood of
 * requests that are refused before they are routed is told in part: so many a second for each
 * reason, then one line says how many more there were. */
#pragma once

#include "io/spool.h"
#include "record/count.h"
#include "record/line.h"
#include "record/recent.h"

enum {
        JOURNAL_LINE = 0x6c6e,       /* kind of ring messages that are lines of the program's log */
        JOURNAL_RING_SIZE = 1 << 20, /* bytes of a worker's ring */
        JOURNAL_FOLLOWERS_MAX = 8,
        JOURNAL_FLOOD_MAX = 50, /* lines a second of refused heads, for each reason */
};

/* Somebody who reads the recent records at its own pace. */
struct follower {
        struct list node;
        struct recent_place place; /* where it stands; set by journal_follow to the newest */
        void (*wake)(struct follower *follower); /* there are more; must not unfollow */
};

/* Refused heads of one reason in one second. */
struct flood {
        uint64_t second;
        uint32_t said, more; /* more: not said */
        struct record last;  /* of these, without texts */
};

struct journal {
        struct loop *loop;
        struct counts *counts; /* the steward's own */
        struct spool spool;
        struct outlet outlet;
        bool has_outlet;
        struct line_look look;
        struct date_memo moment;
        struct list followers;
        unsigned follower_count;
        uint64_t follower_dropped, flood_dropped;
        uint64_t lines_before, dropped_before; /* by outlets that were replaced */
        struct timer flood_timer;
        struct flood floods[REASON_COUNT];
        struct recent recent;
        char line[LINE_SIZE_MAX];
};

void journal_init(struct journal *journal, struct loop *loop, struct counts *counts);

/* Empties the rings once more and closes the log. Followers must have gone. */
void journal_fini(struct journal *journal);

/* A new ring for a worker, read from now on; before its thread begins. */
struct ring *journal_ring(struct journal *journal);

/* Where the log goes from now on: "-" is stdout, a path a file; empty or LINE_OFF: nowhere. An
 * error says that the file cannot be opened now; it is tried again as time passes. */
must_use enum err journal_open(struct journal *journal, struct str target,
                               const struct line_look *look);

/* After a rotation. */
void journal_reopen(struct journal *journal);

/* Takes what lies in the rings now, without waiting for the next look. */
void journal_turn(struct journal *journal);

/* Writes what it knows into the steward's counts (log_*, followers). */
void journal_count(struct journal *journal);

/* ERR_limit: JOURNAL_FOLLOWERS_MAX. */
must_use enum err journal_follow(struct journal *journal, struct follower *follower);
void journal_unfollow(struct journal *journal, struct follower *follower);

/* The next record for this follower; false: none now. *ret_lost: how many it was too slow for. The
 * record is valid until the loop's next turn. */
bool journal_read(struct journal *journal, struct follower *follower, struct record *ret_record,
                  uint64_t *ret_lost);

/* For log_to on a worker's thread, with its ring: lines of the program's log go the same way. */
void journal_sink(void *ring, struct str line);
