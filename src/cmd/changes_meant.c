/* changes_meant.c -- differences of what holds: for each route that both have, the policies that
 * hold on it; routes and consumers that come and go. Routes of an API that change alike are told
 * together. */
#include "cmd/changes_int.h"
#include "cmd/levels.h"
#include "gate/snapshot.h"

enum { TEXT_MAX = 1 << 20 };

struct meaning {
        struct changes changes;
        const struct snapshot *before, *after;
        struct arena *arena;
        struct map groups;      /* struct group by what they have in common */
        struct group **ordered; /* the same, as found */
        size_t group_count, group_cap;
};

/* One change of one policy, and the routes of one API where it takes place. */
struct group {
        const struct api *api;
        struct str policy, was, is, place;
        struct str first; /* name of one of its routes */
        size_t routes;
};

static struct str route_key(struct arena *arena, const struct route *route)
{
        return arena_format(arena, STR_FMT "\n" STR_FMT "\n" STR_FMT "\n" STR_FMT,
                            STR_ARG(route->channel->name), STR_ARG(route->api->path),
                            STR_ARG(route->name), STR_ARG(route->template));
}

static void index_routes(const struct snapshot *snapshot, struct arena *arena, struct map *map)
{
        map_init(map, arena);
        for (uint32_t i = 0; i < snapshot->route_count; i++)
                map_put(map, route_key(arena, snapshot->route_list[i]), snapshot->route_list[i]);
}

/* ---- policies ---- */

static const struct json *fill(const struct snapshot *snapshot, size_t policy,
                               const struct json *node)
{
        return shape_fill(&snapshot->bundle->reader, snapshot->policies->at[policy]->shape, node);
}

/* What holds of a policy: in a few words, and whole, for comparing. */
struct held {
        struct text shown, whole;
};

static void put_held(struct meaning *meaning, const struct json *filled, struct held *held)
{
        text_put(&held->shown, brief_value(meaning->arena, filled));
        json_write(filled, JSON_CANONICAL, meaning->arena, &held->whole);
}

/* The innermost word and the floors. */
static struct held held_of(struct meaning *meaning, const struct snapshot *snapshot,
                           const struct levels *levels, size_t policy)
{
        const struct block_item *before, *last = levels_last(levels, policy, &before);
        struct held held = {text_grow(meaning->arena, TEXT_MAX),
                            text_grow(meaning->arena, TEXT_MAX)};
        if (last != NULL && last->conf == NULL) {
                text_put(&held.shown, S("off"));
                text_put(&held.whole, S("off"));
        } else if (last != NULL) {
                put_held(meaning, fill(snapshot, policy, last->node), &held);
        }
        for (int i = 0; i < LEVELS_MOST; i++) {
                const struct block_item *floor = levels_item(levels->at[i].enforce, policy);
                if (floor == NULL || floor->conf == NULL)
                        continue;
                text_put(&held.shown, held.shown.len == 0 ? S("always ") : S(", always "));
                text_put(&held.whole, S("\n"));
                put_held(meaning, fill(snapshot, policy, floor->node), &held);
        }
        return held;
}

static struct str place_of_policy(struct meaning *meaning, const struct levels *levels,
                                  size_t policy)
{
        const struct block_item *before, *last = levels_last(levels, policy, &before);
        struct text text = text_grow(meaning->arena, 8192);
        for (int i = 0; i < LEVELS_MOST && last == NULL; i++)
                last = levels_item(levels->at[i].enforce, policy);
        if (last == NULL)
                return S("");
        place_write(meaning->after->sources, last->node, &text);
        return text_str(&text);
}

static struct group *group_of(struct meaning *meaning, const struct group *like)
{
        struct arena *arena = meaning->arena;
        struct str key = arena_format(arena, STR_FMT "\n" STR_FMT "\n" STR_FMT "\n" STR_FMT,
                                      STR_ARG(like->api->name), STR_ARG(like->policy),
                                      STR_ARG(like->was), STR_ARG(like->is));
        struct group *group = map_get(&meaning->groups, key);
        if (group != NULL)
                return group;
        group = arena_new(arena, struct group);
        *group = *like;
        map_put(&meaning->groups, key, group);
        if (meaning->group_count == meaning->group_cap) {
                size_t cap = meaning->group_cap == 0 ? 32 : meaning->group_cap * 2;
                struct group **bigger = arena_array(arena, struct group *, cap);
                if (meaning->group_count > 0)
                        memcpy(bigger, meaning->ordered, meaning->group_count * sizeof *bigger);
                meaning->ordered = bigger;
                meaning->group_cap = cap;
        }
        meaning->ordered[meaning->group_count++] = group;
        return group;
}

static void compare_policies(struct meaning *meaning, const struct route *before,
                             const struct route *after)
{
        struct levels old = levels_of(meaning->before->config, before);
        struct levels new = levels_of(meaning->after->config, after);
        for (size_t i = 0; i < meaning->after->policies->count; i++) {
                struct held was = held_of(meaning, meaning->before, &old, i);
                struct held is = held_of(meaning, meaning->after, &new, i);
                if (str_eq(text_str(&was.whole), text_str(&is.whole)))
                        continue;
                struct group like = {
                        .api = after->api,
                        .policy = str_of(meaning->after->policies->at[i]->shape->name),
                        .was = text_str(&was.shown),
                        .is = text_str(&is.shown),
                        .place = place_of_policy(meaning, &new, i),
                        .first = after->name,
                };
                group_of(meaning, &like)->routes++;
        }
}

static void tell_groups(struct meaning *meaning)
{
        struct arena *arena = meaning->arena;
        for (size_t i = 0; i < meaning->group_count; i++) {
                const struct group *group = meaning->ordered[i];
                struct str what = arena_format(arena, "api " STR_FMT, STR_ARG(group->api->name));
                bool is_whole = str_eq(group->first, group->api->name);
                if (group->routes > 1)
                        what = arena_format(arena, STR_FMT ", " STR_FMT " and %zu more",
                                            STR_ARG(what), STR_ARG(group->first),
                                            group->routes - 1);
                else if (!is_whole)
                        what = arena_format(arena, STR_FMT ", " STR_FMT, STR_ARG(what),
                                            STR_ARG(group->first));
                what = arena_format(arena, STR_FMT ": " STR_FMT, STR_ARG(what),
                                    STR_ARG(group->policy));
                enum change_kind kind = group->was.len == 0  ? CHANGE_ADDED
                                        : group->is.len == 0 ? CHANGE_REMOVED
                                                             : CHANGE_CHANGED;
                change_add(&meaning->changes,
                           &(struct change){kind, what, group->was, group->is, group->place});
        }
}

/* ---- routes, upstreams, consumers ---- */

static struct str route_text(struct meaning *meaning, const struct route *route)
{
        struct arena *arena = meaning->arena;
        struct str what = arena_format(arena, "api " STR_FMT, STR_ARG(route->api->name));
        if (route->node != route->api->node)
                what = arena_format(arena, STR_FMT ", " STR_FMT, STR_ARG(what),
                                    STR_ARG(route->name));
        if (route->channel->node != NULL)
                what = arena_format(arena, STR_FMT ", in channel " STR_FMT, STR_ARG(what),
                                    STR_ARG(route->channel->name));
        return what;
}

static void compare_routes(struct meaning *meaning)
{
        struct map old, new;
        index_routes(meaning->before, meaning->arena, &old);
        index_routes(meaning->after, meaning->arena, &new);
        for (uint32_t i = 0; i < meaning->before->route_count; i++) {
                const struct route *route = meaning->before->route_list[i];
                if (map_get(&new, route_key(meaning->arena, route)) == NULL)
                        change_add(&meaning->changes,
                                   &(struct change){CHANGE_REMOVED, route_text(meaning, route),
                                                    S("no longer offered"), S(""), S("")});
        }
        for (uint32_t i = 0; i < meaning->after->route_count; i++) {
                const struct route *route = meaning->after->route_list[i];
                const struct route *before = map_get(&old, route_key(meaning->arena, route));
                if (before == NULL) {
                        change_add(&meaning->changes,
                                   &(struct change){CHANGE_ADDED, route_text(meaning, route), S(""),
                                                    S("offered"), S("")});
                        continue;
                }
                compare_policies(meaning, before, route);
        }
}

/* Keys that stop to work; a key is compared by its text, and never shown. */
static void compare_consumers(struct meaning *meaning)
{
        const struct config *after = meaning->after->config, *before = meaning->before->config;
        struct map keys;
        map_init(&keys, meaning->arena);
        for (size_t i = 0; i < after->consumers_count; i++) {
                for (size_t k = 0; k < after->consumers[i].api_key.count; k++)
                        map_put(&keys, after->consumers[i].api_key.at[k], meaning);
        }
        for (size_t i = 0; i < before->consumers_count; i++) {
                const struct conf_consumer *consumer = &before->consumers[i];
                size_t gone = 0;
                for (size_t k = 0; k < consumer->api_key.count; k++)
                        gone += map_get(&keys, consumer->api_key.at[k]) == NULL;
                if (gone == 0)
                        continue;
                change_add(
                        &meaning->changes,
                        &(struct change){
                                CHANGE_REMOVED,
                                arena_format(meaning->arena, "consumer " STR_FMT,
                                             STR_ARG(consumer->name)),
                                arena_format(meaning->arena, "requests with %s of its keys get 401",
                                             gone == consumer->api_key.count ? "all" : "some"),
                                S(""), S("")});
        }
}

struct changes changes_meant(const struct snapshot *before, const struct snapshot *after,
                             struct arena *arena)
{
        struct meaning meaning = {
                .changes = {.arena = arena}, .before = before, .after = after, .arena = arena};
        map_init(&meaning.groups, arena);
        compare_consumers(&meaning);
        compare_routes(&meaning);
        tell_groups(&meaning);
        changes_order(&meaning.changes);
        return meaning.changes;
}
