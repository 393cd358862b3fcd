/* lane.c -- a worker's side of an upstream: takes over new addresses, gives up old ones without
 * breaking what runs on them, and chooses. */
#include <stdatomic.h>

#include "base/check.h"
#include "base/rand.h"
#include "gate/live_int.h"

/* How often a share that grows is looked at. */
#define GROWING_NS 50000000u

/* In worker.lane_cap: the worker has ended. */
static const uint32_t LANES_SHUT = UINT32_MAX;

/* Of retries: a fifth of the requests, unless the route says otherwise, and always this many. */
enum { RETRY_PART_PERMILLE = 200, RETRIES_LEAST_PER_S = 3 };

/* ---- seats ---- */

static void lane_free(struct lane *lane)
{
        struct upstream_live *upstream = lane->upstream;
        struct worker *worker = lane->worker;
        CHECK(list_is_empty(&lane->all_seats));
        list_remove(&lane->grave.node);
        live_memory_free(lane->seats);
        live_memory_free(lane->balance);
        if (lane->set != NULL)
                endpoint_set_let_go(lane->set);
        live_memory_free(lane);
        worker->lanes[upstream->slot] = NULL;
}

static void bury_lane(struct task *task)
{
        struct lane *lane = container_of(task, struct lane, grave);
        struct upstream_live *upstream = lane->upstream;
        struct mail *ack = &upstream->mails[lane->worker->index].ack;
        lane_free(lane);
        loop_post(upstream->live->loop, ack);
}

/* Nothing dies on somebody's stack: whoever let go last may be deep in a pool. */
static void check_lane(struct lane *lane)
{
        if (lane->is_dropped && lane->users == 0 && list_is_empty(&lane->all_seats))
                loop_bury(lane->worker->http.loop, &lane->grave);
}

static void seat_free(struct seat *seat)
{
        CHECK(seat->load == 0 && seat->pool.open_count == 0);
        list_remove(&seat->node);
        list_remove(&seat->grave.node);
        endpoint_let_go(seat->endpoint);
        live_memory_free(seat);
}

static void bury_seat(struct task *task)
{
        struct seat *seat = container_of(task, struct seat, grave);
        struct lane *lane = seat->lane;
        seat_free(seat);
        check_lane(lane);
}

static void check_seat(struct seat *seat)
{
        if (seat->index < 0 && seat->load == 0 && seat->pool.open_count == 0)
                loop_bury(seat->lane->worker->http.loop, &seat->grave);
}

static void tell(_Atomic(uint32_t) *to, uint32_t value)
{
        atomic_store_explicit(to, value, memory_order_relaxed);
}

static void pool_changed(struct pool *pool)
{
        struct seat *seat = container_of(pool, struct seat, pool);
        tell(&seat->counts->idle, pool->idle_count);
        tell(&seat->counts->open, pool->open_count);
        check_seat(seat);
}

static void set_load(struct seat *seat, uint32_t load)
{
        seat->load = load;
        tell(&seat->counts->in_flight, load);
        if (seat->index >= 0)
                seat->lane->balance[seat->index].load = load;
}

void seat_enter(struct seat *seat)
{
        set_load(seat, seat->load + 1);
}

void seat_leave(struct seat *seat)
{
        CHECK(seat->load > 0);
        set_load(seat, seat->load - 1);
        check_seat(seat);
}

static struct seat *seat_make(struct lane *lane, struct endpoint *endpoint)
{
        struct seat *seat = live_memory(sizeof *seat);
        pool_init(&seat->pool, &lane->worker->http, &endpoint->addr);
        seat->pool.changed = pool_changed;
        task_init(&seat->grave, bury_seat);
        seat->lane = lane;
        seat->endpoint = endpoint;
        seat->counts = &endpoint->counts[lane->worker->index];
        list_push(&lane->all_seats, &seat->node);
        endpoint_hold(endpoint);
        return seat;
}

/* Out of the set: what runs there ends in peace, what is idle goes. */
static void seat_retire(struct seat *seat)
{
        seat->index = -1;
        pool_drain(&seat->pool);
        check_seat(seat);
}

/* ---- sets ---- */

/* The seat that serves this endpoint already; NULL. Most sets are like those before. */
static struct seat *find_seat(const struct lane *lane, const struct endpoint *endpoint,
                              uint32_t hint)
{
        uint32_t count = lane->set == NULL ? 0 : lane->set->count;
        if (hint < count && lane->seats[hint]->endpoint == endpoint)
                return lane->seats[hint];
        for (uint32_t i = 0; i < count; i++) {
                if (lane->seats[i]->endpoint == endpoint)
                        return lane->seats[i];
        }
        return NULL;
}

static struct seat *fill_seat(struct lane *lane, const struct endpoint_set *set, uint32_t i,
                              struct balance_target *ret_balance)
{
        const struct endpoint_entry *entry = &set->entries[i];
        struct seat *seat = find_seat(lane, entry->endpoint, i);
        *ret_balance = (struct balance_target){.seed = entry->endpoint->seed,
                                               .weight = entry->weight};
        if (seat == NULL)
                seat = seat_make(lane, entry->endpoint);
        else
                ret_balance->credit = lane->balance[seat->index].credit;
        ret_balance->load = seat->load;
        seat->pool.idle_ns = set->rules.pool_idle_ns;
        seat->pool.age_ns = set->rules.pool_age_ns;
        seat->pool.max = set->rules.pool_max;
        seat->pool.speaks = (uint8_t)set->rules.speaks;
        return seat;
}

/* Takes the set over, with the hold on it. */
static void take_set(struct lane *lane, struct endpoint_set *set)
{
        struct endpoint_set *old = lane->set;
        uint32_t old_count = old == NULL ? 0 : old->count;
        struct seat **old_seats = lane->seats;
        struct seat **seats = live_memory((size_t)(set->count + 1) * sizeof(struct seat *));
        struct balance_target *balance = live_memory((size_t)(set->count + 1) * sizeof *balance);
        for (uint32_t i = 0; i < set->count; i++)
                seats[i] = fill_seat(lane, set, i, &balance[i]);
        for (uint32_t i = 0; i < old_count; i++)
                old_seats[i]->index = -1;
        for (uint32_t i = 0; i < set->count; i++)
                seats[i]->index = (int32_t)i;
        live_memory_free(lane->balance);
        lane->seats = seats;
        lane->balance = balance;
        lane->set = set;
        lane->refresh_due = 0;
        for (uint32_t i = 0; i < old_count; i++) {
                if (old_seats[i]->index < 0)
                        seat_retire(old_seats[i]);
        }
        if (old == NULL)
                balance_round_robin_start(balance, set->count, rand_u64());
        else
                endpoint_set_let_go(old);
        live_memory_free(old_seats);
}

/* ---- lanes ---- */

static struct lane *lane_make(struct worker *worker, struct upstream_live *upstream)
{
        unsigned workers = upstream->live->worker_count;
        struct lane *lane = live_memory(sizeof *lane);
        lane->worker = worker;
        lane->upstream = upstream;
        lane->breaker.breaker = &upstream->breaker;
        list_init(&lane->all_seats);
        task_init(&lane->grave, bury_lane);
        retry_init(&lane->retry, RETRY_PART_PERMILLE,
                   (RETRIES_LEAST_PER_S + workers - 1) / workers);
        return lane;
}

static struct lane **lane_place(struct worker *worker, uint32_t slot)
{
        if (slot >= worker->lane_cap) {
                uint32_t cap = worker->lane_cap < 8 ? 8 : worker->lane_cap;
                while (cap <= slot)
                        cap *= 2;
                struct lane **lanes = live_memory(cap * sizeof(struct lane *));
                if (worker->lane_cap > 0)
                        memcpy(lanes, worker->lanes, worker->lane_cap * sizeof *lanes);
                live_memory_free(worker->lanes);
                worker->lanes = lanes;
                worker->lane_cap = cap;
        }
        return &worker->lanes[slot];
}

/* No snapshot holds the upstream: no exchange will begin here any more. */
static void drop_lane(struct lane *lane)
{
        lane->is_dropped = true;
        for (uint32_t i = 0; lane->set != NULL && i < lane->set->count; i++)
                seat_retire(lane->seats[i]);
        if (lane->set != NULL)
                endpoint_set_let_go(TAKE(lane->set));
        check_lane(lane);
}

/* The steward put something into the mail of this lane. */
void lane_mail_open(struct mail *mail)
{
        struct lane_mail *box = container_of(mail, struct lane_mail, mail);
        struct worker *worker = box->worker;
        struct lane **place;
        atomic_exchange_explicit(&box->is_posted, false, memory_order_acq_rel);
        bool is_dropped = atomic_load_explicit(&box->is_dropped, memory_order_acquire);
        struct endpoint_set *set = atomic_exchange_explicit(&box->next, NULL, memory_order_acq_rel);
        if (worker->lane_cap == LANES_SHUT || is_dropped) {
                if (set != NULL)
                        endpoint_set_let_go(set);
                set = NULL;
        }
        if (worker->lane_cap == LANES_SHUT)
                return;
        place = lane_place(worker, box->upstream->slot);
        if (is_dropped && *place == NULL) {
                loop_post(box->upstream->live->loop, &box->ack);
                return;
        }
        if (*place == NULL)
                *place = lane_make(worker, box->upstream);
        if (is_dropped)
                drop_lane(*place);
        else if (set != NULL)
                take_set(*place, set);
}

struct lane *lane_find(struct worker *worker, const struct upstream_live *upstream)
{
        if (upstream == NULL || upstream->slot >= worker->lane_cap ||
            worker->lane_cap == LANES_SHUT)
                return NULL;
        return worker->lanes[upstream->slot];
}

void lane_enter(struct lane *lane)
{
        lane->users++;
}

void lane_leave(struct lane *lane)
{
        CHECK(lane->users > 0);
        lane->users--;
        check_lane(lane);
}

void lanes_init(struct worker *worker)
{
        worker->lanes = NULL;
        worker->lane_cap = 0;
}

static void shut_lane(struct lane *lane)
{
        CHECK(lane->users == 0);
        if (!lane->is_dropped)
                drop_lane(lane);
        list_each_safe (node, &lane->all_seats)
                seat_free(list_entry(node, struct seat, node));
        lane_free(lane);
}

void lanes_fini(struct worker *worker)
{
        uint32_t count = worker->lane_cap;
        worker->lane_cap = LANES_SHUT;
        for (uint32_t i = 0; i < count; i++) {
                if (worker->lanes[i] != NULL)
                        shut_lane(worker->lanes[i]);
        }
        live_memory_free(worker->lanes);
        worker->lanes = NULL;
}

/* ---- choosing ---- */

/* What one endpoint is worth now; *due becomes the time of its next change, if that is earlier. */
static void look_at(struct lane *lane, uint32_t i, uint64_t now, uint64_t *due)
{
        const struct endpoint_entry *entry = &lane->set->entries[i];
        struct eject *eject = &entry->endpoint->eject;
        struct balance_target *balance = &lane->balance[i];
        uint32_t share = endpoint_share(entry->endpoint, &lane->set->rules, now);
        balance->is_available = !entry->is_standby && share > 0;
        balance->share = (uint16_t)share;
        if (share == 0)
                *due = u64_min(*due, atomic_load_explicit(&eject->until_ns, memory_order_relaxed));
        else if (share < BALANCE_SHARE_FULL)
                *due = u64_min(*due, now + GROWING_NS);
}

void lane_look(struct lane *lane, uint64_t now)
{
        uint32_t changes = atomic_load_explicit(&lane->upstream->changes, memory_order_relaxed);
        uint64_t due = TIMER_NEVER;
        bool is_any = false;
        if (likely(changes == lane->changes && now < lane->refresh_due))
                return;
        for (uint32_t i = 0; i < lane->set->count; i++) {
                look_at(lane, i, now, &due);
                is_any = is_any || (lane->balance[i].is_available && lane->balance[i].weight > 0);
        }
        /* Ejection never takes the last one, but addresses change: rather any than none. */
        for (uint32_t i = 0; !is_any && i < lane->set->count; i++) {
                lane->balance[i].is_available = !lane->set->entries[i].is_standby;
                lane->balance[i].share = BALANCE_SHARE_FULL;
        }
        lane->changes = changes;
        lane->refresh_due = due;
}

static void mark(struct lane *lane, uint64_t tried, bool is_tried)
{
        for (uint32_t i = 0; i < lane->set->count; i++) {
                if ((tried >> (i % 64) & 1) != 0)
                        lane->balance[i].is_tried = is_tried;
        }
}

static int pick(struct lane *lane, const struct upstream *upstream, uint64_t hash)
{
        uint32_t count = lane->set->count;
        switch (upstream->balance) {
        case BALANCE_LEAST_CONN:
                return balance_least_conn(lane->balance, count, rand_u64());
        case BALANCE_RANDOM:
                return balance_random(lane->balance, count, rand_u64());
        case BALANCE_HASH:
                return balance_hash(lane->balance, count, hash);
        case BALANCE_ROUND_ROBIN:
                break;
        }
        return balance_round_robin(lane->balance, count);
}

int lane_pick(struct lane *lane, const struct upstream *upstream, uint64_t hash, uint64_t tried)
{
        if (lane->set->count == 1 && lane->balance[0].is_available && lane->balance[0].weight > 0)
                return 0;
        if (likely(tried == 0))
                return pick(lane, upstream, hash);
        mark(lane, tried, true);
        int index = pick(lane, upstream, hash);
        mark(lane, tried, false);
        return index;
}

bool lane_has_others(const struct lane *lane, uint64_t tried)
{
        for (uint32_t i = 0; i < lane->set->count; i++) {
                const struct balance_target *target = &lane->balance[i];
                if (target->is_available && target->weight > 0 && (tried >> (i % 64) & 1) == 0)
                        return true;
        }
        return false;
}

static bool is_reachable(const struct endpoint_entry *entry)
{
        struct endpoint *endpoint = entry->endpoint;
        return atomic_load_explicit(&endpoint->was_reached, memory_order_relaxed) &&
               atomic_load_explicit(&endpoint->unreached, memory_order_relaxed) == 0;
}

int lane_pick_standby(struct lane *lane, int index)
{
        const struct endpoint_entry *entries = lane->set->entries;
        uint32_t count = lane->set->count, start = (uint32_t)rand_below(count);
        int best = BALANCE_NONE;
        for (uint32_t k = 0; k < count; k++) {
                uint32_t i = (start + k) % count;
                if (!entries[i].is_standby || entries[i].target != entries[index].target)
                        continue;
                if (is_reachable(&entries[i]))
                        return (int)i;
                best = (int)i;
        }
        return best;
}

bool lane_has_failed_family(const struct lane *lane, int index)
{
        const struct endpoint_entry *entries = lane->set->entries;
        bool has_standby = false;
        for (uint32_t i = 0; i < lane->set->count; i++) {
                if (entries[i].target != entries[index].target)
                        continue;
                if (entries[i].is_standby)
                        has_standby = true;
                else if (is_reachable(&entries[i]))
                        return false;
        }
        return has_standby;
}
