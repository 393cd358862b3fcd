/* openings.c -- from the listeners of a configuration to sockets that the workers accept on.
 * Sockets are the keeper's; what stays the same over a reload is not touched. */
#include "main/openings.h"

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"

enum { ADDRESS_TEXT = 128 };

/* The addresses that a host in a configuration means. `localhost` is both families, as is no host.
 */
static unsigned addresses_of(struct str host, struct str ret_ips[2], bool *ret_may_lack)
{
        *ret_may_lack = false;
        if (host.len == 0 || str_is(host, "*")) {
                ret_ips[0] = S("0.0.0.0");
                ret_ips[1] = S("::");
                *ret_may_lack = true;
                return 2;
        }
        if (str_is(host, "localhost")) {
                ret_ips[0] = S("127.0.0.1");
                ret_ips[1] = S("::1");
                *ret_may_lack = true;
                return 2;
        }
        ret_ips[0] = host;
        return 1;
}

static struct opening *opening_of(struct steward *steward, struct str name, struct str address)
{
        for (unsigned i = 0; i < steward->opening_count; i++) {
                struct opening *opening = &steward->openings[i];
                if (str_eq(opening->name, name) && str_eq(opening->address, address))
                        return opening;
        }
        return NULL;
}

/* Binds one address, unless that was done before. */
static enum err bind_one(struct steward *steward, struct str name, struct str address,
                         struct text *why)
{
        struct opening *opening = opening_of(steward, name, address);
        struct bind_request request = {
                .address = address,
                .name = name,
                .count = steward->crew.count,
        };
        if (opening != NULL) {
                opening->is_wanted = true;
                return ERR_ok;
        }
        if (steward->opening_count == DOORS_MOST) {
                text_format(why, "more than %d addresses", DOORS_MOST);
                return ERR_limit;
        }
        opening = &steward->openings[steward->opening_count];
        *opening = (struct opening){.is_wanted = true};
        enum err err = keeper_link_bind(steward->link, &request, &opening->bound, why);
        if (err != ERR_ok)
                return err;
        opening->name = arena_str(&steward->arena, name);
        opening->address = arena_str(&steward->arena, address);
        steward->opening_count++;
        return ERR_ok;
}

enum err openings_bind_host(struct steward *steward, struct str name,
                            const struct host_port *host_port, struct text *why)
{
        struct str ips[2];
        bool may_lack;
        unsigned count = addresses_of(host_port->host, ips, &may_lack);
        unsigned bound = 0;
        enum err err = ERR_missing;
        for (unsigned i = 0; i < count; i++) {
                char memory[ADDRESS_TEXT];
                struct text address = text_over(memory, sizeof memory);
                bool is_v6 = str_find(ips[i], ':') >= 0;
                text_format(&address, is_v6 ? "[" STR_FMT "]:%d" : STR_FMT ":%d", STR_ARG(ips[i]),
                            (int)host_port->port);
                enum err one = bind_one(steward, name, text_str(&address), why);
                if (one == ERR_ok)
                        bound++;
                else
                        err = one;
                /* A machine without IPv6 is no reason not to serve; an address in use is. */
                if (one != ERR_ok && one != ERR_unreachable && one != ERR_no_ports)
                        return one;
        }
        return bound > 0 ? ERR_ok : err;
}

int openings_bind(struct steward *steward, const struct config *config)
{
        for (unsigned i = 0; i < steward->opening_count; i++)
                steward->openings[i].is_wanted = false;
        for (size_t i = 0; i < config->listeners_count; i++) {
                const struct conf_listener *conf = &config->listeners[i];
                char memory[1024];
                struct text why = text_over(memory, sizeof memory);
                enum err err = openings_bind_host(steward, conf->name, &conf->address, &why);
                if (err == ERR_ok)
                        continue;
                fprintf(stderr, "gate: listener `" STR_FMT "`: " STR_FMT "\n", STR_ARG(conf->name),
                        STR_ARG(text_str(&why)));
                return err == ERR_denied ? EX_NOPERM : EX_OSERR;
        }
        return 0;
}

/* ---- on the workers ---- */

struct entering {
        struct steward *steward;
        struct opening *opening;
};

static void enter(struct worker *worker, void *arg)
{
        struct entering *entering = arg;
        struct opening *opening = entering->opening;
        unsigned workers = entering->steward->crew.count;
        struct addr address;
        if (addr_read(str_of(opening->bound.address), &address) != ERR_ok)
                return;
        for (uint32_t nth = 0;; nth++) {
                int fd = bound_pick(&opening->bound, worker->index, workers, nth);
                if (fd < 0)
                        return;
                struct entrance *entrance = worker_new_entrance(worker);
                if (entrance == NULL)
                        return;
                entrance->site = &gate_site;
                entrance->name = opening->name;
                entrance->address = address;
                if (worker_enter(worker, entrance, fd) != ERR_ok)
                        return;
        }
}

static void leave(struct worker *worker, void *arg)
{
        const struct entering *entering = arg;
        struct addr address;
        if (addr_read(str_of(entering->opening->bound.address), &address) == ERR_ok)
                worker_leave(worker, entering->opening->name, &address);
}

static void close_bound(struct bound *bound)
{
        for (uint32_t i = 0; i < bound->count; i++)
                close(bound->fds[i]);
        bound->count = 0;
}

static void release(struct steward *steward, struct opening *opening)
{
        struct entering entering = {steward, opening};
        struct bind_request request = {.address = opening->address, .name = opening->name};
        if (opening->is_open)
                crew_call(&steward->crew, leave, &entering);
        close_bound(&opening->bound);
        keeper_link_release(steward->link, &request);
        *opening = steward->openings[--steward->opening_count];
}

void openings_enter(struct steward *steward)
{
        for (unsigned i = 0; i < steward->opening_count;) {
                struct opening *opening = &steward->openings[i];
                struct entering entering = {steward, opening};
                if (!opening->is_wanted) {
                        release(steward, opening);
                        continue;
                }
                if (!opening->is_open)
                        crew_call(&steward->crew, enter, &entering);
                opening->is_open = true;
                i++;
        }
}

void openings_close(struct steward *steward)
{
        for (unsigned i = 0; i < steward->opening_count; i++)
                close_bound(&steward->openings[i].bound);
}
