/* desk.c -- the admin site of a data process: the doors it has, and what may be asked for there. */
#include "main/desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "main/keepsake.h"
#include "main/sight.h"

enum { WHY_MAX = 1024, SOCKET_PATH_MAX = 104 };

/* How many turns the last answers may take. */
enum { LAST_TURNS = 200 };

#define LAST_TURN_NS 10000000u

/* ---- doors ---- */

static void keep_bound(struct steward *steward, const struct bound *bound, bool is_socket)
{
        if (steward->desk.bound_count == ADMIN_DOORS_MAX)
                return;
        steward->desk.bound[steward->desk.bound_count] = *bound;
        steward->desk.is_socket[steward->desk.bound_count++] = is_socket;
}

static enum err bind_address(struct steward *steward, struct str ip, int64_t port, struct text *why)
{
        char memory[128];
        struct text address = text_over(memory, sizeof memory);
        struct bound bound;
        bool is_v6 = str_find(ip, ':') >= 0;
        text_put(&address, is_v6 ? S("[") : S(""));
        text_put(&address, ip);
        text_format(&address, "%s:%d", is_v6 ? "]" : "", (int)port);
        struct bind_request request = {
                .address = text_str(&address), .name = S("admin"), .count = 1};
        enum err err = keeper_link_bind(steward->link, &request, &bound, why);
        if (err == ERR_ok)
                keep_bound(steward, &bound, false);
        return err;
}

/* Of `localhost` one address is enough. */
static enum err bind_host(struct steward *steward, const struct host_port *to, struct text *why)
{
        if (!str_is(to->host, "localhost"))
                return bind_address(steward, to->host, to->port, why);
        enum err v4 = bind_address(steward, S("127.0.0.1"), to->port, why);
        enum err v6 = v4 == ERR_ok ? bind_address(steward, S("::1"), to->port, why) : v4;
        return v4 == ERR_ok && v6 != ERR_address_used ? ERR_ok : v4 == ERR_ok ? v6 : v4;
}

/* Where the socket is, when nobody says: where systemd or the session keeps such things. */
static bool socket_path(const struct conf_admin *admin, struct text *path)
{
        const char *runtime = getenv("RUNTIME_DIRECTORY");
        const char *session = getenv("XDG_RUNTIME_DIR");
        text_put(path, S("unix:"));
        if (admin->socket.len > 0)
                text_put(path, admin->socket);
        else if (runtime != NULL && runtime[0] == '/')
                text_format(path, "%s/admin.sock", runtime);
        else if (session != NULL && session[0] == '/')
                text_format(path, "%s/gatehouse/admin.sock", session);
        else if (geteuid() == 0)
                text_put(path, S("/run/gatehouse/admin.sock"));
        else
                return false;
        return !path->is_cut;
}

static void make_folder(struct str path)
{
        char folder[SOCKET_PATH_MAX + 8];
        size_t len = path.len;
        while (len > 0 && path.ptr[len - 1] != '/')
                len--;
        if (len <= 1 || len >= sizeof folder)
                return;
        memcpy(folder, path.ptr, len - 1);
        folder[len - 1] = '\0';
        mkdir(folder, 0755);
}

static enum err bind_socket(struct steward *steward, const struct conf_admin *admin,
                            struct text *why)
{
        char memory[SOCKET_PATH_MAX + 8];
        struct text path = text_over(memory, sizeof memory);
        struct bound bound;
        if (!socket_path(admin, &path))
                return ERR_missing;
        make_folder(str_skip(text_str(&path), 5));
        struct bind_request request = {.address = text_str(&path), .count = 1, .mode = 0600};
        enum err err = keeper_link_bind(steward->link, &request, &bound, why);
        if (err == ERR_ok)
                keep_bound(steward, &bound, true);
        return err;
}

/* What was written must be bound; what is only a preset is left out with a warning. */
static int judge(const char *what, enum err err, bool is_written, const struct text *why)
{
        if (err == ERR_ok || (err == ERR_missing && !is_written))
                return 0;
        fprintf(stderr, "gate: %s%s: " STR_FMT "\n", is_written ? "" : "warning: ", what,
                STR_ARG(why->len > 0 ? text_str(why) : str_of(err_text(err))));
        if (!is_written)
                return 0;
        return err == ERR_denied ? EX_NOPERM : EX_OSERR;
}

int desk_bind(struct steward *steward, const struct config *config)
{
        const struct conf_admin *admin = &config->admin;
        const struct json *node = admin->node;
        char memory[WHY_MAX];
        struct text why = text_over(memory, sizeof memory);
        steward->desk.host = arena_str(&steward->arena, admin->address.host);
        enum err err = admin->is_off ? ERR_ok : bind_host(steward, &admin->address, &why);
        int code = judge("admin address", err, json_get(node, S("address")) != NULL, &why);
        if (code != 0)
                return code;
        why.len = 0;
        err = bind_socket(steward, admin, &why);
        return judge("admin socket", err, admin->socket.len > 0, &why);
}

/* ---- what the admin may ask for ---- */

static void count_names(struct steward *steward)
{
        struct counts *counts = steward->desk.admin.counts;
        const struct dns_counts *dns = dns_counts(steward->dns);
        counts_set(counts, COUNT_dns_found, dns->answered);
        counts_set(counts, COUNT_dns_failed, dns->missing + dns->timeouts + dns->failed);
}

static bool is_secure(const struct snapshot *snapshot, struct str listener)
{
        for (uint32_t i = 0; i < snapshot->listener_count; i++) {
                if (str_eq(snapshot->listeners[i].name, listener))
                        return snapshot->listeners[i].tls != NULL;
        }
        return false;
}

static void fill_state(void *arg, struct admin_state *ret_state)
{
        struct steward *steward = arg;
        count_names(steward);
        const struct reload *reload = &steward->reload;
        const struct snapshot *snapshot = steward->snapshot;
        *ret_state = (struct admin_state){
                .version = S(GATE_VERSION),
                .instance = steward->gate.instance,
                .pid = (uint64_t)getpid(),
                .started = steward->started,
                .config_path = snapshot->bundle->load.path,
                .config_hash = snapshot->hash,
                .config_wall = steward->published,
                .config_number = snapshot->number,
                .reload = {reload->wall, reload->text, reload->good, reload->bad, reload->is_good},
                .is_draining = steward->is_draining,
                .refused = steward->desk.refused,
                .listeners = steward->desk.listeners,
        };
        for (unsigned i = 0; i < steward->opening_count; i++)
                steward->desk.listeners[ret_state->listener_count++] = (struct admin_listener){
                        .name = steward->openings[i].name,
                        .address = str_of(steward->openings[i].bound.address),
                        .is_secure = is_secure(snapshot, steward->openings[i].name),
                };
        if (steward->is_draining)
                ret_state->not_ready = S("it is shutting down");
        else if (!steward->is_ready)
                ret_state->not_ready = S("it is starting");
}

static void put_config(void *arg, struct arena *arena, struct text *out)
{
        struct steward *steward = arg;
        keepsake_put(steward->snapshot->bundle, str_of(steward->start->environment), arena, out);
}

static uint64_t begin_reload(void *arg)
{
        struct steward *steward = arg;
        steward->reload.number++;
        steward->reload.is_due = true;
        timer_set(steward->loop, &steward->look, loop_now(steward->loop));
        return steward->reload.number;
}

static enum err act(void *arg, enum admin_action action)
{
        struct steward *steward = arg;
        steward->desk.refused = S("");
        switch (action) {
        case ADMIN_DRAIN:
        case ADMIN_STOP:
                keeper_link_request(steward->link, REQUEST_STOP);
                return ERR_ok;
        case ADMIN_ABORT:
                keeper_link_request(steward->link, REQUEST_ABORT);
                return ERR_ok;
        case ADMIN_UPGRADE:
                keeper_link_request(steward->link, REQUEST_UPGRADE);
                return ERR_ok;
        case ADMIN_REOPEN:
                sight_reopen(steward);
                return ERR_ok;
        }
        return ERR_missing;
}

static enum err put_key(void *arg, const struct admin_key *from)
{
        struct steward *steward = arg;
        char display[KEY_DISPLAY_MAX + 1], id[16];
        struct text shown = text_over(display, sizeof display);
        struct text number = text_over(id, sizeof id);
        struct roster_key key = {
                .seal = seal_make(&steward->secret, from->key),
                .consumer = from->consumer,
                .id = from->id,
                .expires_s = from->expires_s,
                .origin = ROSTER_HOUSE,
        };
        key_display(from->key, &shown);
        text_hex(&number, key.seal.tag.lo, sizeof id);
        key.display = text_str(&shown);
        if (key.id.len == 0)
                key.id = text_str(&number);
        return roster_put_key(steward->gate.roster, &key);
}

static enum err remove_key(void *arg, struct str consumer, struct str key)
{
        struct steward *steward = arg;
        struct credential found;
        if (roster_find(steward->gate.roster, key, 0, &found) == ROSTER_UNKNOWN ||
            !str_eq(found.consumer->name, consumer))
                return ERR_missing;
        return roster_remove_key(steward->gate.roster, seal_tag(&steward->secret, key));
}

static enum err put_consumer(void *arg, const struct consumer *consumer)
{
        struct steward *steward = arg;
        struct consumer copy = *consumer;
        copy.origin = ROSTER_HOUSE;
        return roster_put_consumer(steward->gate.roster, &copy);
}

static enum err remove_consumer(void *arg, struct str name)
{
        struct steward *steward = arg;
        return roster_remove_consumer(steward->gate.roster, name);
}

/* ---- */

void desk_begin(struct steward *steward)
{
        struct desk *desk = &steward->desk;
        struct admin_setup setup = {
                .loop = steward->loop,
                .gate = &steward->gate,
                .journal = &steward->journal,
                .calls = &desk->calls,
        };
        desk->calls = (struct admin_calls){
                .arg = steward,
                .state = fill_state,
                .config = put_config,
                .reload = begin_reload,
                .act = act,
                .put_key = put_key,
                .remove_key = remove_key,
                .put_consumer = put_consumer,
                .remove_consumer = remove_consumer,
        };
        admin_init(&desk->admin, &setup);
}

void desk_open(struct steward *steward)
{
        struct desk *desk = &steward->desk;
        for (unsigned i = 0; i < desk->bound_count; i++) {
                const struct bound *bound = &desk->bound[i];
                enum err err = admin_open(&desk->admin, bound->fds[0], desk->is_socket[i],
                                          desk->is_socket[i] ? S("") : desk->host);
                if (err != ERR_ok)
                        fprintf(stderr, "gate: admin: %s\n", err_text(err));
        }
}

void desk_tell(struct steward *steward, struct str text, struct str faults)
{
        struct admin_outcome outcome = {
                .number = steward->reload.number,
                .is_good = steward->reload.is_good,
                .hash = steward->snapshot->hash,
                .text = text,
                .faults = faults,
        };
        admin_reloaded(&steward->desk.admin, &outcome);
}

void desk_refused(struct steward *steward, struct str why)
{
        struct desk *desk = &steward->desk;
        desk->refused = str_from(desk->refused_memory,
                                 size_min(why.len, sizeof desk->refused_memory));
        if (desk->refused.len > 0)
                memcpy(desk->refused_memory, why.ptr, desk->refused.len);
}

void desk_end(struct steward *steward)
{
        struct admin *admin = &steward->desk.admin;
        admin_shut(admin);
        admin_drain(admin);
        for (int i = 0; i < LAST_TURNS && !admin_is_empty(admin); i++) {
                if (i == LAST_TURNS / 2)
                        http_abort(&admin->http);
                loop_turn(steward->loop, LAST_TURN_NS);
        }
}
