/* json.c -- documents in JSON: read, walked, written, patched. The input is two of them, a NUL
 * between; the second is merged over the first. */
#include "json.h"

static const struct json *read_one(struct str text, struct arena *arena)
{
        struct json_trouble trouble = {0};
        const struct json *root = NULL;
        enum err err = json_read(text, NULL, arena, &root, &trouble);
        CHECK(err == ERR_ok || (trouble.what != NULL && trouble.at + trouble.len <= text.len));
        CHECK(err == ERR_ok || err == ERR_syntax || err == ERR_limit);
        if (err != ERR_ok)
                return NULL;
        json_check(root, text.len, arena);
        json_check_writing(root, arena);
        return root;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct arena arena;
        struct str rest = fuzz_input(data, size);
        arena_init(&arena, NULL, 1 << 28);
        struct str first = fuzz_copy(str_cut(&rest, '\0'));
        struct str second = fuzz_copy(rest);
        const struct json *base = read_one(first, &arena), *patch = read_one(second, &arena);
        if (base != NULL && patch != NULL) {
                const struct json *merged = json_merge(base, patch, &arena);
                json_check(merged, size, &arena);
                json_check_writing(merged, &arena);
        }
        if (base != NULL)
                CHECK(json_pointer(base, second) == NULL || second.len == 0 ||
                      second.ptr[0] == '/');
        fuzz_free(first);
        fuzz_free(second);
        arena_fini(&arena);
        return 0;
}
