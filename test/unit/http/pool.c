/* pool.c -- what http/pool.h and the back codec promise: which connection serves whom, and what is
 * known of a try that failed. Over the simulated network, with a site that is nothing but a proxy
 * to one address. */
#include "http/pool.h"

#include "world.h"

#define OK     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define GET    "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
#define POST_5 "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"

static struct world world;
static struct http http;
static struct pool pool;
static struct server server;
static struct guest one, two;
static struct timeouts timeouts;
static uint64_t connect_ns;
static struct exchange *waiting;
static bool is_fresh, denies, stops_body, holds;

/* How the last exchange went. */
static struct {
        enum err err;
        struct end back;
        unsigned changes, ended;
} seen;

enum step { PICK, SEND, AWAIT, RELAY, OVER };

static void answer(struct exchange *ex, uint16_t status)
{
        exchange_reset(ex, &ex->back, REASON_done);
        exchange_clear_response(ex);
        ex->res.head.status = status;
        body_fill(&ex->res.body, S("own"));
        exchange_send(ex, &ex->front);
}

static void site_begin(struct exchange *ex)
{
        ex->trip = arena_new(&ex->arena, enum step);
        ex->timeouts = &timeouts;
        ex->req.body.is_watched = true;
        if (pool.speaks != PROXY_OFF) {
                struct proxy_header *caller = arena_new(&ex->arena, struct proxy_header);
                addr_bytes(&ex->peer, caller->source);
                addr_bytes(&world.entrance.address, caller->target);
                caller->source_port = addr_port(&ex->peer);
                ex->caller = caller;
        }
        if (timeouts.response > 0)
                ex->times.deadline = ex->times.begin + timeouts.response;
}

static void step_pick(struct exchange *ex, enum step *step)
{
        if (denies && holds) {
                waiting = ex;
                return;
        }
        if (denies) {
                answer(ex, 401);
                *step = RELAY;
                return;
        }
        seen.err = pool_get(&pool, ex, is_fresh, connect_ns);
        *step = SEND;
        if (seen.err != ERR_ok && seen.err != ERR_again) {
                answer(ex, 503);
                *step = RELAY;
        }
}

static void site_run(struct exchange *ex)
{
        enum step *step = ex->trip;
        if (ex->front.is_gone && *step != OVER) {
                exchange_reset(ex, &ex->back, REASON_client_abort);
                *step = OVER;
                exchange_finish(ex);
                return;
        }
        if (*step == PICK)
                step_pick(ex, step);
        if ((*step == SEND || *step == AWAIT) && ex->back.failure != REASON_none) {
                seen.back = ex->back;
                answer(ex, 502);
                *step = RELAY;
        }
        if (ex->reason != REASON_none && *step < RELAY) {
                answer(ex, reason_status(ex->reason));
                *step = RELAY;
        }
        if (*step == SEND && ex->back.is_ready && !holds) {
                ex->req.head.authority = S("b");
                exchange_send(ex, &ex->back);
                *step = AWAIT;
        }
        if (*step == AWAIT && ex->res.head.status != 0) {
                exchange_send(ex, &ex->front);
                *step = RELAY;
        }
        if (*step == RELAY && ex->back.failure != REASON_none && ex->back.conn == NULL &&
            !ex->res.body.is_complete)
                exchange_reset(ex, &ex->front, REASON_upstream_cut);
        if (*step == RELAY && ex->front.conn == NULL && ex->back.conn == NULL) {
                *step = OVER;
                exchange_finish(ex);
        }
}

static void site_end(struct exchange *ex)
{
        (void)ex;
        seen.ended++;
}

static bool site_piece(struct exchange *ex, struct body *body, struct str bytes)
{
        (void)body, (void)bytes;
        if (stops_body)
                exchange_fault(ex, REASON_body_too_large);
        return !stops_body;
}

static void site_refuse(struct conn *conn, enum reason reason, struct str method, struct str target,
                        struct text *text)
{
        (void)conn, (void)reason, (void)method, (void)target;
        text_put(text, S("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
}

static const struct site site = {
        .name = "proxy",
        .begin = site_begin,
        .run = site_run,
        .end = site_end,
        .piece = site_piece,
        .refuse = site_refuse,
};

static void count_change(struct pool *which)
{
        assert_ptr_equal(which, &pool);
        seen.changes++;
}

static int begin(void **state)
{
        struct addr there = world_addr("10.0.0.2:80");
        (void)state;
        world_begin(&world, 1);
        http_init(&http, world.loop);
        world_open(&world, &http, &site);
        pool_init(&pool, &http, &there);
        pool.changed = count_change;
        server_open(&world, &server, "10.0.0.2:80", OK);
        timeouts = (struct timeouts){.response = 30 * SEC, .idle = 60 * SEC};
        connect_ns = 2 * SEC;
        is_fresh = denies = stops_body = holds = false;
        waiting = NULL;
        memset(&seen, 0, sizeof seen);
        guest_dial(&world, &one);
        guest_dial(&world, &two);
        return 0;
}

static int end(void **state)
{
        (void)state;
        if (one.peer != NULL)
                guest_hang_up(&one);
        if (two.peer != NULL)
                guest_hang_up(&two);
        world_run(&world, 100 * MS);
        pool_drain(&pool);
        world_shut(&world);
        assert_int_equal(pool.open_count, 0);
        assert_int_equal(pool.idle_count, 0);
        http_fini(&http);
        world_end(&world);
        return 0;
}

/* Says it and waits a moment for the answer. */
static struct str ask(struct guest *caller, const char *request)
{
        guest_say(caller, request);
        world_run(&world, 100 * MS);
        return guest_heard(caller);
}

static void a_connection_serves_one_after_the_other(void **state)
{
        (void)state;
        assert_has(ask(&one, GET), "200 OK");
        assert_has(ask(&one, POST_5), "\r\n\r\nok");
        assert_has(ask(&two, GET), "200 OK");
        assert_int_equal(server.conns, 1);
        assert_int_equal(server.requests, 3);
        assert_int_equal(pool.opened, 1);
        assert_int_equal(pool.reused, 2);
        assert_int_equal(pool.idle_count, 1);
        assert_true(seen.changes >= 6);
}

static void an_answer_before_the_whole_request_ends_the_connection(void **state)
{
        (void)state;
        server.answers_early = true;
        guest_say(&one, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\nhalf");
        world_run(&world, 100 * MS);
        assert_has(guest_heard(&one), "200 OK");
        assert_int_equal(pool.open_count, 0);
        server.answers_early = false;
        assert_has(ask(&two, GET), "200 OK");
        assert_int_equal(server.conns, 2);
}

/* The request was handed to the link, but the peer takes no more than its window: it answered
 * without having read the rest. */
static void an_answer_while_the_request_still_leaves_ends_the_connection(void **state)
{
        (void)state;
        static char big[60000];
        char head[100];
        sim_rules(world.sim)->send_room = sim_rules(world.sim)->recv_room = 2000;
        guest_hang_up(&one);
        sim_rules(world.sim)->recv_room = 100000;
        guest_dial(&world, &one);
        server.answers_early = true;
        memset(big, 'x', sizeof big - 1);
        snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
                 sizeof big - 1);
        guest_say(&one, head);
        guest_say(&one, big);
        world_run(&world, 300 * MS);
        assert_has(guest_heard(&one), "200 OK");
        assert_int_equal(pool.open_count, 0);
}

static void what_comes_on_an_idle_connection_is_nobodys_answer(void **state)
{
        (void)state;
        assert_has(ask(&one, GET), "200 OK");
        server_say(&server, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad");
        world_run(&world, 10 * MS);
        assert_int_equal(pool.open_count, 0);
        assert_has(ask(&one, GET), "\r\n\r\nok");
        assert_int_equal(server.conns, 2);
}

static void a_second_answer_goes_with_its_connection(void **state)
{
        (void)state;
        server.answer = OK "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad";
        struct str heard = ask(&one, GET);
        assert_has(heard, "\r\n\r\nok");
        assert_false(has(heard, "bad"));
        assert_int_equal(pool.open_count, 0);
        server.answer = OK;
        assert_has(ask(&two, GET), "\r\n\r\nok");
}

static void hang_up(void *arg)
{
        (void)arg;
        server_hang_up(&server, false);
}

/* Bytes that come while the connection is taken but the request has not left are no answer to it,
 * nor is an end then a loss. */
static void what_comes_before_the_request_left_is_not_its_answer(void **state)
{
        (void)state;
        for (int how = 0; how < 2; how++) {
                assert_has(ask(&one, GET), "\r\n\r\nok");
                holds = true;
                assert_str(ask(&one, POST), "");
                if (how == 0)
                        server_say(&server, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad");
                else
                        server_hang_up(&server, false);
                world_run(&world, 100 * MS);
                assert_has(guest_heard(&one), "502");
                assert_int_equal(seen.back.failure, REASON_upstream_cut);
                assert_true(seen.back.is_stale);
                assert_false(seen.back.is_begun);
                assert_false(seen.back.is_heard);
                holds = false;
        }
}

/* A request that must not be sent twice is not sent to who has gone, as far as one can know: even
 * where the end has arrived, but the loop heard of the caller only. */
static void an_unsafe_request_meets_no_connection_that_has_ended(void **state)
{
        (void)state;
        for (unsigned i = 1; i <= 40; i++) {
                assert_has(ask(&one, GET), "200 OK");
                server_hang_up(&server, false);
                guest_say(&one, POST);
                sim_rules(world.sim)->few = 700;
                sim_rules(world.sim)->turn_cost = 2 * MS;
                world_run(&world, 100 * MS);
                sim_rules(world.sim)->few = 0;
                sim_rules(world.sim)->turn_cost = 0;
                assert_has(guest_heard(&one), "200 OK");
                assert_int_equal(server.requests, 2 * i);
        }
}

static void an_end_that_crosses_the_request_is_stale_and_tells_what_left(void **state)
{
        (void)state;
        assert_has(ask(&one, GET), "200 OK");
        guest_say(&one, POST);
        sim_after(world.sim, MS + MS / 2, hang_up, NULL);
        world_run(&world, 100 * MS);
        assert_has(guest_heard(&one), "502");
        assert_int_equal(seen.back.failure, REASON_upstream_cut);
        assert_true(seen.back.is_stale);
        assert_true(seen.back.is_begun);
        assert_false(seen.back.is_heard);
}

static void a_new_connection_that_breaks_is_not_stale(void **state)
{
        (void)state;
        server.resets = true;
        assert_has(ask(&one, GET), "502");
        assert_int_equal(seen.back.failure, REASON_upstream_cut);
        assert_false(seen.back.is_stale);
        assert_true(seen.back.is_begun);
}

static void who_speaks_first_does_not_speak_http(void **state)
{
        (void)state;
        server.greeting = "220 mail ready\r\n";
        assert_has(ask(&one, POST), "502");
        assert_int_equal(seen.back.failure, REASON_upstream_invalid);
        assert_false(seen.back.is_stale);
}

static void half_an_answer_was_heard(void **state)
{
        (void)state;
        assert_has(ask(&one, GET), "200 OK");
        server.answer = "HTTP/1.1 200 O";
        server.closes = true;
        assert_has(ask(&one, GET), "502");
        assert_true(seen.back.is_heard);
        assert_false(seen.back.is_stale);
}

static void a_refused_connection_has_begun_nothing(void **state)
{
        struct addr nobody = world_addr("10.0.0.3:80");
        (void)state;
        pool.addr = nobody;
        assert_has(ask(&one, POST), "502");
        assert_int_equal(seen.back.failure, REASON_upstream_refused);
        assert_false(seen.back.is_begun);
        assert_int_equal(pool.open_count, 0);
}

static void connecting_has_its_own_time(void **state)
{
        (void)state;
        sim_blackhole(world.sim, &pool.addr, true);
        guest_say(&one, GET);
        world_run(&world, 1900 * MS);
        assert_int_equal(guest_heard(&one).len, 0);
        world_run(&world, 300 * MS);
        assert_has(guest_heard(&one), "502");
        assert_int_equal(seen.back.failure, REASON_upstream_unreached);
        assert_false(seen.back.is_begun);
}

static void no_limit_is_no_limit(void **state)
{
        (void)state;
        timeouts = (struct timeouts){0};
        connect_ns = 0;
        server.delay = 1000 * SEC;
        guest_say(&one, GET);
        world_run(&world, 999 * SEC);
        assert_int_equal(guest_heard(&one).len, 0);
        world_run(&world, 2 * SEC);
        assert_has(guest_heard(&one), "200 OK");
}

static void an_answer_that_does_not_come_is_given_up(void **state)
{
        (void)state;
        server.answer = NULL;
        guest_say(&one, GET);
        world_run(&world, 29 * SEC);
        assert_int_equal(guest_heard(&one).len, 0);
        world_run(&world, 2 * SEC);
        assert_has(guest_heard(&one), "502");
        assert_int_equal(seen.back.failure, REASON_upstream_timeout);
        assert_true(seen.back.is_begun);
        assert_int_equal(pool.open_count, 0);
}

/* The time for the answer begins when the request is there. */
static void a_slow_upload_is_not_a_slow_answer(void **state)
{
        (void)state;
        guest_say(&one, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n");
        static char piece[501];
        memset(piece, 'x', 500);
        for (int i = 0; i < 100; i++) {
                guest_say(&one, piece);
                world_run(&world, SEC);
        }
        assert_has(guest_heard(&one), "200 OK");
        server.answer = NULL;
        guest_say(&one, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n");
        for (int i = 0; i < 100; i++) {
                guest_say(&one, piece);
                world_run(&world, SEC);
        }
        assert_str(guest_heard(&one), "");
        world_run(&world, 32 * SEC);
        assert_has(guest_heard(&one), "502");
}

static void a_body_that_stops_is_given_up_and_a_caller_that_stops_is_waited_for(void **state)
{
        (void)state;
        static char big[500000];
        timeouts.idle = 5 * SEC;
        server.answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal";
        assert_has(ask(&one, GET), "hal");
        world_run(&world, 6 * SEC);
        assert_true(one.has_ended || one.is_down);
        memset(big, 'x', sizeof big - 1);
        memcpy(big, "HTTP/1.1 200 OK\r\nContent-Length: 499961\r\n\r\n", 43);
        server.answer = big;
        sim_rules(world.sim)->send_room = sim_rules(world.sim)->recv_room = 4000;
        sim_pause(two.peer, true);
        assert_int_equal(ask(&two, GET).len, 0);
        world_run(&world, 30 * SEC);
        assert_false(two.is_down);
        assert_int_equal(http.exchange_count, 1);
}

static const char *cut_answer;
static size_t cut_at;

static void send_rest(void *arg)
{
        struct seat *seat = arg;
        sim_send(seat->peer, cut_answer + cut_at, strlen(cut_answer) - cut_at);
}

static void answer_in_two(struct seat *seat)
{
        sim_send(seat->peer, cut_answer, cut_at);
        sim_after(world.sim, 2 * MS, send_rest, seat);
}

/* Both heads, cut in every place; what memory held before must make no difference. */
static void a_head_may_come_in_any_two_pieces(void **state)
{
        (void)state;
        static const char request[] = "POST /x HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n"
                                      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        cut_answer = "HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "2\r\nok\r\n0\r\nX-T: u\r\n\r\n";
        server.answer_to = answer_in_two;
        for (cut_at = 1; cut_at < strlen(cut_answer); cut_at++) {
                struct str heard = ask(&one, GET);
                assert_has(heard, "X-A: b\r\nTransfer-Encoding: chunked\r\n\r\n");
                assert_has(heard, "k\r\n0\r\n\r\n");
        }
        assert_int_equal(server.conns, 1);
        cut_at = 1;
        for (size_t at = 1; at < sizeof request - 1; at++) {
                server.heard.len = 0;
                sim_send(one.peer, request, at);
                world_run(&world, 2 * MS);
                guest_say(&one, request + at);
                world_run(&world, 100 * MS);
                assert_has(guest_heard(&one), "k\r\n0\r\n");
                assert_has(text_str(&server.heard), "X-Y: z\r\n");
        }
}

static void no_more_are_opened_than_allowed(void **state)
{
        (void)state;
        pool.max = 1;
        server.delay = SEC;
        guest_say(&one, GET);
        world_run(&world, 100 * MS);
        assert_has(ask(&two, GET), "503");
        assert_int_equal(seen.err, ERR_limit);
        world_run(&world, SEC);
        assert_has(guest_heard(&one), "200 OK");
        /* A fresh one takes the place of one that lies idle. */
        server.delay = 0;
        is_fresh = true;
        assert_has(ask(&two, GET), "200 OK");
        assert_int_equal(server.conns, 2);
        assert_int_equal(pool.open_count, 1);
}

static void too_many_are_not_kept(void **state)
{
        (void)state;
        server.delay = 50 * MS;
        guest_say(&one, GET);
        guest_say(&two, GET);
        world_run(&world, 20 * MS);
        assert_int_equal(pool.open_count, 2);
        pool.max = 1;
        world_run(&world, 200 * MS);
        assert_int_equal(pool.open_count, 1);
        assert_int_equal(pool.idle_count, 1);
}

static void idle_ones_go_after_their_time_and_old_ones_too(void **state)
{
        (void)state;
        assert_has(ask(&one, GET), "200 OK");
        world_run(&world, 3 * SEC);
        assert_int_equal(pool.open_count, 1);
        world_run(&world, 2 * SEC);
        assert_int_equal(pool.open_count, 0);
        assert_int_equal(server_open_count(&server), 0);
        pool.age_ns = 6 * SEC;
        for (int i = 0; i < 3; i++) {
                assert_has(ask(&one, GET), "200 OK");
                world_run(&world, 3 * SEC);
        }
        assert_int_equal(server.conns, 3);
}

static void a_drained_pool_ends_with_what_runs(void **state)
{
        (void)state;
        assert_has(ask(&two, GET), "200 OK");
        server.delay = 50 * MS;
        guest_say(&one, GET);
        guest_say(&two, GET);
        world_run(&world, 20 * MS);
        assert_int_equal(pool.open_count, 2);
        pool_drain(&pool);
        world_run(&world, 200 * MS);
        assert_has(guest_heard(&one), "200 OK");
        assert_has(guest_heard(&two), "200 OK");
        assert_int_equal(pool.open_count, 0);
}

/* What paused a connection must not stay with it when the exchange is over. */
static void a_connection_that_was_paused_reads_on_for_the_next(void **state)
{
        (void)state;
        static char big[40000];
        struct sim_rules *rules = sim_rules(world.sim);
        rules->send_room = rules->recv_room = rules->segment_max = 100000;
        rules->is_full_cut = 1024;
        for (int size = 18000; size < 36000; size += 1500) {
                int head = snprintf(big, sizeof big,
                                    "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size);
                memset(big + head, 'x', (size_t)size);
                big[head + size] = '\0';
                server.answer = big;
                guest_hang_up(&one);
                guest_dial(&world, &one);
                sim_pause(one.peer, true);
                for (int i = 0; i < 30; i++)
                        guest_say(&one, GET);
                world_run(&world, SEC);
                server.answer = OK;
                assert_has(ask(&two, GET), "\r\n\r\nok");
                assert_has(ask(&two, GET), "\r\n\r\nok");
        }
}

static void a_caller_that_is_denied_with_its_body_may_ask_again(void **state)
{
        (void)state;
        static char request[40000];
        int head = snprintf(request, sizeof request,
                            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n");
        memset(request + head, 'x', 20000);
        sim_rules(world.sim)->segment_max = 100000;
        sim_rules(world.sim)->is_full_cut = 1024;
        sim_rules(world.sim)->send_room = sim_rules(world.sim)->recv_room = 100000;
        denies = holds = true;
        assert_str(ask(&one, request), "");
        holds = false;
        exchange_resume(waiting);
        world_run(&world, 100 * MS);
        assert_has(guest_heard(&one), "401");
        denies = false;
        assert_has(ask(&one, GET), "200 OK");
        assert_has(ask(&one, request), "200 OK");
}

/* A body of which a piece was refused is never taken for complete. */
static void a_body_that_is_refused_half_way_is_not_sent_on(void **state)
{
        (void)state;
        guest_say(&one, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
        world_run(&world, 50 * MS);
        stops_body = true;
        guest_say(&one, "world");
        world_run(&world, 50 * MS);
        assert_has(guest_heard(&one), "413");
        assert_int_equal(server.requests, 0);
        assert_int_equal(pool.open_count, 0);
}

/* Two callers take turns; the server hears from each connection who it is, once. */
static void a_connection_that_says_whose_it_is_serves_nobody_else(void **state)
{
        (void)state;
        pool.speaks = PROXY_V1;
        for (int i = 0; i < 3; i++) {
                guest_say(&one, GET);
                world_run(&world, 50 * MS);
                guest_say(&two, GET);
                world_run(&world, 50 * MS);
        }
        assert_int_equal(server.requests, 6);
        assert_int_equal(server.conns, 2);
        assert_int_equal(pool.reused, 4);
        assert_has(text_str(&server.heard), "PROXY TCP4 ");
        pool.speaks = PROXY_OFF; /* what is said from now on is another thing: nothing */
        guest_say(&one, GET);
        world_run(&world, 50 * MS);
        assert_int_equal(server.conns, 3);
        assert_has(guest_heard(&one), "ok");
}

#define SWITCH "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n"

static void after_a_switch_bytes_pass_both_ways_until_an_end(void **state)
{
        (void)state;
        for (int i = 0; i < 2; i++) {
                server.answer = "HTTP/1.1 101 OK\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\nhi";
                guest_say(&one, SWITCH "early");
                world_run(&world, 50 * MS);
                struct str heard = guest_heard(&one);
                assert_has(heard, "101 Switching Protocols\r\n");
                assert_has(heard, "Upgrade: foo\r\n\r\nhi");
                assert_has(text_str(&server.seats[0].head), "early");
                guest_say(&one, "late");
                server_say(&server, "more");
                world_run(&world, 50 * MS);
                assert_has(text_str(&server.seats[0].head), "earlylate");
                assert_has(guest_heard(&one), "more");
                assert_int_equal(http.exchange_count, 1);
                if (i == 0)
                        sim_shut(one.peer);
                else
                        server_hang_up(&server, false);
                world_run(&world, SEC);
                assert_true(one.has_ended);
                assert_int_equal(http.exchange_count, 0);
                assert_int_equal(pool.open_count, 0);
                guest_hang_up(&one);
                guest_dial(&world, &one);
        }
}

static void a_switch_that_was_not_asked_for_is_no_answer(void **state)
{
        (void)state;
        server.answer = "HTTP/1.1 101 OK\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\nhi";
        guest_say(&one, GET);
        world_run(&world, 50 * MS);
        assert_has(guest_heard(&one), "502");
        server.answer = "HTTP/1.1 101 OK\r\nConnection: upgrade\r\nUpgrade: bar\r\n\r\nhi";
        guest_say(&one, SWITCH);
        world_run(&world, 50 * MS);
        assert_has(guest_heard(&one), "502");
        assert_int_equal(pool.open_count, 0);
}

static void a_caller_that_vanishes_takes_its_connection_along(void **state)
{
        (void)state;
        static const uint64_t when[] = {0, MS / 2, MS + 1, 3 * MS, 20 * MS};
        server.delay = 10 * MS;
        for (size_t i = 0; i < countof(when); i++) {
                struct guest *caller = &one;
                guest_hang_up(caller);
                guest_dial(&world, caller);
                world_run(&world, 10 * MS);
                guest_say(caller, GET);
                world_run(&world, MS + when[i] + 1);
                sim_reset(TAKE(caller->peer));
                world_run(&world, 50 * MS);
                assert_int_equal(http.exchange_count, 0);
                assert_int_equal(pool.open_count, pool.idle_count);
                guest_dial(&world, caller);
        }
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(a_connection_serves_one_after_the_other),
                test(an_answer_before_the_whole_request_ends_the_connection),
                test(an_answer_while_the_request_still_leaves_ends_the_connection),
                test(what_comes_on_an_idle_connection_is_nobodys_answer),
                test(a_second_answer_goes_with_its_connection),
                test(what_comes_before_the_request_left_is_not_its_answer),
                test(an_unsafe_request_meets_no_connection_that_has_ended),
                test(an_end_that_crosses_the_request_is_stale_and_tells_what_left),
                test(a_new_connection_that_breaks_is_not_stale),
                test(who_speaks_first_does_not_speak_http),
                test(half_an_answer_was_heard),
                test(a_refused_connection_has_begun_nothing),
                test(connecting_has_its_own_time),
                test(no_limit_is_no_limit),
                test(an_answer_that_does_not_come_is_given_up),
                test(a_slow_upload_is_not_a_slow_answer),
                test(a_body_that_stops_is_given_up_and_a_caller_that_stops_is_waited_for),
                test(a_head_may_come_in_any_two_pieces),
                test(no_more_are_opened_than_allowed),
                test(too_many_are_not_kept),
                test(idle_ones_go_after_their_time_and_old_ones_too),
                test(a_drained_pool_ends_with_what_runs),
                test(a_connection_that_was_paused_reads_on_for_the_next),
                test(a_caller_that_is_denied_with_its_body_may_ask_again),
                test(a_body_that_is_refused_half_way_is_not_sent_on),
                test(a_connection_that_says_whose_it_is_serves_nobody_else),
                test(after_a_switch_bytes_pass_both_ways_until_an_end),
                test(a_switch_that_was_not_asked_for_is_no_answer),
                test(a_caller_that_vanishes_takes_its_connection_along),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
