/* admin.h -- the gateway's own site: what it tells of itself, and what may be asked of it. Served
 * by the steward's loop, on the same HTTP as the gateway. On a TCP address it is read only, and
 * answers only to names of this machine (no name that somebody else's DNS made up): /livez,
 * /readyz, /metrics, /status. On the unix socket, which only its owner can open, also POST /reload,
 * /drain, /stop, /upgrade, /reopen, GET /logs, /limits, /config, and consumers and their keys.
 *
 * It knows neither processes nor commands: what it must ask for, it asks by `struct admin_calls`.
 * One thread, the steward's; its loop has pages for ADMIN_PAGES. */
#pragma once

#include "gate/window.h"
#include "gate/worker.h"
#include "record/journal.h"
#include "roster/roster.h"

enum {
        ADMIN_DOORS_MAX = 8,
        ADMIN_CONNECTIONS_MAX = 64, /* of all doors */
        ADMIN_BODY_MAX = 64 * 1024, /* of a request */
        ADMIN_PAGES = 4096,         /* what all of that may need */
};

struct admin_listener {
        struct str name, address;
        bool is_secure;
};

/* What came of the last attempt to put a configuration in force. */
struct admin_reload {
        uint64_t wall;      /* ns since 1970; 0: none yet */
        struct str text;    /* why not, for people */
        uint64_t good, bad; /* how many so far */
        bool is_good;
};

/* What the data process knows. Texts are valid until the turn ends. */
struct admin_state {
        struct str version, instance;
        uint64_t pid, started;  /* ns since 1970 */
        struct str config_path; /* empty: given as text */
        struct str config_hash; /* of the configuration in force; empty: none yet */
        uint64_t config_wall;   /* when it was put in force */
        uint64_t config_number; /* of its snapshot */
        struct admin_reload reload;
        struct str not_ready; /* empty: ready; else why not, one sentence on each line */
        struct str refused;   /* why the last drain, stop or upgrade came to nothing; or empty */
        bool is_draining;
        const struct admin_listener *listeners;
        unsigned listener_count;
};

/* Drain and stop let what is under way end, abort does not. */
enum admin_action { ADMIN_DRAIN, ADMIN_STOP, ADMIN_ABORT, ADMIN_UPGRADE, ADMIN_REOPEN };

struct admin_key {
        struct str consumer, key;
        struct str id;     /* empty: made of the key */
        int64_t expires_s; /* 0: never */
};

/* What the data process does when it is asked. `state` must be there; what is NULL is not offered.
 */
struct admin_calls {
        void *arg;
        void (*state)(void *arg, struct admin_state *ret_state);
        /* Writes what the configuration in force was read from, as JSON. */
        void (*config)(void *arg, struct arena *arena, struct text *out);
        /* Begins to read the configuration anew, or will once the reload under way is over. Returns
         * the number of the reload that does it; admin_reloaded tells what came of it, never before
         * this returns. */
        uint64_t (*reload)(void *arg);
        /* Answered with 202 when ERR_ok; it may take its time. */
        enum err (*act)(void *arg, enum admin_action action);
        /* ERR_missing: no such consumer, no such key; ERR_exists: of another consumer; ERR_range,
         * ERR_limit: as roster.h. */
        enum err (*put_key)(void *arg, const struct admin_key *key);
        enum err (*remove_key)(void *arg, struct str consumer, struct str key);
        enum err (*put_consumer)(void *arg, const struct consumer *consumer);
        enum err (*remove_consumer)(void *arg, struct str name);
};

/* What came of a reload, with what was wrong or what a gate that runs cannot take: `faults` is a
 * JSON array for machines, `text` what a person reads. */
struct admin_outcome {
        uint64_t number;
        bool is_good;
        struct str hash, text, faults;
};

/* An entrance of the admin; its memory is the admin's. */
struct admin_door {
        struct entrance entrance;
        struct str host; /* of the configured address: allowed as a name */
        bool is_socket;
};

struct admin {
        struct http http;
        struct gate *gate;
        struct counts *counts;   /* the steward's own */
        struct journal *journal; /* NULL: no /logs */
        struct admin_calls calls;
        struct window window;
        struct list waiting; /* visits that wait for a reload */
        struct list tails;   /* visits that follow the log */
        struct admin_door doors[ADMIN_DOORS_MAX];
        unsigned door_count;
        struct arena arena;
        char *piece; /* where pieces of answers are made */
        char date[32];
        uint64_t date_second;
};

extern const struct site admin_site;

/* `gate`, `journal` and what `calls` points to must outlive it. */
struct admin_setup {
        struct loop *loop;
        struct gate *gate;
        struct journal *journal; /* NULL: no /logs */
        const struct admin_calls *calls;
};

void admin_init(struct admin *admin, const struct admin_setup *setup);

/* Begins to accept on fd, which stays the caller's. `host` of the configured address: a name that
 * is answered to; empty for a socket. ERR_limit: no more doors. */
must_use enum err admin_open(struct admin *admin, int fd, bool is_socket, struct str host);

/* Stops accepting on all doors. What is under way goes on. */
void admin_shut(struct admin *admin);

/* Ends what is under way: answers are finished, followers and those who wait are let go. */
void admin_drain(struct admin *admin);
bool admin_is_empty(const struct admin *admin);

/* admin_is_empty must hold; http_abort(&admin->http) and some turns of the loop see to it. */
void admin_fini(struct admin *admin);

/* Answers those who wait for that reload or one before it. */
void admin_reloaded(struct admin *admin, const struct admin_outcome *outcome);

/* Brings the steward's numbers up to date: process, roster, cells, snapshots, log. */
void admin_count(struct admin *admin, const struct admin_state *state);
