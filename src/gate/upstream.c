/* upstream.c -- one exchange's way through an upstream: choosing, trying, telling how it went, and
 * the rules for trying again (security.md 322 to 327). What may have been processed is repeated
 * only where that does nothing twice. */
#include "gate/upstream.h"

#include <stdatomic.h>

#include "base/check.h"
#include "base/log.h"
#include "base/rand.h"
#include "gate/live_int.h"
#include "record/count.h"

/* Before a retry at an address that was tried already: at random up to this, doubled each time. */
#define PAUSE_NS 25000000u

enum {
        PAUSE_DOUBLED_MAX = 4,
        RETRY_AFTER_MAX_S = 3, /* a Retry-After that is longer is for the caller to wait */
};

static uint64_t now_of(const struct attempt *attempt)
{
        return loop_now(attempt->lane->worker->http.loop);
}

/* Why a request got no try, or no further one. */
static void count(const struct attempt *attempt, enum count why)
{
        struct counts *counts = attempt->lane->worker->counts;
        if (counts != NULL)
                counts_add(counts, why, 1);
}

static struct breaker_worker *breaker_of(const struct attempt *attempt)
{
        attempt->lane->breaker.rule = &attempt->upstream->breaker;
        return &attempt->lane->breaker;
}

static void end_breaker(struct attempt *attempt, enum breaker_outcome outcome)
{
        breaker_end(breaker_of(attempt), (enum breaker_pass)attempt->pass, outcome,
                    now_of(attempt));
}

/* ---- a try begins ---- */

static void leave_seat(struct attempt *attempt)
{
        attempt->target = NULL;
        if (attempt->seat != NULL)
                seat_leave(TAKE(attempt->seat));
}

static void take_seat(struct attempt *attempt, struct seat *seat)
{
        attempt->seat = seat;
        attempt->target = &seat->endpoint->target;
        attempt->begun = now_of(attempt);
        attempt->is_trying = true;
        attempt->is_fresh = false;
        attempt->is_crossing = false;
        if (attempt->tries < UINT8_MAX)
                attempt->tries++;
        seat_enter(seat);
}

static int choose(struct attempt *attempt, int crossing)
{
        struct lane *lane = attempt->lane;
        int index = crossing >= 0 ? lane_pick_standby(lane, crossing) : BALANCE_NONE;
        if (index >= 0)
                return index;
        return lane_pick(lane, attempt->upstream, attempt->hash, attempt->tried);
}

/* Where the target can be reached by another family, too, the first one gets less time. */
static uint64_t connect_time(const struct lane *lane, int index, const struct exchange *ex)
{
        const struct endpoint_entry *entry = &lane->set->entries[index];
        uint64_t time = ex->timeouts->connect;
        if (entry->has_standby && !entry->is_standby && (time == 0 || time > FAMILY_CONNECT_NS))
                return FAMILY_CONNECT_NS;
        return time;
}

/* What this machine has no more of: it says nothing about the target, and another one does not
 * help. */
static bool is_ours(enum err err)
{
        return err == ERR_memory || err == ERR_no_files || err == ERR_no_ports;
}

/* Asks the pools of one address after the other until one is not full. */
static enum err get(struct attempt *attempt, struct exchange *ex, int crossing)
{
        struct lane *lane = attempt->lane;
        enum err full = ERR_missing;
        for (;;) {
                int index = choose(attempt, crossing);
                if (index < 0)
                        return full;
                uint64_t bit = (uint64_t)1 << (index % 64);
                if (full == ERR_limit && (attempt->tried & bit) != 0)
                        return full;
                struct seat *seat = lane->seats[index];
                enum err err = pool_get(&seat->pool, ex, attempt->is_fresh,
                                        connect_time(lane, index, ex));
                attempt->tried |= bit;
                crossing = -1;
                if (err != ERR_limit) {
                        if (!is_ours(err))
                                take_seat(attempt, seat);
                        return err;
                }
                full = ERR_limit;
        }
}

static enum err begin_try(struct attempt *attempt, struct exchange *ex)
{
        struct lane *lane = attempt->lane;
        int crossing = BALANCE_NONE;
        if (lane == NULL || lane->set == NULL)
                return ERR_missing;
        uint64_t now = now_of(attempt);
        if (attempt->is_crossing && attempt->seat != NULL)
                crossing = attempt->seat->index;
        leave_seat(attempt);
        attempt->pass = (uint8_t)breaker_begin(breaker_of(attempt), now);
        if (attempt->pass == BREAKER_REFUSE) {
                attempt->retry_after_ns = breaker_wait(&lane->upstream->breaker, now);
                count(attempt, COUNT_refused_breaker);
                return ERR_missing;
        }
        lane_look(lane, now);
        if (attempt->set != lane->set->generation) {
                attempt->set = lane->set->generation;
                attempt->tried = 0;
        }
        enum err err = get(attempt, ex, crossing);
        if (!attempt->is_trying) {
                end_breaker(attempt, BREAKER_UNKNOWN);
                count(attempt, err == ERR_missing ? COUNT_refused_target
                               : err == ERR_limit ? COUNT_refused_pool
                                                  : COUNT_refused_system);
        } else if (err != ERR_ok && err != ERR_again) {
                ex->back.failure = REASON_upstream_refused;
        }
        return err == ERR_no_files ? ERR_limit : err;
}

/* Where no further try can be made, what came of the last one is the answer: not being able to
 * repeat a request is no reason of its own. */
static enum err try_again(struct attempt *attempt, struct exchange *ex)
{
        enum err err = begin_try(attempt, ex);
        if (attempt->is_trying || attempt->failure == REASON_none)
                return err;
        ex->back.failure = attempt->failure;
        attempt->retry_after_ns = 0;
        return ERR_refused;
}

/* ---- waiting for its time ---- */

static enum reason reason_of(enum err err)
{
        switch (err) {
        case ERR_missing:
        case ERR_no_ports:
                return REASON_no_target;
        case ERR_limit:
        case ERR_memory:
                return REASON_overloaded;
        default:
                return REASON_upstream_refused;
        }
}

static void pause_over(struct timer *timer)
{
        struct attempt *attempt = container_of(timer, struct attempt, pause);
        struct exchange *ex = attempt->ex;
        /* Something came up in between, and the exchange is about to end. */
        if (ex->is_over || ex->reason != REASON_none || ex->front.is_gone)
                return;
        enum err err = try_again(attempt, ex);
        if (err != ERR_ok && err != ERR_again && ex->back.failure == REASON_none)
                ex->back.failure = reason_of(err);
        if (err != ERR_again)
                exchange_resume(ex);
}

void upstream_begin(struct attempt *attempt, struct worker *worker, const struct upstream *upstream,
                    uint64_t hash)
{
        CHECK(attempt->upstream == NULL);
        attempt->upstream = upstream;
        attempt->hash = hash;
        attempt->lane = lane_find(worker, upstream->live);
        timer_init(&attempt->pause, pause_over);
        if (attempt->lane == NULL)
                return;
        lane_enter(attempt->lane);
        retry_begin(&attempt->lane->retry, now_of(attempt));
}

enum err upstream_get(struct attempt *attempt, struct exchange *ex)
{
        if (attempt->pause_ns == 0)
                return try_again(attempt, ex);
        attempt->ex = ex;
        timer_set(ex->http->loop, &attempt->pause, loop_now(ex->http->loop) + attempt->pause_ns);
        attempt->pause_ns = 0;
        return ERR_again;
}

uint32_t upstream_retry_after_s(const struct attempt *attempt)
{
        return (uint32_t)((attempt->retry_after_ns + 999999999) / 1000000000);
}

/* ---- a try ends ---- */

/* True when the target did it, as far as one can tell. A connection that was idle and is dead says
 * nothing: every server may end those. */
static bool is_blamed(const struct exchange *ex)
{
        switch (ex->back.failure) {
        case REASON_upstream_refused:
        case REASON_upstream_invalid:
        case REASON_upstream_cut:
        case REASON_upstream_unreached:
        case REASON_upstream_timeout:
        case REASON_upstream_stalled:
                return !ex->back.is_stale;
        default:
                return false;
        }
}

static bool was_unreached(const struct exchange *ex)
{
        return ex->back.failure == REASON_upstream_refused ||
               ex->back.failure == REASON_upstream_unreached;
}

/* A standby that answers where the family in use does not takes its place: the steward does that
 * for all workers. */
static void tell_reached(struct upstream_live *upstream, struct endpoint *endpoint)
{
        atomic_store_explicit(&endpoint->is_reached, true, memory_order_relaxed);
        if (!atomic_exchange_explicit(&upstream->is_telling, true, memory_order_acq_rel))
                loop_post(upstream->live->loop, &upstream->told);
}

static void note_reached(struct attempt *attempt, const struct exchange *ex)
{
        const struct lane *lane = attempt->lane;
        const struct seat *seat = attempt->seat;
        struct endpoint *endpoint = seat->endpoint;
        if (was_unreached(ex)) {
                atomic_fetch_add_explicit(&endpoint->unreached, 1, memory_order_relaxed);
                return;
        }
        if (ex->back.failure != REASON_none && !ex->back.is_begun)
                return;
        if (unlikely(!atomic_load_explicit(&endpoint->was_reached, memory_order_relaxed)))
                atomic_store_explicit(&endpoint->was_reached, true, memory_order_relaxed);
        if (unlikely(atomic_load_explicit(&endpoint->unreached, memory_order_relaxed) != 0))
                atomic_store_explicit(&endpoint->unreached, 0, memory_order_relaxed);
        if (seat->index >= 0 && unlikely(lane->set->entries[seat->index].is_standby))
                tell_reached(lane->upstream, endpoint);
}

static void tell_ejected(struct upstream_live *upstream, const struct endpoint *endpoint,
                         enum reason reason)
{
        char memory[ADDR_TEXT_MAX];
        struct text addr = text_over(memory, sizeof memory);
        addr_put(&addr, &endpoint->addr);
        atomic_fetch_add_explicit(&upstream->changes, 1, memory_order_relaxed);
        log_warn("a target is left out", log_str("upstream", upstream->name),
                 log_str("target", endpoint->target.url), log_str("address", text_str(&addr)),
                 log_str("reason", reason_token(reason)));
}

/* Health is kept for the addresses in use only. */
static void note_health(struct attempt *attempt, const struct exchange *ex)
{
        struct lane *lane = attempt->lane;
        const struct seat *seat = attempt->seat;
        struct eject *eject = &seat->endpoint->eject;
        if (seat->index < 0 || lane->set->entries[seat->index].is_standby)
                return;
        if (ex->back.failure == REASON_none)
                eject_success(eject, &lane->set->rules.eject, now_of(attempt));
        else if (is_blamed(ex) && eject_failure(&lane->set->group, eject, now_of(attempt)))
                tell_ejected(lane->upstream, seat->endpoint, ex->back.failure);
}

static enum breaker_outcome outcome_of(const struct attempt *attempt, const struct exchange *ex)
{
        if (ex->back.failure != REASON_none)
                return is_blamed(ex) ? BREAKER_FAILURE : BREAKER_UNKNOWN;
        if (attempt->upstream->breaker_counts_5xx && ex->res.head.status >= 500)
                return BREAKER_FAILURE;
        return BREAKER_SUCCESS;
}

static uint64_t times_opened(struct upstream_live *upstream)
{
        return atomic_load_explicit(&upstream->breaker.opened, memory_order_relaxed);
}

static void note_outcome(struct attempt *attempt, enum breaker_outcome outcome)
{
        struct upstream_live *upstream = attempt->lane->upstream;
        uint64_t opened = times_opened(upstream);
        end_breaker(attempt, outcome);
        if (outcome == BREAKER_FAILURE && times_opened(upstream) != opened)
                log_warn("an upstream is not asked for a while",
                         log_str("upstream", upstream->name),
                         log_num("ms", attempt->upstream->breaker.open_ns / 1000000));
}

static void end_retry(struct attempt *attempt)
{
        if (attempt->is_retry)
                retry_give(&attempt->lane->retry);
        attempt->is_retry = false;
}

void upstream_tried(struct attempt *attempt, struct exchange *ex)
{
        if (!attempt->is_trying)
                return;
        attempt->is_trying = false;
        attempt->failure = ex->back.failure;
        note_reached(attempt, ex);
        note_health(attempt, ex);
        note_outcome(attempt, outcome_of(attempt, ex));
        end_retry(attempt);
}

/* ---- once more? ---- */

/* Which of enum retry_on this failure is; 0: one after which something could be done twice. */
static uint64_t kind_of(const struct exchange *ex)
{
        const struct end *back = &ex->back;
        switch (back->failure) {
        case REASON_upstream_refused:
        case REASON_upstream_invalid:
        case REASON_upstream_cut:
        case REASON_upstream_unreached:
        case REASON_upstream_timeout:
        case REASON_upstream_stalled:
                break;
        default:
                return 0;
        }
        if (!back->is_begun)
                return RETRY_ON_CONNECT;
        if (!method_is_idempotent(ex->req.head.method))
                return 0;
        if (back->failure == REASON_upstream_cut && !back->is_heard)
                return RETRY_ON_BROKEN;
        bool was_late = back->failure == REASON_upstream_timeout ||
                        back->failure == REASON_upstream_stalled;
        return was_late && ex->res.head.status == 0 ? RETRY_ON_TIMEOUT : 0;
}

/* How long the answer asks to wait; UINT64_MAX: too long for us, or a date. */
static uint64_t asked_pause(const struct exchange *ex)
{
        uint64_t seconds = 0;
        struct str value = fields_value(&ex->res.head.fields, NAME_retry_after);
        if (value.len == 0)
                return 0;
        if (str_to_u64(value, &seconds) != ERR_ok || seconds > RETRY_AFTER_MAX_S)
                return UINT64_MAX;
        return seconds * 1000000000;
}

/* An answer is replaced by another one only where the request was sent whole and may be repeated.
 */
static bool is_status_repeated(const struct exchange *ex, const struct terms *terms)
{
        unsigned status = ex->res.head.status;
        return status / 64 < countof(terms->retry_statuses) &&
               (terms->retry_statuses[status / 64] >> (status % 64) & 1) != 0 && ex->back.is_sent &&
               method_is_idempotent(ex->req.head.method);
}

/* At another address at once; at one that was tried already after a while, and not all together. */
static uint64_t own_pause(const struct attempt *attempt)
{
        unsigned retries = attempt->tries - attempt->free_tries;
        unsigned doubled = retries > PAUSE_DOUBLED_MAX ? PAUSE_DOUBLED_MAX : retries - 1;
        if (lane_has_others(attempt->lane, attempt->tried))
                return 0;
        return 1 + rand_below((uint64_t)PAUSE_NS << doubled);
}

static bool has_time(const struct exchange *ex, uint64_t pause_ns)
{
        uint64_t now = loop_now(ex->http->loop);
        return ex->times.deadline > now && pause_ns < ex->times.deadline - now;
}

/* The body is there to be sent again, all of it. */
static bool has_body_again(struct exchange *ex)
{
        return !ex->req.body.is_discarded && body_rewind(&ex->req.body);
}

/* RFC 9112 9.3.1: a connection that the server ended before it saw the request. What may have been
 * processed after all must do no harm. */
static bool take_fresh(struct attempt *attempt, const struct exchange *ex)
{
        const struct seat *seat = attempt->seat;
        bool is_harmless = !ex->back.is_begun || method_is_idempotent(ex->req.head.method);
        if (!ex->back.is_stale || attempt->was_stale || !is_harmless)
                return false;
        attempt->was_stale = attempt->is_fresh = true;
        if (seat->index >= 0)
                attempt->tried &= ~((uint64_t)1 << (seat->index % 64));
        return true;
}

/* The same target by its other family of addresses. */
static bool take_crossing(struct attempt *attempt, const struct exchange *ex)
{
        const struct lane *lane = attempt->lane;
        int index = attempt->seat->index;
        if (!was_unreached(ex) || attempt->was_crossing || index < 0 ||
            lane->set->entries[index].is_standby || !lane_has_failed_family(lane, index))
                return false;
        attempt->was_crossing = attempt->is_crossing = true;
        return true;
}

static bool may_retry_freely(struct attempt *attempt, struct exchange *ex)
{
        if (ex->back.failure == REASON_none || !has_body_again(ex))
                return false;
        if (!take_fresh(attempt, ex) && !take_crossing(attempt, ex))
                return false;
        attempt->free_tries++;
        return true;
}

/* Nothing is sent, so an answer that there is must not be given up for another try. */
static bool is_open(const struct attempt *attempt)
{
        return attempt->upstream->breaker.percent > 0 &&
               breaker_wait(&attempt->lane->upstream->breaker, now_of(attempt)) > 0;
}

static bool may_retry_in_budget(struct attempt *attempt, struct exchange *ex,
                                const struct terms *terms)
{
        struct retry_budget *budget = &attempt->lane->retry;
        uint64_t pause = 0;
        if (attempt->tries - attempt->free_tries >= terms->retry_attempts || is_open(attempt))
                return false;
        if (ex->back.failure != REASON_none) {
                if ((kind_of(ex) & terms->retry_on) == 0)
                        return false;
        } else {
                if (!is_status_repeated(ex, terms))
                        return false;
                pause = asked_pause(ex);
        }
        if (pause == 0)
                pause = own_pause(attempt);
        if (!has_time(ex, pause) || !has_body_again(ex))
                return false;
        budget->part_permille = (uint32_t)(terms->retry_budget_ppm / 1000);
        if (!retry_take(budget, now_of(attempt))) {
                count(attempt, COUNT_refused_budget);
                return false;
        }
        attempt->is_retry = true;
        attempt->pause_ns = pause;
        return true;
}

bool upstream_may_retry(struct attempt *attempt, struct exchange *ex, const struct terms *terms)
{
        if (attempt->seat == NULL || attempt->is_trying || ex->front.is_gone ||
            ex->reason != REASON_none || !has_time(ex, 0))
                return false;
        if (!may_retry_freely(attempt, ex) && !may_retry_in_budget(attempt, ex, terms))
                return false;
        exchange_reset(ex, &ex->back, REASON_none);
        return true;
}

void upstream_end(struct attempt *attempt, struct exchange *ex)
{
        struct lane *lane = attempt->lane;
        (void)ex;
        timer_stop(&attempt->pause);
        if (lane == NULL)
                return;
        if (attempt->is_trying)
                end_breaker(attempt, BREAKER_UNKNOWN);
        end_retry(attempt);
        leave_seat(attempt);
        retry_end(&lane->retry);
        lane_leave(lane);
}
