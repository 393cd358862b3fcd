/* demo.c -- `gate demo`: the quick start of examples/ with a service behind it, on ports that are
 * free, with a key made for the occasion. */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/rand.h"
#include "cmd/embedded.h"
#include "cmd/gateway.h"
#include "cmd/launch.h"
#include "cmd/shop.h"
#include "roster/key.h"
#include "wire/yaml.h"

enum { DOCUMENT_MAX = 64 * 1024, PORT = 8080, ADMIN_PORT = 9901, SERVICE_PORT = 9000 };

#define KEY_VARIABLE     "QUICKSTART_KEY"
#define VISITOR_VARIABLE "QUICKSTART_VISITOR_KEY"

/* All there is of one demonstration; one per process, because the keeper's word that it serves
 * comes without an address. */
static struct demo {
        struct call *call;
        struct shop shop;
        unsigned port, admin;
        struct str socket;           /* empty: where it usually is */
        struct str key, visitor_key; /* each followed by a NUL */
        pid_t traffic;
} demo;

static struct str make_key(struct call *call)
{
        struct text text = text_grow(&call->arena, KEY_SIZE_MAX + 1);
        key_make(S("demo"), &text);
        text_char(&text, '\0');
        return str_from(text.at, text.len - 1);
}

/* The quick start on the ports that were found. */
static struct str make_document(struct call *call)
{
        struct json_trouble trouble;
        const struct json *base = NULL, *patch = NULL;
        struct text socket_text = text_grow(&call->arena, DOCUMENT_MAX);
        if (demo.socket.len > 0) {
                text_put(&socket_text, S(",\"socket\":\""));
                text_json(&socket_text, demo.socket);
                text_char(&socket_text, '"');
        }
        struct str socket = text_str(&socket_text);
        struct str text = arena_format(
                &call->arena,
                "{\"listeners\":{\"main\":{\"address\":\"localhost:%u\"}},"
                "\"admin\":{\"address\":\"localhost:%u\"" STR_FMT "},"
                "\"apis\":{\"orders\":{\"upstream\":\"http://localhost:%u/orders\"}}%s}",
                demo.port, demo.admin, STR_ARG(socket), demo.shop.port,
                call_has(call, "traffic")
                        ? ",\"consumers\":{\"visitor\":{\"api_key\":\"${env:" VISITOR_VARIABLE
                          "}\"}}"
                        : "");
        struct text out = text_grow(&call->arena, DOCUMENT_MAX);
        if (yaml_read(quickstart_yaml, NULL, &call->arena, &base, &trouble) != ERR_ok ||
            json_read(text, NULL, &call->arena, &patch, &trouble) != ERR_ok)
                return STR_NONE;
        json_write(json_merge(base, patch, &call->arena), JSON_PRETTY, &call->arena, &out);
        return text_str(&out);
}

/* ---- what is said ---- */

static void say_lines(const struct call *call)
{
        unsigned port = demo.port;
        const char *key = demo.key.ptr;
        call_say(call, "\n  Try, in another terminal:\n");
        call_say(call, "  200  curl -i -H 'X-API-Key: %s' http://localhost:%u/orders", key, port);
        call_say(call, "  401  curl -i http://localhost:%u/orders", port);
        call_say(call, "  404  curl -i -H 'X-API-Key: %s' http://localhost:%u/nothing", key, port);
        call_say(call,
                 "  429  for i in 1 2 3 4 5 6; do curl -i -H 'X-API-Key: %s' \\\n"
                 "         -d '{\"item\": \"tea\"}' http://localhost:%u/orders; done",
                 key, port);
        const char *name = launch_name(call), *where = "";
        if (demo.socket.len > 0)
                where = arena_cstr(&demo.call->arena,
                                   arena_format(&demo.call->arena, " --gateway " STR_FMT,
                                                STR_ARG(demo.socket)));
        call_say(call, "\n  See:  %s status%s", name, where);
        call_say(call, "        %s top%s", name, where);
        call_say(call, "        %s logs -f%s", name, where);
        call_say(call, "  The configuration: %s demo --print. Ctrl-C ends it all.\n", name);
}

static void served(const struct binder *binder)
{
        (void)binder;
        const struct call *call = demo.call;
        launch_say(call, true, "listening", "http://localhost:%u/orders", demo.port);
        launch_say(call, true, "service", "http://localhost:%u/orders, a sample behind it",
                   demo.shop.port);
        launch_say(call, true, "admin", "http://localhost:%u: /status /metrics /livez /readyz",
                   demo.admin);
        launch_say(call, true, "key", "%s (shown once)", demo.key.ptr);
        launch_say(call, true, "limits", "100/min per consumer, 5/min of new orders");
        if (demo.traffic > 0)
                launch_say(call, true, "traffic", "made up, by the consumer `visitor`");
        say_lines(call);
}

/* ---- traffic ---- */

struct kind {
        unsigned weight; /* of 100 */
        const char *method, *target, *body;
        bool has_key;
};

static const struct kind kinds[] = {
        {55, "GET", "/orders", "", true},   {25, "GET", "/orders/1", "", true},
        {5, "GET", "/orders/77", "", true}, {8, "POST", "/orders", "{\"item\":\"tea\"}", true},
        {4, "GET", "/orders", "", false},   {3, "GET", "/nothing", "", true},
};

static const struct kind *pick_kind(void)
{
        uint64_t number = rand_below(100);
        for (size_t i = 0; i < countof(kinds); i++) {
                if (number < kinds[i].weight)
                        return &kinds[i];
                number -= kinds[i].weight;
        }
        return &kinds[0];
}

static void visit(const struct gateway *gateway, struct str key_field)
{
        const struct kind *kind = pick_kind();
        struct question question = {str_of(kind->method), str_of(kind->target),
                                    .fields = kind->has_key ? key_field : S(""),
                                    .body = str_of(kind->body)};
        struct reply reply;
        struct arena arena;
        arena_init(&arena, NULL, 1 << 20);
        if (gateway_try(gateway, &question, &arena, &reply) != ERR_ok)
                sleep(1); /* it starts, or it stops */
        arena_fini(&arena);
}

/* One or two requests a second, for ever: a little more than the limit allows. */
static void make_traffic(void)
{
        struct arena *arena = &demo.call->arena;
        struct host_port host_port = {S("localhost"), demo.port};
        struct gateway gateway = {.timeout_ns = 5 * SECOND};
        struct str field = arena_format(arena, "X-API-Key: %s\r\n", demo.visitor_key.ptr);
        if (places_of(arena, &host_port, &gateway.place, 1) == 0)
                return;
        for (;;) {
                uint64_t pause_ms = 200 + rand_below(600);
                struct timespec pause = {.tv_nsec = (long)pause_ms * 1000000};
                nanosleep(&pause, NULL);
                visit(&gateway, field);
        }
}

static void start_traffic(void)
{
        pid_t parent = getpid();
        demo.traffic = fork();
        if (demo.traffic != 0)
                return;
        launch_settle(parent);
        prctl(PR_SET_NAME, "gate-traffic");
        make_traffic();
        _exit(EXIT_done);
}

/* ---- the command ---- */

static int start(struct call *call)
{
        demo.port = port_pick(PORT);
        demo.admin = port_pick(ADMIN_PORT);
        if (demo.port == 0 || demo.admin == 0)
                return call_fail(call, EXIT_system, NULL, "there is no free port from %d on",
                                 demo.port == 0 ? PORT : ADMIN_PORT);
        demo.socket = launch_socket(call);
        demo.key = make_key(call);
        demo.visitor_key = make_key(call);
        setenv(KEY_VARIABLE, demo.key.ptr, 1);
        setenv(VISITOR_VARIABLE, demo.visitor_key.ptr, 1);
        struct str document = make_document(call);
        if (document.len == 0)
                return call_fail(call, EXIT_fault, NULL, "the quick start cannot be read");

        int code = launch_check(call, document, S("quickstart"));
        if (code != EXIT_done)
                return code;
        if (call_has(call, "traffic"))
                start_traffic();
        return launch_run(call, document, S("gate demo"), served);
}

static int run(struct call *call)
{
        int code;
        if (call_has(call, "print")) {
                call_put(call, quickstart_yaml);
                return EXIT_done;
        }
        demo.call = call;
        if (!shop_start(call, SERVICE_PORT, &demo.shop, &code))
                return code;
        code = start(call);
        shop_stop(&demo.shop);
        return code;
}

const struct command command_demo = {
        .name = "demo",
        .group = GROUP_start,
        .line = "a working gateway with a sample service behind it, nothing to configure",
        .flags = (const struct flag[]){{"traffic",
                                        .text = "Also make requests, a little more of them than "
                                                "the limit allows."},
                                       {"print", .text = "Print the configuration and start "
                                                         "nothing."},
                                       {0}},
        .paragraphs = COMMAND_TEXT(
                "It says what listens where, a key that is made for the occasion, and command "
                "lines that show what is let through and what is refused. Ports that are taken "
                "are passed over. Ctrl-C ends everything; nothing is left behind.",
                "Its configuration is `examples/quickstart/gateway.yaml`."),
        .samples = (const struct sample[]){{"gate demo", "Look around."},
                                           {"gate demo --traffic",
                                            "See something happen in `gate top`."},
                                           {"gate demo --print > gateway.yaml", "Begin with it."},
                                           {0}},
        .exits = COMMAND_EXITS(EXIT_system),
        .run = run,
};
