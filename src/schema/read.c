/* read.c -- documents into structs: blocks, lists and maps of settings. Everything wrong is
 * collected with its place; what is missing gets its preset; reading goes on in every case, so that
 * one run shows all there is to mend. */
#include "base/check.h"
#include "schema/read_int.h"

enum { NAMES_MAX = 128, SETTINGS_MAX = 64 };

struct str where_text(const struct reading *reading)
{
        struct faults *faults = reading->reader->faults;
        const char *kind = reading->shape->name;
        if (kind == NULL || kind[0] == '\0' || reading->is_alone)
                return S("");
        if (reading->name.len == 0 || str_is(reading->name, kind))
                return fault_text(faults, " in `%s`", kind);
        return fault_text(faults, " in %s `" STR_FMT "`", kind, STR_ARG(reading->name));
}

static bool has_key(const struct setting *setting)
{
        return setting->kind != SETTING_self_name && setting->kind != SETTING_self_node &&
               setting->kind != SETTING_rest;
}

const struct setting *shape_find(const struct shape *shape, struct str name)
{
        for (const struct setting *one = shape->settings; one->kind != SETTING_end; one++) {
                if (has_key(one) && str_is(name, one->name))
                        return one;
        }
        return NULL;
}

static const struct setting *find_kind(const struct shape *shape, enum setting_kind kind)
{
        for (const struct setting *one = shape->settings; one->kind != SETTING_end; one++) {
                if (one->kind == kind)
                        return one;
        }
        return NULL;
}

/* Index of a policy in the table, -1 when there is none of that name. */
static ptrdiff_t find_policy(const struct reader *reader, struct str name)
{
        for (size_t i = 0; i < reader->policies_count; i++) {
                if (str_is(name, reader->policies[i]->name))
                        return (ptrdiff_t)i;
        }
        return -1;
}

static bool is_reserved_policy(const struct reader *reader, struct str name)
{
        const struct setting *one = reader->reserved;
        for (; one != NULL && one->kind != SETTING_end; one++) {
                if (str_is(name, one->name))
                        return true;
        }
        return false;
}

struct names {
        struct str at[NAMES_MAX];
        size_t count;
};

static void names_add(struct names *names, const char *name)
{
        if (names->count < NAMES_MAX)
                names->at[names->count++] = str_of(name);
}

static void names_of_shape(struct names *names, const struct shape *shape)
{
        for (const struct setting *one = shape->settings; one->kind != SETTING_end; one++) {
                if (has_key(one))
                        names_add(names, one->name);
        }
}

static void names_of_policies(struct names *names, const struct reader *reader)
{
        for (size_t i = 0; i < reader->policies_count; i++)
                names_add(names, reader->policies[i]->name);
        const struct setting *one = reader->reserved;
        for (; one != NULL && one->kind != SETTING_end; one++)
                names_add(names, one->name);
}

static void fault_reserved(struct reader *reader, const struct json *key, const char *what)
{
        struct fault *fault = fault_add(reader->faults, FAULT_E106, key,
                                        "%s `" STR_FMT "` is not in this version", what,
                                        STR_ARG(json_raw(key)));
        fault->label = S("known, but not built yet");
        fault->help = S("remove it; nothing would act on it");
}

static void fault_unknown(struct reading *reading, const struct json *key)
{
        struct reader *reader = reading->reader;
        struct names names = {.count = 0};
        names_of_shape(&names, reading->shape);
        if (find_kind(reading->shape, SETTING_rest) != NULL)
                names_of_policies(&names, reader);
        struct fault *fault = fault_add(
                reader->faults, FAULT_E104, key, "unknown key `" STR_FMT "`" STR_FMT,
                STR_ARG(fault_quote(reader->faults, key)), STR_ARG(where_text(reading)));
        const struct setting *block = find_kind(reading->shape, SETTING_block);
        if (block != NULL && (find_policy(reader, json_raw(key)) >= 0 ||
                              is_reserved_policy(reader, json_raw(key)))) {
                fault->label = S("this is a policy");
                fault->help = fault_text(reader->faults, "write it inside `%s: { }`", block->name);
                return;
        }
        fault_suggest_near(reader->faults, fault, json_raw(key), names.at, names.count);
}

/* A policy with its settings into an item of a block; false when there is none of that name. */
static bool item_read(struct reader *reader, const struct json *node, struct block_item *ret_item)
{
        ptrdiff_t index = find_policy(reader, json_key_str(node));
        if (index < 0)
                return false;
        const struct shape *shape = reader->policies[index];
        bool is_off = node->kind == JSON_FALSE || json_is_str(node, S("off"));
        const struct setting *filled = shape->shorthand == NULL
                                               ? NULL
                                               : shape_find(shape, str_of(shape->shorthand));
        if (filled != NULL && (filled->kind == SETTING_flag || is_word_of(filled, node)))
                is_off = false; /* here off is a value */
        *ret_item = (struct block_item){.index = (size_t)index, .node = node};
        if (!is_off)
                ret_item->conf = shape_read(reader, shape, str_of(shape->name), node);
        return true;
}

/* Puts an item where its index belongs. A key stands once, so no two have the same. */
static void block_put(struct block *block, struct block_item *items, struct block_item item)
{
        size_t at = block->count++;
        for (; at > 0 && items[at - 1].index > item.index; at--)
                items[at] = items[at - 1];
        items[at] = item;
}

static void fault_policy(struct reader *reader, const struct json *key)
{
        struct names names = {.count = 0};
        if (is_reserved_policy(reader, json_raw(key))) {
                fault_reserved(reader, key, "policy");
                return;
        }
        names_of_policies(&names, reader);
        struct fault *fault = fault_add(reader->faults, FAULT_E104, key,
                                        "unknown policy `" STR_FMT "`",
                                        STR_ARG(fault_quote(reader->faults, key)));
        fault_suggest_near(reader->faults, fault, json_raw(key), names.at, names.count);
}

void block_read(struct reading *reading, const struct setting *setting, const struct json *node)
{
        struct reader *reader = reading->reader;
        struct block *block = member_of(reading, setting);
        if (node->kind == JSON_NULL)
                return;
        if (node->kind != JSON_OBJECT) {
                fault_kind(reading, setting, node, "a block of policies");
                return;
        }
        struct block_item *items = arena_array(reader->arena, struct block_item,
                                               (size_t)node->len + 1);
        json_each (value, node) {
                struct block_item item;
                if (item_read(reader, value, &item))
                        block_put(block, items, item);
                else
                        fault_policy(reader, json_key(value));
        }
        block->at = items;
}

/* A policy among the other keys of a block, e.g. of a route. */
static bool rest_read(struct reading *reading, const struct json *value)
{
        struct reader *reader = reading->reader;
        struct block_item item;
        const struct setting *rest = find_kind(reading->shape, SETTING_rest);
        if (rest == NULL)
                return false;
        if (is_reserved_policy(reader, json_key_str(value)) &&
            find_policy(reader, json_key_str(value)) < 0) {
                fault_reserved(reader, json_key(value), "policy");
                return true;
        }
        if (!item_read(reader, value, &item))
                return false;
        struct block *block = member_of(reading, rest);
        size_t size = (block->count + 1) * sizeof *block->at;
        struct block_item *items = arena_alloc(reader->arena, size);
        if (block->count > 0)
                memcpy(items, block->at, block->count * sizeof *items);
        block_put(block, items, item);
        block->at = items;
        return true;
}

bool is_removed(const struct setting *setting, const struct json *node)
{
        if ((node->flags & JSON_REMOVED) == 0)
                return false;
        const struct shape *shape = setting->shape;
        const struct setting *filled = shape == NULL || shape->shorthand == NULL
                                               ? setting
                                               : shape_find(shape, str_of(shape->shorthand));
        bool knows_off = setting->kind == SETTING_flag || setting->kind == SETTING_any ||
                         is_word_of(setting, node) || is_word_of(filled, node);
        for (size_t i = 0; setting->choices != NULL && setting->choices[i] != NULL; i++)
                knows_off = knows_off || strcmp(setting->choices[i], "off") == 0;
        return !knows_off;
}

static void read_member(struct reading *reading, const struct json *value)
{
        const struct json *key = json_key(value);
        const struct setting *setting = shape_find(reading->shape, json_raw(key));
        if (setting == NULL) {
                if (!rest_read(reading, value))
                        fault_unknown(reading, key);
                return;
        }
        if (setting->kind == SETTING_reserved) {
                fault_reserved(reading->reader, key, "key");
                return;
        }
        if (is_removed(setting, value))
                return;
        size_t index = (size_t)(setting - reading->shape->settings);
        CHECK(index < SETTINGS_MAX);
        reading->seen |= (uint64_t)1 << index;
        value_read(reading, setting, value);
}

static void check_required(struct reading *reading)
{
        const struct shape *shape = reading->shape;
        for (size_t i = 0; shape->settings[i].kind != SETTING_end; i++) {
                const struct setting *setting = &shape->settings[i];
                if (!setting->required || (reading->seen >> i & 1) != 0)
                        continue;
                struct fault *fault = fault_add(reading->reader->faults, FAULT_E108, reading->at,
                                                "`%s` is missing" STR_FMT, setting->name,
                                                STR_ARG(where_text(reading)));
                if (setting->example != NULL)
                        fault->help = fault_text(reading->reader->faults, "write `%s: %s`",
                                                 setting->name, setting->example);
        }
}

static void fill_presets(struct reading *reading)
{
        const struct shape *shape = reading->shape;
        for (const struct setting *one = shape->settings; one->kind != SETTING_end; one++) {
                if (one->kind == SETTING_self_name)
                        *(struct str *)member_of(reading, one) = reading->name;
                else if (one->kind == SETTING_self_node)
                        *(const struct json **)member_of(reading, one) = reading->node;
                else
                        value_preset(reading, one);
        }
}

void conf_read(struct reading *reading)
{
        const struct json *node = reading->node;
        const struct shape *shape = reading->shape;
        memset(reading->conf, 0, shape->size);
        fill_presets(reading);
        if (node != NULL && node->kind == JSON_OBJECT) {
                json_each (value, node)
                        read_member(reading, value);
        } else if (node != NULL && node->kind != JSON_NULL) {
                const struct setting *setting = shape->shorthand == NULL
                                                        ? NULL
                                                        : shape_find(shape,
                                                                     str_of(shape->shorthand));
                const struct setting whole = {.name = shape->name};
                if (setting == NULL) {
                        fault_kind(reading, &whole, node, "a block");
                        return;
                }
                struct setting alone = *setting; /* it speaks for the whole shape */
                alone.name = shape->name;
                reading->seen |= (uint64_t)1 << (setting - shape->settings);
                reading->is_alone = true;
                value_read(reading, &alone, node);
        }
        check_required(reading);
}

static void part_read(const struct reading *outer, const struct shape *shape, struct str name,
                      const struct json *node, char *conf)
{
        struct reading part = {.reader = outer->reader,
                               .shape = shape,
                               .name = name,
                               .node = node,
                               .at = node == NULL ? outer->at : node,
                               .conf = conf};
        conf_read(&part);
}

void object_read(struct reading *reading, const struct setting *setting, const struct json *node)
{
        char *conf = member_of(reading, setting);
        if (setting->kind == SETTING_maybe) {
                conf = arena_zero(reading->reader->arena, 1, setting->shape->size);
                *(void **)member_of(reading, setting) = conf;
        }
        part_read(reading, setting->shape, STR_NONE, node, conf);
}

static char *array_make(struct reading *reading, const struct setting *setting, size_t count)
{
        char *array = arena_zero(reading->reader->arena, count + 1, setting->shape->size);
        *(void **)member_of(reading, setting) = array;
        return array;
}

static void set_count(struct reading *reading, const struct setting *setting, size_t count)
{
        *(size_t *)(void *)(reading->conf + setting->count_offset) = count;
}

void list_read(struct reading *reading, const struct setting *setting, const struct json *node)
{
        bool is_list = node->kind == JSON_ARRAY;
        size_t count = is_list ? node->len : 1, at = 0;
        if (node->kind == JSON_NULL)
                return;
        char *array = array_make(reading, setting, count);
        if (!is_list) {
                part_read(reading, setting->shape, STR_NONE, node, array);
        } else {
                json_each (item, node)
                        part_read(reading, setting->shape, STR_NONE, item,
                                  array + setting->shape->size * at++);
        }
        set_count(reading, setting, count);
}

static void fault_name(struct reading *reading, const struct setting *setting,
                       const struct json *key)
{
        struct faults *faults = reading->reader->faults;
        struct fault *fault = fault_add(faults, FAULT_E107, key,
                                        "`" STR_FMT "` cannot be the name "
                                        "of %s %s",
                                        STR_ARG(fault_quote(faults, key)),
                                        strchr("aeiou", setting->shape->name[0]) ? "an" : "a",
                                        setting->shape->name);
        fault->label = fault_text(faults, "expected %s", format_text(setting->format));
}

void map_read(struct reading *reading, const struct setting *setting, const struct json *node)
{
        struct reader *reader = reading->reader;
        size_t at = 0;
        if (node->kind == JSON_NULL)
                return;
        if (node->kind != JSON_OBJECT) {
                fault_kind(reading, setting, node, "a block of names");
                return;
        }
        if (!count_fits(reading, setting, node, node->len))
                return;
        char *array = array_make(reading, setting, node->len);
        json_each (value, node) {
                if ((value->flags & JSON_REMOVED) != 0)
                        continue;
                if (!format_fits(setting->format, json_key_str(value)))
                        fault_name(reading, setting, json_key(value));
                struct reading part = {.reader = reader,
                                       .shape = setting->shape,
                                       .name = json_key_str(value),
                                       .node = value,
                                       .at = json_key(value),
                                       .conf = array + setting->shape->size * at++};
                conf_read(&part);
        }
        set_count(reading, setting, at);
}

void shape_read_into(struct reader *reader, const struct shape *shape, struct str name,
                     const struct json *node, void *conf)
{
        struct reading reading = {.reader = reader,
                                  .shape = shape,
                                  .name = name,
                                  .node = node,
                                  .at = node,
                                  .conf = conf};
        conf_read(&reading);
}

void *shape_read(struct reader *reader, const struct shape *shape, struct str name,
                 const struct json *node)
{
        void *conf = arena_zero(reader->arena, 1, shape->size);
        shape_read_into(reader, shape, name, node, conf);
        return conf;
}
