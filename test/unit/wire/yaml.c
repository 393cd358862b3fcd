/* yaml.c -- what wire/yaml.h promises. */
#include "wire/yaml.h"

#include "../unit.h"

static struct arena arena;

static int begin(void **state)
{
        (void)state;
        arena_init(&arena, NULL, 64 << 20);
        return 0;
}

static int end(void **state)
{
        (void)state;
        arena_fini(&arena);
        return 0;
}

static struct str compact(const struct json *node)
{
        struct text out = text_grow(&arena, 1 << 24);
        json_write(node, JSON_COMPACT, &arena, &out);
        return text_str(&out);
}

static const struct json *read_good(const char *text)
{
        struct json_trouble trouble;
        const struct json *root = NULL;
        if (yaml_read(str_of(text), NULL, &arena, &root, &trouble) != ERR_ok) {
                print_error("%s\n at %u: %s\n", text, trouble.at, trouble.what);
                fail();
        }
        return root;
}

static struct json_trouble read_bad(const char *text, enum err expected)
{
        struct json_trouble trouble = {0};
        const struct json *root;
        enum err err = yaml_read(str_of(text), NULL, &arena, &root, &trouble);
        if (err != expected)
                print_error("%s\n", text);
        assert_int_equal(err, expected);
        assert_non_null(trouble.what);
        return trouble;
}

static void plain_scalars_mean_what_the_core_schema_says(void **state)
{
        static const struct {
                const char *yaml, *json;
        } cases[] = {
                {"", "null"},
                {"# nothing\n", "null"},
                {"---\n...\n", "null"},
                {"~", "null"},
                {"null", "null"},
                {"Null", "null"},
                {"nULL", "\"nULL\""},
                {"true", "true"},
                {"TRUE", "true"},
                {"False", "false"},
                {"[yes, no, on, off, y, n, On, OFF]",
                 "[\"yes\",\"no\",\"on\",\"off\",\"y\",\"n\",\"On\",\"OFF\"]"},
                {"[0, 7, -7, +7, 007, 010, -0]", "[0,7,-7,7,7,10,-0]"},
                {"[0o14, 0o0, 0x1F, 0xff, 0xffffffffffffffff]",
                 "[12,0,31,255,18446744073709551615]"},
                {"[0b11, 0o8, 0xg, 0x, 0o]", "[\"0b11\",\"0o8\",\"0xg\",\"0x\",\"0o\"]"},
                {"[1_000, 1:30, 190:20:30, 2026-11-20, 12e, 1.2.3]",
                 "[\"1_000\",\"1:30\",\"190:20:30\",\"2026-11-20\",\"12e\",\"1.2.3\"]"},
                {"[1.5, .5, 5., +1.5, 1e3, 1.e3, -.5E-2, 01.5]",
                 "[1.5,0.5,5,1.5,1e3,1e3,-0.5e-2,1.5]"},
                {"[., -, +, e3, -x]", "[\".\",\"-\",\"+\",\"e3\",\"-x\"]"},
                {"['1', \"true\", '']", "[\"1\",\"true\",\"\"]"},
                {"[!!str 1, ! 2, !!str null]", "[\"1\",\"2\",\"null\"]"},
                {"123456789012345678901234567890", "123456789012345678901234567890"},
        };
        (void)state;
        for (size_t i = 0; i < countof(cases); i++)
                assert_str(compact(read_good(cases[i].yaml)), cases[i].json);
}

static void no_text_at_all_is_null(void **state)
{
        struct json_trouble trouble;
        const struct json *root;
        (void)state;
        assert_int_equal(yaml_read(STR_NONE, NULL, &arena, &root, &trouble), ERR_ok);
        assert_int_equal(root->kind, JSON_NULL);
        assert_int_equal(json_read(STR_NONE, NULL, &arena, &root, &trouble), ERR_syntax);
}

static void blocks_flows_and_texts_become_the_same_nodes(void **state)
{
        static const struct {
                const char *yaml, *json;
        } cases[] = {
                {"a: 1\nb:\n  - x\n  - y: z\nc: { d: [1, 2] }\n",
                 "{\"a\":1,\"b\":[\"x\",{\"y\":\"z\"}],\"c\":{\"d\":[1,2]}}"},
                {"GET /orders/{id}: {}\n'/{rest*}': {}\n",
                 "{\"GET /orders/{id}\":{},\"/{rest*}\":{}}"},
                {"a: |\n  one\n  two\nb: >-\n  one\n  two\n",
                 "{\"a\":\"one\\u000atwo\\u000a\",\"b\":\"one two\"}"},
                {"a: \"\\u00e9\\n\\x41\"\n", "{\"a\":\"\xc3\xa9\\u000aA\"}"},
                {"on: off\n1: 2\ntrue: x\n", "{\"on\":\"off\",\"1\":2,\"true\":\"x\"}"},
                {"a:\n", "{\"a\":null}"},
                {"a: http://x:80/y\n", "{\"a\":\"http://x:80/y\"}"},
                {"rate_limit: 500/s per consumer # why\n",
                 "{\"rate_limit\":\"500/s per consumer\"}"},
                {"\xef\xbb\xbf"
                 "a: 1\n",
                 "{\"a\":1}"},
                {"a: 1\r\nb: 2\r\n", "{\"a\":1,\"b\":2}"},
                {"{\"a\":\"\\ud83d\\ude00\\/\",\n\t\"b\":[1,2]}",
                 "{\"a\":\"\\ud83d\\ude00\\/\",\"b\":[1,2]}"},
                {"{\"a\":1,\"b\":{}}", "{\"a\":1,\"b\":{}}"},
                {"%YAML 1.2\n---\na: 1\n", "{\"a\":1}"},
        };
        (void)state;
        for (size_t i = 0; i < countof(cases); i++)
                assert_str(compact(read_good(cases[i].yaml)), cases[i].json);
}

static void what_is_dangerous_or_ambiguous_is_refused_with_its_place(void **state)
{
        static const struct {
                const char *yaml;
                enum json_trouble_kind kind;
                unsigned at, len;
        } cases[] = {
                {"a: 1\nb: 2\na: 3\n", TROUBLE_twice, 10, 1},
                {"a: 1\n'a': 3\n", TROUBLE_twice, 5, 3},
                {"{\"a\":1,\"a\":2}", TROUBLE_twice, 7, 3},
                {"x: {1: a, '1': b}", TROUBLE_twice, 10, 3},
                {"a: &x 1\nb: *x\n", TROUBLE_alias, 3, 4},
                {"a: &x {}\n", TROUBLE_alias, 3, 4},
                {"a: *x\n", TROUBLE_alias, 3, 2},
                {"<<: {a: 1}\n", TROUBLE_alias, 0, 2},
                {"a: !secret x\n", TROUBLE_alias, 3, 9},
                {"a: !!binary eA==\n", TROUBLE_alias, 3, 13},
                {"a: !!int x\n", TROUBLE_alias, 3, 7},
                {"a: !x!y z\n", TROUBLE_alias, 3, 1},
                {"a: .inf\n", TROUBLE_syntax, 3, 4},
                {"a: 0x10000000000000000\n", TROUBLE_syntax, 3, 19},
                {": 1\n", TROUBLE_syntax, 0, 1},
                {"? [a]\n: 1\n", TROUBLE_syntax, 2, 1},
                {"{ k: {a: 1}: 2 }", TROUBLE_syntax, 11, 1},
                {"a: 1\n---\nb: 2\n", TROUBLE_syntax, 5, 3},
                {"a: \xff\n", TROUBLE_syntax, 3, 1},
                {"a: \xe2\x80\xa8\n", TROUBLE_syntax, 3, 3},
                {"a: \"x\n", TROUBLE_syntax, 3, 1},
                {"a: {b: 1\n", TROUBLE_syntax, 9, 0},
                {"a:\n\tb: 1\n", TROUBLE_syntax, 3, 1},
                {"a: @x\n", TROUBLE_syntax, 3, 1},
                {"a: b: c\n", TROUBLE_syntax, 4, 1},
                {"a: 1\n b: 2\n", TROUBLE_syntax, 7, 1},
                {"a:\n  b: 1\n c: 2\n", TROUBLE_syntax, 11, 1},
                {"\xc3\xa9: 1\n\xc3\xbc: [\n\xc3\xa9: &a\n", TROUBLE_alias, 16, 2},
                {"a: \x01\n", TROUBLE_syntax, 3, 1},
        };
        bool is_good = true;
        (void)state;
        for (size_t i = 0; i < countof(cases); i++) {
                struct json_trouble trouble = read_bad(cases[i].yaml, ERR_syntax);
                if (trouble.at != cases[i].at || trouble.len != cases[i].len ||
                    trouble.kind != cases[i].kind)
                        print_error("%s\n -> %u+%u %s\n", cases[i].yaml, trouble.at, trouble.len,
                                    trouble.what);
                is_good = is_good && trouble.kind == cases[i].kind && trouble.at == cases[i].at &&
                          trouble.len == cases[i].len;
        }
        assert_true(is_good);
}

static void libyaml_is_put_in_words_of_ours(void **state)
{
        (void)state;
        assert_string_equal(read_bad("a: \"x\n", ERR_syntax).what,
                            "the quote that begins here is not closed");
        assert_string_equal(
                read_bad("a: { k: ${env:X} }\n", ERR_syntax).help,
                "a value with `{`, `}`, `,` or `${…}` inside `{ }` must stand in quotes");
        assert_string_equal(read_bad("\ta: 1\n", ERR_syntax).what, "a tab cannot indent");
}

static void places_are_bytes_even_behind_longer_characters(void **state)
{
        const char *text = "\xc3\xa9: \"\xf0\x9f\x98\x80\"\nb:\n  - '\xc3\xbc' # \xc3\xbc\n  - c\n";
        const struct json *root = read_good(text);
        (void)state;
        const struct json *list = json_get(root, S("b"));
        assert_int_equal(json_key(json_get(root, S("\xc3\xa9")))->at, 0);
        assert_int_equal(json_get(root, S("\xc3\xa9"))->at, 4);
        assert_int_equal(json_key(list)->at, 11);
        assert_int_equal(json_at(list, 0)->at, 18);
        assert_int_equal(json_at(list, 1)->at, 32);
        assert_int_equal(text[json_at(list, 1)->at], 'c');
}

static void both_places_of_a_key_twice_are_told(void **state)
{
        (void)state;
        struct json_trouble trouble = read_bad("ab: 1\nc: 2\n\"ab\": 3\n", ERR_syntax);
        assert_int_equal(trouble.at, 11);
        assert_int_equal(trouble.len, 4);
        assert_int_equal(trouble.also_at, 0);
        assert_int_equal(trouble.also_len, 2);
}

static void limits_hold_for_yaml_too(void **state)
{
        struct json_trouble trouble;
        const struct json *root;
        (void)state;
        char *deep = arena_alloc(&arena, 100000);
        memset(deep, '[', 100000);
        assert_int_equal(yaml_read(str_from(deep, 100000), NULL, &arena, &root, &trouble),
                         ERR_limit);
        assert_int_equal(yaml_read(S("- 1\n- 2\n- 3\n"), &(struct json_limits){.nodes_max = 3},
                                   &arena, &root, &trouble),
                         ERR_limit);
        assert_int_equal(yaml_read(S("a: [b]\n"), &(struct json_limits){.depth_max = 1}, &arena,
                                   &root, &trouble),
                         ERR_limit);
        assert_int_equal(yaml_read(S("a: 1\n"), &(struct json_limits){.size_max = 4}, &arena, &root,
                                   &trouble),
                         ERR_limit);
}

static void every_node_has_the_number_of_its_source(void **state)
{
        struct json_trouble trouble;
        const struct json *root;
        (void)state;
        assert_int_equal(yaml_read(S("a: [b]\n"), &(struct json_limits){.source = 9}, &arena, &root,
                                   &trouble),
                         ERR_ok);
        for (uint32_t i = 0; i < root->span; i++)
                assert_int_equal(root[i].source, 9);
}

static void no_memory_is_an_error_and_no_crash(void **state)
{
        struct json_trouble trouble;
        const struct json *root;
        struct text text = text_grow(&arena, 1 << 20);
        (void)state;
        for (unsigned i = 0; i < 2000; i++)
                text_format(&text, "\"\\u006bey%u\": { a: \"\\n\" }\n", i);
        bool has_failed = true;
        for (size_t n = 1; has_failed; n++) {
                struct arena small;
                arena_init(&small, NULL, 64 << 20);
                arena_fail_at(n);
                enum err err = yaml_read(text_str(&text), NULL, &small, &root, &trouble);
                arena_fail_at(0);
                has_failed = small.is_failed;
                assert_int_equal(err, has_failed ? ERR_limit : ERR_ok);
                assert_true(n < 100);
                arena_fini(&small);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(plain_scalars_mean_what_the_core_schema_says, begin,
                                                end),
                cmocka_unit_test_setup_teardown(no_text_at_all_is_null, begin, end),
                cmocka_unit_test_setup_teardown(blocks_flows_and_texts_become_the_same_nodes, begin,
                                                end),
                cmocka_unit_test_setup_teardown(
                        what_is_dangerous_or_ambiguous_is_refused_with_its_place, begin, end),
                cmocka_unit_test_setup_teardown(libyaml_is_put_in_words_of_ours, begin, end),
                cmocka_unit_test_setup_teardown(places_are_bytes_even_behind_longer_characters,
                                                begin, end),
                cmocka_unit_test_setup_teardown(both_places_of_a_key_twice_are_told, begin, end),
                cmocka_unit_test_setup_teardown(limits_hold_for_yaml_too, begin, end),
                cmocka_unit_test_setup_teardown(every_node_has_the_number_of_its_source, begin,
                                                end),
                cmocka_unit_test_setup_teardown(no_memory_is_an_error_and_no_crash, begin, end),
        };
        return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
