/* timer.h -- deadlines on a wheel. A deadline that moves further away costs one store: the node
 * stays where it is and moves when it fires early. One timer per conn is enough for all its phases.
 */
#pragma once

#include "base/base.h"
#include "base/list.h"

struct timer {
        struct list node;
        uint64_t due;  /* ns; TIMER_NEVER: it is not to fire */
        uint64_t seat; /* ns at which its slot comes round; 0: on no wheel */
        void (*fire)(struct timer *timer);
};

#define TIMER_NEVER UINT64_MAX

enum { WHEEL_BITS = 6, WHEEL_SLOTS = 1 << WHEEL_BITS, WHEEL_LEVELS = 5, WHEEL_TICK_SHIFT = 20 };

/* Ticks of 2^20 ns (1.05 ms), five levels of 64 slots: seats up to 6 days ahead, later ones are
 * seated at the end and move when they get there. A timer fires within two ticks of its time. */
struct wheel {
        uint64_t tick; /* the last tick whose slot was fired */
        uint64_t busy[WHEEL_LEVELS];
        struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *wheel, uint64_t now);

static inline void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
        list_init(&timer->node);
        timer->due = TIMER_NEVER;
        timer->seat = 0;
        timer->fire = fire;
}

/* Puts the timer on the wheel at its due time. */
void wheel_seat(struct wheel *wheel, struct timer *timer);

/* Fires what is due; timers may be set, stopped and freed in between. */
void wheel_turn(struct wheel *wheel, uint64_t now);

/* When the next slot comes round, at most two ticks after the first due time; TIMER_NEVER if there
 * is none. A slot whose timers were stopped may still come round, once. */
uint64_t wheel_next(const struct wheel *wheel);

/* Takes it off the wheel: before its memory goes. */
static inline void timer_stop(struct timer *timer)
{
        timer->due = TIMER_NEVER;
        timer->seat = 0;
        list_remove(&timer->node);
}
