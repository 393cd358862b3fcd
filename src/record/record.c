/* record.c -- a record as one message: a head of numbers and lengths, behind it the texts one after
 * the other. It never leaves the process, so it is in the machine's own order. */
#include "record/record.h"

#include "io/ring.h"

#define TEXT(member, max) +1
enum { TEXTS = RECORD_TEXTS(TEXT) };
#undef TEXT

#define TEXT(member, max) +(max)
enum { TEXTS_SIZE = RECORD_TEXTS(TEXT) };
#undef TEXT

struct message_head {
        uint64_t wall, duration, upstream, request_bytes, response_bytes;
        uint8_t address[16];
        uint16_t lengths[TEXTS];
        uint16_t port, status, upstream_status;
        struct tls_facts tls;
        uint8_t version, reason, tries;
};

static_assert(sizeof(struct message_head) + TEXTS_SIZE <= RECORD_SIZE_MAX, "the longest one fits");
static_assert(REASON_COUNT < 256, "a reason is one byte");

static size_t cut(struct str s, size_t max)
{
        if (likely(s.len <= max))
                return s.len;
        while (max > 0 && ((unsigned char)s.ptr[max] & 0xc0) == 0x80)
                max--;
        return max;
}

static void fill_head(const struct record *record, struct message_head *head)
{
        const struct record_request *request = &record->request;
        head->wall = record->wall;
        head->duration = record->duration;
        head->upstream = record->upstream;
        head->request_bytes = request->bytes;
        head->response_bytes = record->response_bytes;
        memcpy(head->address, request->address, sizeof head->address);
        head->port = request->port;
        head->status = record->status;
        head->upstream_status = record->upstream_status;
        head->version = request->version;
        head->tls = request->tls;
        head->reason = (uint8_t)record->reason;
        head->tries = record->tries;
}

bool record_put(struct ring *ring, const struct record *record)
{
        uint16_t lengths[TEXTS];
        size_t size = sizeof(struct message_head);
        unsigned i = 0;
#define TEXT(member, max) size += lengths[i++] = (uint16_t)cut(record->member, max);
        RECORD_TEXTS(TEXT)
#undef TEXT
        struct message_head *head = ring_reserve(ring, size);
        if (head == NULL)
                return false;
        fill_head(record, head);
        memcpy(head->lengths, lengths, sizeof lengths);
        char *at = (char *)(head + 1);
        i = 0;
#define TEXT(member, max)                                                                          \
        if (lengths[i] > 0)                                                                        \
                at = copy_short(at, record->member.ptr, lengths[i]);                               \
        i++;
        RECORD_TEXTS(TEXT)
#undef TEXT
        ring_commit(ring, RECORD_MESSAGE, size);
        return true;
}

static void take_head(const struct message_head *head, struct record *record)
{
        *record = (struct record){
                .wall = head->wall,
                .duration = head->duration,
                .upstream = head->upstream,
                .response_bytes = head->response_bytes,
                .request = {.bytes = head->request_bytes,
                            .port = head->port,
                            .version = head->version,
                            .tls = head->tls},
                .who = {.api_id = UINT32_MAX, .route_id = UINT32_MAX, .upstream_id = UINT32_MAX},
                .reason = (enum reason)head->reason,
                .status = head->status,
                .upstream_status = head->upstream_status,
                .tries = head->tries,
        };
        memcpy(record->request.address, head->address, sizeof head->address);
}

enum err record_read(struct slice message, struct record *ret_record)
{
        struct message_head head;
        size_t left = 0;
        if (message.len < sizeof head)
                return ERR_syntax;
        memcpy(&head, message.ptr, sizeof head);
        for (unsigned i = 0; i < TEXTS; i++)
                left += head.lengths[i];
        if (head.reason >= REASON_COUNT || left != message.len - sizeof head)
                return ERR_syntax;
        const char *at = (const char *)message.ptr + sizeof head;
        take_head(&head, ret_record);
        ret_record->is_plain = str_is_plain(str_from(at, left));
        unsigned i = 0;
#define TEXT(member, max)                                                                          \
        ret_record->member = str_from(at, head.lengths[i]);                                        \
        at += head.lengths[i++];
        RECORD_TEXTS(TEXT)
#undef TEXT
        return ERR_ok;
}
