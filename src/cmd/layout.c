/* layout.c -- YAML laid out anew. The text is read into nodes, which know where they stand; the
 * tree says how deep each line belongs, and everything else of a line is kept. Lines that go on
 * with what an earlier one began (texts over several lines, braces) move with it. */
#include "cmd/layout.h"

#include "wire/yaml.h"

enum { INDENT = 2, NOT_PLACED = -1, COMMENT_SIGHT = 1000, PASSES = 8 };

struct line {
        uint32_t at, len; /* in the text, without its end */
        uint32_t indent;  /* blanks that it begins with */
        int32_t place;    /* what it is to begin with */
        int32_t shift;    /* of a line that goes on: by how much the first one moved */
        bool is_blank, is_comment;
        bool is_inner;    /* goes on with what began before */
        bool is_verbatim; /* and is a piece of text: blanks at its end count */
};

/* A run of characters within a line that becomes another. */
struct edit {
        uint32_t at, len;
        struct str with;
};

struct layout {
        struct str text;
        struct arena *arena;
        struct line *lines;
        uint32_t line_count;
        struct edit *edits; /* ascending */
        size_t edit_count, edit_cap;
};

/* ---- lines ---- */

static void split(struct layout *layout)
{
        uint32_t count = 1, n = 0;
        for (size_t i = 0; i < layout->text.len; i++)
                count += layout->text.ptr[i] == '\n';
        layout->lines = arena_array(layout->arena, struct line, count);
        for (struct str rest = layout->text; rest.ptr != NULL;) {
                uint32_t at = (uint32_t)(layout->text.len - rest.len);
                struct str line = str_cut(&rest, '\n');
                if (str_ends(line, S("\r")))
                        line.len--;
                uint32_t indent = 0;
                while (indent < line.len && (line.ptr[indent] == ' ' || line.ptr[indent] == '\t'))
                        indent++;
                layout->lines[n++] = (struct line){
                        .at = at,
                        .len = (uint32_t)line.len,
                        .indent = indent,
                        .place = NOT_PLACED,
                        .is_blank = indent == line.len,
                        .is_comment = indent < line.len && line.ptr[indent] == '#',
                };
        }
        layout->line_count = n;
}

static uint32_t line_of(const struct layout *layout, uint32_t at)
{
        uint32_t low = 0, high = layout->line_count;
        while (high - low > 1) {
                uint32_t middle = low + (high - low) / 2;
                if (layout->lines[middle].at <= at)
                        low = middle;
                else
                        high = middle;
        }
        return low;
}

static char char_at(const struct layout *layout, uint32_t at)
{
        return at < layout->text.len ? layout->text.ptr[at] : '\0';
}

static void add_edit(struct layout *layout, uint32_t at, uint32_t end, struct str with)
{
        if (end < at || str_eq(str_from(layout->text.ptr + at, end - at), with))
                return;
        if (layout->edit_count == layout->edit_cap) {
                size_t cap = layout->edit_cap == 0 ? 64 : layout->edit_cap * 2;
                struct edit *bigger = arena_array(layout->arena, struct edit, cap);
                if (layout->edit_count > 0)
                        memcpy(bigger, layout->edits, layout->edit_count * sizeof *bigger);
                layout->edits = bigger;
                layout->edit_cap = cap;
        }
        layout->edits[layout->edit_count++] = (struct edit){at, end - at, with};
}

/* The line on which something begins at `at` belongs at this depth, if that is the first thing on
 * it. */
static void place(struct layout *layout, uint32_t at, unsigned depth)
{
        struct line *line = &layout->lines[line_of(layout, at)];
        if (line->at + line->indent == at && line->place == NOT_PLACED)
                line->place = (int32_t)(depth * INDENT);
}

/* Lines behind the first up to `end` go on with it. */
static void go_on(struct layout *layout, uint32_t at, uint32_t end, int32_t shift, bool is_text)
{
        for (uint32_t i = line_of(layout, at) + 1; i < layout->line_count; i++) {
                struct line *line = &layout->lines[i];
                if (line->at >= end)
                        break;
                line->is_inner = true;
                line->is_verbatim = is_text;
                line->shift = shift;
        }
}

/* ---- scalars ---- */

static uint32_t end_of_quoted(const struct layout *layout, uint32_t at)
{
        char quote = char_at(layout, at);
        for (at++; at < layout->text.len; at++) {
                char c = char_at(layout, at);
                if (quote == '"' && c == '\\') {
                        at++;
                } else if (c == quote) {
                        if (quote == '"' || char_at(layout, at + 1) != '\'')
                                return at + 1;
                        at++;
                }
        }
        return at;
}

/* The end of a text of | or >: lines that are indented deeper than `column`, and empty ones between
 * them; with `+` also those behind. */
static uint32_t end_of_block(const struct layout *layout, uint32_t at, uint32_t column)
{
        uint32_t first = line_of(layout, at), last = first;
        const struct line *head = &layout->lines[first];
        bool keeps = false;
        for (uint32_t i = at; i < head->at + head->len && char_at(layout, i) != '#'; i++)
                keeps = keeps || char_at(layout, i) == '+';
        for (uint32_t i = first + 1; i < layout->line_count; i++) {
                const struct line *line = &layout->lines[i];
                if (!line->is_blank && line->indent <= column)
                        break;
                if (!line->is_blank || keeps)
                        last = i;
        }
        return layout->lines[last].at + layout->lines[last].len;
}

/* Of a plain one within braces; one that goes over several lines is left at the first. */
static uint32_t end_of_plain(const struct layout *layout, uint32_t at)
{
        uint32_t end = at;
        for (; at < layout->text.len; at++) {
                char c = char_at(layout, at), next = char_at(layout, at + 1);
                bool is_value = c == ':' && (next == ' ' || next == '\n' || next == ',');
                if (strchr(",[]{}\n\r", c) != NULL || is_value || (c == ' ' && next == '#'))
                        break;
                if (c != ' ')
                        end = at + 1;
        }
        return end;
}

/* ---- braces and brackets ---- */

static bool is_flow(const struct layout *layout, const struct json *node)
{
        char c = char_at(layout, node->at);
        return node->kind >= JSON_ARRAY && (c == '{' || c == '[');
}

static uint32_t skip_blanks(const struct layout *layout, uint32_t at)
{
        while (char_at(layout, at) == ' ')
                at++;
        return at;
}

static uint32_t flow(struct layout *layout, const struct json *node);

static uint32_t end_of(struct layout *layout, const struct json *node)
{
        char c = char_at(layout, node->at);
        if (is_flow(layout, node))
                return flow(layout, node);
        return c == '"' || c == '\'' ? end_of_quoted(layout, node->at)
                                     : end_of_plain(layout, node->at);
}

/* Between two members: a comma and one blank, where they stand on one line. */
static void space_comma(struct layout *layout, uint32_t end, uint32_t next)
{
        uint32_t comma = skip_blanks(layout, end);
        if (char_at(layout, comma) == ',' && skip_blanks(layout, comma + 1) == next)
                add_edit(layout, end, next, S(", "));
}

/* Finds the closing one behind blanks, ends of lines, comments and a last comma. */
static uint32_t find_close(const struct layout *layout, uint32_t at, char close)
{
        bool in_comment = false;
        for (; at < layout->text.len; at++) {
                char c = char_at(layout, at);
                if (c == '\n')
                        in_comment = false;
                else if (c == '#')
                        in_comment = true;
                else if (c == close && !in_comment)
                        return at;
        }
        return at;
}

/* Puts blanks in order and returns where it ends. Deeper than the reader lets it be it never is. */
static uint32_t flow(struct layout *layout, const struct json *node)
{
        bool is_object = node->kind == JSON_OBJECT;
        struct str inside = is_object ? S(" ") : S("");
        uint32_t end = node->at + 1, first = skip_blanks(layout, end);
        bool is_first = true;
        json_each (value, node) {
                const struct json *begin = is_object ? json_key(value) : value;
                if (is_first && first == begin->at)
                        add_edit(layout, end, first, inside);
                else if (!is_first)
                        space_comma(layout, end, begin->at);
                is_first = false;
                end = value->at < begin->at ? end_of(layout, begin) : end_of(layout, value);
        }
        uint32_t close = find_close(layout, end, is_object ? '}' : ']');
        if (!is_first && skip_blanks(layout, end) == close)
                add_edit(layout, end, close, inside);
        else if (is_first && skip_blanks(layout, end) == close)
                add_edit(layout, end, close, S(""));
        return close + 1;
}

/* ---- the tree ---- */

static uint32_t column_of(const struct layout *layout, uint32_t at)
{
        return at - layout->lines[line_of(layout, at)].at;
}

/* A value that is no block of its own. `column` is that of its key or dash, which moves to
 * `depth`. */
static void lay_value(struct layout *layout, const struct json *node, uint32_t column,
                      unsigned depth)
{
        int32_t shift = (int32_t)(depth * INDENT) - (int32_t)column;
        char c = char_at(layout, node->at);
        if (is_flow(layout, node))
                go_on(layout, node->at, flow(layout, node), shift, false);
        else if (node->kind == JSON_STRING && (c == '|' || c == '>'))
                go_on(layout, node->at, end_of_block(layout, node->at, column), shift, true);
        else if (c == '"' || c == '\'')
                go_on(layout, node->at, end_of_quoted(layout, node->at), shift, true);
        place(layout, node->at, depth + 1);
}

static void lay(struct layout *layout, const struct json *node, unsigned depth);

static bool is_block(const struct layout *layout, const struct json *node)
{
        return node->kind >= JSON_ARRAY && node->len > 0 && !is_flow(layout, node);
}

static void lay_map(struct layout *layout, const struct json *node, unsigned depth)
{
        json_each (value, node) {
                const struct json *key = json_key(value);
                place(layout, key->at, depth);
                if (is_block(layout, value))
                        lay(layout, value, depth + 1);
                else
                        lay_value(layout, value, column_of(layout, key->at), depth);
        }
}

/* The dash of an item, before it on its line or on one above. */
static uint32_t dash_of(const struct layout *layout, uint32_t at, uint32_t least)
{
        while (at > least && char_at(layout, at) != '-')
                at--;
        return at;
}

static void lay_list(struct layout *layout, const struct json *node, unsigned depth)
{
        uint32_t least = node->at;
        json_each (item, node) {
                uint32_t dash = item->at <= least ? least : dash_of(layout, item->at - 1, least);
                place(layout, dash, depth);
                if (item->at > dash && line_of(layout, dash) == line_of(layout, item->at))
                        add_edit(layout, dash + 1, item->at, S(" "));
                if (is_block(layout, item))
                        lay(layout, item, depth + 1);
                else
                        lay_value(layout, item, column_of(layout, dash), depth);
                least = item->at;
        }
}

/* A map or list in block style. Deeper than the reader lets it be it never is. */
static void lay(struct layout *layout, const struct json *node, unsigned depth)
{
        if (node->kind == JSON_OBJECT)
                lay_map(layout, node, depth);
        else
                lay_list(layout, node, depth);
}

/* ---- what the tree does not know ---- */

/* The nearest line above that is level with this one and in the same block; NULL: none. */
static const struct line *level_above(const struct layout *layout, uint32_t at)
{
        uint32_t indent = layout->lines[at].indent;
        for (uint32_t i = at; i > 0 && at - i < COMMENT_SIGHT; i--) {
                const struct line *line = &layout->lines[i - 1];
                if (line->is_blank || line->is_comment || line->is_inner)
                        continue;
                if (line->indent == indent)
                        return line;
                if (line->indent < indent)
                        return NULL;
        }
        return NULL;
}

/* It stands below a comment at the end of a line, of the same paragraph. */
static bool is_below_comment(const struct layout *layout, uint32_t at)
{
        uint32_t indent = layout->lines[at].indent;
        for (uint32_t i = at; i > 0 && !layout->lines[i - 1].is_blank; i--) {
                const struct line *above = &layout->lines[i - 1];
                if (above->indent < indent && indent < above->len && at - i < COMMENT_SIGHT &&
                    layout->text.ptr[above->at + indent] == '#')
                        return true;
        }
        return false;
}

/* A comment stands with what it is level with: what follows, or what was above. */
static int32_t place_of_comment(const struct layout *layout, uint32_t at, int32_t before)
{
        uint32_t indent = layout->lines[at].indent, next = at;
        while (next < layout->line_count &&
               (layout->lines[next].is_comment || layout->lines[next].is_blank))
                next++;
        bool has_next = next < layout->line_count && layout->lines[next].place != NOT_PLACED;
        if (is_below_comment(layout, at))
                return (int32_t)indent; /* the second line of one at the end of a line */
        if (has_next && layout->lines[next].indent == indent)
                return layout->lines[next].place;
        const struct line *above = level_above(layout, at);
        if (above != NULL)
                return above->place;
        if (has_next)
                return indent > layout->lines[next].indent ? before : layout->lines[next].place;
        return indent == 0 ? 0 : before;
}

static void place_rest(struct layout *layout)
{
        int32_t before = 0, shift = 0;
        for (uint32_t i = 0; i < layout->line_count; i++) {
                struct line *line = &layout->lines[i];
                if (line->is_blank && !line->is_verbatim)
                        continue;
                if (line->is_comment && !line->is_inner) {
                        line->place = place_of_comment(layout, i, before);
                        continue;
                }
                if (line->is_inner || line->place == NOT_PLACED) {
                        int32_t moved = (int32_t)line->indent +
                                        (line->is_inner ? line->shift : shift);
                        line->place = moved < 0 ? 0 : moved;
                        continue;
                }
                before = line->place;
                shift = line->place - (int32_t)line->indent;
        }
}

/* ---- writing ---- */

static void put_edited(const struct layout *layout, const struct line *line, size_t *edit,
                       struct text *out)
{
        uint32_t at = line->at + line->indent, end = line->at + line->len;
        while (*edit < layout->edit_count && layout->edits[*edit].at < end) {
                const struct edit *one = &layout->edits[(*edit)++];
                if (one->at < at)
                        continue;
                text_put(out, str_from(layout->text.ptr + at, one->at - at));
                text_put(out, one->with);
                at = one->at + one->len;
        }
        text_put(out, str_from(layout->text.ptr + at, end - at));
}

static void trim(struct text *out, size_t from)
{
        while (out->len > from && (out->at[out->len - 1] == ' ' || out->at[out->len - 1] == '\t'))
                out->len--;
}

static void put_line(const struct layout *layout, const struct line *line, size_t *edit,
                     struct text *out)
{
        size_t from = out->len;
        for (int32_t i = 0; i < line->place; i++)
                text_char(out, ' ');
        if (line->is_comment && !line->is_verbatim) {
                struct str comment = str_from(layout->text.ptr + line->at + line->indent,
                                              line->len - line->indent);
                char next = comment.len > 1 ? char_lower(comment.ptr[1]) : ' ';
                bool is_tight = (next >= 'a' && next <= 'z') || char_is_digit(next);
                text_put(out, is_tight ? S("# ") : S("#"));
                text_put(out, str_skip(comment, 1));
        } else {
                put_edited(layout, line, edit, out);
        }
        if (!line->is_verbatim)
                trim(out, from);
        text_char(out, '\n');
}

static struct str written(struct layout *layout)
{
        struct text out = text_grow(layout->arena, SIZE_MAX);
        bool was_blank = true;
        size_t edit = 0;
        for (uint32_t i = 0; i < layout->line_count; i++) {
                const struct line *line = &layout->lines[i];
                if (line->is_blank && !line->is_verbatim) {
                        if (!was_blank)
                                text_char(&out, '\n');
                        was_blank = true;
                        continue;
                }
                was_blank = false;
                put_line(layout, line, &edit, &out);
        }
        while (str_ends(text_str(&out), S("\n\n")))
                out.len--;
        return out.at == NULL ? S("") : text_str(&out);
}

/* ---- the whole ---- */

/* Reads a text that means the same as `root`: every value, in the same order. NULL: it does not. */
static const struct json *read_same(struct str text, const struct json *root, struct arena *arena)
{
        struct json_trouble trouble;
        const struct json *again;
        struct text was = text_grow(arena, SIZE_MAX), is = text_grow(arena, SIZE_MAX);
        const struct json_limits limits = {.size_max = UINT32_MAX, .nodes_max = UINT32_MAX};
        if (yaml_read(text, &limits, arena, &again, &trouble) != ERR_ok)
                return NULL;
        json_write(root, JSON_COMPACT, arena, &was);
        json_write(again, JSON_COMPACT, arena, &is);
        return str_eq(text_str(&was), text_str(&is)) ? again : NULL;
}

static enum err layout_json(const struct json *root, struct arena *arena, struct str *ret_text)
{
        struct text out = text_grow(arena, SIZE_MAX);
        json_write(root, JSON_PRETTY, arena, &out);
        text_char(&out, '\n');
        *ret_text = text_str(&out);
        return ERR_ok;
}

/* Without byte order marks in front. */
static struct str without_mark(struct str text)
{
        while (str_starts(text, S("\xef\xbb\xbf")))
                text = str_skip(text, 3);
        return text;
}

/* One pass over a text that was read as `root`. */
static struct str lay_out(struct str text, const struct json *root, struct arena *arena)
{
        struct layout layout = {.text = text, .arena = arena};
        split(&layout);
        if (is_block(&layout, root))
                lay(&layout, root, 0);
        else if (root->kind != JSON_NULL)
                lay_value(&layout, root, 0, 0);
        place_rest(&layout);
        return written(&layout);
}

/* tidy: many, because two of them are outputs of one call. */
enum err layout_text(struct str text, bool is_json, struct arena *arena, struct str *ret_text,
                     struct json_trouble *ret_trouble)
{
        const struct json_limits limits = {.size_max = UINT32_MAX, .nodes_max = UINT32_MAX};
        const struct json *first, *root;
        text = without_mark(text);
        enum err err = is_json ? json_read(text, &limits, arena, &first, ret_trouble)
                               : yaml_read(text, &limits, arena, &first, ret_trouble);
        if (err != ERR_ok)
                return ERR_syntax;
        if (is_json)
                return layout_json(first, arena, ret_text);
        root = first;
        /* What moved may let something else be seen: until nothing moves any more. */
        for (int pass = 0; pass < PASSES; pass++) {
                struct str next = without_mark(lay_out(text, root, arena));
                if (str_eq(next, text)) {
                        *ret_text = text;
                        return ERR_ok;
                }
                root = read_same(next, first, arena);
                if (root == NULL)
                        return ERR_io;
                text = next;
        }
        return ERR_io;
}
