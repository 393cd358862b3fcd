/* speed_seeing.c -- prints what counting, recording and writing lines cost; asserts nothing. Run by
 * hand: build/release/test/unit/speed_seeing */
#include <stdio.h>
#include <time.h>

#include "gate/series.h"
#include "gate/snapshot.h"
#include "io/ring.h"
#include "record/count.h"
#include "record/line.h"
#include "record/record.h"

enum { ROUNDS = 2000000, TRIES = 3, ROUTES = 64 };

static uint64_t now_ns(void)
{
        struct timespec t;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void say(const char *name, uint64_t best_ns, uint64_t count)
{
        printf("%-52s %9.1f ns\n", name, (double)best_ns / (double)count);
}

static struct record example(void)
{
        return (struct record){
                .wall = 1795341600123456789u,
                .duration = 2100000,
                .upstream = 1600000,
                .response_bytes = 98,
                .request = {.method = S("GET"),
                            .host = S("api.example.com"),
                            .path = S("/orders/42"),
                            .route = S("/orders/{id}"),
                            .user_agent = S("curl/7.88.1"),
                            .address = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1},
                            .port = 4711,
                            .version = 11},
                .who = {.api = S("orders"), .upstream = S("orders"), .consumer = S("acme")},
                .trace = {.request_id = S("01993f1c-8e6c-7d3e-9c1f-0242ac120002"),
                          .trace_id = S("4bf92f3577b34da6a3ce929d0e0e4736"),
                          .span_id = S("00f067aa0ba902b7"),
                          .config = S("9f3c27b1a2d4e5f60718293a4b5c6d7e"),
                          .steps = S("route request(auth rate_limit) pick send await response "
                                     "relay finish")},
                .reason = REASON_done,
                .status = 200,
                .upstream_status = 200,
                .tries = 1,
        };
}

static void hold_routes(struct count_board *board, struct snapshot *snapshot, struct arena *arena)
{
        struct api *api = arena_new(arena, struct api);
        api->name = S("orders");
        snapshot->api_list = arena_new(arena, struct api *);
        snapshot->api_list[0] = api;
        snapshot->api_count = 1;
        snapshot->route_count = ROUTES;
        snapshot->route_list = arena_array(arena, struct route *, ROUTES);
        for (unsigned i = 0; i < ROUTES; i++) {
                snapshot->route_list[i] = arena_new(arena, struct route);
                snapshot->route_list[i]->api = api;
                snapshot->route_list[i]->template = arena_format(arena, "/r%u", i);
        }
        series_hold_all(board, snapshot);
}

static void count_records(bool has_consumer)
{
        struct arena arena;
        struct snapshot snapshot = {0};
        struct record record = example();
        uint64_t best = UINT64_MAX;
        arena_init(&arena, NULL, SIZE_MAX);
        struct count_board *board = count_board_make(1);
        hold_routes(board, &snapshot, &arena);
        if (!has_consumer)
                record.who.consumer = STR_NONE;
        for (unsigned try = 0; try < TRIES; try++) {
                uint64_t start = now_ns();
                for (unsigned i = 0; i < ROUNDS; i++) {
                        record.who.api_id = SERIES_FIRST;
                        record.who.route_id = SERIES_FIRST + i % ROUTES;
                        record.duration = 1000000 + i;
                        record.status = i % 8 == 0 ? 404 : 200;
                        counts_record(count_board_of(board, 0), &record);
                }
                best = u64_min(best, now_ns() - start);
        }
        say(has_consumer ? "counts_record, with consumer and upstream"
                         : "counts_record, with upstream",
            best, ROUNDS);
        count_board_free(board);
        arena_fini(&arena);
}

static void read_all(struct ring *ring)
{
        struct ring_message message;
        struct record record;
        while (ring_next(ring, &message)) {
                if (record_read(message.bytes, &record) != ERR_ok)
                        break;
        }
        ring_release(ring);
}

static void put_records(void)
{
        struct ring *ring = ring_make(1 << 20);
        struct record record = example();
        uint64_t put = UINT64_MAX, read = UINT64_MAX;
        enum { BATCH = 1000, BATCHES = 500 };
        for (unsigned try = 0; try < TRIES; try++) {
                uint64_t put_now = 0, read_now = 0;
                for (unsigned batch = 0; batch < BATCHES; batch++) {
                        uint64_t start = now_ns();
                        for (unsigned i = 0; i < BATCH; i++)
                                record_put(ring, &record);
                        uint64_t middle = now_ns();
                        read_all(ring);
                        put_now += middle - start;
                        read_now += now_ns() - middle;
                }
                put = u64_min(put, put_now);
                read = u64_min(read, read_now);
        }
        say("record_put into a ring", put, BATCH * BATCHES);
        say("record_read out of it", read, BATCH * BATCHES);
        ring_free(ring);
}

static void put_lines(enum line_style style, const char *name)
{
        static char memory[LINE_SIZE_MAX];
        struct line_look look = {.style = style};
        struct record record = example();
        uint64_t best = UINT64_MAX;
        size_t len = 0;
        for (unsigned try = 0; try < TRIES; try++) {
                uint64_t start = now_ns();
                for (unsigned i = 0; i < ROUNDS / 10; i++) {
                        struct text out = text_over(memory, sizeof memory);
                        line_put(&out, &look, &record);
                        len = out.len;
                }
                best = u64_min(best, now_ns() - start);
        }
        say(name, best, ROUNDS / 10);
        printf("%52s %9zu B\n", "", len);
}

int main(void)
{
        count_records(false);
        count_records(true);
        put_records();
        put_lines(LINE_JSON, "a line of JSON");
        put_lines(LINE_TEXT, "a line of text");
        put_lines(LINE_CLF, "a line of the combined format");
        return 0;
}
