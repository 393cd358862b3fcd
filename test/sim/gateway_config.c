/* gateway_config.c -- configurations drawn at random, of one family: the same doors, other rules.
 */
#include "gateway.h"

static struct text out;

static void put(const char *format, ...) printf_like(1, 2);
static void put(const char *format, ...)
{
        va_list args;
        va_start(args, format);
        text_vformat(&out, format, args);
        va_end(args);
}

static unsigned between(unsigned least, unsigned most)
{
        return least + (unsigned)below(most - least + 1);
}

static const char *one_of(const char *const *words, size_t count)
{
        return words[below(count)];
}

#define ONE_OF(...)                                                                                \
        one_of((const char *const[]){__VA_ARGS__},                                                 \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void put_limits(void)
{
        if (it.is_calm) {
                put("limits: { header_time: 1m, idle: 1m, body_rate: 1B/s, buckets: 1000 }\n");
                return;
        }
        put("limits: { header_time: %ums, idle: %ums, linger: %ums, body_rate: %uB/s, "
            "buckets: 1000",
            between(1000, 4000), between(1500, 6000), between(1, 2000), between(1, 2000));
        if (maybe(200))
                put(", connections: %u", between(1, 12));
        put(" }\n");
}

static void put_timeout(void)
{
        put("  timeout: { connect: %ums, response: %ums, idle: %ums",
            it.is_calm ? 20000 : between(50, 2000), it.is_calm ? 20000 : between(200, 5000),
            it.is_calm ? 20000 : between(200, 5000));
        if (!it.is_calm && maybe(300))
                put(", total: %ums", between(100, 8000));
        put(" }\n");
}

static void put_policies(unsigned generation)
{
        put("policies:\n");
        put_timeout();
        if (maybe(700))
                put("  retry: { attempts: %u, on: [%s], budget: %u%% }\n", between(1, 4),
                    ONE_OF("connect", "connect, broken", "connect, broken, timeout",
                           "connect, broken, timeout, 503", "connect, 500, 503"),
                    between(0, 100));
        put("  auth: none\n");
        if (!it.is_calm && maybe(600))
                put("  probe: { unrest: %u%s }\n", maybe(300) ? 500 : between(0, 100),
                    maybe(512) ? ", url: \"http://10.0.2.1:80\"" : "");
        put("enforce:\n");
        put("  headers: { request: { set: { X-Gen: \"%u\" } }, "
            "response: { set: { X-Gen: \"%u\" } } }\n",
            generation, generation);
}

static void put_pool(void)
{
        if (maybe(700))
                put(", pool: { idle: %ums, age: %us, max: %u }", 1 + (unsigned)some(5000),
                    between(1, 30), it.is_calm ? 1000 : 1 + (unsigned)some(30));
        if (maybe(512))
                put(", eject: { failures: %u, time: %ums, share: %u%% }", between(1, 6),
                    between(100, 5000), between(1, 100));
        else if (maybe(512))
                put(", eject: off");
        if (it.is_calm)
                put(", circuit_breaker: off");
        else if (maybe(700))
                put(", circuit_breaker: { errors: %u%%, over: %us, min_requests: %u, open: %ums }",
                    between(1, 100), between(1, 10), between(1, 30), between(100, 5000));
}

static void put_targets(void)
{
        static const char *const hosts[] = {"10.0.1.1", "10.0.1.2", "10.0.1.3",     "10.0.1.4",
                                            "10.0.1.9", "svc.test", "other.svc.te", "[fd00::1]"};
        unsigned count = between(1, it.is_calm ? 4 : 5), first = between(0, 7);
        put("targets: [");
        for (unsigned i = 0; i < count; i++) {
                unsigned which = it.is_calm ? i : (first + i) % countof(hosts);
                put("%s{ url: \"http://%s:80%s\", weight: %u }", i > 0 ? ", " : "", hosts[which],
                    maybe(300) ? "/below" : "", between(it.is_calm ? 1 : 0, 3));
        }
        put("]");
}

static void put_upstreams(void)
{
        put("upstreams:\n");
        for (unsigned i = 0; i < 3; i++) {
                put("  u%u: { ", i);
                put_targets();
                put(", balance: %s, hash: %s",
                    ONE_OF("round_robin", "least_conn", "random", "hash"),
                    ONE_OF("ip", "path", "consumer", "\"header:X-Id\""));
                put_pool();
                if (maybe(100))
                        put(", slow_start: %us", between(1, 5));
                put(" }\n");
        }
}

/* What calls somebody else while the request waits. */
static void put_asking(void)
{
        put("  c:\n    upstream: u1\n    policies:\n");
        put("      forward_auth: { url: \"http://10.0.2.1:80/check\", timeout: %ums, "
            "request_headers: [X-Id], response_headers: [X-Verdict]%s }\n",
            it.is_calm ? 20000 : between(10, 3000),
            !it.is_calm && maybe(200) ? ", open: true" : "");
        const char *asked = it.is_calm ? "b" : ONE_OF("b", "b", "c", "d");
        put("  d:\n    upstream: u0\n");
        /* An API that always asks itself would be refused; one that seldom does not is not. */
        if (strcmp(asked, "d") == 0)
                put("    routes: { \"/{rest*}\": {}, \"/never\": { forward_auth: off } }\n");
        put("    policies:\n");
        put("      forward_auth: { api: %s, path: /check, timeout: %ums, "
            "request_headers: [X-Id], response_headers: [X-Verdict] }\n",
            asked, it.is_calm ? 20000 : between(10, 3000));
}

static void put_apis(void)
{
        put("apis:\n");
        put("  a:\n    upstream: u0\n");
        if (!it.is_calm && maybe(300))
                put("    routes: { \"GET /{id}\": {}, \"POST /{id}\": { body_limit: %uB }, "
                    "\"PUT /{rest*}\": { timeout: { total: %ums } } }\n",
                    (unsigned)some(100000), between(10, 5000));
        put("  b:\n    upstream: u%u\n", between(0, 1));
        if (!it.is_calm && maybe(512))
                put("    policies: { rate_limit: { rate: %u/s per %s, burst: %u } }\n",
                    between(1, 50), ONE_OF("ip", "consumer", "header:X-Id", "channel"),
                    between(0, 100));
        if (it.is_calm || maybe(800))
                put_asking();
        else
                put("  c: { upstream: u1 }\n  d: { upstream: u2 }\n");
        put("  e:\n    upstream: u2\n    policies:\n      rewrite: \"/v2{path}\"\n");
        if (!it.is_calm && maybe(512))
                put("      auth: api_key\n      rate_limit: 100/s per consumer\n");
        if (!it.is_calm && maybe(100))
                put("      redirect: \"https://elsewhere.test{path}{query}\"\n");
        put("  f: { upstream: u2, policies: { auth: %s, body_limit: off } }\n",
            it.is_calm ? "none" : "api_key");
}

struct str config_draw(unsigned generation)
{
        out = text_grow(&it.arena, 1 << 16);
        put_limits();
        put("listeners: { main: \"10.0.0.1:80\" }\nadmin: { address: off }\n");
        put_policies(generation);
        put_upstreams();
        put_apis();
        put("consumers:\n"
            "  anna: { api_key: \"key-of-anna\" }\n"
            "  bert: { api_key: \"key-of-bert\", tier: gold }\n"
            "tiers:\n  gold: { rate_limit: %u/s per consumer }\n",
            between(1, 1000));
        CHECK(!out.is_cut);
        return text_str(&out);
}
