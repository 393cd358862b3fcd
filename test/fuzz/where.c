/* where.c -- questions about records: whatever was read holds or holds not, and its negation does
 * the other. */
#include "record/where.h"

#include "fuzz.h"

static const struct record record = {
        .duration = 12000000,
        .request = {.method = S_INIT("GET"), .path = S_INIT("/orders/42")},
        .who = {.api = S_INIT("orders")},
        .reason = REASON_done,
        .status = 200,
        .tries = 1,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct arena arena;
        const struct where *where, *other;
        struct where_trouble trouble;
        if (size > 4096)
                return 0;
        arena_init(&arena, NULL, 1 << 20);
        struct str text = fuzz_copy(fuzz_input(data, size));
        if (where_read(text, &arena, &where, &trouble) == ERR_ok) {
                struct str negated = arena_format(&arena, "!(" STR_FMT ")", STR_ARG(text));
                if (where_read(negated, &arena, &other, &trouble) == ERR_ok)
                        CHECK(where_holds(where, &record) != where_holds(other, &record));
        } else {
                CHECK(trouble.what != NULL && trouble.at <= text.len);
        }
        fuzz_free(text);
        arena_fini(&arena);
        return 0;
}
