/* json_put.h -- JSON written as it is made, piece by piece, without a document in memory: for
 * answers of any length. It sees to commas, quotes and escapes; that each object gets a key before
 * each value is the caller's care. It is a value: a copy of it and the length of the text are a
 * place to go back to when a piece did not fit. */
#pragma once

#include "base/str.h"

struct json_put {
        struct text *out;
        bool is_behind; /* a value stands before, in the same container */
};

static inline struct json_put json_put_on(struct text *out)
{
        return (struct json_put){.out = out};
}

void put_begin(struct json_put *put, char bracket); /* '{' or '[' */
void put_end(struct json_put *put, char bracket);   /* '}' or ']' */

/* Of an object; the value follows. */
void put_key(struct json_put *put, const char *key);

void put_text(struct json_put *put, struct str text);
void put_u64(struct json_put *put, uint64_t value);
void put_decimal(struct json_put *put, uint64_t value, unsigned places);
void put_bool(struct json_put *put, bool value);

/* A value that is JSON already, made by something that writes JSON. */
void put_raw(struct json_put *put, struct str json);

/* A key and its value. */
void put_text_at(struct json_put *put, const char *key, struct str text);
void put_u64_at(struct json_put *put, const char *key, uint64_t value);
void put_decimal_at(struct json_put *put, const char *key, uint64_t value, unsigned places);
void put_bool_at(struct json_put *put, const char *key, bool value);
