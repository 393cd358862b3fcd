/* retry.c -- what is earned is kept in thousandths of a retry and loses an eighth each second, so
 * that at a steady pace about eight seconds' worth may be saved up. */
#include "gate/retry.h"

#include "base/check.h"

enum { ONE = 1000, FADE_SHIFT = 3, FADE_ROUNDS_MAX = 256 };

static const uint64_t SECOND_NS = 1000000000;
static const uint64_t EARNED_MAX = (uint64_t)1 << 40;

static void fade(struct retry_budget *budget, uint64_t now_ns)
{
        if (now_ns < budget->faded_ns + SECOND_NS)
                return;
        uint64_t seconds = (now_ns - budget->faded_ns) / SECOND_NS;
        budget->faded_ns += seconds * SECOND_NS;
        if (seconds > FADE_ROUNDS_MAX)
                budget->earned = 0;
        for (; seconds > 0 && budget->earned > 0; seconds--)
                budget->earned -= (budget->earned + (1 << FADE_SHIFT) - 1) >> FADE_SHIFT;
}

void retry_begin(struct retry_budget *budget, uint64_t now_ns)
{
        fade(budget, now_ns);
        budget->active++;
        budget->earned = u64_min(budget->earned + budget->part_permille, EARNED_MAX);
}

void retry_end(struct retry_budget *budget)
{
        CHECK(budget->active > 0);
        budget->active--;
}

/* One of those that are always allowed: at most a second's worth at once. */
static bool take_reserve(struct retry_budget *budget, uint64_t now_ns)
{
        if (budget->least_per_s == 0)
                return false;
        uint64_t interval = SECOND_NS / budget->least_per_s;
        uint64_t arrival = u64_max(budget->arrival_ns, now_ns) + interval;
        if (arrival > now_ns + interval * budget->least_per_s)
                return false;
        budget->arrival_ns = arrival;
        return true;
}

bool retry_take(struct retry_budget *budget, uint64_t now_ns)
{
        fade(budget, now_ns);
        uint64_t most = (uint64_t)budget->active * budget->part_permille / ONE;
        if (budget->earned >= ONE && budget->retrying < u64_max(most, 1)) {
                budget->earned -= ONE;
        } else if (!take_reserve(budget, now_ns)) {
                budget->refused++;
                return false;
        }
        budget->retrying++;
        return true;
}

void retry_give(struct retry_budget *budget)
{
        CHECK(budget->retrying > 0);
        budget->retrying--;
}
