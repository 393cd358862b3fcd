/* listen.c -- what net/listen.h promises, on the simulated network. */
#include "net/listen.h"

#include "../unit.h"
#include "io/sim.h"

#define MS  1000000ull
#define SEC (1000 * MS)

static struct sim *sim;
static struct loop *loop;
static struct listener listener;
static struct addr at;
static int fds[256];
static unsigned accepted, shut_after;

static void take(struct listener *which, int fd, const struct addr *peer)
{
        assert_ptr_equal(which, &listener);
        assert_true(addr_port(peer) >= 1024);
        fds[accepted++] = fd;
        if (accepted == shut_after)
                listener_shut(which);
}

static int begin(void **state)
{
        (void)state;
        sim = sim_make(1);
        loop = loop_make(&driver_sim, 128);
        accepted = shut_after = 0;
        assert_int_equal(addr_read(S("10.0.0.9:80"), &at), ERR_ok);
        int fd = sim_listen(sim, &at);
        assert_int_equal(listener_open(&listener, loop, fd, take), ERR_ok);
        return 0;
}

static int end(void **state)
{
        (void)state;
        for (unsigned i = 0; i < accepted; i++)
                loop->driver->close(loop->world, fds[i], false);
        listener_shut(&listener);
        listener_shut(&listener);
        loop->driver->close(loop->world, listener.fd, false);
        assert_int_equal(sim_open_count(sim), 0);
        loop_free(loop);
        sim_free(sim);
        return 0;
}

static const struct sim_script quiet = {0};

static void call(unsigned count)
{
        for (unsigned i = 0; i < count; i++)
                sim_dial(sim, &at, &quiet, NULL);
}

/* Returns how many turns it took. */
static unsigned run_for(uint64_t time)
{
        uint64_t until = sim_now(sim) + time;
        unsigned turns = 0;
        for (; sim_now(sim) < until; turns++)
                loop_turn(loop, until - sim_now(sim));
        return turns;
}

static void it_takes_all_callers(void **state)
{
        (void)state;
        call(100);
        run_for(SEC);
        assert_int_equal(accepted, 100);
        call(100);
        run_for(SEC);
        assert_int_equal(accepted, 200);
        assert_int_equal(listener.rests, 0);
}

static void out_of_descriptors_it_rests_and_then_takes_who_waited(void **state)
{
        (void)state;
        sim_rules(sim)->fds_max = 11; /* its own and ten callers */
        call(20);
        unsigned turns = run_for(SEC);
        assert_int_equal(accepted, 10);
        assert_true(listener.rests >= 5 && listener.rests <= 11);
        assert_true(turns < 60); /* it does not spin */
        for (unsigned i = 0; i < 10; i++)
                loop->driver->close(loop->world, fds[i], false);
        run_for(SEC);
        assert_int_equal(accepted, 20);
        uint64_t rests = listener.rests;
        memmove(fds, fds + 10, 10 * sizeof fds[0]);
        accepted = 10;
        run_for(SEC);
        assert_int_equal(listener.rests, rests);
}

static void any_lasting_refusal_of_the_system_makes_it_rest(void **state)
{
        (void)state;
        static const enum err errors[] = {ERR_no_files, ERR_memory, ERR_denied, ERR_io};
        for (size_t i = 0; i < countof(errors); i++) {
                uint64_t rests = listener.rests;
                sim_fail_next(sim, SIM_ACCEPT, errors[i], 3);
                call(1);
                unsigned turns = run_for(SEC);
                assert_int_equal(accepted, i + 1);
                assert_int_equal(listener.rests, rests + 3);
                assert_true(turns < 30);
        }
}

static void a_caller_who_is_gone_does_not_stop_the_next(void **state)
{
        (void)state;
        static const enum err errors[] = {ERR_reset, ERR_unreachable, ERR_timeout};
        for (size_t i = 0; i < countof(errors); i++) {
                sim_fail_next(sim, SIM_ACCEPT, errors[i], 1);
                call(1);
                run_for(50 * MS);
                assert_int_equal(accepted, i + 1);
        }
        assert_int_equal(listener.rests, 0);
}

static void it_may_be_shut_while_it_accepts(void **state)
{
        (void)state;
        shut_after = 3;
        call(10);
        run_for(SEC);
        assert_int_equal(accepted, 3);
}

static void it_may_be_shut_while_it_rests(void **state)
{
        (void)state;
        sim_fail_next(sim, SIM_ACCEPT, ERR_no_files, 1000);
        call(1);
        run_for(50 * MS);
        assert_int_equal(listener.rests, 1);
        listener_shut(&listener);
        sim_fail_next(sim, SIM_ACCEPT, ERR_ok, 0);
        run_for(SEC);
        assert_int_equal(accepted, 0);
}

static void who_cannot_watch_again_goes_on_resting(void **state)
{
        (void)state;
        sim_fail_next(sim, SIM_ACCEPT, ERR_no_files, 1);
        sim_fail_next(sim, SIM_WATCH, ERR_memory, 2);
        call(1);
        run_for(SEC);
        assert_int_equal(accepted, 1);
        assert_int_equal(listener.rests, 3);
}

static void who_is_queued_at_the_end_is_taken_also_while_it_rests(void **state)
{
        (void)state;
        sim_rules(sim)->backlog_max = 250;
        sim_fail_next(sim, SIM_ACCEPT, ERR_no_files, 1);
        call(100);
        run_for(50 * MS);
        assert_int_equal(accepted, 0);
        assert_int_equal(listener.rests, 1);
        listener_finish(&listener);
        assert_int_equal(accepted, 100);
        call(1);
        run_for(SEC);
        assert_int_equal(accepted, 100);
}

static void many_callers_do_not_hold_the_loop(void **state)
{
        (void)state;
        sim_rules(sim)->backlog_max = 250;
        call(200);
        while (!sim_is_quiet(sim))
                sim_step(sim, UINT64_MAX);
        loop_turn(loop, 0);
        assert_true(accepted > 0 && accepted < 200);
        run_for(SEC);
        assert_int_equal(accepted, 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(it_takes_all_callers),
                TEST(out_of_descriptors_it_rests_and_then_takes_who_waited),
                TEST(any_lasting_refusal_of_the_system_makes_it_rest),
                TEST(a_caller_who_is_gone_does_not_stop_the_next),
                TEST(it_may_be_shut_while_it_accepts),
                TEST(it_may_be_shut_while_it_rests),
                TEST(who_is_queued_at_the_end_is_taken_also_while_it_rests),
                TEST(who_cannot_watch_again_goes_on_resting),
                TEST(many_callers_do_not_hold_the_loop),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
