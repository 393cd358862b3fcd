/* file.c -- what io/file.h promises, on a folder made for the test. */
#include "io/file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "../unit.h"

static struct arena arena;
static char dir[64];

static struct str path_of(const char *name)
{
        return arena_format(&arena, "%s/%s", dir, name);
}

static void put(const char *name, const char *text, size_t len)
{
        char *path = arena_cstr(&arena, path_of(name));
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, len), len);
        close(fd);
}

static int begin(void **state)
{
        (void)state;
        arena_init(&arena, NULL, 64 << 20);
        snprintf(dir, sizeof dir, "/tmp/gate-file-XXXXXX");
        return mkdtemp(dir) == NULL;
}

static int end(void **state)
{
        struct str *paths;
        size_t count;
        (void)state;
        if (file_list(path_of("*"), 100, &arena, &paths, &count) == ERR_ok) {
                for (size_t i = 0; i < count; i++)
                        remove(arena_cstr(&arena, paths[i]));
        }
        remove(dir);
        arena_fini(&arena);
        return 0;
}

static void a_file_is_read_whole_with_its_stamp(void **state)
{
        struct file file;
        struct file_stamp stamp;
        (void)state;
        put("a", "one\0two\n", 8);
        assert_int_equal(file_read(path_of("a"), 8, &arena, &file), ERR_ok);
        assert_int_equal(file.text.len, 8);
        assert_memory_equal(file.text.ptr, "one\0two\n", 8);
        assert_int_equal(file_stamp(path_of("a"), &stamp), ERR_ok);
        assert_memory_equal(&stamp, &file.stamp, sizeof stamp);
        put("empty", "", 0);
        assert_int_equal(file_read(path_of("empty"), 8, &arena, &file), ERR_ok);
        assert_int_equal(file.text.len, 0);
        assert_non_null(file.text.ptr);
}

static void what_is_no_readable_file_is_an_error(void **state)
{
        struct file file;
        struct file_stamp stamp;
        (void)state;
        put("a", "123456789", 9);
        assert_int_equal(file_read(path_of("a"), 8, &arena, &file), ERR_limit);
        assert_int_equal(file_read(path_of("none"), 8, &arena, &file), ERR_missing);
        assert_int_equal(file_read(path_of("a/b"), 8, &arena, &file), ERR_missing);
        assert_int_equal(file_read(str_of(dir), 8, &arena, &file), ERR_syntax);
        assert_int_equal(file_read(S("/dev/null"), 8, &arena, &file), ERR_syntax);
        assert_int_equal(file_read(S("a\0b"), 8, &arena, &file), ERR_missing);
        assert_int_equal(mkfifo(arena_cstr(&arena, path_of("fifo")), 0600), 0);
        assert_int_equal(file_read(path_of("fifo"), 8, &arena, &file), ERR_syntax);
        assert_int_equal(file_stamp(path_of("none"), &stamp), ERR_missing);
}

static void patterns_give_sorted_paths_and_nothing_is_no_error(void **state)
{
        struct str *paths;
        size_t count;
        (void)state;
        put("b.yaml", "", 0);
        put("a.yaml", "", 0);
        put("c.json", "", 0);
        assert_int_equal(file_list(path_of("*.yaml"), 2, &arena, &paths, &count), ERR_ok);
        assert_int_equal(count, 2);
        assert_str_eq(paths[0], path_of("a.yaml"));
        assert_str_eq(paths[1], path_of("b.yaml"));
        assert_int_equal(file_list(path_of("*.yaml"), 1, &arena, &paths, &count), ERR_limit);
        assert_int_equal(file_list(path_of("none/*.yaml"), 1, &arena, &paths, &count), ERR_ok);
        assert_int_equal(count, 0);
}

static void a_descriptor_is_read_from_its_beginning(void **state)
{
        struct file file;
        char byte;
        (void)state;
        put("a", "abc", 3);
        int fd = open(arena_cstr(&arena, path_of("a")), O_RDONLY);
        assert_int_equal(read(fd, &byte, 1), 1);
        assert_int_equal(file_read_fd(fd, 3, &arena, &file), ERR_ok);
        assert_str(file.text, "abc");
        assert_int_equal(read(fd, &byte, 1), 1);
        assert_int_equal(byte, 'b');
        close(fd);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_file_is_read_whole_with_its_stamp, begin, end),
                cmocka_unit_test_setup_teardown(what_is_no_readable_file_is_an_error, begin, end),
                cmocka_unit_test_setup_teardown(patterns_give_sorted_paths_and_nothing_is_no_error,
                                                begin, end),
                cmocka_unit_test_setup_teardown(a_descriptor_is_read_from_its_beginning, begin,
                                                end),
        };
        return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
