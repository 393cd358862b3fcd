/* ticket.c -- a slot for each span, written by whoever comes first. A copy counts only when the
 * slot's state is the same behind it as before. Who dies while writing leaves a slot that nobody
 * uses until its next span: meanwhile handshakes are full ones. */
#include "net/ticket.h"

#include "base/rand.h"
#include "base/str.h"

enum { SPANS_GOOD = 3 };

static_assert((int)SPANS_GOOD < (int)TICKET_SLOTS, "what is being written is no longer in use");

static uint64_t span_of(uint64_t wall)
{
        return wall / TICKET_SPAN_NS + 1; /* 0: never written */
}

enum { KEY_WORDS = sizeof(struct ticket_key) / sizeof(uint64_t) };

static_assert(KEY_WORDS * sizeof(uint64_t) == sizeof(struct ticket_key),
              "a key is made of whole words");

/* Word by word, each a release: who sees one of them sees that the slot is being written. */
static void fill(struct ticket_slot *slot, const struct ticket_key *key)
{
        uint64_t words[KEY_WORDS];
        uint64_t *to = (uint64_t *)(void *)&slot->key;
        memcpy(words, key, sizeof words);
        for (size_t i = 0; i < KEY_WORDS; i++)
                __atomic_store_n(&to[i], words[i], __ATOMIC_RELEASE);
        str_wipe(str_from((char *)words, sizeof words));
}

/* The words of the key are read one by one, each before the next: the state behind them is read
 * last of all, also where the thread sanitizer, which knows no fences, looks on. */
static enum err copy(const struct ticket_slot *slot, uint64_t span, struct ticket_key *ret_key)
{
        uint64_t words[KEY_WORDS];
        const uint64_t *from = (const uint64_t *)(const void *)&slot->key;
        uint64_t state = __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
        if (state != span * 2)
                return ERR_missing;
        for (size_t i = 0; i < KEY_WORDS; i++)
                words[i] = __atomic_load_n(&from[i], __ATOMIC_ACQUIRE);
        if (__atomic_load_n(&slot->state, __ATOMIC_RELAXED) != state)
                return ERR_missing;
        memcpy(ret_key, words, sizeof words);
        str_wipe(str_from((char *)words, sizeof words));
        return ERR_ok;
}

/* True when this caller is the one to write the slot. */
static bool claim(struct ticket_slot *slot, uint64_t span)
{
        uint64_t state = __atomic_load_n(&slot->state, __ATOMIC_RELAXED);
        return state / 2 != span &&
               __atomic_compare_exchange_n(&slot->state, &state, span * 2 + 1, false,
                                           __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* A key whose time is over is overwritten even if no handshake ever needs its slot again. */
static void forget_old(struct ticket_ring *ring, uint64_t span)
{
        static const struct ticket_key nothing;
        for (unsigned i = 0; i < TICKET_SLOTS; i++) {
                struct ticket_slot *slot = &ring->slots[i];
                uint64_t state = __atomic_load_n(&slot->state, __ATOMIC_RELAXED);
                if (state == 0 || state % 2 != 0 || state / 2 + SPANS_GOOD > span)
                        continue;
                if (!__atomic_compare_exchange_n(&slot->state, &state, 1, false, __ATOMIC_ACQ_REL,
                                                 __ATOMIC_RELAXED))
                        continue;
                fill(slot, &nothing);
                __atomic_store_n(&slot->state, 0, __ATOMIC_RELEASE);
        }
}

enum err ticket_now(struct ticket_ring *ring, uint64_t wall, struct ticket_key *ret_key)
{
        uint64_t span = span_of(wall);
        struct ticket_slot *slot = &ring->slots[span % TICKET_SLOTS];
        if (copy(slot, span, ret_key) == ERR_ok)
                return ERR_ok;
        if (!claim(slot, span))
                return copy(slot, span, ret_key) == ERR_ok ? ERR_ok : ERR_busy;
        rand_bytes(ret_key, sizeof *ret_key);
        fill(slot, ret_key);
        __atomic_store_n(&slot->state, span * 2, __ATOMIC_RELEASE);
        forget_old(ring, span);
        return ERR_ok;
}

enum err ticket_find(const struct ticket_ring *ring, uint64_t wall, const uint8_t name[TICKET_NAME],
                     struct ticket_key *ret_key, bool *ret_is_old)
{
        uint64_t now = span_of(wall);
        for (uint64_t age = 0; age < SPANS_GOOD && age < now; age++) {
                struct ticket_key key;
                if (copy(&ring->slots[(now - age) % TICKET_SLOTS], now - age, &key) != ERR_ok)
                        continue;
                if (memcmp(key.name, name, TICKET_NAME) == 0) {
                        *ret_key = key;
                        *ret_is_old = age > 0;
                        return ERR_ok;
                }
                str_wipe(str_from((char *)&key, sizeof key));
        }
        return ERR_missing;
}
