/* status.c -- `gate status`: a running gate on one screen. */
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd/gateway.h"
#include "cmd/show.h"

enum { SCREEN_MAX = 16 << 20, ROWS_MAX = 50, NAME_MAX_SHOWN = 40, HASH_SHOWN = 12 };

struct screen {
        struct call *call;
        struct arena *arena;
        const struct json *root;
        struct text *out;
        bool is_colored;
};

static void color(struct screen *screen, enum show_color color, struct str text)
{
        show_color(screen->out, screen->is_colored, color, text);
}

/* The word in front of a line. */
static void head(struct screen *screen, const char *word)
{
        struct str line = arena_format(screen->arena, "%-12s", word);
        color(screen, SHOW_DIM, line);
}

static void put_seconds(struct screen *screen, const struct json *object, const char *key)
{
        show_seconds(screen->out, show_u64(object, key));
}

/* ---- what runs ---- */

static void put_reasons(struct screen *screen)
{
        json_each (reason, json_get(screen->root, S("reasons"))) {
                text_put(screen->out, S(": "));
                show_text(screen->out, json_str(reason, screen->arena), 200);
        }
}

static void put_process(struct screen *screen)
{
        const struct json *root = screen->root;
        struct text *out = screen->out;
        struct str name = arena_format(screen->arena, "gate " STR_FMT,
                                       STR_ARG(show_str(root, "version", screen->arena)));
        color(screen, SHOW_BOLD, name);
        text_put(out, S("  "));
        if (show_is(root, "ready"))
                color(screen, SHOW_GOOD, S("✓ ready"));
        else
                color(screen, SHOW_BAD,
                      show_is(root, "draining") ? S("! draining") : S("✗ not ready"));
        put_reasons(screen);
        text_put(out, S("  up "));
        put_seconds(screen, root, "uptime");
        text_format(out, "  " STR_FMT ", pid %llu\n\n",
                    STR_ARG(show_str(root, "instance", screen->arena)),
                    (unsigned long long)show_u64(root, "pid"));
}

static void put_reload(struct screen *screen, const struct json *config)
{
        const struct json *reload = json_get(config, S("reload"));
        if (reload == NULL || json_is_str(json_get(reload, S("result")), S("success")))
                return;
        head(screen, "");
        color(screen, SHOW_BAD, S("✗ the last reload was refused"));
        text_format(screen->out, ", " STR_FMT "; the one before stays in force\n",
                    STR_ARG(show_str(reload, "time", screen->arena)));
        struct str rest = json_str(json_get(reload, S("error")), screen->arena);
        while (rest.len > 0) {
                struct str line = str_cut(&rest, '\n');
                head(screen, "");
                show_text(screen->out, line, 160);
                text_char(screen->out, '\n');
        }
}

static void put_config(struct screen *screen)
{
        const struct json *config = json_get(screen->root, S("config"));
        struct str path = show_str(config, "path", screen->arena);
        struct str hash = show_str(config, "hash", screen->arena);
        head(screen, "config");
        text_put(screen->out, path.len > 0 ? path : S("given as text"));
        text_format(screen->out, "  " STR_FMT "  in force for ",
                    STR_ARG(str_first(hash, HASH_SHOWN)));
        put_seconds(screen, config, "age");
        text_char(screen->out, '\n');
        put_reload(screen, config);
}

static void put_listeners(struct screen *screen)
{
        const char *word = "listeners";
        json_each (listener, json_get(screen->root, S("listeners"))) {
                struct str address = show_str(listener, "address", screen->arena);
                head(screen, word);
                word = "";
                color(screen, SHOW_PLAIN, show_is(listener, "tls") ? S("https://") : S("http://"));
                text_put(screen->out, address);
                text_format(screen->out, "  " STR_FMT "\n",
                            STR_ARG(show_str(listener, "name", screen->arena)));
        }
}

/* Those that go on for a while yet: no line. */
static void put_certificates(struct screen *screen)
{
        enum { SOON_DAYS = 30 };
        json_each (cert, json_get(screen->root, S("certificates"))) {
                bool is_valid = show_is(cert, "valid");
                uint64_t days = show_u64(cert, "days");
                struct text text = text_grow(screen->arena, 512);
                if (is_valid && days > SOON_DAYS)
                        continue;
                head(screen, "certificate");
                show_text(&text, json_str(json_at(json_get(cert, S("names")), 0), screen->arena),
                          NAME_MAX_SHOWN);
                text_format(&text, " of listener " STR_FMT,
                            STR_ARG(show_str(cert, "listener", screen->arena)));
                if (is_valid)
                        text_format(&text, " expires in %llu days", (unsigned long long)days);
                else
                        text_put(&text, S(" is not valid now"));
                color(screen, is_valid ? SHOW_WARN : SHOW_BAD, text_str(&text));
                text_char(screen->out, '\n');
        }
}

/* ---- what it does ---- */

static void put_rate(struct screen *screen, const struct json *object, const char *key,
                     const char *word, enum show_color bad)
{
        uint64_t milli = show_scaled(object, key, 3);
        struct text text = text_grow(screen->arena, 64);
        show_milli(&text, milli);
        text_put(&text, str_of(word));
        color(screen, milli > 0 ? bad : SHOW_PLAIN, text_str(&text));
}

static void put_latency(struct screen *screen, const struct json *object, const char *key)
{
        text_format(screen->out, "  %s ", key);
        show_ns(screen->out, show_scaled(object, key, 9));
}

static void put_traffic(struct screen *screen)
{
        const struct json *requests = json_get(screen->root, S("requests"));
        struct text *out = screen->out;
        head(screen, "requests");
        put_rate(screen, requests, "per_second", "/s", SHOW_PLAIN);
        put_latency(screen, requests, "p50");
        put_latency(screen, requests, "p95");
        put_latency(screen, requests, "p99");
        text_put(out, S("  4xx "));
        put_rate(screen, requests, "errors_4xx_per_second", "/s", SHOW_WARN);
        text_put(out, S("  5xx "));
        put_rate(screen, requests, "errors_5xx_per_second", "/s", SHOW_BAD);
        text_char(out, '\n');
        head(screen, "");
        show_number(out, show_u64(requests, "total"));
        text_put(out, S(" so far, "));
        show_number(out, show_u64(requests, "active"));
        text_put(out, S(" in hand\n"));
}

static void put_named(struct screen *screen, const struct json *object, const char *key,
                      const char *words)
{
        show_number(screen->out, show_u64(object, key));
        text_put(screen->out, str_of(words));
}

static void put_connections(struct screen *screen)
{
        const struct json *connections = json_get(screen->root, S("connections"));
        bool is_bad = show_u64(connections, "refused") > 0;
        struct text refused = text_grow(screen->arena, 64);
        head(screen, "connections");
        put_named(screen, connections, "active", " active, ");
        put_named(screen, connections, "idle", " idle, ");
        put_named(screen, connections, "accepted", " accepted, ");
        show_number(&refused, show_u64(connections, "refused"));
        text_put(&refused, S(" refused"));
        color(screen, is_bad ? SHOW_WARN : SHOW_PLAIN, text_str(&refused));
        text_char(screen->out, '\n');
}

static void put_machine(struct screen *screen)
{
        const struct json *process = json_get(screen->root, S("process"));
        struct text *out = screen->out;
        head(screen, "process");
        put_named(screen, screen->root, "workers", " workers, memory ");
        show_bytes(out, show_u64(process, "rss"));
        text_put(out, S(", CPU time "));
        show_seconds(out, show_u64(process, "cpu"));
        text_put(out, S(", "));
        put_named(screen, process, "fds", " of ");
        put_named(screen, process, "fds_max", " descriptors\n");
}

/* Nothing to see: no line. */
static void put_drops(struct screen *screen)
{
        static const struct {
                const char *part, *key, *words;
        } drops[] = {
                {"log", "dropped_ring", "log records dropped: the steward was too slow"},
                {"log", "dropped_target", "log records dropped: the log takes no more"},
                {"log", "dropped_flood", "refused heads told in sum"},
                {"limit_cells", "known_evicted", "limits of consumers forgotten too early"},
                {"limit_cells", "strangers_evicted", "limits of addresses forgotten too early"},
        };
        for (size_t i = 0; i < countof(drops); i++) {
                const struct json *part = json_get(screen->root, str_of(drops[i].part));
                struct text text = text_grow(screen->arena, 128);
                if (show_u64(part, drops[i].key) == 0)
                        continue;
                head(screen, "drops");
                show_number(&text, show_u64(part, drops[i].key));
                text_format(&text, " %s", drops[i].words);
                color(screen, SHOW_WARN, text_str(&text));
                text_char(screen->out, '\n');
        }
}

static void put_roster(struct screen *screen)
{
        const struct json *roster = json_get(screen->root, S("roster"));
        head(screen, "roster");
        bool is_one = show_u64(roster, "consumers") == 1, is_key = show_u64(roster, "keys") == 1;
        put_named(screen, roster, "consumers", is_one ? " consumer, " : " consumers, ");
        put_named(screen, roster, "keys", is_key ? " key\n" : " keys\n");
}

/* ---- lists ---- */

static struct str cell_number(struct screen *screen, const struct json *object, const char *key)
{
        struct text text = text_grow(screen->arena, 64);
        show_number(&text, show_u64(object, key));
        return text_str(&text);
}

static struct str cell_rate(struct screen *screen, const struct json *object, const char *key)
{
        struct text text = text_grow(screen->arena, 64);
        show_milli(&text, show_scaled(object, key, 3));
        return text_str(&text);
}

static struct str cell_ns(struct screen *screen, const struct json *object, const char *key)
{
        struct text text = text_grow(screen->arena, 64);
        show_ns(&text, show_scaled(object, key, 9));
        return text_str(&text);
}

static struct str cell_name(struct screen *screen, const struct json *object, const char *key)
{
        struct text text = text_grow(screen->arena, 256);
        show_text(&text, json_str(json_get(object, str_of(key)), screen->arena), NAME_MAX_SHOWN);
        return text.at == NULL ? S("(none)") : text_str(&text);
}

static void put_table(struct screen *screen, const struct table *table)
{
        struct table_look look = {.indent = "", .most = ROWS_MAX, .is_colored = screen->is_colored};
        size_t rows = table->count / table->columns_count;
        if (rows == 0)
                return;
        text_char(screen->out, '\n');
        table_write(table, &look, screen->out);
        if (rows > ROWS_MAX)
                text_format(screen->out, "and %zu more; --json has all\n", rows - ROWS_MAX);
}

static void put_apis(struct screen *screen)
{
        static const struct column columns[] = {
                {"API", false}, {"REQUESTS", true}, {"/S", true},  {"P50", true},
                {"P99", true},  {"4XX", true},      {"5XX", true}, {"LIMITED", true},
        };
        struct table table;
        table_init(&table, screen->arena, columns, countof(columns));
        json_each (api, json_get(screen->root, S("apis"))) {
                table_add(&table, cell_name(screen, api, "name"));
                table_add(&table, cell_number(screen, api, "requests"));
                table_add(&table, cell_rate(screen, api, "per_second"));
                table_add(&table, cell_ns(screen, api, "p50"));
                table_add(&table, cell_ns(screen, api, "p99"));
                table_add(&table, cell_number(screen, api, "errors_4xx"));
                table_add(&table, cell_number(screen, api, "errors_5xx"));
                table_add(&table, cell_number(screen, api, "rate_limited"));
        }
        put_table(screen, &table);
}

static bool circuit_is_open(const struct screen *screen, struct str name)
{
        json_each (upstream, json_get(screen->root, S("upstreams"))) {
                if (str_eq(json_str(json_get(upstream, S("name")), screen->arena), name))
                        return show_is(upstream, "circuit_open");
        }
        return false;
}

static struct str cell_health(struct screen *screen, const struct json *target)
{
        struct text text = text_grow(screen->arena, 64);
        struct str name = json_str(json_get(target, S("upstream")), screen->arena);
        if (!show_is(target, "healthy"))
                show_color(&text, screen->is_colored, SHOW_BAD, S("✗ ejected"));
        else if (circuit_is_open(screen, name))
                show_color(&text, screen->is_colored, SHOW_BAD, S("! circuit open"));
        else if (show_is(target, "standby"))
                show_color(&text, screen->is_colored, SHOW_DIM, S("- standby"));
        else if (show_scaled(target, "share", 3) < 1000)
                show_color(&text, screen->is_colored, SHOW_WARN, S("! coming back"));
        else
                show_color(&text, screen->is_colored, SHOW_GOOD, S("✓ healthy"));
        return text_str(&text);
}

static void put_targets(struct screen *screen)
{
        static const struct column columns[] = {
                {"UPSTREAM", false}, {"ADDRESS", false}, {"HEALTH", false},
                {"ACTIVE", true},    {"OPEN", true},     {"EJECTED", true},
        };
        struct table table;
        table_init(&table, screen->arena, columns, countof(columns));
        json_each (target, json_get(screen->root, S("targets"))) {
                struct str name = cell_name(screen, target, "upstream");
                struct str url = cell_name(screen, target, "target");
                if (!str_eq(name, url))
                        name = arena_format(screen->arena, STR_FMT " " STR_FMT, STR_ARG(name),
                                            STR_ARG(url));
                table_add(&table, name);
                table_add(&table, cell_name(screen, target, "address"));
                table_add(&table, cell_health(screen, target));
                table_add(&table, cell_number(screen, target, "active"));
                table_add(&table, cell_number(screen, target, "connections"));
                table_add(&table, cell_number(screen, target, "ejections"));
        }
        put_table(screen, &table);
}

static void put_screen(struct screen *screen)
{
        put_process(screen);
        put_config(screen);
        put_listeners(screen);
        put_certificates(screen);
        put_traffic(screen);
        put_connections(screen);
        put_machine(screen);
        put_roster(screen);
        put_drops(screen);
        put_apis(screen);
        put_targets(screen);
}

static int run(struct call *call)
{
        struct question question = {S("GET"), S("/status")};
        struct text out = text_grow(&call->arena, SCREEN_MAX);
        struct gateway gateway;
        struct reply reply;
        int code;
        if (!gateway_find(call, GATEWAY_TELLS, &gateway, &code) ||
            !gateway_ask(call, &gateway, &question, &reply, &code))
                return code;
        const struct json *root = reply_json(&reply, &call->arena);
        if (reply.status != 200 || json_get(root, S("version")) == NULL)
                return reply_complain(call, &reply, "what answers there tells no status");
        if (call->is_json) {
                call_put(call, reply.body);
        } else {
                struct screen screen = {call, &call->arena, root, &out, call->colors_out};
                put_screen(&screen);
                call_put(call, text_str(&out));
        }
        return show_is(root, "ready") ? EXIT_done : EXIT_no;
}

const struct command command_status = {
        .name = "status",
        .group = GROUP_operate,
        .line = "a running gate on one screen",
        .paragraphs = COMMAND_TEXT(
                "What runs, which configuration is in force and since when, what became of the "
                "last reload, listeners, requests of the last seconds, connections, what was "
                "dropped, APIs, and the health of every target.",
                "The exit code is 1 when the gate is not ready. With --json it prints what "
                "`/status` on the admin address answers."),
        .samples = (const struct sample[]){{"gate status", "The gate on this machine."},
                                           {"gate status --json | jq .requests.per_second",
                                            "For a program."},
                                           {0}},
        .exits = COMMAND_EXITS(EXIT_no, EXIT_unavailable),
        .run = run,
};
