/* journal.c -- tests of the way of records to the log and to those who follow it. */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "io/sim.h"
#include "record/journal.h"

#define SEC 1000000000ull

static struct sim *sim;
static struct loop *loop;
static struct count_board *board;
static struct counts *counts;
static struct journal *journal;
static struct arena arena;
static struct ring *ring;
static char path[64];

static int begin(void **state)
{
        (void)state;
        arena_init(&arena, NULL, SIZE_MAX);
        sim = sim_make(1);
        loop = loop_make(&driver_sim, 1024);
        board = count_board_make(1);
        counts = count_board_of(board, 1);
        journal = arena_new(&arena, struct journal);
        journal_init(journal, loop, counts);
        ring = journal_ring(journal);
        snprintf(path, sizeof path, "/tmp/journal-%d.log", (int)getpid());
        unlink(path);
        return 0;
}

static int end(void **state)
{
        (void)state;
        journal_fini(journal);
        ring_free(ring);
        count_board_free(board);
        loop_free(loop);
        sim_free(sim);
        unlink(path);
        arena_fini(&arena);
        return 0;
}

static void open_as(enum line_style style)
{
        struct line_look look = {.style = style};
        assert_int_equal(journal_open(journal, str_of(path), &look), ERR_ok);
}

static struct record example(const char *id, uint16_t status)
{
        return (struct record){
                .request = {.method = S("GET"), .path = S("/x"), .version = 11},
                .who.api = S("orders"),
                .trace.request_id = str_of(id),
                .reason = REASON_done,
                .status = status,
        };
}

static void put(struct record record)
{
        assert_true(record_put(ring, &record));
}

static void pass(uint64_t ns)
{
        uint64_t until = loop_now(loop) + ns;
        while (loop_now(loop) < until)
                loop_turn(loop, until - loop_now(loop));
}

/* What the log holds now. */
static struct str written(void)
{
        char *memory = arena_alloc(&arena, 1 << 20);
        int fd = open(path, O_RDONLY);
        assert_true(fd >= 0);
        ssize_t n = read(fd, memory, 1 << 20);
        close(fd);
        assert_true(n >= 0);
        return str_from(memory, (size_t)n);
}

static unsigned lines_of(struct str text)
{
        unsigned lines = 0;
        for (size_t i = 0; i < text.len; i++)
                lines += text.ptr[i] == '\n';
        return lines;
}

static uint64_t number(enum count count)
{
        journal_count(journal);
        return counts_number(board, count);
}

static void records_become_lines_without_being_asked_for(void **state)
{
        (void)state;
        open_as(LINE_JSON);
        put(example("a", 200));
        put(example("b", 404));
        assert_int_equal(written().len, 0);
        pass(SEC);
        struct str log = written();
        assert_int_equal(lines_of(log), 2);
        assert_true(str_starts(log, S("{\"timestamp\"")));
        assert_true(str_find_str(log, S("\"request_id\":\"a\"")) <
                    str_find_str(log, S("\"request_id\":\"b\"")));
        assert_int_equal(number(COUNT_log_lines), 2);
}

static void the_style_changes_with_the_configuration(void **state)
{
        (void)state;
        open_as(LINE_JSON);
        put(example("a", 200));
        open_as(LINE_CLF);
        put(example("b", 200));
        pass(SEC);
        struct str rest = written();
        assert_true(str_starts(str_cut(&rest, '\n'), S("{")));
        assert_true(str_starts(str_cut(&rest, '\n'), S("::")));
        open_as(LINE_OFF);
        put(example("c", 200));
        pass(SEC);
        assert_int_equal(lines_of(written()), 2);
        assert_int_equal(number(COUNT_log_lines), 2);
}

static void what_does_not_fit_the_ring_is_counted(void **state)
{
        (void)state;
        open_as(LINE_JSON);
        unsigned tries = 0;
        struct record record = example("a", 200);
        while (record_put(ring, &record))
                tries++;
        pass(SEC);
        assert_int_equal(number(COUNT_log_lines) + number(COUNT_log_dropped_target), tries);
        assert_int_equal(number(COUNT_log_dropped_ring), 1);
}

static struct record refused(enum reason reason)
{
        struct record record = {.reason = reason, .status = 400};
        record.request.address[15] = 7;
        return record;
}

static void a_flood_of_refused_heads_is_summed_up(void **state)
{
        (void)state;
        open_as(LINE_JSON);
        pass(SEC);
        for (unsigned i = 0; i < 1000; i++)
                put(refused(REASON_bad_request));
        put(refused(REASON_header_too_large));
        put(example("a", 200));
        pass(SEC / 4);
        assert_int_equal(lines_of(written()), JOURNAL_FLOOD_MAX + 2);
        assert_int_equal(str_find_str(written(), S("suppressed")), -1);
        pass(2 * SEC);
        struct str log = written();
        assert_int_equal(lines_of(log), JOURNAL_FLOOD_MAX + 3);
        assert_true(str_find_str(log, S("\"client.address\":\"::7\",\"gatehouse.reason\":"
                                        "\"bad-request\",\"gatehouse.suppressed\":949")) > 0);
        assert_int_equal(number(COUNT_log_dropped_flood), 950);
        put(refused(REASON_bad_request));
        pass(2 * SEC);
        assert_int_equal(lines_of(written()), JOURNAL_FLOOD_MAX + 4);
}

static void what_was_routed_is_never_a_flood(void **state)
{
        (void)state;
        open_as(LINE_JSON);
        for (unsigned i = 0; i < 500; i++) {
                struct record record = example("a", 429);
                record.reason = REASON_rate_limited;
                put(record);
        }
        pass(2 * SEC);
        assert_int_equal(lines_of(written()), 500);
}

struct reader {
        struct follower follower;
        unsigned woken;
};

static void wake(struct follower *follower)
{
        container_of(follower, struct reader, follower)->woken++;
}

static void followers_are_woken_and_read_what_came_since(void **state)
{
        (void)state;
        struct reader reader = {.follower.wake = wake};
        struct record record;
        uint64_t lost;
        put(example("a", 200));
        pass(SEC);
        assert_int_equal(journal_follow(journal, &reader.follower), ERR_ok);
        assert_false(journal_read(journal, &reader.follower, &record, &lost));
        put(example("b", 500));
        put(example("c", 404));
        pass(SEC);
        assert_int_equal(reader.woken, 2);
        assert_true(journal_read(journal, &reader.follower, &record, &lost));
        assert_str(record.trace.request_id, "b");
        assert_int_equal(record.status, 500);
        assert_true(journal_read(journal, &reader.follower, &record, &lost));
        assert_str(record.trace.request_id, "c");
        assert_false(journal_read(journal, &reader.follower, &record, &lost));
        assert_int_equal(number(COUNT_followers), 1);
        reader.follower.place = recent_begin(&journal->recent);
        assert_true(journal_read(journal, &reader.follower, &record, &lost));
        assert_str(record.trace.request_id, "a");
        journal_unfollow(journal, &reader.follower);
        put(example("d", 500));
        pass(SEC);
        assert_int_equal(reader.woken, 2);
}

static void a_slow_follower_loses_records_and_nobody_else_does(void **state)
{
        (void)state;
        struct reader slow = {.follower.wake = wake};
        struct record record;
        uint64_t lost, total = 0, got = 0;
        enum { MANY = 5000 };
        open_as(LINE_CLF);
        assert_int_equal(journal_follow(journal, &slow.follower), ERR_ok);
        for (unsigned i = 0; i < MANY; i++) {
                put(example("a", 200));
                if (i % 100 == 0)
                        pass(SEC / 8);
        }
        pass(SEC);
        while (journal_read(journal, &slow.follower, &record, &lost)) {
                total += lost;
                got++;
        }
        assert_true(total > 0 && got > 0);
        assert_int_equal(total + got, MANY);
        assert_int_equal(number(COUNT_follower_dropped), total);
        assert_int_equal(lines_of(written()), MANY);
        journal_unfollow(journal, &slow.follower);
}

static void followers_are_bounded(void **state)
{
        (void)state;
        struct reader readers[JOURNAL_FOLLOWERS_MAX + 1];
        for (unsigned i = 0; i < JOURNAL_FOLLOWERS_MAX; i++) {
                readers[i] = (struct reader){.follower.wake = wake};
                assert_int_equal(journal_follow(journal, &readers[i].follower), ERR_ok);
        }
        assert_int_equal(journal_follow(journal, &readers[JOURNAL_FOLLOWERS_MAX].follower),
                         ERR_limit);
        for (unsigned i = 0; i < JOURNAL_FOLLOWERS_MAX; i++)
                journal_unfollow(journal, &readers[i].follower);
}

static void a_log_that_cannot_be_opened_is_said_and_tried_again(void **state)
{
        (void)state;
        struct line_look look = {.style = LINE_JSON};
        assert_int_not_equal(journal_open(journal, S("/nonexistent/dir/x.log"), &look), ERR_ok);
        put(example("a", 200));
        pass(SEC);
        assert_int_equal(number(COUNT_log_lines) + number(COUNT_log_dropped_target), 1);
}

static void lines_that_wait_for_a_slow_reader_outlast_a_reload(void **state)
{
        enum { LINES = 600 };
        (void)state;
        assert_int_equal(mkfifo(path, 0600), 0);
        int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        assert_true(reader >= 0);
        open_as(LINE_JSON);
        for (unsigned i = 0; i < LINES; i++)
                put(example("a", 200));
        pass(SEC);
        open_as(LINE_JSON);
        char *memory = arena_alloc(&arena, 1 << 20);
        unsigned lines = 0;
        for (unsigned i = 0; i < 100; i++) {
                ssize_t n = read(reader, memory, 1 << 20);
                lines += n > 0 ? lines_of(str_from(memory, (size_t)n)) : 0;
                pass(SEC);
        }
        close(reader);
        assert_int_equal(lines, LINES);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
                TEST(records_become_lines_without_being_asked_for),
                TEST(the_style_changes_with_the_configuration),
                TEST(what_does_not_fit_the_ring_is_counted),
                TEST(a_flood_of_refused_heads_is_summed_up),
                TEST(what_was_routed_is_never_a_flood),
                TEST(followers_are_woken_and_read_what_came_since),
                TEST(a_slow_follower_loses_records_and_nobody_else_does),
                TEST(followers_are_bounded),
                TEST(a_log_that_cannot_be_opened_is_said_and_tried_again),
                TEST(lines_that_wait_for_a_slow_reader_outlast_a_reload),
#undef TEST
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
