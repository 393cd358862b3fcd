/* log.c -- what base/log.h promises. */
#include "base/log.h"

#include "../unit.h"

#include <fcntl.h>
#include <pthread.h>

#define SEC 1000000000ull

static char lines[64 * 1024];
static size_t lines_len;
static unsigned count;
static uint64_t now;

static uint64_t read_clock(void)
{
        return now;
}

static void keep(void *arg, struct str line)
{
        (void)arg;
        assert_true(line.len > 0 && line.ptr[line.len - 1] == '\n');
        assert_true(line.len <= LOG_LINE_MAX && lines_len + line.len <= sizeof lines);
        memcpy(lines + lines_len, line.ptr, line.len);
        lines_len += line.len;
        count++;
}

static struct str said(void)
{
        struct str all = str_from(lines, lines_len);
        lines_len = 0;
        return all;
}

static int begin(void **state)
{
        (void)state;
        lines_len = count = 0;
        now = 1700000000 * SEC + 123456789; /* 2023-11-14T22:13:20.123Z */
        log_set_clock(read_clock);
        log_to(keep, NULL, NULL);
        log_set(LEVEL_INFO, LOG_PAIRS);
        return 0;
}

static int end(void **state)
{
        (void)state;
        log_to(NULL, NULL, NULL);
        log_set_clock(NULL);
        return 0;
}

static void a_line_has_its_form(void **state)
{
        (void)state;
        log_warn("a target is ejected", log_text("upstream", "users"), log_num("failures", 5));
        assert_str(said(),
                   "time=2023-11-14T22:13:20.123Z level=warn message=\"a target is ejected\""
                   " upstream=users failures=5\n");
        log_set(LEVEL_INFO, LOG_JSON);
        log_warn("a target is ejected", log_text("upstream", "users"), log_int("by", -5));
        assert_str(said(),
                   "{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"warn\","
                   "\"message\":\"a target is ejected\",\"upstream\":\"users\",\"by\":-5}\n");
        log_set(LEVEL_INFO, LOG_HUMAN);
        log_error("cannot bind", log_err(ERR_address_used));
        assert_str(said(), "22:13:20.123 error cannot bind error=\"address already in use\"\n");
        log_info("ready");
        assert_str(said(), "22:13:20.123 info  ready\n");
}

static void a_value_cannot_make_a_line_or_a_pair(void **state)
{
        (void)state;
        log_info("x", log_text("v", "a\nlevel=error b=\"c\" \x1b[2J\x7f \xff"));
        assert_str(said(),
                   "time=2023-11-14T22:13:20.123Z level=info message=\"x\" v=\"a\\u000alevel="
                   "error b=\\\"c\\\" \\u001b[2J\\u007f \\ufffd\"\n");
        log_info("x", log_text("v", "a=b"), log_text("w", ""), log_text("n", NULL));
        assert_str(said(),
                   "time=2023-11-14T22:13:20.123Z level=info message=\"x\" v=\"a=b\" w=\"\" "
                   "n=\"\"\n");
}

static void levels_hold_back(void **state)
{
        (void)state;
        log_debug("not now");
        assert_int_equal(count, 0);
        log_set(LEVEL_ERROR, LOG_PAIRS);
        log_warn("not now");
        assert_int_equal(count, 0);
        log_error("but this");
        assert_int_equal(count, 1);
        log_set(LEVEL_DEBUG, LOG_PAIRS);
        log_debug("and this");
        assert_int_equal(count, 2);
        enum log_level level;
        assert_int_equal(log_level_read(S("debug"), &level), ERR_ok);
        assert_int_equal(level, LEVEL_DEBUG);
        assert_int_equal(log_level_read(S("loud"), &level), ERR_syntax);
}

static void flood(unsigned lines_wanted)
{
        for (unsigned i = 0; i < lines_wanted; i++)
                log_warn("it failed", log_num("i", i));
}

static void a_flood_is_counted_and_told_later(void **state)
{
        (void)state;
        flood(1000000);
        assert_int_equal(count, LOG_PER_SECOND);
        said();
        log_warn("another place is not held back");
        assert_int_equal(count, LOG_PER_SECOND + 1);
        said();
        now += SEC;
        flood(1);
        assert_true(str_ends(said(), S(" i=0 suppressed=999990\n")));
        flood(1);
        assert_true(str_ends(said(), S(" i=0\n")));
}

static void a_long_line_is_cut_between_pairs(void **state)
{
        (void)state;
        static char value[3000];
        memset(value, 'v', sizeof value - 1);
        log_set(LEVEL_INFO, LOG_JSON);
        log_info("long", log_text("a", value), log_text("b", value), log_text("c", value),
                 log_text("d", value), log_text("e", value), log_text("f", "short"));
        struct str line = said();
        assert_true(line.len <= LOG_LINE_MAX);
        assert_true(str_ends(line, S("...\",\"f\":\"short\"}\n")));
        assert_true(str_find_str(line, S("\"c\":\"vvv")) > 0);
        assert_true(str_find_str(line, S("\"e\":")) < 0);
        /* Every character escaped: six for one. */
        memset(value, '\x01', sizeof value - 1);
        log_info("long", log_text("a", value), log_text("b", "short"));
        assert_true(str_ends(said(), S(",\"b\":\"short\"}\n")));
}

static void a_thread_bears_its_name(void **state)
{
        (void)state;
        log_to(keep, NULL, "worker 3");
        log_info("ready");
        assert_true(str_ends(said(), S(" message=\"ready\" by=\"worker 3\"\n")));
}

static void *flood_from_thread(void *arg)
{
        (void)arg;
        log_to(keep, NULL, NULL); /* a sink of its own: counts are read after the join */
        for (int i = 0; i < 100000; i++)
                log_debug("nobody hears this");
        return NULL;
}

static void levels_may_change_while_threads_log(void **state)
{
        (void)state;
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, flood_from_thread, NULL), 0);
        for (int i = 0; i < 1000; i++)
                log_set(i % 2 == 0 ? LEVEL_INFO : LEVEL_WARN, LOG_PAIRS);
        pthread_join(thread, NULL);
        assert_int_equal(count, 0);
}

/* With nobody reading, stderr fills up; logging goes on, and tells how much was lost. */
static void a_full_stderr_does_not_block(void **state)
{
        (void)state;
        int ends[2], kept = dup(STDERR_FILENO);
        assert_int_equal(pipe(ends), 0);
        dup2(ends[1], STDERR_FILENO);
        log_to(NULL, NULL, NULL);
        for (unsigned i = 0; i < 3000; i++) {
                now += SEC / LOG_PER_SECOND;
                log_info("a line that is not very long, but there are many of them");
        }
        dup2(kept, STDERR_FILENO);
        close(kept), close(ends[0]), close(ends[1]);
        assert_true(log_dropped() > 1000 && log_dropped() < 3000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(a_line_has_its_form),
                TEST(a_value_cannot_make_a_line_or_a_pair),
                TEST(levels_hold_back),
                TEST(a_flood_is_counted_and_told_later),
                TEST(a_long_line_is_cut_between_pairs),
                TEST(a_thread_bears_its_name),
                TEST(levels_may_change_while_threads_log),
                TEST(a_full_stderr_does_not_block),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
