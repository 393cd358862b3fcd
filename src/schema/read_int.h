/* read_int.h -- what the files of the reader share: read.c walks blocks, read_value.c reads what
 * stands in them. */
#pragma once

#include "schema/setting.h"

/* One struct that is being filled. */
struct reading {
        struct reader *reader;
        const struct shape *shape;
        struct str name;         /* "orders" of api `orders`; may be empty */
        const struct json *node; /* the block; NULL: nothing is written */
        const struct json *at;   /* where to complain of what is missing */
        char *conf;
        uint64_t seen; /* settings that were written, by index */
        bool is_alone; /* a shorthand: one value stands for the whole block */
};

/* How the values of a kind are called, what to expect, and what to write. */
struct kind_words {
        const char *a, *expected, *help;
};

extern const struct kind_words kind_words[SETTING_KINDS];

static inline void *member_of(const struct reading *reading, const struct setting *setting)
{
        return reading->conf + setting->offset;
}

/* Reads one value into its member. Blocks inside it come back to read.c. */
void value_read(struct reading *reading, const struct setting *setting, const struct json *node);

/* Fills in what holds when nothing is written. */
void value_preset(struct reading *reading, const struct setting *setting);

void object_read(struct reading *reading, const struct setting *setting, const struct json *node);
void list_read(struct reading *reading, const struct setting *setting, const struct json *node);

/* True when a list or map has not too many and not too few elements; else it was said. */
bool count_fits(struct reading *reading, const struct setting *setting, const struct json *node,
                size_t count);

void map_read(struct reading *reading, const struct setting *setting, const struct json *node);
void block_read(struct reading *reading, const struct setting *setting, const struct json *node);

/* Fills conf from a node (NULL: presets only); complaints of what is missing go to `at`. */
void conf_read(struct reading *reading);

/* "in api `orders`", "in `limits`", or nothing at the top. */
struct str where_text(const struct reading *reading);

/* Complains that the value is of another kind. */
void fault_kind(struct reading *reading, const struct setting *setting, const struct json *node,
                const char *wanted);

/* True when the node is the word that the setting takes instead of a value. */
bool is_word_of(const struct setting *setting, const struct json *node);

/* A number of a kind, as it is written. */
void number_write(enum setting_kind kind, int64_t value, struct text *out);

/* `off` of a patch removes what cannot be off: true when the node is that. */
bool is_removed(const struct setting *setting, const struct json *node);

/* True when something holds although nothing is written, and can be shown. */
bool has_preset(const struct setting *setting);

/* Puts the preset as it would be written. */
bool preset_put(const struct setting *setting, struct json_build *build);
