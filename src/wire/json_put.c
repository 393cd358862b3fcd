/* json_put.c -- commas, quotes and escapes. */
#include "wire/json_put.h"

/* What stands before a value: a comma where one is behind it in the same container. */
static void next(struct json_put *put)
{
        if (put->is_behind)
                text_char(put->out, ',');
        put->is_behind = true;
}

void put_begin(struct json_put *put, char bracket)
{
        next(put);
        text_char(put->out, bracket);
        put->is_behind = false;
}

void put_end(struct json_put *put, char bracket)
{
        text_char(put->out, bracket);
        put->is_behind = true;
}

void put_key(struct json_put *put, const char *key)
{
        put_text(put, str_of(key));
        text_char(put->out, ':');
        put->is_behind = false;
}

void put_text(struct json_put *put, struct str text)
{
        next(put);
        text_char(put->out, '"');
        text_json(put->out, text);
        text_char(put->out, '"');
}

void put_u64(struct json_put *put, uint64_t value)
{
        next(put);
        text_u64(put->out, value);
}

void put_decimal(struct json_put *put, uint64_t value, unsigned places)
{
        next(put);
        text_decimal(put->out, value, places);
}

void put_bool(struct json_put *put, bool value)
{
        next(put);
        text_put(put->out, value ? S("true") : S("false"));
}

void put_raw(struct json_put *put, struct str json)
{
        next(put);
        text_put(put->out, json);
}

void put_text_at(struct json_put *put, const char *key, struct str text)
{
        put_key(put, key);
        put_text(put, text);
}

void put_u64_at(struct json_put *put, const char *key, uint64_t value)
{
        put_key(put, key);
        put_u64(put, value);
}

void put_decimal_at(struct json_put *put, const char *key, uint64_t value, unsigned places)
{
        put_key(put, key);
        put_decimal(put, value, places);
}

void put_bool_at(struct json_put *put, const char *key, bool value)
{
        put_key(put, key);
        put_bool(put, value);
}
