/* layout.c -- any document laid out anew: it means the same, and laying it out again changes
 * nothing. */
#include "cmd/layout.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct arena arena;
        struct json_trouble trouble;
        struct str once, twice;
        arena_init(&arena, NULL, 1 << 28);
        struct str text = fuzz_copy(fuzz_input(data, size));
        enum err err = layout_text(text, false, &arena, &once, &trouble);
        CHECK(err == ERR_ok || err == ERR_syntax || err == ERR_io);
        if (err == ERR_ok) {
                CHECK(layout_text(once, false, &arena, &twice, &trouble) == ERR_ok);
                CHECK(str_eq(once, twice));
        }
        fuzz_free(text);
        arena_fini(&arena);
        return 0;
}
