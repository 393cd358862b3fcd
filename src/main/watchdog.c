/* watchdog.c -- looks at each worker's busy_since. */
#include "main/watchdog.h"

#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

enum { DUMP_MS = 500, NS_PER_MS = 1000000 };

/* Posted by the thread that was asked to write where it stands. */
static sem_t dumped;

static void on_dump(int signo)
{
        (void)signo;
        panic_trace(STDERR_FILENO);
        sem_post(&dumped);
}

static _Noreturn void dump(const struct watched *watched, uint64_t busy_ms)
{
        struct sigaction action = {.sa_handler = on_dump};
        struct timespec until;
        sigemptyset(&action.sa_mask);
        sem_init(&dumped, 0, 0);
        sigaction(SIGQUIT, &action, NULL);
        if (pthread_kill(watched->thread, SIGQUIT) == 0) {
                clock_gettime(CLOCK_REALTIME, &until);
                until.tv_nsec += (long)DUMP_MS * NS_PER_MS;
                until.tv_sec += until.tv_nsec / 1000000000;
                until.tv_nsec %= 1000000000;
                sem_timedwait(&dumped, &until);
        }
        panic("%s did not turn for %llu ms; where it was is above", watched->name,
              (unsigned long long)busy_ms);
}

static void on_look(struct timer *timer)
{
        struct watchdog *watchdog = container_of(timer, struct watchdog, look);
        uint64_t now = loop_now(watchdog->steward);
        uint64_t since = now - watchdog->looked;
        const uint64_t limit = (uint64_t)WATCHDOG_LIMIT_MS * NS_PER_MS;
        watchdog->looked = now;
        timer_set(watchdog->steward, timer, now + (uint64_t)WATCHDOG_LOOK_MS * NS_PER_MS);
        if (since > (uint64_t)2 * WATCHDOG_LOOK_MS * NS_PER_MS)
                return;
        for (size_t i = 0; i < watchdog->count; i++) {
                const struct watched *watched = &watchdog->watched[i];
                uint64_t busy = atomic_load_explicit(&watched->loop->busy_since,
                                                     memory_order_relaxed);
                if (busy == 0 || busy > now || now - busy < limit)
                        continue;
                if (watchdog->stuck != NULL)
                        watchdog->stuck(watchdog->owner);
                dump(watched, (now - busy) / NS_PER_MS);
        }
}

void watchdog_start(struct watchdog *watchdog, struct loop *steward, const struct watched *watched,
                    size_t count)
{
        *watchdog = (struct watchdog){.steward = steward, .watched = watched, .count = count};
        watchdog->looked = loop_now(steward);
        timer_init(&watchdog->look, on_look);
        timer_set(steward, &watchdog->look,
                  loop_now(steward) + (uint64_t)WATCHDOG_LOOK_MS * NS_PER_MS);
}

void watchdog_stop(struct watchdog *watchdog)
{
        timer_stop(&watchdog->look);
}
