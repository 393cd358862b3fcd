/* admin_logs.c -- tests of /logs: the recent records and those to come, for readers of any pace. */
#include "admin_world.h"

/* ---- the log ---- */

static void put_record(const char *path, uint16_t status)
{
        struct record record = {
                .request = {.method = S("GET"), .path = str_of(path), .version = 11},
                .trace.request_id = S("r"),
                .reason = REASON_done,
                .status = status,
        };
        assert_true(record_put(ring, &record));
}

static unsigned lines_of(struct str text)
{
        unsigned lines = 0;
        for (size_t i = 0; i < text.len; i++)
                lines += text.ptr[i] == '\n';
        return lines;
}

static void the_recent_records_are_shown(void **state)
{
        (void)state;
        put_record("/a", 200);
        put_record("/b", 500);
        world_run(&world, SEC);
        struct str body = body_of(get(SOCKET, "/logs"));
        assert_int_equal(lines_of(body), 2);
        assert_has(body, "\"url.path\":\"/a\"");
        body = body_of(get(SOCKET, "/logs?style=text&where=status+%3E%3D+500"));
        assert_int_equal(lines_of(body), 1);
        assert_has(body, " 500 GET    /b ");
        assert_int_equal(body_of(get(SOCKET, "/logs?past=0")).len, 0);
        struct str answer = get(SOCKET, "/logs?where=statsu+==+1");
        assert_int_equal(status_of(answer), 400);
        assert_str(at(json_of(answer), "/detail"), "where, character 1: there is no such field");
        assert_int_equal(status_of(get(SOCKET, "/logs?style=yaml")), 400);
}

static void the_last_of_them_are_counted_from_the_end(void **state)
{
        (void)state;
        put_record("/a", 200);
        put_record("/b", 500);
        put_record("/c", 200);
        world_run(&world, SEC);
        struct str body = body_of(get(SOCKET, "/logs?last=2"));
        assert_int_equal(lines_of(body), 2);
        assert_false(has(body, "/a"));
        body = body_of(get(SOCKET, "/logs?last=2&where=status==200"));
        assert_int_equal(lines_of(body), 2);
        assert_false(has(body, "/b"));
        assert_int_equal(lines_of(body_of(get(SOCKET, "/logs?last=9"))), 3);
        assert_int_equal(body_of(get(SOCKET, "/logs?last=0")).len, 0);
        assert_int_equal(status_of(get(SOCKET, "/logs?last=many")), 400);
}

static void the_log_is_followed(void **state)
{
        (void)state;
        struct caller_peer *caller = dial(SOCKET);
        put_record("/before", 200);
        world_run(&world, SEC);
        say(caller, "GET /logs?follow=1&where=status>=400 HTTP/1.1\r\nHost: x\r\n\r\n");
        world_run(&world, SEC);
        assert_int_equal(status_of(text_str(&caller->heard)), 200);
        assert_has(text_str(&caller->heard), "Content-Type: application/x-ndjson");
        size_t before = caller->heard.len;
        put_record("/good", 200);
        world_run(&world, SEC);
        assert_int_equal(caller->heard.len, before);
        put_record("/bad", 500);
        world_run(&world, SEC);
        assert_has(text_str(&caller->heard), "\"url.path\":\"/bad\"");
        assert_false(has(text_str(&caller->heard), "/good"));
        journal_count(journal);
        assert_int_equal(counts_number(gate.counts, COUNT_followers), 1);
        admin_drain(admin);
        world_run(&world, SEC);
        assert_int_equal(lines_of(body_of(text_str(&caller->heard))), 1);
        sim_close(TAKE(caller->peer));
}

static void a_follower_that_leaves_is_forgotten(void **state)
{
        (void)state;
        for (unsigned i = 0; i < 3 * JOURNAL_FOLLOWERS_MAX; i++) {
                struct caller_peer *caller = dial(SOCKET);
                say(caller, "GET /logs?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n");
                world_run(&world, SEC);
                assert_int_equal(status_of(text_str(&caller->heard)), 200);
                if (i % 2 == 0)
                        sim_close(TAKE(caller->peer));
                else
                        sim_reset(TAKE(caller->peer));
                put_record("/x", 200);
                world_run(&world, SEC);
        }
        assert_int_equal(journal->follower_count, 0);
}

static void followers_have_a_limit(void **state)
{
        (void)state;
        struct caller_peer *callers[JOURNAL_FOLLOWERS_MAX + 1];
        for (unsigned i = 0; i <= JOURNAL_FOLLOWERS_MAX; i++) {
                callers[i] = dial(SOCKET);
                say(callers[i], "GET /logs?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n");
                world_run(&world, SEC / 10);
        }
        assert_int_equal(status_of(text_str(&callers[0]->heard)), 200);
        assert_int_equal(status_of(text_str(&callers[JOURNAL_FOLLOWERS_MAX]->heard)), 503);
        for (unsigned i = 0; i <= JOURNAL_FOLLOWERS_MAX; i++)
                sim_close(TAKE(callers[i]->peer));
}

static void a_slow_follower_is_told_what_it_lost(void **state)
{
        (void)state;
        struct caller_peer *caller = dial(SOCKET);
        say(caller, "GET /logs?follow=1&style=text HTTP/1.1\r\nHost: x\r\n\r\n");
        world_run(&world, SEC);
        sim_pause(caller->peer, true);
        for (unsigned i = 0; i < 20000; i++) {
                put_record("/x", 200);
                if (i % 200 == 0)
                        world_run(&world, SEC / 5);
        }
        world_run(&world, SEC);
        assert_true(page_pool_in_use(world.loop->pages) < 128);
        sim_pause(caller->peer, false);
        world_run(&world, SEC);
        assert_has(text_str(&caller->heard), " records were lost: the reader is too slow\n");
        assert_true(lines_of(text_str(&caller->heard)) < 20000);
        sim_close(TAKE(caller->peer));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
                TEST(the_recent_records_are_shown), TEST(the_last_of_them_are_counted_from_the_end),
                TEST(the_log_is_followed),          TEST(a_follower_that_leaves_is_forgotten),
                TEST(followers_have_a_limit),       TEST(a_slow_follower_is_told_what_it_lost),
#undef TEST
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
