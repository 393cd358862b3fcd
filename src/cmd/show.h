/* show.h -- quantities and tables as people read them in a terminal, and what comes from outside
 * made harmless for one. Not for programs: those get JSON. */
#pragma once

#include "base/arena.h"
#include "base/str.h"
#include "wire/json.h"

enum show_color { SHOW_PLAIN, SHOW_GOOD, SHOW_BAD, SHOW_WARN, SHOW_DIM, SHOW_BOLD };

/* The text with its color, when `is_colored`; the width is not touched. */
void show_color(struct text *out, bool is_colored, enum show_color color, struct str text);

void show_ns(struct text *out, uint64_t ns);         /* 850 us, 1.2 ms, 3.4 s */
void show_seconds(struct text *out, uint64_t s);     /* 12 s, 5 min 3 s, 3 h 12 min, 4 d 2 h */
void show_bytes(struct text *out, uint64_t bytes);   /* 12 KiB, 3.4 MiB */
void show_number(struct text *out, uint64_t number); /* 1234, 12.3k, 4.56M */
void show_milli(struct text *out, uint64_t milli);   /* thousandths: 0, 0.4, 12.3, 1234, 12.3k */

/* Without controls, and at most `most` characters wide; what is cut ends in an ellipsis. */
void show_text(struct text *out, struct str text, size_t most);

/* Width in a terminal, taking each character for one column; colors do not count. */
size_t show_width(struct str text);

/* ---- numbers and texts of a JSON document; 0 and empty where there are none ---- */

uint64_t show_u64(const struct json *object, const char *key);

/* Its value times 10^places. */
uint64_t show_number_scaled(const struct json *number, unsigned places);
uint64_t show_scaled(const struct json *object, const char *key, unsigned places);
struct str show_str(const struct json *object, const char *key, struct arena *arena);
bool show_is(const struct json *object, const char *key); /* it is true */

/* ---- tables ---- */

enum { TABLE_COLUMNS_MAX = 16 };

struct column {
        const char *head;
        bool is_right; /* numbers */
};

struct table {
        struct arena *arena;
        const struct column *columns;
        size_t columns_count;
        struct str *cells; /* row by row */
        size_t count, cap; /* cells */
};

void table_init(struct table *table, struct arena *arena, const struct column *columns,
                size_t columns_count);
void table_add(struct table *table, struct str cell); /* the next one, from left to right */

/* Rows from `first`, at most `most` of them; each line begins with `indent` and ends without
 * blanks. */
struct table_look {
        const char *indent;
        size_t first, most; /* most 0: all */
        size_t width;       /* lines are cut there; 0: they are not */
        bool is_colored;
};

void table_write(const struct table *table, const struct table_look *look, struct text *out);
