/* yaml.c -- documents in YAML: read, walked, written as JSON. What is JSON is read as by the reader
 * of JSON. */
#include "wire/yaml.h"

#include "json.h"

/* JSON that YAML refuses: line ends of YAML 1.1, and a value alone that means something else. */
static bool is_special(struct str text, const struct json *json)
{
        return json->kind < JSON_ARRAY || str_find_str(text, S("\xc2\x85")) >= 0 ||
               str_find_str(text, S("\xe2\x80\xa8")) >= 0 ||
               str_find_str(text, S("\xe2\x80\xa9")) >= 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct arena arena;
        struct json_trouble trouble = {0}, other;
        const struct json *root = NULL, *json = NULL;
        arena_init(&arena, NULL, 1 << 28);
        struct str text = fuzz_copy(fuzz_input(data, size));
        enum err err = yaml_read(text, NULL, &arena, &root, &trouble);
        if (err == ERR_ok) {
                json_check(root, text.len, &arena);
                json_check_writing(root, &arena);
        } else {
                CHECK(err == ERR_syntax || err == ERR_limit);
                CHECK(trouble.what != NULL && trouble.at + trouble.len <= text.len);
                CHECK(trouble.also_at + trouble.also_len <= text.len);
        }
        if (json_read(text, NULL, &arena, &json, &other) == ERR_ok && !is_special(text, json)) {
                CHECK(err == ERR_ok);
                CHECK(str_eq(json_text(root, JSON_CANONICAL, &arena),
                             json_text(json, JSON_CANONICAL, &arena)));
        }
        fuzz_free(text);
        arena_fini(&arena);
        return 0;
}
