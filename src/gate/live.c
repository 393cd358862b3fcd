/* live.c -- the registry of what is alive: found by name when a snapshot is about to be published,
 * held by the snapshots that name it, gone when the last one is retired and every worker has given
 * up its lane. */
#include <stdatomic.h>

#include "base/check.h"
#include "base/log.h"
#include "base/map.h"
#include "gate/live_int.h"

struct live *live_make(struct loop *steward, struct dns *dns, struct worker *const *workers,
                       unsigned worker_count)
{
        struct live *live = live_memory(sizeof *live);
        *live = (struct live){
                .loop = steward, .dns = dns, .workers = workers, .worker_count = worker_count};
        return live;
}

/* ---- one upstream ---- */

static void post(struct lane_mail *box)
{
        if (!atomic_exchange_explicit(&box->is_posted, true, memory_order_acq_rel))
                loop_post(box->worker->http.loop, &box->mail);
}

void upstream_live_send(struct upstream_live *upstream)
{
        for (unsigned i = 0; i < upstream->live->worker_count; i++) {
                struct lane_mail *box = &upstream->mails[i];
                endpoint_set_hold(upstream->set);
                struct endpoint_set *unread = atomic_exchange_explicit(&box->next, upstream->set,
                                                                       memory_order_acq_rel);
                if (unread != NULL)
                        endpoint_set_let_go(unread);
                post(box);
        }
}

static void free_targets(struct upstream_live *upstream)
{
        for (uint32_t i = 0; i < upstream->target_count; i++) {
                if (upstream->targets[i] != NULL)
                        target_live_free(upstream->targets[i]);
        }
        live_memory_free(upstream->targets);
        upstream->targets = NULL;
        upstream->target_count = 0;
}

static void upstream_live_free(struct upstream_live *upstream)
{
        for (unsigned i = 0; i < upstream->live->worker_count; i++) {
                struct endpoint_set *unread = atomic_exchange_explicit(&upstream->mails[i].next,
                                                                       NULL, memory_order_acq_rel);
                if (unread != NULL)
                        endpoint_set_let_go(unread);
        }
        free_targets(upstream);
        if (upstream->set != NULL)
                endpoint_set_let_go(upstream->set);
        upstream->live->slots[upstream->slot] = NULL;
        live_memory_free(upstream);
}

/* A worker's lane is gone; with the last one the upstream goes. */
static void open_ack(struct mail *mail)
{
        struct upstream_live *upstream = container_of(mail, struct lane_mail, ack)->upstream;
        CHECK(upstream->is_dropped);
        if (++upstream->acks == upstream->live->worker_count)
                upstream_live_free(upstream);
}

static struct target_live *target_by_url(const struct upstream_live *upstream, struct str url)
{
        for (uint32_t i = 0; i < upstream->target_count; i++) {
                if (str_eq(upstream->targets[i]->target.url, url))
                        return upstream->targets[i];
        }
        return NULL;
}

static void take_family(struct target_live *target, int family)
{
        if (target->family == family)
                return;
        target->family = family;
        log_info("a target is reached by its other addresses",
                 log_str("upstream", target->upstream->name), log_str("target", target->target.url),
                 log_text("family", family == AF_INET6 ? "IPv6" : "IPv4"));
}

/* Workers got through at addresses of the family that was not in use: from now on it is. */
static void open_told(struct mail *mail)
{
        struct upstream_live *upstream = container_of(mail, struct upstream_live, told);
        atomic_exchange_explicit(&upstream->is_telling, false, memory_order_acq_rel);
        for (uint32_t i = 0; upstream->set != NULL && i < upstream->set->count; i++) {
                struct endpoint *endpoint = upstream->set->entries[i].endpoint;
                if (!atomic_exchange_explicit(&endpoint->is_reached, false, memory_order_relaxed))
                        continue;
                struct target_live *target = target_by_url(upstream, endpoint->target.url);
                if (target != NULL && upstream->set->entries[i].is_standby)
                        take_family(target, endpoint->addr.u.any.sa_family);
        }
        if (!upstream->is_dropped)
                upstream_live_renew(upstream);
}

static uint32_t free_slot(struct live *live)
{
        for (uint32_t i = 0; i < live->slot_count; i++) {
                if (live->slots[i] == NULL)
                        return i;
        }
        if (live->slot_count == live->slot_cap) {
                uint32_t cap = live->slot_cap == 0 ? 8 : live->slot_cap * 2;
                struct upstream_live **slots = live_memory(cap * sizeof *slots);
                if (live->slot_count > 0)
                        memcpy(slots, live->slots, live->slot_count * sizeof *slots);
                live_memory_free(live->slots);
                live->slots = slots;
                live->slot_cap = cap;
        }
        return live->slot_count++;
}

static struct upstream_live *upstream_live_make(struct live *live, struct str name)
{
        size_t mails = live->worker_count * sizeof(struct lane_mail);
        struct upstream_live *upstream = live_memory(sizeof *upstream + mails + name.len);
        char *text = (char *)(upstream->mails + live->worker_count);
        memcpy(text, name.ptr, name.len);
        upstream->live = live;
        upstream->name = str_from(text, name.len);
        upstream->told.open = open_told;
        for (unsigned i = 0; i < live->worker_count; i++) {
                struct lane_mail *box = &upstream->mails[i];
                box->mail.open = lane_mail_open;
                box->ack.open = open_ack;
                box->upstream = upstream;
                box->worker = live->workers[i];
        }
        upstream->slot = free_slot(live);
        live->slots[upstream->slot] = upstream;
        return upstream;
}

/* ---- holding ---- */

static void take_rules(struct upstream_live *upstream, const struct upstream *from)
{
        upstream->rules = (struct endpoint_rules){
                .eject = from->eject,
                .slow_start_ns = from->slow_start_ns,
                .pool_idle_ns = from->pool_idle_ns,
                .pool_age_ns = from->pool_age_ns,
                .pool_max = from->pool_max,
                .speaks = from->speaks,
        };
        upstream->dns = (struct dns_rule){
                .ttl_min_ns = from->dns_min_ns,
                .ttl_max_ns = from->dns_max_ns,
                .stale_ns = from->dns_stale_ns,
        };
}

/* The target as it was, taken out of the list; NULL when it is a new one. */
static struct target_live *take_old(struct target_live **old, uint32_t count, struct str url)
{
        for (uint32_t i = 0; i < count; i++) {
                if (old[i] != NULL && str_eq(old[i]->target.url, url))
                        return TAKE(old[i]);
        }
        return NULL;
}

/* Targets that stay keep their addresses, those of the same URL their health and connections. */
static void take_targets(struct upstream_live *upstream, const struct upstream *from)
{
        struct target_live **old = upstream->targets;
        uint32_t old_count = upstream->target_count;
        upstream->targets = live_memory((from->target_count + 1) * sizeof *upstream->targets);
        upstream->target_count = from->target_count;
        for (uint32_t i = 0; i < from->target_count; i++) {
                const struct upstream_target *target = &from->targets[i];
                struct target_live *kept = take_old(old, old_count, target->url);
                if (kept == NULL)
                        kept = target_live_make(upstream, target);
                else
                        target_live_keep(kept, target->weight);
                upstream->targets[i] = kept;
        }
        for (uint32_t i = 0; i < old_count; i++) {
                if (old[i] != NULL)
                        target_live_free(old[i]);
        }
        live_memory_free(old);
}

void live_hold(struct live *live, struct upstream *const *upstreams, size_t count)
{
        struct arena arena;
        struct map names;
        arena_init(&arena, NULL, SIZE_MAX / 2);
        map_init(&names, &arena);
        for (uint32_t i = 0; i < live->slot_count; i++) {
                struct upstream_live *upstream = live->slots[i];
                if (upstream != NULL && !upstream->is_dropped)
                        map_put(&names, upstream->name, upstream);
        }
        for (size_t i = 0; i < count; i++) {
                struct upstream_live *upstream = map_get(&names, upstreams[i]->name);
                if (upstream == NULL) {
                        upstream = upstream_live_make(live, upstreams[i]->name);
                        map_put(&names, upstream->name, upstream);
                }
                upstream->holds++;
                upstreams[i]->live = upstream;
                take_rules(upstream, upstreams[i]);
                take_targets(upstream, upstreams[i]);
                upstream_live_renew(upstream);
        }
        arena_fini(&arena);
}

static void drop(struct upstream_live *upstream)
{
        upstream->is_dropped = true;
        free_targets(upstream);
        for (unsigned i = 0; i < upstream->live->worker_count; i++) {
                struct lane_mail *box = &upstream->mails[i];
                atomic_store_explicit(&box->is_dropped, true, memory_order_release);
                post(box);
        }
}

void live_release(struct live *live, struct upstream *const *upstreams, size_t count)
{
        (void)live;
        for (size_t i = 0; i < count; i++) {
                struct upstream_live *upstream = upstreams[i]->live;
                CHECK(upstream != NULL && upstream->holds > 0);
                if (--upstream->holds == 0)
                        drop(upstream);
        }
}

void live_free(struct live *live)
{
        for (uint32_t i = 0; i < live->slot_count; i++) {
                if (live->slots[i] != NULL)
                        upstream_live_free(live->slots[i]);
        }
        live_memory_free(live->slots);
        live_memory_free(live);
}

/* ---- telling ---- */

bool live_is_settled(const struct live *live)
{
        for (uint32_t i = 0; i < live->slot_count; i++) {
                const struct upstream_live *upstream = live->slots[i];
                for (uint32_t k = 0; upstream != NULL && k < upstream->target_count; k++) {
                        if (!upstream->targets[k]->is_settled)
                                return false;
                }
        }
        return true;
}

static uint32_t sum(uint32_t so_far, _Atomic(uint32_t) *count)
{
        return so_far + atomic_load_explicit(count, memory_order_relaxed);
}

static struct target_state state_of(const struct upstream_live *upstream,
                                    const struct endpoint_entry *entry)
{
        struct endpoint *endpoint = entry->endpoint;
        uint64_t now = loop_now(upstream->live->loop);
        struct target_state state = {
                .upstream = upstream->name,
                .target = endpoint->target.url,
                .addr = endpoint->addr,
                .is_out = eject_is_out(&endpoint->eject, now),
                .is_standby = entry->is_standby,
                .ejected = atomic_load_explicit(&endpoint->eject.ejected, memory_order_relaxed),
        };
        if (!entry->is_standby && entry->weight > 0)
                state.share = endpoint_share(endpoint, &upstream->set->rules, now);
        for (unsigned i = 0; i < upstream->live->worker_count; i++) {
                state.in_flight = sum(state.in_flight, &endpoint->counts[i].in_flight);
                state.idle = sum(state.idle, &endpoint->counts[i].idle);
                state.open = sum(state.open, &endpoint->counts[i].open);
        }
        return state;
}

void live_each(struct live *live, void (*each)(void *arg, const struct target_state *state),
               void *arg)
{
        for (uint32_t i = 0; i < live->slot_count; i++) {
                const struct upstream_live *upstream = live->slots[i];
                if (upstream == NULL || upstream->is_dropped || upstream->set == NULL)
                        continue;
                for (uint32_t k = 0; k < upstream->set->count; k++) {
                        struct target_state state = state_of(upstream, &upstream->set->entries[k]);
                        each(arg, &state);
                }
        }
}

bool live_breaker_is_open(struct live *live, struct str upstream)
{
        for (uint32_t i = 0; i < live->slot_count; i++) {
                struct upstream_live *at = live->slots[i];
                if (at != NULL && !at->is_dropped && str_eq(at->name, upstream))
                        return breaker_is_open(&at->breaker);
        }
        return false;
}
