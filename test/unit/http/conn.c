/* conn.c -- what a drain promises to callers: nobody who could not know of it is left without an
 * answer. Over the simulated network, with a site that answers by itself. */
#include "http/conn.h"

#include "world.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static struct world world;
static struct http http;
static struct guest caller;
static uint64_t delay; /* of an answer */
static struct exchange *asked;
static struct timer timer;

static void reply(struct timer *the_timer)
{
        struct exchange *ex = asked;
        (void)the_timer;
        asked = NULL;
        ex->res.head.status = 200;
        body_fill(&ex->res.body, S("own"));
        exchange_send(ex, &ex->front);
}

static void site_begin(struct exchange *ex)
{
        (void)ex;
}

static void site_run(struct exchange *ex)
{
        if (ex->front.conn == NULL) {
                exchange_finish(ex);
        } else if (ex->res.head.status == 0 && asked == NULL) {
                asked = ex;
                if (delay > 0)
                        timer_set(world.loop, &timer, loop_now(world.loop) + delay);
                else
                        reply(NULL);
        }
}

static void site_refuse(struct conn *conn, enum reason reason, struct str method, struct str target,
                        struct text *text)
{
        (void)conn, (void)reason, (void)method, (void)target;
        text_put(text, S("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
}

static const struct site site = {.name = "own",
                                 .begin = site_begin,
                                 .run = site_run,
                                 .end = site_begin,
                                 .refuse = site_refuse};

static int begin(void **state)
{
        (void)state;
        delay = 0;
        asked = NULL;
        timer_init(&timer, reply);
        world_begin(&world, 7);
        http_init(&http, world.loop);
        world_open(&world, &http, &site);
        guest_dial(&world, &caller);
        world_run(&world, 10 * MS);
        return 0;
}

static int end(void **state)
{
        (void)state;
        if (caller.peer != NULL)
                guest_hang_up(&caller);
        world_shut(&world);
        http_fini(&http);
        world_end(&world);
        return 0;
}

/* Says a request and returns the answer to it. */
static struct str ask(void)
{
        guest_say(&caller, GET);
        world_run(&world, 10 * MS + delay);
        return guest_heard(&caller);
}

static bool is_last(struct str answer)
{
        assert_has(answer, "200 OK");
        return has(answer, "Connection: close");
}

static void a_front_that_was_just_used_is_answered_once_more(void **state)
{
        (void)state;
        assert_false(is_last(ask()));
        http_drain(&http);
        world_run(&world, RETIRE_NS / 2);
        assert_false(caller.has_ended);
        assert_true(is_last(ask()));
        assert_true(caller.has_ended);
}

static void a_front_that_was_just_accepted_is_answered(void **state)
{
        (void)state;
        http_drain(&http);
        world_run(&world, 10 * MS);
        assert_true(is_last(ask()));
        assert_true(caller.has_ended);
}

static void a_request_that_crosses_the_drain_is_answered(void **state)
{
        (void)state;
        assert_false(is_last(ask()));
        guest_say(&caller, GET); /* takes a while to come */
        http_drain(&http);
        world_run(&world, 10 * MS);
        assert_true(is_last(guest_heard(&caller)));
}

static void an_answer_under_way_says_that_it_is_the_last(void **state)
{
        (void)state;
        delay = 500 * MS;
        guest_say(&caller, GET);
        world_run(&world, 10 * MS);
        http_drain(&http);
        world_run(&world, delay);
        assert_true(is_last(guest_heard(&caller)));
        assert_true(caller.has_ended);
}

static void a_front_that_nobody_uses_goes_at_once_or_soon(void **state)
{
        (void)state;
        assert_false(is_last(ask()));
        http_drain(&http);
        world_run(&world, RETIRE_NS + 20 * MS);
        assert_true(caller.has_ended);
        assert_int_equal(guest_heard(&caller).len, 0);
        guest_hang_up(&caller);
        guest_dial(&world, &caller);
        world_run(&world, RETIRE_NS);
        http_drain(&http);
        world_run(&world, 5 * MS);
        assert_true(caller.has_ended);
}

/* Whatever a drain is told again and again: what was promised stays. */
static void draining_twice_prolongs_nothing(void **state)
{
        (void)state;
        assert_false(is_last(ask()));
        for (int i = 0; i < 10; i++) {
                http_drain(&http);
                world_run(&world, RETIRE_NS / 8);
        }
        assert_true(caller.has_ended);
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(a_front_that_was_just_used_is_answered_once_more),
                test(a_front_that_was_just_accepted_is_answered),
                test(a_request_that_crosses_the_drain_is_answered),
                test(an_answer_under_way_says_that_it_is_the_last),
                test(a_front_that_nobody_uses_goes_at_once_or_soon),
                test(draining_twice_prolongs_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
