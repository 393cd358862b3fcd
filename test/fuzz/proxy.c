/* proxy.c -- the PROXY header: the verdict does not depend on cuts and is final, a header is never
 * longer than its bound, and what was read is written and read again as the same. */
#include "wire/proxy.h"

#include "fuzz.h"

static void check_again(const struct proxy_header *header, enum proxy_version version)
{
        char memory[PROXY_WRITE_MAX];
        struct text text = text_over(memory, sizeof memory);
        struct proxy_header again;
        size_t used;
        proxy_write(version, header, &text);
        CHECK(!text.is_cut);
        CHECK(proxy_read(text_str(&text), &again, &used) == PROXY_DONE && used == text.len);
        CHECK(again.is_local == header->is_local);
        if (header->is_local)
                return;
        CHECK(memcmp(again.source, header->source, 16) == 0);
        CHECK(memcmp(again.target, header->target, 16) == 0);
        CHECK(again.source_port == header->source_port && again.target_port == header->target_port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct proxy_header header = {0}, cut = {0};
        enum proxy_state state, first = PROXY_MORE;
        size_t used = 0, cut_used = 0;
        if (size > 2 * PROXY_SIZE_MAX)
                return 0;
        struct str whole = fuzz_copy(fuzz_input(data, size));
        state = proxy_read(whole, &header, &used);
        CHECK(state != PROXY_MORE || size < PROXY_SIZE_MAX);
        for (size_t len = 0; len <= size && first == PROXY_MORE; len++) {
                struct str part = fuzz_copy(str_first(whole, len));
                first = proxy_read(part, &cut, &cut_used);
                CHECK(first != PROXY_DONE || cut_used == len);
                fuzz_free(part);
        }
        CHECK(first == state);
        if (state == PROXY_DONE) {
                CHECK(used == cut_used && used <= PROXY_SIZE_MAX);
                CHECK(memcmp(header.source, cut.source, 16) == 0);
                check_again(&header, PROXY_V1);
                check_again(&header, PROXY_V2);
        }
        fuzz_free(whole);
        return 0;
}
