/* live_threads.c -- reloads under traffic with real threads, for the thread sanitizer: a steward
 * that replaces targets as soon as those before have answered, workers that ask whatever is there,
 * servers on loopback. Every exchange gets an answer, nothing is left. */
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

#include "../unit.h"
#include "base/check.h"
#include "base/log.h"
#include "base/rand.h"
#include "gate/live.h"
#include "gate/worker.h"

#define MS 1000000ull

enum { WORKERS = 3, SERVERS = 3, EXCHANGES = 16, RELOADS = 300, TARGETS = SERVERS + 2 };

static struct http_limits limits = {
        .h1 = {.target = 8192, .field = 8192, .header = 32768, .fields = 128},
        .header_ns = 60000 * MS,
        .idle_ns = 60000 * MS,
        .linger_ns = 2000 * MS,
        .stall_ns = 60000 * MS,
        .connections = 1000,
};

/* ---- servers: one thread answers on all their ports ---- */

static struct {
        pthread_t thread;
        struct loop *loop;
        struct http http;
        struct entrance entrances[SERVERS];
        int fds[SERVERS];
        uint16_t ports[SERVERS];
        struct mail stop;
} host;

static void answer_begin(struct exchange *ex)
{
        (void)ex;
}

static void answer_run(struct exchange *ex)
{
        if (ex->res.head.status == 0 && ex->front.conn != NULL) {
                ex->res.head.status = 200;
                body_fill(&ex->res.body, S("hello"));
                exchange_send(ex, &ex->front);
        }
        if (ex->front.conn == NULL)
                exchange_finish(ex);
}

static void answer_end(struct exchange *ex)
{
        (void)ex;
}

static void answer_refuse(struct conn *conn, enum reason reason, struct str method,
                          struct str target, struct text *answer)
{
        (void)conn, (void)reason, (void)method, (void)target, (void)answer;
}

static const struct site answer_site = {.name = "hello",
                                        .begin = answer_begin,
                                        .run = answer_run,
                                        .end = answer_end,
                                        .refuse = answer_refuse};

static void stop_host(struct mail *mail)
{
        (void)mail;
        loop_stop(host.loop);
}

static void *serve(void *arg)
{
        (void)arg;
        loop_run(host.loop);
        for (unsigned i = 0; i < SERVERS; i++)
                entrance_shut(&host.entrances[i]);
        http_drain(&host.http);
        for (unsigned i = 0; i < 3000 && host.http.front_count > 0; i++)
                loop_turn(host.loop, MS);
        http_fini(&host.http);
        return NULL;
}

static int listen_somewhere(uint16_t *ret_port)
{
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof at;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
                    listen(fd, 512) == 0 && getsockname(fd, (struct sockaddr *)&at, &len) == 0);
        *ret_port = ntohs(at.sin_port);
        return fd;
}

static void open_host(void)
{
        host.loop = loop_make(&driver_epoll, 8192);
        http_init(&host.http, host.loop);
        for (unsigned i = 0; i < SERVERS; i++) {
                host.fds[i] = listen_somewhere(&host.ports[i]);
                host.entrances[i] = (struct entrance){
                        .site = &answer_site, .name = S("host"), .limits = limits};
                assert_int_equal(entrance_open(&host.entrances[i], &host.http, host.fds[i]),
                                 ERR_ok);
        }
        host.stop.open = stop_host;
        assert_int_equal(pthread_create(&host.thread, NULL, serve, NULL), 0);
}

static void shut_host(void)
{
        loop_post(host.loop, &host.stop);
        pthread_join(host.thread, NULL);
        loop_free(host.loop);
        for (unsigned i = 0; i < SERVERS; i++)
                close(host.fds[i]);
}

/* ---- configurations, held by pins as snapshots are ---- */

struct config {
        struct upstream upstreams[2];
        struct upstream_target targets[TARGETS];
        char texts[TARGETS][64];
        struct upstream *list[2];
};

static struct config pool[PIN_ALIVE_MAX * 4];
static bool is_used[countof(pool)];
static struct live *live;
static struct pin_board *board;

static struct config *configure(void)
{
        unsigned place = 0;
        while (is_used[place])
                assert_true(++place < countof(pool));
        is_used[place] = true;
        struct config *config = &pool[place];
        *config = (struct config){0};
        for (unsigned i = 0; i < TARGETS; i++) {
                struct upstream_target *target = &config->targets[i];
                /* Behind the servers: one by name, and one that refuses. */
                const char *name = i == SERVERS ? "localhost" : "127.0.0.1";
                target->port = i <= SERVERS ? host.ports[i % SERVERS] : 1;
                snprintf(config->texts[i], sizeof config->texts[i], "http://%s:%d", name,
                         target->port);
                target->url = str_of(config->texts[i]);
                target->host = str_of(name);
                target->authority = str_skip(target->url, 7);
                target->weight = 1;
        }
        for (unsigned i = 0; i < 2; i++) {
                struct upstream *upstream = &config->upstreams[i];
                /* The first always has somebody who answers. */
                unsigned from = (unsigned)rand_below(i == 0 ? SERVERS : TARGETS);
                *upstream = (struct upstream){
                        .name = i == 0 ? S("orders") : S("users"),
                        .targets = config->targets + from,
                        .target_count = 1 + (uint32_t)rand_below(TARGETS - from),
                        .balance = (enum balance_kind)rand_below(4),
                        .eject = {2, 50, 2 * MS, 20 * MS, 2 * MS},
                        .breaker = {50, 20, 3, 1000 * MS, 2 * MS},
                        .pool_idle_ns = 1000 * MS,
                        .pool_max = 100,
                };
                config->list[i] = upstream;
        }
        return config;
}

static void retire(void *arg, void *value, uint64_t number)
{
        struct config *config = value;
        (void)arg, (void)number;
        live_release(live, config->list, 2);
        is_used[config - pool] = false;
}

static void post(void *arg)
{
        (void)arg;
}

/* ---- workers ---- */

struct hand {
        struct worker worker;
        pthread_t thread;
        struct timer timer;
        struct task turn;
        struct mail stop;
        bool is_stopping;
        unsigned begun, failed;
        _Atomic unsigned answered; /* the steward waits for it to grow */
};

static struct hand hands[WORKERS];
static struct timeouts timeouts = {2000 * MS, 10000 * MS, 10000 * MS, 0};
static struct terms terms = {.retry_attempts = 2,
                             .retry_on = RETRY_ON_CONNECT | RETRY_ON_BROKEN,
                             .retry_budget_ppm = 1000000};

struct trip {
        struct attempt attempt;
        struct pin *pin;
        bool is_sent;
};

static struct hand *hand_of(struct exchange *ex)
{
        return container_of(worker_of(ex), struct hand, worker);
}

static void begin(struct exchange *ex)
{
        struct trip *trip = arena_new(&ex->arena, struct trip);
        struct hand *hand = hand_of(ex);
        ex->trip = trip;
        trip->pin = pin_take(hand->worker.pins);
        struct config *config = trip->pin->value;
        ex->timeouts = &timeouts;
        ex->times.deadline = ex->times.begin + timeouts.response;
        ex->req.head.method = METHOD_GET;
        ex->req.head.method_text = S("GET");
        ex->req.head.raw_target = S("/");
        ex->req.head.authority = S("a");
        ex->req.body.length = 0;
        ex->req.body.is_complete = true;
        fields_init(&ex->req.head.fields, &ex->arena, 0);
        upstream_begin(&trip->attempt, &hand->worker, config->list[hand->begun++ % 2], 0);
}

static void finish(struct exchange *ex, bool is_good)
{
        struct hand *hand = hand_of(ex);
        if (is_good)
                hand->answered++;
        else
                hand->failed++;
        exchange_reset(ex, &ex->back, REASON_done);
        exchange_finish(ex);
}

static void run(struct exchange *ex)
{
        struct trip *trip = ex->trip;
        for (;;) {
                if (trip->attempt.seat == NULL && ex->back.failure == REASON_none) {
                        enum err err = upstream_get(&trip->attempt, ex);
                        if (err == ERR_missing || err == ERR_limit) {
                                finish(ex, false);
                                return;
                        }
                }
                if (ex->back.is_ready && !trip->is_sent) {
                        exchange_send(ex, &ex->back);
                        trip->is_sent = true;
                }
                if (ex->res.body.is_complete) {
                        upstream_tried(&trip->attempt, ex);
                        CHECK(ex->res.head.status == 200);
                        finish(ex, true);
                        return;
                }
                if (ex->back.failure == REASON_none)
                        return;
                upstream_tried(&trip->attempt, ex);
                if (!upstream_may_retry(&trip->attempt, ex, &terms)) {
                        finish(ex, false);
                        return;
                }
                ex->back = (struct end){0};
                exchange_clear_response(ex);
                trip->is_sent = false;
                enum err err = upstream_get(&trip->attempt, ex);
                if (err == ERR_missing || err == ERR_limit) {
                        finish(ex, false);
                        return;
                }
        }
}

static void end(struct exchange *ex)
{
        struct trip *trip = ex->trip;
        upstream_end(&trip->attempt, ex);
        pin_give(trip->pin);
}

static const struct site ask_site = {.name = "ask", .begin = begin, .run = run, .end = end};

static void on_turn(struct task *task)
{
        struct hand *hand = container_of(task, struct hand, turn);
        struct http *http = &hand->worker.http;
        (void)pin_turn(hand->worker.pins);
        timer_set(http->loop, &hand->timer, loop_now(http->loop) + MS);
        if (hand->worker.pins->now == NULL || hand->is_stopping)
                return;
        while (http->exchange_count < EXCHANGES) {
                struct exchange *ex = exchange_begin(http, &ask_site, NULL);
                CHECK(ex != NULL);
                exchange_start(ex);
        }
}

static void on_timer(struct timer *timer)
{
        (void)timer;
}

static void stop_hand(struct mail *mail)
{
        struct hand *hand = container_of(mail, struct hand, stop);
        hand->is_stopping = true;
        loop_stop(hand->worker.http.loop);
}

static void *work(void *arg)
{
        struct hand *hand = arg;
        struct http *http = &hand->worker.http;
        loop_each_turn(http->loop, &hand->turn);
        loop_run(http->loop);
        while (http->exchange_count > 0)
                loop_turn(http->loop, MS);
        list_remove(&hand->turn.node);
        lanes_fini(&hand->worker);
        loop_turn(http->loop, 0);
        timer_stop(&hand->timer);
        pin_leave(hand->worker.pins);
        http_fini(http);
        return NULL;
}

static void ignore(void *arg, const struct target_state *state)
{
        *(uint64_t *)arg += state->in_flight;
}

static unsigned answered_by_all(void)
{
        unsigned sum = 0;
        for (unsigned i = 0; i < WORKERS; i++)
                sum += hands[i].answered;
        return sum;
}

static bool has_each_answered(void)
{
        for (unsigned i = 0; i < WORKERS; i++) {
                if (hands[i].answered == 0)
                        return false;
        }
        return true;
}

static void reload_often(struct loop *steward)
{
        uint64_t sum = 0;
        for (unsigned i = 0; i < RELOADS; i++) {
                struct config *config = configure();
                unsigned before = answered_by_all();
                live_hold(live, config->list, 2);
                pin_publish(board, config);
                do {
                        loop_turn(steward, MS);
                        pin_retire(board);
                } while (pin_alive(board) > PIN_ALIVE_MAX || answered_by_all() == before);
                live_each(live, ignore, &sum);
                (void)live_breaker_is_open(live, S("orders"));
        }
        while (!has_each_answered())
                loop_turn(steward, MS);
}

static void reloads_under_traffic_lose_nothing(void **state)
{
        static struct worker *workers[WORKERS];
        struct pin_calls calls = {NULL, post, retire, NULL, NULL};
        struct loop *steward = loop_make(&driver_epoll, 1024);
        (void)state;
        log_set(LEVEL_ERROR, LOG_AUTO);
        open_host();
        board = pin_board_make(&calls, WORKERS);
        for (unsigned i = 0; i < WORKERS; i++) {
                struct hand *hand = &hands[i];
                workers[i] = &hand->worker;
                hand->worker.index = i;
                hand->worker.pins = pin_worker(board, i);
                http_init(&hand->worker.http, loop_make(&driver_epoll, 8192));
                hand->worker.http.back_limits = limits;
                lanes_init(&hand->worker);
                task_init(&hand->turn, on_turn);
                timer_init(&hand->timer, on_timer);
                hand->stop.open = stop_hand;
        }
        live = live_make(steward, NULL, workers, WORKERS);
        for (unsigned i = 0; i < WORKERS; i++)
                assert_int_equal(pthread_create(&hands[i].thread, NULL, work, &hands[i]), 0);
        reload_often(steward);
        for (unsigned i = 0; i < WORKERS; i++)
                loop_post(hands[i].worker.http.loop, &hands[i].stop);
        for (unsigned i = 0; i < WORKERS; i++) {
                pthread_join(hands[i].thread, NULL);
                assert_int_equal(hands[i].begun, hands[i].answered + hands[i].failed);
        }
        pin_board_free(board);
        live_free(live);
        for (unsigned i = 0; i < WORKERS; i++)
                loop_free(hands[i].worker.http.loop);
        loop_free(steward);
        shut_host();
        assert_true(answered_by_all() >= RELOADS);
        for (unsigned i = 0; i < countof(pool); i++)
                assert_false(is_used[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(reloads_under_traffic_lose_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
