/* upstream_storm.c -- seeded runs of callers, servers, reloads and a network that does its worst,
 * all at once. Whatever happens: an answer belongs to the request it was given for, what must not
 * be done twice is not done twice, nothing is repeated more often than allowed, and in the end
 * nothing is left. A seed that fails is printed; run alone it fails again:
 *
 *     unit_gate_upstream_storm [FIRST [COUNT]] */
#include <stdlib.h>

#include "base/rand.h"
#include "proxy.h"

enum { VISITORS = 12, IDS = 4000, ATTEMPTS = 3, ANSWER_MS = 15000 };

static uint64_t seed;
static struct server extra;

/* What is known of each request, by its id. */
static struct {
        char method; /* G, P(OST), U (PUT) */
        uint8_t heads;
} known[IDS];

static unsigned next_id, answered, broken;

struct visitor {
        struct sim_peer *peer;
        struct text heard;
        char memory[WORLD_HEARD];
        unsigned id;
        uint64_t asked; /* when, or when it was connected */
        bool is_up, is_waiting;
};

static struct visitor visitors[VISITORS];
static bool is_over;

static uint64_t below(uint64_t n)
{
        return sim_below(world.sim, n);
}

static bool maybe(uint32_t of_1024)
{
        return sim_chance(world.sim, of_1024);
}

#define must(cond)                                                                                 \
        do {                                                                                       \
                if (!(cond))                                                                       \
                        fail_msg("seed %d: %s", (int)seed, #cond);                                 \
        } while (0)

/* ---- servers ---- */

static unsigned id_of(const char *line)
{
        struct str rest = str_of(line);
        uint64_t id;
        str_cut(&rest, '/');
        if (str_to_u64(str_cut(&rest, (char)32), &id) != ERR_ok || id >= IDS)
                fail_msg("seed %d: \"%s\"", (int)seed, line);
        return (unsigned)id;
}

/* The head of an unsafe request is seen once, by one server, ever. */
static void hear(struct seat *seat)
{
        unsigned id = id_of(seat->line);
        known[id].heads++;
        if (known[id].heads > (known[id].method == 'P' ? 1 : ATTEMPTS + 2))
                fail_msg("seed %d: %c %d was sent %d times", (int)seed, known[id].method, (int)id,
                         known[id].heads);
}

static void answer_to(struct seat *seat)
{
        char body[128], text[512];
        unsigned id = id_of(seat->line);
        int len = snprintf(
                body, sizeof body, "id=%u;%.*s", id, (int)below(90),
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                "xxxxxxxxxxxxxxxx");
        int n = maybe(100) ? snprintf(text, sizeof text, "HTTP/1.1 103 Early Hints\r\n\r\n") : 0;
        const char *status = maybe(100) ? "503 Busy" : "200 OK";
        switch (below(5)) {
        case 0:
                n += snprintf(text + n, sizeof text - (size_t)n,
                              "HTTP/1.1 %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n"
                              "0\r\n\r\n",
                              status, (unsigned)len, body);
                break;
        case 1:
                n += snprintf(text + n, sizeof text - (size_t)n,
                              "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
                              status, len, body);
                break;
        default:
                n += snprintf(text + n, sizeof text - (size_t)n,
                              "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", status, len, body);
        }
        bool is_odd = maybe(30);
        /* Half an answer, or something behind it. A whole second answer that comes once the next
         * request has left could not be told from that one's own by anybody. */
        if (is_odd)
                n = maybe(512) ? (int)below((uint64_t)n + 1)
                               : n + snprintf(text + n, sizeof text - (size_t)n,
                                              "\r\n\r\nHTTP/1.1 200 OK but not quite");
        sim_send(seat->peer, text, (size_t)n);
        if (is_odd || maybe(60))
                seat_close(seat, maybe(512));
}

/* What some servers say on connections that lie idle. */
static void say_timeout(struct server *server)
{
        for (unsigned i = 0; i < WORLD_SERVED; i++) {
                struct seat *seat = &server->seats[i];
                if (seat->peer == NULL || seat->owed > 0 || seat->head.len > 0)
                        continue;
                sim_send(seat->peer, "HTTP/1.1 408 Timeout\r\n\r\n", 24);
                seat_close(seat, false);
        }
}

static void change_servers(void *arg)
{
        (void)arg;
        for (unsigned i = 0; i <= SERVERS; i++) {
                struct server *server = i < SERVERS ? &servers[i] : &extra;
                server->resets = maybe(100);
                server->closes = maybe(100);
                server->answers_early = maybe(200);
                server->delay = maybe(512) ? 0 : below(maybe(100) ? 5 * SEC : 20 * MS);
                if (maybe(100))
                        server_hang_up(server, maybe(512));
                if (maybe(50))
                        say_timeout(server);
                sim_blackhole(world.sim, &server->addr, maybe(60));
        }
        if (!is_over)
                sim_after(world.sim, below(300 * MS), change_servers, NULL);
}

/* ---- callers ---- */

static void ask_something(void *arg);

static void redial(struct visitor *visitor);

static void later(struct visitor *visitor)
{
        if (!is_over)
                sim_after(world.sim, below(maybe(200) ? 300 * MS : 10 * MS), ask_something,
                          visitor);
}

/* How long a whole answer at the start of `text` is; 0: not all is there. Informational ones are
 * part of it. */
static size_t answer_len(struct str text, unsigned *ret_status)
{
        size_t at = 0;
        for (;;) {
                struct str rest = str_skip(text, at);
                ptrdiff_t end_at = str_find_str(rest, S("\r\n\r\n"));
                uint64_t status, length;
                if (end_at < 0)
                        return 0;
                must(str_starts(rest, S("HTTP/1.1 ")));
                must(str_to_u64(str_first(str_skip(rest, 9), 3), &status) == ERR_ok);
                struct str head = str_first(rest, (size_t)end_at + 2);
                at += (size_t)end_at + 4;
                if (status < 200)
                        continue;
                *ret_status = (unsigned)status;
                ptrdiff_t field = str_find_str(head, S("\r\nContent-Length: "));
                struct str body = str_skip(text, at);
                if (field >= 0) {
                        struct str value = str_skip(head, (size_t)field + 18);
                        must(str_to_u64(str_cut(&value, '\r'), &length) == ERR_ok);
                        return body.len < length ? 0 : at + length;
                }
                must(str_find_str(head, S("\r\nTransfer-Encoding: chunked")) >= 0);
                ptrdiff_t last = str_find_str(str_skip(text, at - 2), S("\r\n0\r\n\r\n"));
                return last < 0 ? 0 : at + (size_t)last + 5;
        }
}

/* The text without the lines between chunks. */
static struct str without_chunks(struct str text, struct text *memory)
{
        ptrdiff_t at = str_find_str(text, S("\r\nTransfer-Encoding: chunked"));
        if (at < 0)
                return text;
        struct str rest = str_skip(text, (size_t)at);
        rest = str_skip(rest, (size_t)str_find_str(rest, S("\r\n\r\n")) + 4);
        while (rest.len > 0) {
                size_t size = (size_t)strtoul(rest.ptr, NULL, 16);
                rest = str_skip(rest, (size_t)str_find_str(rest, S("\r\n")) + 2);
                text_put(memory, str_first(rest, size));
                rest = str_skip(rest, size + 2);
        }
        return text_str(memory);
}

/* No answer takes longer than all limits together. */
static void check_time(const struct visitor *visitor)
{
        uint64_t took = (sim_now(world.sim) - visitor->asked) / MS;
        if (visitor->is_up && took > ANSWER_MS)
                fail_msg("seed %d: id=%u took %d ms", (int)seed, visitor->id, (int)took);
}

static void check_answer(struct visitor *visitor, struct str text, unsigned status)
{
        char own[32], memory[4096];
        struct text plain = text_over(memory, sizeof memory);
        text = without_chunks(text, &plain);
        snprintf(own, sizeof own, "id=%u;", visitor->id);
        if (str_find_str(text, S("id=")) >= 0 && str_find_str(text, str_of(own)) < 0)
                fail_msg("seed %d: %s got \"" STR_FMT "\"", (int)seed, own, STR_ARG(text));
        must(status == 200 || status == 413 || status == 408 || (status >= 502 && status <= 504));
        check_time(visitor);
        answered++;
}

static void on_heard(struct sim_peer *peer, const uint8_t *bytes, size_t len)
{
        struct visitor *visitor = sim_owner(peer);
        unsigned status = 0;
        text_put(&visitor->heard, str_from((const char *)bytes, len));
        must(visitor->is_waiting && !visitor->heard.is_cut);
        struct str text = text_str(&visitor->heard);
        size_t whole = answer_len(text, &status);
        if (whole == 0)
                return;
        if (whole != text.len)
                fail_msg("seed %d: id=%u; got \"" STR_FMT "\"", (int)seed, visitor->id,
                         STR_ARG(text));
        check_answer(visitor, text, status);
        visitor->is_waiting = false;
        visitor->heard = text_over(visitor->memory, sizeof visitor->memory);
        later(visitor);
}

static void on_over(struct sim_peer *peer)
{
        struct visitor *visitor = sim_owner(peer);
        if (visitor->is_waiting)
                check_time(visitor);
        broken += visitor->is_waiting;
        sim_close(TAKE(visitor->peer));
        if (visitor->is_waiting || is_over) {
                visitor->is_waiting = false;
                later(visitor);
        }
        (void)peer;
}

static void on_down(struct sim_peer *peer, enum err err)
{
        (void)err;
        on_over(peer);
}

static void on_up(struct sim_peer *peer)
{
        struct visitor *visitor = sim_owner(peer);
        visitor->is_up = true;
        visitor->asked = sim_now(world.sim);
}

static const struct sim_script visitor_script = {
        .up = on_up, .data = on_heard, .end = on_over, .down = on_down};

static void redial(struct visitor *visitor)
{
        struct addr here = world_addr("10.0.0.1:80");
        visitor->heard = text_over(visitor->memory, sizeof visitor->memory);
        visitor->is_up = false;
        visitor->peer = sim_dial(world.sim, &here, &visitor_script, visitor);
}

static void vanish(void *arg)
{
        struct visitor *visitor = arg;
        if (visitor->peer == NULL)
                return;
        if (maybe(512))
                sim_reset(TAKE(visitor->peer));
        else
                sim_close(TAKE(visitor->peer));
        if (visitor->is_waiting) {
                visitor->is_waiting = false;
                later(visitor);
        }
}

static void say_body(struct visitor *visitor, size_t len, bool is_chunked)
{
        static char bytes[100000];
        char line[32];
        memset(bytes, 'b', sizeof bytes);
        if (!is_chunked) {
                sim_send(visitor->peer, bytes, len);
                return;
        }
        if (len > 0) {
                int n = snprintf(line, sizeof line, "%zx\r\n", len);
                sim_send(visitor->peer, line, (size_t)n);
                sim_send(visitor->peer, bytes, len);
                sim_send(visitor->peer, "\r\n", 2);
        }
        sim_send(visitor->peer, "0\r\n\r\n", 5);
}

static void ask_something(void *arg)
{
        static const struct {
                char letter;
                const char *name;
        } methods[] = {{'G', "GET"}, {'P', "POST"}, {'U', "PUT"}};
        struct visitor *visitor = arg;
        char head[256];
        if (is_over || visitor->is_waiting || next_id == IDS)
                return;
        if (visitor->peer == NULL)
                redial(visitor);
        size_t kind = (size_t)below(3);
        bool is_chunked = kind > 0 && maybe(256);
        size_t len = kind == 0 ? 0 : (size_t)below(maybe(100) ? 90000 : 3000);
        visitor->id = next_id++;
        visitor->is_waiting = true;
        visitor->asked = sim_now(world.sim);
        known[visitor->id].method = methods[kind].letter;
        int n = snprintf(head, sizeof head, "%s /%u HTTP/1.1\r\nHost: a\r\n", methods[kind].name,
                         visitor->id);
        if (kind > 0 && is_chunked)
                n += snprintf(head + n, sizeof head - (size_t)n,
                              "Transfer-Encoding: chunked\r\n\r\n");
        else if (kind > 0)
                n += snprintf(head + n, sizeof head - (size_t)n, "Content-Length: %zu\r\n\r\n",
                              len);
        else
                n += snprintf(head + n, sizeof head - (size_t)n, "\r\n");
        sim_send(visitor->peer, head, (size_t)n);
        if (kind > 0)
                say_body(visitor, len, is_chunked);
        if (maybe(60))
                sim_after(world.sim, below(50 * MS), vanish, visitor);
}

/* ---- the run ---- */

static void reload(unsigned *which)
{
        static const char *const all[] = {"http://10.0.0.2:80", "http://10.0.0.3:80",
                                          "http://10.0.0.4:80", "http://localhost:8000", NOBODY};
        const char *urls[6] = {NULL};
        unsigned count = 0;
        for (unsigned i = 0; i < countof(all); i++) {
                if (maybe(600))
                        urls[count++] = all[i];
        }
        if (count == 0 && !maybe(100))
                urls[count++] = all[0];
        *which = 1 - *which;
        struct config *config = configure(*which, urls);
        config->upstream.balance = (enum balance_kind)below(4);
        config->upstream.pool_max = maybe(200) ? 2 : 100;
        config->upstream.pool_idle_ns = maybe(512) ? 50 * MS : 4 * SEC;
        config->upstream.pool_age_ns = maybe(512) ? 500 * MS : 600 * SEC;
        config->upstream.breaker.least = maybe(512) ? 20 : 100000;
        config->upstream.breaker.open_ns = 300 * MS;
        config->upstream.eject.time_ns = 200 * MS;
        config->upstream.slow_start_ns = maybe(300) ? SEC : 0;
        live_hold(live, config->list, 1);
        struct config *before = now_used;
        now_used = config;
        world_run(&world, 3 * SEC);
        for (unsigned i = 0; before != NULL && before->users > 0; i++) {
                must(i < 1000);
                world_run(&world, SEC);
        }
        if (before != NULL)
                live_release(live, before->list, 1);
}

static void settle_terms(void)
{
        timeouts = (struct timeouts){.connect = SEC, .response = 3 * SEC, .idle = 3 * SEC};
        terms = (struct terms){.retry_attempts = ATTEMPTS,
                               .retry_on = RETRY_ON_CONNECT | RETRY_ON_BROKEN,
                               .retry_budget_ppm = 1000000};
        if (maybe(512))
                terms.retry_on |= RETRY_ON_TIMEOUT;
        if (maybe(512))
                terms.retry_statuses[503 / 64] |= (uint64_t)1 << (503 % 64);
}

static void begin_storm(void)
{
        void *state = NULL;
        rand_seed(seed);
        begin(&state);
        for (unsigned i = 0; i < CALLERS; i++)
                guest_hang_up(&callers[i]);
        memset(known, 0, sizeof known);
        next_id = answered = broken = 0;
        is_over = false;
        sim_draw_rules(world.sim);
        sim_rules(world.sim)->no_memory /= 8;
        sim_rules(world.sim)->latency_most = 3 * MS;
        sim_rules(world.sim)->segment_max += 200;
        if (maybe(300))
                sim_rules(world.sim)->reset = (uint16_t)below(10);
        if (maybe(300))
                sim_rules(world.sim)->refuse = (uint16_t)below(200);
        if (maybe(200))
                sim_rules(world.sim)->lose = (uint16_t)below(60);
        server_open(&world, &extra, "[::1]:8000", NULL);
        for (unsigned i = 0; i <= SERVERS; i++) {
                struct server *server = i < SERVERS ? &servers[i] : &extra;
                server->hear = hear;
                server->answer_to = answer_to;
        }
        for (unsigned i = 0; i < VISITORS; i++) {
                visitors[i] = (struct visitor){0};
                later(&visitors[i]);
        }
        settle_terms();
        change_servers(NULL);
}

static void one_storm(void)
{
        void *state = NULL;
        unsigned which = 0;
        world_seed = seed;
        begin_storm();
        for (unsigned i = 0; i < 6; i++)
                reload(&which);
        is_over = true;
        world_run(&world, 300 * SEC);
        for (unsigned i = 0; i < VISITORS; i++) {
                if (visitors[i].is_waiting)
                        fail_msg("seed %d: %d got no answer", (int)seed, (int)visitors[i].id);
                if (visitors[i].peer != NULL)
                        sim_close(TAKE(visitors[i].peer));
        }
        must(answered > 50);
        end(&state);
}

static uint64_t first = 0, count = 60;

static void whatever_happens_answers_belong_and_nothing_is_left(void **state)
{
        (void)state;
        for (seed = first; seed < first + count; seed++)
                one_storm();
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(whatever_happens_answers_belong_and_nothing_is_left),
        };
        if (argc > 1)
                first = strtoull(argv[1], NULL, 10), count = 1;
        if (argc > 2)
                count = strtoull(argv[2], NULL, 10);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
