/* breaker.c -- everything shared is a word, changed by compare and swap.
 *
 *   state    phase : 2 | deadline in ms : 46 | probes under way : 8 | probes that went well : 8
 *   window   epoch : 24 | tries : 20 | failures : 20       one word per half of the window
 *
 * An epoch is half a window long; a word of an older epoch is empty. */
#include "gate/breaker.h"

enum phase { CLOSED, OPEN, HALF_OPEN };

enum { EPOCH_BITS = 24, COUNT_BITS = 20, DEADLINE_BITS = 46, AHEAD_MAX = 4 };

static const uint64_t COUNT_MASK = ((uint64_t)1 << COUNT_BITS) - 1;
static const uint64_t EPOCH_MASK = ((uint64_t)1 << EPOCH_BITS) - 1;
static const uint64_t DEADLINE_MASK = ((uint64_t)1 << DEADLINE_BITS) - 1;
static const uint64_t MS = 1000000;

/* ---- state ---- */

struct state {
        enum phase phase;
        uint64_t deadline_ms;
        uint32_t probing, well;
};

static struct state unpack(uint64_t word)
{
        return (struct state){(enum phase)(word >> 62), word >> 16 & DEADLINE_MASK,
                              (uint32_t)(word >> 8 & 0xff), (uint32_t)(word & 0xff)};
}

static uint64_t pack(struct state state)
{
        if (state.phase == CLOSED)
                return 0;
        return (uint64_t)state.phase << 62 | (state.deadline_ms & DEADLINE_MASK) << 16 |
               (uint64_t)(state.probing & 0xff) << 8 | (state.well & 0xff);
}

static bool swap_state(struct breaker *breaker, uint64_t *word, struct state state)
{
        return atomic_compare_exchange_weak_explicit(&breaker->state, word, pack(state),
                                                     memory_order_acq_rel, memory_order_acquire);
}

static uint64_t deadline_after(const struct breaker_rule *rule, uint64_t now_ns)
{
        return now_ns / MS + rule->open_ns / MS + 1;
}

static void forget_window(struct breaker *breaker)
{
        atomic_store_explicit(&breaker->window[0], 0, memory_order_relaxed);
        atomic_store_explicit(&breaker->window[1], 0, memory_order_relaxed);
}

/* Opens the breaker unless somebody did, and forgets the window. */
static void open_breaker(struct breaker *breaker, const struct breaker_rule *rule, enum phase from,
                         uint64_t now_ns)
{
        uint64_t word = atomic_load_explicit(&breaker->state, memory_order_relaxed);
        do {
                if (unpack(word).phase != from)
                        return;
        } while (!swap_state(breaker, &word, (struct state){OPEN, deadline_after(rule, now_ns)}));
        forget_window(breaker);
        atomic_fetch_add_explicit(&breaker->opened, 1, memory_order_relaxed);
}

static enum breaker_pass begin_slow(struct breaker *breaker, const struct breaker_rule *rule,
                                    uint64_t now_ns)
{
        uint64_t word = atomic_load_explicit(&breaker->state, memory_order_acquire);
        for (;;) {
                struct state state = unpack(word);
                if (state.phase == CLOSED)
                        return BREAKER_PASS;
                /* Probes that have not ended by the next deadline are lost; others may go. */
                if (now_ns / MS >= state.deadline_ms)
                        state = (struct state){HALF_OPEN, deadline_after(rule, now_ns)};
                else if (state.phase == OPEN || state.probing + state.well >= rule->probes)
                        return BREAKER_REFUSE;
                state.probing++;
                if (swap_state(breaker, &word, state))
                        return BREAKER_PROBE;
        }
}

enum breaker_pass breaker_begin(struct breaker_worker *worker, uint64_t now_ns)
{
        struct breaker *breaker = worker->breaker;
        if (worker->rule->percent == 0 ||
            likely(atomic_load_explicit(&breaker->state, memory_order_relaxed) == 0))
                return BREAKER_PASS;
        return begin_slow(breaker, worker->rule, now_ns);
}

static void end_probe(struct breaker *breaker, const struct breaker_rule *rule,
                      enum breaker_outcome outcome, uint64_t now_ns)
{
        if (outcome == BREAKER_FAILURE) {
                open_breaker(breaker, rule, HALF_OPEN, now_ns);
                return;
        }
        uint64_t word = atomic_load_explicit(&breaker->state, memory_order_acquire);
        struct state state;
        do {
                state = unpack(word);
                if (state.phase != HALF_OPEN || state.probing == 0)
                        return;
                state.probing--;
                if (outcome == BREAKER_SUCCESS && ++state.well >= rule->probes)
                        state = (struct state){CLOSED, 0, 0, 0};
        } while (!swap_state(breaker, &word, state));
        if (state.phase == CLOSED)
                forget_window(breaker);
}

/* ---- window ---- */

static uint64_t epoch_at(const struct breaker_rule *rule, uint64_t now_ns)
{
        return now_ns / u64_max(rule->over_ns / 2, 1);
}

/* Adds to the half of that epoch; one that is over already takes nothing more. */
static void window_add(struct breaker *breaker, uint64_t epoch, uint64_t tries, uint64_t failures)
{
        _Atomic(uint64_t) *half = &breaker->window[epoch & 1];
        uint64_t word = atomic_load_explicit(half, memory_order_relaxed), put;
        epoch &= EPOCH_MASK;
        do {
                uint64_t ahead = ((word >> (2 * COUNT_BITS)) - epoch) & EPOCH_MASK;
                uint64_t t = tries, f = failures;
                if (ahead > 0 && ahead <= AHEAD_MAX)
                        return;
                if (ahead == 0) {
                        t += word >> COUNT_BITS & COUNT_MASK;
                        f += word & COUNT_MASK;
                }
                while (t > COUNT_MASK) {
                        t /= 2;
                        f /= 2;
                }
                put = epoch << (2 * COUNT_BITS) | t << COUNT_BITS | f;
        } while (!atomic_compare_exchange_weak_explicit(half, &word, put, memory_order_relaxed,
                                                        memory_order_relaxed));
}

struct sums {
        uint64_t tries, failures;
};

static struct sums window_sums(struct breaker *breaker, uint64_t epoch)
{
        struct sums sums = {0, 0};
        for (uint64_t back = 0; back < 2; back++) {
                uint64_t word = atomic_load_explicit(&breaker->window[(epoch - back) & 1],
                                                     memory_order_relaxed);
                if (word >> (2 * COUNT_BITS) != ((epoch - back) & EPOCH_MASK))
                        continue;
                sums.tries += word >> COUNT_BITS & COUNT_MASK;
                sums.failures += word & COUNT_MASK;
        }
        return sums;
}

/* The worker's own counts move on to `epoch`. */
static void age_successes(struct breaker_worker *worker, uint64_t epoch)
{
        if (likely(worker->epoch == epoch))
                return;
        worker->successes[1] = worker->epoch + 1 == epoch ? worker->successes[0] : 0;
        worker->successes[0] = 0;
        worker->epoch = epoch;
}

/* Tells the others what this worker saw go well. */
static void tell_successes(struct breaker_worker *worker)
{
        for (uint64_t back = 0; back < 2; back++) {
                if (worker->successes[back] == 0)
                        continue;
                window_add(worker->breaker, worker->epoch - back, worker->successes[back], 0);
                worker->successes[back] = 0;
        }
}

static void note_failure(struct breaker_worker *worker, uint64_t epoch, uint64_t now_ns)
{
        const struct breaker_rule *rule = worker->rule;
        tell_successes(worker);
        window_add(worker->breaker, epoch, 1, 1);
        struct sums sums = window_sums(worker->breaker, epoch);
        if (sums.tries >= rule->least && sums.failures * 100 >= sums.tries * rule->percent)
                open_breaker(worker->breaker, rule, CLOSED, now_ns);
}

void breaker_end(struct breaker_worker *worker, enum breaker_pass pass,
                 enum breaker_outcome outcome, uint64_t now_ns)
{
        const struct breaker_rule *rule = worker->rule;
        if (rule->percent == 0 || pass == BREAKER_REFUSE)
                return;
        if (pass == BREAKER_PROBE) {
                end_probe(worker->breaker, rule, outcome, now_ns);
                return;
        }
        if (outcome == BREAKER_UNKNOWN)
                return;
        uint64_t epoch = epoch_at(rule, now_ns);
        age_successes(worker, epoch);
        if (outcome == BREAKER_FAILURE) {
                note_failure(worker, epoch, now_ns);
        } else {
                worker->successes[0]++;
                if (unlikely(window_sums(worker->breaker, epoch).failures > 0))
                        tell_successes(worker);
        }
}

uint64_t breaker_wait(struct breaker *breaker, uint64_t now_ns)
{
        struct state state = unpack(atomic_load_explicit(&breaker->state, memory_order_relaxed));
        if (state.phase == CLOSED || state.deadline_ms <= now_ns / MS)
                return 0;
        return state.deadline_ms * MS - now_ns;
}

bool breaker_is_open(struct breaker *breaker)
{
        return atomic_load_explicit(&breaker->state, memory_order_relaxed) != 0;
}
