/* str.h -- a length-carrying view of text, passed by value; and `struct text`, a bounded builder.
 * Nothing here needs or makes a terminating NUL, knows locales, or allocates (but text_grow). */
#pragma once

#include <stdarg.h>

#include "base/base.h"
#include "base/err.h"

struct str {
        const char *ptr;
        size_t len;
};

#define S(literal)      ((struct str){"" literal, sizeof(literal) - 1})
#define S_INIT(literal) {"" literal, sizeof(literal) - 1} /* the same for static data */
#define STR_FMT         "%.*s"
#define STR_ARG(s)      (int)(s).len, (s).ptr
#define STR_NONE        ((struct str){NULL, 0})

static inline struct str str_from(const char *ptr, size_t len)
{
        return (struct str){ptr, len};
}

/* View of a NUL-terminated string; NULL gives the empty view. */
static inline struct str str_of(const char *text)
{
        return (struct str){text, text == NULL ? 0 : strlen(text)};
}

static inline bool str_eq(struct str a, struct str b)
{
        return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_is(struct str a, const char *literal)
{
        return str_eq(a, str_of(literal));
}

/* ASCII lower case of one character. */
static inline char char_lower(char c)
{
        return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline bool char_is_digit(char c)
{
        return c >= '0' && c <= '9';
}

/* Value of a hexadecimal digit, -1 if it is none. */
int char_hex(char c);

bool str_eq_nocase(struct str a, struct str b); /* ASCII only */
int str_compare(struct str a, struct str b);    /* as memcmp, shorter first */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
ptrdiff_t str_find(struct str s, char c);              /* index, -1 if absent */
ptrdiff_t str_find_str(struct str s, struct str what); /* index, -1 if absent */
struct str str_trim(struct str s);                     /* without spaces and tabs at both ends */
struct str str_skip(struct str s, size_t n);           /* without the first n characters */
struct str str_first(struct str s, size_t n);          /* at most n characters */

/* The part before the first `sep`; *rest becomes what follows it, or empty with NULL ptr when there
 * was none. To walk a list: while (rest.ptr != NULL) item = str_cut(&rest, ','); */
struct str str_cut(struct str *rest, char sep);

/* Decimal digits only, no sign, no blank, at least one digit. ERR_syntax, ERR_range. */
must_use enum err str_to_u64(struct str s, uint64_t *ret_value);

/* How many single-character edits (insert, remove, replace, swap of neighbours) turn a into b, as
 * far as `most`; most + 1 means more. Both up to 64 characters. For suggestions. */
unsigned str_distance(struct str a, struct str b, unsigned most);

/* Length of the valid UTF-8 character at s.ptr[at], 0 if there is none (RFC 3629). */
size_t str_utf8(struct str s, size_t at);

/* Compares secrets: the time does not depend on where they differ. */
bool str_eq_secret(struct str a, struct str b);

/* Writes eight lower case hexadecimal digits and returns the place behind them. */
static inline char *hex_put_u32(char *to, uint32_t value)
{
        /* A nibble into each byte, then each to its letter: those over nine are 0x27 further on. */
        uint64_t x = value;
        x = (x << 16 | x) & 0x0000ffff0000ffffu;
        x = (x << 8 | x) & 0x00ff00ff00ff00ffu;
        x = (x << 4 | x) & 0x0f0f0f0f0f0f0f0fu;
        x += 0x3030303030303030u + ((x + 0x0606060606060606u) >> 4 & 0x0101010101010101u) * 0x27;
        x = big_endian_u64(x);
        memcpy(to, &x, sizeof x);
        return to + sizeof x;
}

/* The same for bytes, of which there must be a multiple of four. */
static inline char *hex_put(char *to, const uint8_t *bytes, size_t len)
{
        for (size_t i = 0; i < len; i += 4)
                to = hex_put_u32(to, big_endian_u32(load_u32(bytes + i)));
        return to;
}

/* Overwrites a secret that is not needed any more, where it lies. */
void str_wipe(struct str s);

/* A bounded builder over memory of the caller. When something does not fit, nothing of that piece
 * is written and is_cut is set; it stays set. One decides once, at the end. */
struct text {
        char *at;
        size_t len, max;
        struct arena *arena; /* NULL: the memory of the caller, which does not grow */
        size_t limit;        /* what it may grow to */
        bool is_cut;
};

static inline struct text text_over(char *memory, size_t size)
{
        return (struct text){.at = memory, .max = size};
}

/* A builder that starts empty and grows on an arena, up to `limit` bytes. */
struct arena;
static inline struct text text_grow(struct arena *arena, size_t limit)
{
        return (struct text){.arena = arena, .limit = limit};
}

static inline struct str text_str(const struct text *text)
{
        return (struct str){text->at, text->len};
}

/* True when there is room for `need` more bytes, made where the builder may grow; else it is cut.
 */
bool text_room_slow(struct text *text, size_t need);

static always_inline bool text_room(struct text *text, size_t need)
{
        return likely(!text->is_cut && need <= text->max - text->len) || text_room_slow(text, need);
}

static inline void text_put(struct text *text, struct str s)
{
        if (s.len == 0 || !text_room(text, s.len))
                return;
        memcpy(text->at + text->len, s.ptr, s.len);
        text->len += s.len;
}

/* The same for texts that are short as a rule: two words that overlap cost less than a call. */
static always_inline char *copy_short(char *to, const char *from, size_t len)
{
        if (len > 256) {
                memcpy(to, from, len);
        } else if (len >= 16) {
                char piece[16];
                for (size_t at = 0; at < len - 16; at += 16) {
                        memcpy(piece, from + at, 16);
                        memcpy(to + at, piece, 16);
                }
                memcpy(piece, from + len - 16, 16);
                memcpy(to + len - 16, piece, 16);
        } else if (len >= 8) {
                uint64_t first = load_u64(from), last = load_u64(from + len - 8);
                memcpy(to, &first, 8);
                memcpy(to + len - 8, &last, 8);
        } else if (len >= 4) {
                uint32_t first = load_u32(from), last = load_u32(from + len - 4);
                memcpy(to, &first, 4);
                memcpy(to + len - 4, &last, 4);
        } else if (len > 0) {
                to[0] = from[0];
                to[len / 2] = from[len / 2];
                to[len - 1] = from[len - 1];
        }
        return to + len;
}

static inline void text_char(struct text *text, char c)
{
        if (text_room(text, 1))
                text->at[text->len++] = c;
}

enum { U64_DIGITS_MAX = 20 };

/* In decimal; where `at` points there is room for U64_DIGITS_MAX. Returns the end. */
char *u64_put(char *at, uint64_t value);
void text_u64(struct text *text, uint64_t value);
void text_i64(struct text *text, int64_t value);
/* value / 10^places, places at most 18, without zeros at the end: 2100000 and 9 are 0.0021. */
void text_decimal(struct text *text, uint64_t value, unsigned places);
void text_hex(struct text *text, uint64_t value, unsigned digits); /* leading zeros kept */
void text_format(struct text *text, const char *format, ...) printf_like(2, 3);
void text_vformat(struct text *text, const char *format, va_list args) printf_like(2, 0);
/* True when all of it may stand in a JSON string as it is: printable ASCII, no quote, no backslash.
 */
bool str_is_plain(struct str s);
/* As the content of a JSON string: quotes, controls and invalid UTF-8 escaped; no quotes around. */
void text_json(struct text *text, struct str s);
