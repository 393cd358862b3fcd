/* bucket.c -- sets of eight cells on two cache lines. A cell is a tag and a time, swapped together:
 *
 *   tag | time         the caller may come again at that time
 *   tag | FRESH …      being made: nothing was taken yet
 *   0   | 0            empty
 *
 * Two threads may make the same cell at the same moment in two places. So a fresh cell may be
 * charged only after looking at the whole set again: another one with the same tag that was charged
 * already wins, else the first in the set, and the loser is emptied. Of two threads that each
 * charge a copy, one must have looked after the other's copy appeared; hence at most one is ever
 * charged. No step needs a second one to be complete: whoever dies leaves at worst a fresh cell,
 * which is stale after a second. The number in a fresh cell makes each one different, so that no
 * swap takes one for another. */
#include "gate/bucket.h"

#include <stdatomic.h>

#include "base/rand.h"

enum { WAYS = 8, VERSION = 1, HEADER_SIZE = 256, NOTHING = -1 };

static const uint64_t MAGIC = 0x67617465636c6c73;
static const uint64_t FRESH = (uint64_t)1 << 63;
static const uint64_t SECOND_NS = 1000000000;

enum { FRESH_TIME_SHIFT = 23 }; /* a fresh cell: 40 bits of time in 2^20 ns, 23 bits of number */

struct bucket_header {
        uint64_t magic;
        uint32_t version, ways;
        uint64_t set_count;
        struct hash_key key;
        alignas(CACHE_LINE) _Atomic(uint64_t) made;
        _Atomic(uint64_t) evicted;
};

struct bucket_set {
        struct duo cells[WAYS];
} aligned(2 * CACHE_LINE);

static_assert(sizeof(struct bucket_header) <= HEADER_SIZE, "the header has its place");
static_assert(sizeof(struct bucket_set) == 2 * CACHE_LINE, "a set is two cache lines");

/* ---- the table ---- */

size_t bucket_size(uint64_t cells)
{
        enum { CELLS_MAX = 1 << 30 };
        cells = u64_min(u64_max(cells, BUCKET_CELLS_LEAST), CELLS_MAX);
        /* Half again as many, so that sets seldom are full before the table is. */
        return HEADER_SIZE + (cells + cells / 2 + WAYS - 1) / WAYS * sizeof(struct bucket_set);
}

static uint64_t sets_in(size_t size)
{
        return size < HEADER_SIZE ? 0 : (size - HEADER_SIZE) / sizeof(struct bucket_set);
}

enum err bucket_init(void *memory, size_t size)
{
        struct bucket_header *header = memory;
        if (sets_in(size) == 0 || (uintptr_t)memory % sizeof(struct bucket_set) != 0)
                return ERR_range;
        *header = (struct bucket_header){
                .version = VERSION, .ways = WAYS, .set_count = sets_in(size)};
        rand_bytes(&header->key, sizeof header->key);
        header->magic = MAGIC;
        return ERR_ok;
}

enum err bucket_map(void *memory, size_t size, struct bucket_table *ret_table)
{
        struct bucket_header *header = memory;
        if (size < HEADER_SIZE || (uintptr_t)memory % sizeof(struct bucket_set) != 0)
                return ERR_range;
        if (header->magic != MAGIC || header->version != VERSION || header->ways != WAYS)
                return ERR_version;
        if (header->set_count == 0 || header->set_count != sets_in(size))
                return ERR_range;
        *ret_table = (struct bucket_table){
                .header = header,
                .sets = (struct bucket_set *)(void *)((char *)memory + HEADER_SIZE),
                .set_count = header->set_count,
                .key = header->key};
        return ERR_ok;
}

struct hash_key bucket_limit(const struct bucket_table *table, struct str identity)
{
        struct hash128 hash = hash_siphash24_128(&table->key, identity.ptr, identity.len);
        return (struct hash_key){hash.lo, hash.hi};
}

struct bucket_counts bucket_counts(const struct bucket_table *table)
{
        return (struct bucket_counts){
                .made = atomic_load_explicit(&table->header->made, memory_order_relaxed),
                .evicted = atomic_load_explicit(&table->header->evicted, memory_order_relaxed),
                .cells = table->set_count * WAYS};
}

uint64_t bucket_used(const struct bucket_table *table, uint64_t now_ns)
{
        uint64_t used = 0;
        for (uint64_t i = 0; i < table->set_count * WAYS; i++) {
                const struct duo *cell = &table->sets[i / WAYS].cells[i % WAYS];
                uint64_t time = duo_hi(cell);
                used += duo_lo(cell) != 0 && time < FRESH && time > now_ns;
        }
        return used;
}

/* ---- rates ---- */

#define TOLERANCE_MAX (30 * 366 * 86400 * (uint64_t)1000000000)

const struct bucket_rate bucket_time = {
        .interval_ns = 1,
        .tolerance_ns = TOLERANCE_MAX,
        .burst = TOLERANCE_MAX,
        .inverse = UINT64_MAX,
};

enum err bucket_rate_make(uint64_t count, uint64_t period_ns, uint64_t burst,
                          struct bucket_rate *ret_rate)
{
        static const uint64_t BURST_MAX = 1000000000000;
        uint64_t tolerance;
        if (count == 0 || period_ns == 0 || burst == 0 || burst > BURST_MAX || count > period_ns)
                return ERR_range;
        uint64_t interval = period_ns / count + (period_ns % count >= count - count / 2);
        if (mul_overflows(interval, burst, &tolerance) || tolerance > TOLERANCE_MAX)
                return ERR_range;
        *ret_rate = (struct bucket_rate){.interval_ns = interval,
                                         .tolerance_ns = tolerance,
                                         .burst = burst,
                                         .inverse = UINT64_MAX / interval};
        return ERR_ok;
}

/* ns / interval */
static uint64_t units_in(const struct bucket_rate *rate, uint64_t ns)
{
        uint64_t units = mul_high(ns, rate->inverse);
        while ((units + 1) * rate->interval_ns <= ns)
                units++;
        return units;
}

/* What the rule says about a cell that holds `time`; *ret_time is what it should hold then, 0 when
 * nothing is to be changed. */
static struct bucket_answer judge(const struct bucket_rate *rate, uint64_t time, uint64_t cost,
                                  uint64_t now_ns, uint64_t *ret_time)
{
        struct bucket_answer answer = {.is_admitted = false};
        uint64_t full = now_ns + rate->tolerance_ns;
        *ret_time = 0;
        if (time > full) {
                /* The limit was made smaller meanwhile: the cell counts as used up, no more. */
                if (time - full > SECOND_NS)
                        *ret_time = full;
                time = full;
        }
        uint64_t base = u64_max(time, now_ns), room = full - base;
        uint64_t need = cost <= rate->burst ? cost * rate->interval_ns : UINT64_MAX;
        if (need > room) {
                answer.remaining = units_in(rate, room);
                answer.reset_ns = base - now_ns;
                answer.retry_ns = need == UINT64_MAX ? rate->tolerance_ns : need - room;
                return answer;
        }
        answer.is_admitted = true;
        answer.remaining = units_in(rate, room - need);
        answer.reset_ns = base + need - now_ns;
        if (need > 0)
                *ret_time = base + need;
        return answer;
}

/* ---- cells ---- */

static uint64_t tag_of(struct hash128 cell)
{
        return cell.hi == 0 ? 1 : cell.hi;
}

static struct bucket_set *set_of(const struct bucket_table *table, struct hash128 cell)
{
        return &table->sets[mul_high(cell.lo, table->set_count)];
}

/* The first cell with that tag and what it holds, or NOTHING. The two halves belong together. */
static int find(const struct bucket_set *set, uint64_t tag, struct duo *ret_held)
{
        for (int i = 0; i < WAYS; i++) {
                const struct duo *cell = &set->cells[i];
                if (duo_lo(cell) != tag)
                        continue;
                *ret_held = (struct duo){tag, duo_hi(cell)};
                if (duo_lo(cell) == tag)
                        return i;
        }
        return NOTHING;
}

/* How little is lost when the cell goes: 0 nothing, else the later the time the more. */
static uint64_t worth(struct duo held, uint64_t now_ns)
{
        if (held.lo == 0)
                return 0;
        if (held.hi & FRESH) {
                uint64_t made_ns = (held.hi & ~FRESH) >> FRESH_TIME_SHIFT << 20;
                return made_ns + 2 * SECOND_NS <= now_ns ? 1 : UINT64_MAX;
        }
        return held.hi + SECOND_NS <= now_ns ? 1 : held.hi;
}

/* Makes a fresh cell at the place of the one that matters least. It is found by the next `find`. */
static void make(const struct bucket_table *table, struct bucket_set *set, uint64_t tag,
                 uint64_t now_ns)
{
        struct duo least = {0, 0};
        uint64_t least_worth = UINT64_MAX;
        int at = 0;
        for (int i = 0; i < WAYS && least_worth > 0; i++) {
                struct duo held = {duo_lo(&set->cells[i]), duo_hi(&set->cells[i])};
                uint64_t held_worth = worth(held, now_ns);
                if (i > 0 && held_worth >= least_worth)
                        continue;
                at = i;
                least = held;
                least_worth = held_worth;
        }
        uint64_t number = atomic_fetch_add_explicit(&table->header->made, 1, memory_order_relaxed);
        uint64_t mark = FRESH | (now_ns >> 20 << FRESH_TIME_SHIFT & ~FRESH) |
                        (number & (((uint64_t)1 << FRESH_TIME_SHIFT) - 1));
        if (duo_swap(&set->cells[at], &least, (struct duo){tag, mark}) && least_worth > 1)
                atomic_fetch_add_explicit(&table->header->evicted, 1, memory_order_relaxed);
}

/* True when the fresh cell at `own` is the one of its tag; empties those that are not. */
static bool settle(struct bucket_set *set, int own, struct duo held)
{
        static const struct duo empty = {0, 0};
        for (int i = 0; i < WAYS; i++) {
                struct duo other = {duo_lo(&set->cells[i]), duo_hi(&set->cells[i])};
                if (i == own || other.lo != held.lo)
                        continue;
                if (i > own && (other.hi & FRESH)) {
                        duo_swap(&set->cells[i], &other, empty);
                        i--; /* it may have been charged before that */
                } else {
                        duo_swap(&set->cells[own], &held, empty);
                        return false;
                }
        }
        return true;
}

struct bucket_answer bucket_take(const struct bucket_table *table, struct hash128 cell,
                                 const struct bucket_rate *rate, uint64_t cost, uint64_t now_ns)
{
        struct bucket_set *set = set_of(table, cell);
        uint64_t tag = tag_of(cell);
        for (;;) {
                struct duo held;
                uint64_t time;
                int at = find(set, tag, &held);
                if (at == NOTHING || (held.hi & FRESH)) {
                        struct bucket_answer answer = judge(rate, 0, cost, now_ns, &time);
                        if (time == 0)
                                return answer;
                        if (at == NOTHING)
                                make(table, set, tag, now_ns);
                        else if (settle(set, at, held) &&
                                 duo_swap(&set->cells[at], &held, (struct duo){tag, time}))
                                return answer;
                        continue;
                }
                struct bucket_answer answer = judge(rate, held.hi, cost, now_ns, &time);
                if (time == 0 || duo_swap(&set->cells[at], &held, (struct duo){tag, time}))
                        return answer;
        }
}

void bucket_give(const struct bucket_table *table, struct hash128 cell,
                 const struct bucket_rate *rate, uint64_t cost, uint64_t now_ns)
{
        struct bucket_set *set = set_of(table, cell);
        uint64_t tag = tag_of(cell), back;
        if (mul_overflows(cost, rate->interval_ns, &back))
                back = UINT64_MAX;
        for (;;) {
                struct duo held;
                int at = find(set, tag, &held);
                if (at == NOTHING || (held.hi & FRESH) || held.hi <= now_ns)
                        return;
                uint64_t time = held.hi - u64_min(back, held.hi - now_ns);
                if (duo_swap(&set->cells[at], &held, (struct duo){tag, time}))
                        return;
        }
}
