/* sheet.h -- a page of words that is written once and comes out as text for a terminal, as roff for
 * man, or as Markdown. Within text, `backticks` mark what is typed literally; there is no other
 * markup. Text is trusted: it is the program's own. */
#pragma once

#include "base/str.h"

enum sheet_style { SHEET_TEXT, SHEET_ROFF, SHEET_MARKDOWN };

struct sheet {
        enum sheet_style style;
        bool is_colored; /* of text only */
        unsigned width;  /* of text; 0: 80 */
        struct text *out;
        bool is_begun;            /* something stands above */
        const char *const *heads; /* of the table in hand */
};

/* Page of the manual: name ("gate-check"), section (1), what it is in a few words. */
void sheet_title(struct sheet *sheet, const char *name, unsigned section, struct str line);

void sheet_head(struct sheet *sheet, struct str title);
void sheet_subhead(struct sheet *sheet, struct str title);
void sheet_text(struct sheet *sheet, struct str text); /* a paragraph */

/* A term and what it means. */
void sheet_item(struct sheet *sheet, struct str term, struct str text);
void sheet_more(struct sheet *sheet, struct str text); /* a further paragraph of that item */

/* As it stands, line by line. */
void sheet_code(struct sheet *sheet, struct str text);

/* A table of Markdown; elsewhere items: the first cell is the term, the last one its text, and the
 * others follow under their heads where they are not empty. `heads` ends with NULL, and must live
 * until the last row. */
void sheet_table(struct sheet *sheet, const char *const *heads);
void sheet_row(struct sheet *sheet, const struct str *cells);
