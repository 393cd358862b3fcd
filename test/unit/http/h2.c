/* h2.c -- what HTTP/2 towards callers promises where time and memory count: nothing is left of a
 * conn, who does not move is not waited for, budgets are kept. Over the simulated network, with a
 * site that answers when the test says so. */
#include "http/h2.h"

#include "world.h"

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY };
enum { END_STREAM = 1, END_HEADERS = 4 };
enum { NO_ERROR = 0, REFUSED_STREAM = 7, CANCEL = 8, CALM = 11 };

static struct world world;
static struct http http;
static struct guest caller;
static bool answers;
static unsigned begun, ended, refused;
static struct str answer;

static void site_begin(struct exchange *ex)
{
        begun++;
        ex->req.body.is_discarded = true;
}

static void site_run(struct exchange *ex)
{
        if (ex->front.conn == NULL) {
                exchange_finish(ex);
        } else if (ex->front.is_gone || ex->reason != REASON_none) {
                exchange_reset(ex, &ex->front, ex->reason);
                exchange_finish(ex);
        } else if (ex->res.head.status == 0 && answers) {
                ex->res.head.status = 200;
                body_fill(&ex->res.body, answer);
                exchange_send(ex, &ex->front);
        }
}

static void site_end(struct exchange *ex)
{
        (void)ex;
        ended++;
}

static void site_refuse(struct conn *conn, enum reason reason, struct str method, struct str target,
                        struct text *text)
{
        (void)conn, (void)reason, (void)method, (void)target, (void)text;
        refused++;
}

static const struct site site = {.name = "own",
                                 .begin = site_begin,
                                 .run = site_run,
                                 .end = site_end,
                                 .refuse = site_refuse};

static void say_frame(unsigned type, unsigned flags, unsigned stream, struct str payload)
{
        char memory[1024];
        struct text text = text_over(memory, sizeof memory);
        text_char(&text, 0);
        text_char(&text, (char)(payload.len >> 8));
        text_char(&text, (char)payload.len);
        text_char(&text, (char)type);
        text_char(&text, (char)flags);
        text_put(&text, S("\0\0"));
        text_char(&text, (char)(stream >> 8));
        text_char(&text, (char)stream);
        text_put(&text, payload);
        assert_false(text.is_cut);
        sim_send(caller.peer, text.at, text.len);
}

/* GET / of the static table, with an authority. */
static void ask(unsigned stream, unsigned flags)
{
        say_frame(HEADERS, END_HEADERS | flags, stream,
                  S("\x82\x84\x86\x41\x01"
                    "a"));
}

static int begin(void **state)
{
        (void)state;
        answers = true;
        begun = ended = refused = 0;
        answer = S("own");
        world_begin(&world, 7);
        http_init(&http, world.loop);
        world_open(&world, &http, &site);
        world.entrance.is_both = true;
        guest_dial(&world, &caller);
        world_run(&world, 10 * MS);
        guest_say(&caller, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        say_frame(SETTINGS, 0, 0, STR_NONE);
        world_run(&world, 10 * MS);
        assert_int_equal(http.counts.h2.begun, 1);
        return 0;
}

static int end(void **state)
{
        (void)state;
        if (caller.peer != NULL)
                guest_hang_up(&caller);
        world_shut(&world);
        assert_int_equal(begun, ended);
        assert_int_equal(http.h2_memory.used, 0);
        assert_int_equal(http.shared_count, 0);
        http_fini(&http);
        world_end(&world);
        return 0;
}

/* The payload of the last frame of that type that came since the last look; NULL ptr: none. */
static struct str heard_frame(struct str heard, unsigned type, unsigned *ret_count)
{
        struct str found = STR_NONE;
        *ret_count = 0;
        while (heard.len >= 9) {
                const uint8_t *at = (const uint8_t *)heard.ptr;
                size_t len = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
                assert_true(len + 9 <= heard.len);
                if (at[3] == type) {
                        found = str_from(heard.ptr + 9, len);
                        ++*ret_count;
                }
                heard = str_skip(heard, len + 9);
        }
        return found;
}

static unsigned count_frames(unsigned type)
{
        unsigned count;
        heard_frame(guest_heard(&caller), type, &count);
        return count;
}

static void assert_error(unsigned type, unsigned code)
{
        unsigned count;
        struct str payload = heard_frame(guest_heard(&caller), type, &count);
        assert_true(payload.len >= 4);
        unsigned at = type == GOAWAY ? 7 : 3;
        assert_int_equal((uint8_t)payload.ptr[at], code);
}

static void streams_of_one_turn_are_answered_together(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 50; i++)
                ask(2 * i + 1, END_STREAM);
        world_run(&world, 20 * MS);
        assert_int_equal(begun, 50);
        assert_int_equal(ended, 50);
        assert_int_equal(count_frames(DATA), 50);
}

static void streams_begun_in_vain_end_the_conn(void **state)
{
        (void)state;
        answers = false;
        for (unsigned i = 0; i < 150; i++) {
                ask(2 * i + 1, END_STREAM);
                say_frame(RST_STREAM, 0, 2 * i + 1, S("\0\0\0\x08"));
        }
        world_run(&world, 20 * MS);
        assert_error(GOAWAY, CALM);
        assert_true(begun <= 101);
        assert_int_equal(http.counts.h2.ended_resets, 1);
}

static void resets_of_long_ago_are_forgotten(void **state)
{
        (void)state;
        answers = false;
        for (unsigned i = 0; i < 150; i++) {
                ask(2 * i + 1, END_STREAM);
                say_frame(RST_STREAM, 0, 2 * i + 1, S("\0\0\0\x08"));
                world_run(&world, SEC / 2);
        }
        assert_int_equal(begun, 150);
        assert_int_equal(http.counts.h2.ended_resets, 0);
}

static void one_too_many_is_refused_alone(void **state)
{
        (void)state;
        answers = false;
        for (unsigned i = 0; i < 101; i++)
                ask(2 * i + 1, END_STREAM);
        world_run(&world, 20 * MS);
        assert_int_equal(begun, 100);
        assert_error(RST_STREAM, REFUSED_STREAM);
        assert_int_equal(http.front_count, 1);
}

static void pings_beyond_the_budget_end_the_conn(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 400; i++)
                say_frame(PING, 0, 0, S("12345678"));
        world_run(&world, 20 * MS);
        assert_error(GOAWAY, CALM);
        assert_int_equal(http.counts.h2.ended_glitches, 1);
}

static void pings_among_requests_are_made_good_for(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 400; i++) {
                ask(2 * i + 1, END_STREAM);
                say_frame(PING, 0, 0, S("12345678"));
                world_run(&world, 5 * MS);
        }
        assert_int_equal(begun, 400);
        assert_int_equal(http.counts.h2.glitches, 0);
}

static void a_body_that_stops_is_timed_out(void **state)
{
        (void)state;
        answers = false;
        say_frame(HEADERS, END_HEADERS, 1,
                  S("\x83\x84\x86\x41\x01"
                    "a"));
        world_run(&world, 50 * SEC);
        assert_int_equal(ended, 0);
        world_run(&world, 100 * SEC);
        assert_int_equal(ended, 1);
}

static void a_window_that_stays_shut_is_not_waited_for(void **state)
{
        static char large[100000];
        (void)state;
        answer = str_from(large, sizeof large);
        ask(1, END_STREAM);
        world_run(&world, 50 * SEC);
        assert_int_equal(ended, 0);
        guest_heard(&caller);
        world_run(&world, 100 * SEC);
        assert_int_equal(ended, 1);
        assert_error(RST_STREAM, CANCEL);
        assert_int_equal(http.counts.h2.stalled, 1);
}

static void a_head_that_does_not_end_is_not_waited_for(void **state)
{
        (void)state;
        say_frame(HEADERS, 0, 1, S("\x82"));
        world_run(&world, 8 * SEC);
        assert_int_equal(count_frames(GOAWAY), 0);
        world_run(&world, 4 * SEC);
        assert_error(GOAWAY, CALM);
}

static void who_rests_is_sent_away_in_order(void **state)
{
        (void)state;
        ask(1, END_STREAM);
        world_run(&world, 70 * SEC);
        assert_error(GOAWAY, NO_ERROR);
        world_run(&world, 5 * SEC);
        assert_int_equal(http.front_count, 0);
}

static void a_drain_says_goodbye_twice(void **state)
{
        (void)state;
        http_drain(&http);
        world_run(&world, 100 * MS);
        assert_int_equal(count_frames(GOAWAY), 1);
        ask(1, END_STREAM);
        world_run(&world, 2 * SEC);
        assert_int_equal(ended, 1);
        assert_int_equal(count_frames(GOAWAY), 1);
        world_run(&world, 5 * SEC);
        assert_int_equal(http.front_count, 0);
}

static void a_caller_that_vanishes_leaves_nothing(void **state)
{
        (void)state;
        answers = false;
        for (unsigned i = 0; i < 20; i++)
                ask(2 * i + 1, 0);
        world_run(&world, 20 * MS);
        assert_int_equal(begun, 20);
        guest_hang_up(&caller);
        world_run(&world, 20 * MS);
        assert_int_equal(ended, 20);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
        const struct CMUnitTest tests[] = {
                TEST(streams_of_one_turn_are_answered_together),
                TEST(streams_begun_in_vain_end_the_conn),
                TEST(resets_of_long_ago_are_forgotten),
                TEST(one_too_many_is_refused_alone),
                TEST(pings_beyond_the_budget_end_the_conn),
                TEST(pings_among_requests_are_made_good_for),
                TEST(a_body_that_stops_is_timed_out),
                TEST(a_window_that_stays_shut_is_not_waited_for),
                TEST(a_head_that_does_not_end_is_not_waited_for),
                TEST(who_rests_is_sent_away_in_order),
                TEST(a_drain_says_goodbye_twice),
                TEST(a_caller_that_vanishes_leaves_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
