/* admin_world.h -- the gateway's own site in the simulated world, with callers, for tests: one
 * address and one door that counts as the socket, a data process that writes down what it was
 * asked. */
#pragma once

#include "../http/world.h"

#include "admin/admin.h"
#include "admin/exposition.h"
#include "wire/json.h"

enum { HEARD_MAX = 8 << 20 };

#define TCP    "10.0.0.1:9901"
#define SOCKET "10.0.0.1:9902"

static struct world world;
static struct gate gate;
static struct admin *admin;
static struct journal *journal;
static struct ring *ring;
static struct arena arena;
static struct admin_state told;
static int fds[2];

/* What was asked of the data process. */
static struct {
        uint64_t reloads;
        int action;
        enum err err;
        struct text said;
        char memory[512];
} asked;

static inline void tell_state(void *arg, struct admin_state *ret_state)
{
        (void)arg;
        *ret_state = told;
}

static inline uint64_t on_reload(void *arg)
{
        (void)arg;
        return ++asked.reloads;
}

static inline enum err on_act(void *arg, enum admin_action action)
{
        (void)arg;
        asked.action = (int)action;
        return asked.err;
}

static inline enum err on_put_key(void *arg, const struct admin_key *key)
{
        (void)arg;
        text_format(&asked.said, "put " STR_FMT " " STR_FMT " " STR_FMT " %lld",
                    STR_ARG(key->consumer), STR_ARG(key->key), STR_ARG(key->id),
                    (long long)key->expires_s);
        return asked.err;
}

static inline enum err on_remove_key(void *arg, struct str consumer, struct str key)
{
        (void)arg;
        text_format(&asked.said, "remove " STR_FMT " " STR_FMT, STR_ARG(consumer), STR_ARG(key));
        return asked.err;
}

static inline enum err on_put_consumer(void *arg, const struct consumer *consumer)
{
        (void)arg;
        text_format(&asked.said, "consumer " STR_FMT " " STR_FMT " " STR_FMT " %d",
                    STR_ARG(consumer->name), STR_ARG(consumer->tier), STR_ARG(consumer->channel),
                    consumer->is_blocked);
        return asked.err;
}

static inline enum err on_remove_consumer(void *arg, struct str name)
{
        (void)arg;
        text_format(&asked.said, "no " STR_FMT, STR_ARG(name));
        return asked.err;
}

static const struct admin_calls calls = {
        .state = tell_state,
        .reload = on_reload,
        .act = on_act,
        .put_key = on_put_key,
        .remove_key = on_remove_key,
        .put_consumer = on_put_consumer,
        .remove_consumer = on_remove_consumer,
};

static inline int open_door(const char *at, bool is_socket, const char *host)
{
        struct addr here = world_addr(at);
        int fd = sim_listen(world.sim, &here);
        assert_int_equal(admin_open(admin, fd, is_socket, str_of(host)), ERR_ok);
        return fd;
}

static inline int begin(void **state)
{
        (void)state;
        arena_init(&arena, NULL, SIZE_MAX);
        world_begin(&world, 1);
        memset(&asked, 0, sizeof asked);
        asked.said = text_over(asked.memory, sizeof asked.memory);
        asked.action = -1;
        gate = (struct gate){.counts = count_board_make(1), .worker_count = 1};
        told = (struct admin_state){
                .version = S("1.2.3"),
                .instance = S("gate-1"),
                .config_path = S("/etc/gateway.yaml"),
                .config_hash = S("9f3c"),
                .pid = 42,
        };
        journal = arena_new(&arena, struct journal);
        journal_init(journal, world.loop, count_board_of(gate.counts, 1));
        ring = journal_ring(journal);
        admin = arena_new(&arena, struct admin);
        struct admin_setup setup = {
                .loop = world.loop, .gate = &gate, .journal = journal, .calls = &calls};
        admin_init(admin, &setup);
        world.http = &admin->http;
        fds[0] = open_door(TCP, false, "gate.example");
        fds[1] = open_door(SOCKET, true, "");
        return 0;
}

static inline int end(void **state)
{
        (void)state;
        admin_drain(admin);
        world_run(&world, 100 * SEC);
        assert_true(admin_is_empty(admin));
        for (unsigned i = 0; i < 2; i++)
                world.loop->driver->close(world.loop->world, fds[i], false);
        admin_fini(admin);
        journal_fini(journal);
        ring_free(ring);
        world_end(&world);
        count_board_free(gate.counts);
        arena_fini(&arena);
        return 0;
}

/* ---- callers ---- */

struct caller_peer {
        struct sim_peer *peer;
        struct text heard;
        bool has_ended;
};

static inline void on_data(struct sim_peer *peer, const uint8_t *bytes, size_t len)
{
        struct caller_peer *caller = sim_owner(peer);
        text_put(&caller->heard, str_from((const char *)bytes, len));
}

static inline void on_end(struct sim_peer *peer)
{
        ((struct caller_peer *)sim_owner(peer))->has_ended = true;
}

static const struct sim_script script = {.data = on_data, .end = on_end, .down = NULL};

static inline struct caller_peer *dial(const char *at)
{
        struct addr here = world_addr(at);
        struct caller_peer *caller = arena_new(&arena, struct caller_peer);
        caller->heard = text_grow(&arena, HEARD_MAX);
        caller->peer = sim_dial(world.sim, &here, &script, caller);
        return caller;
}

static inline void say(struct caller_peer *caller, const char *text)
{
        sim_send(caller->peer, text, strlen(text));
}

/* One exchange on a connection of its own; the whole answer. */
static inline struct str ask_at(const char *at, const char *request)
{
        struct caller_peer *caller = dial(at);
        say(caller, request);
        world_run(&world, SEC);
        sim_close(TAKE(caller->peer));
        world_run(&world, SEC / 10);
        assert_false(caller->heard.is_cut);
        return text_str(&caller->heard);
}

static inline struct str get(const char *at, const char *path)
{
        char request[512];
        struct text text = text_over(request, sizeof request - 1);
        text_format(&text, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
        request[text.len] = '\0';
        return ask_at(at, request);
}

static inline unsigned status_of(struct str answer)
{
        uint64_t status = 0;
        if (str_starts(answer, S("HTTP/1.1 ")))
                assert_int_equal(str_to_u64(str_from(answer.ptr + 9, 3), &status), ERR_ok);
        return (unsigned)status;
}

/* The body, chunks taken together. */
static inline struct str body_of(struct str answer)
{
        ptrdiff_t at = str_find_str(answer, S("\r\n\r\n"));
        assert_true(at > 0);
        struct str head = str_first(answer, (size_t)at), rest = str_skip(answer, (size_t)at + 4);
        if (str_find_str(head, S("Transfer-Encoding: chunked")) < 0)
                return rest;
        struct text body = text_grow(&arena, HEARD_MAX);
        for (;;) {
                uint64_t size = 0;
                while (rest.len > 0 && rest.ptr[0] != '\r') {
                        size = size * 16 + (uint64_t)char_hex(rest.ptr[0]);
                        rest = str_skip(rest, 1);
                }
                rest = str_skip(rest, 2);
                if (size == 0)
                        break;
                assert_true(rest.len >= size + 2);
                text_put(&body, str_first(rest, size));
                rest = str_skip(rest, size + 2);
        }
        assert_str(rest, "\r\n");
        return text_str(&body);
}

static inline const struct json *json_of(struct str answer)
{
        const struct json *root;
        struct json_trouble trouble;
        struct json_limits limits = {.nodes_max = 1000000};
        assert_int_equal(json_read(body_of(answer), &limits, &arena, &root, &trouble), ERR_ok);
        return root;
}

static inline struct str at(const struct json *root, const char *pointer)
{
        const struct json *value = json_pointer(root, str_of(pointer));
        if (value == NULL)
                fail_msg("nothing at %s", pointer);
        return value->kind == JSON_STRING ? json_str(value, &arena) : json_raw(value);
}
