/* ws.c -- frame heads are at most 14 bytes; all of the state of a direction is one of them. */
#include "wire/ws.h"

#include "wire/base64.h"
#include "wire/digest.h"

enum {
        FIN = 0x80,
        RESERVED = 0x70,
        MASK = 0x80,
        CONTROL = 0x08, /* opcodes from here on */
        CONTINUATION = 0x0,
        BINARY = 0x2,
        CLOSE = 0x8,
        PONG = 0xa,
        CONTROL_MAX = 125,
        LENGTH_16 = 126,
        LENGTH_64 = 127,
};

bool ws_key_is_good(struct str key)
{
        char memory[16];
        struct text out = text_over(memory, sizeof memory);
        return key.len == WS_KEY_SIZE && base64_read(BASE64_STD, key, &out) == ERR_ok &&
               out.len == sizeof memory;
}

void ws_put_accept(struct str key, struct text *out)
{
        char memory[WS_KEY_SIZE + 36];
        struct text text = text_over(memory, sizeof memory);
        struct sha1 sum;
        text_put(&text, key);
        text_put(&text, S("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")); // RFC 6455 1.3
        sum = digest_sha1(text_str(&text));
        base64_write(BASE64_STD, str_from((const char *)sum.bytes, sizeof sum.bytes), out);
}

/* How long the head is, as far as its first two bytes say. */
static size_t head_size(const uint8_t *head)
{
        unsigned length = head[1] & ~(unsigned)MASK;
        size_t size = length == LENGTH_64 ? 10 : length == LENGTH_16 ? 4 : 2;
        return size + ((head[1] & MASK) != 0 ? 4 : 0);
}

static uint64_t length_of(const uint8_t *head)
{
        uint64_t length = head[1] & ~(unsigned)MASK;
        size_t size = length == LENGTH_64 ? 8 : length == LENGTH_16 ? 2 : 0;
        for (size_t i = 0; i < size; i++)
                length = (i == 0 ? 0 : length << 8) | head[2 + i];
        return length;
}

/* Reserved bits belong to extensions that the two ends agreed on: those are passed. */
static bool is_head_good(const struct ws_frames *frames, const uint8_t *head, uint64_t length)
{
        unsigned opcode = head[0] & 0x0fu, coded = head[1] & ~(unsigned)MASK;
        bool is_control = opcode >= CONTROL;
        if (((head[1] & MASK) != 0) != frames->is_masked) // RFC 6455 5.1
                return false;
        if (opcode > PONG || (opcode > BINARY && !is_control)) // RFC 6455 5.2
                return false;
        if (is_control && ((head[0] & FIN) == 0 || coded > CONTROL_MAX)) // RFC 6455 5.5
                return false;
        if (!is_control && (opcode == CONTINUATION) != frames->is_open) // RFC 6455 5.4
                return false;
        if ((coded == LENGTH_16 && length <= CONTROL_MAX) ||
            (coded == LENGTH_64 && (length <= UINT16_MAX || length > INT64_MAX)))
                return false;
        return true;
}

static void take_head(struct ws_frames *frames)
{
        const uint8_t *head = frames->head;
        uint64_t length = length_of(head);
        unsigned opcode = head[0] & 0x0fu;
        frames->have = 0;
        if (!is_head_good(frames, head, length)) {
                frames->fault = WS_FAULT_FRAME;
                return;
        }
        frames->left = length;
        if (opcode == CLOSE)
                frames->is_closed = true;
        if (opcode >= CONTROL)
                return;
        uint64_t before = opcode == CONTINUATION ? frames->message : 0;
        if (frames->message_max > 0 &&
            (length > frames->message_max || before > frames->message_max - length))
                frames->fault = WS_FAULT_SIZE;
        frames->message = before > UINT64_MAX - length ? UINT64_MAX : before + length;
        frames->is_open = (head[0] & FIN) == 0;
}

size_t ws_frames_read(struct ws_frames *frames, struct str bytes)
{
        size_t used = 0;
        if (frames->fault != WS_FAULT_NONE)
                return 0;
        while (frames->left == 0 && used < bytes.len) {
                frames->head[frames->have++] = (uint8_t)bytes.ptr[used++];
                if (frames->have < 2 || frames->have < head_size(frames->head))
                        continue;
                take_head(frames);
                if (frames->fault != WS_FAULT_NONE || frames->left == 0)
                        return used;
        }
        size_t payload = (size_t)u64_min(frames->left, bytes.len - used);
        frames->left -= payload;
        return used + payload;
}

void ws_put_close(enum ws_code code, bool is_masked, struct text *out)
{
        text_char(out, (char)(FIN | CLOSE));
        text_char(out, (char)(2 | (is_masked ? MASK : 0)));
        if (is_masked)
                text_put(out, str_from("\0\0\0\0", 4));
        text_char(out, (char)(code >> 8));
        text_char(out, (char)(code & 0xff));
}
