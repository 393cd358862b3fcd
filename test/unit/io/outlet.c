/* outlet.c -- what io/outlet.h promises, on real files, pipes and sockets. Every test ends with the
 * sum: each line that was put is either there, whole, or counted as dropped. */
#include "io/outlet.h"

#include "../unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "io/sim.h"

#define MS  1000000ull
#define SEC (1000 * MS)

enum { READ_MAX = 8 << 20 };

static struct sim *sim;
static struct loop *loop;
static struct outlet outlet;
static char directory[64], path[128], other_path[128];
static uint64_t now, put_count;
static char *heap_text;

static int begin(void **state)
{
        (void)state;
        sim = sim_make(1);
        loop = loop_make(&driver_sim, 1024);
        now = loop_now(loop);
        put_count = 0;
        memcpy(directory, "outlet-XXXXXX", sizeof "outlet-XXXXXX");
        assert_non_null(mkdtemp(directory));
        snprintf(path, sizeof path, "%s/a.log", directory);
        snprintf(other_path, sizeof other_path, "%s/b.log", directory);
        signal(SIGPIPE, SIG_IGN);
        signal(SIGXFSZ, SIG_IGN);
        heap_text = malloc(READ_MAX);
        return 0;
}

static int end(void **state)
{
        (void)state;
        assert_int_equal(page_pool_in_use(loop->pages), 0);
        loop_free(loop);
        sim_free(sim);
        unlink(path);
        unlink(other_path);
        rmdir(directory);
        free(heap_text);
        return 0;
}

/* Lines are numbered and end with their number, so that a torn one shows. */
static void put(unsigned count)
{
        char line[300];
        for (unsigned i = 0; i < count; i++, put_count++) {
                int n = snprintf(line, sizeof line, "%06d %0*d %06d\n", (int)put_count,
                                 (int)(put_count % 200) + 1, 7, (int)put_count);
                outlet_put(&outlet, str_from(line, (size_t)n));
        }
}

static void flush_for(uint64_t time)
{
        for (uint64_t until = now + time; now < until; now += 10 * MS) {
                while (outlet_flush(&outlet, now)) {
                }
        }
}

static uint64_t dropped(void)
{
        uint64_t sum = 0;
        for (int why = 0; why < OUTLET_DROPS; why++)
                sum += outlet.dropped[why];
        return sum;
}

/* How many whole lines there are, in order; fails when one is not whole. `most_torn` fragments may
 * stand at the end of files. */
static unsigned count_lines(struct str text)
{
        unsigned count = 0;
        int last = -1;
        while (text.len > 0) {
                struct str line = str_cut(&text, '\n');
                assert_true(line.len > 14);
                assert_memory_equal(line.ptr, line.ptr + line.len - 6, 6);
                int number = (int)strtol(line.ptr, NULL, 10);
                assert_true(number > last);
                last = number;
                count++;
        }
        return count;
}

static struct str read_all(int fd)
{
        size_t len = 0;
        ssize_t n;
        while ((n = read(fd, heap_text + len, READ_MAX - len)) > 0)
                len += (size_t)n;
        return str_from(heap_text, len);
}

static struct str read_file(const char *name)
{
        int fd = open(name, O_RDONLY);
        if (fd < 0)
                return STR_NONE;
        struct str text = read_all(fd);
        close(fd);
        return text;
}

static void lines_reach_the_file_in_few_writes(void **state)
{
        (void)state;
        struct stat stat_of;
        assert_int_equal(outlet_open(&outlet, loop, str_of(path)), ERR_ok);
        put(1000);
        assert_int_equal(read_file(path).len, 0);
        assert_false(outlet_flush(&outlet, now));
        assert_int_equal(count_lines(read_file(path)), 1000);
        assert_int_equal(stat(path, &stat_of), 0);
        assert_int_equal(stat_of.st_mode & 07777 & ~0640u, 0);
        put(5);
        outlet_close(&outlet);
        assert_int_equal(count_lines(read_file(path)), 1005);
        assert_int_equal(outlet.lines, 1005);
        assert_int_equal(dropped(), 0);
}

static void a_line_written_in_place_leaves_like_others(void **state)
{
        static const char second[] = "written where it leaves from\n";
        (void)state;
        assert_int_equal(outlet_open(&outlet, loop, str_of(path)), ERR_ok);
        outlet_put(&outlet, S("put\n"));
        assert_non_null(outlet_reserve(&outlet, 1000)); /* not used after all */
        char *place = outlet_reserve(&outlet, 1000);
        assert_non_null(place);
        memcpy(place, second, sizeof second - 1);
        outlet_commit(&outlet, sizeof second - 1);
        outlet_put(&outlet, S("put again\n"));
        assert_null(outlet_reserve(&outlet, OUTLET_MAX));
        outlet_close(&outlet);
        assert_str(read_file(path), "put\nwritten where it leaves from\nput again\n");
        assert_int_equal(outlet.lines, 3);
}

static void what_is_there_already_is_kept(void **state)
{
        (void)state;
        for (int i = 0; i < 2; i++) {
                assert_int_equal(outlet_open(&outlet, loop, str_of(path)), ERR_ok);
                put(10);
                outlet_close(&outlet);
        }
        assert_int_equal(count_lines(read_file(path)), 20);
}

static void a_renamed_file_is_made_anew_and_no_line_is_lost(void **state)
{
        (void)state;
        assert_int_equal(outlet_open(&outlet, loop, str_of(path)), ERR_ok);
        put(10);
        flush_for(SEC);
        assert_int_equal(rename(path, other_path), 0);
        put(10);
        outlet_reopen(&outlet, now); /* as USR1 */
        put(10);
        flush_for(SEC);
        assert_int_equal(count_lines(read_file(other_path)), 20);
        assert_int_equal(count_lines(read_file(path)), 10);
        assert_int_equal(rename(path, other_path), 0);
        flush_for(2 * SEC); /* nobody says anything: it sees by itself */
        put(7);
        flush_for(SEC);
        assert_int_equal(count_lines(read_file(path)), 7);
        assert_int_equal(unlink(path), 0);
        flush_for(2 * SEC);
        put(3);
        outlet_close(&outlet);
        assert_int_equal(count_lines(read_file(path)), 3);
        assert_int_equal(outlet.reopened, 3);
        assert_int_equal(dropped(), 0);
}

static void a_truncated_file_goes_on_at_its_start(void **state)
{
        (void)state;
        assert_int_equal(outlet_open(&outlet, loop, str_of(path)), ERR_ok);
        put(100);
        flush_for(SEC);
        assert_int_equal(truncate(path, 0), 0);
        put(5);
        outlet_close(&outlet);
        struct str text = read_file(path);
        assert_true(text.len > 0 && text.ptr[0] != '\0');
        assert_int_equal(count_lines(text), 5);
}

static void a_file_that_cannot_be_made_yet_comes_later(void **state)
{
        (void)state;
        assert_int_equal(rmdir(directory), 0);
        assert_int_equal(outlet_open(&outlet, loop, str_of(path)), ERR_missing);
        put(10);
        flush_for(SEC);
        assert_int_equal(mkdir(directory, 0700), 0);
        flush_for(10 * SEC);
        outlet_close(&outlet);
        assert_int_equal(count_lines(read_file(path)), 10);
        assert_int_equal(dropped(), 0);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
        (void)state;
        static char large[1000];
        memset(large, 'x', sizeof large);
        assert_int_equal(outlet_open(&outlet, loop, str_from(large, sizeof large)), ERR_range);
        assert_int_equal(outlet_open(&outlet, loop, STR_NONE), ERR_range);
        assert_int_equal(outlet_open(&outlet, loop, S("a\0b")), ERR_range);
}

/* 3000 lines have more bytes than the queue holds. */
static void a_full_disk_drops_whole_lines_and_recovers(void **state)
{
        (void)state;
        struct rlimit limit, tight;
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        tight = limit;
        tight.rlim_cur = 50001;
        assert_int_equal(outlet_open(&outlet, loop, str_of(path)), ERR_ok);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
        for (int i = 0; i < 30; i++) {
                put(1000);
                flush_for(100 * MS);
        }
        assert_int_equal(outlet.error, ERR_full);
        assert_true(outlet.dropped[OUTLET_FAILED] > 10000);
        assert_true(outlet.queue.len <= OUTLET_MAX);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        flush_for(10 * SEC);
        assert_int_equal(outlet.error, ERR_ok);
        uint64_t before = dropped();
        put(100);
        outlet_close(&outlet);
        assert_int_equal(dropped(), before);
        assert_int_equal(count_lines(read_file(path)) + dropped(), put_count);
}

/* The disk is full in the middle of a line, and then the file is rotated away. */
static void a_new_file_does_not_begin_with_half_a_line(void **state)
{
        (void)state;
        struct rlimit limit, tight;
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        tight = limit;
        tight.rlim_cur = 50001;
        assert_int_equal(outlet_open(&outlet, loop, str_of(path)), ERR_ok);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
        put(1000);
        flush_for(100 * MS);
        assert_int_equal(outlet.error, ERR_full);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(rename(path, other_path), 0);
        struct outlet before = outlet;
        close(outlet.fd); /* whatever is left may go to the new file only */
        outlet.fd = open("/dev/full", O_WRONLY);
        assert_true(before.is_mid && outlet.fd >= 0);
        outlet_reopen(&outlet, now);
        flush_for(SEC);
        outlet_close(&outlet);
        unsigned new_count = count_lines(read_file(path));
        struct str old = read_file(other_path);
        assert_int_equal(old.len, 50001);
        while (old.len > 0 && old.ptr[old.len - 1] != '\n')
                old.len--;
        assert_int_equal(outlet.dropped[OUTLET_FAILED], 1);
        assert_int_equal(count_lines(old) + new_count + 1, put_count);
}

static void a_device_without_space_does_not_spin(void **state)
{
        (void)state;
        assert_int_equal(outlet_open(&outlet, loop, S("/dev/full")), ERR_ok);
        put(10);
        assert_false(outlet_flush(&outlet, now));
        assert_int_equal(outlet.error, ERR_full);
        uint64_t retry_at = outlet.retry_at;
        assert_true(retry_at > now);
        for (int i = 0; i < 1000; i++)
                assert_false(outlet_flush(&outlet, now));
        assert_true(outlet.retry_at == retry_at);
        flush_for(60 * SEC);
        assert_true(outlet.retry_ns >= SEC);
        outlet_close(&outlet);
        assert_int_equal(outlet.dropped[OUTLET_FAILED], 10);
        assert_int_equal(outlet.lines, 0);
}

static void fill_and_drain(int reader)
{
        unsigned read_count = 0;
        size_t len = 0;
        fcntl(reader, F_SETFL, O_NONBLOCK);
        for (int i = 0; i < 40; i++) {
                put(500);
                flush_for(50 * MS);
        }
        assert_true(outlet.dropped[OUTLET_FULL] > 0);
        for (int i = 0; i < 2000 && outlet.queue.len > 0; i++) {
                ssize_t n = read(reader, heap_text + len, 10000);
                len += n > 0 ? (size_t)n : 0;
                flush_for(10 * MS);
        }
        put(1);
        flush_for(50 * MS);
        outlet_close(&outlet);
        ssize_t n;
        while ((n = read(reader, heap_text + len, READ_MAX - len)) > 0)
                len += (size_t)n;
        read_count = count_lines(str_from(heap_text, len));
        assert_int_equal(read_count + dropped(), put_count);
        assert_int_equal(read_count, outlet.lines);
}

static void a_full_pipe_does_not_block_and_goes_on_when_it_is_read(void **state)
{
        (void)state;
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        outlet_open_fd(&outlet, loop, ends[1]);
        assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0); /* others share it */
        fill_and_drain(ends[0]);
        close(ends[0]), close(ends[1]);
}

/* As when the descriptor cannot be opened again under its name. */
static void a_full_blocking_pipe_does_not_block_either(void **state)
{
        (void)state;
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        outlet_open_fd(&outlet, loop, ends[1]);
        close(outlet.fd);
        outlet.fd = ends[1];
        outlet.is_owned = false;
        outlet.may_wait = true;
        fill_and_drain(ends[0]);
        close(ends[0]), close(ends[1]);
}

static void a_full_socket_does_not_block(void **state)
{
        (void)state;
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        outlet_open_fd(&outlet, loop, ends[1]);
        fill_and_drain(ends[0]);
        close(ends[0]), close(ends[1]);
}

static void a_pipe_without_reader_drops_and_counts(void **state)
{
        (void)state;
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        outlet_open_fd(&outlet, loop, ends[1]);
        close(ends[0]);
        for (int i = 0; i < 100; i++) {
                put(10);
                flush_for(100 * MS);
        }
        assert_int_equal(outlet.dropped[OUTLET_CLOSED], 1000);
        assert_int_equal(outlet.queue.len, 0);
        outlet_close(&outlet);
        close(ends[1]);
        assert_int_equal(outlet.lines, 0);
}

static void a_named_pipe_goes_on_when_a_reader_comes_back(void **state)
{
        (void)state;
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_int_equal(outlet_open(&outlet, loop, str_of(path)), ERR_closed);
        put(10);
        assert_int_equal(outlet.dropped[OUTLET_CLOSED], 10);
        for (int i = 0; i < 2; i++) {
                int reader = open(path, O_RDONLY | O_NONBLOCK);
                assert_true(reader >= 0);
                flush_for(10 * SEC);
                assert_int_equal(outlet.error, ERR_ok);
                put(10);
                flush_for(SEC);
                assert_int_equal(count_lines(read_all(reader)), 10);
                close(reader);
                put(5);
                flush_for(SEC);
        }
        outlet_close(&outlet);
        assert_int_equal(outlet.dropped[OUTLET_CLOSED], 20);
        assert_int_equal(outlet.lines, 20);
}

/* stdout and stderr into one file: what others write there is not overwritten. */
static void a_shared_file_is_shared(void **state)
{
        (void)state;
        int fd = open(path, O_WRONLY | O_CREAT, 0600);
        outlet_open_fd(&outlet, loop, fd);
        put(1);
        flush_for(10 * MS);
        assert_int_equal(write(fd, "000001 x 000001\n", 16), 16);
        put_count = 2;
        put(1);
        outlet_close(&outlet);
        assert_int_equal(close(fd), 0); /* it was not closed for us */
        assert_int_equal(count_lines(read_file(path)), 3);
}

static void a_line_longer_than_a_quarter_of_the_queue_is_dropped(void **state)
{
        (void)state;
        size_t len = OUTLET_MAX / 4 + 1;
        memset(heap_text, 'x', len);
        heap_text[len - 1] = '\n';
        assert_int_equal(outlet_open(&outlet, loop, str_of(path)), ERR_ok);
        outlet_put(&outlet, str_from(heap_text, len));
        assert_int_equal(outlet.dropped[OUTLET_FULL], 1);
        outlet_put(&outlet, str_from(heap_text + 1, len - 1));
        outlet_close(&outlet);
        assert_int_equal(read_file(path).len, len - 1);
}

static void without_pages_lines_are_dropped(void **state)
{
        (void)state;
        assert_int_equal(outlet_open(&outlet, loop, str_of(path)), ERR_ok);
        page_pool_fail_at(loop->pages, 1);
        put(3);
        page_pool_fail_at(loop->pages, 0);
        outlet_close(&outlet);
        assert_int_equal(dropped(), 1);
        assert_int_equal(count_lines(read_file(path)), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(lines_reach_the_file_in_few_writes),
                TEST(a_line_written_in_place_leaves_like_others),
                TEST(what_is_there_already_is_kept),
                TEST(a_renamed_file_is_made_anew_and_no_line_is_lost),
                TEST(a_truncated_file_goes_on_at_its_start),
                TEST(a_file_that_cannot_be_made_yet_comes_later),
                TEST(a_path_that_is_too_long_is_refused),
                TEST(a_full_disk_drops_whole_lines_and_recovers),
                TEST(a_new_file_does_not_begin_with_half_a_line),
                TEST(a_device_without_space_does_not_spin),
                TEST(a_full_pipe_does_not_block_and_goes_on_when_it_is_read),
                TEST(a_full_blocking_pipe_does_not_block_either),
                TEST(a_full_socket_does_not_block),
                TEST(a_pipe_without_reader_drops_and_counts),
                TEST(a_named_pipe_goes_on_when_a_reader_comes_back),
                TEST(a_shared_file_is_shared),
                TEST(a_line_longer_than_a_quarter_of_the_queue_is_dropped),
                TEST(without_pages_lines_are_dropped),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
