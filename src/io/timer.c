/* timer.c -- a hierarchical wheel: a timer sits in the level that can tell its tick from now, and
 * moves to finer levels as time passes. Slots of a level that are not empty are bits of a word. */
#include "io/timer.h"

#include "base/check.h"

static uint64_t tick_of(uint64_t time)
{
        return time >> WHEEL_TICK_SHIFT;
}

void wheel_init(struct wheel *wheel, uint64_t now)
{
        *wheel = (struct wheel){.tick = tick_of(now)};
        for (int level = 0; level < WHEEL_LEVELS; level++) {
                for (int slot = 0; slot < WHEEL_SLOTS; slot++)
                        list_init(&wheel->slots[level][slot]);
        }
}

/* Seats the timer in the finest level that can tell its tick from `base`, not before `least`. */
static void seat(struct wheel *wheel, struct timer *timer, uint64_t base, uint64_t least)
{
        const uint64_t span = (uint64_t)1 << (WHEEL_BITS * WHEEL_LEVELS);
        /* Rounded up, so that a timer never fires before its time. */
        uint64_t tick = u64_max(tick_of(timer->due) + 1, least);
        list_remove(&timer->node);
        if (tick - base >= span / 2)
                tick = base + span / 2;
        int level = 0;
        while ((tick >> (WHEEL_BITS * level)) - (base >> (WHEEL_BITS * level)) >= WHEEL_SLOTS)
                level++;
        CHECK(level < WHEEL_LEVELS);
        uint64_t slot = (tick >> (WHEEL_BITS * level)) & (WHEEL_SLOTS - 1);
        timer->seat = tick << WHEEL_TICK_SHIFT;
        wheel->busy[level] |= (uint64_t)1 << slot;
        list_push(&wheel->slots[level][slot], &timer->node);
}

void wheel_seat(struct wheel *wheel, struct timer *timer)
{
        seat(wheel, timer, wheel->tick, wheel->tick + 1);
}

static void fire(struct wheel *wheel, struct list *due, uint64_t now)
{
        struct list *node;
        while ((node = list_pop(due)) != NULL) {
                struct timer *timer = list_entry(node, struct timer, node);
                timer->seat = 0;
                if (timer->due == TIMER_NEVER)
                        continue;
                if (timer->due > now) {
                        wheel_seat(wheel, timer);
                        continue;
                }
                timer->due = TIMER_NEVER;
                timer->fire(timer);
        }
}

/* Moves the timers of the coarse slot that begins with this tick to finer levels. */
static void cascade(struct wheel *wheel, uint64_t tick)
{
        for (int level = 1; level < WHEEL_LEVELS; level++) {
                if ((tick & (((uint64_t)1 << (WHEEL_BITS * level)) - 1)) != 0)
                        return;
                uint64_t slot = (tick >> (WHEEL_BITS * level)) & (WHEEL_SLOTS - 1);
                struct list moved;
                struct list *node;
                list_init(&moved);
                list_move(&moved, &wheel->slots[level][slot]);
                wheel->busy[level] &= ~((uint64_t)1 << slot);
                while ((node = list_pop(&moved)) != NULL) {
                        struct timer *timer = list_entry(node, struct timer, node);
                        if (timer->due == TIMER_NEVER)
                                timer->seat = 0;
                        else
                                seat(wheel, timer, tick, tick);
                }
        }
}

void wheel_turn(struct wheel *wheel, uint64_t now)
{
        uint64_t target = tick_of(now);
        while (wheel->tick < target) {
                uint64_t next = tick_of(wheel_next(wheel));
                if (next > target) {
                        wheel->tick = target;
                        return;
                }
                if (next > wheel->tick + 1)
                        wheel->tick = next - 1;
                uint64_t tick = wheel->tick + 1;
                uint64_t slot = tick & (WHEEL_SLOTS - 1);
                struct list due;
                cascade(wheel, tick);
                wheel->tick = tick;
                list_init(&due);
                list_move(&due, &wheel->slots[0][slot]);
                wheel->busy[0] &= ~((uint64_t)1 << slot);
                fire(wheel, &due, now);
        }
}

uint64_t wheel_next(const struct wheel *wheel)
{
        uint64_t best = TIMER_NEVER;
        for (int level = 0; level < WHEEL_LEVELS; level++) {
                if (wheel->busy[level] == 0)
                        continue;
                unsigned shift = (unsigned)(WHEEL_BITS * level);
                uint64_t base = (wheel->tick >> shift) + 1;
                unsigned slot = (unsigned)(base & (WHEEL_SLOTS - 1));
                uint64_t turned = slot == 0 ? wheel->busy[level]
                                            : (wheel->busy[level] >> slot) |
                                                      (wheel->busy[level] << (WHEEL_SLOTS - slot));
                uint64_t tick = (base + (uint64_t)__builtin_ctzll(turned)) << shift;
                best = u64_min(best, tick << WHEEL_TICK_SHIFT);
        }
        return best;
}
