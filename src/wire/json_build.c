/* json_build.c -- making documents: piece by piece, and by merging a patch into another. As in the
 * reader, an open container holds in `span` the index of the one around it. */
#include "base/check.h"
#include "base/map.h"
#include "wire/json.h"

enum { MANY_MEMBERS = 16 };

void json_build_init(struct json_build *build, struct arena *arena, uint32_t nodes_expected)
{
        uint32_t cap = nodes_expected == 0 ? 16 : nodes_expected;
        *build = (struct json_build){.arena = arena, .cap = cap};
        build->nodes = arena_alloc(arena, (size_t)cap * sizeof(struct json));
}

void json_build_from(struct json_build *build, const struct json *origin)
{
        build->from = (struct json){0};
        if (origin == NULL)
                return;
        build->from.at = origin->at;
        build->from.source = origin->source;
        build->from.flags = origin->flags & ~JSON_ESCAPED;
}

/* Room for `count` more nodes. */
static struct json *nodes_add(struct json_build *build, uint32_t count)
{
        uint32_t total;
        CHECK(!add_overflows(build->count, count, &total) && total <= UINT32_MAX / 2);
        if (total > build->cap) {
                uint32_t cap = (uint32_t)u64_max(total, (uint64_t)build->cap * 2);
                struct json *bigger = arena_alloc(build->arena, (size_t)cap * sizeof *bigger);
                memcpy(bigger, build->nodes, (size_t)build->count * sizeof *bigger);
                build->nodes = bigger;
                build->cap = cap;
        }
        struct json *node = &build->nodes[build->count];
        build->count = total;
        return node;
}

static struct json *value_add(struct json_build *build, enum json_kind kind)
{
        if (build->open > 0)
                build->nodes[build->open - 1].len++;
        struct json *node = nodes_add(build, 1);
        *node = build->from;
        node->kind = (uint8_t)kind;
        node->span = 1;
        return node;
}

static void set_text(struct json *node, struct str text)
{
        CHECK(text.len <= UINT32_MAX);
        node->ptr = text.ptr;
        node->len = (uint32_t)text.len;
}

void json_begin(struct json_build *build, enum json_kind kind)
{
        struct json *node = value_add(build, kind);
        node->span = build->open;
        build->open = build->count;
}

void json_end(struct json_build *build)
{
        CHECK(build->open > 0);
        struct json *node = &build->nodes[build->open - 1];
        uint32_t outer = node->span;
        node->span = build->count - (build->open - 1);
        build->open = outer;
}

void json_put_key(struct json_build *build, struct str key)
{
        struct json *node = nodes_add(build, 1);
        *node = build->from;
        node->kind = JSON_STRING;
        node->span = 1;
        set_text(node, key);
}

void json_put_text(struct json_build *build, struct str text)
{
        set_text(value_add(build, JSON_STRING), text);
}

void json_put_number(struct json_build *build, struct str digits)
{
        set_text(value_add(build, JSON_NUMBER), digits);
}

void json_put_i64(struct json_build *build, int64_t value)
{
        json_put_number(build, arena_format(build->arena, "%lld", (long long)value));
}

void json_put_bool(struct json_build *build, bool value)
{
        value_add(build, value ? JSON_TRUE : JSON_FALSE);
}

void json_put_null(struct json_build *build)
{
        value_add(build, JSON_NULL);
}

void json_put_copy(struct json_build *build, const struct json *node)
{
        if (build->open > 0)
                build->nodes[build->open - 1].len++;
        memcpy(nodes_add(build, node->span), node, (size_t)node->span * sizeof *node);
}

const struct json *json_build_done(struct json_build *build)
{
        CHECK(build->open == 0 && build->count > 0);
        return build->nodes;
}

/* A key with its origin. */
static void put_key_of(struct json_build *build, const struct json *value)
{
        memcpy(nodes_add(build, 1), json_key(value), sizeof *value);
}

/* Members of an object by name; for small ones without a table. */
struct members {
        const struct json *object;
        struct map by_name;
};

static void members_init(struct members *members, const struct json *object, struct arena *arena)
{
        members->object = object;
        map_init(&members->by_name, arena);
        if (object->len <= MANY_MEMBERS)
                return;
        json_each (value, object)
                map_put(&members->by_name, json_key_str(value), (void *)(uintptr_t)value);
}

static const struct json *members_get(const struct members *members, struct str key)
{
        if (members->object->len <= MANY_MEMBERS)
                return json_get(members->object, key);
        return map_get(&members->by_name, key);
}

static void merge_objects(struct json_build *build, const struct json *base,
                          const struct json *patch);

/* The value of a patch, over what stood there before (NULL: nothing). */
static void merge_value(struct json_build *build, const struct json *base, const struct json *patch)
{
        if (patch->kind == JSON_OBJECT) {
                merge_objects(build, json_is(base, JSON_OBJECT) ? base : NULL, patch);
                return;
        }
        json_put_copy(build, patch);
        if (json_is_str(patch, S("off")))
                build->nodes[build->count - 1].flags |= JSON_REMOVED;
}

/* As deep as the shallower of both: at most JSON_DEPTH_MAX, for the reader saw to that. */
static void merge_objects(struct json_build *build, const struct json *base,
                          const struct json *patch)
{
        const struct json nothing = {.kind = JSON_OBJECT, .span = 1};
        struct members in_patch, in_base;
        if (base == NULL)
                base = &nothing;
        members_init(&in_patch, patch, build->arena);
        members_init(&in_base, base, build->arena);
        json_build_from(build, base == &nothing ? patch : base);
        json_begin(build, JSON_OBJECT);
        json_each (value, base) {
                const struct json *other = members_get(&in_patch, json_key_str(value));
                if (json_is(other, JSON_NULL))
                        continue;
                put_key_of(build, other == NULL ? value : other);
                if (other == NULL)
                        json_put_copy(build, value);
                else
                        merge_value(build, value, other);
        }
        json_each (value, patch) {
                if (value->kind == JSON_NULL || members_get(&in_base, json_key_str(value)) != NULL)
                        continue;
                put_key_of(build, value);
                merge_value(build, NULL, value);
        }
        json_end(build);
}

const struct json *json_merge(const struct json *base, const struct json *patch,
                              struct arena *arena)
{
        struct json_build build;
        json_build_init(&build, arena, base->span + patch->span);
        merge_value(&build, base, patch);
        return json_build_done(&build);
}
