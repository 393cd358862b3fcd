/* keeper_int.h -- the keeper from inside, for its files: keeper.c (the loop and its decisions),
 * child.c (starting and ending data processes), keeper_answer.c (what they ask), upgrade.c (the
 * next binary), heritage.c (what one keeper leaves to the next). */
#pragma once

#include <sys/types.h>

#include "io/notify.h"
#include "main/binder.h"
#include "main/cells.h"
#include "main/keeper.h"

enum {
        CHILDREN_MAX = 8, /* one serves, one starts, the others drain; the oldest of them goes */
        CHILD_LINK_FD = 3,
        READY_MS = 60000,
        STALL_MS = 30000,
        GRACE_MS = 2000,   /* after a deadline it was told, until it is killed */
        ABORT_MS = 1500,   /* for writing where it stands, until it is killed */
        TRIAL_MS = 5000,   /* for a new binary to say that it can take over */
        STEADY_MS = 10000, /* who served that long did not crash at once */
        OWED_MS = 10,      /* between two looks at who has not read its commands */
        BACKOFF_MS = 100,  /* before the second restart; doubles */
        BACKOFF_MAX_MS = 5000,
        CRASHES_TO_LAST_GOOD = 3,
        CRASHES_TO_GIVE_UP = 5, /* only before anything ever served */
};

/* The environment variable that tells a process of ours what it is (keeper_reenter). */
#define ENTRY_VARIABLE "GATEHOUSE_ENTRY"

enum child_state {
        CHILD_NONE,
        CHILD_STARTING,
        CHILD_SERVING,
        CHILD_DRAINING, /* was told to */
        CHILD_DYING,    /* was sent a signal, or hung up */
};

struct child {
        enum child_state state;
        pid_t pid;
        int fd;
        bool is_candidate; /* made of the next binary, which has not proved itself */
        bool is_dismissed; /* it was told to go */
        uint32_t owed;     /* bits of message kinds: commands that wait until it reads */
        uint64_t generation;
        uint64_t began, ready; /* ms */
        uint64_t due;          /* ms, when patience ends; UINT64_MAX: never */
        uint64_t drain_ms, stream_drain_ms;
};

/* A program to start data processes of: open, so that a new file of that name is another program.
 */
struct image {
        int fd;
        char path[DATA_PATH_MAX]; /* where the next version will be found */
};

struct upgrade {
        bool is_on;
        pid_t trial; /* 0: over */
        uint64_t due;
        struct image image;
};

/* How often it went wrong. */
struct crashes {
        uint32_t in_a_row; /* since something served for STEADY_MS: how long to wait */
        uint32_t early;    /* of processes or configurations younger than GOOD_MS */
        uint64_t restart;  /* ms, when to start another */
        bool use_last_good;
};

struct keeper {
        struct data_start start;
        struct binder binder;
        struct cells cells;
        struct notify notify;
        struct image image;
        struct upgrade upgrade;
        struct crashes crashes;
        struct child children[CHILDREN_MAX];
        struct message message; /* the one in hand */
        uint64_t now;           /* ms, monotonic, as of this turn */
        uint64_t ready_ms, stall_ms;
        uint64_t generation;
        uint64_t changed;  /* ms, when the configuration in use came into use */
        uint64_t notified; /* ms, the last WATCHDOG=1 */
        int signals;
        int argc;
        char **argv;
        void (*served)(const struct binder *binder);
        int exit_code;
        bool is_stopping, has_served, is_reload_due;
        bool is_detached; /* nohup: the end of a terminal is nothing to it */
};

/* child.c */

/* Starts a data process of an image; says so when that fails. NULL then. */
struct child *child_start(struct keeper *keeper, const struct image *image);

/* Tells it something; ends it when it does not read. */
void child_tell(struct keeper *keeper, struct child *child, const struct message *message);
void child_tell_kind(struct keeper *keeper, struct child *child, enum message_kind kind);

/* Tells it what means the same once or many times: while it has not read what it was told before,
 * the command waits, once. */
void child_command(struct keeper *keeper, struct child *child, enum message_kind kind);
void child_catch_up(struct keeper *keeper, struct child *child, bool has_time);

void child_drain(struct keeper *keeper, struct child *child, enum drain why, uint64_t limit_ms);
void child_kill(struct keeper *keeper, struct child *child, int signo, uint64_t patience_ms);

void child_hang_up(struct child *child);

struct child *child_serving(struct keeper *keeper); /* NULL: none */
uint32_t child_index(const struct keeper *keeper, const struct child *child);

/* Runs a program of ours with that entry: in a process of its own (data), or in this one. Returns
 * only when the system refuses. The entry is in the environment, the arguments are our own. */
void image_exec(const struct keeper *keeper, const struct image *image, const char *entry);
must_use enum err image_open(const char *path, struct image *ret_image);

/* keeper_answer.c: reads what a child says, all of it. */
void keeper_hear(struct keeper *keeper, struct child *child);

/* keeper.c */
uint64_t keeper_clock(void); /* ms, monotonic */
void keeper_stop(struct keeper *keeper, int exit_code);
void keeper_child_ready(struct keeper *keeper, struct child *child);
void keeper_request(struct keeper *keeper, enum request what);
void keeper_request_failed(struct keeper *keeper, enum request what, const char *why);
int keeper_turn_until_over(struct keeper *keeper);
void keeper_status(struct keeper *keeper, struct str line);

/* upgrade.c */
void upgrade_begin(struct keeper *keeper);
void upgrade_trial_over(struct keeper *keeper, int wait_status);
void upgrade_failed(struct keeper *keeper, const char *why);
void upgrade_finish(struct keeper *keeper); /* its data process serves */

/* heritage.c */

/* Writes what this keeper holds to a descriptor that a child or an heir may inherit. */
must_use enum err heritage_write(const struct keeper *keeper, int *ret_fd);
/* Reads it; checks that every descriptor is what it should be. */
must_use enum err heritage_read(struct keeper *keeper, int fd);
/* Lets all descriptors of the heritage through exec, or not. */
void heritage_pass(const struct keeper *keeper, bool is_passed);
