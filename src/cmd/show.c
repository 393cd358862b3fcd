/* show.c -- quantities, texts and tables for a terminal. */
#include "cmd/show.h"

#include "base/check.h"

static const char *const colors[] = {
        [SHOW_PLAIN] = "",        [SHOW_GOOD] = "\x1b[32m", [SHOW_BAD] = "\x1b[31m",
        [SHOW_WARN] = "\x1b[33m", [SHOW_DIM] = "\x1b[2m",   [SHOW_BOLD] = "\x1b[1m",
};

void show_color(struct text *out, bool is_colored, enum show_color color, struct str text)
{
        bool is_plain = !is_colored || color == SHOW_PLAIN;
        if (!is_plain)
                text_put(out, str_of(colors[color]));
        text_put(out, text);
        if (!is_plain)
                text_put(out, S("\x1b[0m"));
}

/* ---- quantities ---- */

/* Three digits of value / 10^places, no zeros at the end: 1234 and 3 are 1.23. */
static void put_three(struct text *out, uint64_t value, unsigned places)
{
        uint64_t whole = value;
        for (unsigned i = 0; i < places; i++)
                whole /= 10;
        unsigned kept = whole >= 100 ? 0 : whole >= 10 ? 1 : 2;
        if (kept > places)
                kept = places;
        for (unsigned i = kept; i < places; i++)
                value = value / 10 + (i + 1 == places && value % 10 >= 5);
        text_decimal(out, value, kept);
}

void show_ns(struct text *out, uint64_t ns)
{
        if (ns == 0) {
                text_char(out, '0');
        } else if (ns < 1000000) {
                put_three(out, ns, 3);
                text_put(out, S(" us"));
        } else if (ns < 1000000000) {
                put_three(out, ns, 6);
                text_put(out, S(" ms"));
        } else {
                put_three(out, ns, 9);
                text_put(out, S(" s"));
        }
}

void show_seconds(struct text *out, uint64_t s)
{
        static const struct {
                uint64_t seconds;
                const char *name;
        } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
        size_t at = 0;
        while (at + 1 < countof(units) && s < units[at].seconds)
                at++;
        text_format(out, "%llu %s", (unsigned long long)(s / units[at].seconds), units[at].name);
        if (at + 1 == countof(units))
                return;
        uint64_t rest = s % units[at].seconds / units[at + 1].seconds;
        if (rest > 0)
                text_format(out, " %llu %s", (unsigned long long)rest, units[at + 1].name);
}

void show_bytes(struct text *out, uint64_t bytes)
{
        static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
        unsigned shift = 0, at = 0;
        while (at + 1 < countof(units) && bytes >> shift >= 1024) {
                shift += 10;
                at++;
        }
        uint64_t part = shift == 0 ? 0 : (bytes & (((uint64_t)1 << shift) - 1)) * 1000 >> shift;
        if (shift >= 40)
                part = 0;
        put_three(out, (bytes >> shift) * 1000 + part, 3);
        text_format(out, " %s", units[at]);
}

void show_number(struct text *out, uint64_t number)
{
        if (number < 10000) {
                text_u64(out, number);
        } else if (number < 1000000) {
                put_three(out, number, 3);
                text_char(out, 'k');
        } else if (number < 1000000000) {
                put_three(out, number, 6);
                text_char(out, 'M');
        } else {
                put_three(out, number, 9);
                text_char(out, 'G');
        }
}

void show_milli(struct text *out, uint64_t milli)
{
        if (milli < 1000000)
                put_three(out, milli, 3);
        else
                show_number(out, milli / 1000);
}

/* ---- texts ---- */

size_t show_width(struct str text)
{
        size_t width = 0;
        for (size_t i = 0; i < text.len; i++) {
                bool is_escape = text.ptr[i] == '\x1b';
                while (is_escape && i + 1 < text.len && text.ptr[i] != 'm')
                        i++;
                if (!is_escape)
                        width += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
        }
        return width;
}

void show_text(struct text *out, struct str text, size_t most)
{
        size_t width = 0;
        for (size_t i = 0; i < text.len;) {
                size_t len = str_utf8(text, i);
                unsigned char c = (unsigned char)text.ptr[i];
                /* Controls of both sets, and bytes that are no UTF-8. */
                bool is_bad = len == 0 || c < ' ' || c == 0x7f ||
                              (c == 0xc2 && (unsigned char)text.ptr[i + 1] < 0xa0);
                if (width + 1 == most && i + (len == 0 ? 1 : len) < text.len) {
                        text_put(out, S("…"));
                        return;
                }
                if (is_bad)
                        text_char(out, '?');
                else
                        text_put(out, str_from(text.ptr + i, len));
                i += len == 0 ? 1 : len;
                width++;
        }
}

/* ---- JSON ---- */

uint64_t show_number_scaled(const struct json *node, unsigned places)
{
        uint64_t value = 0;
        unsigned after = 0;
        bool is_after = false;
        if (!json_is(node, JSON_NUMBER))
                return 0;
        struct str text = json_raw(node);
        for (size_t i = 0; i < text.len && !(is_after && after == places); i++) {
                if (text.ptr[i] == '.' && !is_after) {
                        is_after = true;
                        continue;
                }
                if (!char_is_digit(text.ptr[i]) || value > UINT64_MAX / 100)
                        break; /* an exponent; a gate writes none */
                value = value * 10 + (uint64_t)(text.ptr[i] - '0');
                after += is_after;
        }
        for (; after < places && value < UINT64_MAX / 10; after++)
                value *= 10;
        return value;
}

uint64_t show_scaled(const struct json *object, const char *key, unsigned places)
{
        return show_number_scaled(json_get(object, str_of(key)), places);
}

uint64_t show_u64(const struct json *object, const char *key)
{
        return show_scaled(object, key, 0);
}

struct str show_str(const struct json *object, const char *key, struct arena *arena)
{
        struct str text = json_str(json_get(object, str_of(key)), arena);
        struct text out = text_grow(arena, text.len + 64);
        show_text(&out, text, SIZE_MAX);
        return out.at == NULL ? S("") : text_str(&out);
}

bool show_is(const struct json *object, const char *key)
{
        return json_is(json_get(object, str_of(key)), JSON_TRUE);
}

/* ---- tables ---- */

void table_init(struct table *table, struct arena *arena, const struct column *columns,
                size_t columns_count)
{
        CHECK(columns_count > 0 && columns_count <= TABLE_COLUMNS_MAX);
        *table = (struct table){.arena = arena, .columns = columns, .columns_count = columns_count};
}

void table_add(struct table *table, struct str cell)
{
        if (table->count == table->cap) {
                size_t cap = size_max(64, table->cap * 2);
                struct str *bigger = arena_array(table->arena, struct str, cap);
                if (table->count > 0)
                        memcpy(bigger, table->cells, table->count * sizeof *bigger);
                table->cells = bigger;
                table->cap = cap;
        }
        table->cells[table->count++] = cell;
}

static size_t width_of(const struct table *table, size_t column)
{
        size_t width = show_width(str_of(table->columns[column].head));
        for (size_t i = column; i < table->count; i += table->columns_count)
                width = size_max(width, show_width(table->cells[i]));
        return width;
}

static void put_blanks(struct text *out, size_t count)
{
        for (size_t i = 0; i < count; i++)
                text_char(out, ' ');
}

/* One line; `cells` has one for each column. Colors are not cut: a line that is too long loses
 * whole cells. */
static void put_line(struct text *out, const struct table *table, const struct str *cells,
                     const size_t *widths, const struct table_look *look)
{
        size_t begin = out->len, used = strlen(look->indent), pending = 0;
        text_put(out, str_of(look->indent));
        for (size_t i = 0; i < table->columns_count; i++) {
                size_t own = show_width(cells[i]), blanks = widths[i] - own;
                if (look->width > 0 && used + widths[i] > look->width && out->len > begin)
                        break;
                if (table->columns[i].is_right)
                        pending += blanks;
                if (own > 0) {
                        put_blanks(out, pending);
                        pending = 0;
                        text_put(out, cells[i]);
                }
                if (!table->columns[i].is_right)
                        pending += blanks;
                pending += 2;
                used += widths[i] + 2;
        }
        text_char(out, '\n');
}

void table_write(const struct table *table, const struct table_look *look, struct text *out)
{
        size_t widths[TABLE_COLUMNS_MAX];
        struct str heads[TABLE_COLUMNS_MAX];
        size_t rows = table->count / table->columns_count;
        size_t end = look->most == 0 ? rows : size_min(rows, look->first + look->most);
        for (size_t i = 0; i < table->columns_count; i++) {
                struct text head = text_grow(table->arena, 256);
                widths[i] = width_of(table, i);
                show_color(&head, look->is_colored && table->columns[i].head[0] != '\0', SHOW_DIM,
                           str_of(table->columns[i].head));
                heads[i] = head.at == NULL ? S("") : text_str(&head);
        }
        put_line(out, table, heads, widths, look);
        for (size_t row = look->first; row < end; row++)
                put_line(out, table, table->cells + row * table->columns_count, widths, look);
}
