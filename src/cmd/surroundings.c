/* surroundings.c -- looking around: files first, then ports. */
#include "cmd/surroundings.h"

#include <fcntl.h>
#include <unistd.h>

#include "io/file.h"
#include "wire/yaml.h"

enum { FILE_MAX = 4 << 20, FILES_MAX = 200, LEAST_PORT = 1024 };

struct look {
        struct str folder;
        struct arena *arena;
        struct surroundings *found;
};

/* ---- services ---- */

/* "Order Service (v2)" is order-service-v2; empty when nothing is left. */
static struct str name_of(struct arena *arena, struct str text)
{
        struct text out = text_grow(arena, SERVICE_NAME_MAX);
        for (size_t i = 0; i < text.len && out.len < SERVICE_NAME_MAX - 1; i++) {
                char c = char_lower(text.ptr[i]);
                bool is_letter = c >= 'a' && c <= 'z';
                if (is_letter || (char_is_digit(c) && out.len > 0))
                        text_char(&out, c);
                else if (out.len > 0 && out.at[out.len - 1] != '-')
                        text_char(&out, '-');
        }
        while (out.len > 0 && out.at[out.len - 1] == '-')
                out.len--;
        return out.at == NULL ? S("") : text_str(&out);
}

static struct service *find_name(struct surroundings *found, struct str name)
{
        for (size_t i = 0; i < found->count; i++) {
                if (str_eq(found->services[i].name, name))
                        return &found->services[i];
        }
        return NULL;
}

static bool has_url(const struct surroundings *found, struct str url)
{
        for (size_t i = 0; i < found->count; i++) {
                if (str_eq(found->services[i].url, url))
                        return true;
        }
        return false;
}

static void add(struct look *look, const struct service *service)
{
        struct surroundings *found = look->found;
        struct service *same = find_name(found, service->name);
        if (service->name.len == 0)
                return;
        if (same != NULL && same->url.len == 0)
                same->url = service->url;
        else if (same == NULL && found->count < SERVICES_MAX)
                found->services[found->count++] = *service;
}

static struct str local_url(struct arena *arena, uint64_t port)
{
        return arena_format(arena, "http://localhost:%llu", (unsigned long long)port);
}

/* ---- files ---- */

static struct str path_in(const struct look *look, const char *name)
{
        if (str_is(look->folder, "."))
                return arena_format(look->arena, "%s", name);
        return arena_format(look->arena, STR_FMT "/%s", STR_ARG(look->folder), name);
}

/* A document of YAML or JSON; NULL when it is none. */
static const struct json *read_document(struct look *look, struct str path)
{
        struct json_trouble trouble;
        const struct json *root;
        struct file file;
        if (file_read(path, FILE_MAX, look->arena, &file) != ERR_ok)
                return NULL;
        enum err err = str_ends(path, S(".json"))
                               ? json_read(file.text, NULL, look->arena, &root, &trouble)
                               : yaml_read(file.text, NULL, look->arena, &root, &trouble);
        return err == ERR_ok ? root : NULL;
}

static struct str relative(const struct look *look, struct str path)
{
        if (str_is(look->folder, ".") || !str_starts(path, look->folder))
                return path;
        return str_skip(path, look->folder.len + 1);
}

/* An API description: named by its title, else by its file; where it says http, that is where it
 * is. */
static void look_at_openapi(struct look *look, struct str path)
{
        const struct json *root = read_document(look, path);
        const struct json *title = json_get(json_get(root, S("info")), S("title"));
        const struct json *server = json_get(json_at(json_get(root, S("servers")), 0), S("url"));
        if (json_get(root, S("openapi")) == NULL && json_get(root, S("swagger")) == NULL)
                return;
        struct str url = server == NULL ? S("") : json_str(server, look->arena);
        struct service service = {
                .name = name_of(look->arena, json_str(title, look->arena)),
                .origin = relative(look, path),
                .url = str_starts(url, S("http://")) ? url : S(""),
                .openapi = relative(look, path),
        };
        if (service.name.len == 0)
                service.name = S("api");
        add(look, &service);
}

static void look_for_openapi(struct look *look)
{
        static const char *const patterns[] = {
                "openapi.yaml",     "openapi.yml",      "openapi.json",   "*.openapi.yaml",
                "*.openapi.yml",    "*.openapi.json",   "swagger.yaml",   "swagger.json",
                "api/openapi.*",    "docs/openapi.*",   "openapi/*.yaml", "openapi/*.json",
                "contracts/*.yaml", "contracts/*.json", "spec/openapi.*"};
        for (size_t i = 0; i < countof(patterns); i++) {
                struct str *paths = NULL;
                size_t count = 0;
                if (file_list(path_in(look, patterns[i]), FILES_MAX, look->arena, &paths, &count) !=
                    ERR_ok)
                        continue;
                for (size_t k = 0; k < count; k++)
                        look_at_openapi(look, paths[k]);
        }
}

/* Ports of databases and the like, which speak no HTTP, and our own. */
static bool is_foreign(uint64_t port)
{
        static const uint16_t ports[] = {1433, 1521, 1883, 2181, 2375, 2379,  3306,  4222,
                                         5432, 5433, 5671, 5672, 5900, 6379,  6380,  7687,
                                         8080, 8883, 9042, 9092, 9901, 11211, 26257, 27017};
        for (size_t i = 0; i < countof(ports); i++) {
                if (port == ports[i])
                        return true;
        }
        return false;
}

/* The port on this machine: "9000:80", "127.0.0.1:9000:80", { published: 9000 }. 0: none. */
static uint64_t host_port(struct look *look, const struct json *port)
{
        uint64_t number = 0;
        const struct json *published = json_get(port, S("published"));
        struct str text = json_raw(published != NULL ? published : port), before = STR_NONE;
        if (published == NULL && port->kind == JSON_OBJECT)
                return 0;
        if (published == NULL) {
                text = json_str(port, look->arena);
                while (str_find(text, ':') >= 0)
                        before = str_cut(&text, ':');
                text = before;
        }
        return text.ptr != NULL && str_to_u64(text, &number) == ERR_ok && number < 65536 ? number
                                                                                         : 0;
}

static void look_at_compose(struct look *look, struct str path)
{
        const struct json *services = json_get(read_document(look, path), S("services"));
        json_each (service, services) {
                json_each (port, json_get(service, S("ports"))) {
                        uint64_t number = host_port(look, port);
                        if (services->kind != JSON_OBJECT || number == 0 || is_foreign(number))
                                continue;
                        struct service found = {
                                .name = name_of(look->arena, json_key_str(service)),
                                .origin = relative(look, path),
                                .url = local_url(look->arena, number),
                        };
                        add(look, &found);
                        break;
                }
        }
}

static void look_for_compose(struct look *look)
{
        static const char *const names[] = {"compose.yaml", "compose.yml", "docker-compose.yaml",
                                            "docker-compose.yml"};
        for (size_t i = 0; i < countof(names); i++)
                look_at_compose(look, path_in(look, names[i]));
}

/* ---- ports ---- */

/* A line of /proc/net/tcp: "0: 0100007F:2328 00000000:0000 0A …"; the port when somebody listens
 * there, where we can reach it. */
static uint64_t listening_port(struct str line)
{
        uint64_t port = 0;
        str_cut(&line, ':');
        line = str_trim(line);
        struct str local = str_cut(&line, ' '), address = str_cut(&local, ':');
        str_cut(&line, ' ');
        bool is_local = str_is(address, "0100007F") || str_is(address, "00000000") ||
                        str_is(address, "00000000000000000000000000000000") ||
                        str_is(address, "00000000000000000000000001000000");
        if (!is_local || !str_is(str_cut(&line, ' '), "0A"))
                return 0;
        for (size_t i = 0; i < local.len; i++)
                port = port * 16 + (uint64_t)char_hex(local.ptr[i]);
        return port;
}

/* A file of the kernel, whose size nobody knows. */
static struct str read_table(const char *path, struct arena *arena)
{
        struct text text = text_grow(arena, FILE_MAX);
        char piece[8192];
        ssize_t n;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        while (fd >= 0 && (n = read(fd, piece, sizeof piece)) > 0)
                text_put(&text, str_from(piece, (size_t)n));
        if (fd >= 0)
                close(fd);
        return text.at == NULL ? S("") : text_str(&text);
}

static void look_at_ports(struct look *look, const char *path)
{
        struct str rest = read_table(path, look->arena);
        str_cut(&rest, '\n');
        while (rest.len > 0) {
                uint64_t port = listening_port(str_cut(&rest, '\n'));
                struct str url = local_url(look->arena, port);
                /* Ports that the system hands out belong to clients and tests. */
                if (port < LEAST_PORT || port >= 32768 || is_foreign(port) ||
                    has_url(look->found, url))
                        continue;
                struct service service = {
                        .name = arena_format(look->arena, "service-%llu", (unsigned long long)port),
                        .origin = arena_format(look->arena, "port %llu", (unsigned long long)port),
                        .url = url,
                };
                add(look, &service);
        }
}

void surroundings_look(struct str folder, struct arena *arena, struct surroundings *ret_found)
{
        struct look look = {.folder = folder, .arena = arena, .found = ret_found};
        *ret_found = (struct surroundings){.count = 0};
        look_for_compose(&look);
        look_for_openapi(&look);
        look_at_ports(&look, "/proc/net/tcp");
        look_at_ports(&look, "/proc/net/tcp6");
}
