/* steward.h -- the thread of a data process that does everything but traffic: reads and compiles
 * configurations, publishes them, opens doors, keeps what is alive, writes logs, serves the admin.
 */
#pragma once

#include "admin/admin.h"
#include "config/check.h"
#include "gate/bundle.h"
#include "gate/live.h"
#include "io/dns.h"
#include "main/crew.h"
#include "main/data.h"
#include "main/keeper_link.h"
#include "record/journal.h"
#include "roster/key.h"
#include "roster/roster.h"

/* Two families each, and twice as many while one configuration takes the place of another. */
enum { DOORS_MOST = 4 * CONFIG_LISTENERS_MAX };

/* One bound address of a listener, and the entrances of the workers to it. */
struct opening {
        struct str name;    /* of the listener */
        struct str address; /* as asked for */
        struct bound bound;
        bool is_wanted, is_open;
};

/* The admin site, the doors it has, and what it may ask for. */
struct desk {
        struct admin admin;
        struct admin_calls calls;
        struct admin_listener listeners[DOORS_MOST];
        struct bound bound[ADMIN_DOORS_MAX];
        bool is_socket[ADMIN_DOORS_MAX];
        unsigned bound_count;
        struct str host; /* of the configured address */
        struct str
                refused; /* why the keeper did not do what it was asked for last; empty: it did */
        char refused_memory[256];
};

/* Reloads, and what came of the last one. */
struct reload {
        uint64_t number;    /* of the last one that was asked for */
        uint64_t wall;      /* 0: none yet */
        uint64_t good, bad; /* how many so far */
        bool is_good, is_due;
        struct config_start taken; /* by this process: what no reload changes */
        struct str text;           /* why not */
        char memory[16384];
        struct bundle *passed_over; /* what was read last, when it is not what is in force */
        uint64_t good_at;           /* when what is in force is to be kept; 0: it is */
};

/* tidy: long, because it is all that a thread looks after; each part has its own file. */
struct steward {
        struct data_start *start;
        struct keeper_link *link;
        struct loop *loop;
        struct gate gate;
        struct crew crew;
        struct dns *dns;
        struct watchdog watchdog;
        struct seal_secret secret;
        struct journal journal;
        struct desk desk;
        struct arena arena; /* lives as long as the process */
        struct str folder;  /* where state is kept */
        struct opening openings[DOORS_MOST];
        unsigned opening_count;
        const struct snapshot *snapshot; /* the newest one */
        uint64_t published;              /* ns since 1970 */
        uint64_t started;
        struct reload reload;
        struct timer look; /* looks whether something is over: a drain, a file that changed */
        uint64_t drain_until;
        bool is_draining, is_ready;
        bool was_root;      /* it read what this user may not; a fresh process could again */
        struct mail retire; /* "there is something to retire", from any thread */
        _Atomic bool is_retire_posted;
};
