/* live_names.c -- from the names of targets to addresses, and from addresses to the set that the
 * workers use. Of a name with addresses in two families one family is in use, the other in
 * reserve: they are ways to the same servers, and half of the traffic must not hang on the worse
 * one (RFC 8305). */
#include "base/check.h"
#include "base/log.h"
#include "gate/live_int.h"

/* A target's weight is shared by its addresses; this many parts, so that little is lost. */
enum { WEIGHT_PARTS = 1024 };

static struct str put(char **at, struct str s)
{
        struct str copy = {*at, s.len};
        if (s.len > 0)
                memcpy(*at, s.ptr, s.len);
        *at += s.len;
        return copy;
}

static void set_addrs(struct target_live *target, const struct addr *addrs, uint32_t count)
{
        CHECK(count <= ADDRESSES_MAX);
        live_memory_free(target->addrs);
        target->addrs = live_memory((count + 1) * sizeof *addrs);
        for (uint32_t i = 0; i < count; i++) {
                target->addrs[i] = addrs[i];
                addr_set_port(&target->addrs[i], target->target.port);
        }
        target->addr_count = count;
        target->is_settled = true;
}

/* ---- names ---- */

static void take_answer(struct target_live *target)
{
        const struct dns_watch *watch = &target->watch;
        bool is_answer = watch->count > 0 || watch->error == ERR_missing;
        if (!watch->is_settled || (target->is_inherited && !is_answer))
                return;
        target->is_inherited = false;
        set_addrs(target, watch->addrs, watch->count);
}

static void changed(struct dns_watch *watch)
{
        struct target_live *target = container_of(watch, struct target_live, watch);
        take_answer(target);
        upstream_live_renew(target->upstream);
}

/* Until the first answer under new rules comes, the addresses stay as they are. */
static void follow(struct target_live *target)
{
        const struct upstream_live *upstream = target->upstream;
        struct dns *dns = upstream->live->dns;
        target->rule = upstream->dns;
        target->is_followed = true;
        target->is_inherited = target->addr_count > 0;
        target->watch = (struct dns_watch){.changed = changed};
        if (dns == NULL ||
            dns_watch_begin(dns, &target->watch, target->target.host, &target->rule) != ERR_ok) {
                target->is_followed = false;
                target->is_settled = true;
                return;
        }
        take_answer(target);
}

static bool is_rule_eq(const struct dns_rule *a, const struct dns_rule *b)
{
        return a->family == b->family && a->ttl_min_ns == b->ttl_min_ns &&
               a->ttl_max_ns == b->ttl_max_ns && a->stale_ns == b->stale_ns;
}

void target_live_keep(struct target_live *target, uint32_t weight)
{
        target->target.weight = weight;
        if (!target->is_followed || is_rule_eq(&target->rule, &target->upstream->dns))
                return;
        dns_watch_end(&target->watch);
        follow(target);
}

/* `localhost` is both loopback addresses; one of them missing is no error. */
static bool set_fixed(struct target_live *target)
{
        struct addr addrs[2];
        if (str_eq_nocase(target->target.host, S("localhost"))) {
                CHECK(addr_read_ip(S("127.0.0.1"), 0, &addrs[0]) == ERR_ok);
                CHECK(addr_read_ip(S("::1"), 0, &addrs[1]) == ERR_ok);
                target->family = AF_INET;
                set_addrs(target, addrs, 2);
                return true;
        }
        if (addr_read_ip(target->target.host, 0, &addrs[0]) != ERR_ok)
                return false;
        set_addrs(target, addrs, 1);
        return true;
}

struct target_live *target_live_make(struct upstream_live *upstream,
                                     const struct upstream_target *from)
{
        size_t texts = from->url.len + from->host.len + from->authority.len + from->path.len;
        struct target_live *target = live_memory(sizeof *target + texts);
        char *at = (char *)(target + 1);
        target->upstream = upstream;
        target->target = *from;
        target->target.url = put(&at, from->url);
        target->target.host = put(&at, from->host);
        target->target.authority = put(&at, from->authority);
        target->target.path = put(&at, from->path);
        target->family = AF_INET6;
        if (!set_fixed(target))
                follow(target);
        return target;
}

void target_live_free(struct target_live *target)
{
        if (target->is_followed)
                dns_watch_end(&target->watch);
        live_memory_free(target->addrs);
        live_memory_free(target);
}

/* ---- the set ---- */

static bool is_of(const struct addr *addr, int family)
{
        return addr->u.any.sa_family == family;
}

/* How many of a target's addresses are of the family in use; all, where there is one only. */
static uint32_t count_used(const struct target_live *target)
{
        uint32_t used = 0;
        for (uint32_t i = 0; i < target->addr_count; i++)
                used += is_of(&target->addrs[i], target->family);
        return used == 0 ? target->addr_count : used;
}

/* The endpoint that this address was so far, so that its health and connections stay. */
static struct endpoint *take_endpoint(struct upstream_live *upstream, uint32_t hint,
                                      const struct target_live *target, const struct addr *addr)
{
        const struct endpoint_set *set = upstream->set;
        uint32_t count = set == NULL ? 0 : set->count;
        for (uint32_t k = 0; k < count; k++) {
                struct endpoint *endpoint = set->entries[(hint + k) % count].endpoint;
                if (addr_eq(&endpoint->addr, addr) &&
                    str_eq(endpoint->target.url, target->target.url)) {
                        endpoint_hold(endpoint);
                        return endpoint;
                }
        }
        struct endpoint *endpoint = endpoint_make(&target->target, addr,
                                                  upstream->live->worker_count);
        if (count > 0)
                endpoint->born = loop_now(upstream->live->loop);
        return endpoint;
}

static void add_target(struct upstream_live *upstream, struct endpoint_set *set, uint32_t number)
{
        const struct target_live *target = upstream->targets[number];
        uint32_t used = count_used(target);
        uint32_t weight = target->target.weight;
        if (weight > 0)
                weight = (uint32_t)u64_max((uint64_t)weight * WEIGHT_PARTS / (used + !used), 1);
        for (uint32_t i = 0; i < target->addr_count && set->count < ENDPOINTS_MAX; i++) {
                bool is_reserve = used < target->addr_count;
                struct endpoint_entry entry = {
                        .endpoint = take_endpoint(upstream, set->count, target, &target->addrs[i]),
                        .weight = weight,
                        .target = number,
                        .is_standby = is_reserve && !is_of(&target->addrs[i], target->family),
                        .has_standby = is_reserve,
                };
                endpoint_set_add(set, &entry);
                endpoint_let_go(entry.endpoint);
        }
}

/* While a new target is not known yet, what was there goes on. */
static bool must_wait(const struct upstream_live *upstream)
{
        if (upstream->set == NULL || upstream->set->count == 0)
                return false;
        for (uint32_t i = 0; i < upstream->target_count; i++) {
                if (!upstream->targets[i]->is_settled)
                        return true;
        }
        return false;
}

void upstream_live_renew(struct upstream_live *upstream)
{
        uint32_t count = 0;
        if (must_wait(upstream))
                return;
        for (uint32_t i = 0; i < upstream->target_count; i++)
                count += upstream->targets[i]->addr_count;
        struct endpoint_set *set = endpoint_set_make(count, &upstream->rules);
        for (uint32_t i = 0; i < upstream->target_count; i++)
                add_target(upstream, set, i);
        if (set->count < count)
                log_warn("an upstream has more addresses than are used",
                         log_str("upstream", upstream->name), log_num("addresses", count),
                         log_num("used", set->count));
        endpoint_set_close(set);
        if (upstream->set != NULL && endpoint_set_eq(upstream->set, set)) {
                endpoint_set_let_go(set);
                return;
        }
        set->generation = ++upstream->generation;
        if (upstream->set != NULL)
                endpoint_set_let_go(upstream->set);
        upstream->set = set;
        upstream_live_send(upstream);
}
