/* json.c -- what wire/json.h promises. The list of texts is the part of JSONTestSuite that one
 * knows by heart; jansson is the second opinion. */
#include "wire/json.h"

#include "../unit.h"

#include "json_oracle.h"

static struct arena arena;

static const struct json *read_limited(struct str text, const struct json_limits *limits,
                                       enum err expected, struct json_trouble *ret_trouble)
{
        const struct json *root = NULL;
        enum err err = json_read(text, limits, &arena, &root, ret_trouble);
        if (err != expected)
                print_error("%s: %s\n", arena_cstr(&arena, text), ret_trouble->what);
        assert_int_equal(err, expected);
        return root;
}

static const struct json *read_good(const char *text)
{
        struct json_trouble trouble;
        return read_limited(str_of(text), NULL, ERR_ok, &trouble);
}

static struct str written(const struct json *node, enum json_style style)
{
        struct text out = text_grow(&arena, 1 << 24);
        json_write(node, style, &arena, &out);
        assert_false(out.is_cut);
        return text_str(&out);
}

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

/* JSONTestSuite, y_*: must be read. */
static const struct str good[] = {
        S_INIT("[[]   ]"),
        S_INIT("[\"\"]"),
        S_INIT("[]"),
        S_INIT("[\"a\"]"),
        S_INIT("[false]"),
        S_INIT("[null, 1, \"1\", {}]"),
        S_INIT("[null]"),
        S_INIT("[1\n]"),
        S_INIT(" [1]"),
        S_INIT("[1,null,null,null,2]"),
        S_INIT("[2] "),
        S_INIT("[123e65]"),
        S_INIT("[0e+1]"),
        S_INIT("[0e1]"),
        S_INIT("[ 4]"),
        S_INIT("[-0."
               "000000000000000000000000000000000000000000000000000000000000000000000000000001]"),
        S_INIT("[20e1]"),
        S_INIT("[-0]"),
        S_INIT("[-123]"),
        S_INIT("[1E22]"),
        S_INIT("[1E-2]"),
        S_INIT("[1E+2]"),
        S_INIT("[123e45]"),
        S_INIT("[123.456e78]"),
        S_INIT("[123.456789]"),
        S_INIT("[1e400]"),
        S_INIT("[123456789012345678901234567890]"),
        S_INIT("{\"asd\":\"sdf\", \"dfg\":\"fgh\"}"),
        S_INIT("{}"),
        S_INIT("{\"\":0}"),
        S_INIT("{\"foo\\u0000bar\": 42}"),
        S_INIT("{\"min\": -1.0e+28, \"max\": 1.0e+28}"),
        S_INIT("{\"x\":[{\"id\": \"xxxxxxxx\"}], \"id\": \"xxxxxxxx\"}"),
        S_INIT("{\"a\":[]}"),
        S_INIT("{\n\"a\": \"b\"\n}"),
        S_INIT("[\"\\u0060\\u012a\\u12AB\"]"),
        S_INIT("[\"\\uD801\\udc37\"]"),
        S_INIT("[\"\\ud83d\\ude39\\ud83d\\udc8d\"]"),
        S_INIT("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"),
        S_INIT("[\"\\\\u0000\"]"),
        S_INIT("[\"\\\"\"]"),
        S_INIT("[\"a/*b*/c/*d//e\"]"),
        S_INIT("[\"\\\\a\"]"),
        S_INIT("[\"\\u0012\"]"),
        S_INIT("[\"\\uFFFF\"]"),
        S_INIT("[\"\\uDBFF\\uDFFF\"]"),
        S_INIT("[\"new\\u00A0line\"]"),
        S_INIT("[\"\xf4\x8f\xbf\xbf\"]"),
        S_INIT("[\"\xef\xbf\xbf\"]"),
        S_INIT("[\"\\u0000\"]"),
        S_INIT("[\"\xe2\x80\xa8\"]"),
        S_INIT("[\"\xcf\x80\"]"),
        S_INIT("[\"\xf0\x9b\xbf\xbf\"]"),
        S_INIT("[\"asd \"]"),
        S_INIT("\" \""),
        S_INIT("[\"\\uD834\\uDd1e\"]"),
        S_INIT("[\"\x7f\"]"),
        S_INIT("[\"\\u0821\"]"),
        S_INIT("[\"\xe2\x82\xac\xf0\x9d\x84\x9e\"]"),
        S_INIT("[\"aa\x7f\x61\"]"),
        S_INIT("false"),
        S_INIT("42"),
        S_INIT("-0.1"),
        S_INIT("null"),
        S_INIT("\"asd\""),
        S_INIT("true"),
        S_INIT("\"\""),
        S_INIT("[\"a\"]\n"),
        S_INIT("[true]"),
        S_INIT(" [] "),
};

/* n_* and those i_* that we refuse: must not be read. */
static const struct str bad[] = {
        S_INIT(""),
        S_INIT(" "),
        S_INIT("[1 true]"),
        S_INIT("[a\xe5]"),
        S_INIT("[\"\": 1]"),
        S_INIT("[\"\"],"),
        S_INIT("[,1]"),
        S_INIT("[1,,2]"),
        S_INIT("[\"x\",,]"),
        S_INIT("[\"x\"]]"),
        S_INIT("[\"\",]"),
        S_INIT("[\"x\""),
        S_INIT("[x"),
        S_INIT("[3[4]]"),
        S_INIT("[\xff]"),
        S_INIT("[1:2]"),
        S_INIT("[,]"),
        S_INIT("[-]"),
        S_INIT("[   , \"\"]"),
        S_INIT("[\"a\",\n4\n,1,"),
        S_INIT("[1,]"),
        S_INIT("[*]"),
        S_INIT("[\"\"\n"),
        S_INIT("[1,\n1\n,1"),
        S_INIT("[{}"),
        S_INIT("[fals]"),
        S_INIT("[nul]"),
        S_INIT("[tru]"),
        S_INIT("123\0"),
        S_INIT("[++1234]"),
        S_INIT("[+1]"),
        S_INIT("[+Inf]"),
        S_INIT("[-01]"),
        S_INIT("[-1.0.]"),
        S_INIT("[-2.]"),
        S_INIT("[-NaN]"),
        S_INIT("[.-1]"),
        S_INIT("[.2e-3]"),
        S_INIT("[0.1.2]"),
        S_INIT("[0.3e+]"),
        S_INIT("[0.3e]"),
        S_INIT("[0.e1]"),
        S_INIT("[0E+]"),
        S_INIT("[0E]"),
        S_INIT("[1.0e+]"),
        S_INIT("[1.0e-]"),
        S_INIT("[1 000.0]"),
        S_INIT("[1eE2]"),
        S_INIT("[2.e+3]"),
        S_INIT("[2.e3]"),
        S_INIT("[9.e+]"),
        S_INIT("[Inf]"),
        S_INIT("[NaN]"),
        S_INIT("[\xef\xbc\x91]"),
        S_INIT("[1+2]"),
        S_INIT("[0x1]"),
        S_INIT("[0x42]"),
        S_INIT("[Infinity]"),
        S_INIT("[0e+-1]"),
        S_INIT("[-123.123foo]"),
        S_INIT("[123\xe5]"),
        S_INIT("[1e1\xe5]"),
        S_INIT("[-Infinity]"),
        S_INIT("[- 1]"),
        S_INIT("[-012]"),
        S_INIT("[-.123]"),
        S_INIT("[1.]"),
        S_INIT("[.123]"),
        S_INIT("[1.2a-3]"),
        S_INIT("[1.8011670033376514H-308]"),
        S_INIT("[012]"),
        S_INIT("[\"x\", truth]"),
        S_INIT("{[: \"x\"}"),
        S_INIT("{\"x\", null}"),
        S_INIT("{\"x\"::\"b\"}"),
        S_INIT("{\"a\":\"a\" 123}"),
        S_INIT("{key: 'value'}"),
        S_INIT("{\"\xb9\":\"0\",}"),
        S_INIT("{\"a\" b}"),
        S_INIT("{:\"b\"}"),
        S_INIT("{\"a\" \"b\"}"),
        S_INIT("{\"a\":"),
        S_INIT("{\"a\""),
        S_INIT("{1:1}"),
        S_INIT("{null:null,null:null}"),
        S_INIT("{\"id\":0,,,,,}"),
        S_INIT("{'a':0}"),
        S_INIT("{\"id\":0,}"),
        S_INIT("{\"a\":\"b\"}/**/"),
        S_INIT("{\"a\":\"b\"}//"),
        S_INIT("{\"a\":\"b\",,\"c\":\"d\"}"),
        S_INIT("{a: \"b\"}"),
        S_INIT("{\"a\":\"a"),
        S_INIT("{ \"foo\" : \"bar\", \"a\" }"),
        S_INIT("{\"a\":\"b\"}#"),
        S_INIT("{\"a\":1,\"a\":2}"),
        S_INIT("{\"a\":1,\"\\u0061\":2}"),
        S_INIT("[\"\\uD800\\\"]"),
        S_INIT("[\"\\uD800\\u\"]"),
        S_INIT("[\"\\uD800\\u1\"]"),
        S_INIT("[\"\\uD800\\u1x\"]"),
        S_INIT("[\"\\uD800\"]"),
        S_INIT("[\"\\uDFAA\"]"),
        S_INIT("[\"\\uD888\\u1234\"]"),
        S_INIT("[\"\\uDd1e\\uD834\"]"),
        S_INIT("[\xc3\xa9]"),
        S_INIT("[\"\\x00\"]"),
        S_INIT("[\"\\\\\\\"]"),
        S_INIT("[\"\\\t\"]"),
        S_INIT("[\"\\\xf0\x9f\x8c\x80\"]"),
        S_INIT("[\"\\\"]"),
        S_INIT("[\"\\u00A\"]"),
        S_INIT("[\"\\uD834\\uDd\"]"),
        S_INIT("[\"\\uD800\\uD800\\x\"]"),
        S_INIT("[\"\\u\xe5\"]"),
        S_INIT("[\"\\a\"]"),
        S_INIT("[\"\\uqqqq\"]"),
        S_INIT("[\"\\\xe5\"]"),
        S_INIT("[\\u0020\"asd\"]"),
        S_INIT("[\\n]"),
        S_INIT("\""),
        S_INIT("['single quote']"),
        S_INIT("abc"),
        S_INIT("[\"\\"),
        S_INIT("[\"a\0a\"]"),
        S_INIT("[\"new\nline\"]"),
        S_INIT("[\"\t\"]"),
        S_INIT("\"\\UA66D\""),
        S_INIT("\"\"x"),
        S_INIT("[\xe2\x81\xa0]"),
        S_INIT("\xef\xbb\xbf{}"),
        S_INIT("<.>"),
        S_INIT("[<null>]"),
        S_INIT("[1]x"),
        S_INIT("[1]]"),
        S_INIT("[\"asd]"),
        S_INIT("a\xc3\xa5"),
        S_INIT("[True]"),
        S_INIT("1]"),
        S_INIT("{\"x\": true,"),
        S_INIT("[][]"),
        S_INIT("]"),
        S_INIT("{]"),
        S_INIT("\xef\xbb{}"),
        S_INIT("\xe5"),
        S_INIT("["),
        S_INIT("[\0]"),
        S_INIT("2@"),
        S_INIT("{}}"),
        S_INIT("{\"\":"),
        S_INIT("{\"a\":/*comment*/\"b\"}"),
        S_INIT("{\"a\": true} \"x\""),
        S_INIT("['"),
        S_INIT("[,"),
        S_INIT("[{"),
        S_INIT("[\"a"),
        S_INIT("[\"a\""),
        S_INIT("{"),
        S_INIT("{,"),
        S_INIT("{["),
        S_INIT("{\"a"),
        S_INIT("{'a'"),
        S_INIT("[\"\\{[\"\\{"),
        S_INIT("\xe9"),
        S_INIT("*"),
        S_INIT("{\"a\":\"b\"}#{}"),
        S_INIT("[\\u000A\"\"]"),
        S_INIT("[1"),
        S_INIT("[ false, nul"),
        S_INIT("[ true, fals"),
        S_INIT("[ false, tru"),
        S_INIT("{\"asd\":\"asd\""),
        S_INIT("\xc3\xa5"),
        S_INIT("[\x0c]"),
        S_INIT("[\"\xc0\xaf\"]"),
        S_INIT("[\"\xed\xa0\x80\"]"),
        S_INIT("[\"\xf4\xbf\xbf\xbf\"]"),
        S_INIT("[\"\xfc\x80\x80\x80\x80\x80\"]"),
        S_INIT("[\"\x81\"]"),
        S_INIT("[\"\xe0\xff\"]"),
};

static void what_the_rfc_allows_is_read_and_nothing_else(void **state)
{
        struct json_trouble trouble;
        (void)state;
        for (size_t i = 0; i < countof(good); i++) {
                const struct json *root = read_limited(good[i], NULL, ERR_ok, &trouble);
                struct str again = written(root, JSON_COMPACT);
                assert_str_eq(written(read_limited(again, NULL, ERR_ok, &trouble), JSON_COMPACT),
                              again);
        }
        for (size_t i = 0; i < countof(bad); i++) {
                read_limited(bad[i], NULL, ERR_syntax, &trouble);
                assert_non_null(trouble.what);
                assert_true(trouble.at + trouble.len <= bad[i].len);
        }
}

/* Our verdict and jansson's, and where there are no fractions the value too. To jansson a NUL
 * behind the document is its end, and -0 is 0. */
static void agree(struct str text)
{
        struct json_trouble trouble = {0};
        const struct json *root = NULL, *again = NULL;
        if (str_find(text, '\0') >= 0)
                return;
        struct oracle oracle = oracle_read(text);
        enum err err = json_read(text, NULL, &arena, &root, &trouble);
        if (!oracle.is_unsure && (err == ERR_ok) != oracle.is_good)
                print_error("<" STR_FMT ">: %s; oracle: %d\n", STR_ARG(text), trouble.what,
                            oracle.is_good);
        assert_true(oracle.is_unsure || (err == ERR_ok) == oracle.is_good);
        if (oracle.dump != NULL && !oracle.has_reals && str_find_str(text, S("-0")) < 0) {
                assert_int_equal(json_read(str_of(oracle.dump), NULL, &arena, &again, &trouble), 0);
                assert_str_eq(written(root, JSON_CANONICAL), written(again, JSON_CANONICAL));
        }
        oracle_free(&oracle);
}

static void a_second_reader_agrees_on_every_text_and_on_its_mutants(void **state)
{
        uint64_t seed = 42;
        char copy[128];
        (void)state;
        for (size_t i = 0; i < countof(bad); i++) {
                if (!str_eq(bad[i], S("{\"a\":1,\"\\u0061\":2}")))
                        agree(bad[i]);
        }
        for (size_t i = 0; i < countof(good); i++) {
                struct str text = good[i];
                if (str_find_str(text, S("u0000")) >= 0)
                        continue;
                agree(text);
                for (int round = 0; round < 300; round++) {
                        memcpy(copy, text.ptr, text.len);
                        for (int change = 0; change < 1 + round % 3; change++) {
                                seed = seed * 6364136223846793005u + 1442695040888963407u;
                                copy[(seed >> 33) % text.len] =
                                        "{}[]\",:\\u00e+-.19 \n\tadf\xc3\xa9\x80"[(seed >> 20) %
                                                                                  28];
                        }
                        agree(str_from(copy, text.len));
                }
                end(NULL);
                begin(NULL);
        }
}

static void members_and_elements_are_found_and_walked_in_order(void **state)
{
        const struct json *root = read_good("{\"a\":[1,[2,3],{}],\"b\":{\"c\":\"x\"},\"\":null}");
        char order[64];
        struct text out = text_over(order, sizeof order);
        (void)state;
        json_each (value, root) {
                text_put(&out, json_key_str(value));
                json_each (item, value)
                        text_u64(&out, item->kind);
        }
        assert_str(text_str(&out), "a356b4");
        assert_true(json_is_str(json_get(json_get(root, S("b")), S("c")), S("x")));
        assert_null(json_get(root, S("d")));
        assert_null(json_get(json_get(root, S("a")), S("a")));
        assert_null(json_get(NULL, S("a")));
        assert_int_equal(json_at(json_get(root, S("a")), 1)->len, 2);
        assert_null(json_at(json_get(root, S("a")), 3));
        assert_int_equal(root->span, 14);
}

static void pointers_reach_what_the_rfc_says(void **state)
{
        const struct json *root = read_good("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,"
                                            "\"e^f\":3,\"g|h\":4,\"k\\\"l\":6,\" \":7,\"m~n\":8}");
        static const struct {
                const char *pointer, *expected;
        } cases[] = {
                {"/foo", "[\"bar\",\"baz\"]"},
                {"/foo/0", "\"bar\""},
                {"/", "0"},
                {"/a~1b", "1"},
                {"/c%d", "2"},
                {"/e^f", "3"},
                {"/k\"l", "6"},
                {"/ ", "7"},
                {"/m~0n", "8"},
                {"/foo/1", "\"baz\""},
        };
        static const char *const nowhere[] = {"foo",    "/foo/2",  "/foo/00", "/foo/01",
                                              "/foo/-", "/foo/+1", "/m~n",    "/m~2n",
                                              "/a/b",   "/foo/0/0"};
        (void)state;
        assert_ptr_equal(json_pointer(root, S("")), root);
        for (size_t i = 0; i < countof(cases); i++)
                assert_str(written(json_pointer(root, str_of(cases[i].pointer)), JSON_COMPACT),
                           cases[i].expected);
        for (size_t i = 0; i < countof(nowhere); i++)
                assert_null(json_pointer(root, str_of(nowhere[i])));
}

static void strings_are_decoded_when_asked_and_kept_as_written_otherwise(void **state)
{
        const struct json *root = read_good("[\"a\\u00e9\\ud83d\\ude00\\n\\/\", \"plain\"]");
        (void)state;
        assert_str(json_str(json_at(root, 0), &arena), "a\xc3\xa9\xf0\x9f\x98\x80\n/");
        assert_str(written(root, JSON_COMPACT), "[\"a\\u00e9\\ud83d\\ude00\\n\\/\",\"plain\"]");
        assert_str(written(root, JSON_CANONICAL),
                   "[\"a\xc3\xa9\xf0\x9f\x98\x80\\u000a/\",\"plain\"]");
        assert_str(json_str(root, &arena), "");
}

static void numbers_keep_their_text_and_are_whole_when_their_value_is(void **state)
{
        static const struct {
                const char *text;
                enum err err;
                int64_t value;
        } cases[] = {
                {"0", ERR_ok, 0},
                {"-0", ERR_ok, 0},
                {"1e3", ERR_ok, 1000},
                {"5.0", ERR_ok, 5},
                {"5.10e1", ERR_ok, 51},
                {"1200e-2", ERR_ok, 12},
                {"1200e-1", ERR_ok, 120},
                {"0e999999999999", ERR_ok, 0},
                {"0.000e-5", ERR_ok, 0},
                {"9223372036854775807", ERR_ok, INT64_MAX},
                {"-9223372036854775808", ERR_ok, INT64_MIN},
                {"9223372036854775808", ERR_range, 0},
                {"-9223372036854775809", ERR_range, 0},
                {"1e19", ERR_range, 0},
                {"1e999999999999", ERR_range, 0},
                {"5.5", ERR_syntax, 0},
                {"12e-1", ERR_syntax, 0},
                {"1e-999999999999", ERR_syntax, 0},
        };
        int64_t value;
        (void)state;
        for (size_t i = 0; i < countof(cases); i++) {
                const struct json *root = read_good(cases[i].text);
                assert_str(written(root, JSON_COMPACT), cases[i].text);
                assert_int_equal(json_to_i64(root, &value), cases[i].err);
                if (cases[i].err == ERR_ok)
                        assert_int_equal(value, cases[i].value);
        }
        assert_int_equal(json_to_i64(read_good("\"1\""), &value), ERR_syntax);
}

static void limits_stop_size_depth_and_number_of_nodes(void **state)
{
        struct json_trouble trouble;
        (void)state;
        read_limited(S("[[1]]"), &(struct json_limits){.depth_max = 2}, ERR_ok, &trouble);
        read_limited(S("[[[1]]]"), &(struct json_limits){.depth_max = 2}, ERR_limit, &trouble);
        assert_int_equal(trouble.at, 2);
        read_limited(S("[1,2]"), &(struct json_limits){.nodes_max = 3}, ERR_ok, &trouble);
        read_limited(S("[1,2,3]"), &(struct json_limits){.nodes_max = 3}, ERR_limit, &trouble);
        read_limited(S("[1,2]"), &(struct json_limits){.size_max = 5}, ERR_ok, &trouble);
        read_limited(S("[1,22]"), &(struct json_limits){.size_max = 5}, ERR_limit, &trouble);
}

static void a_hundred_thousand_brackets_are_refused_without_recursion(void **state)
{
        struct json_trouble trouble;
        (void)state;
        char *text = arena_alloc(&arena, 100000);
        memset(text, '[', 100000);
        read_limited(str_from(text, 100000), NULL, ERR_limit, &trouble);
}

static void a_key_twice_is_found_among_many_and_its_place_told(void **state)
{
        struct json_trouble trouble;
        struct text text = text_grow(&arena, 1 << 20);
        (void)state;
        text_char(&text, '{');
        for (unsigned i = 0; i < 5000; i++)
                text_format(&text, "\"key%u\":{\"a\":%u},", i, i);
        size_t at = text.len;
        text_put(&text, S("\"key77\":1}"));
        read_limited(text_str(&text), NULL, ERR_syntax, &trouble);
        assert_int_equal(trouble.at, at);
        assert_int_equal(trouble.len, 7);
        text.at[at + 1] = 'K';
        assert_int_equal(read_limited(text_str(&text), NULL, ERR_ok, &trouble)->len, 5001);
}

static void every_node_knows_where_it_began(void **state)
{
        struct json_trouble trouble;
        struct str text = S("{ \"a\" : [ 10, true ] }");
        const struct json *root = read_limited(text, &(struct json_limits){.source = 7}, ERR_ok,
                                               &trouble);
        (void)state;
        const struct json *a = json_get(root, S("a"));
        assert_int_equal(json_key(a)->at, 2);
        assert_int_equal(a->at, 8);
        assert_int_equal(json_at(a, 1)->at, 14);
        assert_int_equal(json_at(a, 1)->source, 7);
}

static void a_patch_replaces_adds_and_removes(void **state)
{
        static const struct {
                const char *base, *patch, *expected;
        } cases[] = {
                /* RFC 7396, appendix A */
                {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
                {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
                {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
                {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
                {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
                {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
                {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
                 "{\"a\":{\"b\":\"d\"}}"},
                {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
                {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
                {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
                {"{\"a\":\"foo\"}", "null", "null"},
                {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
                {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
                {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
                {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
        };
        (void)state;
        for (size_t i = 0; i < countof(cases); i++) {
                const struct json *merged = json_merge(read_good(cases[i].base),
                                                       read_good(cases[i].patch), &arena);
                assert_str(written(merged, JSON_COMPACT), cases[i].expected);
        }
        const struct json *off = json_merge(read_good("{\"a\":{\"x\":1}}"),
                                            read_good("{\"a\":\"off\"}"), &arena);
        assert_int_equal(json_get(off, S("a"))->flags, JSON_REMOVED);
}

static void merging_many_members_keeps_their_origin(void **state)
{
        struct json_trouble trouble;
        struct text text = text_grow(&arena, 1 << 20);
        (void)state;
        text_char(&text, '{');
        for (unsigned i = 0; i < 300; i++)
                text_format(&text, "%s\"k%u\":{\"v\":%u}", i == 0 ? "" : ",", i, i);
        text_char(&text, '}');
        const struct json *base = read_limited(text_str(&text), &(struct json_limits){.source = 1},
                                               ERR_ok, &trouble);
        const struct json *patch = read_limited(S("{\"k7\":{\"v\":0},\"new\":1,\"k8\":null}"),
                                                &(struct json_limits){.source = 2}, ERR_ok,
                                                &trouble);
        const struct json *merged = json_merge(base, patch, &arena);
        assert_int_equal(merged->len, 300);
        assert_int_equal(json_pointer(merged, S("/k7/v"))->source, 2);
        assert_int_equal(json_pointer(merged, S("/k9/v"))->source, 1);
        assert_null(json_get(merged, S("k8")));
        assert_int_equal(merged->span, 1 + 299 * 4 + 2);
}

static void secrets_are_never_written(void **state)
{
        struct json_build build;
        (void)state;
        json_build_init(&build, &arena, 0);
        json_begin(&build, JSON_OBJECT);
        json_put_key(&build, S("key"));
        build.from.flags = JSON_SECRET;
        json_put_text(&build, S("hunter2"));
        json_end(&build);
        const struct json *root = json_build_done(&build);
        assert_str(written(root, JSON_COMPACT), "{\"key\":\"‹secret sha256:f52f…›\"}");
        assert_str(
                written(root, JSON_CANONICAL),
                "{\"key\":\"‹secret sha256:f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf5"
                "26a3f6c7›\"}");
}

static void a_document_is_built_piece_by_piece(void **state)
{
        struct json_build build;
        (void)state;
        json_build_init(&build, &arena, 1);
        json_begin(&build, JSON_OBJECT);
        json_put_member(&build, S("b"), S("x\n\"y\""));
        json_put_key(&build, S("a"));
        json_begin(&build, JSON_ARRAY);
        json_put_i64(&build, -5);
        json_put_bool(&build, true);
        json_put_null(&build);
        json_put_copy(&build, read_good("[{\"k\":[]}]"));
        json_end(&build);
        json_put_key(&build, S("e"));
        json_begin(&build, JSON_OBJECT);
        json_end(&build);
        json_end(&build);
        const struct json *root = json_build_done(&build);
        assert_str(written(root, JSON_COMPACT),
                   "{\"b\":\"x\\u000a\\\"y\\\"\",\"a\":[-5,true,null,[{\"k\":[]}]],\"e\":{}}");
        assert_str(written(root, JSON_CANONICAL),
                   "{\"a\":[-5,true,null,[{\"k\":[]}]],\"b\":\"x\\u000a\\\"y\\\"\",\"e\":{}}");
        assert_str(written(json_get(root, S("a")), JSON_PRETTY),
                   "[\n  -5,\n  true,\n  null,\n  [\n    {\n      \"k\": []\n    }\n  ]\n]");
}

/* Every growth of the arena fails once: the reader says so and nothing worse happens. */
static void no_memory_is_an_error_and_no_crash(void **state)
{
        struct json_trouble trouble;
        const struct json *root;
        struct text text = text_grow(&arena, 1 << 20);
        (void)state;
        text_char(&text, '{');
        for (unsigned i = 0; i < 3000; i++)
                text_format(&text, "%s\"\\u006bey%u\":{\"a\":\"\\n\"}", i == 0 ? "" : ",", i);
        text_char(&text, '}');
        bool has_failed = true;
        for (size_t n = 1; has_failed; n++) {
                struct arena small;
                arena_init(&small, NULL, 64 << 20);
                arena_fail_at(n);
                enum err err = json_read(text_str(&text), NULL, &small, &root, &trouble);
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
                cmocka_unit_test_setup_teardown(what_the_rfc_allows_is_read_and_nothing_else, begin,
                                                end),
                cmocka_unit_test_setup_teardown(
                        a_second_reader_agrees_on_every_text_and_on_its_mutants, begin, end),
                cmocka_unit_test_setup_teardown(members_and_elements_are_found_and_walked_in_order,
                                                begin, end),
                cmocka_unit_test_setup_teardown(pointers_reach_what_the_rfc_says, begin, end),
                cmocka_unit_test_setup_teardown(
                        strings_are_decoded_when_asked_and_kept_as_written_otherwise, begin, end),
                cmocka_unit_test_setup_teardown(
                        numbers_keep_their_text_and_are_whole_when_their_value_is, begin, end),
                cmocka_unit_test_setup_teardown(limits_stop_size_depth_and_number_of_nodes, begin,
                                                end),
                cmocka_unit_test_setup_teardown(
                        a_hundred_thousand_brackets_are_refused_without_recursion, begin, end),
                cmocka_unit_test_setup_teardown(a_key_twice_is_found_among_many_and_its_place_told,
                                                begin, end),
                cmocka_unit_test_setup_teardown(every_node_knows_where_it_began, begin, end),
                cmocka_unit_test_setup_teardown(a_patch_replaces_adds_and_removes, begin, end),
                cmocka_unit_test_setup_teardown(merging_many_members_keeps_their_origin, begin,
                                                end),
                cmocka_unit_test_setup_teardown(secrets_are_never_written, begin, end),
                cmocka_unit_test_setup_teardown(a_document_is_built_piece_by_piece, begin, end),
                cmocka_unit_test_setup_teardown(no_memory_is_an_error_and_no_crash, begin, end),
        };
        return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
