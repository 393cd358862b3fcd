/* key.h -- the text of an API key: gate_<env>_<26 random characters><6 of checksum>, base62. The
 * checksum lets anybody, offline, tell a mistyped key from a wrong one, and scanners find keys that
 * leaked. Not a secret store: what is kept of a key is its seal (seal.h). Files may hold other
 * keys, of 1 to 256 visible ASCII characters; only keys made here have this form. */
#pragma once

#include "base/str.h"

enum {
        KEY_SIZE_MAX = 256, /* of any key */
        KEY_WEAK_SIZE = 16, /* shorter ones deserve a warning */
        KEY_ENV_MAX = 16,   /* characters of <env>: [a-z0-9-], beginning with a letter */
        KEY_RANDOM = 26,    /* 154 bits */
        KEY_CHECKSUM = 6,   /* CRC-32 of all before it */
        KEY_MADE_SIZE_MAX = 5 + KEY_ENV_MAX + 1 + KEY_RANDOM + KEY_CHECKSUM,
        KEY_DISPLAY_MAX = 5 + KEY_ENV_MAX + 1 + 4 + 3 + 4,
};

enum key_kind {
        KEY_OURS,    /* the form above, with the right checksum */
        KEY_DAMAGED, /* the form above, but mistyped or cut */
        KEY_OTHER,   /* any other visible ASCII text of 1 to KEY_SIZE_MAX */
        KEY_NONE,    /* cannot be a key */
};

/* Writes a new key. The environment must be well formed (key_env_is_good). */
void key_make(struct str env, struct text *text);

bool key_env_is_good(struct str env);

enum key_kind key_check(struct str key);

/* The <env> part of a key of ours, empty of others. */
struct str key_env(struct str key);

/* How a key is shown once it must not be shown: gate_test_7Hq2…Zr4K; of other keys at most the
 * first and last two characters, nothing of a short one. */
void key_display(struct str key, struct text *text);
