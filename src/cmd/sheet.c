/* sheet.c -- the three ways to write a page. */
#include <ctype.h>

#include "cmd/sheet.h"

enum { WIDTH = 80, INDENT = 2, HANG = 12 };

static unsigned width_of(const struct sheet *sheet)
{
        return sheet->width == 0 ? WIDTH : sheet->width;
}

static void blank_line(struct sheet *sheet)
{
        if (sheet->is_begun && sheet->style != SHEET_ROFF)
                text_char(sheet->out, '\n');
        sheet->is_begun = true;
}

static void mark(struct sheet *sheet, const char *sequence)
{
        if (sheet->is_colored && sheet->style == SHEET_TEXT)
                text_put(sheet->out, str_of(sequence));
}

/* ---- roff ---- */

/* Text of a line of roff: what would be a request or an escape is not. */
static void put_roff(struct text *out, struct str s, bool is_code)
{
        bool is_literal = false;
        if (s.len > 0 && (s.ptr[0] == '.' || s.ptr[0] == '\''))
                text_put(out, S("\\&"));
        for (size_t i = 0; i < s.len; i++) {
                char c = s.ptr[i];
                if (c == '`' && !is_code) {
                        is_literal = !is_literal;
                        text_put(out, is_literal ? S("\\fB") : S("\\fR"));
                } else if (c == '\\') {
                        text_put(out, S("\\e"));
                } else if (c == '-') {
                        text_put(out, S("\\-"));
                } else if (c == '^' || c == '~') {
                        text_put(out, c == '^' ? S("\\(ha") : S("\\(ti"));
                } else if (c == '`') {
                        text_put(out, S("\\(ga"));
                } else if (c == '\n') {
                        text_char(out, c);
                        if (i + 1 < s.len && (s.ptr[i + 1] == '.' || s.ptr[i + 1] == '\''))
                                text_put(out, S("\\&"));
                } else {
                        text_char(out, c);
                }
        }
}

static void roff_line(struct sheet *sheet, const char *request, struct str s)
{
        text_put(sheet->out, str_of(request));
        put_roff(sheet->out, s, false);
        text_char(sheet->out, '\n');
}

/* ---- text ---- */

static size_t characters(struct str s)
{
        size_t count = 0;
        for (size_t i = 0; i < s.len; i++)
                count += (s.ptr[i] & 0xc0) != 0x80;
        return count;
}

static void put_blanks(struct text *out, size_t count)
{
        for (size_t i = 0; i < count; i++)
                text_char(out, ' ');
}

/* Words, broken into lines that begin at `indent`. `at`: how far the first line is already. */
static void wrap(struct sheet *sheet, struct str s, size_t indent, size_t at)
{
        bool is_first = at >= indent && at > 0;
        if (at < indent)
                put_blanks(sheet->out, indent - at);
        at = at < indent ? indent : at;
        while (s.len > 0) {
                struct str word = str_cut(&s, ' ');
                size_t len = characters(word);
                if (word.len == 0)
                        continue;
                if (at + len + (is_first ? 1 : 0) > width_of(sheet) && at > indent) {
                        text_char(sheet->out, '\n');
                        put_blanks(sheet->out, indent);
                        at = indent;
                        is_first = false;
                }
                if (is_first) {
                        text_char(sheet->out, ' ');
                        at++;
                }
                text_put(sheet->out, word);
                at += len;
                is_first = true;
        }
        text_char(sheet->out, '\n');
}

/* ---- pages ---- */

void sheet_title(struct sheet *sheet, const char *name, unsigned section, struct str line)
{
        struct text *out = sheet->out;
        if (sheet->style == SHEET_ROFF) {
                text_format(out, ".TH \"");
                for (const char *c = name; *c != '\0'; c++)
                        text_char(out, *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c);
                text_format(out, "\" \"%u\" \"\" \"Gatehouse\" \"Gatehouse\"\n.SH NAME\n", section);
                put_roff(out, str_of(name), true);
                text_put(out, S(" \\- "));
                put_roff(out, line, false);
                text_char(out, '\n');
        } else if (sheet->style == SHEET_MARKDOWN) {
                text_format(out, "# %s\n\n" STR_FMT "\n", name, STR_ARG(line));
        } else {
                mark(sheet, "\x1b[1m");
                text_put(out, str_of(name));
                mark(sheet, "\x1b[0m");
                text_put(out, S(" --"));
                wrap(sheet, line, INDENT, characters(str_of(name)) + 3);
        }
        sheet->is_begun = true;
}

void sheet_head(struct sheet *sheet, struct str title)
{
        blank_line(sheet);
        if (sheet->style == SHEET_ROFF) { /* as pages of a manual have them */
                char memory[128];
                struct text upper = text_over(memory, sizeof memory);
                for (size_t i = 0; i < title.len; i++)
                        text_char(&upper, (char)toupper((unsigned char)title.ptr[i]));
                roff_line(sheet, ".SH ", text_str(&upper));
        } else if (sheet->style == SHEET_MARKDOWN) {
                text_format(sheet->out, "## " STR_FMT "\n", STR_ARG(title));
        } else {
                mark(sheet, "\x1b[1m");
                text_put(sheet->out, title);
                mark(sheet, "\x1b[0m");
                text_char(sheet->out, '\n');
        }
}

void sheet_subhead(struct sheet *sheet, struct str title)
{
        blank_line(sheet);
        if (sheet->style == SHEET_ROFF)
                roff_line(sheet, ".SS ", title);
        else if (sheet->style == SHEET_MARKDOWN)
                text_format(sheet->out, "### " STR_FMT "\n", STR_ARG(title));
        else
                wrap(sheet, title, INDENT, 0);
}

void sheet_text(struct sheet *sheet, struct str text)
{
        if (sheet->style == SHEET_ROFF) {
                text_put(sheet->out, S(".PP\n"));
                roff_line(sheet, "", text);
                return;
        }
        if (sheet->style == SHEET_MARKDOWN) {
                blank_line(sheet);
                text_format(sheet->out, STR_FMT "\n", STR_ARG(text));
                return;
        }
        if (sheet->out->len > 0 && sheet->out->at[sheet->out->len - 1] == '\n' && sheet->is_begun)
                text_char(sheet->out, '\n');
        sheet->is_begun = true;
        wrap(sheet, text, INDENT, 0);
}

void sheet_item(struct sheet *sheet, struct str term, struct str text)
{
        struct text *out = sheet->out;
        if (sheet->style == SHEET_ROFF) {
                text_put(out, S(".TP\n\\fB"));
                put_roff(out, term, true);
                text_put(out, S("\\fR\n"));
                roff_line(sheet, "", text);
        } else if (sheet->style == SHEET_MARKDOWN) {
                text_format(out, "\n- `" STR_FMT "`: " STR_FMT "\n", STR_ARG(term), STR_ARG(text));
        } else {
                size_t len = characters(term);
                put_blanks(out, INDENT);
                mark(sheet, "\x1b[1m");
                text_put(out, term);
                mark(sheet, "\x1b[0m");
                if (INDENT + len + 2 > INDENT + HANG) {
                        text_char(out, '\n');
                        wrap(sheet, text, INDENT + HANG, 0);
                } else {
                        wrap(sheet, text, INDENT + HANG, INDENT + len);
                }
        }
        sheet->is_begun = true;
}

void sheet_more(struct sheet *sheet, struct str text)
{
        if (sheet->style == SHEET_ROFF) {
                text_put(sheet->out, S(".IP\n"));
                roff_line(sheet, "", text);
        } else if (sheet->style == SHEET_MARKDOWN) {
                text_format(sheet->out, "\n  " STR_FMT "\n", STR_ARG(text));
        } else {
                wrap(sheet, text, INDENT + HANG, 0);
        }
}

void sheet_code(struct sheet *sheet, struct str text)
{
        if (sheet->style == SHEET_ROFF) {
                text_put(sheet->out, S(".PP\n.EX\n.RS 4\n"));
                put_roff(sheet->out, text, true);
                text_put(sheet->out, S("\n.RE\n.EE\n"));
                return;
        }
        blank_line(sheet);
        if (sheet->style == SHEET_MARKDOWN) {
                text_format(sheet->out, "```\n" STR_FMT "\n```\n", STR_ARG(text));
                return;
        }
        for (struct str rest = text; rest.ptr != NULL;) {
                struct str line = str_cut(&rest, '\n');
                put_blanks(sheet->out, INDENT * 2);
                text_put(sheet->out, line);
                text_char(sheet->out, '\n');
        }
}

/* ---- tables ---- */

static void put_cell(struct text *out, struct str s)
{
        for (size_t i = 0; i < s.len; i++) {
                if (s.ptr[i] == '|')
                        text_char(out, '\\');
                text_char(out, s.ptr[i] == '\n' ? ' ' : s.ptr[i]);
        }
}

void sheet_table(struct sheet *sheet, const char *const *heads)
{
        sheet->heads = heads;
        if (sheet->style != SHEET_MARKDOWN) {
                blank_line(sheet);
                return;
        }
        blank_line(sheet);
        text_char(sheet->out, '|');
        for (size_t i = 0; heads[i] != NULL; i++)
                text_format(sheet->out, " %s |", heads[i]);
        text_put(sheet->out, S("\n|"));
        for (size_t i = 0; heads[i] != NULL; i++)
                text_put(sheet->out, S("---|"));
        text_char(sheet->out, '\n');
}

/* "The text. Value: a number. Preset: 5." */
static void put_item_row(struct sheet *sheet, const struct str *cells, size_t count)
{
        char memory[8192];
        struct text text = text_over(memory, sizeof memory);
        text_put(&text, cells[count - 1]);
        for (size_t i = 1; i + 1 < count; i++) {
                char head = sheet->heads[i][0];
                if (cells[i].len == 0)
                        continue;
                text_format(&text, " %c%s: " STR_FMT ".",
                            head >= 'a' && head <= 'z' ? head - 32 : head, sheet->heads[i] + 1,
                            STR_ARG(cells[i]));
        }
        sheet_item(sheet, cells[0], text_str(&text));
}

void sheet_row(struct sheet *sheet, const struct str *cells)
{
        size_t count = 0;
        while (sheet->heads[count] != NULL)
                count++;
        if (sheet->style != SHEET_MARKDOWN) {
                put_item_row(sheet, cells, count);
                return;
        }
        text_put(sheet->out, S("| `"));
        put_cell(sheet->out, cells[0]);
        text_put(sheet->out, S("` |"));
        for (size_t i = 1; i < count; i++) {
                text_char(sheet->out, ' ');
                put_cell(sheet->out, cells[i]);
                text_put(sheet->out, S(" |"));
        }
        text_char(sheet->out, '\n');
}
