/* sim.c -- the driver of the simulated world: descriptors, readiness, time. */
#include "io/sim.h"

#include <stdlib.h>

#include "base/check.h"
#include "io/sim_int.h"

enum { FD_FIRST = 1000 };

#define START_NOW  1000000000000ull
#define START_WALL 1700000000000000000ull

/* The world of loops that this thread makes. */
static _Thread_local struct sim *world;

struct sim *sim_make(uint64_t seed)
{
        struct sim *sim = heap_take(sizeof *sim);
        world = sim;
        sim->random = seed;
        sim->now = START_NOW;
        sim->wall_offset = START_WALL - START_NOW;
        list_init(&sim->cables);
        list_init(&sim->ports);
        list_init(&sim->lobbies);
        list_init(&sim->black);
        sim->rules = (struct sim_rules){.latency_least = 100000,
                                        .latency_most = 100000,
                                        .turn_cost = 0,
                                        .segment_max = 65536,
                                        .send_room = 128 * 1024,
                                        .recv_room = 128 * 1024,
                                        .backlog_max = 128,
                                        .fds_max = 10000,
                                        .is_full_cut = 1024};
        return sim;
}

void sim_free(struct sim *sim)
{
        CHECK(list_is_empty(&sim->ports));
        while (!list_is_empty(&sim->lobbies))
                lobby_free(list_entry(sim->lobbies.next, struct lobby, node));
        while (!list_is_empty(&sim->cables)) {
                struct cable *cable = list_entry(sim->cables.next, struct cable, node);
                for (int i = 0; i < 2; i++) {
                        free(cable->plugs[i].peer);
                        cable->plugs[i].is_held = false;
                }
                cable->pending = 0;
                cable_maybe_free(cable);
        }
        struct list *node;
        while ((node = list_pop(&sim->black)) != NULL)
                free(list_entry(node, struct black, node));
        free(sim->heap);
        free(sim->desks);
        free(sim);
        world = NULL;
}

struct sim_rules *sim_rules(struct sim *sim)
{
        return &sim->rules;
}

static uint32_t between(struct sim *sim, uint32_t least, uint32_t most)
{
        return least + (uint32_t)sim_below(sim, most - least + 1);
}

void sim_draw_rules(struct sim *sim)
{
        static const uint32_t sizes[] = {1, 100, 1460, 5000, 20000, 65536, 200000};
        struct sim_rules *rules = &sim->rules;
        rules->latency_least = between(sim, 0, 300000);
        rules->latency_most = rules->latency_least + between(sim, 0, 3000000);
        rules->turn_cost = between(sim, 0, 50000);
        rules->segment_max = between(sim, 1, sizes[sim_below(sim, countof(sizes))]);
        rules->send_room = 512 + between(sim, 0, sizes[sim_below(sim, countof(sizes))]);
        rules->recv_room = 512 + between(sim, 0, sizes[sim_below(sim, countof(sizes))]);
        rules->backlog_max = between(sim, 1, 64);
        rules->is_full_cut = (uint16_t)(sim_chance(sim, 512) ? 0 : between(sim, 0, 1024));
        rules->short_send = (uint16_t)(sim_chance(sim, 512) ? 0 : between(sim, 0, 900));
        rules->no_memory = (uint16_t)(sim_chance(sim, 768) ? 0 : between(sim, 0, 200));
        rules->early = (uint16_t)(sim_chance(sim, 512) ? 0 : between(sim, 0, 500));
        rules->few = (uint16_t)(sim_chance(sim, 512) ? 0 : between(sim, 0, 900));
}

/* S. Vigna's splitmix64, written from its definition. */
static uint64_t draw(struct sim *sim)
{
        uint64_t z = sim->random += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
}

uint64_t sim_below(struct sim *sim, uint64_t n)
{
        return mul_high(draw(sim), n);
}

bool sim_chance(struct sim *sim, uint32_t of_1024)
{
        return of_1024 > 0 && sim_below(sim, 1024) < of_1024;
}

uint64_t sim_now(const struct sim *sim)
{
        return sim->now;
}

uint64_t sim_digest(const struct sim *sim)
{
        return sim->digest;
}

void sim_step_wall(struct sim *sim, int64_t ns)
{
        sim->wall_offset += (uint64_t)ns;
}

void sim_blackhole(struct sim *sim, const struct addr *at, bool is_black)
{
        list_each_safe (node, &sim->black) {
                struct black *black = list_entry(node, struct black, node);
                if (!addr_eq(&black->at, at))
                        continue;
                list_remove(node);
                free(black);
        }
        if (is_black) {
                struct black *black = heap_take(sizeof *black);
                black->at = *at;
                list_push(&sim->black, &black->node);
        }
}

void sim_fail_next(struct sim *sim, enum sim_call call, enum err err, unsigned count)
{
        sim->fail_err[call] = err;
        sim->fail_count[call] = count;
}

uint64_t sim_calls(const struct sim *sim, enum sim_call call)
{
        return sim->calls[call];
}

unsigned sim_open_count(const struct sim *sim)
{
        return sim->open_count;
}

static enum err fails(struct sim *sim, enum sim_call call)
{
        sim->calls[call]++;
        if (sim->fail_count[call] == 0)
                return ERR_ok;
        sim->fail_count[call]--;
        return sim->fail_err[call];
}

/* The lowest free descriptor, as the kernel gives it; -1 when there are too many. */
static int desk_take(struct sim *sim, struct plug *plug, struct lobby *lobby)
{
        size_t at = 0;
        if (sim->open_count >= sim->rules.fds_max)
                return -1;
        while (at < sim->desk_cap && (sim->desks[at].plug != NULL || sim->desks[at].lobby != NULL))
                at++;
        if (at == sim->desk_cap) {
                sim->desk_cap = sim->desk_cap == 0 ? 16 : sim->desk_cap * 2;
                sim->desks = realloc(sim->desks, sim->desk_cap * sizeof *sim->desks);
                CHECK(sim->desks != NULL);
                memset(sim->desks + at, 0, (sim->desk_cap - at) * sizeof *sim->desks);
        }
        sim->desks[at] = (struct desk){plug, lobby};
        sim->open_count++;
        return FD_FIRST + (int)at;
}

static struct desk *desk_at(struct sim *sim, int fd)
{
        CHECK(fd >= FD_FIRST && (size_t)(fd - FD_FIRST) < sim->desk_cap);
        struct desk *desk = &sim->desks[fd - FD_FIRST];
        CHECK(desk->plug != NULL || desk->lobby != NULL);
        return desk;
}

static struct plug *plug_at(void *self, int fd)
{
        struct plug *plug = desk_at(((struct port *)self)->sim, fd)->plug;
        CHECK(plug != NULL);
        return plug;
}

int sim_listen(struct sim *sim, const struct addr *at)
{
        int fd = desk_take(sim, NULL, lobby_add(sim, at));
        CHECK(fd >= 0);
        return fd;
}

/* The driver. */

static void *port_make(void)
{
        struct port *port = heap_take(sizeof *port);
        CHECK(world != NULL);
        port->sim = world;
        list_init(&port->ready);
        list_push(&world->ports, &port->node);
        return port;
}

static void port_free(void *self)
{
        struct port *port = self;
        list_remove(&port->node);
        free(port);
}

static uint64_t port_now(void *self)
{
        return ((struct port *)self)->sim->now;
}

static uint64_t port_wall(void *self)
{
        struct sim *sim = ((struct port *)self)->sim;
        return sim->now + sim->wall_offset;
}

/* What epoll would report of it now. */
static unsigned state_of(struct plug *plug)
{
        unsigned flags = 0;
        if (plug->error != ERR_ok)
                flags |= EVENT_FAULT;
        if (plug->is_dead)
                return flags | EVENT_READ | EVENT_WRITE | EVENT_END;
        if (!plug->is_up)
                return flags;
        if (plug->arrived.len > 0)
                flags |= EVENT_READ;
        if (plug->has_end)
                flags |= EVENT_READ | EVENT_END;
        if (plug->is_shut || plug_has_room(plug))
                flags |= EVENT_WRITE;
        else
                plug->wants_room = true;
        return flags;
}

static int collect_streams(struct port *port, struct event *events, int max)
{
        struct sim *sim = port->sim;
        struct list kept;
        struct list *node;
        int count = 0;
        bool is_few = sim_chance(sim, sim->rules.few);
        list_init(&kept);
        while (count < max && (node = list_pop(&port->ready)) != NULL) {
                struct plug *plug = list_entry(node, struct plug, ready);
                if (is_few && sim_chance(sim, 512)) {
                        list_push(&kept, node);
                        continue;
                }
                unsigned flags = state_of(plug);
                if (flags != 0)
                        events[count++] = (struct event){plug->watcher, flags};
        }
        list_move(&port->ready, &kept);
        return count;
}

static int collect(struct port *port, struct event *events, int max)
{
        struct sim *sim = port->sim;
        int count = 0;
        list_each (node, &sim->lobbies) {
                struct lobby *lobby = list_entry(node, struct lobby, node);
                if (count < max && lobby->port == port && lobby->watcher != NULL &&
                    lobby->queued > 0)
                        events[count++] = (struct event){lobby->watcher, EVENT_READ};
        }
        count += collect_streams(port, events + count, max - count);
        for (int i = count - 1; i > 0; i--) {
                int other = (int)sim_below(sim, (uint64_t)i + 1);
                struct event event = events[i];
                events[i] = events[other];
                events[other] = event;
        }
        if (count > 0)
                sim_note(sim, 'w', (uint64_t)count);
        return count;
}

static int port_wait(void *self, uint64_t timeout, struct event *events, int max)
{
        struct port *port = self;
        struct sim *sim = port->sim;
        uint64_t deadline;
        if (add_overflows(sim->now, timeout, &deadline))
                deadline = UINT64_MAX;
        uint64_t start = sim->now + sim_below(sim, sim->rules.turn_cost + 1);
        while (sim_step(sim, start)) {
        }
        if (sim_chance(sim, sim->rules.early))
                return 0;
        for (;;) {
                int count = collect(port, events, max);
                if (count > 0 || port->is_woken || sim->now >= deadline) {
                        port->is_woken = false;
                        return count;
                }
                if (!list_is_empty(&port->ready))
                        continue;
                if (!sim_step(sim, deadline) && deadline == UINT64_MAX)
                        panic("sim: a loop waits for ever, and nothing will happen");
        }
}

static void port_wake(void *self)
{
        ((struct port *)self)->is_woken = true;
}

static enum err port_watch(void *self, int fd, enum watch_mode mode, struct watcher *watcher)
{
        struct port *port = self;
        struct desk *desk = desk_at(port->sim, fd);
        enum err err = fails(port->sim, SIM_WATCH);
        CHECK((desk->lobby != NULL) == (mode == WATCH_LISTEN));
        if (err != ERR_ok)
                return err;
        if (mode == WATCH_LISTEN) {
                if (desk->lobby->watcher != NULL)
                        return ERR_exists;
                desk->lobby->port = port;
                desk->lobby->watcher = watcher;
                return ERR_ok;
        }
        if (desk->plug->watcher != NULL)
                return ERR_exists;
        desk->plug->port = port;
        desk->plug->watcher = watcher;
        if (state_of(desk->plug) != 0)
                plug_wake(desk->plug);
        return ERR_ok;
}

static void port_unwatch(void *self, int fd)
{
        struct desk *desk = desk_at(((struct port *)self)->sim, fd);
        if (desk->lobby != NULL) {
                desk->lobby->watcher = NULL;
                return;
        }
        desk->plug->watcher = NULL;
        list_remove(&desk->plug->ready);
}

static enum err port_open(void *self, const struct addr *to, int *ret_fd)
{
        struct sim *sim = ((struct port *)self)->sim;
        struct addr from;
        enum err err = fails(sim, SIM_OPEN);
        if (err != ERR_ok)
                return err;
        if (sim->open_count >= sim->rules.fds_max)
                return ERR_no_files;
        err = addr_read_ip(S("10.0.0.1"), (uint16_t)(1024 + sim->next_port++ % 60000), &from);
        CHECK(err == ERR_ok);
        *ret_fd = desk_take(sim, cable_open(sim, &from, to), NULL);
        return ERR_ok;
}

static enum err take_error(struct plug *plug)
{
        enum err err = plug->error;
        plug->error = ERR_ok;
        return err;
}

static enum err port_opened(void *self, int fd)
{
        return take_error(plug_at(self, fd));
}

static enum err port_accept(void *self, int listener, struct addr *ret_peer, int *ret_fd)
{
        struct sim *sim = ((struct port *)self)->sim;
        struct lobby *lobby = desk_at(sim, listener)->lobby;
        enum err err = fails(sim, SIM_ACCEPT);
        CHECK(lobby != NULL);
        if (err != ERR_ok)
                return err;
        if (sim->open_count >= sim->rules.fds_max)
                return ERR_no_files;
        struct plug *plug = lobby_take(lobby);
        if (plug == NULL)
                return ERR_again;
        if (plug->is_dead && sim_chance(sim, 512)) { /* other systems than Linux say so here */
                plug_release(plug, true);
                return ERR_reset;
        }
        *ret_peer = plug->cable->from;
        *ret_fd = desk_take(sim, plug, NULL);
        return ERR_ok;
}

static void port_local(void *self, int fd, struct addr *ret_addr)
{
        const struct plug *plug = plug_at(self, fd);
        const struct cable *cable = plug->cable;
        *ret_addr = plug == &cable->plugs[0] ? cable->from : cable->to;
}

static ssize_t port_recv(void *self, int fd, void *to, size_t len)
{
        struct plug *plug = plug_at(self, fd);
        if (plug->arrived.len > 0) {
                size_t n = size_min(len, plug->arrived.len);
                memcpy(to, plug->arrived.ptr + plug->arrived.begin, n);
                bytes_drop(&plug->arrived, n);
                plug_took(plug);
                return (ssize_t)n;
        }
        if (plug->has_end)
                return 0;
        if (plug->error != ERR_ok)
                return -(ssize_t)take_error(plug);
        return plug->is_dead ? 0 : -(ssize_t)ERR_again;
}

static ssize_t port_send(void *self, int fd, const struct iovec *iov, int count)
{
        struct plug *plug = plug_at(self, fd);
        struct sim *sim = sim_of_plug(plug);
        enum err err = fails(sim, SIM_SEND);
        size_t total = 0, done = 0;
        if (err != ERR_ok)
                return -(ssize_t)err;
        if (plug->error != ERR_ok)
                return -(ssize_t)take_error(plug);
        if (plug->is_dead || plug->is_shut)
                return -(ssize_t)ERR_closed;
        if (sim_chance(sim, sim->rules.no_memory))
                return -(ssize_t)ERR_memory;
        for (int i = 0; i < count; i++)
                total += iov[i].iov_len;
        size_t room = sim->rules.send_room;
        room = plug->is_up && plug->sent.len < room ? room - plug->sent.len : 0;
        size_t n = size_min(total, room);
        if (n > 1 && sim_chance(sim, sim->rules.short_send))
                n = 1 + (size_t)sim_below(sim, n);
        plug->wants_room |= n < total;
        if (n == 0)
                return total == 0 ? 0 : -(ssize_t)ERR_again;
        for (int i = 0; done < n; i++) {
                size_t piece = size_min(iov[i].iov_len, n - done);
                bytes_put(&plug->sent, iov[i].iov_base, piece);
                done += piece;
        }
        plug_move(plug);
        return (ssize_t)n;
}

static void port_shut(void *self, int fd)
{
        CHECK(!plug_at(self, fd)->is_shut);
        plug_shut(plug_at(self, fd));
}

static void port_close(void *self, int fd, bool is_abrupt)
{
        struct sim *sim = ((struct port *)self)->sim;
        struct desk *desk = desk_at(sim, fd);
        struct desk closed = *desk;
        *desk = (struct desk){0};
        sim->open_count--;
        if (closed.lobby != NULL)
                lobby_free(closed.lobby);
        else
                plug_release(closed.plug, is_abrupt);
}

const struct driver driver_sim = {
        .name = "sim",
        .make = port_make,
        .free = port_free,
        .now = port_now,
        .wall = port_wall,
        .wait = port_wait,
        .wake = port_wake,
        .watch = port_watch,
        .unwatch = port_unwatch,
        .open = port_open,
        .opened = port_opened,
        .accept = port_accept,
        .local = port_local,
        .recv = port_recv,
        .send = port_send,
        .shut = port_shut,
        .close = port_close,
};
