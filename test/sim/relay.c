/* relay.c -- seeded runs of everything from the loop to the links: many callers speak through a
 * plain relay to many servers, over a network whose rules each seed draws anew. After each run:
 * what arrived is what was sent, or the start of it where a connection was reset; every call ends;
 * no page, descriptor or grave is left.
 *
 *     relay [FIRST [COUNT]]      seeds; one that fails is printed, and run alone it fails again */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "io/sim.h"
#include "net/link_tcp.h"
#include "net/listen.h"

#define MS  1000000ull
#define SEC (1000 * MS)

enum { CALLERS = 24, HELD_MAX = LOOP_HOT_SIZE };

static struct sim *sim;
static struct loop *loop;
static struct listener listener;
static struct addr here, there;
static uint64_t seed;
static unsigned pairs_alive;

#define must(cond)                                                                                 \
        do {                                                                                       \
                if (!(cond))                                                                       \
                        panic("seed %llu: %s (line %d)", (unsigned long long)seed, #cond,          \
                              __LINE__);                                                           \
        } while (0)

/* The relay: two links, each with what the other did not take yet. */
struct side {
        struct link_tcp tcp;
        struct side *other;
        struct pair *pair;
        struct buf held; /* came from here, for the other */
        bool has_ended, is_closed;
};

struct pair {
        struct side front, back;
        struct task grave;
        struct timer timer;
        uint64_t until; /* however little happens, it ends then */
};

static struct side *side_of(struct link *link)
{
        return container_of(link, struct side, tcp.link);
}

static void bury_pair(struct task *task)
{
        struct pair *pair = container_of(task, struct pair, grave);
        pairs_alive--;
        free(pair);
}

static void end_pair(struct pair *pair, bool is_abrupt)
{
        struct side *sides[] = {&pair->front, &pair->back};
        if (pair->front.is_closed)
                return;
        for (int i = 0; i < 2; i++) {
                sides[i]->is_closed = true;
                link_close(&sides[i]->tcp.link, is_abrupt);
                buf_fini(&sides[i]->held);
        }
        timer_stop(&pair->timer);
        loop_bury(loop, &pair->grave);
}

/* Looks now and then whether all has left that both sides had to say. */
static void look(struct timer *timer)
{
        struct pair *pair = container_of(timer, struct pair, timer);
        struct side *front = &pair->front, *back = &pair->back;
        bool is_said = front->has_ended && back->has_ended && front->held.len + back->held.len == 0;
        if (is_said && link_queued(&front->tcp.link) + link_queued(&back->tcp.link) == 0)
                end_pair(pair, false);
        else if (loop_now(loop) >= pair->until)
                end_pair(pair, true);
        else
                timer_set(loop, timer, loop_now(loop) + (is_said ? 5 * MS : SEC));
}

/* Hands on what is held, then the end. */
static void push(struct side *from)
{
        struct link *to = &from->other->tcp.link;
        while (from->held.len > 0) {
                struct slice piece = buf_peek(&from->held);
                size_t n = size_min(piece.len, link_room(to));
                if (n == 0)
                        return;
                struct iovec iov = {piece.ptr, n};
                link_send(to, &iov, 1, n);
                buf_drop(&from->held, n);
        }
        if (from->has_ended)
                link_shut(to);
        else
                link_pause(&from->tcp.link, false);
}

static void on_up(struct link *link)
{
        push(side_of(link)->other);
}

static size_t on_data(struct link *link, struct slice bytes)
{
        struct side *side = side_of(link);
        struct link *to = &side->other->tcp.link;
        if (side->is_closed)
                return bytes.len;
        must(!side->has_ended);
        if (side->held.len > 0) { /* the rest of what was given before the pause */
                must(buf_add(&side->held, bytes.ptr, bytes.len));
                return bytes.len;
        }
        if (bytes.len > 1 && sim_chance(sim, 100)) /* asks to be called again with the rest */
                bytes.len = 1 + (size_t)sim_below(sim, bytes.len - 1);
        size_t n = size_min(bytes.len, link_room(to));
        struct iovec iov = {bytes.ptr, n};
        if (n > 0)
                link_send(to, &iov, 1, n);
        if (n < bytes.len) {
                must(buf_add(&side->held, bytes.ptr + n, bytes.len - n));
                link_pause(link, true);
                push(side); /* until there is no room at all: only then on_room follows */
        }
        return bytes.len;
}

static void on_room(struct link *link)
{
        struct side *side = side_of(link);
        if (!side->is_closed)
                push(side->other);
}

static void on_end(struct link *link)
{
        struct side *side = side_of(link);
        must(!side->has_ended && !side->is_closed);
        side->has_ended = true;
        if (side->held.len == 0)
                push(side);
}

static void on_down(struct link *link, enum err err)
{
        struct side *side = side_of(link);
        must(err != ERR_ok && !side->is_closed);
        end_pair(side->pair, true);
}

static const struct link_up above = {
        .up = on_up, .data = on_data, .room = on_room, .end = on_end, .down = on_down};

/* The callers and servers: each sends a sequence and checks the other's. */
struct voice {
        struct sim_peer *peer;
        struct voice *other;
        uint64_t number, to_send, sent, heard;
        bool has_ended, is_down, is_shut;
};

static struct voice callers[CALLERS], servers[CALLERS];

static uint8_t byte_of(uint64_t number, uint64_t at)
{
        uint64_t word = ((at >> 3) + (number << 40)) * 0x9e3779b97f4a7c15u;
        return (uint8_t)(word >> (8 * (at & 7)));
}

static void speak(void *arg)
{
        struct voice *voice = arg;
        uint8_t bytes[3000];
        if (voice->peer == NULL || voice->is_shut)
                return;
        size_t n = (size_t)u64_min(1 + sim_below(sim, sizeof bytes), voice->to_send - voice->sent);
        for (size_t i = 0; i < n; i++)
                bytes[i] = byte_of(voice->number, voice->sent + i);
        sim_send(voice->peer, bytes, n);
        voice->sent += n;
        if (voice->sent == voice->to_send) {
                voice->is_shut = true;
                sim_shut(voice->peer);
        } else {
                sim_after(sim, sim_chance(sim, 900) ? 1 : sim_below(sim, 50 * MS), speak, voice);
        }
}

static void go_on(void *arg)
{
        struct voice *voice = arg;
        if (voice->peer != NULL)
                sim_pause(voice->peer, false);
}

static void hang_up(struct voice *voice, bool is_abrupt)
{
        struct sim_peer *peer = TAKE(voice->peer);
        if (is_abrupt)
                sim_reset(peer);
        else
                sim_close(peer);
}

static void hear(struct sim_peer *peer, const uint8_t *bytes, size_t len)
{
        struct voice *voice = sim_owner(peer);
        size_t at = 0;
        if (voice == NULL) { /* a server learns from the first byte who calls */
                must(bytes[0] < CALLERS);
                voice = &servers[bytes[0]];
                must(voice->peer == NULL && voice->heard == 0);
                voice->peer = peer;
                sim_set_owner(peer, voice);
                sim_after(sim, sim_below(sim, 5 * MS), speak, voice);
                at = 1;
        }
        must(!voice->has_ended);
        for (size_t i = at; i < len; i++)
                must(bytes[i] == byte_of(voice->other->number, voice->heard + i - at));
        voice->heard += len - at;
        if (sim_chance(sim, 30)) {
                sim_pause(peer, true);
                sim_after(sim, sim_below(sim, SEC), go_on, voice);
        }
}

static void heard_end(struct sim_peer *peer)
{
        struct voice *voice = sim_owner(peer);
        if (voice == NULL) {
                sim_close(peer);
                return;
        }
        must(!voice->has_ended);
        voice->has_ended = true;
}

static void heard_down(struct sim_peer *peer, enum err err)
{
        struct voice *voice = sim_owner(peer);
        must(err != ERR_ok);
        if (voice == NULL) {
                sim_close(peer);
                return;
        }
        voice->is_down = true;
        hang_up(voice, true);
}

static void called(struct sim_peer *peer)
{
        struct voice *voice = sim_owner(peer);
        if (voice == NULL)
                return;
        uint8_t number = (uint8_t)(voice - callers);
        sim_send(peer, &number, 1);
        speak(voice);
}

static const struct sim_script voices = {
        .up = called, .data = hear, .end = heard_end, .down = heard_down};

static void call(void *arg)
{
        struct voice *voice = arg;
        voice->peer = sim_dial(sim, &here, &voices, voice);
}

static void accepted(struct listener *which, int fd, const struct addr *peer)
{
        struct pair *pair = calloc(1, sizeof *pair);
        (void)which, (void)peer;
        CHECK(pair != NULL);
        pair->front.other = &pair->back;
        pair->back.other = &pair->front;
        pair->front.pair = pair->back.pair = pair;
        buf_init(&pair->front.held, loop->pages, HELD_MAX);
        buf_init(&pair->back.held, loop->pages, HELD_MAX);
        task_init(&pair->grave, bury_pair);
        timer_init(&pair->timer, look);
        if (link_tcp_open(&pair->front.tcp, loop, fd, &above) != ERR_ok) {
                free(pair);
                return;
        }
        if (link_tcp_dial(&pair->back.tcp, loop, &there, &above) != ERR_ok) {
                link_close(&pair->front.tcp.link, true);
                free(pair); /* nothing has happened to it yet, but its event may be under way */
                return;
        }
        pairs_alive++;
        link_pause(&pair->front.tcp.link, true); /* until the other side is up */
        pair->until = loop_now(loop) + 100000 * SEC;
        timer_set(loop, &pair->timer, loop_now(loop));
}

static bool all_is_over(void)
{
        for (int i = 0; i < CALLERS; i++) {
                if (!callers[i].is_down && !(callers[i].has_ended && callers[i].is_shut))
                        return false;
        }
        return pairs_alive == 0 && sim_is_quiet(sim);
}

/* True when the network may break connections. */
static bool draw_faults(void)
{
        struct sim_rules *rules = sim_rules(sim);
        if (sim_chance(sim, 512))
                return false;
        if (sim_chance(sim, 300))
                rules->reset = (uint16_t)sim_below(sim, 40);
        if (sim_chance(sim, 300))
                rules->refuse = (uint16_t)sim_below(sim, 300);
        if (sim_chance(sim, 100))
                rules->lose = (uint16_t)sim_below(sim, 100);
        if (sim_chance(sim, 200))
                rules->fds_max = 3 + (uint32_t)sim_below(sim, 10);
        return true;
}

static void begin_voices(void)
{
        uint64_t most = sim_rules(sim)->segment_max < 100 ? 3000 : 1u << sim_below(sim, 19);
        for (unsigned i = 0; i < CALLERS; i++) {
                callers[i] = (struct voice){.number = i, .other = &servers[i]};
                servers[i] = (struct voice){.number = i + CALLERS, .other = &callers[i]};
                callers[i].to_send = sim_below(sim, most + 1);
                servers[i].to_send = sim_below(sim, most + 1);
                sim_after(sim, sim_below(sim, 2 * SEC), call, &callers[i]);
        }
}

static void check_voices(bool may_break)
{
        for (unsigned i = 0; i < CALLERS; i++) {
                struct voice *caller = &callers[i], *server = &servers[i];
                if (!may_break)
                        must(!caller->is_down && !server->is_down);
                if (!caller->is_down && !server->is_down) {
                        must(caller->heard == server->to_send && server->heard == caller->to_send);
                        must(caller->has_ended && server->has_ended);
                }
                if (caller->peer != NULL)
                        hang_up(caller, false);
                if (server->peer != NULL)
                        hang_up(server, false);
        }
}

static uint64_t run(void)
{
        sim = sim_make(seed);
        loop = loop_make(&driver_sim, 4096);
        must(addr_read(S("10.0.0.1:80"), &here) == ERR_ok);
        must(addr_read(S("10.0.0.2:80"), &there) == ERR_ok);
        sim_draw_rules(sim);
        sim_rules(sim)->no_memory /= 4;
        bool may_break = draw_faults();
        sim_serve(sim, &there, &voices, NULL);
        int fd = sim_listen(sim, &here);
        must(listener_open(&listener, loop, fd, accepted) == ERR_ok);
        begin_voices();
        for (unsigned turns = 0; !all_is_over(); turns++) {
                loop_turn(loop, 10 * SEC);
                must(turns < 5000000);
        }
        check_voices(may_break);
        for (int i = 0; i < 100; i++)
                loop_turn(loop, 200 * SEC);
        listener_shut(&listener);
        loop->driver->close(loop->world, fd, false);
        must(sim_open_count(sim) == 0);
        must(page_pool_in_use(loop->pages) == 0);
        uint64_t digest = sim_digest(sim);
        loop_free(loop);
        sim_free(sim);
        return digest;
}

int main(int argc, char **argv)
{
        uint64_t first = 0, count = 200;
        if (argc > 1 && str_to_u64(str_of(argv[1]), &first) != ERR_ok)
                return 64;
        if (argc > 1)
                count = 1;
        if (argc > 2 && str_to_u64(str_of(argv[2]), &count) != ERR_ok)
                return 64;
        uint64_t digest = 0;
        for (seed = first; seed < first + count; seed++)
                digest ^= run();
        printf("%llu seeds from %llu on: %016llx\n", (unsigned long long)count,
               (unsigned long long)first, (unsigned long long)digest);
        return 0;
}
