/* fdpass.c -- what io/fdpass.h promises. */
#include "io/fdpass.h"

#include "../unit.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

static int ends[2];

static int begin(void **state)
{
        (void)state;
        assert_int_equal(fdpass_pair(ends), ERR_ok);
        return 0;
}

static int end(void **state)
{
        (void)state;
        close(ends[0]);
        close(ends[1]);
        return 0;
}

static void a_record_arrives_whole_with_its_descriptors_closed_on_exec(void **state)
{
        (void)state;
        char head[4] = "head", body[] = "body", to_head[4], to_body[16];
        int pipes[2], got[4];
        struct stat sent, come;
        assert_int_equal(pipe(pipes), 0);
        struct parcel out = {.head = head,
                             .head_len = 4,
                             .body = body,
                             .body_len = 4,
                             .fds = pipes,
                             .fds_count = 2};
        struct parcel in = {.head = to_head,
                            .head_len = 4,
                            .body = to_body,
                            .body_len = 16,
                            .fds = got,
                            .fds_count = 4};
        assert_int_equal(fdpass_send(ends[0], &out), ERR_ok);
        assert_int_equal(fdpass_take(ends[1], &in), ERR_ok);
        assert_int_equal(in.body_len, 4);
        assert_memory_equal(to_body, "body", 4);
        assert_int_equal(in.fds_count, 2);
        assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
        fstat(pipes[1], &sent);
        fstat(got[1], &come);
        assert_int_equal(sent.st_ino, come.st_ino);
        for (int i = 0; i < 2; i++) {
                close(pipes[i]);
                close(got[i]);
        }
}

static void more_descriptors_than_there_is_room_for_are_refused_and_closed(void **state)
{
        (void)state;
        char head[4], body[8];
        int fds[3], got[2];
        int before = dup(0);
        close(before);
        for (int i = 0; i < 3; i++)
                fds[i] = 0;
        struct parcel out = {.head = head, .head_len = 4, .fds = fds, .fds_count = 3};
        struct parcel in = {.head = head,
                            .head_len = 4,
                            .body = body,
                            .body_len = 8,
                            .fds = got,
                            .fds_count = 2};
        assert_int_equal(fdpass_send(ends[0], &out), ERR_ok);
        assert_int_equal(fdpass_take(ends[1], &in), ERR_syntax);
        assert_int_equal(in.fds_count, 0);
        int after = dup(0);
        assert_int_equal(after, before);
        close(after);
}

static void a_record_too_short_or_too_long_is_refused_and_the_next_one_is_fine(void **state)
{
        (void)state;
        char head[4], body[8];
        assert_int_equal(send(ends[0], "abc", 3, 0), 3);
        assert_int_equal(send(ends[0], "abcdefghijklmnop", 16, 0), 16);
        assert_int_equal(send(ends[0], "abcdef", 6, 0), 6);
        for (int i = 0; i < 3; i++) {
                struct parcel in = {.head = head, .head_len = 4, .body = body, .body_len = 8};
                assert_int_equal(fdpass_take(ends[1], &in), i < 2 ? ERR_syntax : ERR_ok);
        }
}

static void nothing_waits(void **state)
{
        (void)state;
        char head[4] = "head", body[8];
        struct parcel in = {.head = head, .head_len = 4, .body = body, .body_len = 8};
        struct parcel out = {.head = head, .head_len = 4};
        enum err err;
        assert_int_equal(fdpass_take(ends[1], &in), ERR_again);
        assert_int_equal(fdpass_wait(ends[1], 1), ERR_timeout);
        do {
                err = fdpass_send(ends[0], &out);
        } while (err == ERR_ok);
        assert_int_equal(err, ERR_again);
        close(ends[0]);
        assert_int_equal(fdpass_wait(ends[1], 1), ERR_ok);
        do {
                in.body_len = 8;
                err = fdpass_take(ends[1], &in);
        } while (err == ERR_ok);
        assert_int_equal(err, ERR_closed);
        assert_int_equal(fdpass_send(ends[1], &out), ERR_closed);
        ends[0] = dup(0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                        a_record_arrives_whole_with_its_descriptors_closed_on_exec, begin, end),
                cmocka_unit_test_setup_teardown(
                        more_descriptors_than_there_is_room_for_are_refused_and_closed, begin, end),
                cmocka_unit_test_setup_teardown(
                        a_record_too_short_or_too_long_is_refused_and_the_next_one_is_fine, begin,
                        end),
                cmocka_unit_test_setup_teardown(nothing_waits, begin, end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
