/* roster.h -- who may call: consumers and the keys that prove them. One table per data process,
 * changed key by key by one thread (the steward's) while all workers read it; a change is seen at
 * once, nothing is compiled and nothing is copied. Readers never wait, never write and take no
 * lock.
 *
 * Not a store (that is the file or the house) and not a snapshot: what is found is valid until the
 * reading worker's turn ends (roster_turn), so an exchange copies what it must remember. What was
 * removed is freed when every worker has passed a turn since; a worker that sleeps for long holds
 * it back, but not the change. Limits: ROSTER_*_MAX. */
#pragma once

#include "base/err.h"
#include "roster/seal.h"

enum {
        ROSTER_KEYS_MAX = 16 * 1024 * 1024,
        ROSTER_CONSUMERS_MAX = 16 * 1024 * 1024,
        ROSTER_TEXT_MAX = 52, /* bytes of a key's id and its display form together */
        ROSTER_TAGS_MAX = 64,
};

/* Where an entry comes from; a reload of one origin leaves the others alone. Of two that speak of
 * the same consumer or key the later one here has the say. */
enum roster_origin { ROSTER_FILE, ROSTER_HOUSE, ROSTER_ORIGINS };

struct consumer {
        struct str name, tier, channel; /* tier and channel may be empty */
        const struct str *tags;
        uint16_t tag_count;
        uint8_t origin;   /* enum roster_origin */
        bool is_blocked;  /* its keys are known and refused */
        const void *more; /* of whoever filled the table in */
};

/* A key as it is found; the texts lie in the roster. */
struct credential {
        const struct consumer *consumer;
        struct str id, display;
        int64_t expires_s; /* seconds since 1970; 0: never */
};

/* A key as it is put in. */
struct roster_key {
        struct seal seal;
        struct str consumer; /* its name */
        struct str id, display;
        int64_t expires_s;
        uint8_t origin; /* enum roster_origin */
};

enum roster_answer { ROSTER_UNKNOWN, ROSTER_EXPIRED, ROSTER_BLOCKED, ROSTER_KNOWN };

struct roster_counts {
        size_t keys, consumers, waiting; /* waiting: removed, not freed yet */
        size_t bytes;
};

struct roster;

struct roster *roster_make(const struct seal_secret *secret, unsigned workers);
void roster_free(struct roster *roster); /* no worker reads any more */

/* ---- the one writer ---- */

/* Adds a consumer or replaces it whole, unless an origin that has the say put it; its keys stay.
 * Everything is copied. */
must_use enum err roster_put_consumer(struct roster *roster, const struct consumer *consumer);

/* Its keys are revoked with it. ERR_missing. */
must_use enum err roster_remove_consumer(struct roster *roster, struct str name);

/* Adds a key, or replaces the one with the same seal, unless an origin that has the say put it.
 * ERR_missing: no such consumer; ERR_exists: the same key belongs to another consumer, and is not
 * about to be swept; ERR_range: a text is too long; ERR_limit. */
must_use enum err roster_put_key(struct roster *roster, const struct roster_key *key);

/* Revokes: unknown to all workers from now on. ERR_missing. */
must_use enum err roster_remove_key(struct roster *roster, struct hash128 tag);

/* To replace everything of one origin: roster_mark, put what is there now, roster_sweep, which
 * removes what was not put since. Between the two readers see the old and the new together. */
void roster_mark(struct roster *roster, enum roster_origin origin);
void roster_sweep(struct roster *roster, enum roster_origin origin);

/* Frees what no worker can see any more; to be called now and then. */
void roster_collect(struct roster *roster);

struct roster_counts roster_counts(const struct roster *roster);

/* ---- workers ---- */

/* Is it a key of ours, and whose? Always does the same work, found or not. *ret_credential is set
 * but for ROSTER_UNKNOWN, and is valid until roster_turn. */
enum roster_answer roster_find(const struct roster *roster, struct str key, int64_t now_s,
                               struct credential *ret_credential);

/* The consumer of that name; NULL when there is none. Valid until roster_turn. */
const struct consumer *roster_consumer(const struct roster *roster, struct str name);

/* At the end of a worker's turn: nothing found before is used any more. */
void roster_turn(struct roster *roster, unsigned worker);

/* When a worker's thread ends. */
void roster_leave(struct roster *roster, unsigned worker);
