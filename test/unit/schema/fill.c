/* fill.c -- the document with everything written out: what `gate render` shows. */
#include "schema/setting.h"
#include "wire/yaml.h"

#include "../unit.h"

struct part {
        int64_t idle;
};
struct item {
        struct str url;
        int64_t weight;
};
struct conf {
        int64_t workers, drain, mode, plain;
        uint64_t on;
        bool strict;
        struct str title, key;
        struct texts names, words;
        struct pairs set;
        struct part part;
        struct part *maybe;
        struct item *items;
        size_t items_count;
        struct item *map;
        size_t map_count;
        struct block policies;
        struct rate rate;
};

#undef CONF
#define CONF struct part
static const struct setting part_settings[] = {{DURATION(idle), .preset = 4 * SECOND}, {0}};
static const struct shape shape_part = {"part", "x", part_settings, sizeof(struct part), "idle"};
#undef CONF
#define CONF struct item
static const struct setting item_settings[] = {
        {TEXT(url), .required = true}, {INTEGER(weight), .preset = 1}, {0}};
static const struct shape shape_item = {"item", "x", item_settings, sizeof(struct item), "url"};
#undef CONF
#define CONF struct conf
static const struct setting settings[] = {{INTEGER(workers), .word = "cores", .least = 1},
                                          {DURATION(drain), .preset = 30 * SECOND},
                                          {CHOICE(mode, "a", "b")},
                                          {INTEGER(plain), .least = 5},
                                          {SET(on, "x", "y"), .preset = 2},
                                          {FLAG(strict), .preset = true},
                                          {TEXT(title)},
                                          {TEXT(key), .is_secret = true},
                                          {TEXTS(names)},
                                          {TEXTS(words), .preset_text = "[a, b]"},
                                          {PAIRS(set)},
                                          {OBJECT(part, part)},
                                          {MAYBE(maybe, part), .word = "off"},
                                          {LIST(items, item)},
                                          {MAP(map, item), .format = FORMAT_name},
                                          {BLOCK(policies)},
                                          {RATE(rate), .preset_text = "1/s"},
                                          {RESERVED("later")},
                                          {0}};
static const struct shape shape_conf = {"", "x", settings, sizeof(struct conf), NULL};

static const struct shape policy = {"pool", "x", part_settings, sizeof(struct part), "idle"};
static const struct shape *const policies[] = {&policy};

static struct arena arena;
static struct sources sources;
static struct faults faults;
static struct reader reader;

static int begin(void **state)
{
        (void)state;
        arena_init(&arena, NULL, 64 << 20);
        sources_init(&sources, &arena);
        faults_init(&faults, &arena, &sources);
        reader = (struct reader){&arena, &faults, policies, countof(policies), NULL};
        return 0;
}

static int end(void **state)
{
        (void)state;
        arena_fini(&arena);
        return 0;
}

static const struct json *parse(const char *yaml)
{
        struct json_trouble trouble;
        const struct json *root = NULL;
        uint16_t source = sources_add(&sources, S("gateway.yaml"), str_of(yaml));
        assert_int_equal(yaml_read(str_of(yaml), &(struct json_limits){.source = source}, &arena,
                                   &root, &trouble),
                         ERR_ok);
        return root;
}

static struct str written(const struct json *node)
{
        struct text out = text_grow(&arena, 1 << 16);
        json_write(node, JSON_COMPACT, &arena, &out);
        return text_str(&out);
}

static void presets_are_written_as_people_would(void **state)
{
        (void)state;
        assert_str(written(shape_fill(&reader, &shape_conf, NULL)),
                   "{\"workers\":\"cores\",\"drain\":\"30s\",\"mode\":\"a\",\"on\":[\"y\"],"
                   "\"strict\":true,\"words\":[\"a\",\"b\"],\"part\":{\"idle\":\"4s\"},"
                   "\"rate\":\"1/s\"}");
}

static void what_is_written_stays_and_shorthands_become_blocks(void **state)
{
        (void)state;
        const struct json *filled = shape_fill(&reader, &shape_conf,
                                               parse("{ drain: 60s, part: 2s, maybe: off, items: "
                                                     "[u, { url: v, weight: 3 }], map: { a: w }, "
                                                     "policies: { pool: 9s, other: off } }"));
        assert_str(written(filled),
                   "{\"workers\":\"cores\",\"drain\":\"60s\",\"mode\":\"a\",\"on\":[\"y\"],"
                   "\"strict\":true,\"words\":[\"a\",\"b\"],"
                   "\"part\":{\"idle\":\"2s\"},\"maybe\":\"off\",\"items\":[{\"url\":\"u\","
                   "\"weight\":1},"
                   "{\"url\":\"v\",\"weight\":3}],\"map\":{\"a\":{\"url\":\"w\",\"weight\":1}},"
                   "\"policies\":{\"pool\":{\"idle\":\"9s\"},\"other\":\"off\"},\"rate\":\"1/s\"}");
}

static void each_value_knows_where_it_comes_from(void **state)
{
        char memory[64];
        (void)state;
        const struct json *filled = shape_fill(&reader, &shape_conf,
                                               parse("drain: 60s\n\nitems: [u]\n"));
        static const struct {
                const char *pointer, *place;
        } cases[] = {{"/drain", "gateway.yaml:1"},
                     {"/workers", "default"},
                     {"/items/0/url", "gateway.yaml:3"},
                     {"/items/0/weight", "default"},
                     {"/part/idle", "default"}};
        for (size_t i = 0; i < countof(cases); i++) {
                struct text out = text_over(memory, sizeof memory);
                const struct json *node = json_pointer(filled, str_of(cases[i].pointer));
                place_write(&sources, node, &out);
                assert_str(text_str(&out), cases[i].place);
                assert_int_equal((node->flags & JSON_PRESET) != 0,
                                 str_is(text_str(&out), "default"));
        }
}

static void secrets_are_marked_and_so_never_written(void **state)
{
        struct json_build build;
        (void)state;
        json_build_init(&build, &arena, 0);
        json_begin(&build, JSON_OBJECT);
        json_put_member(&build, S("key"), S("hush"));
        build.from.flags = JSON_FILLED;
        json_put_member(&build, S("title"), S("from-env"));
        json_put_member(&build, S("drain"), S("7s"));
        json_put_key(&build, S("set"));
        json_begin(&build, JSON_OBJECT);
        json_put_member(&build, S("Authorization"), S("from-env"));
        json_end(&build);
        json_end(&build);
        struct str text = written(shape_fill(&reader, &shape_conf, json_build_done(&build)));
        assert_int_equal(str_find_str(text, S("hush")), -1);
        assert_int_equal(str_find_str(text, S("from-env")), -1);
        assert_true(str_find_str(text, S("\"Authorization\":\"‹secret")) >= 0);
        assert_true(str_find_str(text, S("\"drain\":\"7s\"")) >= 0);
}

static void what_a_patch_removed_is_the_preset_again(void **state)
{
        (void)state;
        const struct json *merged = json_merge(
                parse("{ drain: 5s, title: x, map: { a: u, b: v } }"),
                parse("{ drain: off, title: off, map: { a: off } }"), &arena);
        assert_str(written(shape_fill(&reader, &shape_conf, merged)),
                   "{\"workers\":\"cores\",\"drain\":\"30s\",\"mode\":\"a\",\"on\":[\"y\"],"
                   "\"strict\":true,\"words\":[\"a\",\"b\"],"
                   "\"part\":{\"idle\":\"4s\"},\"map\":{\"b\":{\"url\":\"v\",\"weight\":1}},"
                   "\"rate\":\"1/s\"}");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(presets_are_written_as_people_would, begin, end),
                cmocka_unit_test_setup_teardown(what_is_written_stays_and_shorthands_become_blocks,
                                                begin, end),
                cmocka_unit_test_setup_teardown(each_value_knows_where_it_comes_from, begin, end),
                cmocka_unit_test_setup_teardown(secrets_are_marked_and_so_never_written, begin,
                                                end),
                cmocka_unit_test_setup_teardown(what_a_patch_removed_is_the_preset_again, begin,
                                                end),
        };
        return cmocka_run_group_tests_name("fill", tests, NULL, NULL);
}
