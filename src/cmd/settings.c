/* settings.c -- pages of settings. */
#include "cmd/settings.h"

enum { PARTS_MAX = 64, CELL_MAX = 4096 };

static void put_row(struct sheet *sheet, const struct setting *setting, struct arena *arena)
{
        char value_memory[CELL_MAX], preset_memory[CELL_MAX], inner_memory[CELL_MAX];
        struct text value = text_over(value_memory, CELL_MAX);
        struct text preset = text_over(preset_memory, CELL_MAX);
        struct text inner = text_over(inner_memory, CELL_MAX);
        setting_write_value(setting, &value);
        if (setting->required)
                text_put(&preset, S("required"));
        else if (setting_write_preset(setting, arena, &inner))
                text_format(&preset, "`" STR_FMT "`", STR_ARG(text_str(&inner)));
        const struct str cells[] = {str_of(setting->name), text_str(&value), text_str(&preset),
                                    str_of(setting->text == NULL ? "" : setting->text)};
        sheet_row(sheet, cells);
}

void settings_write(struct sheet *sheet, const struct shape *shape)
{
        static const char *const heads[] = {"key", "value", "preset", "meaning", NULL};
        char memory[256];
        struct text text = text_over(memory, sizeof memory);
        struct arena arena;
        bool has_rest = false, has_row = false;
        arena_init(&arena, NULL, 16 << 20);
        if (shape->shorthand != NULL) {
                text_format(&text, "A value alone is its `%s`.", shape->shorthand);
                sheet_text(sheet, text_str(&text));
        }
        for (const struct setting *one = shape->settings; one->kind != SETTING_end; one++) {
                has_rest = has_rest || one->kind == SETTING_rest;
                if (one->kind >= SETTING_rest && one->kind != SETTING_any)
                        continue;
                if (!has_row)
                        sheet_table(sheet, heads);
                has_row = true;
                put_row(sheet, one, &arena);
        }
        if (has_rest)
                sheet_text(sheet, S("Every other key is a policy."));
        arena_fini(&arena);
}

void settings_write_all(struct sheet *sheet, const struct shape *shape)
{
        const struct shape *parts[PARTS_MAX] = {shape};
        size_t count = 1;
        for (size_t i = 0; i < count; i++) { /* grows while it is walked */
                sheet_head(sheet, i == 0 ? S("Keys at the top") : str_of(parts[i]->name));
                sheet_text(sheet, str_of(parts[i]->text));
                settings_write(sheet, parts[i]);
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

/* ---- policies ---- */

static struct str stage_text(enum stage stage)
{
        switch (stage) {
        case STAGE_TERMS:
                return S("It is no step: it settles how a route is served.");
        case STAGE_GUARD:
                return S("Asked first, before anything is known of the caller but the address.");
        case STAGE_IDENTIFY:
                return S("Asked to find out who calls.");
        case STAGE_ADMIT:
                return S("Asked once it is known who calls.");
        case STAGE_CHECK:
                return S("Asked about what the request holds.");
        case STAGE_ANSWER:
                return S("May answer without the upstream, after all checks.");
        case STAGE_SHAPE:
                return S("Changes what is sent on, last before the upstream.");
        }
        return S("");
}

/* The request with what comes of it, one to paste into a test by hand. */
static void put_example(struct sheet *sheet, const struct example *example)
{
        char memory[2048];
        struct text text = text_over(memory, sizeof memory);
        text_format(&text, "policies: { %s }\n\n", example->policies);
        if (example->times > 1)
                text_format(&text, "(%d times%s%s)\n", example->times,
                            example->address == NULL ? "" : ", from ",
                            example->address == NULL ? "" : example->address);
        else if (example->address != NULL)
                text_format(&text, "(from %s)\n", example->address);
        text_format(&text, "%s\n\n-> %u", example->request, example->status);
        if (example->has != NULL)
                text_format(&text, "\n   %s", example->has);
        if (example->lacks != NULL)
                text_format(&text, "\n   without %s", example->lacks);
        sheet_text(sheet, str_of(example->promise));
        sheet_code(sheet, text_str(&text));
}

void settings_write_policy(struct sheet *sheet, const struct policy *policy)
{
        const struct example *example = policy->examples;
        sheet_text(sheet, str_of(policy->shape->text));
        sheet_text(sheet, stage_text(policy->stage));
        if (policy->is_always)
                sheet_text(sheet, S("It holds with its presets where nothing is written."));
        settings_write(sheet, policy->shape);
        for (; example != NULL && example->promise != NULL; example++)
                put_example(sheet, example);
}
