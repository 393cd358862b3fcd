/* line.h -- a record as one line of the access log: JSON after OpenTelemetry's log data model (keys
 * in line.def), aligned text for people, or the combined format for old tools. Whatever came from
 * outside is escaped for its sink: one record is one line, and no byte of it speaks to a terminal.
 * Pure functions. */
#pragma once

#include "record/record.h"
#include "wire/date.h"

enum line_style { LINE_OFF, LINE_JSON, LINE_TEXT, LINE_CLF };

enum {
        LINE_SIZE_MAX = 48 * 1024, /* of one line, whatever the record holds */
        LINE_SIZE_USUAL = 1344,    /* of most, where it is not known beforehand */
};

struct line_look {
        enum line_style style;
        bool has_colour;          /* of text only */
        struct date_memo *moment; /* of JSON only; NULL: each date is worked out */
};

/* Room in which line_put writes it, mostly: in less, a line of JSON is not even begun. */
size_t line_most(const struct line_look *look, const struct record *record);

/* Writes the line with its end. `out` has room for LINE_SIZE_MAX bytes, or may be cut. */
void line_put(struct text *out, const struct line_look *look, const struct record *record);

/* INFO, WARN (the upstream answered 5xx) or ERROR (the gateway or the way to the upstream failed).
 */
struct str line_severity(const struct record *record);

/* JSON Schema of a line of LINE_JSON. */
void line_schema_put(struct text *out);
