/* json.h -- a document as one flat array of nodes, whatever it was written in: JSON here, YAML in
 * yaml.h. Numbers stay text, members keep their order, a key stands once in its object, and every
 * node knows the byte where its text began, and in which source. Reading is strict (RFC 8259,
 * UTF-8), iterative and bounded; nothing is allocated but on the caller's arena. Nodes are never
 * changed after they were read: merging and editing make a new array.
 *
 * A node is followed by what it contains, so a subtree is a run of `span` nodes. A member of an
 * object is its key, a string node, and behind it its value. */
#pragma once

#include "base/arena.h"
#include "base/str.h"

enum json_kind {
        JSON_NULL,
        JSON_FALSE,
        JSON_TRUE,
        JSON_NUMBER,
        JSON_STRING,
        JSON_ARRAY,
        JSON_OBJECT,
};

enum json_flag {
        JSON_ESCAPED = 1, /* ptr, len are the text between the quotes as it was written */
        JSON_FILLED = 2,  /* came out of a reference, so it may stand for a number or a flag too */
        JSON_SECRET = 4,  /* never to be shown */
        JSON_PRESET = 8,  /* nobody wrote it: the value that holds when nothing is written */
        JSON_REMOVED =
                16, /* `off` of a patch: off where that means something, else as if not there */
};

enum { JSON_DEPTH_MAX = 256 }; /* the deepest that any limit may allow */

struct json {
        const char *ptr; /* text of a string or number; not used by others */
        uint32_t len;    /* of that text; how many elements or members of an array or object */
        uint32_t span;   /* how many nodes this one and all it contains are */
        uint32_t at;     /* where it begins in its source, in bytes */
        uint16_t source; /* number that the caller gave to the text it read */
        uint8_t kind;    /* of enum json_kind */
        uint8_t flags;   /* of enum json_flag */
};

/* What may be read; 0 stands for the value in brackets. */
struct json_limits {
        uint32_t size_max;  /* bytes of text (16 MiB) */
        uint32_t nodes_max; /* keys count too (100,000) */
        uint32_t depth_max; /* arrays and objects in each other (64) */
        uint16_t source;    /* number that each node gets, where a text is one of several */
};

enum json_trouble_kind {
        TROUBLE_syntax,
        TROUBLE_twice, /* a key stands in its object twice; `also` is the first one */
        TROUBLE_alias, /* anchors, aliases, tags, merge keys of YAML */
        TROUBLE_limit,
};

/* Why a text was refused: a sentence part, where, and how many bytes are meant. */
struct json_trouble {
        enum json_trouble_kind kind;
        const char *what;
        const char *help; /* NULL: nothing to add */
        uint32_t at, len;
        uint32_t also_at, also_len;
};

/* Reads one document; limits may be NULL. The nodes lie in the arena, their text stays in `text`,
 * but for keys with escapes, which are decoded. ERR_syntax (not JSON, or a key twice), ERR_limit (a
 * limit, or the arena's). */
must_use enum err json_read(struct str text, const struct json_limits *limits, struct arena *arena,
                            const struct json **ret_root, struct json_trouble *ret_trouble);

/* Value of a member of an object, NULL when it has none, or when `object` is no object or NULL. */
const struct json *json_get(const struct json *object, struct str key);

/* Element of an array, NULL when there is none. */
const struct json *json_at(const struct json *array, size_t index);

/* RFC 6901: "" is the root, "/a/0" an element of a member. NULL when nothing is there. */
const struct json *json_pointer(const struct json *root, struct str pointer);

/* Key of a value that json_each or json_get gave out of an object. */
static inline const struct json *json_key(const struct json *value)
{
        return value - 1;
}

static inline struct str json_key_str(const struct json *value)
{
        return str_from(value[-1].ptr, value[-1].len);
}

static inline const struct json *json_end_(const struct json *node)
{
        return node == NULL || node->kind < JSON_ARRAY ? node : node + node->span;
}

/* Walks the elements of an array, or the values of an object's members; of anything else nothing.
 */
#define json_each(item, container)                                                                 \
        for (const struct json *item##_of = (container), *item##_end = json_end_(item##_of),       \
                               *item = json_first_(item##_of);                                     \
             item < item##_end; item += item->span + (item##_of->kind == JSON_OBJECT))

static inline const struct json *json_first_(const struct json *node)
{
        return node == NULL ? NULL : node + 1 + (node->kind == JSON_OBJECT);
}

/* Text of a string, number or key as it is in memory: escapes not decoded. Of others nothing. */
static inline struct str json_raw(const struct json *node)
{
        return node->kind < JSON_ARRAY ? str_from(node->ptr, node->len) : STR_NONE;
}

static inline bool json_is(const struct json *node, enum json_kind kind)
{
        return node != NULL && node->kind == kind;
}

/* Text of a string, decoded; the arena is used only when it has escapes. Empty when it is none. */
struct str json_str(const struct json *node, struct arena *arena);

/* True when it is a string of exactly this text. */
bool json_is_str(const struct json *node, struct str text);

/* A number that is whole (1e3 and 5.0 are) and fits; ERR_syntax, ERR_range. */
must_use enum err json_to_i64(const struct json *node, int64_t *ret_value);

enum json_style {
        JSON_COMPACT,
        JSON_PRETTY,    /* indented by two, an end of line behind every element */
        JSON_CANONICAL, /* compact, members sorted by the bytes of their keys */
};

/* Writes a document to the end of `out`. Secrets are written as ‹secret sha256:ab12…›; canonical
 * form has the whole digest, so that a changed secret is a changed document. */
void json_write(const struct json *node, enum json_style style, struct arena *scratch,
                struct text *out);

/* A new document, made piece by piece in the order of writing: containers are begun and ended, in
 * an object a key stands before each value. Keys are not checked for being there already. */
struct json_build {
        struct arena *arena;
        struct json *nodes;
        uint32_t count, cap, open; /* open: innermost container that is not ended, + 1 */
        struct json from;          /* source, at and flags that the next nodes get */
};

void json_build_init(struct json_build *build, struct arena *arena, uint32_t nodes_expected);

/* The pieces that follow say that they stand where `origin` stands; NULL: nowhere. */
void json_build_from(struct json_build *build, const struct json *origin);

void json_begin(struct json_build *build, enum json_kind kind); /* JSON_ARRAY or JSON_OBJECT */
void json_end(struct json_build *build);
void json_put_key(struct json_build *build, struct str key);
void json_put_text(struct json_build *build, struct str text);
void json_put_number(struct json_build *build, struct str digits);
void json_put_i64(struct json_build *build, int64_t value);
void json_put_bool(struct json_build *build, bool value);
void json_put_null(struct json_build *build);
/* A copy of a whole subtree, origins included. A key is copied as a key. */
void json_put_copy(struct json_build *build, const struct json *node);

/* The finished document; every container must have been ended. */
const struct json *json_build_done(struct json_build *build);

/* Shorthands for members. */
static inline void json_put_member(struct json_build *build, struct str key, struct str text)
{
        json_put_key(build, key);
        json_put_text(build, text);
}

/* Merge patch in the form of RFC 7396, a new document in the arena, each of whose values keeps its
 * origin. null removes; the text `off` replaces what was there and is marked JSON_REMOVED, because
 * only a reader that knows the setting can tell `off` as a value from `off` as a removal. */
const struct json *json_merge(const struct json *base, const struct json *patch,
                              struct arena *arena);
