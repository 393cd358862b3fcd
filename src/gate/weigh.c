/* weigh.c -- what is written in vain: a value below an `enforce` that is stricter can never take
 * effect, and whoever wrote it believes that it does (E205). A value that holds in several channels
 * is in vain only when it is so in each of them: so each chain that is built counts, and the
 * complaints come at the end. */
#include "gate/compile_int.h"

struct bound_idle {
        struct bound_idle *next;
        struct idle *idle;
};

const struct json *written(const struct json *node, const char *member, const char *shorthand)
{
        if (json_is(node, JSON_OBJECT))
                return json_get(node, str_of(member));
        return shorthand != NULL && strcmp(member, shorthand) == 0 ? node : NULL;
}

struct bound *bound_of(struct compile *compile, const struct prepared *floor,
                       const struct prepared *value)
{
        const void *both[2] = {floor, value};
        struct bound *bound = map_get(&compile->bounds, str_from((const char *)both, sizeof both));
        if (bound != NULL)
                return bound;
        const void **key = arena_array(&compile->scratch, const void *, countof(both));
        memcpy(key, both, sizeof both);
        bound = arena_new(&compile->scratch, struct bound);
        map_put(&compile->bounds, str_from((const char *)key, sizeof both), bound);
        return bound;
}

static struct idle *idle_of(struct weighing *weighing, const struct json *node)
{
        struct prepared *value = weighing->value;
        struct compile *compile = weighing->compile;
        struct idle *idle = value->idles;
        while (idle != NULL && idle->node != node)
                idle = idle->next;
        if (idle != NULL)
                return idle;
        if (value->idles == NULL) {
                value->weighed = compile->weighed;
                compile->weighed = value;
        }
        idle = arena_new(&compile->scratch, struct idle);
        *idle = (struct idle){.next = value->idles, .node = node, .floor = weighing->floor};
        value->idles = idle;
        return idle;
}

void weigh_idle(struct weighing *weighing, const struct json *at)
{
        struct bound *bound = bound_of(weighing->compile, weighing->floor, weighing->value);
        struct bound_idle *entry = arena_new(&weighing->compile->scratch, struct bound_idle);
        *entry = (struct bound_idle){bound->idles, idle_of(weighing, at)};
        bound->idles = entry;
}

static void weigh_pair(struct compile *compile, const struct prepared *floor,
                       struct prepared *value)
{
        const struct policy *policy = value->policy;
        struct bound *bound = bound_of(compile, floor, value);
        struct weighing weighing = {value->node, compile, floor, value};
        /* Without a step nothing is bounded; `off` of terms is one of their values. */
        if (!bound->is_weighed && value->is_off && policy->stage != STAGE_TERMS)
                weigh_idle(&weighing, value->node);
        else if (!bound->is_weighed && !value->is_off && policy->weigh != NULL)
                policy->weigh(&weighing, floor->conf, value->conf);
        bound->is_weighed = true;
        for (struct bound_idle *entry = bound->idles; entry != NULL; entry = entry->next) {
                struct idle *idle = entry->idle;
                idle->met += idle->last != compile->chain_number;
                idle->last = compile->chain_number;
        }
}

/* The floors of the first `count` levels hold for it. */
static void weigh_value(struct compile *compile, const struct level *levels, int count,
                        struct prepared *value)
{
        value->met++;
        for (int l = 0; l < count; l++) {
                const struct block *enforce = levels[l].enforce;
                for (size_t k = 0; enforce != NULL && k < enforce->count; k++) {
                        const struct block_item *item = &enforce->at[k];
                        if (item->index == value->index && item->conf != NULL)
                                weigh_pair(compile, prepare_item(compile, item, &levels[l], true),
                                           value);
                }
        }
}

void weigh_levels(struct compile *compile, const struct level *levels, int count)
{
        if (!compile->has_floors)
                return;
        compile->chain_number++;
        for (int l = 0; l < count; l++) {
                const struct block *blocks[] = {levels[l].policies, levels[l].enforce};
                for (int b = 0; b < 2; b++) {
                        const struct block *block = blocks[b];
                        for (size_t k = 0; block != NULL && k < block->count; k++)
                                weigh_value(
                                        compile, levels, l + 1 - b,
                                        prepare_item(compile, &block->at[k], &levels[l], b == 1));
                }
        }
}

void weigh_end(struct compile *compile)
{
        struct faults *faults = compile->in->faults;
        for (struct prepared *value = compile->weighed; value != NULL; value = value->weighed) {
                for (struct idle *idle = value->idles; idle != NULL; idle = idle->next) {
                        if (idle->met < value->met)
                                continue;
                        struct fault *fault = fault_add(faults, FAULT_E205, idle->node,
                                                        "this of `%s` can never take effect",
                                                        value->policy->shape->name);
                        fault->label = S("`enforce` is stricter");
                        fault->also = place_of(faults->sources, idle->floor->node);
                        fault->also_label = S("this holds in any case");
                        fault->help = S("remove it, or write something stricter");
                }
        }
}
