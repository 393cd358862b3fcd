/* check.c -- what config/config.h and config/check.h promise: every kind read, every mistake found.
 */
#include "config/check.h"

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

static void go(const char *text)
{
        end(NULL);
        begin(NULL);
        run_file(&run, "gateway.yaml", text);
        run_go(&run, NULL);
}

static void go_good(const char *text)
{
        go(text);
        if (run.load.faults.count > 0)
                print_error(STR_FMT "\n", STR_ARG(run_talk(&run)));
        assert_int_equal(run.load.faults.count, 0);
}

/* The five-route gateway of the design with what is built, and everything else that is. */
static const char whole[] =
        "version: 1\nworkers: 2\nuser: gate\ndrain: 10s\n"
        "limits: { connections: 5000, target: 4KiB, header_time: 5s }\n"
        "listeners:\n"
        "  public: { address: \":8443\", trusted_proxies: [10.0.0.0/8], limits: { target: 16KiB } "
        "}\n"
        "  inside: localhost:8080\n"
        "channels:\n"
        "  partner: { listener: public, hosts: [partners.example.com], policies: { auth: api_key } "
        "}\n"
        "  staff: { listener: [inside], hosts: [api.corp.example.com, \"*.corp.example.com\"] }\n"
        "policies: { rate_limit: 100/s }\n"
        "enforce: { headers: { set: { X-A: b } } }\n"
        "upstreams:\n"
        "  orders:\n"
        "    targets: [http://orders-1:8080, { url: http://orders-2:8080, weight: 3 }]\n"
        "    balance: hash\n    hash: header:X-User\n    pool: { idle: 2s }\n"
        "    eject: { failures: 3 }\n    circuit_breaker: off\n    slow_start: 20s\n"
        "    dns: { max: 1m }\n"
        "  simple: http://simple\n"
        "apis:\n"
        "  orders:\n"
        "    title: Orders\n    owner: team-orders\n    path: /\n"
        "    channels: [partner, staff]\n    upstream: orders\n    path_strict: off\n"
        "    routes:\n"
        "      GET /orders: {}\n"
        "      POST /orders: { rate_limit: 60/min }\n"
        "      GET /orders/{id}: { upstream: simple }\n"
        "      fast: { match: { methods: [GET], path: /fast, headers: { X-V: \"2\" }, query: { a: "
        "b } } }\n"
        "consumers:\n"
        "  acme: { title: Acme, channel: partner, tier: gold, contacts: a@b.c, api_key: "
        "\"${env:ACME_KEY}\" }\n"
        "tiers: { gold: { rate_limit: 1000/s } }\n"
        "telemetry: { logs: json, file: access.log }\n"
        "admin: { address: \"localhost:9999\", socket: /run/admin.sock }\n";

static void every_kind_is_read(void **state)
{
        (void)state;
        run_file(&run, "gateway.yaml", whole);
        run_env(&run, "ACME_KEY", "a-key-of-some-length");
        run_good(&run);
        const struct config *config = run.config;
        assert_int_equal(config->drain, 10 * SECOND);
        assert_int_equal(config->stream_drain, 5 * MINUTE);
        assert_int_equal(config->limits.connections, 5000);
        assert_int_equal(config->listeners[0].limits.connections, 5000);
        assert_int_equal(config->listeners[0].limits.target, 16 * KIB);
        assert_int_equal(config->listeners[1].limits.target, 4 * KIB);
        assert_int_equal(config->listeners[1].limits.fields, 128);
        assert_int_equal(config->listeners[0].trusted_proxies.count, 1);
        assert_str(config->channels[1].hosts.at[1], "*.corp.example.com");
        const struct conf_upstream *upstream = config_find(config, CONFIG_UPSTREAM, S("orders"));
        assert_int_equal(upstream->targets[1].weight, 3);
        assert_int_equal(upstream->balance, CONF_BALANCE_HASH);
        assert_str(upstream->hash, "header:X-User");
        assert_int_equal(upstream->pool.idle, 2 * SECOND);
        assert_int_equal(upstream->pool.max, 1024);
        assert_int_equal(upstream->eject.failures, 3);
        assert_int_equal(upstream->circuit_breaker.errors, 0);
        assert_int_equal(upstream->slow_start, 20 * SECOND);
        assert_int_equal(upstream->dns.min, SECOND);
        assert_int_equal(config->upstreams[1].targets_count, 1);
        const struct conf_api *api = &config->apis[0];
        assert_false(api->path_strict);
        assert_int_equal(api->routes_count, 4);
        assert_int_equal(api->routes[1].policies.count, 1);
        assert_str(api->routes[2].upstream, "simple");
        assert_str(api->routes[3].match.query.at[0].value, "b");
        assert_int_equal(config->consumers[0].api_key.count, 1);
        assert_int_equal(config->tiers[0].policies.count, 1);
        assert_int_equal(config->telemetry.logs, CONF_LOGS_JSON);
        assert_int_equal(config->admin.address.port, 9999);
        assert_false(config->admin.is_off);
}

static void the_admin_address_can_be_off(void **state)
{
        (void)state;
        go_good("admin: off\n");
        assert_true(run.config->admin.is_off);
        go_good("admin: { address: off }\n");
        assert_true(run.config->admin.is_off);
        go_good("{}\n");
        assert_false(run.config->admin.is_off);
        assert_int_equal(run.config->admin.address.port, 9901);
}

#define API "apis: { a: { upstream: http://a } }\n"

static const struct {
        const char *yaml;
        enum fault_code code;
        const char *where;
} mistakes[] = {
        {"apis: { a: { upstream: ordrs } }\nupstreams: { orders: http://x }\n", FAULT_E202, "1:24"},
        {"apis: { a: { upstream: \"http://\" } }\n", FAULT_E113, "1:24"},
        {"apis: { a: { upstream: http://a, routes: { /x: { upstream: no } } } }\n", FAULT_E202,
         "1:60"},
        {"apis: { a: {} }\n", FAULT_E210, "1:9"},
        {"apis: { a: { routes: { /x: { upstream: http://b }, /y: {} } } }\n", FAULT_E210, "1:52"},
        {"channels: { c: {} }\napis: { a: { upstream: http://a, channels: d } }\n", FAULT_E202,
         "2:44"},
        {"channels: { c: {} }\n" API, FAULT_E207, "2:9"},
        {"channels: { c: { listener: x } }\napis: { a: { upstream: http://a, channels: c } }\n",
         FAULT_E202, "1:28"},
        {"apis: { a: { upstream: http://a, path: /x }, b: { upstream: http://a, path: /x/ } }\n",
         FAULT_E209, "1:46"},
        {"channels: { c: { hosts: A.example }, d: { hosts: a.example } }\n"
         "apis: { a: { upstream: http://a, channels: [c, d] } }\n",
         FAULT_E203, "1:50"},
        {"channels: { c: {}, d: {} }\napis: { a: { upstream: http://a, channels: [c, d] } }\n",
         FAULT_E203, "1:20"},
        {"listeners: { x: localhost:1, y: LOCALHOST:1 }\n", FAULT_E204, "1:33"},
        {"listeners: { x: localhost:1 }\nadmin: localhost:1\n", FAULT_E204, "2:8"},
        {"listeners: { x: \":80\" }\n" API, FAULT_E201, "2:9"},
        {"listeners: { x: \":80\" }\npolicies: { auth: off }\n" API, FAULT_E201, "3:9"},
        {"listeners: { x: 10.0.0.1:80 }\napis: { a: { upstream: http://a, routes: { /x: { auth: "
         "none, "
         "rate_limit: off }, /y: {} } } }\n",
         FAULT_E201, "2:81"},
        {"listeners: { x: \":80\" }\npolicies: { auth: api_key }\n" API, FAULT_W203, "3:9"},
        {"consumers: { a: { channel: x, api_key: [] } }\n", FAULT_E202, "1:28"},
        {"consumers: { a: { tier: x } }\n", FAULT_E202, "1:25"},
        {"consumers: { a: { api_key: sixteen-characters } }\n", FAULT_W401, "1:28"},
        {"upstreams: { u: http://x }\n", FAULT_W201, "1:14"},
        {"tiers: { t: {} }\n", FAULT_W201, "1:10"},
        {"channels: { c: {} }\n", FAULT_W201, "1:13"},
        {"consumers: { a: { api_key: { b: c, d: e } } }\n", FAULT_E105, "1:28"},
        {"version: 2\n", FAULT_E110, "1:10"},
        {"openapi: x\n", FAULT_E104, "1:1"},
        {"identity: {}\n", FAULT_E106, "1:1"},
        {"apis: { a: { upstream: http://a, openapi: x } }\n", FAULT_E106, "1:34"},
        {"apis: { a: { upstream: http://a, policies: { cache: 5m } } }\n", FAULT_E106, "1:46"},
        {"upstreams: { u: { targets: http://x, canary: {} } }\n"
         "apis: { a: { upstream: u } }\n",
         FAULT_E106, "1:38"},
        {"listeners: { l: { address: \"localhost:1\", proxy_protocol: required } }\n", FAULT_E108,
         "1:59"},
        {"listeners: { l: { address: \"localhost:1\", proxy_protocol: v1,\n"
         "  trusted_proxies: 10.0.0.0/8 } }\n",
         FAULT_E111, "1:59"},
        {"upstreams: { u: { targets: http://x, proxy_protocol: required } }\n", FAULT_E111, "1:54"},
        {"apis: { a: { upstream: http://a, rate_limit: 1/s } }\n", FAULT_E104, "1:34"},
        {"upstreams: { u: { targets: [] } }\n", FAULT_E116, "1:28"},
};

static void each_mistake_is_found_at_its_place(void **state)
{
        bool is_good = true;
        (void)state;
        for (size_t i = 0; i < countof(mistakes); i++) {
                char where[64];
                snprintf(where, sizeof where, "gateway.yaml:%s", mistakes[i].where);
                go(mistakes[i].yaml);
                bool is_same = run.load.faults.count == 1 &&
                               run_says(&run, 0, mistakes[i].code, where);
                if (!is_same)
                        print_error("%s\nexpected %s at %s:\n" STR_FMT "\n", mistakes[i].yaml,
                                    fault_code_name(mistakes[i].code), where,
                                    STR_ARG(run_talk(&run)));
                is_good = is_good && is_same;
        }
        assert_true(is_good);
}

static void what_is_meant_is_not_complained_of(void **state)
{
        (void)state;
        go_good("listeners: { x: \":80\" }\npolicies: { auth: none, rate_limit: off }\n" API);
        go_good("listeners: { x: \":80\" }\nenforce: { auth: api_key, rate_limit: 1/s }\n" API);
        go_good("listeners: { x: \":80\" }\nchannels: { c: { policies: { auth: api_key, "
                "rate_limit: 1/s } } "
                "}\napis: { a: { upstream: http://a, channels: c } }\n");
        go_good("listeners: { in: localhost:1, out: \":2\" }\n"
                "channels: { c: { listener: in }, d: { listener: out, policies: { auth: api_key, "
                "rate_limit: "
                "1/s } } }\n"
                "apis: { a: { upstream: http://a, channels: c }, b: { upstream: http://b, "
                "channels: d } }\n");
        go_good("apis: { a: { policies: { redirect: https://x.example } } }\n");
        go_good("apis: { a: { routes: { /x: { upstream: http://b }, /y: { redirect: https://x } } "
                "} }\n");
        go_good("listeners: { x: \":80\" }\napis: { a: { upstream: http://a, routes: { /x: { auth: "
                "none, "
                "rate_limit: 1/s } } } }\n");
}

/* The five-route gateway of the design, as it will be one day. */
static const char later[] =
        "upstreams:\n  orders:\n    targets: [http://orders-v1:8080]\n"
        "    canary: { targets: [http://orders-v2:8080], weight: 10% }\n    health: /healthz\n"
        "identity:\n  idp: { jwt: { issuer: https://idp.example.com, audience: \"${env:NONE}\" } "
        "}\n"
        "policies:\n  auth: idp\n"
        "apis:\n  orders:\n    path: /\n    openapi: ./orders.openapi.yaml\n    upstream: orders\n"
        "    operations:\n      listOrders:  { cache: 30s }\n      getHealth:   { auth: none }\n"
        "listeners:\n  public: { address: \":443\", tls: { cert: ./a.pem, key: ./a.key, "
        "acme: ops@example.com }, http3: true }\n"
        "consumers:\n  acme: { api_key: \"${env:KEY}\", subscriptions: { x: \"${file:none}\" } }\n"
        "billing: { provider: { stripe: \"${env:STRIPE}\" } }\n";

static void what_is_designed_but_not_built_is_refused_only_as_that(void **state)
{
        (void)state;
        run_file(&run, "gateway.yaml", later);
        run_env(&run, "KEY", "a-key-of-some-length");
        run_go(&run, NULL);
        assert_int_equal(run.load.faults.count, 9);
        for (uint32_t i = 0; i < run.load.faults.count; i++) {
                if (run.load.faults.at[i].code != FAULT_E106)
                        print_error(STR_FMT "\n", STR_ARG(run_talk(&run)));
                assert_int_equal(run.load.faults.at[i].code, FAULT_E106);
        }
}

static void keys_are_short_or_shared_only_with_a_complaint(void **state)
{
        (void)state;
        go("consumers: { a: { api_key: \"${env:K}\" }, b: { api_key: [\"${env:K:-x}\"] } }\n");
        assert_int_equal(run.load.faults.errors, 1); /* K is not set */
        end(NULL);
        begin(NULL);
        run_env(&run, "K", "short");
        run_file(&run, "gateway.yaml",
                 "consumers:\n  a: { api_key: \"${env:K}\" }\n  b: { api_key: \"${env:K}\" }\n");
        run_go(&run, NULL);
        assert_says(&run, 0, FAULT_W402, "gateway.yaml:2:17");
        assert_says(&run, 1, FAULT_E212, "gateway.yaml:3:17");
}

static void a_hundred_thousand_routes_are_read_in_time(void **state)
{
        struct text text = text_grow(&run.arena, 64 << 20);
        (void)state;
        text_put(&text, S("apis:\n  big:\n    upstream: http://a\n    routes:\n"));
        for (unsigned i = 0; i < 100000; i++)
                text_format(&text, "      GET /r%u/{id}: { rate_limit: 10/s }\n", i);
        run_file(&run, "gateway.yaml", arena_cstr(&run.arena, text_str(&text)));
        run_good(&run);
        assert_int_equal(run.config->apis[0].routes_count, 100000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(every_kind_is_read, begin, end),
                cmocka_unit_test_setup_teardown(the_admin_address_can_be_off, begin, end),
                cmocka_unit_test_setup_teardown(
                        what_is_designed_but_not_built_is_refused_only_as_that, begin, end),
                cmocka_unit_test_setup_teardown(each_mistake_is_found_at_its_place, begin, end),
                cmocka_unit_test_setup_teardown(what_is_meant_is_not_complained_of, begin, end),
                cmocka_unit_test_setup_teardown(keys_are_short_or_shared_only_with_a_complaint,
                                                begin, end),
                cmocka_unit_test_setup_teardown(a_hundred_thousand_routes_are_read_in_time, begin,
                                                end),
        };
        return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
