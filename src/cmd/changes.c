/* changes.c -- differences of what is written. */
#include "cmd/changes_int.h"
#include "cmd/effective.h"

enum { BRIEF_MAX = 100 };

void change_add(struct changes *changes, const struct change *change)
{
        if (changes->count == changes->cap) {
                size_t cap = changes->cap == 0 ? 32 : changes->cap * 2;
                struct change *bigger = arena_array(changes->arena, struct change, cap);
                if (changes->count > 0)
                        memcpy(bigger, changes->at, changes->count * sizeof *bigger);
                changes->at = bigger;
                changes->cap = cap;
        }
        changes->at[changes->count++] = *change;
}

/* Removals first, then changes, then what is new; each in the order it was found. */
void changes_order(struct changes *changes)
{
        struct change *ordered = arena_array(changes->arena, struct change, changes->count + 1);
        size_t count = 0;
        for (int kind = CHANGE_REMOVED; kind <= CHANGE_ADDED; kind++) {
                for (size_t i = 0; i < changes->count; i++) {
                        if ((int)changes->at[i].kind == kind)
                                ordered[count++] = changes->at[i];
                }
        }
        changes->at = ordered;
}

/* ---- brief values ---- */

static bool is_preset(const struct json *node)
{
        return (node->flags & JSON_PRESET) != 0;
}

/* The only member of a block that somebody wrote; NULL when there are none or several. */
static const struct json *only_member(const struct json *node)
{
        const struct json *only = NULL;
        size_t count = 0;
        json_each (value, node) {
                if (node->kind != JSON_OBJECT || is_preset(value))
                        continue;
                only = value;
                count++;
        }
        return count == 1 ? only : NULL;
}

/* What somebody wrote of a value. */
static void put_written(struct json_build *build, const struct json *node)
{
        if (node->kind < JSON_ARRAY) {
                json_put_copy(build, node);
                return;
        }
        json_begin(build, (enum json_kind)node->kind);
        json_each (value, node) {
                const struct json *only = node->kind == JSON_ARRAY ? only_member(value) : NULL;
                if (node->kind == JSON_OBJECT && is_preset(value))
                        continue;
                if (node->kind == JSON_OBJECT)
                        json_put_key(build, json_key_str(value));
                put_written(build, only != NULL ? only : value); /* { url: x } is x */
        }
        json_end(build);
}

struct str brief_value(struct arena *arena, const struct json *node)
{
        struct text out = text_grow(arena, BRIEF_MAX);
        struct json_build build;
        json_build_init(&build, arena, node->span + 1);
        put_written(&build, node);
        const struct json *written = json_build_done(&build);
        /* { rate: 100/min } is 100/min. */
        while (written->kind == JSON_OBJECT && written->len == 1 && written[2].kind != JSON_OBJECT)
                written = written + 2;
        if (written->kind == JSON_STRING && (written->flags & JSON_SECRET) == 0)
                text_put(&out, json_str(written, arena));
        else if (written->kind != JSON_OBJECT || written->len > 0)
                json_write(written, JSON_COMPACT, arena, &out);
        if (!out.is_cut)
                return text_str(&out);
        return written->kind == JSON_STRING
                       ? arena_format(arena, STR_FMT "…",
                                      STR_ARG(str_first(json_str(written, arena), BRIEF_MAX)))
                       : S("…");
}

/* ---- walking two documents ---- */

struct walk {
        struct changes changes;
        struct bundle *before, *after;
        struct arena *arena;
};

static struct str place_in(struct walk *walk, const struct bundle *bundle, const struct json *node)
{
        struct text text = text_grow(walk->arena, 8192);
        if (is_preset(node))
                return S("default");
        place_write(&bundle->load.sources, node, &text);
        return text_str(&text);
}

static bool is_same(struct walk *walk, const struct json *a, const struct json *b)
{
        struct text left = text_grow(walk->arena, SIZE_MAX),
                    right = text_grow(walk->arena, SIZE_MAX);
        if (a->kind != b->kind || a->len != b->len || a->span != b->span)
                return false;
        json_write(a, JSON_CANONICAL, walk->arena, &left);
        json_write(b, JSON_CANONICAL, walk->arena, &right);
        return str_eq(text_str(&left), text_str(&right));
}

static struct str path_of(struct walk *walk, struct str path, struct str key)
{
        if (path.len == 0)
                return key;
        return arena_format(walk->arena, STR_FMT "." STR_FMT, STR_ARG(path), STR_ARG(key));
}

static void removed(struct walk *walk, struct str path, const struct json *node)
{
        change_add(&walk->changes,
                   &(struct change){.kind = CHANGE_REMOVED,
                                    .what = path,
                                    .was = brief_value(walk->arena, node),
                                    .place = place_in(walk, walk->before, json_key(node))});
}

static void added(struct walk *walk, struct str path, const struct json *node)
{
        change_add(&walk->changes,
                   &(struct change){.kind = CHANGE_ADDED,
                                    .what = path,
                                    .is = brief_value(walk->arena, node),
                                    .place = place_in(walk, walk->after, json_key(node))});
}

static void changed(struct walk *walk, struct str path, const struct json *a, const struct json *b)
{
        change_add(&walk->changes, &(struct change){.kind = CHANGE_CHANGED,
                                                    .what = path,
                                                    .was = brief_value(walk->arena, a),
                                                    .is = brief_value(walk->arena, b),
                                                    .place = place_in(walk, walk->after, b)});
}

static void compare(struct walk *walk, struct str path, const struct json *a, const struct json *b)
{
        if (a->kind != JSON_OBJECT || b->kind != JSON_OBJECT) {
                if (!is_same(walk, a, b))
                        changed(walk, path, a, b);
                return;
        }
        struct map seen;
        map_init(&seen, walk->arena);
        json_each (value, b)
                map_put(&seen, json_key_str(value), (void *)(uintptr_t)value);
        json_each (value, a) {
                struct str at = path_of(walk, path, json_key_str(value));
                const struct json *other = map_put(&seen, json_key_str(value), walk);
                if (other != NULL)
                        compare(walk, at, value, other);
                else if (!is_preset(value))
                        removed(walk, at, value);
        }
        json_each (value, b) {
                if (map_get(&seen, json_key_str(value)) != walk && !is_preset(value))
                        added(walk, path_of(walk, path, json_key_str(value)), value);
        }
}

struct changes changes_written(struct bundle *before, struct bundle *after, struct arena *arena)
{
        struct walk walk = {
                .changes = {.arena = arena}, .before = before, .after = after, .arena = arena};
        compare(&walk, STR_NONE, effective_make(before), effective_make(after));
        changes_order(&walk.changes);
        return walk.changes;
}
