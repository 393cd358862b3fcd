/* ws.c -- frames of WebSocket: where they end and what is wrong does not depend on cuts, and no
 * message is passed that is larger than allowed. The first byte says how it is cut, masked and
 * limited. */
#include "wire/ws.h"

#include "fuzz.h"

struct walk {
        struct ws_frames frames;
        uint64_t ends; /* digest of where frames ended */
        size_t at;
};

static void go(struct walk *walk, struct str bytes, size_t size)
{
        while (walk->at < bytes.len && walk->frames.fault == WS_FAULT_NONE) {
                struct str piece = fuzz_copy(str_first(str_skip(bytes, walk->at), size));
                size_t used = ws_frames_read(&walk->frames, piece);
                CHECK(used <= piece.len && (used > 0 || piece.len == 0));
                walk->at += used;
                fuzz_free(piece);
                if (ws_frames_are_whole(&walk->frames))
                        walk->ends = walk->ends * 31 + walk->at;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct ws_frames begin = {0};
        if (size == 0 || size > 4096)
                return 0;
        begin.is_masked = (data[0] & 1) != 0;
        begin.message_max = (data[0] & 2) != 0 ? 1 + data[0] : 0;
        struct str bytes = fuzz_input(data + 1, size - 1);
        struct walk whole = {.frames = begin}, cut = {.frames = begin};
        go(&whole, bytes, bytes.len);
        go(&cut, bytes, 1 + data[0] / 32);
        CHECK(whole.ends == cut.ends && whole.at == cut.at);
        CHECK(whole.frames.fault == cut.frames.fault && whole.frames.left == cut.frames.left);
        CHECK(whole.frames.message == cut.frames.message);
        CHECK(whole.frames.is_open == cut.frames.is_open);
        if (begin.message_max > 0 && whole.frames.fault == WS_FAULT_NONE)
                CHECK(whole.frames.message <= begin.message_max);
        return 0;
}
