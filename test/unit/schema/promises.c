/* promises.c -- the tests that every setting gets for nothing. Documents are made of the examples
 * and bounds in the row, one mistake at a time, and the complaint must be the expected one. */
#include "promises.h"

#include "wire/yaml.h"

#include "../unit.h"

enum { PARTS_MAX = 64 };

struct promises {
        const struct reader *reader;
        const struct shape *shape;
        struct arena arena;
        struct sources sources;
        struct faults faults;
        unsigned broken;
};

static void broken(struct promises *promises, const struct setting *setting, const char *what)
{
        promises->broken++;
        print_error("%s.%s: %s\n", promises->shape->name, setting == NULL ? "" : setting->name,
                    what);
}

/* A text that has that form. */
static const char *good_text(const struct setting *setting)
{
        const char *example = format_example(setting->format);
        return example == NULL || example[0] == '\0' ? "x" : example;
}

/* A value that should be taken, as YAML. */
static struct str good_value(struct promises *promises, const struct setting *setting)
{
        struct arena *arena = &promises->arena;
        char memory[64];
        struct text number = text_over(memory, sizeof memory);
        int64_t value = setting->preset != 0 ? setting->preset : setting->least;
        if (setting->example != NULL)
                return str_of(setting->example);
        if (setting->preset_text != NULL)
                return setting->preset_text[0] == '['
                               ? str_of(setting->preset_text)
                               : arena_format(arena, "\"%s\"", setting->preset_text);
        switch (setting->kind) {
        case SETTING_text:
        case SETTING_texts:
                return arena_format(arena, "\"%s\"", good_text(setting));
        case SETTING_pairs:
                return arena_format(arena, "{ \"%s\": x }", good_text(setting));
        case SETTING_choice:
        case SETTING_set:
                return str_of(setting->choices[0]);
        case SETTING_flag:
                return S("true");
        case SETTING_rate:
                return S("10/s");
        case SETTING_address:
                return S("localhost:1");
        case SETTING_cidrs:
                return S("10.0.0.0/8");
        case SETTING_url:
                return S("http://a");
        case SETTING_object:
        case SETTING_maybe:
        case SETTING_map:
        case SETTING_block:
        case SETTING_any:
                return S("{}");
        case SETTING_list:
                return S("[]");
        default:
                value = setting->most != 0 && value > setting->most ? setting->most : value;
                if (setting->kind == SETTING_duration)
                        duration_write(value, &number);
                else if (setting->kind == SETTING_share)
                        share_write(value, &number);
                else if (setting->kind == SETTING_integer)
                        text_i64(&number, value);
                else
                        size_write(value, &number);
                if (setting->kind == SETTING_byte_rate)
                        text_put(&number, S("/s"));
                return arena_str(arena, text_str(&number));
        }
}

static bool is_key(const struct setting *setting)
{
        return setting->kind < SETTING_rest || setting->kind == SETTING_any;
}

/* A document of the shape with all that is required but `left_out`, and one more line. */
static const struct json *document(struct promises *promises, const struct setting *left_out,
                                   const char *key, struct str value)
{
        struct text text = text_grow(&promises->arena, 1 << 16);
        struct json_trouble trouble;
        const struct json *root = NULL;
        const struct setting *one = promises->shape->settings;
        for (; one->kind != SETTING_end; one++) {
                if (!one->required || one == left_out ||
                    (key != NULL && strcmp(one->name, key) == 0))
                        continue;
                struct str good = good_value(promises, one);
                text_format(&text, "\"%s\": " STR_FMT "\n", one->name, STR_ARG(good));
        }
        if (key != NULL)
                text_format(&text, "\"%s\": " STR_FMT "\n", key, STR_ARG(value));
        if (yaml_read(text_str(&text), NULL, &promises->arena, &root, &trouble) != ERR_ok)
                print_error(STR_FMT ": %s\n", STR_ARG(text_str(&text)), trouble.what);
        return root;
}

/* Reads; the first complaint, FAULT_none when there is none. */
static enum fault_code complaint(struct promises *promises, const struct json *root)
{
        struct reader reader = *promises->reader;
        faults_init(&promises->faults, &promises->arena, &promises->sources);
        reader.arena = &promises->arena;
        reader.faults = &promises->faults;
        if (root == NULL)
                return FAULT_COUNT;
        shape_read(&reader, promises->shape, S("x"), root);
        return promises->faults.count == 0 ? FAULT_none : promises->faults.at[0].code;
}

static struct str number_at(struct promises *promises, const struct setting *setting, int64_t value)
{
        char memory[64];
        struct text text = text_over(memory, sizeof memory);
        switch (setting->kind) {
        case SETTING_integer:
                text_i64(&text, value);
                break;
        case SETTING_duration: /* finer than what is written back */
                text_format(&text, "%lld.%06lldms", (long long)(value / MILLISECOND),
                            (long long)(value % MILLISECOND));
                break;
        case SETTING_size:
                text_format(&text, "%lldB", (long long)value);
                break;
        case SETTING_byte_rate:
                text_format(&text, "%lldB/s", (long long)value);
                break;
        case SETTING_share:
                text_format(&text, "%lld.%04lld%%", (long long)(value / PERCENT),
                            (long long)(value % PERCENT));
                break;
        default:
                text_format(&text, "%lld/s", (long long)value);
                break;
        }
        return arena_str(&promises->arena, text_str(&text));
}

static bool is_number(enum setting_kind kind)
{
        return kind == SETTING_integer || kind == SETTING_duration || kind == SETTING_size ||
               kind == SETTING_byte_rate || kind == SETTING_share || kind == SETTING_rate;
}

static void check_bounds(struct promises *promises, const struct setting *setting)
{
        struct str value;
        if (!is_number(setting->kind))
                return;
        if (setting->least > 0) {
                value = number_at(promises, setting, setting->least - 1);
                if (complaint(promises, document(promises, NULL, setting->name, value)) !=
                    FAULT_E110)
                        broken(promises, setting, "one below the least is taken");
                value = number_at(promises, setting, setting->least);
                if (complaint(promises, document(promises, NULL, setting->name, value)) !=
                    FAULT_none)
                        broken(promises, setting, "the least is refused");
        }
        if (setting->most > 0) {
                value = number_at(promises, setting, setting->most + 1);
                if (complaint(promises, document(promises, NULL, setting->name, value)) !=
                    FAULT_E110)
                        broken(promises, setting, "one above the most is taken");
                value = number_at(promises, setting, setting->most);
                if (complaint(promises, document(promises, NULL, setting->name, value)) !=
                    FAULT_none)
                        broken(promises, setting, "the most is refused");
        }
        bool is_in = setting->preset >= setting->least &&
                     (setting->most == 0 || setting->preset <= setting->most);
        bool is_word = setting->word != NULL && setting->preset == setting->word_as;
        if (!setting->required && setting->kind != SETTING_rate && setting->preset != 0 && !is_in &&
            !is_word)
                broken(promises, setting, "the preset is out of range");
}

static void check_kind(struct promises *promises, const struct setting *setting)
{
        bool is_block = setting->kind == SETTING_object || setting->kind == SETTING_maybe ||
                        setting->kind == SETTING_map || setting->kind == SETTING_pairs ||
                        setting->kind == SETTING_block || setting->kind == SETTING_list;
        struct str wrong = is_block ? S("[[1.5]]") : S("{ a: b }");
        if (setting->kind == SETTING_any)
                return;
        enum fault_code code = complaint(promises, document(promises, NULL, setting->name, wrong));
        if (code != FAULT_E105 && code != FAULT_E112 && code != FAULT_E113)
                broken(promises, setting, "a value of another kind is taken");
}

static void check_presence(struct promises *promises, const struct setting *setting)
{
        struct str good = good_value(promises, setting);
        enum fault_code code = complaint(promises, document(promises, setting, NULL, STR_NONE));
        if (setting->required != (code == FAULT_E108))
                broken(promises, setting, "missing, it is not what `required` says");
        code = complaint(promises, document(promises, NULL, setting->name, good));
        bool is_part = setting->shape != NULL; /* which may want more than {} */
        if (code != FAULT_none && !is_part) {
                struct text out = text_grow(&promises->arena, 4096);
                faults_write(&promises->faults, false, &out);
                print_error(STR_FMT, STR_ARG(text_str(&out)));
                broken(promises, setting, "its own example is refused");
        }
}

static void check_words(struct promises *promises, const struct setting *setting)
{
        if (setting->text == NULL || strlen(setting->text) < 8 ||
            setting->text[strlen(setting->text) - 1] != '.')
                broken(promises, setting, "has no sentence");
        if (setting->word == NULL)
                return;
        struct str word = str_of(setting->word);
        if (complaint(promises, document(promises, NULL, setting->name, word)) != FAULT_none)
                broken(promises, setting, "its word is refused");
}

static void check_shape(struct promises *promises)
{
        const struct setting *one = promises->shape->settings;
        size_t count = 0;
        for (; one->kind != SETTING_end; one++, count++) {
                if (one->kind == SETTING_reserved) {
                        struct str value = S("x");
                        if (complaint(promises, document(promises, NULL, one->name, value)) !=
                            FAULT_E106)
                                broken(promises, one, "reserved, but not refused");
                }
                if (!is_key(one))
                        continue;
                check_words(promises, one);
                check_presence(promises, one);
                check_kind(promises, one);
                check_bounds(promises, one);
                for (const struct setting *other = promises->shape->settings; other != one;
                     other++) {
                        if (strcmp(other->name, one->name) == 0)
                                broken(promises, one, "stands twice in the table");
                }
        }
        if (count > 64)
                broken(promises, NULL, "has more than 64 settings");
        if (complaint(promises, document(promises, NULL, "zzzzzz", S("1"))) != FAULT_E104)
                broken(promises, NULL, "takes a key that it does not know");
        const char *shorthand = promises->shape->shorthand;
        if (shorthand != NULL && shape_find(promises->shape, str_of(shorthand)) == NULL)
                broken(promises, NULL, "has a shorthand for a setting that is not there");
        if (promises->shape->text == NULL || promises->shape->text[0] == '\0')
                broken(promises, NULL, "has no sentence");
}

unsigned promises_broken(const struct reader *reader, const struct shape *shape)
{
        const struct shape *parts[PARTS_MAX] = {shape};
        size_t count = 1;
        unsigned sum = 0;
        for (size_t i = 0; i < count; i++) {
                struct promises promises = {.reader = reader, .shape = parts[i]};
                arena_init(&promises.arena, NULL, 256 << 20);
                sources_init(&promises.sources, &promises.arena);
                check_shape(&promises);
                arena_fini(&promises.arena);
                sum += promises.broken;
                const struct setting *one = parts[i]->settings;
                for (; one->kind != SETTING_end; one++) {
                        bool is_new = one->shape != NULL && count < PARTS_MAX;
                        for (size_t j = 0; j < count && is_new; j++)
                                is_new = parts[j] != one->shape;
                        if (is_new)
                                parts[count++] = one->shape;
                }
        }
        return sum;
}
