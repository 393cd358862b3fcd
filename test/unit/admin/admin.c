/* admin.c -- tests of the gateway's own site: who may ask for what, and what is answered. */
#include "admin_world.h"
#include "gate/series.h"

/* ---- what is told ---- */

static void it_lives_and_says_whether_it_is_ready(void **state)
{
        (void)state;
        assert_str(body_of(get(TCP, "/livez")), "live\n");
        assert_int_equal(status_of(get(TCP, "/readyz")), 200);
        told.not_ready = S("orders: no address yet\nconfiguration: none");
        struct str answer = get(TCP, "/readyz");
        assert_int_equal(status_of(answer), 503);
        assert_str(body_of(answer), "not ready\norders: no address yet\nconfiguration: none\n");
        told.is_draining = true;
        answer = ask_at(TCP, "GET /readyz HTTP/1.1\r\nHost: localhost\r\n"
                             "Accept: application/json\r\n\r\n");
        assert_int_equal(status_of(answer), 503);
        assert_str(at(json_of(answer), "/status"), "not ready");
        assert_str(at(json_of(answer), "/reasons/0"), "draining");
        assert_str(at(json_of(answer), "/reasons/2"), "configuration: none");
        assert_int_equal(status_of(get(TCP, "/livez")), 200);
}

static void a_guest_sees_what_there_is(void **state)
{
        (void)state;
        struct str answer = get(TCP, "/");
        assert_int_equal(status_of(answer), 200);
        assert_has(answer, "Content-Type: text/plain");
        assert_has(body_of(answer), "\nGET    /status ");
        assert_has(body_of(answer), "\nPOST   /reload ");
        answer = ask_at(TCP, "GET / HTTP/1.1\r\nHost: localhost\r\n"
                             "Accept: text/html,application/xml;q=0.9,*/*;q=0.8\r\n\r\n");
        assert_has(answer, "Content-Type: text/html");
        assert_has(body_of(answer), "<a href=\"/metrics\">");
        assert_true(str_find_str(body_of(answer), S("/reload")) < 0);
}

static void hold_apis(unsigned count)
{
        struct snapshot *snapshot = arena_new(&arena, struct snapshot);
        snapshot->api_list = arena_array(&arena, struct api *, count);
        snapshot->route_list = arena_array(&arena, struct route *, count);
        snapshot->api_count = snapshot->route_count = count;
        for (unsigned i = 0; i < count; i++) {
                snapshot->api_list[i] = arena_new(&arena, struct api);
                snapshot->route_list[i] = arena_new(&arena, struct route);
                snapshot->api_list[i]->name = arena_format(&arena, "api%u", i);
                snapshot->route_list[i]->api = snapshot->api_list[i];
                snapshot->route_list[i]->template = S("/x");
        }
        series_hold_all(gate.counts, snapshot);
        for (unsigned i = 0; i < count; i++) {
                struct record record = {
                        .request.method = S("GET"),
                        .duration = 3000000,
                        .reason = REASON_done,
                        .status = 200,
                        .who = {.api_id = snapshot->api_list[i]->series,
                                .route_id = snapshot->route_list[i]->series},
                };
                counts_record(count_board_of(gate.counts, 0), &record);
        }
}

static void metrics_of_any_size_are_told(void **state)
{
        (void)state;
        hold_apis(600);
        struct str answer = get(TCP, "/metrics");
        assert_int_equal(status_of(answer), 200);
        assert_has(answer, "Content-Type: text/plain; version=0.0.4");
        struct str body = body_of(answer);
        assert_true(body.len > 1 << 20);
        assert_has(body, "gatehouse_build_info{version=\"1.2.3\"} 1\n");
        assert_has(body, "gatehouse_requests_total{gatehouse_api=\"api599\","
                         "gatehouse_reason=\"done\"} 1\n");
        assert_has(body, "process_max_fds ");
        assert_true(str_ends(body, S("\n")));
        answer = ask_at(TCP, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
                             "Accept: application/openmetrics-text\r\n\r\n");
        assert_true(str_ends(body_of(answer), S("# EOF\n")));
        assert_str(body_of(ask_at(TCP, "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")), "");
}

static void a_slow_reader_of_metrics_costs_little(void **state)
{
        (void)state;
        hold_apis(600);
        struct caller_peer *caller = dial(TCP);
        world_run(&world, SEC / 10);
        sim_pause(caller->peer, true);
        say(caller, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        world_run(&world, SEC);
        assert_true(page_pool_in_use(world.loop->pages) < 128);
        sim_pause(caller->peer, false);
        world_run(&world, SEC);
        assert_true(body_of(text_str(&caller->heard)).len > 1 << 20);
        sim_close(TAKE(caller->peer));
}

static void status_is_one_document(void **state)
{
        (void)state;
        struct admin_listener listener = {S("main"), S("0.0.0.0:8080"), false};
        told.listeners = &listener;
        told.listener_count = 1;
        told.started = loop_wall(world.loop) - 90 * SEC;
        told.config_wall = told.started;
        told.reload = (struct admin_reload){
                .wall = told.started, .text = S("E104: unknown key \"upsteam\""), .bad = 1};
        hold_apis(900);
        const struct json *root = json_of(get(TCP, "/status"));
        assert_str(at(root, "/version"), "1.2.3");
        assert_str(at(root, "/config/hash"), "9f3c");
        assert_str(at(root, "/config/reload/result"), "failure");
        assert_str(at(root, "/config/reload/error"), "E104: unknown key \"upsteam\"");
        assert_str(at(root, "/listeners/0/address"), "0.0.0.0:8080");
        assert_str(at(root, "/requests/total"), "900");
        assert_str(at(root, "/requests/reasons/done"), "900");
        assert_str(at(root, "/apis/899/name"), "api899");
        assert_str(at(root, "/apis/899/requests"), "1");
        assert_true(json_is(json_get(root, S("ready")), JSON_TRUE));
        assert_int_equal(json_get(root, S("targets"))->len, 0);
}

static void what_a_caller_has_used_of_a_limit_is_told(void **state)
{
        size_t size = bucket_size(64);
        char *memory = arena_zero(&arena, 1, size + 2 * CACHE_LINE);
        struct who acme = {.text = S("acme"), .kind = 'c', .is_proved = true};
        (void)state;
        memory += -(uintptr_t)memory & (2 * CACHE_LINE - 1);
        assert_int_equal(bucket_init(memory, size), ERR_ok);
        assert_int_equal(bucket_map(memory, size, &gate.known), ERR_ok);
        struct limit_keys keys = {.known = bucket_limit(&gate.known, S("api/a/rate_limit"))};
        bucket_take(&gate.known, limit_cell(&keys, &acme), &bucket_time, 100000 * SEC,
                    loop_now(world.loop));
        struct str answer = get(SOCKET, "/limits?limit=api%2fa%2frate_limit&kind=c&proved=1"
                                        "&who=61636d65");
        assert_int_equal(status_of(answer), 200);
        assert_true(str_starts(body_of(answer), S("{\"ahead\":99999.9")) ||
                    str_starts(body_of(answer), S("{\"ahead\":100000")));
        answer = get(SOCKET, "/limits?limit=api/a/rate_limit&kind=c&proved=1&who=61");
        assert_str(body_of(answer), "{\"ahead\":0}\n");
        static const char *const bad[] = {"/limits", "/limits?limit=x&kind=c&proved=1&who=6",
                                          "/limits?limit=x&kind=cc&proved=1&who=61",
                                          "/limits?limit=x&kind=c&proved=1&who=6g",
                                          "/limits?limit=x&kind=a&who=61"};
        for (size_t i = 0; i < countof(bad); i++)
                assert_int_equal(status_of(get(SOCKET, bad[i])), 400);
}

static void rates_are_of_the_last_seconds(void **state)
{
        (void)state;
        hold_apis(1);
        world_run(&world, 20 * SEC);
        const struct json *root = json_of(get(TCP, "/status"));
        assert_str(at(root, "/requests/per_second"), "0");
        assert_str(at(root, "/requests/p99"), "0");
        for (unsigned i = 0; i < 500; i++) {
                struct record record = {.duration = 3000000, .reason = REASON_fault, .status = 500};
                record.who.api_id = SERIES_FIRST;
                counts_record(count_board_of(gate.counts, 0), &record);
        }
        root = json_of(get(TCP, "/status"));
        int64_t ms;
        struct str rate = at(root, "/apis/0/per_second");
        assert_true(str_to_u64(str_cut(&rate, '.'), (uint64_t *)&ms) == ERR_ok);
        assert_true(ms >= 45 && ms <= 105);
        assert_str_eq(at(root, "/apis/0/per_second"), at(root, "/apis/0/errors_5xx_per_second"));
        assert_true(str_starts(at(root, "/apis/0/p99"), S("0.003")));
}

/* ---- who may ask ---- */

static void only_names_of_this_machine_are_answered(void **state)
{
        (void)state;
        static const struct {
                const char *host;
                unsigned status;
        } hosts[] = {
                {"localhost", 200},        {"localhost:9901", 200}, {"127.0.0.1:9901", 200},
                {"[::1]:9901", 200},       {"10.1.2.3:9901", 200},  {"gate.example:9901", 200},
                {"GATE.example", 200},     {"evil.example", 421},   {"localhost.evil.example", 421},
                {"127.0.0.1.nip.io", 421},
        };
        for (size_t i = 0; i < countof(hosts); i++) {
                char request[256];
                struct text text = text_over(request, sizeof request - 1);
                text_format(&text, "GET /status HTTP/1.1\r\nHost: %s\r\n\r\n", hosts[i].host);
                request[text.len] = '\0';
                unsigned status = status_of(ask_at(TCP, request));
                if (status != hosts[i].status)
                        fail_msg("%s: %u", hosts[i].host, status);
                assert_int_equal(status_of(ask_at(SOCKET, request)), 200);
        }
}

static void web_pages_may_not_ask(void **state)
{
        (void)state;
        const char *request = "GET /status HTTP/1.1\r\nHost: localhost\r\n"
                              "Origin: https://evil.example\r\n\r\n";
        assert_int_equal(status_of(ask_at(TCP, request)), 403);
        assert_int_equal(status_of(ask_at(SOCKET, "POST /stop HTTP/1.1\r\nHost: localhost\r\n"
                                                  "Origin: null\r\nContent-Length: 0\r\n\r\n")),
                         403);
        assert_int_equal(asked.action, -1);
}

static void the_gate_does_not_offer_its_own_admin(void **state)
{
        (void)state;
        gate.instance = S("gate-0123456789");
        assert_int_equal(status_of(ask_at(TCP, "GET /status HTTP/1.1\r\nHost: localhost\r\n"
                                               "Via: 1.1 a, 1.1 gate-0123456789\r\n\r\n")),
                         403);
        assert_int_equal(status_of(ask_at(TCP, "GET /status HTTP/1.1\r\nHost: localhost\r\n"
                                               "Via: 1.1 other\r\n\r\n")),
                         200);
}

static void the_address_is_read_only(void **state)
{
        (void)state;
        static const char *const requests[] = {
                "POST /reload",
                "POST /drain",
                "POST /stop",
                "POST /upgrade",
                "POST /reopen",
                "GET /logs",
                "GET /config",
                "GET /limits?limit=api/a/rate_limit&kind=c&proved=1&who=61",
                "PUT /consumers/acme",
                "DELETE /consumers/acme",
                "PUT /consumers/acme/keys",
                "DELETE /consumers/acme/keys",
        };
        for (size_t i = 0; i < countof(requests); i++) {
                char request[256];
                struct text text = text_over(request, sizeof request - 1);
                text_format(&text,
                            "%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                            "Content-Length: 2\r\n\r\n{}",
                            requests[i]);
                request[text.len] = '\0';
                struct str answer = ask_at(TCP, request);
                assert_int_equal(status_of(answer), 403);
                assert_str(at(json_of(answer), "/code"), "not-allowed");
        }
        assert_int_equal(asked.reloads, 0);
        assert_int_equal(asked.action, -1);
        assert_int_equal(asked.said.len, 0);
}

static void what_is_not_there_is_refused_as_everywhere(void **state)
{
        (void)state;
        assert_int_equal(status_of(get(TCP, "/nothing")), 404);
        assert_int_equal(status_of(get(TCP, "/status/x")), 404);
        assert_int_equal(status_of(get(TCP, "/statu")), 404);
        struct str answer = ask_at(TCP, "POST /status HTTP/1.1\r\nHost: localhost\r\n"
                                        "Content-Length: 0\r\n\r\n");
        assert_int_equal(status_of(answer), 405);
        assert_has(answer, "Allow: GET, HEAD\r\n");
        assert_has(get(SOCKET, "/consumers/acme"), "Allow: PUT, DELETE\r\n");
        answer = ask_at(TCP, "nonsense\r\n\r\n");
        assert_int_equal(status_of(answer), 400);
        assert_has(answer, "application/problem+json");
}

static void a_connection_serves_many_questions(void **state)
{
        (void)state;
        struct caller_peer *caller = dial(TCP);
        for (unsigned i = 0; i < 5; i++)
                say(caller, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
        world_run(&world, SEC);
        struct str rest = text_str(&caller->heard);
        unsigned answers = 0;
        while (rest.ptr != NULL)
                answers += str_is(str_cut(&rest, '\n'), "live");
        assert_int_equal(answers, 5);
        sim_close(TAKE(caller->peer));
}

/* ---- what is asked ---- */

static void a_reload_is_answered_when_it_is_over(void **state)
{
        (void)state;
        const char *request = "POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
        struct caller_peer *first = dial(SOCKET), *second = dial(SOCKET), *gone = dial(SOCKET);
        say(first, request);
        say(gone, request);
        world_run(&world, SEC);
        sim_close(TAKE(gone->peer));
        say(second, request);
        world_run(&world, SEC);
        assert_int_equal(asked.reloads, 3);
        assert_int_equal(first->heard.len, 0);
        admin_reloaded(admin,
                       &(struct admin_outcome){.number = 2, .is_good = true, .hash = S("abcd")});
        world_run(&world, SEC);
        assert_int_equal(status_of(text_str(&first->heard)), 200);
        assert_str(at(json_of(text_str(&first->heard)), "/hash"), "abcd");
        assert_int_equal(second->heard.len, 0);
        admin_reloaded(admin, &(struct admin_outcome){.number = 3,
                                                      .text = S("error[E104]: unknown key\n"),
                                                      .faults = S("[{\"code\":\"E104\"}]")});
        world_run(&world, SEC);
        const struct json *root = json_of(text_str(&second->heard));
        assert_int_equal(status_of(text_str(&second->heard)), 422);
        assert_str(at(root, "/code"), "config-invalid");
        assert_str(at(root, "/text"), "error[E104]: unknown key\n");
        assert_str(at(root, "/errors/0/code"), "E104");
        sim_close(TAKE(first->peer));
        sim_close(TAKE(second->peer));
}

static void who_waits_for_a_reload_is_let_go_by_a_drain(void **state)
{
        (void)state;
        struct caller_peer *caller = dial(SOCKET);
        say(caller, "POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        world_run(&world, SEC);
        admin_drain(admin);
        world_run(&world, SEC);
        assert_int_equal(status_of(text_str(&caller->heard)), 503);
        assert_str(at(json_of(text_str(&caller->heard)), "/code"), "draining");
        sim_close(TAKE(caller->peer));
}

static void actions_are_handed_on(void **state)
{
        (void)state;
        static const struct {
                const char *request;
                enum admin_action action;
        } actions[] = {
                {"POST /drain HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", ADMIN_DRAIN},
                {"POST /stop HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", ADMIN_STOP},
                {"POST /upgrade HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", ADMIN_UPGRADE},
                {"POST /reopen HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", ADMIN_REOPEN},
        };
        for (size_t i = 0; i < countof(actions); i++) {
                assert_int_equal(status_of(ask_at(SOCKET, actions[i].request)), 202);
                assert_int_equal(asked.action, actions[i].action);
        }
        asked.err = ERR_io;
        assert_int_equal(status_of(ask_at(SOCKET, actions[0].request)), 500);
}

/* Sends a document to a path of the socket and returns the status. */
static unsigned send_document(const char *what, const char *type, const char *document)
{
        char request[1024];
        struct text text = text_over(request, sizeof request - 1);
        text_format(&text,
                    "%s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
                    what, type, strlen(document), document);
        request[text.len] = '\0';
        asked.said.len = 0;
        return status_of(ask_at(SOCKET, request));
}

#define JSON "application/json"

static void keys_are_put_and_removed(void **state)
{
        (void)state;
        assert_int_equal(send_document("PUT /consumers/acme%20corp/keys", JSON,
                                       "{\"key\":\"gate_live_x\",\"id\":\"k1\","
                                       "\"expires\":\"1970-01-02T00:00:00Z\"}"),
                         200);
        assert_str(text_str(&asked.said), "put acme corp gate_live_x k1 86400");
        assert_int_equal(send_document("DELETE /consumers/acme/keys", JSON, "{\"key\":\"k\"}"),
                         200);
        assert_str(text_str(&asked.said), "remove acme k");
        assert_int_equal(
                send_document("PUT /consumers/acme", JSON, "{\"tier\":\"gold\",\"blocked\":true}"),
                200);
        assert_str(text_str(&asked.said), "consumer acme gold  1");
        assert_int_equal(
                send_document("PUT /consumers/acme", "application/json; charset=utf-8", "{}"), 200);
        assert_int_equal(send_document("DELETE /consumers/acme", JSON, ""), 200);
        assert_str(text_str(&asked.said), "no acme");
        asked.err = ERR_missing;
        assert_int_equal(send_document("PUT /consumers/a/keys", JSON, "{\"key\":\"k\"}"), 404);
        asked.err = ERR_exists;
        assert_int_equal(send_document("PUT /consumers/a/keys", JSON, "{\"key\":\"k\"}"), 409);
        asked.err = ERR_limit;
        assert_int_equal(send_document("PUT /consumers/a/keys", JSON, "{\"key\":\"k\"}"), 507);
        asked.err = ERR_range;
        assert_int_equal(send_document("PUT /consumers/a/keys", JSON, "{\"key\":\"k\"}"), 422);
}

static void documents_are_read_strictly(void **state)
{
        (void)state;
        static const char *const bad[] = {
                "",
                "{",
                "[]",
                "null",
                "{\"key\":1}",
                "{\"key\":\"\"}",
                "{\"id\":\"x\"}",
                "{\"key\":\"a\",\"key\":\"b\"}",
                "{\"key\":\"a\",\"kei\":\"b\"}",
                "{\"key\":\"a\",\"expires\":\"soon\"}",
                "{\"key\":\"a\",\"expires\":12}",
                "{\"key\":\"\xff\"}",
                "{\"key\":\"a\"}x",
        };
        for (size_t i = 0; i < countof(bad); i++) {
                if (send_document("PUT /consumers/acme/keys", JSON, bad[i]) != 400)
                        fail_msg("%s", bad[i]);
                assert_int_equal(asked.said.len, 0);
        }
        assert_int_equal(send_document("PUT /consumers/a/keys", "text/plain", "{\"key\":\"k\"}"),
                         415);
        assert_int_equal(send_document("PUT /consumers/a/keys", "application/x-www-form-urlencoded",
                                       "key=k"),
                         415);
        assert_int_equal(asked.said.len, 0);
}

static void bodies_are_bounded(void **state)
{
        (void)state;
        struct str answer = ask_at(SOCKET, "PUT /consumers/a/keys HTTP/1.1\r\nHost: x\r\n"
                                           "Content-Type: application/json\r\n"
                                           "Content-Length: 65537\r\n\r\n{");
        assert_int_equal(status_of(answer), 413);
        struct caller_peer *caller = dial(SOCKET);
        say(caller, "PUT /consumers/a/keys HTTP/1.1\r\nHost: x\r\n"
                    "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (unsigned i = 0; i < 70; i++) {
                char chunk[1100];
                memset(chunk, ' ', sizeof chunk);
                memcpy(chunk, "400\r\n", 5);
                memcpy(chunk + 5 + 1024, "\r\n", 3);
                say(caller, chunk);
                world_run(&world, SEC / 100);
        }
        world_run(&world, SEC);
        assert_int_equal(status_of(text_str(&caller->heard)), 413);
        sim_close(TAKE(caller->peer));
        caller = dial(SOCKET);
        say(caller, "PUT /consumers/a/keys HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                    "Content-Type: application/json\r\nContent-Length: 40000\r\n\r\n");
        world_run(&world, SEC);
        assert_true(str_starts(text_str(&caller->heard), S("HTTP/1.1 100 Continue\r\n\r\n")));
        caller->heard.len = 0;
        for (unsigned i = 0; i < 40000 - 11; i++)
                sim_send(caller->peer, " ", 1);
        say(caller, "{\"key\":\"k\"}");
        world_run(&world, SEC);
        assert_int_equal(status_of(text_str(&caller->heard)), 200);
        sim_close(TAKE(caller->peer));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
                TEST(it_lives_and_says_whether_it_is_ready),
                TEST(a_guest_sees_what_there_is),
                TEST(metrics_of_any_size_are_told),
                TEST(a_slow_reader_of_metrics_costs_little),
                TEST(status_is_one_document),
                TEST(what_a_caller_has_used_of_a_limit_is_told),
                TEST(rates_are_of_the_last_seconds),
                TEST(only_names_of_this_machine_are_answered),
                TEST(web_pages_may_not_ask),
                TEST(the_gate_does_not_offer_its_own_admin),
                TEST(the_address_is_read_only),
                TEST(what_is_not_there_is_refused_as_everywhere),
                TEST(a_connection_serves_many_questions),
                TEST(a_reload_is_answered_when_it_is_over),
                TEST(who_waits_for_a_reload_is_let_go_by_a_drain),
                TEST(actions_are_handed_on),
                TEST(keys_are_put_and_removed),
                TEST(documents_are_read_strictly),
                TEST(bodies_are_bounded),
#undef TEST
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
