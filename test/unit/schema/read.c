/* read.c -- what the reader of settings promises: structs filled, and every fault with its place.
 */
#include "schema/setting.h"
#include "wire/yaml.h"

#include "../unit.h"

struct target {
        struct url url;
        int64_t weight;
};

struct pool {
        int64_t idle, max;
};

struct site {
        struct str name;
        const struct json *node;
        struct target *targets;
        size_t targets_count;
        struct texts hosts;
        struct block policies;
};

struct rule {
        struct block rest;
        struct str upstream;
};

struct conf {
        int64_t workers, drain, memory, body, bytes, mode;
        uint64_t on;
        bool strict;
        struct str title, key;
        struct pairs set;
        struct rate rate;
        struct host_port address;
        struct cidrs allow;
        struct pool pool;
        struct pool *spare;
        struct site *sites;
        size_t sites_count;
        const struct json *raw;
        struct texts words;
        struct rule *rule;
};

#undef CONF
#define CONF struct target
static const struct setting target_settings[] = {
        {URL(url), .required = true, .text = "Where."},
        {INTEGER(weight), .least = 0, .most = 100, .preset = 1, .text = "How much."},
        {0}};
static const struct shape shape_target = {"target", "One server.", target_settings,
                                          sizeof(struct target), "url"};

#undef CONF
#define CONF struct pool
static const struct setting pool_settings[] = {
        {DURATION(idle), .least = MILLISECOND, .most = HOUR, .preset = 4 * SECOND, .text = "x"},
        {INTEGER(max), .least = 1, .preset = 1024, .text = "x"},
        {0}};
static const struct shape shape_pool = {"pool", "x", pool_settings, sizeof(struct pool), NULL};

#undef CONF
#define CONF struct site
static const struct setting site_settings[] = {
        {SELF_NAME(name)},
        {SELF_NODE(node)},
        {LIST(targets, target), .required = true, .example = "[http://localhost:9000]"},
        {TEXTS(hosts), .format = FORMAT_host},
        {BLOCK(policies)},
        {RESERVED("tls")},
        {0}};
static const struct shape shape_site = {"site", "x", site_settings, sizeof(struct site), NULL};

#undef CONF
#define CONF struct rule
static const struct setting rule_settings[] = {{THE_REST(rest)}, {TEXT(upstream)}, {0}};
static const struct shape shape_rule = {"rule", "x", rule_settings, sizeof(struct rule), NULL};

#undef CONF
#define CONF struct conf
static const struct setting settings[] = {
        {INTEGER(workers), .least = 1, .most = 64, .word = "cores", .word_as = 0},
        {DURATION(drain), .preset = 30 * SECOND, .word = "off", .word_as = -1},
        {SHARE(memory), .preset = 50 * PERCENT},
        {SIZE(body), .preset = 10 * MIB, .most = GIB, .word = "off", .word_as = INT64_MAX},
        {BYTE_RATE(bytes)},
        {CHOICE(mode, "local", "strict", "leased")},
        {SET(on, "connect", "broken", "503"), .preset = 3},
        {FLAG(strict), .preset = true},
        {TEXT(title), .most = 10, .unit = "characters"},
        {TEXT(key), .format = FORMAT_visible, .is_secret = true},
        {PAIRS(set), .format = FORMAT_token},
        {RATE(rate), .least = 1, .most = 1000000000, .preset_text = "10/s per ip"},
        {ADDRESS(address), .preset_text = "localhost:9901"},
        {CIDRS(allow)},
        {OBJECT(pool, pool)},
        {MAYBE(spare, pool)},
        {MAP(sites, site), .format = FORMAT_name},
        {ANY(raw)},
        {TEXTS(words), .preset_text = "[a, b]"},
        {MAYBE(rule, rule)},
        {0}};
static const struct shape shape_conf = {"", "x", settings, sizeof(struct conf), NULL};

/* Two policies, for blocks. */
struct limit {
        struct rate rate;
        int64_t burst;
};
struct cors {
        struct texts origins;
};
#undef CONF
#define CONF struct limit
static const struct setting limit_settings[] = {
        {RATE(rate), .required = true}, {INTEGER(burst)}, {0}};
static const struct shape shape_limit = {"rate_limit", "x", limit_settings, sizeof(struct limit),
                                         "rate"};
#undef CONF
#define CONF struct cors
static const struct setting cors_settings[] = {{TEXTS(origins), .format = FORMAT_origin}, {0}};
static const struct shape shape_cors = {"cors", "x", cors_settings, sizeof(struct cors), "origins"};
static const struct shape *const policies[] = {&shape_cors, &shape_limit};
static const struct setting reserved[] = {{RESERVED("cache")}, {0}};

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
        reader = (struct reader){&arena, &faults, policies, countof(policies), reserved};
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

static struct conf *read_conf(const char *yaml)
{
        return shape_read(&reader, &shape_conf, STR_NONE, parse(yaml));
}

static const struct conf *read_good(const char *yaml)
{
        const struct conf *conf = read_conf(yaml);
        if (faults.count > 0) {
                struct text out = text_grow(&arena, 1 << 16);
                faults_write(&faults, false, &out);
                print_error(STR_FMT "\n", STR_ARG(text_str(&out)));
        }
        assert_int_equal(faults.count, 0);
        return conf;
}

static void presets_hold_for_what_is_not_written(void **state)
{
        (void)state;
        const struct conf *conf = read_good("{}");
        assert_int_equal(conf->workers, 0);
        assert_int_equal(conf->drain, 30 * SECOND);
        assert_int_equal(conf->memory, 500000);
        assert_int_equal(conf->on, 3);
        assert_true(conf->strict);
        assert_int_equal(conf->rate.count, 10);
        assert_int_equal(conf->rate.by, RATE_BY_ip);
        assert_str(conf->address.host, "localhost");
        assert_int_equal(conf->pool.max, 1024);
        assert_null(conf->spare);
        assert_int_equal(conf->sites_count, 0);
        assert_null(conf->raw);
        assert_int_equal(conf->words.count, 2);
        assert_str(conf->words.at[1], "b");
}

static void every_kind_is_read_into_its_member(void **state)
{
        (void)state;
        const struct conf *conf = read_good(
                "workers: 4\ndrain: 1m\nmemory: 12.5%\nbody: 256KiB\nbytes: 240B/s\nmode: leased\n"
                "on: [connect, 503]\nstrict: off\ntitle: Orders\nset: { X-A: b, X-C: \"\\td\" }\n"
                "rate: 5/h\naddress: \":443\"\nallow: [10.0.0.0/8, \"2001:db8::/32\"]\n"
                "pool: { idle: 2s }\nspare: { max: 7 }\nraw: [1, 2]\n"
                "sites:\n  a: { targets: http://x:1, hosts: a.example.com }\n"
                "  b:\n    targets: [http://y:2/z, { url: https://z, weight: 5 }]\n"
                "    hosts: [a, \"*.b\"]\n");
        assert_int_equal(conf->workers, 4);
        assert_int_equal(conf->drain, MINUTE);
        assert_int_equal(conf->memory, 125000);
        assert_int_equal(conf->body, 256 * KIB);
        assert_int_equal(conf->bytes, 240);
        assert_int_equal(conf->mode, 2);
        assert_int_equal(conf->on, 5);
        assert_false(conf->strict);
        assert_str(conf->title, "Orders");
        assert_int_equal(conf->set.count, 2);
        assert_str(conf->set.at[1].name, "X-C");
        assert_str(conf->set.at[1].value, "\td");
        assert_int_equal(conf->rate.count, 5);
        assert_int_equal(conf->address.port, 443);
        assert_int_equal(conf->allow.count, 2);
        assert_int_equal(conf->pool.idle, 2 * SECOND);
        assert_int_equal(conf->pool.max, 1024);
        assert_int_equal(conf->spare->max, 7);
        assert_int_equal(conf->spare->idle, 4 * SECOND);
        assert_int_equal(conf->raw->len, 2);
        assert_int_equal(conf->sites_count, 2);
        assert_str(conf->sites[0].name, "a");
        assert_int_equal(conf->sites[0].targets_count, 1);
        assert_str(conf->sites[0].targets[0].url.host, "x");
        assert_int_equal(conf->sites[0].targets[0].weight, 1);
        assert_int_equal(conf->sites[1].targets_count, 2);
        assert_str(conf->sites[1].targets[0].url.path, "/z");
        assert_int_equal(conf->sites[1].targets[1].weight, 5);
        assert_str(conf->sites[1].hosts.at[1], "*.b");
        assert_int_equal(conf->sites[1].node->kind, JSON_OBJECT);
}

static void words_stand_for_values(void **state)
{
        (void)state;
        const struct conf *conf = read_good("workers: cores\ndrain: off\nbody: false\n");
        assert_int_equal(conf->workers, 0);
        assert_int_equal(conf->drain, -1);
        assert_int_equal(conf->body, INT64_MAX);
}

static void blocks_hold_policies_in_the_order_of_the_table(void **state)
{
        (void)state;
        const struct conf *conf = read_good(
                "sites: { a: { targets: http://x, policies: { rate_limit: 5/s per ip, cors: off } "
                "} }\n"
                "rule: { upstream: u, rate_limit: { rate: 1/s, burst: 3 }, cors: https://a.b }\n");
        const struct block *block = &conf->sites[0].policies;
        assert_int_equal(block->count, 2);
        assert_int_equal(block->at[0].index, 0);
        assert_null(block->at[0].conf);
        assert_int_equal(((struct limit *)block->at[1].conf)->rate.count, 5);
        assert_str(json_key_str(block->at[1].node), "rate_limit");
        assert_int_equal(conf->rule->rest.count, 2);
        assert_str(((struct cors *)conf->rule->rest.at[0].conf)->origins.at[0], "https://a.b");
        assert_int_equal(((struct limit *)conf->rule->rest.at[1].conf)->burst, 3);
        assert_str(conf->rule->upstream, "u");
}

static const struct {
        const char *yaml;
        enum fault_code code;
        unsigned line, column, end_column;
} mistakes[] = {
        {"sits: {}\n", FAULT_E104, 1, 1, 5},
        {"zzzzzzzz: {}\n", FAULT_E104, 1, 1, 9},
        {"workers: two\n", FAULT_E105, 1, 10, 13},
        {"workers: 0\n", FAULT_E110, 1, 10, 11},
        {"workers: 65\n", FAULT_E110, 1, 10, 12},
        {"workers: 1.5\n", FAULT_E105, 1, 10, 13},
        {"workers: 99999999999999999999\n", FAULT_E110, 1, 10, 30},
        {"workers: off\n", FAULT_E105, 1, 10, 13},
        {"workers:\n", FAULT_E105, 1, 9, 9},
        {"drain: 30\n", FAULT_E112, 1, 8, 10},
        {"drain: [30s]\n", FAULT_E112, 1, 8, 9},
        {"memory: 101%\n", FAULT_E112, 1, 9, 13},
        {"body: 2GiB\n", FAULT_E110, 1, 7, 11},
        {"body: 10M\n", FAULT_E112, 1, 7, 10},
        {"mode: stricd\n", FAULT_E111, 1, 7, 13},
        {"mode: {}\n", FAULT_E105, 1, 7, 8},
        {"on: [connect, brocken]\n", FAULT_E111, 1, 15, 22},
        {"strict: maybe\n", FAULT_E105, 1, 9, 14},
        {"strict: yes\n", FAULT_E105, 1, 9, 12},
        {"title: 2\n", FAULT_E105, 1, 8, 9},
        {"title: \"\"\n", FAULT_E116, 1, 8, 10},
        {"title: far too long a title\n", FAULT_E110, 1, 8, 28},
        {"key: \"a b\"\n", FAULT_E113, 1, 6, 11},
        {"set: [a]\n", FAULT_E105, 1, 6, 7},
        {"set: { a b: c }\n", FAULT_E107, 1, 8, 11},
        {"set: { a: 1 }\n", FAULT_E105, 1, 11, 12},
        {"set: { a: \"x\\ny\" }\n", FAULT_E113, 1, 11, 17},
        {"rate: 100 per minute\n", FAULT_E112, 1, 7, 21},
        {"rate: 0/s\n", FAULT_E110, 1, 7, 10},
        {"address: localhost\n", FAULT_E113, 1, 10, 19},
        {"allow: [10.0.0.1/8]\n", FAULT_E113, 1, 9, 19},
        {"allow: 300.0.0.1\n", FAULT_E113, 1, 8, 17},
        {"pool: 5\n", FAULT_E105, 1, 7, 8},
        {"pool: { max: 0 }\n", FAULT_E110, 1, 14, 15},
        {"sites: [a]\n", FAULT_E105, 1, 8, 9},
        {"sites: { A: { targets: http://x } }\n", FAULT_E107, 1, 10, 11},
        {"sites:\n  a: {}\n", FAULT_E108, 2, 3, 4},
        {"sites:\n  a:\n", FAULT_E108, 2, 3, 4},
        {"sites: { a: { targets: [x] } }\n", FAULT_E113, 1, 25, 26},
        {"sites: { a: { targets: [{ weight: 1 }] } }\n", FAULT_E108, 1, 25, 26},
        {"sites: { a: { targets: http://x, tls: {} } }\n", FAULT_E106, 1, 34, 37},
        {"sites: { a: { targets: http://x, policies: { cash: 1 } } }\n", FAULT_E104, 1, 46, 50},
        {"sites: { a: { targets: http://x, policies: { cache: 1 } } }\n", FAULT_E106, 1, 46, 51},
        {"sites: { a: { targets: http://x, policies: [] } }\n", FAULT_E105, 1, 44, 45},
        {"sites: { a: { targets: http://x, cors: \"*\" } }\n", FAULT_E104, 1, 34, 38},
        {"sites: { a: { targets: http://x, policies: { rate_limit: {} } } }\n", FAULT_E108, 1, 58,
         59},
        {"rule: { cache: 1 }\n", FAULT_E106, 1, 9, 14},
        {"rule: { corse: x }\n", FAULT_E104, 1, 9, 14},
        {"- 1\n", FAULT_E105, 1, 1, 2},
};

static void each_mistake_has_a_code_and_a_place(void **state)
{
        bool is_good = true;
        for (size_t i = 0; i < countof(mistakes); i++) {
                end(state);
                begin(state);
                read_conf(mistakes[i].yaml);
                struct line_column at = {0};
                if (faults.count > 0)
                        at = place_lines(&sources, faults.at[0].place);
                bool is_same = faults.count == 1 && faults.at[0].code == mistakes[i].code &&
                               at.line == mistakes[i].line && at.column == mistakes[i].column &&
                               at.end_column == mistakes[i].end_column &&
                               faults.at[0].message.len > 0;
                if (!is_same) {
                        struct text out = text_grow(&arena, 1 << 16);
                        faults_write(&faults, false, &out);
                        print_error("%s\n%u faults\n" STR_FMT "\n", mistakes[i].yaml, faults.count,
                                    STR_ARG(text_str(&out)));
                }
                is_good = is_good && is_same;
        }
        assert_true(is_good);
}

static void all_mistakes_are_found_in_one_reading(void **state)
{
        (void)state;
        read_conf("workers: no\ndrain: 3\nsites: { a: { hosts: [\"a b\", \"c d\"] }, B: { targets: "
                  "x } }\n");
        assert_int_equal(faults.errors, 7);
}

static void near_names_are_suggested_with_a_fix(void **state)
{
        (void)state;
        read_conf("adress: x\nmode: lokal\nsites: { a: { targets: http://x, policies: { ratelimit: "
                  "1/s } } }\n");
        assert_int_equal(faults.count, 3);
        assert_str(faults.at[0].label, "did you mean `address`?");
        assert_str(faults.at[0].fix, "address");
        assert_str(faults.at[1].fix, "local");
        assert_str(faults.at[2].fix, "rate_limit");
}

static void a_policy_outside_its_block_is_sent_there(void **state)
{
        (void)state;
        read_conf("sites: { a: { targets: http://x, cors: \"*\" } }\n");
        assert_str(faults.at[0].help, "write it inside `policies: { }`");
}

static void off_of_a_patch_removes_what_cannot_be_off(void **state)
{
        (void)state;
        const struct json *base = parse(
                "title: x\nmode: strict\nsites: { a: { targets: http://x }, b: "
                "{ targets: http://y } }\nspare: {}\ndrain: 5s\n");
        const struct json *patch = parse(
                "title: off\nmode: off\nsites: { a: off }\nspare: off\ndrain: off\n");
        const struct conf *conf = shape_read(&reader, &shape_conf, STR_NONE,
                                             json_merge(base, patch, &arena));
        assert_int_equal(faults.count, 0);
        assert_int_equal(conf->title.len, 0);
        assert_int_equal(conf->mode, 0);
        assert_int_equal(conf->sites_count, 1);
        assert_str(conf->sites[0].name, "b");
        assert_null(conf->spare);
        assert_int_equal(conf->drain, -1);
}

static void what_comes_from_a_reference_may_be_a_number_or_a_flag(void **state)
{
        struct json_build build;
        (void)state;
        json_build_init(&build, &arena, 0);
        build.from.flags = JSON_FILLED;
        json_begin(&build, JSON_OBJECT);
        json_put_member(&build, S("workers"), S("3"));
        json_put_member(&build, S("strict"), S("false"));
        json_put_member(&build, S("drain"), S("7s"));
        json_end(&build);
        const struct conf *conf = shape_read(&reader, &shape_conf, STR_NONE,
                                             json_build_done(&build));
        assert_int_equal(faults.count, 0);
        assert_int_equal(conf->workers, 3);
        assert_false(conf->strict);
        assert_int_equal(conf->drain, 7 * SECOND);
}

static void no_memory_sticks_to_the_arena_and_breaks_nothing(void **state)
{
        struct text text = text_grow(&arena, 1 << 20);
        (void)state;
        text_put(&text, S("sites:\n"));
        for (unsigned i = 0; i < 500; i++)
                text_format(&text,
                            "  s%u: { targets: [http://x, http://y], hosts: [a, b], oops: 1 }\n",
                            i);
        const struct json *root = parse(arena_cstr(&arena, text_str(&text)));
        bool has_failed = true;
        for (size_t n = 1; has_failed; n++) {
                struct arena small;
                struct faults list;
                arena_init(&small, NULL, 64 << 20);
                faults_init(&list, &small, &sources);
                struct reader other = {&small, &list, policies, countof(policies), reserved};
                arena_fail_at(n);
                shape_read(&other, &shape_conf, STR_NONE, root);
                arena_fail_at(0);
                has_failed = small.is_failed;
                assert_int_equal(list.errors, 500);
                assert_int_equal(list.count, FAULTS_MAX);
                assert_true(n < 1000);
                arena_fini(&small);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(presets_hold_for_what_is_not_written, begin, end),
                cmocka_unit_test_setup_teardown(every_kind_is_read_into_its_member, begin, end),
                cmocka_unit_test_setup_teardown(words_stand_for_values, begin, end),
                cmocka_unit_test_setup_teardown(blocks_hold_policies_in_the_order_of_the_table,
                                                begin, end),
                cmocka_unit_test_setup_teardown(each_mistake_has_a_code_and_a_place, begin, end),
                cmocka_unit_test_setup_teardown(all_mistakes_are_found_in_one_reading, begin, end),
                cmocka_unit_test_setup_teardown(near_names_are_suggested_with_a_fix, begin, end),
                cmocka_unit_test_setup_teardown(a_policy_outside_its_block_is_sent_there, begin,
                                                end),
                cmocka_unit_test_setup_teardown(off_of_a_patch_removes_what_cannot_be_off, begin,
                                                end),
                cmocka_unit_test_setup_teardown(
                        what_comes_from_a_reference_may_be_a_number_or_a_flag, begin, end),
                cmocka_unit_test_setup_teardown(no_memory_sticks_to_the_arena_and_breaks_nothing,
                                                begin, end),
        };
        return cmocka_run_group_tests_name("read", tests, NULL, NULL);
}
