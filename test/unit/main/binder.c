/* binder.c -- what main/binder.h promises, on loopback and in a folder of its own. */
#include "main/binder.h"

#include "../unit.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "io/addr.h"

static struct binder binder;
static char memory[BINDER_WHY_MAX];
static struct text why;

static int begin(void **state)
{
        (void)state;
        binder_init(&binder);
        why = text_over(memory, sizeof memory);
        return 0;
}

static int end(void **state)
{
        (void)state;
        binder_close(&binder);
        return 0;
}

static struct door *want(const char *address, const char *name, uint32_t count, uint32_t owner)
{
        struct door *door = NULL;
        struct bind_request request = {
                .address = str_of(address), .name = str_of(name), .count = count};
        why.len = 0;
        int error = binder_bind(&binder, &request, owner, &door, &why);
        if (error != 0) {
                errno = error;
                return NULL;
        }
        return door;
}

/* True when somebody can connect. */
static bool is_open(const struct door *door)
{
        struct addr addr;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(addr_read(str_of(door->real), &addr), ERR_ok);
        bool is = connect(fd, &addr.u.any, addr_len(&addr)) == 0;
        close(fd);
        return is;
}

static void one_address_is_one_door_however_often_it_is_asked_for(void **state)
{
        (void)state;
        struct door *door = want("127.0.0.1:0", "a", 2, 0);
        assert_int_equal(door->count, 2);
        assert_ptr_equal(want("127.0.0.1:0", "a", 1, 1), door);
        assert_int_equal(door->count, 2);
        int first = door->fds[0];
        assert_ptr_equal(want("127.0.0.1:0", "a", 5, 2), door);
        assert_int_equal(door->count, 5);
        assert_int_equal(door->fds[0], first);
        assert_ptr_not_equal(want("127.0.0.1:0", "b", 1, 1), door);
}

static void it_listens_from_ready_on_and_not_before(void **state)
{
        (void)state;
        struct door *door = want("127.0.0.1:0", "a", 2, 3);
        assert_false(is_open(door));
        assert_int_equal(binder_listen(&binder, 4, &why), 0); /* not that owner's */
        assert_false(is_open(door));
        assert_int_equal(binder_listen(&binder, 3, &why), 0);
        assert_true(is_open(door));
}

static void what_nobody_wants_is_closed_when_it_is_pruned_and_not_before(void **state)
{
        (void)state;
        struct door *door = want("127.0.0.1:0", "a", 1, 0);
        want("127.0.0.1:0", "a", 1, 1);
        want("127.0.0.1:0", "b", 1, 1);
        assert_int_equal(binder_listen(&binder, 0, &why), 0);
        binder_release_all(&binder, 1);
        binder_prune(&binder);
        assert_int_equal(binder.count, 1);
        binder_release(&binder, S("127.0.0.1:0\ta"), 0);
        assert_true(is_open(door));
        binder_prune(&binder);
        assert_int_equal(binder.count, 0);
}

static void an_address_of_somebody_else_is_refused_with_the_reason(void **state)
{
        (void)state;
        struct addr addr;
        socklen_t len = sizeof addr.u;
        char text[64] = {0};
        struct text at = text_over(text, sizeof text - 1);
        int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one); /* even if it would share */
        assert_int_equal(addr_read(S("127.0.0.1:0"), &addr), ERR_ok);
        assert_int_equal(bind(fd, &addr.u.any, addr_len(&addr)), 0);
        assert_int_equal(listen(fd, 1), 0);
        getsockname(fd, &addr.u.any, &len);
        addr_put(&at, &addr);
        assert_null(want(text, "", 2, 0));
        assert_int_equal(errno, EADDRINUSE);
        assert_true(str_find_str(text_str(&why), S("already in use by ")) >= 0);
        assert_int_equal(binder.count, 0);
        close(fd);
        assert_non_null(want(text, "", 2, 0));
}

static void a_narrower_address_on_our_own_port_is_no_conflict(void **state)
{
        (void)state;
        char text[64];
        struct door *all = want("0.0.0.0:0", "", 1, 0);
        assert_int_equal(binder_listen(&binder, 0, &why), 0);
        snprintf(text, sizeof text, "127.0.0.1%s", strrchr(all->real, ':'));
        assert_non_null(want(text, "", 1, 0));
        assert_int_equal(binder_listen(&binder, 0, &why), 0);
}

static void what_is_no_address_is_refused(void **state)
{
        (void)state;
        static const char *const bad[] = {"",
                                          "localhost:80",
                                          "1.2.3.4",
                                          "1.2.3.4:99999",
                                          "unix:",
                                          "unix:rel.sock",
                                          "unix:/",
                                          "[::1]",
                                          "unix:/a\nb/c/d",
                                          "1.2.3.4:5\t"};
        char longer[300];
        for (size_t i = 0; i < countof(bad); i++) {
                assert_null(want(bad[i], "", 1, 0));
                assert_true(why.len > 0);
        }
        memset(longer, 'a', sizeof longer);
        memcpy(longer, "unix:/", 6);
        longer[sizeof longer - 1] = '\0';
        assert_null(want(longer, "", 1, 0));
        assert_int_equal(binder.count, 0);
}

static void there_is_an_end_to_what_can_be_asked_for(void **state)
{
        (void)state;
        char name[16];
        binder.sockets_max = 40;
        struct door *door = want("127.0.0.1:0", "a", 1000000, 0);
        assert_int_equal(door->count, 40);
        assert_null(want("127.0.0.1:0", "b", 1, 0));
        assert_int_equal(errno, EMFILE);
        binder_close(&binder);
        binder.sockets_max = BINDER_SOCKETS_MAX;
        for (int i = 0; i < BINDER_DOORS_MAX; i++) {
                snprintf(name, sizeof name, "n%d", i);
                assert_non_null(want("127.0.0.1:0", name, 1, 0));
        }
        assert_null(want("127.0.0.1:0", "more", 1, 0));
        assert_int_equal(errno, EMFILE);
}

static void a_unix_socket_that_is_another_by_now_is_left_alone(void **state)
{
        (void)state;
        char folder[] = "/tmp/binder-XXXXXX", path[64], address[80];
        assert_non_null(mkdtemp(folder));
        snprintf(path, sizeof path, "%s/s", folder);
        snprintf(address, sizeof address, "unix:%s", path);
        assert_non_null(want(address, "", 3, 0));
        assert_int_equal(binder.doors[0].count, 1);
        assert_int_equal(unlink(path), 0);
        int fd = open(path, O_CREAT | O_WRONLY, 0600);
        close(fd);
        binder_close(&binder);
        assert_int_equal(access(path, F_OK), 0);
        unlink(path);
        rmdir(folder);
}

static void a_socket_that_was_given_is_kept_whoever_wants_it(void **state)
{
        (void)state;
        struct addr addr;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(addr_read(S("127.0.0.1:0"), &addr), ERR_ok);
        assert_int_equal(bind(fd, &addr.u.any, addr_len(&addr)), 0);
        assert_int_equal(listen(fd, 1), 0);
        binder_adopt(&binder, fd);
        assert_int_equal(binder.count, 1);
        binder_prune(&binder);
        assert_int_equal(binder.count, 1);
        struct door *door = want(binder.doors[0].real, "", 4, 0);
        assert_int_equal(door->count, 1);
        assert_int_equal(door->fds[0], fd);
}

static void deal(const struct bound *bound, uint32_t workers, unsigned taken[9])
{
        for (uint32_t w = 0; w < workers; w++) {
                uint32_t nth = 0;
                for (int fd; (fd = bound_pick(bound, w, workers, nth)) >= 0; nth++)
                        taken[fd]++;
                assert_true(nth > 0);
        }
}

static void every_socket_has_a_worker_and_every_worker_a_socket(void **state)
{
        struct bound bound = {.fds = {0, 1, 2, 3, 4, 5, 6, 7, 8}};
        (void)state;
        for (uint32_t pair = 0; pair < 81; pair++) {
                unsigned taken[9] = {0};
                bound.count = 1 + pair / 9;
                deal(&bound, 1 + pair % 9, taken);
                for (uint32_t i = 0; i < bound.count; i++)
                        assert_true(taken[i] > 0);
        }
}

#define BOTH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                BOTH(one_address_is_one_door_however_often_it_is_asked_for),
                BOTH(it_listens_from_ready_on_and_not_before),
                BOTH(what_nobody_wants_is_closed_when_it_is_pruned_and_not_before),
                BOTH(an_address_of_somebody_else_is_refused_with_the_reason),
                BOTH(a_narrower_address_on_our_own_port_is_no_conflict),
                BOTH(what_is_no_address_is_refused),
                BOTH(there_is_an_end_to_what_can_be_asked_for),
                BOTH(a_unix_socket_that_is_another_by_now_is_left_alone),
                BOTH(a_socket_that_was_given_is_kept_whoever_wants_it),
                BOTH(every_socket_has_a_worker_and_every_worker_a_socket),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
