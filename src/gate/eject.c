/* eject.c -- failures are counted in one atomic number; whoever brings it to the limit decides for
 * all, alone: a flag that nobody waits for keeps two from deciding at once, and who does not get it
 * leaves the decision to the next failure. */
#include "gate/eject.h"

/* How long the `times`-th time is. */
static uint64_t time_of(const struct eject_rule *rule, uint32_t times)
{
        uint64_t time_ns = rule->time_ns;
        for (uint32_t i = 1; i < times && time_ns < rule->time_max_ns; i++)
                time_ns *= 2;
        return u64_min(time_ns, u64_max(rule->time_max_ns, rule->time_ns));
}

uint32_t eject_share(struct eject *eject, const struct eject_rule *rule, uint64_t now_ns)
{
        uint64_t until = atomic_load_explicit(&eject->until_ns, memory_order_relaxed);
        if (likely(until == 0))
                return 256;
        if (until > now_ns)
                return 0;
        uint64_t since = now_ns - until;
        if (since >= rule->return_ns)
                return 256;
        return 1 + (uint32_t)(since / (rule->return_ns / 255 + 1));
}

void eject_success(struct eject *eject, const struct eject_rule *rule, uint64_t now_ns)
{
        if (unlikely(atomic_load_explicit(&eject->failures, memory_order_relaxed) != 0))
                atomic_store_explicit(&eject->failures, 0, memory_order_relaxed);
        uint64_t until = atomic_load_explicit(&eject->until_ns, memory_order_relaxed);
        if (likely(until == 0))
                return;
        /* Well for as long as it was out, once fully back: all is forgotten. */
        uint32_t times = atomic_load_explicit(&eject->times, memory_order_relaxed);
        if (now_ns < until || now_ns - until < rule->return_ns + time_of(rule, times))
                return;
        if (atomic_compare_exchange_strong_explicit(&eject->until_ns, &until, 0,
                                                    memory_order_relaxed, memory_order_relaxed))
                atomic_store_explicit(&eject->times, 0, memory_order_relaxed);
}

/* True when one more may go out. */
static bool may_go(struct eject_group *group, uint64_t now_ns)
{
        uint64_t out = 0, most = (uint64_t)group->count * group->rule->share_percent / 100;
        for (uint32_t i = 0; i < group->count; i++)
                out += eject_is_out(group->targets[i], now_ns);
        if (most == 0 && group->rule->share_percent > 0)
                most = 1;
        return out < most && out + 1 < group->count;
}

bool eject_failure(struct eject_group *group, struct eject *eject, uint64_t now_ns)
{
        const struct eject_rule *rule = group->rule;
        if (rule->failures == 0)
                return false;
        uint32_t failures = 1 +
                            atomic_fetch_add_explicit(&eject->failures, 1, memory_order_relaxed);
        if (failures < rule->failures || eject_is_out(eject, now_ns))
                return false;
        if (atomic_flag_test_and_set_explicit(&group->is_deciding, memory_order_acquire))
                return false;
        bool goes = !eject_is_out(eject, now_ns) && may_go(group, now_ns);
        if (goes) {
                uint32_t times = 1 + atomic_load_explicit(&eject->times, memory_order_relaxed);
                atomic_store_explicit(&eject->times, times, memory_order_relaxed);
                atomic_store_explicit(&eject->failures, 0, memory_order_relaxed);
                atomic_store_explicit(&eject->until_ns, now_ns + time_of(rule, times),
                                      memory_order_relaxed);
                atomic_fetch_add_explicit(&eject->ejected, 1, memory_order_relaxed);
        }
        atomic_flag_clear_explicit(&group->is_deciding, memory_order_release);
        return goes;
}
