/* link.c -- the contract of link_deliver, and link_tcp on the simulated network. */
#include "net/link.h"

#include "../unit.h"
#include "io/sim.h"
#include "net/link_tcp.h"

#define SEC 1000000000ull

enum { CALLS_MAX = 16 };

static struct sim *sim;
static struct loop *loop;
static struct link_tcp tcp;

/* What the layer above answers, call by call, and what it was given. */
static size_t answers[CALLS_MAX];
static unsigned calls, ready_runs;
static size_t given[CALLS_MAX];
static char first[CALLS_MAX];
static unsigned ready_before[CALLS_MAX];

static struct task ready;

static void run_ready(struct task *task)
{
        (void)task;
        ready_runs++;
}

static size_t take(struct link *link, struct slice bytes)
{
        (void)link;
        assert_true(calls < CALLS_MAX && bytes.len > 0);
        given[calls] = bytes.len;
        first[calls] = (char)bytes.ptr[0];
        ready_before[calls] = ready_runs;
        loop_ready(loop, &ready);
        return answers[calls++];
}

static const struct link_up taking = {.data = take};

static int begin(void **state)
{
        (void)state;
        sim = sim_make(1);
        loop = loop_make(&driver_sim, 128);
        task_init(&ready, run_ready);
        memset(answers, 0, sizeof answers);
        calls = ready_runs = 0;
        return 0;
}

static int end(void **state)
{
        (void)state;
        loop_run_ready(loop);
        loop_free(loop);
        sim_free(sim);
        return 0;
}

static void deliver(const char *bytes)
{
        struct link link = {.above = &taking};
        char copy[32];
        size_t len = strlen(bytes);
        memcpy(copy, bytes, len);
        link_deliver(&link, loop, (struct slice){(uint8_t *)copy, len});
}

static void what_is_used_whole_is_given_once(void **state)
{
        (void)state;
        answers[0] = 5;
        deliver("abcde");
        assert_int_equal(calls, 1);
        assert_int_equal(ready_runs, 0);
}

static void the_rest_is_given_after_the_ready_queue_has_run(void **state)
{
        (void)state;
        answers[0] = 2, answers[1] = 1, answers[2] = 2;
        deliver("abcde");
        assert_int_equal(calls, 3);
        assert_int_equal(first[1], 'c');
        assert_int_equal(first[2], 'd');
        assert_int_equal(given[2], 2);
        assert_int_equal(ready_before[1], 1);
        assert_int_equal(ready_before[2], 2);
}

static void no_byte_is_given_twice_that_was_used(void **state)
{
        (void)state;
        answers[0] = 0, answers[1] = 3, answers[2] = 2;
        deliver("abcde");
        assert_int_equal(calls, 3);
        assert_int_equal(first[1], 'a');
        assert_int_equal(first[2], 'd');
        assert_int_equal(given[2], 2);
}

static void who_uses_nothing_the_second_time_is_left_alone(void **state)
{
        (void)state;
        deliver("abcde");
        assert_int_equal(calls, 2);
        calls = 0;
        answers[0] = 2;
        deliver("abcde");
        assert_int_equal(calls, 2);
        assert_int_equal(first[1], 'c');
}

/* link_tcp hands everything through. */

static char trail[32];

static void note(char what)
{
        size_t len = strlen(trail);
        if (len + 1 < sizeof trail)
                trail[len] = what;
}

static void on_up(struct link *link)
{
        static char ping[] = "ping";
        struct iovec iov = {ping, 4};
        note('u');
        assert_true(link_room(link) > 4096);
        link_send(link, &iov, 1, 4);
        assert_int_equal(link_queued(link), 4);
}

static size_t on_data(struct link *link, struct slice bytes)
{
        (void)link;
        note('d');
        return bytes.len;
}

static void on_room(struct link *link)
{
        (void)link;
        note('r');
}

static void on_end(struct link *link)
{
        note('e');
        link_shut(link);
}

static void on_down(struct link *link, enum err err)
{
        (void)link;
        note(err == ERR_refused ? 'x' : 'y');
}

static const struct link_up above = {
        .up = on_up, .data = on_data, .room = on_room, .end = on_end, .down = on_down};

static void answer(struct sim_peer *peer, const uint8_t *bytes, size_t len)
{
        sim_send(peer, bytes, len);
        sim_shut(peer);
}

static void peer_end(struct sim_peer *peer)
{
        note('E');
        sim_close(peer);
}

static const struct sim_script echo = {.data = answer, .end = peer_end};

static void run(void)
{
        for (int i = 0; i < 50; i++)
                loop_turn(loop, SEC);
}

static void a_tcp_link_hands_everything_through(void **state)
{
        (void)state;
        struct addr at;
        memset(trail, 0, sizeof trail);
        assert_int_equal(addr_read(S("10.0.0.9:1"), &at), ERR_ok);
        sim_serve(sim, &at, &echo, NULL);
        assert_int_equal(link_tcp_dial(&tcp, loop, &at, &above), ERR_ok);
        assert_string_equal(trail, "");
        run();
        assert_string_equal(trail, "udeE");
        assert_int_equal(link_room(&tcp.link), 0);
        link_close(&tcp.link, false);
        link_close(&tcp.link, false);
        assert_int_equal(sim_open_count(sim), 0);
}

static void a_paused_link_gets_nothing(void **state)
{
        (void)state;
        struct addr at;
        memset(trail, 0, sizeof trail);
        assert_int_equal(addr_read(S("10.0.0.9:1"), &at), ERR_ok);
        sim_serve(sim, &at, &echo, NULL);
        assert_int_equal(link_tcp_dial(&tcp, loop, &at, &above), ERR_ok);
        link_pause(&tcp.link, true);
        run();
        assert_string_equal(trail, "u");
        link_pause(&tcp.link, false);
        run();
        assert_string_equal(trail, "udeE");
        link_close(&tcp.link, false);
}

static void a_link_nobody_takes_goes_down(void **state)
{
        (void)state;
        struct addr at;
        memset(trail, 0, sizeof trail);
        assert_int_equal(addr_read(S("10.0.0.9:2"), &at), ERR_ok);
        assert_int_equal(link_tcp_dial(&tcp, loop, &at, &above), ERR_ok);
        run();
        assert_string_equal(trail, "x");
        link_close(&tcp.link, true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(what_is_used_whole_is_given_once),
                TEST(the_rest_is_given_after_the_ready_queue_has_run),
                TEST(no_byte_is_given_twice_that_was_used),
                TEST(who_uses_nothing_the_second_time_is_left_alone),
                TEST(a_tcp_link_hands_everything_through),
                TEST(a_paused_link_gets_nothing),
                TEST(a_link_nobody_takes_goes_down),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
