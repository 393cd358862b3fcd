/* proxy.c -- `gate proxy`: a gateway of one line. What the flags say becomes a configuration, which
 * is run at once, or written for `gate run`. */
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/folder.h"
#include "cmd/gateway.h"
#include "cmd/launch.h"
#include "io/file.h"
#include "main/privs.h"
#include "roster/key.h"

enum {
        DOCUMENT_MAX = 256 * 1024,
        PORT = 8080,
        ADMIN_PORT = 9901,
        ORIGINS_MAX = 64,
        KEY_FILE_MAX = 4096,
        PROBES_MAX = 8,
};

#define KEY_VARIABLE "GATEHOUSE_PROXY_KEY"
#define PROBE_NS     (500 * MILLISECOND)

/* What was asked for. One per process: the keeper's word that it serves comes without an address.
 */
static struct plan {
        struct call *call;
        struct str *urls; /* with their scheme */
        size_t urls_count;
        struct host_port listen;
        struct str limit; /* empty: none */
        struct rate rate;
        struct str origins[ORIGINS_MAX];
        size_t origins_count;
        bool has_auth, needs_key; /* --auth was given; it is api_key */
        struct str key;           /* followed by a NUL */
        struct str key_reference; /* what the configuration says instead of it */
        struct str key_file;      /* empty: kept nowhere */
        unsigned admin;
        struct str socket; /* empty: where it usually is */
        struct str write;  /* empty: run it */
} plan;

/* ---- reading the flags ---- */

static int bad_url(struct call *call, struct str url)
{
        return call_fail(call, EXIT_usage, "gate proxy http://localhost:9000",
                         "`" STR_FMT "` is no address of a service", STR_ARG(url));
}

/* http://HOST[:PORT][/PATH]; without a scheme it is http, a number alone is a port of this machine.
 */
static int read_urls(struct call *call)
{
        plan.urls_count = call->operands_count;
        plan.urls = arena_array(&call->arena, struct str, plan.urls_count);
        for (size_t i = 0; i < plan.urls_count; i++) {
                struct str given = call->operands[i];
                struct url url;
                uint64_t port;
                if (str_to_u64(given, &port) == ERR_ok)
                        given = arena_format(&call->arena, "localhost:" STR_FMT, STR_ARG(given));
                if (str_find_str(given, S("://")) < 0)
                        given = arena_format(&call->arena, "http://" STR_FMT, STR_ARG(given));
                if (str_starts(given, S("https://")))
                        return call_fail(call, EXIT_usage, "speak to it by http:// where you can",
                                         "TLS to services is not in this version: " STR_FMT,
                                         STR_ARG(given));
                if (url_read(given, &url) != ERR_ok || !str_is(url.scheme, "http"))
                        return bad_url(call, call->operands[i]);
                plan.urls[i] = given;
        }
        return EXIT_done;
}

static struct str listen_text(struct call *call)
{
        bool is_v6 = str_find(plan.listen.host, ':') >= 0;
        return arena_format(&call->arena, is_v6 ? "[" STR_FMT "]:%d" : STR_FMT ":%d",
                            STR_ARG(plan.listen.host), (int)plan.listen.port);
}

static int taken(struct call *call)
{
        struct str holder = port_holder(call, (unsigned)plan.listen.port);
        return call_fail(call, EXIT_system, "another one: --listen localhost:8081",
                         "port %d is taken%s" STR_FMT, (int)plan.listen.port,
                         holder.len > 0 ? " by " : "", STR_ARG(holder));
}

static int read_listen(struct call *call)
{
        struct str given = call_flag(call, "listen");
        uint64_t port;
        if (given.ptr == NULL) {
                bool is_now = plan.write.len == 0 || call_has(call, "run");
                plan.listen = (struct host_port){S("localhost"), is_now ? port_pick(PORT) : PORT};
                return plan.listen.port == 0 ? taken(call) : EXIT_done;
        }
        if (str_to_u64(given, &port) == ERR_ok && port > 0 && port <= UINT16_MAX) {
                plan.listen = (struct host_port){S("localhost"), (int64_t)port};
        } else if (host_port_read(given, &plan.listen) != ERR_ok) {
                return call_fail(call, EXIT_usage, "--listen localhost:8081, or :8080 for all",
                                 "`" STR_FMT "` is no address to listen on", STR_ARG(given));
        }
        bool is_local = host_is_loopback(plan.listen.host);
        if (!is_local && !plan.has_auth)
                return call_fail(call, EXIT_usage,
                                 "--auth api_key asks for a key; --auth none says that it is meant",
                                 "whoever reaches " STR_FMT " could call the service",
                                 STR_ARG(listen_text(call)));
        bool is_asked = str_is(plan.listen.host, "localhost") && plan.write.len == 0;
        if (is_asked && port_pick((unsigned)plan.listen.port) != (unsigned)plan.listen.port)
                return taken(call);
        return EXIT_done;
}

static int read_limit(struct call *call)
{
        plan.limit = call_flag(call, "limit");
        if (plan.limit.ptr == NULL || rate_read(plan.limit, &plan.rate) == ERR_ok)
                return EXIT_done;
        return call_fail(
                call, EXIT_usage, "write `100/min`; also: `50/s per consumer`, `1000/month per ip`",
                "cannot read `" STR_FMT "` as a rate: it is COUNT/PERIOD", STR_ARG(plan.limit));
}

static int read_origins(struct call *call)
{
        struct str origin;
        for (size_t i = 0; call_each(call, "cors", &i, &origin);) {
                if (plan.origins_count == ORIGINS_MAX)
                        return call_fail(call, EXIT_usage, NULL, "too many origins");
                plan.origins[plan.origins_count++] = origin;
        }
        return EXIT_done;
}

static int read_flags(struct call *call)
{
        plan.call = call;
        plan.has_auth = call_has(call, "auth");
        plan.needs_key = str_is(call_flag(call, "auth"), "api_key");
        plan.write = call_flag(call, "write");
        if (plan.write.ptr != NULL && plan.write.len == 0)
                return call_fail(call, EXIT_usage, NULL, "--write needs the name of a file");
        if (call_has(call, "key-file") && !plan.needs_key)
                return call_fail(call, EXIT_usage, "add --auth api_key",
                                 "--key-file is for --auth api_key");
        int code = read_urls(call);
        if (code == EXIT_done)
                code = read_listen(call);
        if (code == EXIT_done)
                code = read_limit(call);
        return code == EXIT_done ? read_origins(call) : code;
}

/* ---- the key ---- */

static int key_from_file(struct call *call, struct str path)
{
        struct file file;
        enum err err = file_read(path, KEY_FILE_MAX, &call->arena, &file);
        if (err != ERR_ok)
                return call_fail(call, err == ERR_missing ? EXIT_missing : EXIT_denied, NULL,
                                 "cannot read " STR_FMT ": %s", STR_ARG(path), err_text(err));
        while (file.text.len > 0 && file.text.ptr[file.text.len - 1] <= ' ')
                file.text.len--;
        if (key_check(file.text) == KEY_NONE || key_check(file.text) == KEY_DAMAGED)
                return call_fail(call, EXIT_data, "`gate key make > FILE` writes one",
                                 "what " STR_FMT " holds is no key", STR_ARG(path));
        plan.key = str_of(arena_cstr(&call->arena, file.text));
        plan.key_file = path;
        return EXIT_done;
}

static struct str folder_of(struct str path)
{
        while (path.len > 0 && path.ptr[path.len - 1] != '/')
                path.len--;
        return path;
}

/* gateway.yaml keeps its key in gateway.key beside it. */
static struct str key_file_of(struct call *call, struct str path)
{
        struct str stem = path;
        for (size_t i = path.len; i > 0 && path.ptr[i - 1] != '/'; i--) {
                if (path.ptr[i - 1] == '.' && i > 1 && path.ptr[i - 2] != '/') {
                        stem = str_first(path, i - 1);
                        break;
                }
        }
        return arena_format(&call->arena, STR_FMT ".key", STR_ARG(stem));
}

/* A file is referred to as the configuration sees it: from its own folder. */
static struct str file_reference(struct call *call, struct str path)
{
        char whole[PATH_MAX];
        struct str folder = folder_of(plan.write);
        if (str_starts(path, folder))
                path = str_skip(path, folder.len);
        else if (realpath(arena_cstr(&call->arena, path), whole) != NULL)
                path = arena_str(&call->arena, str_of(whole));
        return arena_format(&call->arena, "${file:" STR_FMT "}", STR_ARG(path));
}

static int get_key(struct call *call)
{
        struct str given = call_flag(call, "key-file");
        struct text text = text_grow(&call->arena, KEY_SIZE_MAX + 1);
        if (!plan.needs_key)
                return EXIT_done;
        if (given.len > 0) {
                int code = key_from_file(call, given);
                if (code != EXIT_done)
                        return code;
        } else {
                key_make(plan.write.len > 0 ? S("live") : S("test"), &text);
                text_char(&text, '\0');
                plan.key = str_from(text.at, text.len - 1);
        }
        if (plan.write.len > 0 && plan.key_file.len == 0)
                plan.key_file = key_file_of(call, plan.write);
        plan.key_reference = plan.write.len > 0 ? file_reference(call, plan.key_file)
                                                : S("${env:" KEY_VARIABLE "}");
        return EXIT_done;
}

/* ---- the configuration ---- */

static bool is_plain_char(char c)
{
        char lower = char_lower(c);
        return (lower >= 'a' && lower <= 'z') || char_is_digit(c) || c == '.' || c == '-' ||
               c == '_' || c == '/' || c == ':' || c == ' ';
}

/* A value as one would write it: in quotes only where YAML needs them. */
static void put_value(struct text *out, struct str value)
{
        bool is_plain = value.len > 0 && (str_find(value, '/') >= 0 || str_find(value, ':') > 0) &&
                        char_lower(value.ptr[0]) > '/' && value.ptr[0] != ':' &&
                        value.ptr[value.len - 1] != ':' && value.ptr[value.len - 1] != ' ' &&
                        str_find_str(value, S(": ")) < 0;
        for (size_t i = 0; i < value.len && is_plain; i++)
                is_plain = is_plain_char(value.ptr[i]);
        if (is_plain) {
                text_put(out, value);
                return;
        }
        text_char(out, '"');
        text_json(out, value);
        text_char(out, '"');
}

static void put_list(struct text *out, const struct str *values, size_t count)
{
        if (count == 1) {
                put_value(out, values[0]);
                return;
        }
        for (size_t i = 0; i < count; i++) {
                text_put(out, i == 0 ? S("[") : S(", "));
                put_value(out, values[i]);
        }
        text_char(out, ']');
}

static void put_addresses(struct text *out)
{
        bool is_usual = str_is(plan.listen.host, "localhost") && plan.listen.port == PORT;
        if (!is_usual) {
                text_put(out, S("listeners:\n  main: { address: "));
                text_char(out, '"');
                text_json(out, listen_text(plan.call));
                text_put(out, S("\" }\n"));
        }
        if (plan.write.len > 0 || (plan.admin == ADMIN_PORT && plan.socket.len == 0))
                return;
        text_format(out, "admin:\n  address: \"localhost:%u\"\n", plan.admin);
        if (plan.socket.len > 0) {
                text_put(out, S("  socket: \""));
                text_json(out, plan.socket);
                text_put(out, S("\"\n"));
        }
}

static void put_policies(struct text *out)
{
        if (!plan.has_auth && plan.limit.len == 0 && plan.origins_count == 0)
                return;
        text_put(out, S("    policies:\n"));
        if (plan.has_auth)
                text_format(out, "      auth: %s\n", plan.needs_key ? "api_key" : "none");
        if (plan.limit.len > 0) {
                text_put(out, S("      rate_limit: "));
                put_value(out, plan.limit);
                text_char(out, '\n');
        }
        if (plan.origins_count > 0) {
                text_put(out, plan.origins_count == 1 ? S("      cors: ")
                                                      : S("      cors: { origins: "));
                put_list(out, plan.origins, plan.origins_count);
                text_put(out, plan.origins_count == 1 ? S("\n") : S(" }\n"));
        }
}

static struct str make_document(struct call *call)
{
        struct text out = text_grow(&call->arena, DOCUMENT_MAX);
        put_addresses(&out);
        text_put(&out, S("apis:\n  service:\n    path: /\n    upstream: "));
        if (plan.urls_count == 1)
                put_value(&out, plan.urls[0]);
        else
                text_put(&out, S("services"));
        text_char(&out, '\n');
        put_policies(&out);
        if (plan.urls_count > 1) {
                text_put(&out, S("upstreams:\n  services:\n    targets: "));
                put_list(&out, plan.urls, plan.urls_count);
                text_char(&out, '\n');
        }
        if (plan.needs_key) {
                text_put(&out, S("consumers:\n  first: { api_key: \""));
                text_json(&out, plan.key_reference);
                text_put(&out, S("\" }\n"));
        }
        return text_str(&out);
}

/* ---- what is said ---- */

static bool needs_quotes(struct str word)
{
        for (size_t i = 0; i < word.len; i++) {
                if (!is_plain_char(word.ptr[i]) || word.ptr[i] == ' ')
                        return word.ptr[i] != '=' && word.ptr[i] != '@' && word.ptr[i] != '%';
        }
        return word.len == 0;
}

/* The command line again, for a shell. */
static struct str command_line(struct call *call, const char *name)
{
        struct text text = text_grow(&call->arena, DOCUMENT_MAX);
        text_put(&text, str_of(name));
        for (int i = 1; i < call->argc; i++) {
                struct str word = str_of(call->argv[i]);
                if (str_find(word, '\n') >= 0) /* it becomes a comment of one line */
                        continue;
                if (needs_quotes(word))
                        text_format(&text, " '" STR_FMT "'", STR_ARG(word));
                else
                        text_format(&text, " " STR_FMT, STR_ARG(word));
        }
        return text_str(&text);
}

/* Where a client on this machine would call. */
static struct str own_url(struct call *call)
{
        struct str host = plan.listen.host;
        bool is_any = host.len == 0 || str_is(host, "*") || str_is(host, "0.0.0.0") ||
                      str_is(host, "::");
        bool is_v6 = !is_any && str_find(host, ':') >= 0;
        if (is_any)
                host = S("localhost");
        return arena_format(&call->arena,
                            is_v6 ? "http://[" STR_FMT "]:%d" : "http://" STR_FMT ":%d",
                            STR_ARG(host), (int)plan.listen.port);
}

static void say_limit(struct call *call)
{
        const char *by = "";
        if (plan.limit.len == 0)
                return;
        if (plan.rate.by == RATE_BY_unsaid)
                by = plan.needs_key ? " per consumer" : " per ip";
        launch_say(call, true, "limit", STR_FMT "%s", STR_ARG(plan.limit), by);
}

/* Nobody there is no reason not to start: it may come later. */
static void say_services(struct call *call)
{
        for (size_t i = 0; i < plan.urls_count; i++) {
                struct gateway_place places[PROBES_MAX];
                enum err err = ERR_missing;
                struct url url;
                int fd;
                if (url_read(plan.urls[i], &url) != ERR_ok)
                        continue;
                struct host_port host_port = {url.host, url.port};
                size_t count = places_of(&call->arena, &host_port, places, PROBES_MAX);
                for (size_t k = 0; k < count && err != ERR_ok; k++) {
                        err = place_connect(&places[k], PROBE_NS, &fd);
                        if (err == ERR_ok)
                                close(fd);
                }
                if (err != ERR_ok)
                        launch_say(call, false, "service", STR_FMT " does not answer yet: %s",
                                   STR_ARG(plan.urls[i]), err_text(err));
        }
}

static void say_try(struct call *call)
{
        struct str url = own_url(call);
        if (plan.needs_key && plan.key_file.len > 0)
                call_say(call, "  Try:  curl -H \"X-API-Key: $(cat " STR_FMT ")\" " STR_FMT "/",
                         STR_ARG(plan.key_file), STR_ARG(url));
        else if (plan.needs_key)
                call_say(call, "  Try:  curl -H 'X-API-Key: " STR_FMT "' " STR_FMT "/",
                         STR_ARG(plan.key), STR_ARG(url));
        else
                call_say(call, "  Try:  curl " STR_FMT "/", STR_ARG(url));
}

static void served(const struct binder *binder)
{
        (void)binder;
        struct call *call = plan.call;
        launch_say(call, true, "listening", STR_FMT "  →  " STR_FMT "%s", STR_ARG(own_url(call)),
                   STR_ARG(plan.urls[0]), plan.urls_count > 1 ? " and others" : "");
        if (plan.needs_key && call_has(call, "key-file"))
                launch_say(call, true, "key", "the one in " STR_FMT, STR_ARG(plan.key_file));
        else if (plan.needs_key)
                launch_say(call, true, "key", STR_FMT "    (shown once)", STR_ARG(plan.key));
        else if (!plan.has_auth)
                launch_say(call, false, "key", "none is asked for; --auth api_key makes one");
        say_limit(call);
        launch_say(call, true, "admin", "http://localhost:%u", plan.admin);
        if (plan.socket.len > 0)
                launch_say(call, true, "socket", STR_FMT ", for --gateway", STR_ARG(plan.socket));
        say_services(call);
        say_try(call);
        if (plan.write.len == 0)
                call_say(call, "  Keep: " STR_FMT " --write gateway.yaml",
                         STR_ARG(command_line(call, launch_name(call))));
}

/* ---- writing ---- */

/* The key is its owner's; of root's gate, its who will read it when the gate reloads. */
static int write_key(struct call *call)
{
        struct user user;
        struct str text = arena_format(&call->arena, STR_FMT "\n", STR_ARG(plan.key));
        const char *path = arena_cstr(&call->arena, plan.key_file);
        if (access(path, F_OK) == 0)
                return call_fail(call, EXIT_system, "take it with --key-file, or remove it",
                                 "there is a key in %s already", path);
        enum err err = file_write(plan.key_file, text);
        if (err != ERR_ok)
                return call_fail(call, err == ERR_denied ? EXIT_denied : EXIT_system, NULL,
                                 "cannot write %s: %s", path, err_text(err));
        if (geteuid() == 0 && privs_user(STR_NONE, &user) == ERR_ok &&
            chown(path, user.uid, user.gid) < 0)
                call_say(call, "the gate's user cannot read %s", path);
        return EXIT_done;
}

static int write_files(struct call *call)
{
        bool makes_key = plan.needs_key && !call_has(call, "key-file");
        const char *path = arena_cstr(&call->arena, plan.write);
        struct str head = arena_format(&call->arena, "# " STR_FMT "\n" STR_FMT,
                                       STR_ARG(command_line(call, "gate")),
                                       STR_ARG(make_document(call)));
        int code = EXIT_done;
        if (access(path, F_OK) == 0)
                return call_fail(call, EXIT_system, NULL, "there is a file %s already", path);
        if (makes_key)
                code = write_key(call);
        if (code == EXIT_done)
                code = launch_check(call, head, plan.write);
        if (code == EXIT_done)
                folder_write(call, plan.write, head, false, &code);
        if (code != EXIT_done) {
                if (makes_key && plan.key_file.len > 0)
                        unlink(arena_cstr(&call->arena, plan.key_file));
                return code;
        }
        launch_say(call, true, "written", "%s", path);
        if (makes_key)
                launch_say(call, true, "key",
                           STR_FMT "    in " STR_FMT ", to be kept out of version control",
                           STR_ARG(plan.key), STR_ARG(plan.key_file));
        if (!call_has(call, "run")) {
                bool is_found = str_is(plan.write, "gateway.yaml");
                call_say(call, "  Next: %s run%s%s", launch_name(call), is_found ? "" : " -c ",
                         is_found ? "" : path);
        }
        return EXIT_done;
}

static int run(struct call *call)
{
        int code = read_flags(call);
        if (code == EXIT_done)
                code = get_key(call);
        if (code != EXIT_done)
                return code;
        plan.admin = port_pick(ADMIN_PORT);
        plan.socket = plan.write.len == 0 ? launch_socket(call) : S("");
        if (plan.write.len > 0) {
                code = write_files(call);
                if (code != EXIT_done || !call_has(call, "run"))
                        return code;
                return launch_run(call, STR_NONE, plan.write, served);
        }
        if (plan.needs_key)
                setenv(KEY_VARIABLE, plan.key.ptr, 1);
        struct str document = make_document(call);
        code = launch_check(call, document, S("gate proxy"));
        return code == EXIT_done ? launch_run(call, document, S("gate proxy"), served) : code;
}

const struct command command_proxy = {
        .name = "proxy",
        .group = GROUP_start,
        .line = "a gateway in front of a service, in one line",
        .operands = "URL…",
        .operands_least = 1,
        .operands_most = 64,
        .flags =
                (const struct flag[]){
                        {"auth", .kind = FLAG_CHOICE, .value = "HOW",
                         .choices = FLAG_WORDS("api_key", "none"),
                         .text = "Who may call: `api_key` makes a key and shows it once; `none` "
                                 "says that anybody may, which an address that others can reach "
                                 "needs said."},
                        {"limit", .kind = FLAG_TEXT, .value = "RATE",
                         .text = "How often: 100/min, 50/s per ip, 1000/h per consumer."},
                        {"cors", .kind = FLAG_TEXT, .value = "ORIGIN", .is_many = true,
                         .text = "Web pages that may call, such as https://app.example.com."},
                        {"listen", .kind = FLAG_TEXT, .value = "ADDRESS",
                         .text = "Where to listen: localhost:8080 when not given, or the next port "
                                 "that is free; `:8080` is every address of this machine."},
                        {"key-file", .kind = FLAG_FILE, .value = "FILE",
                         .text = "The key in this file instead of a new one."},
                        {"write", .kind = FLAG_FILE, .value = "FILE",
                         .text = "Write the configuration that does the same, with the key in a "
                                 "file beside it, and start nothing."},
                        {"run", .text = "With --write: start it too."},
                        {0}},
        .paragraphs = COMMAND_TEXT(
                "Everything that arrives is handed on to the service, with the path as it is. "
                "With several addresses the requests are spread over them.",
                "Nothing is left behind: `--write gateway.yaml` keeps it, for `gate run`."),
        .samples =
                (const struct sample[]){
                        {"gate proxy http://localhost:9000 --auth api_key --limit 100/min",
                         "Keys and limits in front of a service."},
                        {"gate proxy 9000 --listen :8080 --auth none", "Open to everybody."},
                        {"gate proxy http://a:9000 http://b:9000 --auth api_key --write "
                         "gateway.yaml",
                         "A configuration to go on with."},
                        {0}},
        .exits = COMMAND_EXITS(EXIT_data, EXIT_missing, EXIT_system, EXIT_denied, EXIT_config),
        .run = run,
};
