/* loop.c -- what io/loop.h promises: the order of a turn, burial, time. */
#include "io/loop.h"

#include <stdlib.h>

#include "../unit.h"
#include "io/sim.h"
#include "io/sock.h"

#define MS  1000000ull
#define SEC (1000 * MS)

static struct sim *sim;
static struct loop *loop;
static char trail[64];

static void note(char what)
{
        size_t len = strlen(trail);
        assert_true(len + 1 < sizeof trail);
        trail[len] = what;
}

static int begin(void **state)
{
        (void)state;
        memset(trail, 0, sizeof trail);
        sim = sim_make(1);
        loop = loop_make(&driver_sim, 128);
        return 0;
}

static int end(void **state)
{
        (void)state;
        loop_free(loop);
        sim_free(sim);
        return 0;
}

static void run_a(struct task *task)
{
        (void)task;
        note('a');
}

static void run_b(struct task *task)
{
        (void)task;
        note('b');
}

static void ready_tasks_run_once_in_order(void **state)
{
        (void)state;
        struct task a, b;
        task_init(&a, run_a);
        task_init(&b, run_b);
        loop_ready(loop, &b);
        loop_ready(loop, &a);
        loop_ready(loop, &b);
        loop_turn(loop, 0);
        loop_turn(loop, 0);
        assert_string_equal(trail, "ba");
        loop_ready(loop, &a);
        loop_run_ready(loop);
        assert_string_equal(trail, "baa");
}

static struct task task_a;

static void run_b_then_a(struct task *task)
{
        (void)task;
        note('b');
        loop_ready(loop, &task_a);
}

static void a_task_may_make_another_ready(void **state)
{
        (void)state;
        struct task b;
        task_init(&task_a, run_a);
        task_init(&b, run_b_then_a);
        loop_ready(loop, &b);
        loop_turn(loop, 0);
        assert_string_equal(trail, "ba");
}

static void late_then_ready(struct task *task)
{
        (void)task;
        note('b');
        loop_ready(loop, &task_a);
}

static void late_tasks_run_once_behind_what_is_ready(void **state)
{
        (void)state;
        struct task late, ready;
        task_init(&late, late_then_ready);
        task_init(&ready, run_a);
        task_init(&task_a, run_a);
        loop_late(loop, &late);
        loop_late(loop, &late);
        loop_ready(loop, &ready);
        loop_turn(loop, SEC);
        assert_string_equal(trail, "aba");
        loop_turn(loop, 0);
        assert_string_equal(trail, "aba");
}

/* Every part of a turn leaves its letter; each makes the task `r` ready. */
static struct task on_ready, on_turn, on_grave;
static struct timer on_timer;
static struct mail on_mail;
static struct sock sock;

static void part(char what)
{
        note(what);
        loop_ready(loop, &on_ready);
}

static void run_ready(struct task *task)
{
        (void)task;
        note('r');
}

static void run_turn(struct task *task)
{
        (void)task;
        note('t');
}

static void run_grave(struct task *task)
{
        (void)task;
        note('g');
}

static void open_mail(struct mail *mail)
{
        (void)mail;
        part('m');
        loop_bury(loop, &on_grave);
}

static void fire(struct timer *timer)
{
        (void)timer;
        part('c');
}

static void sock_up(struct sock *which)
{
        (void)which;
}

static void sock_data(struct sock *which, struct slice bytes)
{
        static char answer[] = "x";
        struct iovec iov = {answer, 1};
        (void)bytes;
        part('d');
        sock_send(which, &iov, 1, 1);
}

static void sock_flushed(struct sock *which)
{
        (void)which;
        part('f');
}

static const struct sock_ops sock_ops = {.up = sock_up, .data = sock_data, .flushed = sock_flushed};

static void greet(struct sim_peer *peer)
{
        sim_send(peer, "hello", 5);
}

static const struct sim_script greeter = {.up = greet};

static void a_turn_has_its_order(void **state)
{
        (void)state;
        struct addr at;
        assert_int_equal(addr_read(S("10.0.0.9:1"), &at), ERR_ok);
        sim_serve(sim, &at, &greeter, NULL);
        assert_int_equal(sock_dial(&sock, loop, &sock_ops, &at), ERR_ok);
        /* Let everything lie ready before the turn begins. */
        loop_turn(loop, 0);
        while (!sim_is_quiet(sim))
                sim_step(sim, UINT64_MAX);
        on_mail.open = open_mail;
        task_init(&on_ready, run_ready);
        task_init(&on_turn, run_turn);
        task_init(&on_grave, run_grave);
        timer_init(&on_timer, fire);
        timer_set(loop, &on_timer, loop_now(loop) + MS);
        sim_step(sim, sim_now(sim) + 10 * MS);
        loop_each_turn(loop, &on_turn);
        loop_post(loop, &on_mail);
        memset(trail, 0, sizeof trail);
        loop_turn(loop, SEC);
        assert_string_equal(trail, "mrdrcrfrtg");
        sock_close(&sock, false);
}

static void turners_run_in_every_turn(void **state)
{
        (void)state;
        struct task turner;
        task_init(&turner, run_a);
        loop_each_turn(loop, &turner);
        for (int i = 0; i < 3; i++)
                loop_turn(loop, 0);
        assert_string_equal(trail, "aaa");
        list_remove(&turner.node);
        loop_turn(loop, 0);
        assert_string_equal(trail, "aaa");
}

/* Two that are told of an event in the same turn, where the first closes and buries both. */
struct mortal {
        struct watcher watcher;
        struct task grave;
        struct mortal *other;
        int fd;
        bool is_closed;
};

static unsigned deaths, told;

static void dig(struct task *task)
{
        free(container_of(task, struct mortal, grave));
        deaths++;
}

static void close_mortal(struct mortal *mortal)
{
        mortal->is_closed = true;
        loop->driver->close(loop->world, mortal->fd, true);
        loop_bury(loop, &mortal->grave);
}

static void die_both(struct watcher *watcher, unsigned flags)
{
        struct mortal *mortal = container_of(watcher, struct mortal, watcher);
        (void)flags;
        told++;
        if (mortal->is_closed)
                return;
        close_mortal(mortal);
        close_mortal(mortal->other);
}

static void what_dies_in_a_turn_is_there_until_its_end(void **state)
{
        (void)state;
        struct mortal *pair[2];
        struct addr at;
        assert_int_equal(addr_read(S("10.0.0.9:1"), &at), ERR_ok);
        sim_serve(sim, &at, &greeter, NULL);
        deaths = told = 0;
        for (int i = 0; i < 2; i++) {
                pair[i] = calloc(1, sizeof *pair[i]);
                pair[i]->watcher.event = die_both;
                task_init(&pair[i]->grave, dig);
                assert_int_equal(loop->driver->open(loop->world, &at, &pair[i]->fd), ERR_ok);
                assert_int_equal(loop->driver->watch(loop->world, pair[i]->fd, WATCH_STREAM,
                                                     &pair[i]->watcher),
                                 ERR_ok);
        }
        pair[0]->other = pair[1];
        pair[1]->other = pair[0];
        while (!sim_is_quiet(sim))
                sim_step(sim, UINT64_MAX);
        loop_turn(loop, 0);
        assert_int_equal(told, 2);
        assert_int_equal(deaths, 2);
        loop_turn(loop, SEC);
        assert_int_equal(told, 2);
}

static void it_sleeps_until_the_next_timer_and_no_longer(void **state)
{
        (void)state;
        struct timer timer;
        timer_init(&timer, fire);
        task_init(&on_ready, run_ready);
        uint64_t start = sim_now(sim);
        timer_set(loop, &timer, start + 3600 * SEC);
        unsigned turns = 0;
        for (; trail[0] == 0; turns++)
                loop_turn(loop, UINT64_MAX);
        assert_true(turns < 10);
        assert_true(sim_now(sim) >= start + 3600 * SEC);
        assert_true(sim_now(sim) < start + 3600 * SEC + 5 * MS);
        assert_true(loop_now(loop) == sim_now(sim));
}

static void a_turn_waits_no_longer_than_told(void **state)
{
        (void)state;
        uint64_t start = sim_now(sim);
        loop_turn(loop, 5 * MS);
        assert_true(sim_now(sim) == start + 5 * MS);
        loop_turn(loop, 0);
        assert_true(sim_now(sim) == start + 5 * MS);
}

static void the_time_of_day_follows_a_step(void **state)
{
        (void)state;
        loop_turn(loop, SEC);
        uint64_t now = loop_now(loop), wall = loop_wall(loop);
        sim_step_wall(sim, -3600 * (int64_t)SEC);
        loop_turn(loop, SEC);
        loop_turn(loop, SEC);
        assert_true(loop_now(loop) == now + 2 * SEC);
        assert_true(loop_wall(loop) == wall + 2 * SEC - 3600 * SEC);
}

static void the_watchdog_sees_whether_it_works_or_waits(void **state)
{
        (void)state;
        loop_turn(loop, SEC);
        assert_true(atomic_load(&loop->busy_since) == loop_now(loop));
}

static void a_stopped_loop_returns(void **state)
{
        (void)state;
        loop_stop(loop);
        loop_run(loop);
        assert_true(loop->is_stopped);
}

static void the_kernel_keeps_time(void **state)
{
        (void)state;
        struct loop *real = loop_make(&driver_epoll, 128);
        struct timer timer;
        timer_init(&timer, fire);
        task_init(&on_ready, run_ready);
        struct loop *kept = loop;
        loop = real;
        uint64_t start = loop_now(real);
        timer_set(real, &timer, start + 30 * MS);
        for (int i = 0; i < 100 && trail[0] == 0; i++)
                loop_turn(real, SEC);
        loop = kept;
        assert_true(loop_now(real) - start >= 30 * MS && loop_now(real) - start < 5 * SEC);
        uint64_t wall = loop_wall(real);
        assert_true(wall > 1700000000 * SEC);
        loop_free(real);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(ready_tasks_run_once_in_order),
                TEST(a_task_may_make_another_ready),
                TEST(late_tasks_run_once_behind_what_is_ready),
                TEST(a_turn_has_its_order),
                TEST(turners_run_in_every_turn),
                TEST(what_dies_in_a_turn_is_there_until_its_end),
                TEST(it_sleeps_until_the_next_timer_and_no_longer),
                TEST(a_turn_waits_no_longer_than_told),
                TEST(the_time_of_day_follows_a_step),
                TEST(the_watchdog_sees_whether_it_works_or_waits),
                TEST(a_stopped_loop_returns),
                TEST(the_kernel_keeps_time),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
