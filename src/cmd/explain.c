/* explain.c -- `gate explain`: one request walked through the configuration, without sending
 * anything. */
#include "cmd/explain_int.h"
#include "cmd/reading.h"
#include "io/file.h"

enum { BODY_MAX = 16 << 20, REQUEST_MAX = 17 << 20 };

/* The URL that was asked for, taken apart as it was written. */
struct asked {
        struct str host; /* with port; empty: none was given */
        struct str target;
        uint16_t port; /* 0: none */
        bool is_secure, has_scheme;
};

static uint16_t port_of(struct str host, uint16_t otherwise)
{
        uint64_t port;
        ptrdiff_t at = -1;
        for (size_t i = 0; i < host.len; i++) {
                if (host.ptr[i] == ':')
                        at = (ptrdiff_t)i;
                else if (host.ptr[i] == ']')
                        at = -1;
        }
        if (at < 0 || str_to_u64(str_skip(host, (size_t)at + 1), &port) != ERR_ok || port > 65535)
                return otherwise;
        return (uint16_t)port;
}

static bool take_url(struct call *call, struct str url, struct asked *asked)
{
        struct str rest = url;
        *asked = (struct asked){.is_secure = str_starts(url, S("https://"))};
        asked->has_scheme = asked->is_secure || str_starts(url, S("http://"));
        if (str_starts(url, S("/")) || str_is(url, "*")) {
                asked->target = url;
                return true;
        }
        if (!asked->has_scheme) {
                call_fail(call, EXIT_usage, "write http://HOST/PATH, or /PATH",
                          "`" STR_FMT "` is no URL", STR_ARG(url));
                return false;
        }
        rest = str_skip(url, asked->is_secure ? 8 : 7);
        size_t end = 0;
        while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?')
                end++;
        asked->host = str_first(rest, end);
        asked->port = port_of(asked->host, asked->is_secure ? 443 : 80);
        rest = str_skip(rest, end);
        asked->target = rest.len == 0 ? S("/")
                        : rest.ptr[0] == '/'
                                ? rest
                                : arena_format(&call->arena, "/" STR_FMT, STR_ARG(rest));
        return true;
}

/* ---- the request ---- */

static bool has_line_end(struct str text)
{
        return str_find(text, '\r') >= 0 || str_find(text, '\n') >= 0;
}

static bool read_body(struct call *call, struct str given, struct str *ret_body, int *ret_code)
{
        struct file file;
        *ret_body = given;
        if (!str_starts(given, S("@")))
                return true;
        struct str path = str_skip(given, 1);
        if (str_is(path, "-")) {
                *ret_body = call_input(call);
                return true;
        }
        enum err err = file_read(path, BODY_MAX, &call->arena, &file);
        if (err == ERR_ok) {
                *ret_body = file.text;
                return true;
        }
        *ret_code = call_fail(call, EXIT_missing, NULL, "cannot read " STR_FMT ": %s",
                              STR_ARG(path), err_text(err));
        return false;
}

/* Puts the fields of -H; true in *ret_has_host when one of them is Host. */
static bool put_fields(struct call *call, struct text *out, bool *ret_has_host, int *ret_code)
{
        struct str line;
        *ret_has_host = false;
        for (size_t i = 0; call_each(call, "header", &i, &line);) {
                struct str value = line, name = str_cut(&value, ':');
                if (value.ptr == NULL || has_line_end(line)) {
                        *ret_code = call_fail(call, EXIT_usage, "write -H 'Name: value'",
                                              "`" STR_FMT "` is no header field", STR_ARG(line));
                        return false;
                }
                *ret_has_host |= str_eq_nocase(name, S("Host"));
                text_format(out, STR_FMT ": " STR_FMT "\r\n", STR_ARG(name),
                            STR_ARG(str_trim(value)));
        }
        return true;
}

/* The proof of who calls: --as makes one up, --key and --key-file are the caller's own. */
static bool put_key(struct call *call, struct rehearsal *rehearsal, struct text *out, int *ret_code)
{
        struct str consumer = call_flag(call, "as"), key = call_flag(call, "key");
        struct str path = call_flag(call, "key-file");
        struct file file;
        if (consumer.ptr != NULL) {
                key = rehearsal_key(rehearsal, consumer);
                *ret_code = key.ptr != NULL ? EXIT_done
                                            : call_fail(call, EXIT_usage, "see `consumers`",
                                                        "there is no consumer `" STR_FMT "`",
                                                        STR_ARG(consumer));
        } else if (path.ptr != NULL) {
                enum err err = file_read(path, 4096, &call->arena, &file);
                key = err == ERR_ok ? str_trim(file.text) : STR_NONE;
                while (str_ends(key, S("\n")))
                        key.len--;
                *ret_code = err == ERR_ok ? EXIT_done
                                          : call_fail(call, EXIT_missing, NULL,
                                                      "cannot read " STR_FMT ": %s", STR_ARG(path),
                                                      err_text(err));
        }
        if (*ret_code == EXIT_done && has_line_end(key))
                *ret_code = call_fail(call, EXIT_usage, NULL, "a key is one line");
        if (*ret_code == EXIT_done && key.ptr != NULL)
                text_format(out, "X-API-Key: " STR_FMT "\r\n", STR_ARG(key));
        return *ret_code == EXIT_done;
}

static bool write_request(struct call *call, struct rehearsal *rehearsal, const struct asked *asked,
                          struct text *out, int *ret_code)
{
        struct str method = call->operands_count > 1 ? call->operands[0] : S("GET");
        struct str body = call_flag(call, "data");
        bool has_host;
        if (has_line_end(method) || has_line_end(asked->target) || has_line_end(asked->host)) {
                *ret_code = call_fail(call, EXIT_usage, NULL, "a request line is one line");
                return false;
        }
        if (!read_body(call, body, &body, ret_code))
                return false;
        text_format(out, STR_FMT " " STR_FMT " HTTP/1.1\r\n", STR_ARG(method),
                    STR_ARG(asked->target));
        if (!put_fields(call, out, &has_host, ret_code) || !put_key(call, rehearsal, out, ret_code))
                return false;
        if (!has_host)
                text_format(out, "Host: " STR_FMT "\r\n",
                            STR_ARG(asked->host.len > 0 ? asked->host : S("localhost")));
        if (body.ptr != NULL)
                text_format(out, "Content-Length: %zu\r\n", body.len);
        text_put(out, S("\r\n"));
        if (body.ptr != NULL)
                text_put(out, body);
        return true;
}

/* ---- which way in ---- */

static bool offers_host(const struct snapshot *snapshot, uint32_t listener, struct str host)
{
        struct route_ask ask = {.listener = listener, .path = S("/"), .method = S("GET")};
        struct route_result found;
        struct fields fields = {0};
        size_t end = 0;
        while (end < host.len && host.ptr[end] != ':')
                end++;
        ask.host = str_first(host, end);
        ask.fields = &fields;
        return route_find(snapshot->routes, &ask, &found) != ROUTE_NO_HOST;
}

/* The listener of that name; else one of the URL's port that knows the host; else one that knows
 * the host; else the first. */
static bool find_listener(struct call *call, const struct snapshot *snapshot,
                          const struct asked *asked, uint32_t *ret_listener)
{
        struct str name = call_flag(call, "listener");
        int best = -1;
        *ret_listener = 0;
        for (uint32_t i = 0; i < snapshot->listener_count; i++) {
                const struct listener_rules *rules = &snapshot->listeners[i];
                int rank = 0;
                if (name.ptr != NULL && str_eq(rules->name, name))
                        rank = 8;
                if (asked->port != 0 && rules->address.port == asked->port)
                        rank += 2;
                if (asked->host.len == 0 || offers_host(snapshot, i, asked->host))
                        rank += 1;
                if (rank > best) {
                        best = rank;
                        *ret_listener = i;
                }
        }
        if (name.ptr == NULL || best >= 8)
                return true;
        call_fail(call, EXIT_usage, "see `listeners`", "there is no listener `" STR_FMT "`",
                  STR_ARG(name));
        return false;
}

static bool find_caller(struct call *call, struct addr *ret_caller)
{
        struct str ip = call_flag(call, "ip");
        if (addr_read_ip(ip.ptr == NULL ? S("192.0.2.1") : ip, 49152, ret_caller) == ERR_ok)
                return true;
        call_fail(call, EXIT_usage, NULL, "`" STR_FMT "` is no address", STR_ARG(ip));
        return false;
}

/* ---- the whole ---- */

static int play(struct call *call, struct rehearsal *rehearsal, const struct asked *asked)
{
        struct text request = text_grow(&call->arena, REQUEST_MAX);
        struct cue cue = {.is_secure = asked->is_secure};
        struct explain_live live = {0};
        struct played *played = arena_new(&call->arena, struct played);
        int code = EXIT_done;
        if (!find_caller(call, &cue.caller) ||
            !find_listener(call, rehearsal_snapshot(rehearsal), asked, &cue.listener))
                return EXIT_usage;
        if (!write_request(call, rehearsal, asked, &request, &code))
                return code;
        if (request.is_cut)
                return call_fail(call, EXIT_data, NULL, "the request is too large to be explained");
        if (call_has(call, "live") && !explain_live_begin(call, &live, &code))
                return code;
        if (live.call != NULL)
                cue.counted = (struct counted){&live, explain_live_ahead};
        cue.request = text_str(&request);
        rehearsal_play(rehearsal, &cue, played);
        if (live.code != EXIT_done)
                return live.code;
        struct explained explained = {
                .call = call,
                .snapshot = rehearsal_snapshot(rehearsal),
                .method = call->operands_count > 1 ? call->operands[0] : S("GET"),
                .url = call->operands[call->operands_count - 1],
                .listener = cue.listener,
                .played = played,
                .live = live.call != NULL ? &live : NULL,
        };
        if (call->is_json)
                explain_show_json(&explained);
        else
                explain_show(&explained);
        return call_has(call, "exit-code") && explained_is_no(&explained) ? EXIT_no : EXIT_done;
}

static int run(struct call *call)
{
        struct asked asked;
        int code = EXIT_done;
        if (!take_url(call, call->operands[call->operands_count - 1], &asked))
                return EXIT_usage;
        struct bundle *bundle = reading_good(call, &code);
        if (bundle == NULL)
                return code;
        struct rehearsal *rehearsal = rehearsal_make(bundle, true);
        if (rehearsal == NULL)
                return reading_refuse(call, bundle);
        code = play(call, rehearsal, &asked);
        rehearsal_free(rehearsal);
        return code;
}

const struct command command_explain = {
        .name = "explain",
        .group = GROUP_understand,
        .line = "walk one request through routing and policies, sending nothing",
        .operands = "[METHOD] URL",
        .operands_least = 1,
        .operands_most = 2,
        .flags =
                (const struct flag[]){
                        {"as", .kind = FLAG_TEXT, .value = "CONSUMER",
                         .text = "As if this consumer called, with a key made up for it."},
                        {"key", .kind = FLAG_TEXT, .value = "KEY",
                         .text = "With this API key. What stands on a command line can be seen by "
                                 "others on "
                                 "the machine: for a real key use --key-file, or GATE_KEY."},
                        {"key-file", .kind = FLAG_FILE, .value = "FILE",
                         .text = "With the API key in this file."},
                        {"header", 'H', FLAG_TEXT, true, "'NAME: VALUE'",
                         "With this header field."},
                        {"data", 'd', FLAG_TEXT, false, "TEXT|@FILE",
                         "With this body; `@FILE` is what a file holds, `@-` standard input."},
                        {"ip", .kind = FLAG_TEXT, .value = "ADDRESS",
                         .text = "As if from this address; 192.0.2.1 when not given."},
                        {"listener", .kind = FLAG_TEXT, .value = "NAME",
                         .text = "Through this listener; else one that has the URL's port and "
                                 "knows its "
                                 "host."},
                        {"live",
                         .text = "Begin limits where they stand in the running gate, and say what "
                                 "it served and how its servers are."},
                        {"exit-code", .text = "Exit with 1 when the gateway refuses the request."},
                        {0}},
        .paragraphs = COMMAND_TEXT(
                "The configuration is compiled as for traffic, and the request is served by a gate "
                "in memory, by the code that serves callers. Nothing is sent anywhere: the "
                "upstream "
                "is taken to answer 200, and so is what policies ask elsewhere. Limits begin "
                "unused; with --live they begin as a running gate has counted (but those per "
                "credential), and the request is not counted there.",
                "Each line has its place in the configuration; `enforced` marks a floor, `was` "
                "what "
                "a lower level took the place of. With --verbose it also shows what the upstream "
                "would get, and the answer."),
        .samples = (const struct sample[]){{"gate explain POST https://api.example.com/orders --as "
                                            "acme -d @order.json",
                                            "Would acme's order go through?"},
                                           {"gate explain /orders --ip 203.0.113.9 -v",
                                            "Without a key, from that address."},
                                           {"gate explain /orders --as acme --live",
                                            "What has acme left, now?"},
                                           {"gate explain /health --exit-code -q",
                                            "As a test of the configuration."},
                                           {0}},
        .exits = COMMAND_EXITS(EXIT_no, EXIT_missing, EXIT_unavailable, EXIT_config),
        .run = run,
};
