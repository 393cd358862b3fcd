/* gateway.c -- where a running gate is, and what a command makes of its answers. */
#include "cmd/gateway.h"

#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>

#include "wire/unit.h"

enum { ADMIN_PORT = 9901, SHOWN_MAX = 64 * 1024 };

#define TIMEOUT_NS    (5 * SECOND)
#define SYSTEM_SOCKET "/run/gatehouse/admin.sock"

/* Places to look at, and what came of each. */
struct search {
        struct call *call;
        struct gateway_place places[GATEWAY_PLACES_MAX];
        enum err found[GATEWAY_PLACES_MAX];
        size_t count;
};

/* ---- places ---- */

static void add_socket(struct search *search, struct str path)
{
        for (size_t i = 0; i < search->count; i++) {
                if (str_eq(search->places[i].socket, path))
                        return;
        }
        if (search->count < GATEWAY_PLACES_MAX)
                search->places[search->count++] = (struct gateway_place){
                        .socket = path, .text = path, .host = S("localhost")};
}

/* Places being collected. */
struct found {
        struct arena *arena;
        const struct host_port *host_port;
        struct gateway_place *places;
        size_t count, most;
};

static void add_address(struct found *found, const struct addr *addr)
{
        struct str host = found->host_port->host;
        bool is_v6 = str_find(host, ':') >= 0;
        if (found->count == found->most)
                return;
        struct gateway_place *place = &found->places[found->count++];
        *place = (struct gateway_place){.addr = *addr};
        addr_set_port(&place->addr, (uint16_t)found->host_port->port);
        place->host = arena_format(found->arena, is_v6 ? "[" STR_FMT "]:%d" : STR_FMT ":%d",
                                   STR_ARG(host), (int)found->host_port->port);
        place->text = arena_format(found->arena, "http://" STR_FMT, STR_ARG(place->host));
}

static void add_ip(struct found *found, struct str ip)
{
        struct addr addr;
        if (addr_read_ip(ip, 1, &addr) == ERR_ok)
                add_address(found, &addr);
}

static void add_name(struct found *found)
{
        struct addrinfo *all = NULL, wanted = {.ai_socktype = SOCK_STREAM};
        if (getaddrinfo(arena_cstr(found->arena, found->host_port->host), NULL, &wanted, &all) != 0)
                return;
        for (const struct addrinfo *one = all; one != NULL; one = one->ai_next) {
                struct addr addr = {0};
                if (one->ai_addrlen > sizeof addr.u ||
                    (one->ai_family != AF_INET && one->ai_family != AF_INET6))
                        continue;
                memcpy(&addr.u, one->ai_addr, one->ai_addrlen);
                add_address(found, &addr);
        }
        freeaddrinfo(all);
}

size_t places_of(struct arena *arena, const struct host_port *host_port,
                 struct gateway_place *ret_places, size_t most)
{
        struct found found = {arena, host_port, ret_places, 0, most};
        struct addr addr;
        if (addr_read_ip(host_port->host, 1, &addr) == ERR_ok) {
                add_address(&found, &addr);
        } else if (str_is(host_port->host, "localhost")) {
                add_ip(&found, S("127.0.0.1"));
                add_ip(&found, S("::1"));
        } else {
                add_name(&found);
        }
        return found.count;
}

static void add_host(struct search *search, struct str host, int64_t port)
{
        struct host_port host_port = {host, port};
        search->count += places_of(&search->call->arena, &host_port, search->places + search->count,
                                   GATEWAY_PLACES_MAX - search->count);
}

static bool looks_like_path(struct str given)
{
        return str_starts(given, S("/")) || str_starts(given, S(".")) ||
               str_ends(given, S(".sock"));
}

/* A path, unix:PATH, http://HOST[:PORT] or HOST:PORT. */
static int add_given(struct search *search, struct str given)
{
        struct call *call = search->call;
        struct host_port host_port;
        struct url url;
        if (str_starts(given, S("unix:"))) {
                add_socket(search, str_skip(given, 5));
        } else if (looks_like_path(given)) {
                add_socket(search, given);
        } else if (str_starts(given, S("https:"))) {
                return call_fail(call, EXIT_usage,
                                 "the admin address speaks plain HTTP; leave it on localhost",
                                 "https is not in this version: " STR_FMT, STR_ARG(given));
        } else if (url_read(given, &url) == ERR_ok) {
                bool has_port = str_find(str_skip(given, 7), ':') >= 0;
                add_host(search, url.host, has_port ? url.port : ADMIN_PORT);
        } else if (host_port_read(given, &host_port) == ERR_ok) {
                struct str host = host_port.host.len == 0 ? S("localhost") : host_port.host;
                add_host(search, host, host_port.port);
        } else {
                return call_fail(call, EXIT_usage,
                                 "--gateway /run/gatehouse/admin.sock, or "
                                 "--gateway http://localhost:9901",
                                 "`" STR_FMT "` is neither the path of a socket nor an address",
                                 STR_ARG(given));
        }
        return EXIT_done;
}

/* A socket in the folder that a variable names; empty: it names none. */
static struct str socket_in(struct arena *arena, const char *variable, const char *below)
{
        struct str list = str_of(getenv(variable)), folder = str_cut(&list, ':');
        if (folder.len == 0)
                return S("");
        return arena_format(arena, STR_FMT "%s/admin.sock", STR_ARG(folder), below);
}

bool usual_socket(struct arena *arena, struct str *ret_path)
{
        *ret_path = socket_in(arena, "RUNTIME_DIRECTORY", "");
        if (ret_path->len == 0)
                *ret_path = socket_in(arena, "XDG_RUNTIME_DIR", "/gatehouse");
        if (ret_path->len == 0 && geteuid() == 0)
                *ret_path = S(SYSTEM_SOCKET);
        return ret_path->len > 0;
}

static void add_usual(struct search *search)
{
        struct arena *arena = &search->call->arena;
        struct str paths[] = {socket_in(arena, "RUNTIME_DIRECTORY", ""),
                              socket_in(arena, "XDG_RUNTIME_DIR", "/gatehouse"), S(SYSTEM_SOCKET)};
        for (size_t i = 0; i < countof(paths); i++) {
                if (paths[i].len > 0)
                        add_socket(search, paths[i]);
        }
        add_host(search, S("localhost"), ADMIN_PORT);
}

/* ---- finding ---- */

static struct str list_places(const struct search *search)
{
        struct text text = text_grow(&search->call->arena, SHOWN_MAX);
        for (size_t i = 0; i < search->count; i++) {
                const struct gateway_place *place = &search->places[i];
                /* Both addresses of localhost are one place to people. */
                if (i > 0 && str_eq(place->text, search->places[i - 1].text))
                        continue;
                text_format(&text, "%s" STR_FMT " (%s)", text.len == 0 ? "" : ", ",
                            STR_ARG(place->text), err_text(search->found[i]));
        }
        return text_str(&text);
}

/* A socket that is there for another user. */
static const struct gateway_place *denied_place(const struct search *search)
{
        for (size_t i = 0; i < search->count; i++) {
                if (search->found[i] == ERR_denied)
                        return &search->places[i];
        }
        return NULL;
}

static int complain_denied(const struct search *search, const struct gateway_place *place)
{
        return call_fail(search->call, EXIT_denied,
                         "be the user that the gate runs as, or use sudo",
                         "the socket " STR_FMT " is not yours to open", STR_ARG(place->text));
}

static int found_none(const struct search *search, bool is_given)
{
        struct call *call = search->call;
        struct str list = list_places(search);
        if (denied_place(search) != NULL)
                return complain_denied(search, denied_place(search));
        if (is_given && search->count == 0)
                return call_fail(call, EXIT_unavailable, NULL,
                                 "no gateway answers: the name in --gateway has no address");
        return call_fail(call, EXIT_unavailable,
                         is_given ? "is that gate running?"
                                  : "start one with `gate run`, or name it with --gateway",
                         "no gateway answers at " STR_FMT, STR_ARG(list));
}

/* The first place where somebody answers; NULL: none. */
static const struct gateway_place *try_places(struct search *search, uint64_t timeout_ns)
{
        for (size_t i = 0; i < search->count; i++) {
                int fd;
                search->found[i] = place_connect(&search->places[i], timeout_ns, &fd);
                if (search->found[i] != ERR_ok)
                        continue;
                close(fd);
                return &search->places[i];
        }
        return NULL;
}

static int collect_places(struct search *search)
{
        struct str given = call_flag(search->call, "gateway");
        if (given.len > 0)
                return add_given(search, given);
        add_usual(search);
        return EXIT_done;
}

bool gateway_seek(struct call *call, struct gateway *ret_gateway)
{
        struct search search = {.call = call};
        const struct gateway_place *place = NULL;
        if (collect_places(&search) == EXIT_done)
                place = try_places(&search, TIMEOUT_NS);
        if (place != NULL)
                *ret_gateway = (struct gateway){*place, TIMEOUT_NS};
        return place != NULL;
}

bool gateway_find(struct call *call, enum gateway_need need, struct gateway *ret_gateway,
                  int *ret_code)
{
        struct search search = {.call = call};
        uint64_t timeout_ns = (uint64_t)call_time(call, "timeout", TIMEOUT_NS);
        *ret_code = collect_places(&search);
        if (*ret_code != EXIT_done)
                return false;
        const struct gateway_place *place = try_places(&search, timeout_ns);
        if (place == NULL) {
                *ret_code = found_none(&search, call_has(call, "gateway"));
                return false;
        }
        if (need == GATEWAY_OBEYS && place->socket.len == 0 && denied_place(&search) != NULL) {
                *ret_code = complain_denied(&search, denied_place(&search));
                return false;
        }
        if (need == GATEWAY_OBEYS && place->socket.len == 0) {
                *ret_code = call_fail(
                        call, EXIT_unavailable,
                        "run this as the user of the gate on its machine, or give its socket with "
                        "--gateway; `admin.socket` in the configuration says where that is",
                        "the gate at " STR_FMT " was found by its address, which is read only",
                        STR_ARG(place->text));
                return false;
        }
        *ret_gateway = (struct gateway){*place, timeout_ns};
        return true;
}

/* ---- answers ---- */

bool gateway_ask(struct call *call, const struct gateway *gateway, const struct question *question,
                 struct reply *ret_reply, int *ret_code)
{
        enum err err = gateway_try(gateway, question, &call->arena, ret_reply);
        if (err == ERR_ok)
                return true;
        const char *help = err == ERR_timeout ? "wait longer with --timeout 30s" : NULL;
        *ret_code = call_fail(call, EXIT_unavailable, help,
                              "no answer from the gate at " STR_FMT ": %s",
                              STR_ARG(gateway->place.text), err_text(err));
        return false;
}

const struct json *reply_json(const struct reply *reply, struct arena *arena)
{
        static const struct json_limits limits = {.size_max = GATEWAY_ANSWER_MAX,
                                                  .nodes_max = 4000000};
        struct json_trouble trouble;
        const struct json *root;
        if (json_read(reply->body, &limits, arena, &root, &trouble) != ERR_ok)
                return NULL;
        return json_is(root, JSON_OBJECT) ? root : NULL;
}

int reply_complain(struct call *call, const struct reply *reply, const char *what)
{
        const struct json *problem = reply_json(reply, &call->arena);
        struct str detail = json_str(json_get(problem, S("detail")), &call->arena);
        if (detail.len == 0)
                detail = json_str(json_get(problem, S("title")), &call->arena);
        if (detail.len == 0)
                detail = arena_format(&call->arena, "status %d", reply->status);
        int code = reply->status == 403   ? EXIT_denied
                   : reply->status >= 500 ? EXIT_unavailable
                                          : EXIT_no;
        return call_fail(call, (enum exit_code)code, NULL, "%s: " STR_FMT, what, STR_ARG(detail));
}

bool gateway_order(struct call *call, struct str target, struct gateway *ret_gateway, int *ret_code)
{
        struct question question = {S("POST"), target};
        struct reply reply;
        if (!gateway_find(call, GATEWAY_OBEYS, ret_gateway, ret_code) ||
            !gateway_ask(call, ret_gateway, &question, &reply, ret_code))
                return false;
        if (reply.status == 202)
                return true;
        *ret_code = reply_complain(call, &reply, "the gate did not obey");
        return false;
}

void put_escaped(struct text *text, struct str value)
{
        static const char safe[] = "-._~";
        for (size_t i = 0; i < value.len; i++) {
                char c = value.ptr[i], lower = char_lower(c);
                bool is_safe = (lower >= 'a' && lower <= 'z') || char_is_digit(c) ||
                               (c != '\0' && strchr(safe, c) != NULL);
                if (is_safe)
                        text_char(text, c);
                else
                        text_format(text, "%%%02X", (unsigned)(unsigned char)c);
        }
}

struct str keys_of(struct arena *arena, struct str consumer)
{
        struct text text = text_grow(arena, 3 * consumer.len + 64);
        text_put(&text, S("/consumers/"));
        put_escaped(&text, consumer);
        text_put(&text, S("/keys"));
        return text_str(&text);
}
