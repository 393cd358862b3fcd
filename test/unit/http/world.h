/* world.h -- HTTP between scripted callers and scripted servers in the simulated world, for tests:
 * an entrance whose site is the test's, callers that say texts and keep what they hear, servers
 * that answer as they are told. Time is virtual. */
#pragma once

#include "../unit.h"
#include "base/check.h"
#include "http/exchange.h"
#include "io/sim.h"

#define MS  1000000ull
#define SEC (1000 * MS)

enum { WORLD_PAGES = 4096, WORLD_HEARD = 64 * 1024, WORLD_SERVED = 64 };

struct world {
        struct sim *sim;
        struct loop *loop;
        struct http *http;
        struct entrance entrance;
        int listener;
};

static inline struct addr world_addr(const char *text)
{
        struct addr addr;
        assert_int_equal(addr_read(str_of(text), &addr), ERR_ok);
        return addr;
}

static inline struct http_limits world_limits(void)
{
        return (struct http_limits){
                .h1 = {.target = 8192, .field = 8192, .header = 32768, .fields = 128},
                .header_ns = 10 * SEC,
                .idle_ns = 60 * SEC,
                .linger_ns = 2 * SEC,
                .stall_ns = 60 * SEC,
                .body_rate = 240,
                .chunk_extensions = 4096,
                .h2 = {.streams = 100, .resets = 100, .glitches = 100},
                .connections = 1000,
        };
}

/* `http` is to be http_init'ed by whoever owns it, on world->loop. */
static inline void world_begin(struct world *world, uint64_t seed)
{
        *world = (struct world){.sim = sim_make(seed)};
        world->loop = loop_make(&driver_sim, WORLD_PAGES);
        sim_rules(world->sim)->latency_least = sim_rules(world->sim)->latency_most = MS;
}

static inline void world_open(struct world *world, struct http *http, const struct site *site)
{
        struct addr here = world_addr("10.0.0.1:80");
        world->http = http;
        http->back_limits = world_limits();
        world->entrance = (struct entrance){
                .name = S("main"), .site = site, .limits = world_limits(), .address = here};
        world->listener = sim_listen(world->sim, &here);
        assert_int_equal(entrance_open(&world->entrance, http, world->listener), ERR_ok);
}

static inline void world_run(struct world *world, uint64_t time)
{
        uint64_t until = sim_now(world->sim) + time;
        while (sim_now(world->sim) < until)
                loop_turn(world->loop, until - sim_now(world->sim));
}

/* No more callers; what is idle goes, then all memory must be back. */
static inline void world_shut(struct world *world)
{
        entrance_shut(&world->entrance);
        world->loop->driver->close(world->loop->world, world->listener, false);
        http_drain(world->http);
        world_run(world, 200 * SEC);
        assert_int_equal(world->http->exchange_count, 0);
        assert_int_equal(world->http->front_count, 0);
}

static inline void world_end(struct world *world)
{
        assert_int_equal(sim_open_count(world->sim), 0);
        assert_int_equal(page_pool_in_use(world->loop->pages), 0);
        loop_free(world->loop);
        sim_free(world->sim);
}

/* ---- callers ---- */

struct guest {
        struct sim_peer *peer;
        struct text heard;
        char memory[WORLD_HEARD];
        bool has_ended, is_down;
};

static inline void guest_data(struct sim_peer *peer, const uint8_t *bytes, size_t len)
{
        struct guest *caller = sim_owner(peer);
        text_put(&caller->heard, str_from((const char *)bytes, len));
}

static inline void guest_end(struct sim_peer *peer)
{
        ((struct guest *)sim_owner(peer))->has_ended = true;
}

static inline void guest_down(struct sim_peer *peer, enum err err)
{
        (void)err;
        ((struct guest *)sim_owner(peer))->is_down = true;
}

static const struct sim_script guest_script = {
        .data = guest_data, .end = guest_end, .down = guest_down};

static inline void guest_dial(struct world *world, struct guest *caller)
{
        struct addr here = world_addr("10.0.0.1:80");
        caller->heard = text_over(caller->memory, sizeof caller->memory);
        caller->has_ended = caller->is_down = false;
        caller->peer = sim_dial(world->sim, &here, &guest_script, caller);
}

static inline void guest_say(struct guest *caller, const char *text)
{
        sim_send(caller->peer, text, strlen(text));
}

static inline void guest_hang_up(struct guest *caller)
{
        sim_close(TAKE(caller->peer));
}

/* What came since the last call. */
static inline struct str guest_heard(struct guest *caller)
{
        struct str heard = text_str(&caller->heard);
        caller->heard = text_over(caller->memory, sizeof caller->memory);
        return heard;
}

static inline bool has(struct str text, const char *what)
{
        size_t len = strlen(what);
        for (size_t i = 0; i + len <= text.len; i++) {
                if (memcmp(text.ptr + i, what, len) == 0)
                        return true;
        }
        return false;
}

#define assert_has(text, what)                                                                     \
        do {                                                                                       \
                struct str text_ = (text);                                                         \
                if (!has(text_, what))                                                             \
                        fail_msg("\"" STR_FMT "\" has no \"%s\"", STR_ARG(text_), what);           \
        } while (0)

/* ---- servers ---- */

struct server;

/* One connection of a server, and how much of a request it has read. */
struct seat {
        struct server *server;
        struct sim_peer *peer; /* NULL: free */
        struct text head;
        char memory[8192];
        uint64_t body_left;
        bool is_chunked, is_answered;
        char line[64];   /* the start of the request in hand */
        unsigned served; /* requests on this connection */
        unsigned owed;   /* of them without an answer */
};

struct server {
        struct sim *sim;
        struct addr addr;
        const char *answer;                   /* to each request; NULL: none */
        const char *greeting;                 /* said on being connected; NULL: nothing */
        uint64_t delay;                       /* of the answer */
        bool closes;                          /* after an answer, without having said so */
        bool resets;                          /* instead of an answer */
        bool answers_early;                   /* at the end of the head, whatever body follows */
        void (*hear)(struct seat *seat);      /* a head came; NULL */
        void (*answer_to)(struct seat *seat); /* instead of `answer`; NULL */
        unsigned conns, requests;             /* so far */
        uint64_t body_bytes;
        struct seat seats[WORLD_SERVED];
        struct text heard; /* the heads of all requests */
        char memory[WORLD_HEARD];
};

static inline void seat_close(struct seat *seat, bool is_abrupt)
{
        struct sim_peer *peer = TAKE(seat->peer);
        if (is_abrupt)
                sim_reset(peer);
        else
                sim_close(peer);
}

static inline void server_up(struct sim_peer *peer)
{
        struct server *server = sim_owner(peer);
        struct seat *seat = server->seats;
        while (seat->peer != NULL)
                assert_true(++seat < server->seats + WORLD_SERVED);
        *seat = (struct seat){.server = server, .peer = peer};
        seat->head = text_over(seat->memory, sizeof seat->memory);
        sim_set_owner(peer, seat);
        server->conns++;
        if (server->greeting != NULL)
                sim_send(peer, server->greeting, strlen(server->greeting));
}

static inline void seat_answer(void *arg)
{
        struct seat *seat = arg;
        struct server *server = seat->server;
        if (seat->peer == NULL || seat->owed == 0)
                return;
        seat->owed--;
        if (server->resets) {
                seat_close(seat, true);
                return;
        }
        if (server->answer_to != NULL)
                server->answer_to(seat);
        else if (server->answer != NULL)
                sim_send(seat->peer, server->answer, strlen(server->answer));
        if (server->closes && seat->peer != NULL)
                seat_close(seat, false);
}

static inline void seat_over(struct seat *seat)
{
        struct server *server = seat->server;
        if (seat->is_answered)
                return;
        seat->is_answered = true;
        seat->served++;
        seat->owed++;
        server->requests++;
        if (server->delay > 0)
                sim_after(server->sim, server->delay, seat_answer, seat);
        else
                seat_answer(seat);
}

static inline void seat_head(struct seat *seat)
{
        struct str head = text_str(&seat->head);
        ptrdiff_t at = str_find_str(head, S("\r\nContent-Length: "));
        struct str rest = at < 0 ? STR_NONE : str_skip(head, (size_t)at + 18);
        seat->is_answered = false;
        seat->body_left = 0;
        seat->is_chunked = str_find_str(head, S("\r\nTransfer-Encoding: chunked")) >= 0;
        if (at >= 0)
                assert_int_equal(str_to_u64(str_cut(&rest, '\r'), &seat->body_left), ERR_ok);
        text_put(&seat->server->heard, head);
        snprintf(seat->line, sizeof seat->line, "%.*s", (int)size_min(head.len, 60), head.ptr);
        if (seat->server->hear != NULL)
                seat->server->hear(seat);
        if (seat->server->answers_early || (seat->body_left == 0 && !seat->is_chunked))
                seat_over(seat);
}

static inline void seat_byte(struct seat *seat, char byte)
{
        bool in_body = seat->body_left > 0 || seat->is_chunked;
        if (in_body)
                seat->server->body_bytes++;
        if (seat->body_left > 0) {
                if (--seat->body_left == 0)
                        seat_over(seat);
                return;
        }
        text_char(&seat->head, byte);
        struct str so_far = text_str(&seat->head);
        bool is_end = so_far.len >= 4 && memcmp(so_far.ptr + so_far.len - 4, "\r\n\r\n", 4) == 0;
        if (seat->is_chunked) {
                is_end = is_end && so_far.len >= 5 && so_far.ptr[so_far.len - 5] == '0';
                if (is_end)
                        seat_over(seat);
                seat->is_chunked = !is_end;
        } else if (is_end) {
                seat_head(seat);
        }
        if (is_end || so_far.len > 7000)
                seat->head = text_over(seat->memory, sizeof seat->memory);
}

static inline void server_data(struct sim_peer *peer, const uint8_t *bytes, size_t len)
{
        struct seat *seat = sim_owner(peer);
        for (size_t i = 0; i < len && seat->peer == peer; i++)
                seat_byte(seat, (char)bytes[i]);
}

static inline void server_end(struct sim_peer *peer)
{
        seat_close(sim_owner(peer), false);
}

static inline void server_down(struct sim_peer *peer, enum err err)
{
        (void)err;
        (void)peer;
        seat_close(sim_owner(peer), false);
}

static const struct sim_script server_script = {
        .up = server_up, .data = server_data, .end = server_end, .down = server_down};

static inline void server_open(struct world *world, struct server *server, const char *addr,
                               const char *answer)
{
        *server = (struct server){.sim = world->sim, .addr = world_addr(addr), .answer = answer};
        server->heard = text_over(server->memory, sizeof server->memory);
        sim_serve(world->sim, &server->addr, &server_script, server);
}

/* The connections it has open. */
static inline unsigned server_open_count(const struct server *server)
{
        unsigned count = 0;
        for (unsigned i = 0; i < WORLD_SERVED; i++)
                count += server->seats[i].peer != NULL;
        return count;
}

/* Closes them all, as a server does that has waited long enough or ends. */
static inline void server_hang_up(struct server *server, bool is_abrupt)
{
        for (unsigned i = 0; i < WORLD_SERVED; i++) {
                if (server->seats[i].peer != NULL)
                        seat_close(&server->seats[i], is_abrupt);
        }
}

/* Says something on every open connection that nobody asked for. */
static inline void server_say(struct server *server, const char *text)
{
        for (unsigned i = 0; i < WORLD_SERVED; i++) {
                if (server->seats[i].peer != NULL)
                        sim_send(server->seats[i].peer, text, strlen(text));
        }
}
