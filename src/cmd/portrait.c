/* portrait.c -- `gate render --doc`. */
#include "cmd/portrait.h"

#include "cmd/levels.h"
#include "cmd/sheet.h"
#include "gate/bundle.h"

enum { CELL_MAX = 1024 };

struct portrait {
        const struct snapshot *snapshot;
        struct sheet sheet;
        struct arena *arena;
};

static size_t policy_index(const struct portrait *portrait, const char *name)
{
        const struct policies *policies = portrait->snapshot->policies;
        size_t i = 0;
        while (i < policies->count && strcmp(policies->at[i]->shape->name, name) != 0)
                i++;
        return i;
}

/* A value as it was written, in a cell. */
static void put_item(const struct portrait *portrait, const struct block_item *item,
                     struct text *out)
{
        struct text value = text_grow(portrait->arena, CELL_MAX);
        if (item->conf == NULL) {
                text_put(out, S("off"));
                return;
        }
        if (item->node->kind >= JSON_ARRAY)
                json_write(item->node, JSON_COMPACT, portrait->arena, &value);
        else
                text_put(&value, fault_quote(&portrait->snapshot->bundle->load.faults, item->node));
        text_put(out, value.is_cut ? S("…") : text_str(&value));
}

/* What holds of a policy on a route: the innermost word, and every floor. */
static struct str held(const struct portrait *portrait, const struct levels *levels,
                       const char *name, const char *otherwise)
{
        size_t policy = policy_index(portrait, name);
        const struct block_item *before, *last = levels_last(levels, policy, &before);
        struct text out = text_grow(portrait->arena, 4 * CELL_MAX);
        if (last != NULL)
                put_item(portrait, last, &out);
        for (int i = 0; i < LEVELS_MOST; i++) {
                const struct block_item *floor = levels_item(levels->at[i].enforce, policy);
                if (floor == NULL)
                        continue;
                text_put(&out, out.len > 0 ? S("; always ") : S("always "));
                put_item(portrait, floor, &out);
        }
        return out.len == 0 ? str_of(otherwise) : text_str(&out);
}

/* ---- doors ---- */

static struct str texts_of(const struct portrait *portrait, const struct texts *texts,
                           const char *none)
{
        struct text out = text_grow(portrait->arena, 64 * CELL_MAX);
        for (size_t i = 0; i < texts->count; i++)
                text_format(&out, "%s" STR_FMT, i == 0 ? "" : ", ", STR_ARG(texts->at[i]));
        return out.len == 0 ? str_of(none) : text_str(&out);
}

static void put_doors(struct portrait *portrait)
{
        static const char *const listeners[] = {"listener", "address", "trusted proxies", NULL};
        static const char *const channels[] = {"channel",      "names", "listeners",
                                               "who may call", "limit", NULL};
        const struct config *config = portrait->snapshot->config;
        sheet_head(&portrait->sheet, S("Doors"));
        sheet_table(&portrait->sheet, listeners);
        for (uint32_t i = 0; i < portrait->snapshot->listener_count; i++) {
                const struct listener_rules *rules = &portrait->snapshot->listeners[i];
                struct text count = text_grow(portrait->arena, 32);
                if (rules->trusted_proxies.count > 0)
                        text_format(&count, "%zu networks", (size_t)rules->trusted_proxies.count);
                if (rules->introduction != INTRODUCTION_OFF)
                        text_format(&count, ", PROXY header %s",
                                    rules->introduction == INTRODUCTION_REQUIRED ? "required"
                                                                                 : "optional");
                const struct str cells[] = {
                        rules->name,
                        arena_format(portrait->arena, STR_FMT ":%u",
                                     STR_ARG(rules->address.host.len > 0 ? rules->address.host
                                                                         : S("every address")),
                                     (unsigned)rules->address.port),
                        text_str(&count)};
                sheet_row(&portrait->sheet, cells);
        }
        if (config->channels_count == 0)
                return;
        sheet_table(&portrait->sheet, channels);
        for (size_t i = 0; i < config->channels_count; i++) {
                const struct conf_channel *channel = &config->channels[i];
                struct levels levels = {.at = {{&config->policies, &config->enforce},
                                               {&channel->policies, &channel->enforce}}};
                const struct str cells[] = {channel->name,
                                            texts_of(portrait, &channel->hosts, "any"),
                                            texts_of(portrait, &channel->listener, "all"),
                                            held(portrait, &levels, "auth", "as the API says"),
                                            held(portrait, &levels, "rate_limit", "")};
                sheet_row(&portrait->sheet, cells);
        }
}

/* ---- APIs ---- */

static void put_api_line(struct portrait *portrait, const struct route *route,
                         const struct levels *levels)
{
        struct text text = text_grow(portrait->arena, 16 * CELL_MAX);
        const struct conf_api *api = levels->api;
        if (api->title.len > 0)
                text_format(&text, STR_FMT ". ", STR_ARG(api->title));
        text_format(&text, "At `" STR_FMT "`", STR_ARG(api->path));
        if (levels->channel != NULL)
                text_format(&text, " in %s " STR_FMT,
                            api->channels.count > 1 ? "channels" : "channel",
                            STR_ARG(texts_of(portrait, &api->channels, "")));
        if (route->upstream != NULL)
                text_format(&text, ", served by " STR_FMT, STR_ARG(route->upstream->name));
        text_char(&text, '.');
        if (api->owner.len > 0)
                text_format(&text, " " STR_FMT " answers for it.", STR_ARG(api->owner));
        sheet_text(&portrait->sheet, text_str(&text));
}

/* Policies of a route that have no column of their own. */
static struct str others_of(const struct portrait *portrait, const struct route *route)
{
        struct text out = text_grow(portrait->arena, 16 * CELL_MAX);
        const char *before = "";
        for (uint16_t i = 0; i < route->chain.count; i++) {
                const struct chain_step *one = &route->chain.at[i];
                const char *name = one->policy->shape->name;
                bool is_shown = strcmp(name, "auth") == 0 || strcmp(name, "rate_limit") == 0;
                if (one->node == NULL || is_shown || one->conf == NULL || strcmp(before, name) == 0)
                        continue;
                text_format(&out, "%s%s", out.len == 0 ? "" : ", ", name);
                before = name;
        }
        return text_str(&out);
}

static void put_row(struct portrait *portrait, const struct route *route)
{
        struct levels levels = levels_of(portrait->snapshot->config, route);
        bool is_plain = levels.api != NULL && levels.api->routes_count == 0;
        struct str name = is_plain ? S("everything") : route->name;
        if (levels.channel != NULL && levels.api->channels.count > 1)
                name = arena_format(portrait->arena, STR_FMT " (" STR_FMT ")", STR_ARG(name),
                                    STR_ARG(route->channel->name));
        const struct str cells[] = {name, held(portrait, &levels, "auth", "anybody"),
                                    held(portrait, &levels, "rate_limit", "none"),
                                    others_of(portrait, route)};
        sheet_row(&portrait->sheet, cells);
}

/* Routes lie API by API within a channel; the page goes by API. */
static void put_apis(struct portrait *portrait)
{
        static const char *const heads[] = {"what", "who may call", "limit", "further policies",
                                            NULL};
        const struct snapshot *snapshot = portrait->snapshot;
        for (uint32_t i = 0; i < snapshot->api_count; i++) {
                bool is_begun = false;
                for (uint32_t k = 0; k < snapshot->route_count; k++) {
                        const struct route *route = snapshot->route_list[k];
                        if (route->api != snapshot->api_list[i])
                                continue;
                        if (!is_begun) {
                                struct levels levels = levels_of(snapshot->config, route);
                                sheet_head(&portrait->sheet,
                                           arena_format(portrait->arena, "API " STR_FMT,
                                                        STR_ARG(route->api->name)));
                                put_api_line(portrait, route, &levels);
                                sheet_table(&portrait->sheet, heads);
                        }
                        is_begun = true;
                        put_row(portrait, route);
                }
        }
}

/* ---- upstreams and consumers ---- */

static void put_upstreams(struct portrait *portrait)
{
        static const char *const heads[] = {"upstream", "servers", NULL};
        const struct snapshot *snapshot = portrait->snapshot;
        if (snapshot->upstream_count == 0)
                return;
        sheet_head(&portrait->sheet, S("Upstreams"));
        sheet_table(&portrait->sheet, heads);
        for (uint32_t i = 0; i < snapshot->upstream_count; i++) {
                const struct upstream *upstream = snapshot->upstreams[i];
                struct text out = text_grow(portrait->arena, 64 * CELL_MAX);
                if (str_starts(upstream->name, S("ask:")))
                        continue;
                for (uint32_t k = 0; k < upstream->target_count; k++)
                        text_format(&out, "%s" STR_FMT, k == 0 ? "" : ", ",
                                    STR_ARG(upstream->targets[k].url));
                const struct str cells[] = {upstream->name, text_str(&out)};
                sheet_row(&portrait->sheet, cells);
        }
}

static void put_consumers(struct portrait *portrait)
{
        static const char *const heads[] = {"consumer", "title", "channel", "tier", "keys", NULL};
        const struct config *config = portrait->snapshot->config;
        if (config->consumers_count == 0)
                return;
        sheet_head(&portrait->sheet, S("Consumers"));
        sheet_table(&portrait->sheet, heads);
        for (size_t i = 0; i < config->consumers_count; i++) {
                const struct conf_consumer *consumer = &config->consumers[i];
                const struct str cells[] = {
                        consumer->name, consumer->title,
                        consumer->channel.len > 0 ? consumer->channel : S("any"), consumer->tier,
                        arena_format(portrait->arena, "%zu", consumer->api_key.count)};
                sheet_row(&portrait->sheet, cells);
        }
}

void portrait_write(const struct snapshot *snapshot, struct arena *arena, struct text *out)
{
        struct portrait portrait = {.snapshot = snapshot,
                                    .sheet = {.style = SHEET_MARKDOWN, .out = out},
                                    .arena = arena};
        sheet_title(&portrait.sheet, "Gateway", 7,
                    arena_format(arena, "Configuration " STR_FMT ".",
                                 STR_ARG(str_first(snapshot->hash, 12))));
        put_doors(&portrait);
        put_apis(&portrait);
        put_upstreams(&portrait);
        put_consumers(&portrait);
}
