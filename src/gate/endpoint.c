/* endpoint.c -- endpoints and sets of them: made by the steward, held by whoever needs them, freed
 * by the last one, on whatever thread. */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/check.h"
#include "gate/live_int.h"

void *live_memory(size_t size)
{
        size_t rounded = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
        void *memory = aligned_alloc(CACHE_LINE, rounded);
        if (memory == NULL)
                panic("out of memory: %zu bytes", rounded);
        return memset(memory, 0, rounded);
}

void live_memory_free(void *memory)
{
        free(memory);
}

static struct str put(char **at, struct str s)
{
        struct str copy = {*at, s.len};
        if (s.len > 0)
                memcpy(*at, s.ptr, s.len);
        *at += s.len;
        return copy;
}

/* The same on all nodes and after a restart, and different for each address of a name. */
static uint64_t seed_of(const struct upstream_target *target, const struct addr *addr)
{
        char memory[512 + ADDR_TEXT_MAX];
        struct text text = text_over(memory, sizeof memory);
        text_put(&text, str_first(target->url, 512));
        text_char(&text, ' ');
        addr_put(&text, addr);
        return balance_seed(text_str(&text));
}

struct endpoint *endpoint_make(const struct upstream_target *target, const struct addr *addr,
                               unsigned workers)
{
        size_t texts = target->url.len + target->host.len + target->authority.len +
                       target->path.len;
        size_t counts = workers * sizeof(struct endpoint_counts);
        struct endpoint *endpoint = live_memory(sizeof *endpoint + counts + texts);
        char *at = (char *)(endpoint->counts + workers);
        atomic_init(&endpoint->holds, 1);
        endpoint->addr = *addr;
        endpoint->target = *target;
        endpoint->target.url = put(&at, target->url);
        endpoint->target.host = put(&at, target->host);
        endpoint->target.authority = put(&at, target->authority);
        endpoint->target.path = put(&at, target->path);
        endpoint->seed = seed_of(target, addr);
        return endpoint;
}

void endpoint_hold(struct endpoint *endpoint)
{
        atomic_fetch_add_explicit(&endpoint->holds, 1, memory_order_relaxed);
}

void endpoint_let_go(struct endpoint *endpoint)
{
        if (atomic_fetch_sub_explicit(&endpoint->holds, 1, memory_order_acq_rel) == 1)
                free(endpoint);
}

struct endpoint_set *endpoint_set_make(uint32_t count, const struct endpoint_rules *rules)
{
        size_t entries = count * sizeof(struct endpoint_entry);
        size_t ejects = count * sizeof(struct eject *);
        struct endpoint_set *set = live_memory(sizeof *set + entries + ejects);
        atomic_init(&set->holds, 1);
        set->rules = *rules;
        set->group.rule = &set->rules.eject;
        set->group.targets = (struct eject **)(void *)(set->entries + count);
        atomic_flag_clear(&set->group.is_deciding);
        return set;
}

void endpoint_set_add(struct endpoint_set *set, const struct endpoint_entry *entry)
{
        endpoint_hold(entry->endpoint);
        set->entries[set->count++] = *entry;
}

void endpoint_set_close(struct endpoint_set *set)
{
        struct eject **ejects = (struct eject **)(uintptr_t)set->group.targets;
        for (uint32_t i = 0; i < set->count; i++) {
                if (!set->entries[i].is_standby && set->entries[i].weight > 0)
                        ejects[set->group.count++] = &set->entries[i].endpoint->eject;
        }
}

static bool rules_eq(const struct endpoint_rules *a, const struct endpoint_rules *b)
{
        return a->eject.failures == b->eject.failures &&
               a->eject.share_percent == b->eject.share_percent &&
               a->eject.time_ns == b->eject.time_ns &&
               a->eject.time_max_ns == b->eject.time_max_ns &&
               a->eject.return_ns == b->eject.return_ns && a->slow_start_ns == b->slow_start_ns &&
               a->pool_idle_ns == b->pool_idle_ns && a->pool_age_ns == b->pool_age_ns &&
               a->pool_max == b->pool_max && a->speaks == b->speaks;
}

bool endpoint_set_eq(const struct endpoint_set *a, const struct endpoint_set *b)
{
        if (a->count != b->count || !rules_eq(&a->rules, &b->rules))
                return false;
        for (uint32_t i = 0; i < a->count; i++) {
                const struct endpoint_entry *x = &a->entries[i], *y = &b->entries[i];
                if (x->endpoint != y->endpoint || x->weight != y->weight ||
                    x->target != y->target || x->is_standby != y->is_standby)
                        return false;
        }
        return true;
}

void endpoint_set_hold(struct endpoint_set *set)
{
        atomic_fetch_add_explicit(&set->holds, 1, memory_order_relaxed);
}

void endpoint_set_let_go(struct endpoint_set *set)
{
        if (atomic_fetch_sub_explicit(&set->holds, 1, memory_order_acq_rel) != 1)
                return;
        for (uint32_t i = 0; i < set->count; i++)
                endpoint_let_go(set->entries[i].endpoint);
        free(set);
}

uint32_t endpoint_share(struct endpoint *endpoint, const struct endpoint_rules *rules, uint64_t now)
{
        uint32_t share = eject_share(&endpoint->eject, &rules->eject, now);
        if (likely(endpoint->born == 0) || rules->slow_start_ns == 0)
                return share;
        uint64_t age = now > endpoint->born ? now - endpoint->born : 0;
        if (age >= rules->slow_start_ns)
                return share;
        uint32_t grown = 1 + (uint32_t)(age / (rules->slow_start_ns / 255 + 1));
        return grown < share ? grown : share;
}
