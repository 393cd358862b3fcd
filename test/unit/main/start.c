/* start.c -- what main/data.h promises of a start on its way between processes. */
#include "../unit.h"
#include "main/data.h"

static struct data_start start, copy;

static void what_was_written_is_read(void **state)
{
        (void)state;
        char memory[DATA_START_MAX];
        struct text text = text_over(memory, sizeof memory);
        memset(&start, 0, sizeof start);
        memcpy(start.configuration, "/etc/a=b.yaml", 14);
        start.workers = UINT64_MAX;
        start.last_good = 1;
        assert_int_equal(start_encode(&start, &text), ERR_ok);
        assert_int_equal(start_decode(text_str(&text), &copy), ERR_ok);
        assert_string_equal(copy.configuration, "/etc/a=b.yaml");
        assert_string_equal(copy.environment, "");
        assert_int_equal(copy.workers, UINT64_MAX);
        assert_int_equal(copy.last_good, 1);
        assert_int_equal(copy.document_fd, -1);
}

static void what_a_later_version_adds_is_passed_over(void **state)
{
        (void)state;
        const char text[] = "colour=blue\0workers=3\0shape=\0";
        assert_int_equal(start_decode(str_from(text, sizeof text - 1), &copy), ERR_ok);
        assert_int_equal(copy.workers, 3);
}

static void what_is_no_start_is_refused(void **state)
{
        (void)state;
        static char longer[DATA_PATH_MAX + 32] = "configuration=";
        assert_int_equal(start_decode(S("workers=3"), &copy), ERR_syntax);
        assert_int_equal(start_decode(str_from("workers\0", 8), &copy), ERR_syntax);
        assert_int_equal(start_decode(str_from("workers=x\0", 10), &copy), ERR_syntax);
        memset(longer + 14, 'a', DATA_PATH_MAX);
        assert_int_equal(start_decode(str_from(longer, 14 + DATA_PATH_MAX + 1), &copy), ERR_limit);
}

static void the_longest_of_all_fits_or_is_an_error(void **state)
{
        (void)state;
        char memory[DATA_START_MAX];
        struct text text = text_over(memory, sizeof memory);
        memset(&start, 0, sizeof start);
        memset(start.configuration, 'c', DATA_PATH_MAX - 1);
        memset(start.environment, 'e', DATA_PATH_MAX - 1);
        memset(start.logs, 'l', DATA_PATH_MAX - 1);
        assert_int_equal(start_encode(&start, &text), ERR_ok);
        assert_int_equal(start_decode(text_str(&text), &copy), ERR_ok);
        assert_memory_equal(copy.logs, start.logs, DATA_PATH_MAX);
        text = text_over(memory, 100);
        assert_int_equal(start_encode(&start, &text), ERR_limit);
}

static void a_document_cannot_be_changed_by_anybody(void **state)
{
        (void)state;
        char got[8];
        int fd;
        assert_int_equal(document_keep(S("text"), &fd), ERR_ok);
        assert_int_equal(pread(fd, got, sizeof got, 0), 4);
        assert_memory_equal(got, "text", 4);
        assert_int_equal(pwrite(fd, "x", 1, 0), -1);
        assert_int_equal(ftruncate(fd, 0), -1);
        close(fd);
        assert_int_equal(document_keep(STR_NONE, &fd), ERR_ok);
        assert_int_equal(fd, -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_written_is_read),
                cmocka_unit_test(what_a_later_version_adds_is_passed_over),
                cmocka_unit_test(what_is_no_start_is_refused),
                cmocka_unit_test(the_longest_of_all_fits_or_is_an_error),
                cmocka_unit_test(a_document_cannot_be_changed_by_anybody),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
