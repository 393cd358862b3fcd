/* setting.h -- a setting is declared once, as a row of a table, and the row yields its parser, its
 * JSON Schema, its page of the manual and its tests. A shape is a struct of settings: a policy's
 * conf, a kind of thing in the configuration, a part of one. The macros only declare: each fills in
 * name, offset and kind, and does not compile when the member has not the C type of that kind.
 *
 *   struct conf {
 *           struct rate rate;
 *           int64_t mode;
 *   };
 *   static const struct setting settings[] = {
 *           { RATE(rate), .required = true, .text = "How often a caller may ask." },
 *           { CHOICE(mode, "local", "strict"), .text = "Who counts." },
 *           { 0 } };
 *
 * A setting's name in the document is the member's name. CONF is the struct that the rows speak of;
 * a file with several of them defines it anew before each table. */
#pragma once

#include "base/arena.h"
#include "schema/fault.h"
#include "wire/cidr.h"
#include "wire/json.h"
#include "wire/unit.h"

#define CONF struct conf

enum setting_kind {
        SETTING_end,
        SETTING_integer,
        SETTING_flag,
        SETTING_text,
        SETTING_texts,
        SETTING_pairs,
        SETTING_choice,
        SETTING_set,
        SETTING_duration,
        SETTING_size,
        SETTING_byte_rate,
        SETTING_share,
        SETTING_rate,
        SETTING_address,
        SETTING_cidrs,
        SETTING_url,
        SETTING_object,
        SETTING_maybe,
        SETTING_list,
        SETTING_map,
        SETTING_block,
        SETTING_rest,
        SETTING_any,
        SETTING_reserved,
        SETTING_self_name,
        SETTING_self_node,
        SETTING_KINDS
};

/* What a text must look like. Each has a regular expression and a sentence in format.def. */
enum format {
        FORMAT_any,
#define FORMAT(id, pattern, text, example) FORMAT_##id,
#include "schema/format.def"
#undef FORMAT
        FORMAT_COUNT
};

struct texts {
        const struct str *at;
        const struct json *const *nodes; /* where each stands */
        size_t count;
};

struct pair {
        struct str name, value;
        const struct json *node; /* of the value */
};

struct pairs {
        const struct pair *at;
        size_t count;
};

struct shape;

/* A block of policies: of a table of shapes some, each read or `off`. */
struct block_item {
        size_t index;            /* in the table */
        void *conf;              /* NULL: off */
        const struct json *node; /* the value as written; its key stands before it */
};

struct block {
        const struct block_item *at; /* by index */
        size_t count;
};

struct setting {
        const char *name; /* key in the document */
        const char *text; /* one sentence */
        const char *unit; /* of an integer, for the manual */
        enum setting_kind kind;
        enum format format; /* of a text, of each of texts, of the keys of pairs or a map */
        size_t offset;      /* of the member in the struct */
        size_t count_offset;
        const char *const *choices; /* ends with NULL */
        const struct shape *shape;  /* of an object, of each in a list or map */
        int64_t least, most;        /* of a number; of a text its length, of a list its count;
                                       most = 0: no bound but the kind's */
        int64_t preset;             /* of numbers, flags, choices (index) and sets (bits) */
        const char *preset_text;    /* of other kinds, as it would be written */
        const char *word;           /* one word instead of a value: "off", "cores" */
        int64_t word_as;            /* what is stored for it, numbers only */
        const char *example;        /* as written, for schema and manual */
        bool required;
        bool is_secret;
        bool takes_numbers; /* texts: a bare number is one too, as it is written */
};

struct shape {
        const char *name; /* "api", "upstream": how messages call it */
        const char *text; /* one sentence */
        const struct setting *settings;
        size_t size;           /* of the struct */
        const char *shorthand; /* the setting that anything but an object fills; NULL: none */
};

#define SETTING_(m, k, type)                                                                       \
        .name = #m, .kind = SETTING_##k,                                                           \
        .offset = offsetof(CONF, m) + 0 * sizeof(_Generic(((CONF *)0)->m, type: 0))

/* A whole number; int64_t. */
#define INTEGER(m)     SETTING_(m, integer, int64_t)
/* true or false, on or off; bool. */
#define FLAG(m)        SETTING_(m, flag, bool)
/* struct str. Numbers must be quoted. */
#define TEXT(m)        SETTING_(m, text, struct str)
/* Texts, or one text without brackets; struct texts. */
#define TEXTS(m)       SETTING_(m, texts, struct texts)
/* Names and texts of the writer's choice, e.g. headers; struct pairs. */
#define PAIRS(m)       SETTING_(m, pairs, struct pairs)
/* One of the words; int64_t, its index. */
#define CHOICE(m, ...) SETTING_(m, choice, int64_t), .choices = SETTING_WORDS_(__VA_ARGS__)
/* Some of the words, a list; uint64_t, bit n for word n. */
#define SET(m, ...)    SETTING_(m, set, uint64_t), .choices = SETTING_WORDS_(__VA_ARGS__)
/* 30s, 1h30m; int64_t nanoseconds. */
#define DURATION(m)    SETTING_(m, duration, int64_t)
/* 10MiB; int64_t bytes. */
#define SIZE(m)        SETTING_(m, size, int64_t)
/* 240B/s; int64_t bytes per second. */
#define BYTE_RATE(m)   SETTING_(m, byte_rate, int64_t)
/* 5%; int64_t parts per million. */
#define SHARE(m)       SETTING_(m, share, int64_t)
/* 100/min per ip; struct rate. */
#define RATE(m)        SETTING_(m, rate, struct rate)
/* localhost:8080; struct host_port. */
#define ADDRESS(m)     SETTING_(m, address, struct host_port)
/* Networks; struct cidrs. */
#define CIDRS(m)       SETTING_(m, cidrs, struct cidrs)
/* http://host:port/path; struct url. */
#define URL(m)         SETTING_(m, url, struct url)
/* A part with settings of its own, filled with presets when absent; struct TAG, shape_TAG. */
#define OBJECT(m, tag) SETTING_(m, object, struct tag), .shape = &shape_##tag
/* The same, NULL when absent; struct TAG *. */
#define MAYBE(m, tag)  SETTING_(m, maybe, struct tag *), .shape = &shape_##tag
/* Several of them, or one without brackets; struct TAG *m and size_t m_count. */
#define LIST(m, tag)   SETTING_(m, list, struct tag *), .shape = &shape_##tag, SETTING_COUNT_(m)
/* Several by name; struct TAG *m and size_t m_count. */
#define MAP(m, tag)    SETTING_(m, map, struct tag *), .shape = &shape_##tag, SETTING_COUNT_(m)
/* Policies, by the table that the reader was given; struct block. */
#define BLOCK(m)       SETTING_(m, block, struct block)
/* Whatever is written, unread; const struct json *, NULL when absent. */
#define ANY(m)         SETTING_(m, any, const struct json *)
/* A key that is designed and not built yet: refused, and known to suggestions. */
#define RESERVED(key)  .name = key, .kind = SETTING_reserved
/* These have no key: the name under which this stands in its map (struct str), where it is written,
 * and the policies that stand among its other keys (struct block). */
#define SELF_NAME(m)   SETTING_(m, self_name, struct str)
#define SELF_NODE(m)   SETTING_(m, self_node, const struct json *)
#define THE_REST(m)    SETTING_(m, rest, struct block)

#define SETTING_WORDS_(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SETTING_COUNT_(m)                                                                          \
        .count_offset = offsetof(CONF, m##_count) +                                                \
                        0 * sizeof(_Generic(((CONF *)0)->m##_count, size_t: 0))

/* What reading needs, and collects. */
struct reader {
        struct arena *arena;                 /* structs, lists and decoded texts */
        struct faults *faults;               /* complaints */
        const struct shape *const *policies; /* for blocks */
        size_t policies_count;
        const struct setting *reserved; /* policies that are not built yet; ends with { 0 } */
};

/* Reads a node into a struct of the shape, presets filled in, every fault collected. NULL as node
 * gives the presets, and the faults of what is required. `name` is what it is called in messages,
 * and what SELF_NAME gets. Always returns a struct, to be used only when there were no errors. */
void *shape_read(struct reader *reader, const struct shape *shape, struct str name,
                 const struct json *node);

/* The same, into memory that the caller has. */
void shape_read_into(struct reader *reader, const struct shape *shape, struct str name,
                     const struct json *node, void *conf);

/* The document with every preset written out (JSON_PRESET), shorthands as blocks, and what is
 * secret marked, for `gate render` and `gate diff`. */
const struct json *shape_fill(struct reader *reader, const struct shape *shape,
                              const struct json *node);

/* Setting of that name, NULL when there is none. */
const struct setting *shape_find(const struct shape *shape, struct str name);

/* True when the text has that form. */
bool format_fits(enum format format, struct str text);

/* What a format is, in words, and the regular expression that says the same. */
const char *format_text(enum format format);
const char *format_pattern(enum format format);
const char *format_example(enum format format);

/* JSON Schema 2020-12 of a document of this shape, with the reader's policies in blocks. `id` is
 * the address under which it is known. */
void shape_write_schema(const struct reader *reader, const struct shape *shape, struct str id,
                        struct text *out);

/* What may be written, in words: "a duration, at least 1ms, at most 1h, or `off`". */
void setting_write_value(const struct setting *setting, struct text *out);

/* What holds when nothing is written, as it would be written; false: nothing that can be shown. */
bool setting_write_preset(const struct setting *setting, struct arena *scratch, struct text *out);
