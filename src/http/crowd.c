/* crowd.c -- doors are numbers that a worker raises only while they are under the cap; networks
 * stand in windows of places, each window under a lock of its own and on cache lines of its own, so
 * that two workers meet only where their callers are neighbours. A network stands anywhere in its
 * window; a place whose count is 0 is free. */
#include "http/crowd.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"

enum { PLACES = 32, WINDOWS = CROWD_NETWORKS_MAX / PLACES };

struct place {
        uint64_t key;
        uint32_t count;
};

struct window {
        pthread_mutex_t lock;
        struct place places[PLACES];
} aligned(CACHE_LINE);

struct crowd_door {
        uint64_t key;
        _Atomic(uint32_t) count;
} aligned(CACHE_LINE);

struct crowd {
        pthread_mutex_t lock; /* of the names of doors */
        unsigned door_count;
        struct crowd_door doors[CROWD_DOORS_MAX];
        struct window windows[WINDOWS];
};

static_assert(CROWD_NETWORKS_MAX % PLACES == 0, "windows fill the table");

static void lock(pthread_mutex_t *mutex)
{
        CHECK(pthread_mutex_lock(mutex) == 0);
}

static void unlock(pthread_mutex_t *mutex)
{
        CHECK(pthread_mutex_unlock(mutex) == 0);
}

struct crowd *crowd_make(void)
{
        struct crowd *crowd = aligned_alloc(CACHE_LINE, sizeof *crowd);
        CHECK(crowd != NULL);
        memset(crowd, 0, sizeof *crowd);
        CHECK(pthread_mutex_init(&crowd->lock, NULL) == 0);
        for (unsigned i = 0; i < WINDOWS; i++)
                CHECK(pthread_mutex_init(&crowd->windows[i].lock, NULL) == 0);
        return crowd;
}

void crowd_free(struct crowd *crowd)
{
        if (crowd == NULL)
                return;
        for (unsigned i = 0; i < WINDOWS; i++)
                pthread_mutex_destroy(&crowd->windows[i].lock);
        pthread_mutex_destroy(&crowd->lock);
        free(crowd);
}

struct crowd_door *crowd_door(struct crowd *crowd, struct str name)
{
        uint64_t key = hash_str(name);
        struct crowd_door *door = NULL;
        lock(&crowd->lock);
        for (unsigned i = 0; i < crowd->door_count && door == NULL; i++) {
                if (crowd->doors[i].key == key)
                        door = &crowd->doors[i];
        }
        if (door == NULL && crowd->door_count < CROWD_DOORS_MAX) {
                door = &crowd->doors[crowd->door_count++];
                door->key = key;
        }
        unlock(&crowd->lock);
        return door;
}

/* IPv6 callers own whole /64 networks. */
static uint64_t key_of(const uint8_t address[16])
{
        static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
        bool is_v4 = memcmp(address, mapped, sizeof mapped) == 0;
        return hash_str(str_from((const char *)address, is_v4 ? 16 : 8));
}

static struct window *window_of(struct crowd *crowd, uint64_t key)
{
        return &crowd->windows[key % WINDOWS];
}

/* The place of that network, or a free one in its window; NULL when there is none. */
static struct place *find(struct window *window, uint64_t key)
{
        struct place *unused = NULL;
        for (struct place *place = window->places; place < window->places + PLACES; place++) {
                if (place->count > 0 && place->key == key)
                        return place;
                if (place->count == 0 && unused == NULL)
                        unused = place;
        }
        return unused;
}

static bool enter_door(struct crowd_door *door, uint32_t cap)
{
        uint32_t count = atomic_load_explicit(&door->count, memory_order_relaxed);
        do {
                if (count >= cap)
                        return false;
        } while (!atomic_compare_exchange_weak_explicit(
                &door->count, &count, count + 1, memory_order_relaxed, memory_order_relaxed));
        return true;
}

static void leave_door(struct crowd_door *door)
{
        CHECK(atomic_fetch_sub_explicit(&door->count, 1, memory_order_relaxed) > 0);
}

static enum crowd_answer enter_network(struct crowd *crowd, uint64_t key, uint32_t cap)
{
        enum crowd_answer answer = CROWD_COUNTED;
        struct window *window = window_of(crowd, key);
        lock(&window->lock);
        struct place *place = find(window, key);
        if (place == NULL)
                answer = CROWD_UNPLACED;
        else if (place->count >= cap)
                answer = CROWD_NETWORK_FULL;
        else
                *place = (struct place){key, place->count + 1};
        unlock(&window->lock);
        return answer;
}

enum crowd_answer crowd_place(struct crowd *crowd, const uint8_t address[16], uint32_t cap)
{
        return enter_network(crowd, key_of(address), cap);
}

enum crowd_answer crowd_enter(struct crowd *crowd, struct crowd_door *door, const uint8_t *address,
                              const struct crowd_caps *caps)
{
        if (door != NULL && !enter_door(door, caps->door))
                return CROWD_DOOR_FULL;
        if (address == NULL)
                return CROWD_UNPLACED;
        enum crowd_answer answer = enter_network(crowd, key_of(address), caps->network);
        if (door != NULL && answer == CROWD_NETWORK_FULL)
                leave_door(door);
        return answer;
}

void crowd_leave(struct crowd *crowd, struct crowd_door *door, const uint8_t *address)
{
        if (door != NULL)
                leave_door(door);
        if (address == NULL)
                return;
        uint64_t key = key_of(address);
        struct window *window = window_of(crowd, key);
        lock(&window->lock);
        struct place *place = find(window, key);
        CHECK(place != NULL && place->count > 0);
        place->count--;
        unlock(&window->lock);
}
