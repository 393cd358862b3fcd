/* recent.c -- each message stands in one piece behind its length, on 8 bytes; where it would cross
 * the end of the ring, a length of 0 says that it stands at the beginning. */
#include "record/recent.h"

#include "base/check.h"

enum { HEAD = 8, ALIGN = 8 };

static size_t whole(size_t len)
{
        return HEAD + ((len + ALIGN - 1) & ~(size_t)(ALIGN - 1));
}

static uint64_t length_at(const struct recent *recent, uint64_t at)
{
        return load_u64(&recent->bytes[at % RECENT_SIZE]);
}

static void set_length(struct recent *recent, uint64_t at, uint64_t len)
{
        memcpy(&recent->bytes[at % RECENT_SIZE], &len, sizeof len);
}

static uint64_t to_beginning(uint64_t at)
{
        return RECENT_SIZE - at % RECENT_SIZE;
}

void recent_init(struct recent *recent)
{
        recent->oldest = recent->end = 0;
        recent->first = recent->next = 0;
}

/* Steps over one message or the gap before the beginning. */
static void drop_oldest(struct recent *recent)
{
        uint64_t len = length_at(recent, recent->oldest);
        if (len == 0) {
                recent->oldest += to_beginning(recent->oldest);
                return;
        }
        recent->oldest += whole(len);
        recent->first++;
}

void recent_put(struct recent *recent, struct slice message)
{
        size_t need = whole(message.len);
        CHECK(message.len > 0 && need <= RECENT_SIZE / 8);
        uint64_t gap = to_beginning(recent->end) < need ? to_beginning(recent->end) : 0;
        while (recent->end + gap + need - recent->oldest > RECENT_SIZE)
                drop_oldest(recent);
        if (gap > 0)
                set_length(recent, recent->end, 0);
        recent->end += gap;
        set_length(recent, recent->end, message.len);
        memcpy(&recent->bytes[recent->end % RECENT_SIZE + HEAD], message.ptr, message.len);
        recent->end += need;
        recent->next++;
}

struct recent_place recent_begin(const struct recent *recent)
{
        return (struct recent_place){recent->oldest, recent->first};
}

struct recent_place recent_now(const struct recent *recent)
{
        return (struct recent_place){recent->end, recent->next};
}

bool recent_read(const struct recent *recent, struct recent_place *place, struct slice *ret_message,
                 uint64_t *ret_lost)
{
        *ret_lost = 0;
        if (place->at < recent->oldest) {
                *ret_lost = recent->first - place->number;
                *place = recent_begin(recent);
        }
        if (place->at == recent->end)
                return false;
        uint64_t len = length_at(recent, place->at);
        if (len == 0) {
                place->at += to_beginning(place->at);
                len = length_at(recent, place->at);
        }
        const uint8_t *bytes = &recent->bytes[place->at % RECENT_SIZE + HEAD];
        *ret_message = (struct slice){(uint8_t *)(uintptr_t)bytes, len};
        place->at += whole(len);
        place->number++;
        return true;
}
