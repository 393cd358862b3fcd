/* yamlout.c -- any document written as YAML reads as the same again. */
#include "cmd/yamlout.h"

#include "fuzz.h"
#include "wire/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct arena arena;
        struct json_trouble trouble;
        const struct json *root, *again;
        arena_init(&arena, NULL, 1 << 28);
        struct str text = fuzz_copy(fuzz_input(data, size));
        if (yaml_read(text, NULL, &arena, &root, &trouble) == ERR_ok) {
                struct text was = text_grow(&arena, 1 << 26), is = text_grow(&arena, 1 << 26);
                struct text out = text_grow(&arena, 1 << 26);
                struct yamlout yamlout = {.out = &out, .arena = &arena};
                yamlout_put(&yamlout, root);
                CHECK(yaml_read(text_str(&out), NULL, &arena, &again, &trouble) == ERR_ok);
                json_write(root, JSON_CANONICAL, &arena, &was);
                json_write(again, JSON_CANONICAL, &arena, &is);
                CHECK(str_eq(text_str(&was), text_str(&is)));
        }
        fuzz_free(text);
        arena_fini(&arena);
        return 0;
}
