/* sim_net.c -- the simulated network: what is going to happen, ordered by time, and the way of
 * bytes over a cable. Bytes leave `sent` of one plug in random cuts and lie in `arrived` of the
 * other, as far as that has room; an end follows the last byte, a reset overtakes nothing that has
 * arrived. Rules of the kernel that callers rely on: an error is told once; after it receiving
 * gives the end and sending "closed"; closing with unread bytes resets; bytes for a closed end are
 * answered by a reset. */
#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"
#include "io/sim_int.h"

#define CONNECT_TIMEOUT_NS (127u * 1000000000ull)

enum { CONNECT_TRIES = 6 };

void *heap_take(size_t size)
{
        void *memory = calloc(1, size);
        CHECK(memory != NULL);
        return memory;
}

void bytes_put(struct heap_bytes *bytes, const void *from, size_t len)
{
        if (len == 0)
                return;
        if (bytes->begin > 0 && bytes->begin + bytes->len + len > bytes->cap) {
                memmove(bytes->ptr, bytes->ptr + bytes->begin, bytes->len);
                bytes->begin = 0;
        }
        if (bytes->len + len > bytes->cap) {
                bytes->cap = (bytes->len + len) * 2;
                bytes->ptr = realloc(bytes->ptr, bytes->cap);
                CHECK(bytes->ptr != NULL);
        }
        memcpy(bytes->ptr + bytes->begin + bytes->len, from, len);
        bytes->len += len;
}

void bytes_drop(struct heap_bytes *bytes, size_t len)
{
        CHECK(len <= bytes->len);
        bytes->begin += len;
        bytes->len -= len;
        if (bytes->len == 0)
                bytes_clear(bytes);
}

void bytes_clear(struct heap_bytes *bytes)
{
        free(bytes->ptr);
        *bytes = (struct heap_bytes){0};
}

/* What is going to happen: a binary heap by time, then by the order of asking. */

static bool is_sooner(const struct happening *a, const struct happening *b)
{
        return a->time < b->time || (a->time == b->time && a->order < b->order);
}

static void heap_add(struct sim *sim, struct happening happening)
{
        happening.order = sim->order++;
        if (sim->heap_count == sim->heap_cap) {
                sim->heap_cap = sim->heap_cap == 0 ? 64 : sim->heap_cap * 2;
                sim->heap = realloc(sim->heap, sim->heap_cap * sizeof *sim->heap);
                CHECK(sim->heap != NULL);
        }
        size_t at = sim->heap_count++;
        while (at > 0 && is_sooner(&happening, &sim->heap[(at - 1) / 2])) {
                sim->heap[at] = sim->heap[(at - 1) / 2];
                at = (at - 1) / 2;
        }
        sim->heap[at] = happening;
}

static struct happening heap_pop(struct sim *sim)
{
        struct happening first = sim->heap[0];
        struct happening last = sim->heap[--sim->heap_count];
        size_t at = 0;
        for (;;) {
                size_t child = at * 2 + 1;
                if (child >= sim->heap_count)
                        break;
                if (child + 1 < sim->heap_count &&
                    is_sooner(&sim->heap[child + 1], &sim->heap[child]))
                        child++;
                if (!is_sooner(&sim->heap[child], &last))
                        break;
                sim->heap[at] = sim->heap[child];
                at = child;
        }
        sim->heap[at] = last;
        return first;
}

void sim_happen(struct sim *sim, uint64_t delay, void (*fn)(struct plug *plug), struct plug *plug)
{
        plug->cable->pending++;
        heap_add(sim, (struct happening){.time = sim->now + delay, .fn = fn, .plug = plug});
}

void sim_after(struct sim *sim, uint64_t delay, void (*fn)(void *arg), void *arg)
{
        heap_add(sim, (struct happening){.time = sim->now + delay, .after = fn, .arg = arg});
}

bool sim_is_quiet(const struct sim *sim)
{
        return sim->heap_count == 0;
}

bool sim_step(struct sim *sim, uint64_t until)
{
        if (sim->heap_count == 0 || sim->heap[0].time > until) {
                if (until != UINT64_MAX && until > sim->now)
                        sim->now = until;
                return false;
        }
        struct happening happening = heap_pop(sim);
        sim->now = u64_max(sim->now, happening.time);
        if (happening.after != NULL) {
                happening.after(happening.arg);
                return true;
        }
        struct cable *cable = happening.plug->cable;
        happening.fn(happening.plug);
        cable->pending--;
        cable_maybe_free(cable);
        return true;
}

uint64_t sim_latency(struct sim *sim)
{
        const struct sim_rules *rules = &sim->rules;
        return rules->latency_least +
               sim_below(sim, rules->latency_most - rules->latency_least + 1);
}

void sim_note(struct sim *sim, uint64_t what, uint64_t more)
{
        sim->digest = hash_mix(hash_mix(hash_mix(sim->digest, sim->now), what), more);
}

/* Lobbies: where connections wait to be accepted. */

struct lobby *lobby_find(struct sim *sim, const struct addr *at)
{
        list_each (node, &sim->lobbies) {
                struct lobby *lobby = list_entry(node, struct lobby, node);
                if (addr_eq(&lobby->at, at))
                        return lobby;
        }
        return NULL;
}

struct lobby *lobby_add(struct sim *sim, const struct addr *at)
{
        CHECK(lobby_find(sim, at) == NULL);
        struct lobby *lobby = heap_take(sizeof *lobby);
        lobby->at = *at;
        list_init(&lobby->queue);
        list_push(&sim->lobbies, &lobby->node);
        return lobby;
}

struct plug *lobby_take(struct lobby *lobby)
{
        struct list *node = list_pop(&lobby->queue);
        if (node == NULL)
                return NULL;
        lobby->queued--;
        return list_entry(node, struct plug, queue);
}

void lobby_free(struct lobby *lobby)
{
        struct plug *plug;
        while ((plug = lobby_take(lobby)) != NULL)
                plug_release(plug, true);
        list_remove(&lobby->node);
        free(lobby);
}

bool sim_is_black(const struct sim *sim, const struct addr *at)
{
        list_each (node, &sim->black) {
                if (addr_eq(&list_entry(node, struct black, node)->at, at))
                        return true;
        }
        return false;
}

/* Cables. */

static void plug_init(struct plug *plug, struct cable *cable)
{
        plug->cable = cable;
        list_init(&plug->ready);
        list_init(&plug->queue);
}

void cable_maybe_free(struct cable *cable)
{
        if (cable->pending > 0 || cable->plugs[0].is_held || cable->plugs[1].is_held)
                return;
        for (int i = 0; i < 2; i++) {
                bytes_clear(&cable->plugs[i].sent);
                bytes_clear(&cable->plugs[i].arrived);
        }
        list_remove(&cable->node);
        free(cable);
}

static void plug_fail(struct plug *plug, enum err err)
{
        if (plug->is_dead)
                return;
        sim_note(sim_of_plug(plug), 'f', err);
        plug->is_dead = true;
        plug->error = err;
        bytes_clear(&plug->sent);
        if (plug->is_held)
                plug_wake(plug);
}

static void on_refused(struct plug *plug)
{
        plug_fail(plug, ERR_refused);
}

static void on_timeout(struct plug *plug)
{
        if (!plug->is_up)
                plug_fail(plug, ERR_timeout);
}

static void on_reset(struct plug *plug)
{
        plug_fail(plug, plug->has_end ? ERR_closed : ERR_reset);
}

static void set_up(struct plug *plug)
{
        if (plug->is_up || plug->is_dead || !plug->is_held)
                return;
        sim_note(sim_of_plug(plug), 'u', 0);
        plug->is_up = true;
        plug_wake(plug);
        plug_move(plug);
}

/* The first packet of a connection has arrived where it was sent to. */
static void on_call(struct plug *caller)
{
        struct cable *cable = caller->cable;
        struct sim *sim = cable->sim;
        struct plug *called = other_plug(caller);
        if (!caller->is_held)
                return;
        if (sim_is_black(sim, &cable->to) || sim_chance(sim, sim->rules.lose)) {
                sim_happen(sim, CONNECT_TIMEOUT_NS, on_timeout, caller);
                return;
        }
        struct lobby *lobby = lobby_find(sim, &cable->to);
        if (lobby == NULL || sim_chance(sim, sim->rules.refuse)) {
                sim_happen(sim, sim_latency(sim), on_refused, caller);
                return;
        }
        if (lobby->script == NULL && lobby->queued >= sim->rules.backlog_max) {
                if (cable->tries++ < CONNECT_TRIES)
                        sim_happen(sim, 1000000000ull << cable->tries, on_call, caller);
                else
                        plug_fail(caller, ERR_timeout);
                return;
        }
        called->is_held = called->is_up = true;
        sim_happen(sim, sim_latency(sim), set_up, caller);
        if (lobby->script != NULL) {
                called->peer = peer_make(called, lobby->script, lobby->owner);
                peer_event(called);
        } else {
                list_push(&lobby->queue, &called->queue);
                lobby->queued++;
        }
}

struct plug *cable_open(struct sim *sim, const struct addr *from, const struct addr *to)
{
        struct cable *cable = heap_take(sizeof *cable);
        cable->sim = sim;
        cable->from = *from;
        cable->to = *to;
        plug_init(&cable->plugs[0], cable);
        plug_init(&cable->plugs[1], cable);
        list_push(&sim->cables, &cable->node);
        cable->plugs[0].is_held = true;
        sim_happen(sim, sim_latency(sim), on_call, &cable->plugs[0]);
        return &cable->plugs[0];
}

/* Plugs. */

void plug_wake(struct plug *plug)
{
        if (plug->peer != NULL)
                peer_event(plug);
        else if (plug->watcher != NULL && list_is_empty(&plug->ready))
                list_push(&plug->port->ready, &plug->ready);
}

/* As the kernel: a third must be free before anybody is told so. */
bool plug_has_room(struct plug *plug)
{
        size_t room = sim_of_plug(plug)->rules.send_room;
        return plug->sent.len < room && room - plug->sent.len >= plug->sent.len / 2;
}

static size_t room_at(const struct plug *plug)
{
        size_t room = sim_of_plug(plug)->rules.recv_room;
        return plug->arrived.len >= room ? 0 : room - plug->arrived.len;
}

static void send_end(struct plug *plug)
{
        struct plug *other = other_plug(plug);
        plug->is_end_sent = true;
        other->has_end = true;
        sim_note(sim_of_plug(plug), 'e', 0);
        set_up(other);
        if (other->is_held && !other->is_dead)
                plug_wake(other);
}

static void send_bytes(struct plug *plug)
{
        struct sim *sim = sim_of_plug(plug);
        struct plug *other = other_plug(plug);
        if (!other->is_held) { /* nobody is there any more */
                other->is_dead = true;
                on_reset(plug);
                return;
        }
        if (sim_chance(sim, sim->rules.reset)) {
                on_reset(other);
                on_reset(plug);
                return;
        }
        size_t n = sim->rules.segment_max;
        if (!sim_chance(sim, sim->rules.is_full_cut))
                n = 1 + (size_t)sim_below(sim, n);
        n = size_min(size_min(n, plug->sent.len), room_at(other));
        if (!other->is_dead)
                bytes_put(&other->arrived, plug->sent.ptr + plug->sent.begin, n);
        bytes_drop(&plug->sent, n);
        sim_note(sim, 'd', n);
        if (plug->sent.len == 0 && plug->is_shut && sim_chance(sim, 512))
                plug->is_end_sent = other->has_end = true;
        set_up(other); /* its last packet of connecting may still be under way */
        if (other->is_held && !other->is_dead)
                plug_wake(other);
        if (plug->wants_room && plug->is_held && plug_has_room(plug)) {
                plug->wants_room = false;
                plug_wake(plug);
        }
}

static void on_moved(struct plug *plug)
{
        plug->is_moving = false;
        if (plug->is_dead)
                return;
        if (plug->sent.len > 0)
                send_bytes(plug);
        else if (plug->is_shut && !plug->is_end_sent)
                send_end(plug);
        plug_move(plug);
}

void plug_move(struct plug *plug)
{
        struct sim *sim = sim_of_plug(plug);
        struct plug *other = other_plug(plug);
        bool has_bytes = plug->sent.len > 0 && (room_at(other) > 0 || !other->is_held);
        bool has_end = plug->sent.len == 0 && plug->is_shut && !plug->is_end_sent;
        if (plug->is_moving || plug->is_dead || !plug->is_up || (!has_bytes && !has_end))
                return;
        plug->is_moving = true;
        sim_happen(sim, sim_latency(sim), on_moved, plug);
}

void plug_took(struct plug *plug)
{
        plug_move(other_plug(plug));
}

void plug_shut(struct plug *plug)
{
        plug->is_shut = true;
        plug_move(plug);
}

void plug_release(struct plug *plug, bool is_abrupt)
{
        struct plug *other = other_plug(plug);
        list_remove(&plug->ready);
        plug->watcher = NULL;
        plug->peer = NULL;
        plug->is_held = false;
        bool was_dead = plug->is_dead;
        bool is_reset = is_abrupt || plug->arrived.len > 0 || !plug->is_up;
        if (is_reset) {
                plug->is_dead = true;
                bytes_clear(&plug->sent);
        }
        bytes_clear(&plug->arrived);
        if (!was_dead && is_reset && other->is_held)
                sim_happen(sim_of_plug(plug), sim_latency(sim_of_plug(plug)), on_reset, other);
        else if (!was_dead && !is_reset)
                plug_shut(plug);
        plug_move(other); /* what waited for room here will find nobody */
        cable_maybe_free(plug->cable);
}
