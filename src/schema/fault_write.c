/* fault_write.c -- showing complaints: for people with the line and a caret, as JSON, as
 * annotations. What is quoted from a document is cleaned first: no controls, no characters that
 * turn the direction of writing, no secrets. */
#include "schema/fault_int.h"

enum { LINE_MAX_SHOWN = 140, LEAD = 60 };

struct painter {
        const struct faults *faults;
        struct text *out;
        bool is_colored;
};

static void paint(const struct painter *painter, const char *escape)
{
        if (painter->is_colored)
                text_put(painter->out, str_of(escape));
}

/* Controls, and the marks that turn the direction of writing (U+202A to 202E, U+2066 to 2069). */
static bool is_clean(struct str c)
{
        unsigned char first = (unsigned char)c.ptr[0];
        if (c.len == 1)
                return first >= 0x20 && first < 0x7f;
        if (c.len == 2)
                return first != 0xc2 || (unsigned char)c.ptr[1] >= 0xa0;
        if (c.len == 3 && first == 0xe2) {
                unsigned char second = (unsigned char)c.ptr[1], third = (unsigned char)c.ptr[2];
                return !(second == 0x80 && third >= 0xaa && third <= 0xae) &&
                       !(second == 0x81 && third >= 0xa6 && third <= 0xa9);
        }
        return true;
}

/* One character, cleaned; returns how long it was. */
static size_t put_char(struct text *out, struct str s, size_t at)
{
        size_t length = str_utf8(s, at);
        struct str c = {s.ptr + at, length};
        if (s.ptr[at] == '\t' || s.ptr[at] == '\n')
                text_char(out, ' ');
        else if (length > 0 && is_clean(c))
                text_put(out, c);
        else
                text_put(out, S("\xef\xbf\xbd"));
        return size_max(length, 1);
}

static void put_clean(struct text *out, struct str s)
{
        for (size_t i = 0; i < s.len;)
                i += put_char(out, s, i);
}

static void put_spaces(struct text *out, size_t count)
{
        for (size_t i = 0; i < count; i++)
                text_char(out, ' ');
}

/* The line that holds a place: its first byte and its text. */
static struct str line_of(const struct faults *faults, struct place place, size_t *ret_at)
{
        struct str text = faults->sources->at[place.source].text;
        size_t at = size_min(place.at, text.len);
        const char *before = at == 0 ? NULL : memrchr(text.ptr, '\n', at);
        size_t begin = before == NULL ? 0 : (size_t)(before - text.ptr) + 1;
        ptrdiff_t rest = str_find(str_skip(text, at), '\n');
        size_t end = rest < 0 ? text.len : at + (size_t)rest;
        if (end > at && text.ptr[end - 1] == '\r')
                end--;
        *ret_at = begin;
        return str_from(text.ptr + begin, end - begin);
}

/* The line, or the part of it around the place; how many columns stand before the caret. */
static size_t put_line(const struct painter *painter, struct place place)
{
        size_t begin, column = 0, shown = 0;
        struct str line = line_of(painter->faults, place, &begin);
        size_t caret = size_min(place.at - begin, line.len), i = 0;
        if (line.len > LINE_MAX_SHOWN && caret > LEAD) {
                i = caret - LEAD;
                while (i > 0 && ((unsigned char)line.ptr[i] & 0xc0) == 0x80)
                        i--;
                text_put(painter->out, S("…"));
                column = 1;
        }
        bool is_hidden = false;
        while (i < line.len && shown < LINE_MAX_SHOWN) {
                bool was_hidden = is_hidden;
                is_hidden = sources_is_hidden(painter->faults->sources, place.source, begin + i);
                size_t length = size_max(str_utf8(line, i), 1);
                if (!is_hidden)
                        put_char(painter->out, line, i);
                else if (!was_hidden)
                        text_put(painter->out, S("•••"));
                column += i >= caret ? 0 : is_hidden ? (was_hidden ? 0 : 3) : 1;
                i += length;
                shown++;
        }
        if (i < line.len)
                text_put(painter->out, S("…"));
        text_char(painter->out, '\n');
        return column;
}

static void put_caret(const struct painter *painter, struct place place, size_t column,
                      struct str label)
{
        struct line_column at = place_lines(painter->faults->sources, place);
        size_t width = size_min(size_max(at.end_column - at.column, 1), LINE_MAX_SHOWN);
        if (sources_is_hidden(painter->faults->sources, place.source, place.at))
                width = 3;
        put_spaces(painter->out, column);
        for (size_t i = 0; i < width; i++)
                text_char(painter->out, '^');
        if (label.len > 0) {
                text_char(painter->out, ' ');
                put_clean(painter->out, label);
        }
        text_char(painter->out, '\n');
}

static size_t digits_of(uint32_t line)
{
        size_t count = 1;
        for (; line >= 10; line /= 10)
                count++;
        return count;
}

/* File, line, source and caret. */
static void put_place(const struct painter *painter, const struct fault *fault, bool is_second)
{
        struct text *out = painter->out;
        struct place place = is_second ? fault->also : fault->place;
        struct line_column at = place_lines(painter->faults->sources, place);
        size_t gutter = digits_of(at.line) + 1;
        put_spaces(out, gutter);
        paint(painter, "\033[34m");
        text_put(out, is_second ? S("::: ") : S("--> "));
        paint(painter, "\033[0m");
        put_clean(out, painter->faults->sources->at[place.source].name);
        text_format(out, ":%u:%u", at.line, at.column);
        if (fault->aside.len > 0 && !is_second) {
                text_put(out, S("   ("));
                put_clean(out, fault->aside);
                text_char(out, ')');
        }
        text_char(out, '\n');
        put_spaces(out, gutter);
        text_put(out, S(" |\n "));
        text_u64(out, at.line);
        text_put(out, S(" | "));
        size_t column = put_line(painter, place);
        put_spaces(out, gutter);
        text_put(out, S(" | "));
        paint(painter,
              fault_code_severity(fault->code) == SEVERITY_error ? "\033[31m" : "\033[33m");
        put_caret(painter, place, column, is_second ? fault->also_label : fault->label);
        paint(painter, "\033[0m");
}

static void put_fault(const struct painter *painter, const struct fault *fault)
{
        struct text *out = painter->out;
        bool is_error = fault_code_severity(fault->code) == SEVERITY_error;
        paint(painter, is_error ? "\033[1;31m" : "\033[1;33m");
        text_format(out, "%s[%s]", is_error ? "error" : "warning", fault_code_name(fault->code));
        paint(painter, "\033[0m");
        text_put(out, S(": "));
        put_clean(out, fault->message);
        text_char(out, '\n');
        size_t gutter = 2;
        if (fault->place.source != SOURCE_NONE) {
                struct line_column at = place_lines(painter->faults->sources, fault->place);
                gutter = digits_of(at.line) + 1;
                put_place(painter, fault, false);
        } else if (fault->label.len > 0) {
                put_spaces(out, gutter);
                text_put(out, S(" = "));
                put_clean(out, fault->label);
                text_char(out, '\n');
        }
        if (fault->also.source != SOURCE_NONE)
                put_place(painter, fault, true);
        if (fault->help.len > 0) {
                put_spaces(out, gutter);
                text_put(out, S(" = help: "));
                put_clean(out, fault->help);
                text_char(out, '\n');
        }
}

void faults_write(const struct faults *faults, bool is_colored, struct text *out)
{
        const struct painter painter = {faults, out, is_colored};
        for (uint32_t i = 0; i < faults->count; i++) {
                if (i > 0)
                        text_char(out, '\n');
                put_fault(&painter, &faults->at[i]);
        }
        uint32_t total = faults->errors + faults->warnings;
        if (total > faults->count)
                text_format(out, "\n… and %u more\n", total - faults->count);
}

static void put_member(struct text *out, const char *key, struct str value)
{
        text_format(out, ",\"%s\":\"", key);
        text_json(out, value);
        text_char(out, '"');
}

static void put_range(struct text *out, struct str file, struct line_column at)
{
        text_put(out, S("\"file\":\""));
        text_json(out, file);
        text_format(out, "\",\"line\":%u,\"column\":%u,\"end_column\":%u", at.line, at.column,
                    at.end_column);
}

static void put_fault_json(const struct faults *faults, const struct fault *fault, struct text *out)
{
        bool is_error = fault_code_severity(fault->code) == SEVERITY_error;
        struct line_column at = place_lines(faults->sources, fault->place);
        struct str file = faults->sources->at[fault->place.source].name;
        text_format(out, "{\"code\":\"%s\",\"severity\":\"%s\"", fault_code_name(fault->code),
                    is_error ? "error" : "warning");
        if (fault->place.source != SOURCE_NONE) {
                text_char(out, ',');
                put_range(out, file, at);
        }
        put_member(out, "message", fault->message);
        if (fault->label.len > 0)
                put_member(out, "label", fault->label);
        if (fault->aside.len > 0)
                put_member(out, "where", fault->aside);
        if (fault->help.len > 0)
                put_member(out, "help", fault->help);
        if (fault->also.source != SOURCE_NONE) {
                text_put(out, S(",\"also\":{"));
                put_range(out, faults->sources->at[fault->also.source].name,
                          place_lines(faults->sources, fault->also));
                text_char(out, '}');
        }
        if (fault->fix.ptr != NULL && fault->place.source != SOURCE_NONE) {
                text_put(out, S(",\"fix\":{\"edits\":[{"));
                put_range(out, file, at);
                put_member(out, "text", fault->fix);
                text_put(out, S("}]}"));
        }
        text_char(out, '}');
}

void faults_write_json(const struct faults *faults, struct text *out)
{
        text_char(out, '[');
        for (uint32_t i = 0; i < faults->count; i++) {
                if (i > 0)
                        text_char(out, ',');
                put_fault_json(faults, &faults->at[i], out);
        }
        text_char(out, ']');
}

/* GitHub's own escapes; a property must not hold `:` and `,` either. */
static void put_github(struct text *out, struct str s, bool is_property)
{
        for (size_t i = 0; i < s.len; i++) {
                unsigned char c = (unsigned char)s.ptr[i];
                bool is_plain = c >= 0x20 && c != '%' && c != 0x7f &&
                                !(is_property && (c == ':' || c == ','));
                if (is_plain)
                        text_char(out, (char)c);
                else
                        text_format(out, "%%%02X", c);
        }
}

static void put_fault_github(const struct faults *faults, const struct fault *fault,
                             struct text *out)
{
        bool is_error = fault_code_severity(fault->code) == SEVERITY_error;
        struct line_column at = place_lines(faults->sources, fault->place);
        text_format(out, "::%s ", is_error ? "error" : "warning");
        if (fault->place.source != SOURCE_NONE) {
                text_put(out, S("file="));
                put_github(out, faults->sources->at[fault->place.source].name, true);
                text_format(out, ",line=%u,col=%u,endColumn=%u,", at.line, at.column,
                            at.end_column);
        }
        text_format(out, "title=%s::", fault_code_name(fault->code));
        put_github(out, fault->message, false);
        const struct str more[] = {fault->label, fault->help};
        for (size_t i = 0; i < countof(more); i++) {
                if (more[i].len == 0)
                        continue;
                text_put(out, i == 0 ? S("; ") : S("%0A"));
                put_github(out, more[i], false);
        }
        text_char(out, '\n');
}

void faults_write_github(const struct faults *faults, struct text *out)
{
        for (uint32_t i = 0; i < faults->count; i++)
                put_fault_github(faults, &faults->at[i], out);
}
