/* emit.c -- declarations as JSON Schema 2020-12. Editors show what a schema says, so alternatives
 * are told apart by if/then/else on the kind of value instead of oneOf, of which only the noise
 * would be seen; and every text may be a reference. */
#include "base/check.h"
#include "schema/read_int.h"
#include "wire/yaml.h"

enum { SHAPES_MAX = 128 };

#define REFERENCE_PATTERN "\\$\\{[^}]+\\}"

struct emitter {
        const struct reader *reader;
        struct arena *arena;
        struct json_build build;
        const struct shape *shapes[SHAPES_MAX]; /* each gets a definition */
        size_t count;
};

static void put(struct emitter *emitter, const char *key, struct str text)
{
        json_put_member(&emitter->build, str_of(key), text);
}

static void put_number(struct emitter *emitter, const char *key, int64_t value)
{
        json_put_key(&emitter->build, str_of(key));
        json_put_i64(&emitter->build, value);
}

static void begin(struct emitter *emitter, const char *key)
{
        if (key != NULL)
                json_put_key(&emitter->build, str_of(key));
        json_begin(&emitter->build, JSON_OBJECT);
}

static void end(struct emitter *emitter)
{
        json_end(&emitter->build);
}

static void put_types(struct emitter *emitter, const char *first, const char *second)
{
        if (second == NULL) {
                put(emitter, "type", str_of(first));
                return;
        }
        json_put_key(&emitter->build, S("type"));
        json_begin(&emitter->build, JSON_ARRAY);
        json_put_text(&emitter->build, str_of(first));
        json_put_text(&emitter->build, str_of(second));
        json_end(&emitter->build);
}

/* The definition of a shape; it is written later. */
static void put_ref(struct emitter *emitter, const struct shape *shape)
{
        size_t at = 0;
        while (at < emitter->count && emitter->shapes[at] != shape)
                at++;
        if (at == emitter->count) {
                CHECK(emitter->count < SHAPES_MAX && strcmp(shape->name, "policies") != 0);
                for (size_t i = 0; i < emitter->count; i++) /* a name says which, in $defs */
                        CHECK(strcmp(emitter->shapes[i]->name, shape->name) != 0);
                emitter->shapes[emitter->count++] = shape;
        }
        put(emitter, "$ref", arena_format(emitter->arena, "#/$defs/%s", shape->name));
}

/* A pattern, or the word of the setting, or a reference. */
static void put_pattern(struct emitter *emitter, const struct setting *setting, const char *pattern)
{
        struct text out = text_grow(emitter->arena, 4096);
        if (pattern == NULL)
                return;
        text_put(&out, str_of(pattern));
        if (setting->word != NULL)
                text_format(&out, "|^%s$", setting->word);
        text_put(&out, S("|" REFERENCE_PATTERN));
        put(emitter, "pattern", text_str(&out));
}

/* `false` is a way to write off. */
static void forbid_true(struct emitter *emitter)
{
        begin(emitter, "not");
        json_put_key(&emitter->build, S("const"));
        json_put_bool(&emitter->build, true);
        end(emitter);
}

static const char *const unit_patterns[SETTING_KINDS] = {
        [SETTING_duration] = DURATION_PATTERN,
        [SETTING_size] = SIZE_PATTERN,
        [SETTING_byte_rate] = "^[0-9]+(\\.[0-9]+)?(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)/s$",
        [SETTING_share] = SHARE_PATTERN,
        [SETTING_rate] = RATE_PATTERN,
        [SETTING_address] = "^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]*):[0-9]{1,5}$",
        [SETTING_url] = URL_PATTERN,
};

static void emit_string(struct emitter *emitter, const struct setting *setting, const char *pattern)
{
        bool is_off = setting->word != NULL && strcmp(setting->word, "off") == 0;
        put_types(emitter, "string", is_off ? "boolean" : setting->takes_numbers ? "number" : NULL);
        put_pattern(emitter, setting, pattern);
        if (is_off)
                forbid_true(emitter);
}

static void emit_integer(struct emitter *emitter, const struct setting *setting)
{
        json_put_key(&emitter->build, S("type"));
        json_begin(&emitter->build, JSON_ARRAY);
        json_put_text(&emitter->build, S("integer"));
        json_put_text(&emitter->build, S("string"));
        bool is_off = setting->word != NULL && strcmp(setting->word, "off") == 0;
        if (is_off)
                json_put_text(&emitter->build, S("boolean"));
        json_end(&emitter->build);
        put_number(emitter, "minimum", setting->least);
        if (setting->most != 0)
                put_number(emitter, "maximum", setting->most);
        put_pattern(emitter, setting, "^" REFERENCE_PATTERN "$");
        if (is_off)
                forbid_true(emitter);
}

/* The words; a word of digits is a number too, and off is false too. */
static void emit_words(struct emitter *emitter, const struct setting *setting)
{
        json_put_key(&emitter->build, S("enum"));
        json_begin(&emitter->build, JSON_ARRAY);
        for (size_t i = 0; setting->choices[i] != NULL; i++) {
                uint64_t number;
                struct str word = str_of(setting->choices[i]);
                json_put_text(&emitter->build, word);
                if (str_to_u64(word, &number) == ERR_ok)
                        json_put_number(&emitter->build, word);
                if (str_is(word, "off"))
                        json_put_bool(&emitter->build, false);
        }
        json_end(&emitter->build);
}

/* One value without brackets, or a list of them. */
static void emit_list(struct emitter *emitter, const struct setting *setting,
                      void (*emit_one)(struct emitter *, const struct setting *))
{
        begin(emitter, "if");
        put(emitter, "type", S("array"));
        end(emitter);
        begin(emitter, "then");
        begin(emitter, "items");
        emit_one(emitter, setting);
        end(emitter);
        if (setting->least > 0)
                put_number(emitter, "minItems", setting->least);
        if (setting->most > 0)
                put_number(emitter, "maxItems", setting->most);
        end(emitter);
        begin(emitter, "else");
        emit_one(emitter, setting);
        end(emitter);
}

static void emit_text(struct emitter *emitter, const struct setting *setting)
{
        emit_string(emitter, setting, format_pattern(setting->format));
        put_number(emitter, "minLength", 1);
        if (setting->kind == SETTING_text && setting->most > 0)
                put_number(emitter, "maxLength", setting->most);
}

static void emit_network(struct emitter *emitter, const struct setting *setting)
{
        emit_string(emitter, setting, "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$");
}

static void emit_ref(struct emitter *emitter, const struct setting *setting)
{
        put_ref(emitter, setting->shape);
}

static void put_block_type(struct emitter *emitter)
{
        put_types(emitter, "object", "null");
}

static void emit_names(struct emitter *emitter, const struct setting *setting)
{
        put_block_type(emitter);
        if (format_pattern(setting->format) != NULL) {
                begin(emitter, "propertyNames");
                put(emitter, "pattern", str_of(format_pattern(setting->format)));
                end(emitter);
        }
        if (setting->most > 0)
                put_number(emitter, "maxProperties", setting->most);
        begin(emitter, "additionalProperties");
        if (setting->kind == SETTING_map)
                emit_ref(emitter, setting);
        else
                put(emitter, "type", S("string"));
        end(emitter);
}

/* A part, or the word that stands for there being none. */
static void emit_part(struct emitter *emitter, const struct setting *setting)
{
        if (setting->word == NULL) {
                emit_ref(emitter, setting);
                return;
        }
        begin(emitter, "if");
        json_put_key(&emitter->build, S("enum"));
        json_begin(&emitter->build, JSON_ARRAY);
        json_put_text(&emitter->build, str_of(setting->word));
        json_put_bool(&emitter->build, false);
        json_end(&emitter->build);
        end(emitter);
        begin(emitter, "else");
        emit_ref(emitter, setting);
        end(emitter);
}

static void emit_value(struct emitter *emitter, const struct setting *setting)
{
        switch (setting->kind) {
        case SETTING_integer:
                emit_integer(emitter, setting);
                break;
        case SETTING_flag:
                put_types(emitter, "boolean", "string");
                put_pattern(emitter, setting, "^(on|off)$");
                break;
        case SETTING_text:
                emit_text(emitter, setting);
                break;
        case SETTING_texts:
                emit_list(emitter, setting, emit_text);
                break;
        case SETTING_cidrs:
                emit_list(emitter, setting, emit_network);
                break;
        case SETTING_choice:
                emit_words(emitter, setting);
                break;
        case SETTING_set:
                emit_list(emitter, setting, emit_words);
                break;
        case SETTING_pairs:
        case SETTING_map:
                emit_names(emitter, setting);
                break;
        case SETTING_object:
        case SETTING_maybe:
                emit_part(emitter, setting);
                break;
        case SETTING_list:
                emit_list(emitter, setting, emit_ref);
                break;
        case SETTING_block:
                put(emitter, "$ref", S("#/$defs/policies"));
                break;
        default:
                if (unit_patterns[setting->kind] != NULL)
                        emit_string(emitter, setting, unit_patterns[setting->kind]);
                break;
        }
}

static void put_example(struct emitter *emitter, const struct setting *setting)
{
        struct json_trouble trouble;
        const struct json *example;
        if (setting->example == NULL)
                return;
        enum err err = yaml_read(str_of(setting->example), NULL, emitter->arena, &example,
                                 &trouble);
        CHECK(err == ERR_ok);
        json_put_key(&emitter->build, S("examples"));
        json_begin(&emitter->build, JSON_ARRAY);
        json_put_copy(&emitter->build, example);
        json_end(&emitter->build);
}

static void emit_setting(struct emitter *emitter, const struct setting *setting)
{
        begin(emitter, setting->name);
        if (setting->text != NULL) {
                struct text words = text_grow(emitter->arena, 4096);
                put(emitter, "description", str_of(setting->text));
                text_put(&words, str_of(setting->text));
                text_put(&words, S("\n\nWrite "));
                setting_write_value(setting, &words);
                text_char(&words, '.');
                put(emitter, "markdownDescription", text_str(&words));
        }
        emit_value(emitter, setting);
        if (has_preset(setting)) {
                json_put_key(&emitter->build, S("default"));
                preset_put(setting, &emitter->build);
        }
        put_example(emitter, setting);
        end(emitter);
}

static bool is_shown(const struct setting *setting)
{
        return setting->kind < SETTING_rest || setting->kind == SETTING_any;
}

/* One policy in a block: its settings or off. */
static void emit_policy(struct emitter *emitter, const struct shape *policy)
{
        begin(emitter, policy->name);
        put(emitter, "description", str_of(policy->text));
        begin(emitter, "if");
        json_put_key(&emitter->build, S("enum"));
        json_begin(&emitter->build, JSON_ARRAY);
        json_put_text(&emitter->build, S("off"));
        json_put_bool(&emitter->build, false);
        json_end(&emitter->build);
        end(emitter);
        begin(emitter, "else");
        put_ref(emitter, policy);
        end(emitter);
        end(emitter);
}

static void emit_policies(struct emitter *emitter)
{
        for (size_t i = 0; i < emitter->reader->policies_count; i++)
                emit_policy(emitter, emitter->reader->policies[i]);
}

/* The type of a block and what must stand in it: nothing at all is a block of presets. */
static void emit_required(struct emitter *emitter, const struct shape *shape)
{
        bool has_any = false;
        for (const struct setting *one = shape->settings; one->kind != SETTING_end; one++)
                has_any = has_any || one->required;
        put_types(emitter, "object", has_any ? NULL : "null");
        if (!has_any)
                return;
        json_put_key(&emitter->build, S("required"));
        json_begin(&emitter->build, JSON_ARRAY);
        for (const struct setting *one = shape->settings; one->kind != SETTING_end; one++) {
                if (one->required)
                        json_put_text(&emitter->build, str_of(one->name));
        }
        json_end(&emitter->build);
}

static void emit_object(struct emitter *emitter, const struct shape *shape)
{
        emit_required(emitter, shape);
        json_put_key(&emitter->build, S("additionalProperties"));
        json_put_bool(&emitter->build, false);
        begin(emitter, "properties");
        for (const struct setting *one = shape->settings; one->kind != SETTING_end; one++) {
                if (is_shown(one))
                        emit_setting(emitter, one);
                else if (one->kind == SETTING_rest)
                        emit_policies(emitter);
        }
        end(emitter);
}

/* A shape with a shorthand: a block, else what its setting takes. */
static void emit_shape(struct emitter *emitter, const struct shape *shape)
{
        if (shape->shorthand == NULL) {
                emit_object(emitter, shape);
                return;
        }
        begin(emitter, "if");
        put_block_type(emitter);
        end(emitter);
        begin(emitter, "then");
        emit_object(emitter, shape);
        end(emitter);
        begin(emitter, "else");
        emit_value(emitter, shape_find(shape, str_of(shape->shorthand)));
        end(emitter);
}

static void emit_definitions(struct emitter *emitter)
{
        begin(emitter, "$defs");
        begin(emitter, "policies");
        put(emitter, "description",
            S("The same block at four levels: top, channel, api, route. Each key is one policy; a "
              "lower "
              "level replaces it whole, `off` removes it."));
        put_block_type(emitter);
        json_put_key(&emitter->build, S("additionalProperties"));
        json_put_bool(&emitter->build, false);
        begin(emitter, "properties");
        emit_policies(emitter);
        end(emitter);
        end(emitter);
        for (size_t i = 0; i < emitter->count; i++) { /* grows while it is walked */
                begin(emitter, emitter->shapes[i]->name);
                put(emitter, "description", str_of(emitter->shapes[i]->text));
                emit_shape(emitter, emitter->shapes[i]);
                end(emitter);
        }
        end(emitter);
}

void shape_write_schema(const struct reader *reader, const struct shape *shape, struct str id,
                        struct text *out)
{
        struct emitter emitter = {.reader = reader, .arena = reader->arena};
        json_build_init(&emitter.build, reader->arena, 4096);
        begin(&emitter, NULL);
        put(&emitter, "$schema", S("https://json-schema.org/draft/2020-12/schema"));
        put(&emitter, "$id", id);
        put(&emitter, "title", str_of(shape->text));
        emit_shape(&emitter, shape);
        emit_definitions(&emitter);
        end(&emitter);
        json_write(json_build_done(&emitter.build), JSON_PRETTY, reader->arena, out);
        text_char(out, '\n');
}
