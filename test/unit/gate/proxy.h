/* proxy.h -- for tests: a worker whose site does nothing but pass requests to one upstream, as the
 * gate does, in the simulated world. Its configuration is made by hand and replaced by `use`. */
#pragma once

#include "../http/world.h"
#include "gate/live.h"
#include "gate/upstream.h"
#include "gate/worker.h"
#include "io/dns.h"
#include "record/count.h"

#define OK     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define BUSY   "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"
#define GET    "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
#define PUT_5  "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
#define POST_5 "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"

enum { SERVERS = 3, CALLERS = 4, TARGETS = 8 };

static maybe_unused struct world world;
static maybe_unused struct worker worker;
static maybe_unused struct worker *const workers[] = {&worker};
static maybe_unused struct live *live;
static maybe_unused struct dns *dns;
static maybe_unused struct count_board *board;
static maybe_unused struct server servers[SERVERS];
static maybe_unused struct guest callers[CALLERS];
static maybe_unused struct guest *const one = &callers[0], *const two = &callers[1];
static maybe_unused struct timeouts timeouts;
static maybe_unused struct terms terms;

/* The configuration: two generations, so that one can be replaced by the other. */
struct config {
        struct upstream upstream;
        struct upstream_target targets[TARGETS];
        struct upstream *list[1];
        unsigned users; /* exchanges that began with it */
};

static maybe_unused struct config configs[2], *now_used;
static maybe_unused uint64_t world_seed = 1;

/* How the last exchange went. */
static maybe_unused struct {
        unsigned tries, free_tries, ended;
        enum err err;
        struct str authority;
        uint32_t retry_after;
        uint64_t hash;
} seen;

/* ---- the name server ---- */

/* What it answers to every question: addresses separated by blanks; NULL: it says nothing. */
static maybe_unused const char *name_answer;
static maybe_unused enum err name_error;
static maybe_unused unsigned name_questions;

static maybe_unused void on_question(void *arg, struct dns_name *name, struct str text,
                                     enum dns_family family)
{
        struct addr addrs[8];
        struct dns_answer answer = {.addrs = addrs, .ttl = 10, .error = name_error};
        struct str rest = name_answer == NULL ? STR_NONE : str_of(name_answer);
        (void)arg, (void)text, (void)family;
        name_questions++;
        while (rest.len > 0) {
                struct str ip = str_cut(&rest, ' ');
                assert_int_equal(addr_read_ip(ip, 0, &addrs[answer.count++]), ERR_ok);
        }
        if (name_answer == NULL && name_error == ERR_ok)
                answer.error = ERR_timeout;
        dns_give(name, &answer);
}

/* ---- the site ---- */

enum step { PICK, SEND, AWAIT, RELAY, OVER };

struct trip {
        enum step step;
        struct config *config;
        struct attempt attempt;
};

static maybe_unused void answer(struct exchange *ex, struct trip *trip, enum reason reason)
{
        exchange_reset(ex, &ex->back, REASON_done);
        exchange_clear_response(ex);
        ex->req.body.is_discarded = true;
        ex->res.head.status = reason_status(reason);
        body_fill(&ex->res.body, reason_token(reason));
        exchange_send(ex, &ex->front);
        trip->step = RELAY;
}

static maybe_unused void site_begin(struct exchange *ex)
{
        struct trip *trip = arena_new(&ex->arena, struct trip);
        ex->trip = trip;
        ex->timeouts = &timeouts;
        if (timeouts.response > 0)
                ex->times.deadline = ex->times.begin + timeouts.response;
        ex->req.body.is_kept = ex->req.body.length != 0;
        ex->req.head.authority = S("b");
        trip->config = now_used;
        trip->config->users++;
        upstream_begin(&trip->attempt, worker_of(ex), &now_used->upstream, seen.hash);
}

static maybe_unused void step_pick(struct exchange *ex, struct trip *trip)
{
        ex->back = (struct end){0};
        exchange_clear_response(ex);
        seen.err = upstream_get(&trip->attempt, ex);
        trip->step = SEND;
        if (ex->back.failure != REASON_none)
                return;
        if (seen.err == ERR_missing || seen.err == ERR_no_ports)
                answer(ex, trip, REASON_no_target);
        else if (seen.err == ERR_limit || seen.err == ERR_memory)
                answer(ex, trip, REASON_overloaded);
}

static maybe_unused void step_await(struct exchange *ex, struct trip *trip)
{
        enum reason failure = ex->back.failure;
        if (failure == REASON_none && ex->res.head.status == 0)
                return;
        upstream_tried(&trip->attempt, ex);
        if (upstream_may_retry(&trip->attempt, ex, &terms)) {
                trip->step = PICK;
        } else if (failure != REASON_none) {
                answer(ex, trip, failure);
        } else {
                seen.authority = trip->attempt.target->authority;
                exchange_send(ex, &ex->front);
                trip->step = RELAY;
        }
}

static maybe_unused void finish(struct exchange *ex, struct trip *trip)
{
        exchange_reset(ex, &ex->back, REASON_done);
        exchange_reset(ex, &ex->front, REASON_done);
        trip->step = OVER;
        exchange_finish(ex);
}

static maybe_unused void site_run(struct exchange *ex)
{
        struct trip *trip = ex->trip;
        if (trip->step == OVER)
                return;
        if (ex->front.is_gone) {
                finish(ex, trip);
                return;
        }
        if (ex->reason != REASON_none && trip->step < RELAY)
                answer(ex, trip, ex->reason);
        for (enum step before = OVER; before != trip->step;) {
                before = trip->step;
                if (trip->step == PICK)
                        step_pick(ex, trip);
                if (trip->step == SEND && ex->back.failure != REASON_none)
                        trip->step = AWAIT;
                if (trip->step == SEND && ex->back.is_ready) {
                        exchange_send(ex, &ex->back);
                        trip->step = AWAIT;
                }
                if (trip->step == AWAIT)
                        step_await(ex, trip);
        }
        if (trip->step != RELAY)
                return;
        if (ex->back.failure != REASON_none && !ex->res.body.is_complete)
                finish(ex, trip);
        else if (ex->front.conn == NULL && (ex->back.conn == NULL || ex->res.body.is_complete))
                finish(ex, trip);
}

static maybe_unused void site_end(struct exchange *ex)
{
        struct trip *trip = ex->trip;
        seen.tries = trip->attempt.tries;
        seen.free_tries = trip->attempt.free_tries;
        seen.retry_after = upstream_retry_after_s(&trip->attempt);
        seen.ended++;
        upstream_end(&trip->attempt, ex);
        trip->config->users--;
}

static maybe_unused void site_refuse(struct conn *conn, enum reason reason, struct str method,
                                     struct str target, struct text *text)
{
        (void)conn, (void)reason, (void)method, (void)target;
        text_put(text, S("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
}

static maybe_unused const struct site site = {.name = "proxy",
                                              .begin = site_begin,
                                              .run = site_run,
                                              .end = site_end,
                                              .refuse = site_refuse};

/* ---- the configuration ---- */

/* `urls`: "http://host:port", ended by NULL. */
static maybe_unused struct config *configure(unsigned which, const char *const *urls)
{
        struct config *config = &configs[which];
        *config = (struct config){.list = {&config->upstream}};
        struct upstream *upstream = &config->upstream;
        *upstream = (struct upstream){
                .name = S("u"),
                .targets = config->targets,
                .eject = {.failures = 5,
                          .share_percent = 50,
                          .time_ns = 30 * SEC,
                          .time_max_ns = 300 * SEC,
                          .return_ns = 10 * SEC},
                .breaker = {.percent = 50,
                            .least = 1000,
                            .probes = 3,
                            .over_ns = 10 * SEC,
                            .open_ns = 30 * SEC},
                .pool_idle_ns = 4 * SEC,
                .pool_age_ns = 600 * SEC,
                .pool_max = 1024,
                .dns_min_ns = SEC,
                .dns_max_ns = 300 * SEC,
                .dns_stale_ns = 3600 * SEC,
        };
        for (; *urls != NULL; urls++) {
                struct str url = str_of(*urls), rest = str_skip(url, 7);
                bool is_v6 = rest.ptr[0] == '[';
                struct str host = is_v6 ? str_cut(&rest, ']') : str_cut(&rest, ':');
                uint64_t port;
                if (is_v6) {
                        host = str_skip(host, 1);
                        rest = str_skip(rest, 1);
                }
                assert_int_equal(str_to_u64(rest, &port), ERR_ok);
                config->targets[upstream->target_count++] = (struct upstream_target){
                        .url = url,
                        .host = host,
                        .authority = str_skip(url, 7),
                        .port = (uint16_t)port,
                        .weight = 1};
        }
        return config;
}

static maybe_unused void use(struct config *config)
{
        struct config *before = now_used;
        live_hold(live, config->list, 1);
        now_used = config;
        world_run(&world, 10 * MS);
        if (before != NULL)
                live_release(live, before->list, 1);
        world_run(&world, 10 * MS);
}

#define URLS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ALL       URLS("http://10.0.0.2:80", "http://10.0.0.3:80", "http://10.0.0.4:80")
#define FIRST     URLS("http://10.0.0.2:80")
#define BOTH      URLS("http://10.0.0.2:80", "http://10.0.0.3:80")
#define NOBODY    "http://10.0.0.9:80"

static maybe_unused int begin(void **state)
{
        (void)state;
        world_begin(&world, world_seed);
        worker = (struct worker){0};
        http_init(&worker.http, world.loop);
        lanes_init(&worker);
        board = count_board_make(1);
        worker.counts = count_board_of(board, 0);
        world_open(&world, &worker.http, &site);
        dns = dns_make(world.loop, &(struct dns_conf){0});
        dns_set_ask(dns, on_question, NULL);
        name_answer = NULL;
        name_error = ERR_ok;
        name_questions = 0;
        live = live_make(world.loop, dns, workers, 1);
        server_open(&world, &servers[0], "10.0.0.2:80", OK);
        server_open(&world, &servers[1], "10.0.0.3:80", OK);
        server_open(&world, &servers[2], "10.0.0.4:80", OK);
        timeouts = (struct timeouts){.connect = 2 * SEC, .response = 30 * SEC, .idle = 60 * SEC};
        terms = (struct terms){.retry_attempts = 2,
                               .retry_on = RETRY_ON_CONNECT | RETRY_ON_BROKEN,
                               .retry_budget_ppm = 200000};
        memset(&seen, 0, sizeof seen);
        now_used = NULL;
        for (unsigned i = 0; i < CALLERS; i++)
                guest_dial(&world, &callers[i]);
        return 0;
}

static maybe_unused void add_up(void *arg, const struct target_state *state)
{
        uint32_t *sums = arg;
        sums[0] += state->in_flight;
        sums[1] += state->idle;
        sums[2] += state->open;
}

static maybe_unused int end(void **state)
{
        uint32_t sums[3] = {0};
        (void)state;
        for (unsigned i = 0; i < CALLERS; i++) {
                if (callers[i].peer != NULL)
                        guest_hang_up(&callers[i]);
        }
        world_shut(&world);
        live_each(live, add_up, sums);
        assert_int_equal(sums[0] + sums[1] + sums[2], 0);
        if (now_used != NULL)
                live_release(live, now_used->list, 1);
        world_run(&world, SEC);
        assert_int_equal(worker.http.back_count, 0);
        lanes_fini(&worker);
        loop_turn(world.loop, 0);
        live_free(live);
        dns_free(dns);
        count_board_free(board);
        http_fini(&worker.http);
        world_end(&world);
        return 0;
}

/* Says it and waits for the answer. */
static maybe_unused struct str ask(struct guest *caller, const char *request)
{
        guest_say(caller, request);
        for (int i = 0; i < 100 && caller->heard.len == 0; i++)
                world_run(&world, 10 * MS);
        world_run(&world, 10 * MS);
        return guest_heard(caller);
}

static maybe_unused void ask_often(unsigned times, const char *request, const char *expected)
{
        for (unsigned i = 0; i < times; i++)
                assert_has(ask(one, request), expected);
}

static maybe_unused unsigned requests(void)
{
        return servers[0].requests + servers[1].requests + servers[2].requests;
}

struct wanted {
        const char *addr;
        struct target_state state;
        bool is_found;
};

static maybe_unused void look_for(void *arg, const struct target_state *state)
{
        struct wanted *wanted = arg;
        struct addr addr = world_addr(wanted->addr);
        if (addr_eq(&addr, &state->addr)) {
                wanted->state = *state;
                wanted->is_found = true;
        }
}

static maybe_unused struct target_state state_of(const char *addr)
{
        struct wanted wanted = {.addr = addr};
        live_each(live, look_for, &wanted);
        assert_true(wanted.is_found);
        return wanted.state;
}
