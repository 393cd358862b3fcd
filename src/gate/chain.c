/* chain.c -- policies of four levels into one chain per route. A lower level replaces a key whole,
 * `off` removes it; what stands in `enforce` is a step of its own besides. Each conf is prepared
 * once, where it is written, however many routes it holds for. */
#include "base/check.h"
#include "base/hash.h"
#include "gate/compile_int.h"

enum { NAMES_MAX = 4096 };

static struct str address_of(const void *const *conf)
{
        return str_from((const char *)conf, sizeof *conf);
}

static uint64_t content_of(struct compile *compile, const struct json *node)
{
        struct text text = text_grow(&compile->scratch, 1 << 20);
        if (node == NULL)
                return 1;
        json_write(node, JSON_CANONICAL, &compile->scratch, &text);
        if (text.is_cut) /* then it is like nothing else */
                return hash_str(address_of((const void *const *)&node)) | 1;
        return hash_str(text_str(&text)) | 1;
}

static struct str limit_identity(struct arena *arena, const struct level *level, bool is_floor,
                                 const char *name)
{
        return arena_format(arena, STR_FMT "/%s%s", STR_ARG(level->identity),
                            is_floor ? "enforce/" : "", name);
}

static struct prepare prepare_for(struct compile *compile, const struct block_item *item,
                                  const struct level *level, bool is_floor)
{
        const struct compile_input *in = compile->in;
        const char *name = in->policies->at[item->index]->shape->name;
        return (struct prepare){
                .arena = in->arena,
                .faults = in->faults,
                .node = item->node,
                .level = level->text,
                /* No API is called like that, so that it is told from what stands under it. */
                .limit_name = is_floor ? arena_format(in->arena, STR_FMT "/enforce",
                                                      STR_ARG(level->limit))
                                       : level->limit,
                .identity = limit_identity(in->arena, level, is_floor, name),
                .is_floor = is_floor,
                .config = in->config,
                .proofs = in->proofs,
                .gate = in->gate,
                .compile = compile,
        };
}

static void fault_off(struct compile *compile, const struct block_item *item, bool is_floor)
{
        const struct policy *policy = compile->in->policies->at[item->index];
        struct faults *faults = compile->in->faults;
        if (policy->no_off == NULL && !is_floor)
                return;
        struct fault *fault = fault_add(faults, FAULT_E115, item->node, "`%s` may not be off%s",
                                        policy->shape->name, is_floor ? " in `enforce`" : "");
        fault->help = is_floor ? S("remove it: a floor of nothing changes nothing")
                               : str_of(policy->no_off);
}

struct prepared *prepare_item(struct compile *compile, const struct block_item *item,
                              const struct level *level, bool is_floor)
{
        const struct policy *policy = compile->in->policies->at[item->index];
        const void *address = item->conf != NULL ? item->conf : (const void *)item->node;
        struct prepared *prepared = map_get(&compile->prepared, address_of(&address));
        if (prepared != NULL)
                return prepared;
        const void **key = arena_new(&compile->scratch, const void *);
        *key = address;
        prepared = arena_new(&compile->scratch, struct prepared);
        *prepared = (struct prepared){
                .policy = policy,
                .conf = item->conf,
                .node = item->node,
                .level = level->text,
                .content = content_of(compile, item->node),
                .index = (uint16_t)item->index,
                .is_floor = is_floor,
                .is_off = item->conf == NULL,
        };
        if (item->conf == NULL)
                fault_off(compile, item, is_floor);
        if (item->conf != NULL && policy->prepare != NULL) {
                struct prepare prepare = prepare_for(compile, item, level, is_floor);
                policy->prepare(&prepare, item->conf);
        }
        map_put(&compile->prepared, address_of(key), prepared);
        return prepared;
}

static enum stage stage_of(const struct prepared *prepared)
{
        const struct policy *policy = prepared->policy;
        if (policy->stage_of == NULL || prepared->conf == NULL)
                return policy->stage;
        return policy->stage_of(prepared->conf);
}

/* ---- before any chain ---- */

static void prepare_presets(struct compile *compile)
{
        const struct compile_input *in = compile->in;
        struct reader reader = {.arena = in->arena, .faults = in->faults};
        struct level level = {S("default"), S("default"), S("default"), NULL, NULL};
        compile->presets = arena_array(&compile->scratch, const struct prepared *,
                                       in->policies->count);
        for (size_t i = 0; i < in->policies->count; i++) {
                const struct policy *policy = in->policies->at[i];
                if (!policy->is_always)
                        continue;
                struct block_item item = {.index = i};
                item.conf = shape_read(&reader, policy->shape, str_of(policy->shape->name), NULL);
                compile->presets[i] = prepare_item(compile, &item, &level, false);
        }
}

static void tier_item(struct compile *compile, const struct block_item *item,
                      const struct level *level, const struct chain_step **slots)
{
        const struct prepared *prepared = prepare_item(compile, item, level, false);
        if (stage_of(prepared) < STAGE_ADMIT) {
                fault_add(compile->in->faults, FAULT_E211, item->node,
                          "%s is settled before it is known who calls, so a tier cannot change it",
                          prepared->policy->shape->name);
                return;
        }
        struct chain_step *step = arena_new(compile->in->arena, struct chain_step);
        *step = (struct chain_step){
                .policy = prepared->policy,
                .conf = prepared->conf,
                .node = prepared->node,
                .level = prepared->level,
                .index = prepared->index,
        };
        slots[item->index] = step;
        compile->tier_slots[item->index] = true;
}

/* What a tier says stands under the floor of the top, as an API's word does. */
static void weigh_tier(struct compile *compile, const struct conf_tier *conf,
                       const struct level *level)
{
        const struct config *config = compile->in->config;
        const struct level levels[] = {
                {S("gateway"), S("gateway"), S("default"), NULL, &config->enforce},
                {level->text, level->identity, level->limit, &conf->policies, NULL}};
        weigh_levels(compile, levels, countof(levels));
}

static void prepare_tiers(struct compile *compile)
{
        const struct config *config = compile->in->config;
        struct arena *arena = compile->in->arena;
        size_t count = compile->in->policies->count;
        compile->tier_slots = arena_array(&compile->scratch, bool, count);
        map_init(&compile->snapshot->tiers, arena);
        for (size_t i = 0; i < config->tiers_count; i++) {
                const struct conf_tier *conf = &config->tiers[i];
                const struct chain_step **slots = arena_array(arena, const struct chain_step *,
                                                              count);
                struct tier *tier = arena_new(arena, struct tier);
                struct level level = {
                        .text = arena_format(arena, "tier " STR_FMT, STR_ARG(conf->name)),
                        .identity = arena_format(arena, "tier/" STR_FMT, STR_ARG(conf->name)),
                        .limit = conf->name,
                };
                for (size_t k = 0; k < conf->policies.count; k++)
                        tier_item(compile, &conf->policies.at[k], &level, slots);
                weigh_tier(compile, conf, &level);
                *tier = (struct tier){conf->name, slots};
                map_put(&compile->snapshot->tiers, conf->name, tier);
        }
}

void chain_begin(struct compile *compile)
{
        const struct config *config = compile->in->config;
        map_init(&compile->prepared, &compile->scratch);
        map_init(&compile->bounds, &compile->scratch);
        compile->has_floors = config->enforce.count > 0;
        for (size_t i = 0; i < config->channels_count; i++)
                compile->has_floors |= config->channels[i].enforce.count > 0;
        prepare_presets(compile);
        prepare_tiers(compile);
}

/* ---- one route ---- */

enum { STEPS_MAX = 256 };

struct draft {
        const struct prepared *steps[STEPS_MAX];
        enum stage stages[STEPS_MAX];
        size_t count;
};

/* In the order of stages, then of list.def, then floors behind what they bound: so they have the
 * last word. Where the first word counts, in ANSWER, they stand before it. */
static bool is_behind(const struct draft *draft, size_t at, const struct prepared *prepared,
                      enum stage stage)
{
        const struct prepared *other = draft->steps[at];
        if (draft->stages[at] != stage)
                return draft->stages[at] > stage;
        if (other->index != prepared->index)
                return other->index > prepared->index;
        return stage == STAGE_ANSWER && prepared->is_floor && !other->is_floor;
}

static void draft_add(struct draft *draft, const struct prepared *prepared)
{
        enum stage stage = stage_of(prepared);
        size_t at = draft->count;
        CHECK(draft->count < STEPS_MAX);
        for (; at > 0 && is_behind(draft, at - 1, prepared, stage); at--) {
                draft->steps[at] = draft->steps[at - 1];
                draft->stages[at] = draft->stages[at - 1];
        }
        draft->steps[at] = prepared;
        draft->stages[at] = stage;
        draft->count++;
}

static const struct prepared *empty_slot(struct compile *compile, size_t index)
{
        struct prepared *slot = arena_new(&compile->scratch, struct prepared);
        slot->policy = compile->in->policies->at[index];
        slot->level = S("tier");
        slot->index = (uint16_t)index;
        return slot;
}

/* One step of a floor and what it bounds. */
static const struct prepared *merge(struct compile *compile, const struct prepared *floor,
                                    const struct prepared *value, const struct level *level)
{
        struct bound *bound = bound_of(compile, floor, value);
        if (bound->merged != NULL)
                return bound->merged;
        const struct block_item item = {floor->index, NULL, value->node};
        struct prepare prepare = prepare_for(compile, &item, level, false);
        struct prepared *merged = arena_new(&compile->scratch, struct prepared);
        *merged = *value;
        merged->conf = floor->policy->merge(&prepare, floor->conf, value->conf);
        merged->content = hash_mix(floor->content, value->content);
        bound->merged = merged;
        return merged;
}

/* What is enforced, each a step of its own, or in one with what it bounds. */
static void choose_floors(struct compile *compile, const struct level *levels,
                          const struct prepared **chosen, struct draft *draft)
{
        for (int l = 0; l < LEVELS; l++) {
                const struct block *block = levels[l].enforce;
                for (size_t k = 0; block != NULL && k < block->count; k++) {
                        const struct block_item *item = &block->at[k];
                        const struct prepared *floor = prepare_item(compile, item, &levels[l],
                                                                    true);
                        const struct prepared **value = &chosen[item->index];
                        if (floor->policy->merge == NULL || floor->is_off)
                                draft_add(draft, floor);
                        else if (*value == NULL || (*value)->is_off)
                                *value = floor;
                        else
                                *value = merge(compile, floor, *value, &levels[l]);
                }
        }
}

/* What holds of each policy under these levels, innermost first. */
static void choose(struct compile *compile, const struct level *levels, struct draft *draft)
{
        const struct prepared *chosen[STEPS_MAX / LEVELS];
        struct draft floors = {.count = 0};
        size_t count = compile->in->policies->count;
        CHECK(count <= countof(chosen));
        for (size_t i = 0; i < count; i++)
                chosen[i] = compile->presets[i];
        for (int l = 0; l < LEVELS; l++) {
                const struct block *block = levels[l].policies;
                for (size_t k = 0; block != NULL && k < block->count; k++)
                        chosen[block->at[k].index] = prepare_item(compile, &block->at[k],
                                                                  &levels[l], false);
        }
        choose_floors(compile, levels, chosen, &floors);
        for (size_t i = 0; i < count; i++) {
                if (chosen[i] != NULL)
                        draft_add(draft, chosen[i]);
                /* What is settled before it is known who calls, no tier can replace. */
                bool is_early = chosen[i] == NULL || chosen[i]->is_floor ||
                                stage_of(chosen[i]) < STAGE_ADMIT;
                if (compile->tier_slots[i] && is_early)
                        draft_add(draft, empty_slot(compile, i));
        }
        for (size_t i = 0; i < floors.count; i++)
                draft_add(draft, floors.steps[i]);
}

static void settle_terms(const struct draft *draft, struct route *route)
{
        for (int pass = 0; pass < 2; pass++) {
                for (size_t i = 0; i < draft->count; i++) {
                        const struct prepared *step = draft->steps[i];
                        if (step->policy->stage == STAGE_TERMS && step->is_floor == (pass == 1))
                                step->policy->settle(step->conf, step->is_floor, &route->terms);
                }
        }
        route->timeouts = (struct timeouts){
                .connect = (uint64_t)route->terms.connect_ns,
                .response = (uint64_t)route->terms.response_ns,
                .idle = (uint64_t)route->terms.idle_ns,
                .total = (uint64_t)route->terms.total_ns,
        };
}

static bool takes_tier(const struct prepared *prepared)
{
        return !prepared->is_floor && stage_of(prepared) >= STAGE_ADMIT;
}

static bool is_step(struct compile *compile, const struct prepared *prepared)
{
        if (prepared->policy->stage == STAGE_TERMS)
                return false;
        return !prepared->is_off || (compile->tier_slots[prepared->index] && takes_tier(prepared));
}

static struct str names_of(struct arena *arena, const struct chain *chain)
{
        struct text text = text_grow(arena, NAMES_MAX);
        for (uint16_t i = 0; i < chain->count; i++) {
                if (i > 0)
                        text_char(&text, ' ');
                text_put(&text, str_of(chain->at[i].policy->shape->name));
        }
        return text_str(&text);
}

void chain_build(struct compile *compile, const struct level *levels, struct route *route)
{
        struct draft draft = {.count = 0};
        struct chain *chain = &route->chain;
        weigh_levels(compile, levels, LEVELS);
        choose(compile, levels, &draft);
        settle_terms(&draft, route);
        struct chain_step *steps = arena_array(compile->in->arena, struct chain_step, draft.count);
        route->protection = 0;
        for (size_t i = 0; i < draft.count; i++) {
                const struct prepared *from = draft.steps[i];
                if (!is_step(compile, from))
                        continue;
                steps[chain->count++] = (struct chain_step){
                        .policy = from->policy,
                        .conf = from->conf,
                        .node = from->node,
                        .level = from->level,
                        .state_at = chain->state_size,
                        .index = from->index,
                        .is_floor = from->is_floor,
                        .takes_tier = takes_tier(from),
                };
                chain->state_size += (uint32_t)((from->policy->state_size + 15) & ~(size_t)15);
                chain->watches_request |= from->policy->request_body != BODY_NEED_NONE;
                chain->answers_preflight |= from->policy->answers_preflight;
                chain->has_floors |= from->is_floor;
                chain->has_hearers |= from->policy->hears_all;
                route->protection = hash_mix(route->protection, from->index);
                route->protection = hash_mix(route->protection, from->content);
        }
        chain->at = steps;
        chain->names = names_of(compile->in->arena, chain);
}

bool chain_answers(const struct compile *compile, const struct chain *chain)
{
        for (uint16_t i = 0; i < chain->count; i++) {
                const struct chain_step *step = &chain->at[i];
                bool may_change = step->takes_tier && compile->tier_slots[step->index];
                if (step->conf != NULL && step->policy->answers && !may_change)
                        return true;
        }
        return false;
}
