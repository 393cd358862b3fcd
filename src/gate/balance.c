/* balance.c -- four ways to choose. Each looks at the targets that may be chosen; those this
 * exchange has tried already only when there is no other. Weights are multiplied out, never divided
 * by. */
#include "gate/balance.h"

#include "base/hash.h"

/* A target's weight now: 0 when it may not be chosen. At most 2^28. */
static uint64_t weight_of(const struct balance_target *target, bool may_repeat)
{
        if (!target->is_available || (target->is_tried && !may_repeat))
                return 0;
        uint64_t share = u64_min(target->share, BALANCE_SHARE_FULL);
        return u64_min(target->weight, BALANCE_WEIGHT_MAX) * u64_max(share, 1);
}

/* The sum of the weights; decides whether targets may be repeated. */
static uint64_t weigh(const struct balance_target *targets, unsigned count, bool *ret_may_repeat)
{
        uint64_t total = 0;
        *ret_may_repeat = false;
        for (unsigned i = 0; i < count; i++)
                total += weight_of(&targets[i], false);
        if (total > 0)
                return total;
        *ret_may_repeat = true;
        for (unsigned i = 0; i < count; i++)
                total += weight_of(&targets[i], true);
        return total;
}

uint64_t balance_seed(struct str text)
{
        static const struct hash_key key = {0x62616c616e636500, 0x7461726765742031};
        return hash_siphash13(&key, text.ptr, text.len);
}

/* ---- round robin ---- */

/* A credit below one full round moves the start without moving the shares. */
void balance_round_robin_start(struct balance_target *targets, unsigned count, uint64_t random)
{
        bool may_repeat;
        uint64_t total = weigh(targets, count, &may_repeat);
        for (unsigned i = 0; i < count; i++) {
                random = hash_mix(random, i);
                targets[i].credit = total == 0 ? 0 : (int64_t)(random % total);
        }
}

int balance_round_robin(struct balance_target *targets, unsigned count)
{
        bool may_repeat;
        uint64_t total = weigh(targets, count, &may_repeat);
        int best = BALANCE_NONE;
        for (unsigned i = 0; i < count; i++) {
                uint64_t weight = weight_of(&targets[i], may_repeat);
                if (weight == 0)
                        continue;
                targets[i].credit += (int64_t)weight;
                if (best < 0 || targets[i].credit > targets[best].credit)
                        best = (int)i;
        }
        if (best >= 0)
                targets[best].credit -= (int64_t)total;
        return best;
}

/* ---- by load ---- */

/* The target in whose part of the whole weight `at` falls, without `except`. */
static int draw(const struct balance_target *targets, unsigned count, bool may_repeat, uint64_t at,
                int except)
{
        for (unsigned i = 0; i < count; i++) {
                uint64_t weight = (int)i == except ? 0 : weight_of(&targets[i], may_repeat);
                if (at < weight)
                        return (int)i;
                at -= weight;
        }
        return BALANCE_NONE;
}

/* True when a has less load for its weight. */
static bool is_lighter(const struct balance_target *a, uint64_t weight_a,
                       const struct balance_target *b, uint64_t weight_b)
{
        return a->load * weight_b < b->load * weight_a;
}

/* The draw is among those alike, by weight. */
int balance_least_conn(const struct balance_target *targets, unsigned count, uint64_t random)
{
        bool may_repeat;
        const struct balance_target *best = NULL;
        uint64_t alike = 0, best_weight = 0;
        if (weigh(targets, count, &may_repeat) == 0)
                return BALANCE_NONE;
        for (unsigned i = 0; i < count; i++) {
                uint64_t weight = weight_of(&targets[i], may_repeat);
                if (weight == 0 ||
                    (best != NULL && is_lighter(best, best_weight, &targets[i], weight)))
                        continue;
                if (best == NULL || is_lighter(&targets[i], weight, best, best_weight)) {
                        best = &targets[i];
                        best_weight = weight;
                        alike = 0;
                }
                alike += weight;
        }
        uint64_t at = alike == best_weight ? 0 : random % alike;
        for (unsigned i = 0; i < count; i++) {
                uint64_t weight = weight_of(&targets[i], may_repeat);
                if (weight == 0 || is_lighter(best, best_weight, &targets[i], weight))
                        continue;
                if (at < weight)
                        return (int)i;
                at -= weight;
        }
        return BALANCE_NONE;
}

int balance_random(const struct balance_target *targets, unsigned count, uint64_t random)
{
        bool may_repeat;
        uint64_t total = weigh(targets, count, &may_repeat);
        if (total == 0)
                return BALANCE_NONE;
        int first = draw(targets, count, may_repeat, random % total, BALANCE_NONE);
        uint64_t first_weight = weight_of(&targets[first], may_repeat);
        if (total == first_weight)
                return first;
        int second = draw(targets, count, may_repeat,
                          hash_mix(random, total) % (total - first_weight), first);
        uint64_t second_weight = weight_of(&targets[second], may_repeat);
        return is_lighter(&targets[second], second_weight, &targets[first], first_weight) ? second
                                                                                          : first;
}

/* ---- consistent ---- */

enum { LOG_BITS = 26 };

/* -log2(x / 2^64) with LOG_BITS binary places: from 64 for 0 down to just above 0. */
static uint64_t minus_log2(uint64_t x)
{
        if (x == 0)
                return (uint64_t)64 << LOG_BITS;
        unsigned zeros = (unsigned)__builtin_clzll(x);
        uint64_t mantissa = x << zeros, log = 63 - zeros;
        for (int i = 0; i < LOG_BITS; i++) {
                /* The square of 1 … 2 is 1 … 4; over 2, the next binary place of the log is 1. */
                mantissa = mul_high(mantissa, mantissa);
                bool is_over = mantissa >> 63;
                log = log << 1 | is_over;
                mantissa <<= !is_over;
        }
        return ((uint64_t)64 << LOG_BITS) - log;
}

/* What a target draws for a key: all bits of both count for all bits. */
static uint64_t drawn_by(const struct balance_target *target, uint64_t key)
{
        uint64_t x = key ^ rotl64(target->seed, 32);
        for (int i = 0; i < 2; i++) {
                x ^= x >> 33;
                x *= 0xff51afd7ed558ccdu;
                x ^= x >> 33;
                x *= 0xc4ceb9fe1a85ec53u;
                x ^= target->seed;
        }
        return x ^ (x >> 33);
}

/* One target's number against another's. */
struct draw {
        uint64_t drawn, weight;
        uint64_t log; /* of drawn; 0: not worked out yet */
};

static uint64_t log_of(struct draw *draw)
{
        if (draw->log == 0)
                draw->log = minus_log2(draw->drawn);
        return draw->log;
}

/* Between equal weights the greater number wins, without a logarithm. */
static bool beats(struct draw *a, struct draw *b)
{
        if (a->weight == b->weight)
                return a->drawn > b->drawn;
        return log_of(a) * b->weight < log_of(b) * a->weight;
}

/* Highest random weight: every target draws a number from the key and its own seed, and the best
 * wins; with an exponential distribution (-log) divided by the weight each wins in proportion to
 * it. */
int balance_hash(const struct balance_target *targets, unsigned count, uint64_t key)
{
        struct draw best = {0, 0, 0};
        int chosen = BALANCE_NONE;
        for (int pass = 0; pass < 2 && chosen < 0; pass++) {
                for (unsigned i = 0; i < count; i++) {
                        if (weight_of(&targets[i], pass == 1) == 0)
                                continue;
                        struct draw own = {
                                .drawn = drawn_by(&targets[i], key),
                                .weight = u64_min(targets[i].weight, BALANCE_WEIGHT_MAX)};
                        if (chosen >= 0 && !beats(&own, &best))
                                continue;
                        chosen = (int)i;
                        best = own;
                }
        }
        return chosen;
}
