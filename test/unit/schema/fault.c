/* fault.c -- complaints as people, programs and CI see them. */
#include "schema/fault.h"
#include "wire/yaml.h"

#include "../unit.h"

static struct arena arena;
static struct sources sources;
static struct faults faults;

static int begin(void **state)
{
        (void)state;
        arena_init(&arena, NULL, 64 << 20);
        sources_init(&sources, &arena);
        faults_init(&faults, &arena, &sources);
        return 0;
}

static int end(void **state)
{
        (void)state;
        arena_fini(&arena);
        return 0;
}

static const struct json *parse(const char *name, struct str text)
{
        struct json_trouble trouble;
        const struct json *root = NULL;
        uint16_t source = sources_add(&sources, str_of(name), text);
        assert_int_equal(
                yaml_read(text, &(struct json_limits){.source = source}, &arena, &root, &trouble),
                ERR_ok);
        return root;
}

static struct str shown(void)
{
        struct text out = text_grow(&arena, 1 << 20);
        faults_write(&faults, false, &out);
        assert_false(out.is_cut);
        return text_str(&out);
}

static const char broken[] = "apis:\n  orders:\n    upsteam: http://localhost:9000\n"
                             "    policies: { rate_limit: 100 per minute, chache: 30s }\n";

static void a_complaint_shows_the_line_and_points_at_the_token(void **state)
{
        (void)state;
        const struct json *root = parse("apis/broken.yaml", str_of(broken));
        const struct json *orders = json_pointer(root, S("/apis/orders"));
        struct fault *fault = fault_add(&faults, FAULT_E104,
                                        json_key(json_get(orders, S("upsteam"))),
                                        "unknown key `upsteam` in api `orders`");
        fault_suggest(&faults, fault, S("upstream"));
        fault = fault_add(&faults, FAULT_E112, json_pointer(orders, S("/policies/rate_limit")),
                          "cannot read `100 per minute` as a rate");
        fault->label = S("expected COUNT/PERIOD");
        fault->help = S("write `100/min`");
        fault = fault_add(&faults, FAULT_W203, json_key(orders), "api `orders` answers the public");
        fault->aside = S("listener `public` :443");
        faults_sort(&faults);
        assert_str(shown(),
                   "warning[W203]: api `orders` answers the public\n"
                   "  --> apis/broken.yaml:2:3   (listener `public` :443)\n"
                   "   |\n"
                   " 2 |   orders:\n"
                   "   |   ^^^^^^\n"
                   "\n"
                   "error[E104]: unknown key `upsteam` in api `orders`\n"
                   "  --> apis/broken.yaml:3:5\n"
                   "   |\n"
                   " 3 |     upsteam: http://localhost:9000\n"
                   "   |     ^^^^^^^ did you mean `upstream`?\n"
                   "\n"
                   "error[E112]: cannot read `100 per minute` as a rate\n"
                   "  --> apis/broken.yaml:4:29\n"
                   "   |\n"
                   " 4 |     policies: { rate_limit: 100 per minute, chache: 30s }\n"
                   "   |                             ^^^^^^^^^^^^^^ expected COUNT/PERIOD\n"
                   "   = help: write `100/min`\n");
}

static void programs_get_json_and_ci_gets_annotations(void **state)
{
        (void)state;
        const struct json *root = parse("a,b.yaml", S("upsteam: \"x\"\n"));
        struct fault *fault = fault_add(&faults, FAULT_E104, json_key(json_get(root, S("upsteam"))),
                                        "unknown key `upsteam`, 100%%");
        fault_suggest(&faults, fault, S("upstream"));
        fault->help = S("two\nlines");
        struct text json = text_grow(&arena, 4096), github = text_grow(&arena, 4096);
        faults_write_json(&faults, &json);
        assert_str(text_str(&json),
                   "[{\"code\":\"E104\",\"severity\":\"error\",\"file\":\"a,b.yaml\",\"line\":1,"
                   "\"column\":1,"
                   "\"end_column\":8,\"message\":\"unknown key `upsteam`, 100%\",\"label\":\"did "
                   "you mean "
                   "`upstream`?\",\"help\":\"two\\u000alines\",\"fix\":{\"edits\":[{\"file\":\"a,b."
                   "yaml\","
                   "\"line\":1,\"column\":1,\"end_column\":8,\"text\":\"upstream\"}]}}]");
        faults_write_github(&faults, &github);
        assert_str(text_str(&github),
                   "::error file=a%2Cb.yaml,line=1,col=1,endColumn=8,title=E104::unknown key "
                   "`upsteam`, "
                   "100%25; did you mean `upstream`?%0Atwo%0Alines\n");
}

static void columns_count_characters_and_tabs_stay_one(void **state)
{
        (void)state;
        const struct json *root = parse("x", S("{ \"\xc3\xa9\xf0\x9f\x98\x80\":\t\"\xc3\xbc\" }"));
        const struct json *value = json_get(root, S("\xc3\xa9\xf0\x9f\x98\x80"));
        struct line_column at = place_lines(&sources, place_of(&sources, value));
        assert_int_equal(at.column, 9);
        assert_int_equal(at.end_column, 12);
        fault_add(&faults, FAULT_E105, value, "x");
        assert_true(str_find_str(shown(), S("   |         ^^^\n")) >= 0);
}

static void nothing_from_a_document_can_move_the_cursor(void **state)
{
        (void)state;
        const struct json *root = parse("x", S("a: \"\\e[31m\\x9b\" # \xe2\x80\xae\n"));
        fault_add(&faults, FAULT_E105, json_get(root, S("a")), "`" STR_FMT "` \x1b[2J \xe2\x80\xae",
                  STR_ARG(json_raw(json_get(root, S("a")))));
        struct str text = shown();
        assert_int_equal(str_find(text, '\x1b'), -1);
        assert_int_equal(str_find_str(text, S("\xe2\x80\xae")), -1);
        assert_int_equal(str_find_str(text, S("\xc2\x9b")), -1);
}

static void secrets_in_a_line_are_blacked_out(void **state)
{
        (void)state;
        const struct json *root = parse("x", S("{ key: \"hush hush\", oops: 1 }\n"));
        sources_hide(&sources, json_get(root, S("key")));
        fault_add(&faults, FAULT_E104, json_key(json_get(root, S("oops"))), "unknown");
        fault_add(&faults, FAULT_W402, json_get(root, S("key")), "short");
        assert_str(shown(), "error[E104]: unknown\n  --> x:1:21\n   |\n 1 | { key: •••, oops: 1 }\n"
                            "   |             ^^^^\n\n"
                            "warning[W402]: short\n  --> x:1:8\n   |\n 1 | { key: •••, oops: 1 }\n"
                            "   |        ^^^\n");
}

static void a_long_line_is_shown_around_its_place(void **state)
{
        struct text text = text_grow(&arena, 1 << 20);
        (void)state;
        text_put(&text, S("{"));
        for (int i = 0; i < 1000; i++)
                text_format(&text, "\"key%d\":1,", i);
        text_put(&text, S("\"x\":1}"));
        const struct json *root = parse("x", text_str(&text));
        fault_add(&faults, FAULT_E104, json_key(json_get(root, S("key500"))), "unknown");
        struct str out = shown();
        assert_true(out.len < 600);
        assert_true(str_find_str(out, S(" 1 | …")) >= 0);
        ptrdiff_t key = str_find_str(out, S("\"key500\"")),
                  caret = str_find_str(out, S("^^^^^^^^\n"));
        ptrdiff_t line = str_find_str(out, S(" 1 | …")), marks = str_find_str(out, S("\n   | "));
        marks += 1 + str_find_str(str_skip(out, (size_t)marks + 1), S("\n   | "));
        assert_int_equal(key - line - 2,
                         caret - marks - 1); /* the mark of the cut has three bytes */
}

static void more_than_can_be_kept_is_counted(void **state)
{
        (void)state;
        for (int i = 0; i < FAULTS_MAX + 20; i++)
                fault_add(&faults, i % 2 == 0 ? FAULT_E104 : FAULT_W203, NULL, "number %d", i)
                        ->help = S("x");
        assert_int_equal(faults.count, FAULTS_MAX);
        assert_str(faults.at[FAULTS_MAX - 1].message, "number 99");
        assert_true(faults.is_dropping);
        assert_int_equal(fault_text(&faults, "costs nothing now").len, 0);
        assert_int_equal(faults.errors, FAULTS_MAX / 2 + 10);
        assert_int_equal(faults.warnings, FAULTS_MAX / 2 + 10);
        assert_true(str_ends(shown(), S("\n… and 20 more\n")));
}

static void a_second_place_is_shown_below(void **state)
{
        (void)state;
        const struct json *a = parse("a.yaml", S("x: 1\n")), *b = parse("b.yaml", S("\nx: 2\n"));
        struct fault *fault = fault_add(&faults, FAULT_E109, json_key(json_get(b, S("x"))),
                                        "twice");
        fault->label = S("again here");
        fault->also = place_of(&sources, json_key(json_get(a, S("x"))));
        fault->also_label = S("first here");
        assert_str(shown(),
                   "error[E109]: twice\n  --> b.yaml:2:1\n   |\n 2 | x: 2\n   | ^ again here\n"
                   "  ::: a.yaml:1:1\n   |\n 1 | x: 1\n   | ^ first here\n");
}

static void near_names_are_found_and_far_ones_are_not(void **state)
{
        static const struct str names[] = {S_INIT("upstream"), S_INIT("rate_limit"), S_INIT("cors"),
                                           S_INIT("id")};
        (void)state;
        assert_str(fault_nearest(S("upsteam"), names, countof(names)), "upstream");
        assert_str(fault_nearest(S("ratelimit"), names, countof(names)), "rate_limit");
        assert_str(fault_nearest(S("corse"), names, countof(names)), "cors");
        assert_str(fault_nearest(S("wholly"), names, countof(names)), "");
        assert_str(fault_nearest(S("xy"), names, countof(names)), "");
}

static void every_code_has_a_title_and_a_page(void **state)
{
        (void)state;
        for (unsigned code = FAULT_none + 1; code < FAULT_COUNT; code++) {
                const char *name = fault_code_name((enum fault_code)code);
                assert_int_equal(fault_code_find(str_of(name)), code);
                assert_true(strlen(fault_code_title((enum fault_code)code)) > 3);
                assert_true(strlen(fault_code_text((enum fault_code)code)) > 20);
                bool is_warning = fault_code_severity((enum fault_code)code) == SEVERITY_warning;
                assert_int_equal(name[0], is_warning ? 'W' : 'E');
        }
        assert_int_equal(fault_code_find(S("e104")), FAULT_E104);
        assert_int_equal(fault_code_find(S("E999")), FAULT_none);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_complaint_shows_the_line_and_points_at_the_token,
                                                begin, end),
                cmocka_unit_test_setup_teardown(programs_get_json_and_ci_gets_annotations, begin,
                                                end),
                cmocka_unit_test_setup_teardown(columns_count_characters_and_tabs_stay_one, begin,
                                                end),
                cmocka_unit_test_setup_teardown(nothing_from_a_document_can_move_the_cursor, begin,
                                                end),
                cmocka_unit_test_setup_teardown(secrets_in_a_line_are_blacked_out, begin, end),
                cmocka_unit_test_setup_teardown(a_long_line_is_shown_around_its_place, begin, end),
                cmocka_unit_test_setup_teardown(more_than_can_be_kept_is_counted, begin, end),
                cmocka_unit_test_setup_teardown(a_second_place_is_shown_below, begin, end),
                cmocka_unit_test_setup_teardown(near_names_are_found_and_far_ones_are_not, begin,
                                                end),
                cmocka_unit_test_setup_teardown(every_code_has_a_title_and_a_page, begin, end),
        };
        return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
