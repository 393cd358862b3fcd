/* load.c -- what config/load.h promises: files, includes, environments, references, one hash. */
#include "config/load.h"

#include "../gate/world.h"

static struct run run;

static int begin(void **state)
{
        (void)state;
        run_begin(&run);
        return 0;
}

static int end(void **state)
{
        (void)state;
        run_end(&run);
        return 0;
}

static const char minimal[] = "apis:\n  orders:\n    upstream: http://localhost:9000\n";

static void three_lines_are_enough(void **state)
{
        (void)state;
        run_file(&run, "gateway.yaml", minimal);
        run_good(&run);
        assert_int_equal(run.config->apis_count, 1);
        assert_str(run.config->apis[0].name, "orders");
        assert_str(run.config->apis[0].path, "/orders");
        assert_str(run.config->listeners[0].address.host, "localhost");
        assert_int_equal(run.config->listeners[0].address.port, 8080);
        assert_int_equal(run.load.documents, 1);
        assert_int_equal(run.load.hash.len, 64);
}

static void a_document_given_as_text_may_go_once_it_was_read(void **state)
{
        char text[sizeof minimal];
        struct load_request request = {.path = S("given"), .world = &run.world};
        (void)state;
        memcpy(text, minimal, sizeof minimal);
        request.text = str_of(text);
        assert_true(load_run(&run.load, &request, &run.arena));
        memset(text, 'x', sizeof text);
        const struct json *node = json_pointer(run.load.root, S("/apis/orders/upstream"));
        assert_str(json_raw(node), "http://localhost:9000");
}

static void a_file_that_is_not_there_is_said_to_be_missing(void **state)
{
        (void)state;
        run_go(&run, NULL);
        assert_true(run.load.is_missing);
        assert_int_equal(run.load.faults.at[0].code, FAULT_E120);
        assert_null(run.load.root);
}

static void an_empty_file_is_no_gateway_but_one_that_says_so_is(void **state)
{
        (void)state;
        run_file(&run, "gateway.yaml", "# nothing yet\n");
        run_go(&run, NULL);
        assert_int_equal(run.load.faults.errors, 1);
        assert_int_equal(run.load.faults.at[0].code, FAULT_E116);
        end(state);
        begin(state);
        run_file(&run, "gateway.yaml", "apis: {}\n");
        run_good(&run);
        assert_int_equal(run.config->apis_count, 0);
}

static void a_document_that_is_no_block_is_refused(void **state)
{
        (void)state;
        run_file(&run, "gateway.yaml", "- apis\n");
        run_go(&run, NULL);
        assert_says(&run, 0, FAULT_E105, "gateway.yaml:1:1");
}

static void includes_are_joined_name_by_name(void **state)
{
        (void)state;
        run_file(&run, "gateway.yaml",
                 "include: [apis/*.yaml, more.json]\napis: { a: { upstream: http://a } }\n");
        run_file(&run, "apis/b.yaml",
                 "apis: { b: { upstream: ub } }\nupstreams: { ub: { targets: http://b } }\n");
        run_file(&run, "apis/c.yaml", "apis: { c: { upstream: http://c } }\nworkers: 3\n");
        run_file(&run, "more.json", "{\"apis\":{\"d\":{\"upstream\":\"http://d\"}}}");
        run_good(&run);
        assert_int_equal(run.config->apis_count, 4);
        assert_str(run.config->apis[1].name, "b");
        assert_int_equal(run.config->workers, 3);
        assert_int_equal(run.load.documents, 4);
        assert_int_equal(run.load.files_count, 4);
}

static void what_stands_in_two_files_is_told_at_both_places(void **state)
{
        (void)state;
        run_file(&run, "gateway.yaml", "include: apis/*.yaml\nworkers: 1\n");
        run_file(&run, "apis/a.yaml", "apis:\n  x: { upstream: http://a }\n");
        run_file(&run, "apis/b.yaml", "workers: 2\napis:\n  x: { upstream: http://b }\n");
        run_go(&run, NULL);
        assert_int_equal(run.load.faults.errors, 2);
        assert_says(&run, 0, FAULT_E109, "apis/b.yaml:1:1");
        assert_says(&run, 1, FAULT_E109, "apis/b.yaml:3:3");
        assert_true(str_find_str(run_talk(&run), S("::: apis/a.yaml:2:3")) >= 0);
}

static void includes_stand_in_the_root_file_only_and_should_fit_something(void **state)
{
        (void)state;
        run_file(&run, "gateway.yaml", "include: [a.yaml, none/*.yaml]\n");
        run_file(&run, "a.yaml", "include: b.yaml\n");
        run_go(&run, NULL);
        assert_says(&run, 0, FAULT_W121, "gateway.yaml:1:19");
        assert_says(&run, 1, FAULT_E118, "a.yaml:1:1");
}

static void relative_paths_begin_at_the_folder_of_the_root_file(void **state)
{
        struct load_request request = {.path = S("/etc/gatehouse/gateway.yaml"),
                                       .world = &run.world};
        (void)state;
        run_file(&run, "/etc/gatehouse/gateway.yaml",
                 "include: ./apis/*.yaml\nproblems: \"${file:url}\"\n");
        run_file(&run, "/etc/gatehouse/apis/a.yaml", "apis: { a: { upstream: http://a } }\n");
        run_file(&run, "/etc/gatehouse/url", "https://problems.example\n");
        assert_true(load_run(&run.load, &request, &run.arena));
        assert_true(
                json_is_str(json_get(run.load.root, S("problems")), S("https://problems.example")));
        assert_non_null(json_pointer(run.load.root, S("/apis/a")));
}

static void an_environment_is_a_patch(void **state)
{
        (void)state;
        run_file(&run, "gateway.yaml",
                 "workers: 1\ntelemetry: { logs: json }\napis: { a: { upstream: http://a, title: A "
                 "}, b: { "
                 "upstream: http://b } }\nupstreams: { u: { targets: http://u } }\n");
        run_file(&run, "environments/prod.yaml",
                 "workers: 8\ntelemetry: { logs: off }\napis: { a: { title: off }, b: off }\n"
                 "upstreams: { u: off }\n");
        run_go(&run, "prod");
        assert_int_equal(run.load.faults.count, 0);
        assert_int_equal(run.config->workers, 8);
        assert_int_equal(run.config->telemetry.logs, CONF_LOGS_OFF);
        assert_int_equal(run.config->apis_count, 1);
        assert_int_equal(run.config->apis[0].title.len, 0);
        assert_int_equal(run.config->upstreams_count, 0);
}

static void an_environment_without_a_file_is_an_error(void **state)
{
        (void)state;
        run_file(&run, "gateway.yaml", minimal);
        run_go(&run, "prod");
        assert_int_equal(run.load.faults.at[0].code, FAULT_E120);
        run_go(&run, "../etc");
        assert_int_equal(run.load.faults.at[0].code, FAULT_E107);
}

static void references_are_put_in_their_place(void **state)
{
        (void)state;
        run_file(&run, "gateway.yaml",
                 "workers: ${env:WORKERS}\n"
                 "drain: ${env:DRAIN:-45s}\n"
                 "apis: { a: { upstream: \"http://${env:HOST}:${env:PORT:-80}/x\" } }\n"
                 "policies: { headers: { set: { X-A: \"${channel} ${env:HOST}\", X-B: "
                 "\"${cred:token}\" } } }\n"
                 "consumers: { acme: { api_key: \"${file:/run/key}\" } }\n");
        run_env(&run, "WORKERS", "4");
        run_env(&run, "HOST", "orders");
        run_env(&run, "CREDENTIALS_DIRECTORY", "/creds");
        run_file(&run, "/run/key", "a-key-of-some-length\n");
        run_file(&run, "/creds/token", "t0ken");
        run_good(&run);
        assert_int_equal(run.config->workers, 4);
        assert_int_equal(run.config->drain, 45 * SECOND);
        assert_str(run.config->apis[0].upstream, "http://orders:80/x");
        assert_str(run.config->consumers[0].api_key.at[0], "a-key-of-some-length");
        const struct fake_headers *headers = run.config->policies.at[0].conf;
        assert_str(headers->set.at[0].value, "${channel} orders");
        assert_str(headers->set.at[1].value, "t0ken");
        assert_int_equal(headers->set.at[1].node->flags, JSON_FILLED | JSON_SECRET);
}

static void bad_references_are_told(void **state)
{
        static const struct {
                const char *value;
                enum fault_code code;
        } cases[] = {
                {"${env:NOT_SET}", FAULT_E121}, {"${env:EMPTY}", FAULT_E121},
                {"${env:1X}", FAULT_E122},      {"${env:}", FAULT_E122},
                {"${file:none}", FAULT_E121},   {"${file:empty}", FAULT_E121},
                {"${file:binary}", FAULT_E121}, {"${cred:x}", FAULT_E121},
                {"${cred:../x}", FAULT_E122},   {"${vault:a#b}", FAULT_E106},
                {"${nope:x}", FAULT_E122},      {"a ${env:X", FAULT_E122},
        };
        (void)state;
        for (size_t i = 0; i < countof(cases); i++) {
                end(state);
                begin(state);
                run_file(&run, "empty", "\n");
                run_file(&run, "binary", "\xff\xfe");
                run_env(&run, "EMPTY", "");
                struct str text = arena_format(&run.arena,
                                               "policies: { headers: { set: { X-A: \"%s\" } } }\n",
                                               cases[i].value);
                run_file(&run, "gateway.yaml", arena_cstr(&run.arena, text));
                run_go(&run, NULL);
                assert_int_equal(run.load.faults.errors, 1);
                assert_says(&run, 0, cases[i].code, "gateway.yaml:1:36");
        }
}

static void secrets_are_shown_nowhere(void **state)
{
        (void)state;
        run_file(&run, "gateway.yaml",
                 "consumers: { acme: { api_key: [\"short\", \"with blank\", \"${file:key}\"], "
                 "tile: x } }\n");
        run_file(&run, "key", "hidden secret");
        run_go(&run, NULL);
        struct str talk = run_talk(&run);
        assert_true(run.load.faults.errors >= 3);
        assert_int_equal(str_find_str(talk, S("short")), -1);
        assert_int_equal(str_find_str(talk, S("blank")), -1);
        assert_int_equal(str_find_str(talk, S("hidden")), -1);
        struct text json = text_grow(&run.arena, 1 << 16);
        faults_write_json(&run.load.faults, &json);
        faults_write_github(&run.load.faults, &json);
        assert_int_equal(str_find_str(text_str(&json), S("blank")), -1);
        assert_int_equal(str_find_str(text_str(&json), S("hidden")), -1);
}

static struct str hash_of(const char *text, const char *key)
{
        end(NULL);
        begin(NULL);
        run_file(&run, "gateway.yaml", text);
        run_file(&run, "key", key);
        run_go(&run, NULL);
        static char copies[2][64];
        static int turn;
        turn = !turn;
        memcpy(copies[turn], run.load.hash.ptr, 64);
        return str_from(copies[turn], 64);
}

static void the_hash_is_of_what_is_meant(void **state)
{
        (void)state;
        assert_str_eq(hash_of("workers: 2\ndrain: 5s\n", ""),
                      hash_of("# x\n{ drain: '5s', workers: 0x2 }\n", ""));
        assert_false(str_eq(hash_of("workers: 2\n", ""), hash_of("workers: 3\n", "")));
        assert_false(str_eq(hash_of("user: \"${file:key}\"\n", "a"),
                            hash_of("user: \"${file:key}\"\n", "b")));
}

static void syntax_errors_have_places_and_stop_nothing_else(void **state)
{
        (void)state;
        run_file(&run, "gateway.yaml", "include: apis/*.yaml\n");
        run_file(&run, "apis/a.yaml", "apis: { a: { upstream: http://a }\n");
        run_file(&run, "apis/b.yaml", "apis:\n  b: 1\n  b: 2\n");
        run_file(&run, "apis/c.json", "{\"apis\": {},}\n");
        run_file(&run, "apis/d.yaml", "a: &x 1\n");
        run_go(&run, NULL);
        assert_int_equal(run.load.faults.errors, 3);
        assert_says(&run, 0, FAULT_E101, "apis/a.yaml:2:1");
        assert_says(&run, 1, FAULT_E102, "apis/b.yaml:3:3");
        assert_says(&run, 2, FAULT_E103, "apis/d.yaml:1:4");
}

static void changes_make_it_stale(void **state)
{
        (void)state;
        run_file(&run, "gateway.yaml", "include: apis/*.yaml\nuser: \"${file:name}\"\n");
        run_file(&run, "apis/a.yaml", minimal);
        run_file(&run, "name", "nobody");
        run_go(&run, NULL);
        assert_false(load_is_stale(&run.load, &run.arena));
        run.fakes.files[2].text = S("somebody");
        assert_true(load_is_stale(&run.load, &run.arena));
        run.fakes.files[2].text = S("nobody");
        assert_false(load_is_stale(&run.load, &run.arena));
        run_file(&run, "apis/b.yaml", "");
        assert_true(load_is_stale(&run.load, &run.arena));
}

static void the_first_place_that_has_a_file_is_taken(void **state)
{
        (void)state;
        assert_int_equal(load_discover(&run.world, S(""), &run.arena).len, 0);
        run_file(&run, "/etc/gatehouse/gateway.yaml", "");
        assert_str(load_discover(&run.world, S(""), &run.arena), "/etc/gatehouse/gateway.yaml");
        run_env(&run, "XDG_CONFIG_HOME", "/people/x/.config");
        run_file(&run, "/people/x/.config/gatehouse/gateway.yaml", "");
        assert_str(load_discover(&run.world, S(""), &run.arena),
                   "/people/x/.config/gatehouse/gateway.yaml");
        run_file(&run, "gateway.yaml", "");
        assert_str(load_discover(&run.world, S(""), &run.arena), "gateway.yaml");
        run_env(&run, "GATE_CONFIG", "/else/g.yaml");
        assert_str(load_discover(&run.world, S(""), &run.arena), "/else/g.yaml");
        assert_str(load_discover(&run.world, S("given.yaml"), &run.arena), "given.yaml");
}

/* Every growth of the arena fails once. */
static void no_memory_is_an_error_and_no_crash(void **state)
{
        (void)state;
        bool has_failed = true;
        for (size_t n = 1; has_failed; n++) {
                end(state);
                begin(state);
                run_file(&run, "gateway.yaml", "include: apis/*.yaml\nuser: \"${file:name}\"\n");
                run_file(&run, "apis/a.yaml", minimal);
                run_file(&run, "name", "nobody");
                run_file(&run, "environments/e.yaml", "workers: 3\n");
                arena_fail_at(n);
                run_go(&run, "e");
                arena_fail_at(0);
                has_failed = run.arena.is_failed;
                if (!has_failed)
                        assert_int_equal(run.load.faults.errors, 0);
                assert_true(n < 100);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(three_lines_are_enough, begin, end),
                cmocka_unit_test_setup_teardown(a_document_given_as_text_may_go_once_it_was_read,
                                                begin, end),
                cmocka_unit_test_setup_teardown(a_file_that_is_not_there_is_said_to_be_missing,
                                                begin, end),
                cmocka_unit_test_setup_teardown(an_empty_file_is_no_gateway_but_one_that_says_so_is,
                                                begin, end),
                cmocka_unit_test_setup_teardown(a_document_that_is_no_block_is_refused, begin, end),
                cmocka_unit_test_setup_teardown(includes_are_joined_name_by_name, begin, end),
                cmocka_unit_test_setup_teardown(what_stands_in_two_files_is_told_at_both_places,
                                                begin, end),
                cmocka_unit_test_setup_teardown(
                        includes_stand_in_the_root_file_only_and_should_fit_something, begin, end),
                cmocka_unit_test_setup_teardown(relative_paths_begin_at_the_folder_of_the_root_file,
                                                begin, end),
                cmocka_unit_test_setup_teardown(an_environment_is_a_patch, begin, end),
                cmocka_unit_test_setup_teardown(an_environment_without_a_file_is_an_error, begin,
                                                end),
                cmocka_unit_test_setup_teardown(references_are_put_in_their_place, begin, end),
                cmocka_unit_test_setup_teardown(bad_references_are_told, begin, end),
                cmocka_unit_test_setup_teardown(secrets_are_shown_nowhere, begin, end),
                cmocka_unit_test_setup_teardown(the_hash_is_of_what_is_meant, begin, end),
                cmocka_unit_test_setup_teardown(syntax_errors_have_places_and_stop_nothing_else,
                                                begin, end),
                cmocka_unit_test_setup_teardown(changes_make_it_stale, begin, end),
                cmocka_unit_test_setup_teardown(the_first_place_that_has_a_file_is_taken, begin,
                                                end),
                cmocka_unit_test_setup_teardown(no_memory_is_an_error_and_no_crash, begin, end),
        };
        return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
