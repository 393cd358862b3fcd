/* doctor_config.c -- what a configuration needs of its machine: ports, files, names, services. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cmd/doctor.h"
#include "cmd/gateway.h"
#include "cmd/reading.h"
#include "cmd/show.h"
#include "main/holder.h"
#include "main/keepsake.h"
#include "main/privs.h"

enum { PROBES_MAX = 16, SERVICES_MAX = 40, SPACE_PERCENT = 5, OTHERS_WRITE = 022, OTHERS = 077 };

#define PROBE_NS SECOND

/* ---- the configuration itself ---- */

void look_at_configuration(struct doctor *doctor)
{
        struct call *call = doctor->call;
        struct str path = load_discover(&world_real, call_flag(call, "config"), &call->arena);
        if (path.len == 0) {
                finding_add(doctor, FINDING_warning, "config", "there is none here")->help = S(
                        "`gate init` writes one; -c FILE names one elsewhere");
                return;
        }
        struct bundle *bundle = reading_begin(call, path);
        if (bundle_is_good(bundle))
                bundle_compile(bundle, NULL);
        const struct faults *faults = &bundle->load.faults;
        if (bundle_is_good(bundle) && faults->warnings == 0) {
                finding_add(doctor, FINDING_good, "config", STR_FMT, STR_ARG(path));
        } else {
                enum finding_kind kind = faults->errors > 0 ? FINDING_bad : FINDING_warning;
                finding_add(doctor, kind, "config", STR_FMT ": %u error%s, %u warning%s",
                            STR_ARG(path), faults->errors, &"s"[faults->errors == 1],
                            faults -> warnings, &"s"[faults->warnings == 1])
                        ->help = S("`gate check` shows them");
        }
        if (bundle_is_good(bundle))
                doctor->bundle = bundle;
        else
                bundle_free(bundle);
}

/* ---- ports ---- */

static bool is_gate(struct str holder)
{
        return str_starts(holder, S("gate"));
}

/* Binds it as a gate would, and lets go. */
static int try_bind(const struct addr *addr)
{
        int yes = 1, error = 0;
        int fd = socket(addr->u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return errno;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        if (addr->u.any.sa_family == AF_INET6)
                setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
        /* Whoever shares a port with SO_REUSEPORT is only seen without it, and by listening. */
        if (bind(fd, &addr->u.any, addr_len(addr)) < 0 || listen(fd, 1) < 0)
                error = errno;
        close(fd);
        return error;
}

static void look_at_port(struct doctor *doctor, struct str what, const struct addr *addr)
{
        char shown[ADDR_TEXT_MAX];
        struct text text = text_over(shown, sizeof shown);
        struct text holder = text_grow(&doctor->call->arena, 512);
        int error = try_bind(addr);
        addr_put(&text, addr);
        if (error == EADDRINUSE)
                holder_find(addr, &holder);
        struct str who = holder.at == NULL ? S("somebody") : text_str(&holder);
        if (error == 0)
                finding_add(doctor, FINDING_good, "port", STR_FMT " (" STR_FMT ") is free",
                            STR_ARG(text_str(&text)), STR_ARG(what));
        else if (error == EADDRINUSE && is_gate(who))
                finding_add(doctor, FINDING_good, "port",
                            STR_FMT " (" STR_FMT ") is held by " STR_FMT, STR_ARG(text_str(&text)),
                            STR_ARG(what), STR_ARG(who));
        else if (error == EADDRINUSE)
                finding_add(doctor, FINDING_bad, "port",
                            STR_FMT " (" STR_FMT ") is held by " STR_FMT, STR_ARG(text_str(&text)),
                            STR_ARG(what), STR_ARG(who))
                        ->help = S("end that, or listen elsewhere");
        else if (error == EACCES)
                finding_add(doctor, FINDING_bad, "port", STR_FMT " (" STR_FMT ") is not permitted",
                            STR_ARG(text_str(&text)), STR_ARG(what))
                        ->help = S("AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, "
                                   "or setcap cap_net_bind_service=ep on the binary");
        else if (error != EAFNOSUPPORT && error != EADDRNOTAVAIL)
                finding_add(doctor, FINDING_bad, "port", STR_FMT " (" STR_FMT "): %s",
                            STR_ARG(text_str(&text)), STR_ARG(what),
                            err_text(err_from_errno(error)));
        else if (!addr_is_loopback(addr))
                finding_add(doctor, FINDING_bad, "port",
                            STR_FMT " (" STR_FMT ") is no address of this machine",
                            STR_ARG(text_str(&text)), STR_ARG(what));
}

static void look_at_host(struct doctor *doctor, struct str what, const struct host_port *to)
{
        static const char *const any[] = {"0.0.0.0", "::"}, *const local[] = {"127.0.0.1", "::1"};
        struct addr addr;
        bool is_any = to->host.len == 0 || str_is(to->host, "*");
        if (!is_any && !str_is(to->host, "localhost")) {
                if (addr_read_ip(to->host, (uint16_t)to->port, &addr) == ERR_ok)
                        look_at_port(doctor, what, &addr);
                return;
        }
        for (size_t i = 0; i < countof(any); i++) {
                struct str ip = str_of(is_any ? any[i] : local[i]);
                if (addr_read_ip(ip, (uint16_t)to->port, &addr) == ERR_ok)
                        look_at_port(doctor, what, &addr);
        }
}

void look_at_ports(struct doctor *doctor)
{
        if (doctor->bundle == NULL)
                return;
        const struct config *config = doctor->bundle->config;
        for (size_t i = 0; i < config->listeners_count; i++) {
                struct str what = arena_format(&doctor->call->arena, "listener " STR_FMT,
                                               STR_ARG(config->listeners[i].name));
                look_at_host(doctor, what, &config->listeners[i].address);
        }
        if (!config->admin.is_off)
                look_at_host(doctor, S("admin"), &config->admin.address);
}

/* ---- files ---- */

/* Files that hold configuration are sources of the text; what else was read are secrets. */
static bool is_source(const struct load *load, struct str path)
{
        for (uint16_t i = 0; i < load->sources.count; i++) {
                if (str_eq(load->sources.at[i].name, path))
                        return true;
        }
        return false;
}

static void look_at_file(struct doctor *doctor, struct str path)
{
        struct arena *arena = &doctor->call->arena;
        struct stat stat_;
        if (stat(arena_cstr(arena, path), &stat_) < 0 || !S_ISREG(stat_.st_mode))
                return;
        if (stat_.st_mode & OTHERS_WRITE) {
                finding_add(doctor, FINDING_bad, "files", "others may write " STR_FMT,
                            STR_ARG(path))
                        ->help = arena_format(arena, "chmod go-w " STR_FMT, STR_ARG(path));
        } else if (!is_source(&doctor->bundle->load, path) && (stat_.st_mode & OTHERS)) {
                finding_add(doctor, FINDING_warning, "files",
                            "others may read the secret in " STR_FMT, STR_ARG(path))
                        ->help = arena_format(arena, "chmod 600 " STR_FMT, STR_ARG(path));
        }
}

/* Root's gate writes as the user that it becomes. */
static bool may_write(const char *path, const struct user *user)
{
        struct stat stat_;
        if (geteuid() != 0)
                return access(path, W_OK) == 0;
        if (user->uid == 0 || stat(path, &stat_) < 0)
                return true;
        return (stat_.st_uid == user->uid && (stat_.st_mode & S_IWUSR)) ||
               (stat_.st_gid == user->gid && (stat_.st_mode & S_IWGRP)) ||
               (stat_.st_mode & S_IWOTH);
}

/* A folder that the gate writes to: there, ours, and with room. */
static void look_at_folder(struct doctor *doctor, const char *what, struct str path,
                           const struct user *user)
{
        struct arena *arena = &doctor->call->arena;
        const char *name = arena_cstr(arena, path);
        struct statvfs space;
        if (path.len == 0)
                return;
        if (access(name, F_OK) < 0) {
                finding_add(doctor, FINDING_good, "files", "%s goes to %s, which will be made",
                            what, name);
                return;
        }
        if (!may_write(name, user)) {
                finding_add(doctor, FINDING_warning, "files", "%s cannot be written to %s", what,
                            name)
                        ->help = arena_format(arena, "chown -R %s: %s",
                                              user->name[0] == '\0' ? "$USER" : user->name, name);
                return;
        }
        if (statvfs(name, &space) < 0 || space.f_blocks == 0)
                return;
        uint64_t percent = (uint64_t)space.f_bavail * 100 / space.f_blocks;
        enum finding_kind kind = percent < SPACE_PERCENT ? FINDING_warning : FINDING_good;
        finding_add(doctor, kind, "files", "%s goes to %s, %llu%% of the disk is free", what, name,
                    (unsigned long long)percent);
}

static struct str folder_of(struct str path)
{
        while (path.len > 1 && path.ptr[path.len - 1] != '/')
                path.len--;
        return path.len > 0 && path.ptr[path.len - 1] == '/' ? path : S(".");
}

/* Root's gate becomes another user, who must be able to read it all again. */
static bool look_at_user(struct doctor *doctor, const struct config *config, struct user *ret_user)
{
        bool is_written = json_get(config->node, S("user")) != NULL;
        if (privs_user(is_written ? config->user : STR_NONE, ret_user) != ERR_ok) {
                finding_add(doctor, FINDING_bad, "user", "there is no user `" STR_FMT "`",
                            STR_ARG(config->user))
                        ->help = S("useradd --system gatehouse, or write `user:`");
                return false;
        }
        if (geteuid() == 0)
                finding_add(doctor, FINDING_good, "user", "started as root, it serves as %s",
                            ret_user->name);
        return true;
}

void look_at_files(struct doctor *doctor)
{
        if (doctor->bundle == NULL)
                return;
        const struct load *load = &doctor->bundle->load;
        const struct config *config = doctor->bundle->config;
        for (size_t i = 0; i < load->files_count; i++)
                look_at_file(doctor, load->files[i].path);
        struct user user;
        if (!look_at_user(doctor, config, &user))
                return;
        look_at_folder(doctor, "the last good configuration", keepsake_folder(&doctor->call->arena),
                       &user);
        if (config->telemetry.file.len > 0 && !str_is(config->telemetry.file, "-"))
                look_at_folder(doctor, "the log", folder_of(config->telemetry.file), &user);
}

/* ---- names and services ---- */

static void look_at_service(struct doctor *doctor, const struct url *url)
{
        struct gateway_place places[PROBES_MAX];
        struct host_port host_port = {url->host, url->port};
        uint64_t begin = gateway_clock();
        size_t count = places_of(&doctor->call->arena, &host_port, places, PROBES_MAX);
        uint64_t ms = (gateway_clock() - begin) / MILLISECOND;
        enum err err = ERR_missing;
        if (count == 0) {
                finding_add(doctor, FINDING_bad, "names", STR_FMT " has no address (%llu ms)",
                            STR_ARG(url->host), (unsigned long long)ms)
                        ->help = S("is the name right? are the name servers in /etc/resolv.conf?");
                return;
        }
        for (size_t i = 0; i < count && err != ERR_ok; i++) {
                int fd;
                err = place_connect(&places[i], PROBE_NS, &fd);
                if (err == ERR_ok)
                        close(fd);
        }
        if (err == ERR_ok)
                finding_add(doctor, FINDING_good, "services", STR_FMT ":%d answers",
                            STR_ARG(url->host), (int)url->port);
        else
                finding_add(doctor, FINDING_warning, "services", STR_FMT ":%d: %s",
                            STR_ARG(url->host), (int)url->port, err_text(err))
                        ->help = S("does it run, and may this machine reach it?");
}

static bool was_seen(const struct url *seen, size_t count, const struct url *url)
{
        for (size_t i = 0; i < count; i++) {
                if (str_eq(seen[i].host, url->host) && seen[i].port == url->port)
                        return true;
        }
        return false;
}

void look_at_services(struct doctor *doctor)
{
        struct url seen[SERVICES_MAX], url;
        size_t count = 0;
        if (doctor->bundle == NULL)
                return;
        const struct config *config = doctor->bundle->config;
        for (size_t i = 0; i < config->upstreams_count; i++) {
                const struct conf_upstream *upstream = &config->upstreams[i];
                for (size_t k = 0; k < upstream->targets_count && count < SERVICES_MAX; k++) {
                        if (!was_seen(seen, count, &upstream->targets[k].url))
                                seen[count++] = upstream->targets[k].url;
                }
        }
        for (size_t i = 0; i < config->apis_count && count < SERVICES_MAX; i++) {
                if (upstream_is_url(config->apis[i].upstream) &&
                    url_read(config->apis[i].upstream, &url) == ERR_ok &&
                    !was_seen(seen, count, &url))
                        seen[count++] = url;
        }
        for (size_t i = 0; i < count; i++)
                look_at_service(doctor, &seen[i]);
}

/* ---- a gate that runs ---- */

void look_at_gate(struct doctor *doctor)
{
        struct call *call = doctor->call;
        struct question question = {S("GET"), S("/status")};
        struct gateway gateway;
        struct reply reply;
        if (!gateway_seek(call, &gateway) ||
            gateway_try(&gateway, &question, &call->arena, &reply) != ERR_ok) {
                finding_add(doctor, FINDING_good, "gate", "none runs here now");
                return;
        }
        const struct json *root = reply_json(&reply, &call->arena);
        struct str version = show_str(root, "version", &call->arena);
        if (version.len == 0)
                return;
        bool is_ready = show_is(root, "ready");
        bool is_same = str_is(version, GATE_VERSION);
        struct finding *finding = finding_add(
                doctor, is_ready && is_same ? FINDING_good : FINDING_warning, "gate",
                STR_FMT " runs at " STR_FMT "%s", STR_ARG(version), STR_ARG(gateway.place.text),
                is_ready ? "" : ", and is not ready");
        if (!is_ready)
                finding->help = S("`gate status` says why");
        else if (!is_same)
                finding->help = S("this is " GATE_VERSION "; `gate upgrade` makes it become the "
                                  "binary that lies where it was started from");
}
