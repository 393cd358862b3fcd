/* fill.c -- the document with everything written out: presets, shorthands as blocks. Each value
 * keeps its origin, presets have none; what is secret is marked, so that no writer shows it. */
#include "schema/read_int.h"

struct filler {
        struct reader *reader;
        struct json_build build;
};

static void fill_shape(struct filler *filler, const struct shape *shape, const struct json *node);

static void put_key_of(struct filler *filler, const struct json *value)
{
        json_build_from(&filler->build, json_key(value));
        json_put_key(&filler->build, json_key_str(value));
}

static void from_preset(struct filler *filler)
{
        json_build_from(&filler->build, NULL);
        filler->build.from.flags = JSON_PRESET;
}

/* What came out of the environment may be a secret wherever any text may stand. */
static bool is_secret(const struct setting *setting, const struct json *node)
{
        bool is_open = setting->kind == SETTING_text || setting->kind == SETTING_texts ||
                       setting->kind == SETTING_pairs || setting->kind == SETTING_any;
        return node->kind == JSON_STRING &&
               (setting->is_secret || (is_open && (node->flags & JSON_FILLED) != 0));
}

/* A value as it was written, with its secrets marked. */
static void put_marked(struct filler *filler, const struct setting *setting,
                       const struct json *node)
{
        struct json_build *build = &filler->build;
        json_put_copy(build, node);
        struct json *copy = &build->nodes[build->count - node->span];
        if (is_secret(setting, copy))
                copy->flags |= JSON_SECRET;
        for (uint32_t i = 0; i < node->span; i++) {
                json_each (item, &copy[i]) {
                        if (is_secret(setting, item))
                                copy[item - copy].flags |= JSON_SECRET;
                }
        }
}

/* A policy under its key. */
static void put_policy(struct filler *filler, const struct json *value)
{
        const struct reader *reader = filler->reader;
        bool is_off = value->kind == JSON_FALSE || json_is_str(value, S("off"));
        const struct shape *shape = NULL;
        for (size_t i = 0; i < reader->policies_count && !is_off; i++) {
                if (str_is(json_key_str(value), reader->policies[i]->name))
                        shape = reader->policies[i];
        }
        put_key_of(filler, value);
        if (shape == NULL)
                json_put_copy(&filler->build, value);
        else
                fill_shape(filler, shape, value);
}

static void fill_list(struct filler *filler, const struct setting *setting, const struct json *node)
{
        json_build_from(&filler->build, node);
        json_begin(&filler->build, JSON_ARRAY);
        if (node->kind != JSON_ARRAY)
                fill_shape(filler, setting->shape, node);
        json_each (item, node) {
                if (node->kind == JSON_ARRAY)
                        fill_shape(filler, setting->shape, item);
        }
        json_end(&filler->build);
}

static void fill_map(struct filler *filler, const struct setting *setting, const struct json *node)
{
        json_build_from(&filler->build, node);
        json_begin(&filler->build, JSON_OBJECT);
        json_each (value, node) {
                if ((value->flags & JSON_REMOVED) != 0)
                        continue;
                if (setting->kind == SETTING_block) {
                        put_policy(filler, value);
                        continue;
                }
                put_key_of(filler, value);
                fill_shape(filler, setting->shape, value);
        }
        json_end(&filler->build);
}

static void fill_value(struct filler *filler, const struct setting *setting,
                       const struct json *node)
{
        if (is_word_of(setting, node)) {
                json_put_copy(&filler->build, node);
                return;
        }
        switch (setting->kind) {
        case SETTING_object:
        case SETTING_maybe:
                fill_shape(filler, setting->shape, node);
                break;
        case SETTING_list:
                fill_list(filler, setting, node);
                break;
        case SETTING_map:
        case SETTING_block:
                fill_map(filler, setting, node);
                break;
        default:
                put_marked(filler, setting, node);
                break;
        }
}

/* "[a, b]" is a list, anything else a text. */
static void put_preset_text(struct json_build *build, struct str text)
{
        if (!str_starts(text, S("["))) {
                json_put_text(build, text);
                return;
        }
        json_begin(build, JSON_ARRAY);
        for (struct str rest = str_first(str_skip(text, 1), text.len - 2); rest.ptr != NULL;)
                json_put_text(build, str_trim(str_cut(&rest, ',')));
        json_end(build);
}

bool preset_put(const struct setting *setting, struct json_build *build)
{
        char memory[64];
        struct text text = text_over(memory, sizeof memory);
        switch (setting->kind) {
        case SETTING_flag:
                json_put_bool(build, setting->preset != 0);
                return true;
        case SETTING_choice:
                json_put_text(build, str_of(setting->choices[setting->preset]));
                return true;
        case SETTING_set:
                json_begin(build, JSON_ARRAY);
                for (size_t i = 0; setting->choices[i] != NULL; i++) {
                        if ((setting->preset >> i & 1) != 0)
                                json_put_text(build, str_of(setting->choices[i]));
                }
                json_end(build);
                return true;
        case SETTING_integer:
        case SETTING_duration:
        case SETTING_size:
        case SETTING_byte_rate:
        case SETTING_share:
                if (setting->word != NULL && setting->preset == setting->word_as) {
                        json_put_text(build, str_of(setting->word));
                } else if (setting->kind == SETTING_integer) {
                        json_put_i64(build, setting->preset);
                } else {
                        number_write(setting->kind, setting->preset, &text);
                        json_put_text(build, arena_str(build->arena, text_str(&text)));
                }
                return true;
        default:
                if (setting->preset_text == NULL)
                        return false;
                put_preset_text(build, str_of(setting->preset_text));
                return true;
        }
}

bool has_preset(const struct setting *setting)
{
        bool is_number = setting->kind == SETTING_integer || setting->kind == SETTING_duration ||
                         setting->kind == SETTING_size || setting->kind == SETTING_byte_rate ||
                         setting->kind == SETTING_share;
        if (setting->required)
                return false;
        if (is_number)
                return setting->preset != 0 || setting->least <= 0 ||
                       (setting->word != NULL && setting->word_as == 0);
        return setting->kind == SETTING_flag || setting->kind == SETTING_choice ||
               setting->kind == SETTING_set || setting->preset_text != NULL;
}

static void fill_preset(struct filler *filler, const struct setting *setting)
{
        bool is_object = setting->kind == SETTING_object;
        if (!is_object && !has_preset(setting))
                return;
        from_preset(filler);
        json_put_key(&filler->build, str_of(setting->name));
        if (is_object)
                fill_shape(filler, setting->shape, NULL);
        else
                preset_put(setting, &filler->build);
}

static void fill_rest(struct filler *filler, const struct shape *shape, const struct json *node)
{
        json_each (value, node) {
                if (node->kind == JSON_OBJECT && shape_find(shape, json_key_str(value)) == NULL)
                        put_policy(filler, value);
        }
}

static void fill_shape(struct filler *filler, const struct shape *shape, const struct json *node)
{
        bool is_short = node != NULL && node->kind != JSON_OBJECT && node->kind != JSON_NULL;
        if (node == NULL)
                from_preset(filler);
        else
                json_build_from(&filler->build, node);
        json_begin(&filler->build, JSON_OBJECT);
        for (const struct setting *one = shape->settings; one->kind != SETTING_end; one++) {
                const struct json *value = NULL;
                if (one->kind == SETTING_rest)
                        fill_rest(filler, shape, node);
                if (one->kind >= SETTING_rest && one->kind != SETTING_any)
                        continue;
                if (!is_short)
                        value = json_get(node, str_of(one->name));
                else if (shape->shorthand != NULL && strcmp(shape->shorthand, one->name) == 0)
                        value = node;
                if (value == NULL || is_removed(one, value)) {
                        fill_preset(filler, one);
                        continue;
                }
                if (is_short) {
                        json_build_from(&filler->build, node);
                        json_put_key(&filler->build, str_of(one->name));
                } else {
                        put_key_of(filler, value);
                }
                fill_value(filler, one, value);
        }
        json_end(&filler->build);
}

const struct json *shape_fill(struct reader *reader, const struct shape *shape,
                              const struct json *node)
{
        struct filler filler = {.reader = reader};
        json_build_init(&filler.build, reader->arena, node == NULL ? 64 : node->span * 2);
        fill_shape(&filler, shape, node);
        return json_build_done(&filler.build);
}
