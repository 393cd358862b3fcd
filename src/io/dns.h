/* dns.h -- names to addresses, on a loop: never blocks, follows names by the time to live of their
 * records, and keeps the last good addresses when the name servers fail. Whoever needs a name
 * begins a watch on it and is told of every change. Addresses, and `localhost`, are answered at
 * once and for ever, without a question. The wire is c-ares' business (dns_ares.c); when to ask and
 * what to believe is decided here. */
#pragma once

#include "io/loop.h"

struct dns;
struct dns_name;

enum { DNS_ADDRS_MAX = 100, DNS_NAME_MAX = 253, DNS_ASKING_MAX = 64, DNS_SERVERS_MAX = 256 };

enum dns_family { DNS_ANY, DNS_V4, DNS_V6 };

/* How to follow a name. Watches of one name under equal rules share its questions. */
struct dns_rule {
        enum dns_family family;
        uint64_t ttl_min_ns, ttl_max_ns; /* what a time to live is cut to */
        uint64_t stale_ns;               /* how long beyond it the last good addresses are kept */
};

#define DNS_RULE                                                                                   \
        ((struct dns_rule){.ttl_min_ns = 1000000000u,                                              \
                           .ttl_max_ns = 300000000000u,                                            \
                           .stale_ns = 3600000000000u})

struct dns_conf {
        struct str servers;  /* "192.0.2.1:53,[2001:db8::1]:53"; empty: the system's */
        uint64_t timeout_ns; /* of one try; 0: 2 s */
        unsigned tries;      /* per server, each longer than the one before; 0: 2 */
        bool has_no_hosts;   /* does not read the system's hosts file */
};

/* Embedded by whoever watches. What is public stays as it is between two calls of `changed`. */
struct dns_watch {
        void (*changed)(struct dns_watch *watch); /* may end the watch */
        const struct addr *addrs;                 /* in a fixed order, no duplicates, port 0 */
        unsigned count;  /* 0: none are known, or those known are too old */
        enum err error;  /* of the last answer; addrs may be good all the same */
        bool is_settled; /* an answer or a failure has come */
        /* dns.c */
        struct dns_name *name;
        struct list node;
        struct addr fixed[2];
};

struct dns_counts {
        uint64_t asked, answered, missing, timeouts, failed, changed;
};

/* A resolver for one loop. On a loop of the simulator dns_set_ask must say of whom to ask. */
struct dns *dns_make(struct loop *loop, const struct dns_conf *conf);
void dns_free(struct dns *dns); /* every watch must have ended */

/* Begins to watch. `changed` follows, never inside this call, unless the watch is settled when this
 * returns. ERR_syntax: no name and no address. */
must_use enum err dns_watch_begin(struct dns *dns, struct dns_watch *watch, struct str name,
                                  const struct dns_rule *rule);
void dns_watch_end(struct dns_watch *watch); /* may be called twice */

/* Asks for every name anew, soon: after the network changed. */
void dns_refresh(struct dns *dns);

const struct dns_counts *dns_counts(const struct dns *dns);
unsigned dns_name_count(const struct dns *dns);

/* A question and its answer, for those who play the name server in tests. Exactly one dns_answer
 * must follow each question, at once or later. ttl is in seconds. */
struct dns_answer {
        const struct addr *addrs;
        unsigned count;
        uint32_t ttl;
        enum err error; /* ERR_ok, ERR_missing (no such name, or no address), ERR_timeout, ERR_io */
};

typedef void dns_ask_fn(void *arg, struct dns_name *name, struct str text, enum dns_family family);
void dns_set_ask(struct dns *dns, dns_ask_fn *ask, void *arg);
void dns_give(struct dns_name *name, const struct dns_answer *answer);
