/* yamlout.c -- writing YAML. */
#include "cmd/yamlout.h"

enum { ORIGIN_COLUMN = 48, LINE_WIDTH = 88, KEY_WIDTH = 128 };

/* Where the lines of a source begin. */
struct line_table {
        const uint32_t *starts;
        uint32_t count;
};

static void make_table(struct yamlout *yamlout, uint16_t source)
{
        struct str text = yamlout->sources->at[source].text;
        struct line_table *table = &yamlout->lines[source];
        uint32_t count = 1, at = 1;
        for (size_t i = 0; i < text.len; i++)
                count += text.ptr[i] == '\n';
        uint32_t *starts = arena_array(yamlout->arena, uint32_t, count);
        for (size_t i = 0; i < text.len && at < count; i++) {
                if (text.ptr[i] == '\n')
                        starts[at++] = (uint32_t)i + 1;
        }
        *table = (struct line_table){starts, count};
}

void yamlout_place(struct yamlout *yamlout, const struct json *node, struct text *out)
{
        const struct sources *sources = yamlout->sources;
        if (node->source == SOURCE_NONE || node->source >= sources->count ||
            (node->flags & JSON_PRESET) != 0) {
                text_put(out, S("default"));
                return;
        }
        if (yamlout->lines == NULL)
                yamlout->lines = arena_array(yamlout->arena, struct line_table, sources->count);
        if (yamlout->lines[node->source].starts == NULL)
                make_table(yamlout, node->source);
        const struct line_table *table = &yamlout->lines[node->source];
        uint32_t low = 0, high = table->count;
        while (high - low > 1) {
                uint32_t middle = low + (high - low) / 2;
                if (table->starts[middle] <= node->at)
                        low = middle;
                else
                        high = middle;
        }
        text_format(out, STR_FMT ":%u", STR_ARG(sources->at[node->source].name), low + 1);
}

/* ---- scalars ---- */

/* Words that a reader of YAML 1.2 would not take for text; YAML 1.1's are quoted too, for people
 * with older tools. */
static bool is_word(struct str s)
{
        static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "y", "n"};
        for (size_t i = 0; i < countof(words); i++) {
                if (str_eq_nocase(s, str_of(words[i])))
                        return true;
        }
        return false;
}

static bool is_plain_char(char c)
{
        char lower = char_lower(c);
        return (lower >= 'a' && lower <= 'z') || char_is_digit(c) || strchr("_./@%+-:", c) != NULL;
}

/* Texts that stand without quotes wherever they are; the others get them. */
static bool is_plain(struct str s)
{
        char first = s.len == 0 ? '\0' : char_lower(s.ptr[0]);
        bool is_letter = (first >= 'a' && first <= 'z') || first == '/' || first == '_';
        bool has_unit = char_is_digit(first);
        if ((!is_letter && !has_unit) || is_word(s) || s.ptr[s.len - 1] == ':')
                return false;
        bool is_number = true;
        for (size_t i = 0; i < s.len; i++) {
                bool is_space = s.ptr[i] == ' ' && i + 1 < s.len && s.ptr[i + 1] != '#' &&
                                s.ptr[i - 1] != ':';
                if (s.ptr[i] == '\0' || (!is_plain_char(s.ptr[i]) && !is_space))
                        return false;
                /* 10, 0x1f, 1e3, 1.5, 1:30 and dates are something else to some reader. */
                is_number = is_number && (char_hex(s.ptr[i]) >= 0 || strchr("xo._+-:", s.ptr[i]));
        }
        return is_letter || !is_number;
}

static void put_text(struct text *out, struct str s)
{
        if (is_plain(s)) {
                text_put(out, s);
                return;
        }
        text_char(out, '"');
        text_json(out, s);
        text_char(out, '"');
}

void yamlout_scalar(struct yamlout *yamlout, const struct json *node)
{
        if (node->kind == JSON_STRING && (node->flags & JSON_SECRET) == 0)
                put_text(yamlout->out, json_str(node, yamlout->arena));
        else
                json_write(node, JSON_COMPACT, yamlout->arena, yamlout->out);
}

/* ---- blocks ---- */

static void indent(struct text *out, unsigned depth)
{
        for (unsigned i = 0; i < depth; i++)
                text_put(out, S("  "));
}

/* Ends the line that began at `from`, with the origin of the value. */
static void end_line(struct yamlout *yamlout, size_t from, const struct json *node)
{
        struct text *out = yamlout->out;
        size_t width = 0;
        if (yamlout->sources != NULL) {
                for (size_t i = from; i < out->len; i++)
                        width += (out->at[i] & 0xc0) != 0x80;
                for (; width < ORIGIN_COLUMN - 1; width++)
                        text_char(out, ' ');
                text_put(out, yamlout->is_colored ? S(" \x1b[2m# ") : S(" # "));
                yamlout_place(yamlout, node, out);
                if (yamlout->is_colored)
                        text_put(out, S("\x1b[0m"));
        }
        text_char(out, '\n');
}

/* A list of scalars that fits into one line. */
static bool is_flow(const struct json *node)
{
        size_t width = 0;
        if (node->len == 0)
                return true;
        if (node->kind != JSON_ARRAY)
                return false;
        json_each (item, node) {
                if (item->kind >= JSON_ARRAY)
                        return false;
                width += item->len + 2;
        }
        return width < LINE_WIDTH;
}

static void put_flow(struct yamlout *yamlout, const struct json *node)
{
        bool is_first = true;
        if (node->len == 0) {
                text_put(yamlout->out, node->kind == JSON_ARRAY ? S("[]") : S("{}"));
                return;
        }
        text_char(yamlout->out, '[');
        json_each (item, node) {
                if (!is_first)
                        text_put(yamlout->out, S(", "));
                yamlout_scalar(yamlout, item);
                is_first = false;
        }
        text_char(yamlout->out, ']');
}

static void put_block(struct yamlout *yamlout, const struct json *node, unsigned depth,
                      bool is_indented);

/* What stands behind "key:" or "-" on a line that began at `from`. */
static void put_value(struct yamlout *yamlout, const struct json *node, unsigned depth, size_t from)
{
        if (node->kind >= JSON_ARRAY && !is_flow(node)) {
                text_char(yamlout->out, '\n');
                put_block(yamlout, node, depth + 1, false);
                return;
        }
        text_char(yamlout->out, ' ');
        if (node->kind >= JSON_ARRAY)
                put_flow(yamlout, node);
        else
                yamlout_scalar(yamlout, node);
        end_line(yamlout, from, node);
}

static void put_items(struct yamlout *yamlout, const struct json *node, unsigned depth)
{
        struct text *out = yamlout->out;
        json_each (item, node) {
                size_t from = out->len;
                indent(out, depth);
                text_char(out, '-');
                if (item->kind == JSON_OBJECT && item->len > 0) {
                        text_char(out, ' ');
                        put_block(yamlout, item, depth + 1, true);
                } else {
                        put_value(yamlout, item, depth, from);
                }
        }
}

/* Writes a key with its colon and returns where the line with the value begins. YAML takes no long
 * key before a colon on the same line. */
static size_t put_key(struct yamlout *yamlout, const struct json *key, unsigned depth, size_t from)
{
        struct text *out = yamlout->out;
        struct str text = json_str(key, yamlout->arena);
        if (text.len > KEY_WIDTH)
                text_put(out, S("? "));
        put_text(out, text);
        if (text.len > KEY_WIDTH) {
                text_char(out, '\n');
                from = out->len;
                indent(out, depth);
        }
        text_char(out, ':');
        return from;
}

/* A map or a list in block style; is_indented: the first line has its indent already. */
static void put_block(struct yamlout *yamlout, const struct json *node, unsigned depth,
                      bool is_indented)
{
        struct text *out = yamlout->out;
        if (node->kind == JSON_ARRAY) {
                put_items(yamlout, node, depth);
                return;
        }
        json_each (value, node) {
                size_t from = is_indented ? out->len - 2 * depth : out->len;
                if (!is_indented)
                        indent(out, depth);
                is_indented = false;
                from = put_key(yamlout, json_key(value), depth, from);
                put_value(yamlout, value, depth, from);
        }
}

void yamlout_put(struct yamlout *yamlout, const struct json *node)
{
        size_t from = yamlout->out->len;
        if (node->kind >= JSON_ARRAY && !is_flow(node)) {
                put_block(yamlout, node, 0, false);
                return;
        }
        if (node->kind >= JSON_ARRAY)
                put_flow(yamlout, node);
        else
                yamlout_scalar(yamlout, node);
        end_line(yamlout, from, node);
}
