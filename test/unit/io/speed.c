/* speed.c -- what the producer of a line pays: time per message put into a ring that a second
 * thread drains as the steward does, and into one that is full. Prints, asserts nothing. */
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "io/ring.h"

enum { LINES = 5000000, BATCH = 1000, LINE = 250, SIZE = 1 << 20 };

static struct ring *ring;
static _Atomic bool is_over;

static uint64_t now(void)
{
        struct timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void *drain(void *arg)
{
        struct ring_message message;
        (void)arg;
        while (!atomic_load(&is_over)) {
                while (ring_next(ring, &message)) {
                }
                ring_release(ring);
                usleep(500);
        }
        return NULL;
}

/* `waits`: between batches until the reader has caught up, so that no line is dropped. */
static void measure(const char *what, bool waits)
{
        static char line[LINE];
        uint64_t dropped = ring_dropped(ring), spent = 0;
        for (unsigned batch = 0; batch < LINES / BATCH; batch++) {
                while (waits && ring_used(ring) > SIZE / 2)
                        usleep(50);
                uint64_t start = now();
                for (unsigned i = 0; i < BATCH; i++) {
                        line[i % LINE] = (char)i;
                        ring_put(ring, 1, line, LINE);
                }
                spent += now() - start;
        }
        dropped = ring_dropped(ring) - dropped;
        printf("%-24s %3llu.%llu ns a line of %d bytes, %llu%% dropped\n", what,
               (unsigned long long)(spent / LINES), (unsigned long long)(spent * 10 / LINES % 10),
               LINE, (unsigned long long)(dropped * 100 / LINES));
}

int main(void)
{
        pthread_t thread;
        struct ring_message message;
        ring = ring_make(SIZE);
        pthread_create(&thread, NULL, drain, NULL);
        measure("drained each 0.5 ms", true);
        atomic_store(&is_over, true);
        pthread_join(thread, NULL);
        measure("never drained", false);
        uint64_t start = now();
        for (unsigned i = 0; i < LINES / 1000; i++) {
                static char line[LINE];
                for (int k = 0; k < 1000; k++)
                        ring_put(ring, 1, line, LINE);
                while (ring_next(ring, &message)) {
                }
                ring_release(ring);
        }
        printf("written and read by one  %3llu ns\n",
               (unsigned long long)((now() - start) / LINES));
        ring_free(ring);
        return 0;
}
