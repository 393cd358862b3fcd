/* manual.c -- declarations as tables of the manual, in Markdown. */
#include "schema/read_int.h"

enum { PARTS_MAX = 64 };

static void put_words(const struct setting *setting, struct text *out)
{
        for (size_t i = 0; setting->choices[i] != NULL; i++)
                text_format(out, "%s`%s`", i == 0 ? "" : ", ", setting->choices[i]);
}

static void put_bound(const struct setting *setting, const char *word, int64_t value,
                      struct text *out)
{
        text_format(out, ", at %s ", word);
        number_write(setting->kind, value, out);
        if (setting->unit != NULL)
                text_format(out, " %s", setting->unit);
}

static bool is_counted(enum setting_kind kind)
{
        return kind == SETTING_texts || kind == SETTING_cidrs || kind == SETTING_set ||
               kind == SETTING_list || kind == SETTING_pairs || kind == SETTING_map;
}

/* "a duration, at least 1ms, at most 1h, or `off`". */
void setting_write_value(const struct setting *setting, struct text *out)
{
        enum setting_kind kind = setting->kind;
        bool is_text = kind == SETTING_text || kind == SETTING_texts;
        if (kind == SETTING_choice) {
                put_words(setting, out);
        } else if (kind == SETTING_set) {
                text_put(out, S("some of "));
                put_words(setting, out);
        } else if (kind == SETTING_text && setting->format != FORMAT_any) {
                text_put(out, str_of(format_text(setting->format)));
        } else {
                text_put(out, str_of(kind_words[kind].a));
        }
        if (kind == SETTING_texts && setting->format != FORMAT_any)
                text_format(out, ", each %s", format_text(setting->format));
        bool is_number = !is_text && !is_counted(kind);
        if (is_number && (setting->least > 0 || (setting->most != 0 && kind == SETTING_integer)))
                put_bound(setting, "least", setting->least, out);
        if (is_number && setting->most != 0)
                put_bound(setting, "most", setting->most, out);
        if (kind == SETTING_text && setting->most != 0)
                text_format(out, ", at most %lld characters", (long long)setting->most);
        if (is_counted(kind) && setting->most != 0)
                text_format(out, ", at most %lld", (long long)setting->most);
        if (setting->word != NULL)
                text_format(out, ", or `%s`", setting->word);
}

static void put_preset(const struct setting *setting, struct arena *arena, struct text *out)
{
        struct json_build build;
        if (!has_preset(setting))
                return;
        json_build_init(&build, arena, 8);
        preset_put(setting, &build);
        const struct json *node = json_build_done(&build);
        text_char(out, '`');
        if (node->kind == JSON_STRING)
                text_put(out, json_raw(node));
        else
                json_write(node, JSON_COMPACT, arena, out);
        text_char(out, '`');
}

/* A cell of a table: no bar, no end of line. */
static void put_cell(struct text *out, struct str s)
{
        for (size_t i = 0; i < s.len; i++) {
                if (s.ptr[i] == '|')
                        text_char(out, '\\');
                text_char(out, s.ptr[i] == '\n' ? ' ' : s.ptr[i]);
        }
        text_put(out, S(" | "));
}

static void put_row(const struct setting *setting, struct arena *arena, struct text *out)
{
        struct text value = text_grow(arena, 4096), preset = text_grow(arena, 4096);
        setting_write_value(setting, &value);
        if (setting->required)
                text_put(&preset, S("required"));
        else
                put_preset(setting, arena, &preset);
        text_format(out, "| `%s` | ", setting->name);
        put_cell(out, text_str(&value));
        put_cell(out, text_str(&preset));
        put_cell(out, str_of(setting->text == NULL ? "" : setting->text));
        out->len -= out->is_cut ? 0 : 1;
        text_char(out, '\n');
}

static void put_table(const struct shape *shape, struct arena *arena, struct text *out)
{
        text_put(out, str_of(shape->text));
        text_put(out, S("\n\n"));
        if (shape->shorthand != NULL)
                text_format(out, "A value alone is its `%s`.\n\n", shape->shorthand);
        bool has_rest = false, has_row = false;
        for (const struct setting *one = shape->settings; one->kind != SETTING_end; one++) {
                has_rest = has_rest || one->kind == SETTING_rest;
                if (one->kind >= SETTING_rest && one->kind != SETTING_any)
                        continue;
                if (!has_row)
                        text_put(out, S("| key | value | preset | meaning |\n|---|---|---|---|\n"));
                has_row = true;
                put_row(one, arena, out);
        }
        if (has_row)
                text_char(out, '\n');
        if (has_rest)
                text_put(out, S("Every other key is a policy.\n\n"));
}

void shape_write_manual(const struct shape *shape, struct arena *scratch, struct text *out)
{
        const struct shape *parts[PARTS_MAX] = {shape};
        size_t count = 1;
        for (size_t i = 0; i < count; i++) { /* grows while it is walked */
                if (i > 0)
                        text_format(out, "## %s\n\n", parts[i]->name);
                put_table(parts[i], scratch, out);
                const struct setting *one = parts[i]->settings;
                for (; one->kind != SETTING_end; one++) {
                        bool is_new = one->shape != NULL && count < PARTS_MAX;
                        for (size_t j = 0; j < count && is_new; j++)
                                is_new = parts[j] != one->shape;
                        if (is_new)
                                parts[count++] = one->shape;
                }
        }
}
