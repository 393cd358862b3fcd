/* manual.c -- what a declaration says of itself, in words. */
#include "schema/read_int.h"

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

bool setting_write_preset(const struct setting *setting, struct arena *scratch, struct text *out)
{
        struct json_build build;
        if (!has_preset(setting))
                return false;
        json_build_init(&build, scratch, 8);
        preset_put(setting, &build);
        const struct json *node = json_build_done(&build);
        if (node->kind == JSON_STRING)
                text_put(out, json_raw(node));
        else
                json_write(node, JSON_COMPACT, scratch, out);
        return true;
}
