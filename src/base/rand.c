/* rand.c -- the generator is D. Blackman's and S. Vigna's xoshiro256**, written from its
 * definition. */
#include "base/rand.h"

#include <errno.h>
#include <pthread.h>
#include <sys/random.h>

#include "base/check.h"
#include "base/hash.h"

static _Thread_local uint64_t state[4];
static _Thread_local unsigned seeded_in; /* generation of the process in which state was seeded */
static unsigned generation = 1;

void rand_bytes(void *to, size_t len)
{
        char *at = to;
        while (len > 0) {
                ssize_t n = getrandom(at, size_min(len, 256), 0);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        panic("the system has no random bytes");
                at += n;
                len -= (size_t)n;
        }
}

static void on_fork(void)
{
        generation++;
}

static void watch_fork(void)
{
        pthread_atfork(NULL, NULL, on_fork);
}

static not_inline void seed(void)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        pthread_once(&once, watch_fork);
        rand_bytes(state, sizeof state);
        state[0] |= 1;
        seeded_in = generation;
}

void rand_seed(uint64_t from)
{
        if (seeded_in != generation)
                seed();
        for (unsigned i = 0; i < 4; i++)
                state[i] = hash_mix(from, i) | 1;
}

uint64_t rand_u64(void)
{
        if (unlikely(seeded_in != generation))
                seed();
        uint64_t result = rotl64(state[1] * 5, 7) * 9;
        uint64_t t = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= t;
        state[3] = rotl64(state[3], 45);
        return result;
}

uint64_t rand_below(uint64_t n)
{
        return mul_high(rand_u64(), n);
}
