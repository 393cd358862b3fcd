/* load_join.c -- several files as one document. Maps of names are joined name by name; everything
 * else may stand in one file only; what stands twice is an error told at both places. */
#include "base/map.h"
#include "config/config.h"
#include "config/load_int.h"

struct joiner {
        struct load *load;
        const struct load_document *documents;
        size_t count;
        struct json_build build;
};

static void fault_both(struct joiner *joiner, const struct json *first, const struct json *second)
{
        struct load *load = joiner->load;
        struct fault *fault = fault_add(&load->faults, FAULT_E109, second,
                                        "`" STR_FMT "` is written in two files",
                                        STR_ARG(json_raw(second)));
        fault->label = S("again here");
        fault->also = place_of(&load->sources, first);
        fault->also_label = S("first here");
}

static void put_member(struct joiner *joiner, const struct json *value)
{
        json_build_from(&joiner->build, json_key(value));
        json_put_key(&joiner->build, json_key_str(value));
        json_put_copy(&joiner->build, value);
}

/* A map of names: all entries of all files. */
static void join_map(struct joiner *joiner, struct str key, const struct json *first)
{
        struct map seen;
        map_init(&seen, joiner->load->arena);
        json_build_from(&joiner->build, json_key(first));
        json_put_key(&joiner->build, key);
        json_build_from(&joiner->build, first);
        json_begin(&joiner->build, JSON_OBJECT);
        for (size_t i = 0; i < joiner->count; i++) {
                const struct json *entries = json_get(joiner->documents[i].root, key);
                if (!json_is(entries, JSON_OBJECT))
                        continue;
                json_each (value, entries) {
                        const struct json *before = map_get(&seen, json_key_str(value));
                        if (before != NULL) {
                                fault_both(joiner, before, json_key(value));
                                continue;
                        }
                        map_put(&seen, json_key_str(value), (void *)(uintptr_t)json_key(value));
                        put_member(joiner, value);
                }
        }
        json_end(&joiner->build);
}

/* How often a key stands as a block, in files after the one that has it first. */
static bool may_join(const struct joiner *joiner, struct str key)
{
        const struct setting *setting = shape_find(&shape_config, key);
        if (setting == NULL || setting->kind != SETTING_map)
                return false;
        for (size_t i = 0; i < joiner->count; i++) {
                const struct json *value = json_get(joiner->documents[i].root, key);
                if (value != NULL && value->kind != JSON_OBJECT && value->kind != JSON_NULL)
                        return false;
        }
        return true;
}

/* One key that no earlier file has. */
static void join_key(struct joiner *joiner, size_t at, const struct json *value)
{
        struct str key = json_key_str(value);
        if (may_join(joiner, key)) {
                join_map(joiner, key, value);
                return;
        }
        put_member(joiner, value);
        for (size_t i = at + 1; i < joiner->count; i++) {
                const struct json *again = json_get(joiner->documents[i].root, key);
                if (again != NULL && !str_is(key, "include"))
                        fault_both(joiner, json_key(value), json_key(again));
        }
}

const struct json *load_join(struct load *load, const struct load_document *documents, size_t count)
{
        struct joiner joiner = {.load = load, .documents = documents, .count = count};
        struct map seen;
        uint32_t nodes = 16;
        for (size_t i = 0; i < count; i++)
                nodes += documents[i].root->span;
        map_init(&seen, load->arena);
        json_build_init(&joiner.build, load->arena, nodes);
        json_build_from(&joiner.build, documents[0].root);
        json_begin(&joiner.build, JSON_OBJECT);
        for (size_t i = 0; i < count; i++) {
                json_each (value, documents[i].root) {
                        if (map_put(&seen, json_key_str(value), &joiner) == NULL)
                                join_key(&joiner, i, value);
                }
        }
        json_end(&joiner.build);
        return json_build_done(&joiner.build);
}
