/* sock_kernel.c -- what io/sock.h promises, on the kernel's own sockets. */
#include "io/sock.h"
#include "talk.h"

#define MS  1000000ull
#define SEC (1000 * MS)

enum { PAGES = 2048 };

static struct loop *loop;
static struct addr here;
static int listener;
static struct watcher on_listener;
static struct talk one, two; /* one dialled two */

static void accept_two(struct watcher *watcher, unsigned flags)
{
        struct addr peer;
        int fd;
        (void)watcher, (void)flags;
        if (loop->driver->accept(loop->world, listener, &peer, &fd) == ERR_ok) {
                assert_int_equal(sock_open(&two.sock, loop, &talk_ops, fd), ERR_ok);
                talk_up(&two.sock);
        }
}

static void dial(void)
{
        assert_int_equal(sock_dial(&one.sock, loop, &talk_ops, &here), ERR_ok);
}

static void real_pair(void)
{
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof at;
        int small = 4096, on = 1;
        loop = loop_make(&driver_epoll, PAGES);
        listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(listener >= 0);
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
        assert_int_equal(listen(listener, 16), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
        here.u.v4 = at;
        on_listener.event = accept_two;
        assert_int_equal(loop->driver->watch(loop->world, listener, WATCH_LISTEN, &on_listener),
                         ERR_ok);
        talk_init(&one, NULL, 0, 0);
        talk_init(&two, NULL, 1, 0);
}

static void real_over(void)
{
        talk_over(&one);
        talk_over(&two);
        close(listener);
        assert_int_equal(page_pool_in_use(loop->pages), 0);
        loop_free(loop);
}

static bool real_until(bool (*is_so)(void))
{
        uint64_t until = loop->now + 20 * SEC;
        while (!is_so() && loop->now < until)
                loop_turn(loop, 100 * MS);
        return is_so();
}

static bool all_is_said(void)
{
        return talk_is_done(&one, &two) && talk_is_done(&two, &one);
}

static bool one_is_down(void)
{
        return one.downs > 0;
}

static bool one_is_up(void)
{
        return one.ups > 0 && two.sock.fd >= 0;
}

static void the_kernel_carries_much_both_ways(void **state)
{
        (void)state;
        real_pair();
        one.to_send = 20u << 20;
        two.to_send = 17u << 20;
        dial();
        assert_true(real_until(all_is_said));
        assert_false(one.is_broken || two.is_broken);
        real_over();
}

static void the_kernel_refuses(void **state)
{
        (void)state;
        real_pair();
        loop->driver->unwatch(loop->world, listener);
        close(listener);
        listener = -1;
        enum err err = sock_dial(&one.sock, loop, &talk_ops, &here);
        if (err == ERR_ok) {
                assert_true(real_until(one_is_down));
                err = one.error;
        }
        assert_int_equal(err, ERR_refused);
        real_over();
}

static void the_kernel_tells_of_a_reset(void **state)
{
        (void)state;
        real_pair();
        one.is_lasting = two.is_lasting = true;
        dial();
        assert_true(real_until(one_is_up));
        sock_close(&two.sock, true);
        assert_true(real_until(one_is_down));
        assert_int_equal(one.error, ERR_reset);
        real_over();
}

static void the_kernel_tells_of_a_reset_after_the_end(void **state)
{
        (void)state;
        real_pair();
        one.is_lasting = true;
        dial();
        assert_true(real_until(one_is_up));
        for (int i = 0; i < 100 && one.ends == 0; i++)
                loop_turn(loop, 10 * MS);
        assert_int_equal(one.ends, 1);
        sock_close(&two.sock, true);
        assert_true(real_until(one_is_down));
        assert_int_equal(one.ends, 1);
        real_over();
}

static void the_kernel_stops_when_nobody_reads(void **state)
{
        (void)state;
        real_pair();
        two.is_silent = true;
        one.to_send = 30u << 20;
        dial();
        assert_true(real_until(one_is_up));
        sock_pause(&two.sock);
        for (int i = 0; i < 30; i++)
                loop_turn(loop, 10 * MS);
        assert_true(one.sent < 20u << 20);
        assert_int_equal(sock_room(&one.sock), 0);
        sock_resume(&two.sock);
        two.is_lasting = true;
        for (int i = 0; i < 100000 && two.ends == 0; i++)
                loop_turn(loop, 10 * MS);
        assert_int_equal(two.received, one.to_send);
        assert_false(two.is_broken);
        real_over();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_kernel_carries_much_both_ways),
                cmocka_unit_test(the_kernel_refuses),
                cmocka_unit_test(the_kernel_tells_of_a_reset),
                cmocka_unit_test(the_kernel_tells_of_a_reset_after_the_end),
                cmocka_unit_test(the_kernel_stops_when_nobody_reads),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
