/* sock.c -- what io/sock.h promises, in the simulated world; sock_kernel.c has the real one. */
#include "io/sock.h"

#include "talk.h"

#define MS  1000000ull
#define SEC (1000 * MS)

enum { SEEDS = 150, PAGES = 2048 };

static struct sim *sim;
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

static void begin_sim(uint64_t seed)
{
        sim = sim_make(seed);
        loop = loop_make(&driver_sim, PAGES);
        assert_int_equal(addr_read(S("10.1.1.1:80"), &here), ERR_ok);
        listener = sim_listen(sim, &here);
        on_listener.event = accept_two;
        assert_int_equal(loop->driver->watch(loop->world, listener, WATCH_LISTEN, &on_listener),
                         ERR_ok);
        talk_init(&one, sim, 0, 0);
        talk_init(&two, sim, 1, 0);
}

static void end_sim(void)
{
        talk_over(&one);
        talk_over(&two);
        loop->driver->close(loop->world, listener, false);
        assert_int_equal(sim_open_count(sim), 0);
        assert_int_equal(page_pool_in_use(loop->pages), 0);
        loop_turn(loop, 10 * SEC);
        loop_free(loop);
        sim_free(sim);
        sim = NULL;
}

static void dial(void)
{
        assert_int_equal(sock_dial(&one.sock, loop, &talk_ops, &here), ERR_ok);
}

static void run_for(uint64_t time)
{
        uint64_t until = sim_now(sim) + time;
        while (sim_now(sim) < until)
                loop_turn(loop, until - sim_now(sim));
}

/* True when both have said all within this time. */
static bool talk_through(uint64_t time)
{
        uint64_t until = sim_now(sim) + time;
        while (sim_now(sim) < until) {
                if (talk_is_done(&one, &two) && talk_is_done(&two, &one))
                        return true;
                if (one.downs + two.downs > 0)
                        return false;
                loop_turn(loop, until - sim_now(sim));
        }
        return false;
}

static void bytes_arrive_whole_whatever_the_network_does(void **state)
{
        (void)state;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
                begin_sim(seed);
                sim_draw_rules(sim);
                one.to_send = sim_below(sim, 1ull << sim_below(sim, 22));
                two.to_send = sim_below(sim, 1ull << sim_below(sim, 22));
                one.nap_chance = two.nap_chance = sim_chance(sim, 512) ? 200 : 0;
                /* A tiny segment over a long line would take days of virtual time. */
                if (sim_rules(sim)->segment_max < 1000) {
                        one.to_send %= 20000;
                        two.to_send %= 20000;
                }
                dial();
                if (!talk_through(100000 * SEC) || one.is_broken || two.is_broken)
                        fail_msg("seed %d: %d of %d and %d of %d bytes, downs %d %d, ends %d %d",
                                 (int)seed, (int)one.received, (int)two.to_send, (int)two.received,
                                 (int)one.to_send, one.downs, two.downs, one.ends, two.ends);
                assert_int_equal(one.ups, 1);
                assert_int_equal(page_pool_in_use(loop->pages), 0);
                end_sim();
        }
}

static uint64_t story(uint64_t seed)
{
        begin_sim(seed);
        sim_draw_rules(sim);
        one.to_send = two.to_send = 10000;
        dial();
        run_for(10 * SEC);
        uint64_t digest = sim_digest(sim);
        end_sim();
        return digest;
}

static void the_same_seed_tells_the_same_story(void **state)
{
        (void)state;
        for (uint64_t seed = 0; seed < 10; seed++)
                assert_true(story(seed) == story(seed));
        assert_true(story(1) != story(2));
}

static void resets_are_told_once_and_leave_a_prefix(void **state)
{
        (void)state;
        unsigned resets = 0;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
                begin_sim(seed + 1000000);
                sim_draw_rules(sim);
                sim_rules(sim)->reset = 100;
                one.to_send = two.to_send = 30000;
                one.nap_chance = two.nap_chance = 100;
                dial();
                for (int i = 0; i < 2000 && one.downs + two.downs == 0; i++)
                        loop_turn(loop, SEC);
                for (int i = 0; i < 200; i++)
                        loop_turn(loop, SEC);
                resets += one.downs + two.downs;
                assert_true(one.downs <= 1 && two.downs <= 1 && one.ends <= 1 && two.ends <= 1);
                assert_false(one.is_broken || two.is_broken);
                end_sim();
        }
        assert_true(resets > SEEDS / 2);
}

static void full_buffers_hold_the_sender(void **state)
{
        (void)state;
        begin_sim(1);
        one.to_send = 10u << 20;
        two.is_silent = true;
        dial();
        while (two.sock.fd < 0)
                loop_turn(loop, SEC);
        sock_pause(&two.sock);
        run_for(10 * SEC);
        const struct sim_rules *rules = sim_rules(sim);
        assert_true(two.received <= LOOP_HOT_SIZE);
        assert_true(one.sent <= two.received + SOCK_OUT_MAX + rules->send_room + rules->recv_room);
        assert_true(sock_queued(&one.sock) <= SOCK_OUT_MAX);
        assert_int_equal(sock_room(&one.sock), 0);
        sock_resume(&two.sock);
        run_for(100 * SEC);
        assert_int_equal(two.received, one.to_send);
        assert_false(two.is_broken);
        end_sim();
}

/* A piece that cannot be cut waits for its room however much of it there is already. */
static void a_piece_that_does_not_fit_is_asked_for_again(void **state)
{
        (void)state;
        static const size_t sizes[] = {1, 5000, 10000, 41000, 70000, SOCK_OUT_MAX, SOCK_PIECE_MAX};
        static uint8_t piece[SOCK_PIECE_MAX];
        struct iovec iov = {.iov_base = piece};
        for (size_t i = 0; i < countof(sizes); i++) {
                begin_sim(20);
                one.is_silent = two.is_silent = true;
                dial();
                run_for(SEC);
                sock_pause(&two.sock);
                while (sock_queued(&one.sock) + 5000 < SOCK_OUT_MAX) {
                        talk_send(&one, 4500);
                        loop_turn(loop, MS);
                }
                if (i > 0)
                        assert_false(sock_fits(&one.sock, sizes[i]));
                sock_resume(&two.sock);
                unsigned rooms = one.rooms;
                while (!sock_fits(&one.sock, sizes[i])) {
                        for (int turns = 0; one.rooms == rooms; turns++) {
                                loop_turn(loop, SEC);
                                assert_true(turns < 1000);
                        }
                        rooms = one.rooms;
                }
                for (size_t k = 0; k < sizes[i]; k++)
                        piece[k] = talk_byte(one.sequence_out, one.sent + k);
                iov.iov_len = sizes[i];
                sock_send(&one.sock, &iov, 1, sizes[i]);
                one.sent += sizes[i];
                run_for(10 * SEC);
                assert_int_equal(two.received, one.sent);
                assert_false(one.is_broken || two.is_broken);
                assert_int_equal(one.downs, 0);
                end_sim();
        }
}

static void a_paused_sock_gets_nothing_and_loses_nothing(void **state)
{
        (void)state;
        begin_sim(2);
        two.is_silent = true;
        one.to_send = 100;
        one.is_lasting = true;
        dial();
        while (two.sock.fd < 0)
                loop_turn(loop, SEC);
        sock_pause(&two.sock);
        uint64_t before = two.received;
        run_for(SEC);
        assert_int_equal(two.received, before);
        sock_resume(&two.sock);
        sock_pause(&two.sock);
        run_for(SEC);
        assert_int_equal(two.received, before);
        sock_resume(&two.sock);
        run_for(SEC);
        assert_int_equal(two.received, 100);
        one.to_send = 200;
        talk_pump(&one);
        run_for(SEC);
        assert_int_equal(two.received, 200);
        end_sim();
}

static void a_half_closed_sock_goes_on_sending(void **state)
{
        (void)state;
        begin_sim(3);
        one.to_send = 10;
        two.is_silent = true;
        dial();
        run_for(SEC);
        assert_int_equal(two.received, 10);
        assert_int_equal(two.ends, 1);
        assert_int_equal(one.ends, 0);
        two.to_send = 300000;
        two.is_silent = false;
        talk_pump(&two);
        run_for(10 * SEC);
        assert_int_equal(one.received, 300000);
        assert_int_equal(one.ends, 1);
        assert_int_equal(one.downs + two.downs, 0);
        assert_int_equal(sock_room(&two.sock), 0);
        end_sim();
}

static void an_end_asked_for_while_connecting_is_sent(void **state)
{
        (void)state;
        begin_sim(4);
        one.is_silent = two.is_silent = true;
        dial();
        sock_shut(&one.sock);
        run_for(SEC);
        assert_int_equal(one.ups, 1);
        assert_int_equal(two.ends, 1);
        sock_shut(&one.sock);
        sock_flush(&one.sock); /* the driver is told once; sim.c checks it */
        end_sim();
}

static void bytes_sent_while_connecting_leave_when_it_is_up(void **state)
{
        (void)state;
        begin_sim(5);
        one.is_silent = two.is_silent = true;
        dial();
        one.to_send = 50000;
        talk_pump(&one);
        assert_int_equal(one.ups, 0);
        run_for(SEC);
        assert_int_equal(two.received, 50000);
        assert_int_equal(two.ends, 1);
        end_sim();
}

static void a_refused_dial_goes_down_later(void **state)
{
        (void)state;
        begin_sim(6);
        addr_set_port(&here, 81);
        dial();
        assert_int_equal(one.downs, 0);
        run_for(SEC);
        assert_int_equal(one.ups, 0);
        assert_int_equal(one.downs, 1);
        assert_int_equal(one.error, ERR_refused);
        end_sim();
}

static void a_dial_that_is_never_answered_times_out_or_is_closed(void **state)
{
        (void)state;
        begin_sim(7);
        sim_blackhole(sim, &here, true);
        dial();
        run_for(60 * SEC);
        assert_int_equal(one.ups + one.downs, 0);
        sock_close(&one.sock, true);
        run_for(200 * SEC);
        assert_int_equal(one.ups + one.downs, 0);
        dial();
        run_for(200 * SEC);
        assert_int_equal(one.error, ERR_timeout);
        end_sim();
}

static void a_dial_that_cannot_begin_leaves_nothing_open(void **state)
{
        (void)state;
        begin_sim(8);
        sim_fail_next(sim, SIM_OPEN, ERR_no_ports, 1);
        assert_int_equal(sock_dial(&one.sock, loop, &talk_ops, &here), ERR_no_ports);
        sim_fail_next(sim, SIM_WATCH, ERR_memory, 1);
        assert_int_equal(sock_dial(&one.sock, loop, &talk_ops, &here), ERR_memory);
        assert_int_equal(sim_open_count(sim), 1);
        sim_rules(sim)->fds_max = 1;
        assert_int_equal(sock_dial(&one.sock, loop, &talk_ops, &here), ERR_no_files);
        assert_false(sock_is_open(&one.sock));
        run_for(SEC);
        assert_int_equal(one.ups + one.downs, 0);
        end_sim();
}

static void it_sends_again_when_the_system_has_memory_again(void **state)
{
        (void)state;
        begin_sim(9);
        one.to_send = 200000;
        two.is_silent = true;
        sim_fail_next(sim, SIM_SEND, ERR_memory, 3);
        dial();
        run_for(5 * MS);
        assert_int_equal(two.received, 0);
        run_for(SEC);
        assert_int_equal(two.received, 200000);
        assert_int_equal(one.downs, 0);
        end_sim();
}

static void a_sock_may_be_closed_while_it_has_no_memory(void **state)
{
        (void)state;
        begin_sim(10);
        one.is_silent = two.is_silent = true;
        dial();
        run_for(SEC);
        sim_fail_next(sim, SIM_SEND, ERR_memory, 1000);
        one.to_send = two.to_send = 30000;
        talk_pump(&one);
        talk_pump(&two);
        loop_turn(loop, 0);
        sock_close(&one.sock, true);
        memset(&one, 0xff, sizeof one);
        sim_fail_next(sim, SIM_SEND, ERR_memory, 0);
        talk_init(&one, sim, 0, 0);
        run_for(SEC);
        assert_int_equal(two.downs, 1);
        end_sim();
}

/* What was gathered leaves before what is sent at once, however many pages it fills. */
static void large_pieces_do_not_overtake_gathered_ones(void **state)
{
        (void)state;
        begin_sim(11);
        one.is_silent = two.is_silent = true;
        dial();
        run_for(SEC);
        for (int i = 0; i < 40; i++) {
                char *place = sock_reserve(&one.sock, PAGE_ROOM);
                assert_non_null(place);
                for (size_t k = 0; k < 100; k++)
                        place[k] = (char)talk_byte(one.sequence_out, one.sent++);
                sock_commit(&one.sock, 100);
        }
        talk_send(&one, 20000);
        run_for(SEC);
        assert_int_equal(two.received, 24000);
        assert_false(two.is_broken);
        end_sim();
}

static void small_pieces_leave_in_one_send_a_turn(void **state)
{
        (void)state;
        begin_sim(12);
        one.is_silent = two.is_silent = true;
        dial();
        run_for(SEC);
        uint64_t before = sim_calls(sim, SIM_SEND);
        one.sim = NULL;
        for (int i = 0; i < 100; i++)
                talk_send(&one, 50);
        assert_int_equal(sim_calls(sim, SIM_SEND), before);
        loop_turn(loop, 0);
        assert_int_equal(sim_calls(sim, SIM_SEND), before + 1);
        run_for(SEC);
        assert_int_equal(sim_calls(sim, SIM_SEND), before + 1);
        assert_int_equal(two.received, 5000);
        end_sim();
}

static void what_left_is_counted_and_what_was_gathered_is_not(void **state)
{
        (void)state;
        begin_sim(14);
        one.is_silent = two.is_silent = true;
        dial();
        run_for(SEC);
        uint64_t before = one.sock.sent;
        talk_send(&one, 500);
        assert_int_equal(one.sock.sent, before);
        run_for(SEC);
        assert_int_equal(one.sock.sent, before + 500);
        end_sim();
}

/* A reset that follows the peer's end is told as a failure, and the end is not told twice. */
static struct sim_peer *peer;

static void keep_peer(struct sim_peer *new_peer)
{
        peer = new_peer;
}

static const struct sim_script keeping = {.up = keep_peer};

static void dial_peer(void)
{
        struct addr there;
        assert_int_equal(addr_read(S("10.1.1.2:80"), &there), ERR_ok);
        sim_serve(sim, &there, &keeping, NULL);
        one.is_silent = true;
        assert_int_equal(sock_dial(&one.sock, loop, &talk_ops, &there), ERR_ok);
        run_for(SEC);
        assert_int_equal(one.ups, 1);
        assert_non_null(peer);
}

static void a_sock_is_quiet_until_its_peer_says_something(void **state)
{
        (void)state;
        for (int how = 0; how < 4; how++) {
                begin_sim(15);
                dial_peer();
                assert_true(sock_is_quiet(&one.sock));
                if (how == 0)
                        sim_send(peer, "x", 1);
                else if (how == 1)
                        sim_close(peer);
                else if (how == 2)
                        sim_reset(peer);
                /* The network moves, but the loop was not told yet. */
                while (sim_step(sim, sim_now(sim) + SEC) && !sim_is_quiet(sim))
                        continue;
                assert_int_equal(sock_is_quiet(&one.sock), how == 3);
                end_sim();
        }
}

static void a_reset_after_the_end_is_told(void **state)
{
        (void)state;
        begin_sim(13);
        dial_peer();
        sim_shut(peer);
        run_for(SEC);
        assert_int_equal(one.ends, 1);
        sim_reset(peer);
        run_for(SEC);
        assert_int_equal(one.ends, 1);
        assert_int_equal(one.downs, 1);
        end_sim();
}

static void a_reset_with_bytes_before_it_gives_both(void **state)
{
        (void)state;
        begin_sim(14);
        dial_peer();
        uint8_t bytes[100];
        for (size_t i = 0; i < sizeof bytes; i++)
                bytes[i] = talk_byte(one.sequence_in, i);
        sim_send(peer, bytes, sizeof bytes);
        while (sim_unsent(peer) > 0)
                assert_true(sim_step(sim, UINT64_MAX));
        sim_reset(peer);
        while (!sim_is_quiet(sim))
                sim_step(sim, UINT64_MAX);
        loop_turn(loop, 0);
        loop_turn(loop, 0);
        assert_int_equal(one.received, 100);
        assert_int_equal(one.downs, 1);
        assert_int_equal(one.error, ERR_reset);
        assert_false(one.is_broken);
        end_sim();
}

static void sending_to_who_has_gone_goes_down_once(void **state)
{
        (void)state;
        begin_sim(15);
        dial_peer();
        sim_close(peer);
        run_for(SEC);
        assert_int_equal(one.ends, 1);
        one.to_send = 1000000;
        one.is_lasting = true;
        talk_pump(&one);
        run_for(SEC);
        assert_int_equal(one.downs, 1);
        assert_int_equal(sock_room(&one.sock), 0);
        talk_send(&one, 10);
        assert_int_equal(sock_queued(&one.sock), 0);
        run_for(SEC);
        assert_int_equal(one.downs, 1);
        end_sim();
}

/* Close, from inside each call there is; the memory is then as good as gone. */
enum when { IN_UP, IN_DATA, IN_ROOM, IN_END, IN_DOWN, IN_FLUSHED, WHENS };

static enum when closing_in;
static unsigned closed;

static void close_in(struct sock *sock, enum when when)
{
        if (when != closing_in || sock != &one.sock)
                return;
        closed++;
        sock_close(sock, when % 2 == 0);
        memset(&one, 0xff, sizeof one);
        one.sock.fd = -1; /* what a watcher may still look at until the turn ends */
        one.sock.is_down = false;
}

static void closing_up(struct sock *sock)
{
        one.to_send = 3000000;
        talk_up(sock);
        close_in(sock, IN_UP);
}

static void closing_data(struct sock *sock, struct slice bytes)
{
        (void)bytes;
        close_in(sock, IN_DATA);
}

static void closing_room(struct sock *sock)
{
        if (closing_in != IN_ROOM)
                talk_pump(talk_of(sock));
        close_in(sock, IN_ROOM);
}

static void closing_end(struct sock *sock)
{
        close_in(sock, IN_END);
}

static void closing_down(struct sock *sock, enum err err)
{
        (void)err;
        close_in(sock, IN_DOWN);
}

static void closing_flushed(struct sock *sock)
{
        close_in(sock, IN_FLUSHED);
}

static const struct sock_ops closing_ops = {
        .up = closing_up,
        .data = closing_data,
        .room = closing_room,
        .end = closing_end,
        .down = closing_down,
        .flushed = closing_flushed,
};

static void it_may_be_closed_inside_any_call(void **state)
{
        (void)state;
        for (int when = 0; when < WHENS; when++) {
                for (uint64_t seed = 0; seed < 10; seed++) {
                        begin_sim(100 + seed);
                        closing_in = (enum when)when;
                        closed = 0;
                        one.is_lasting = true;
                        one.sim = NULL;
                        two.to_send = 200000;
                        sim_rules(sim)->reset = when == IN_DOWN ? 200 : 0;
                        assert_int_equal(sock_dial(&one.sock, loop, &closing_ops, &here), ERR_ok);
                        run_for(20 * SEC);
                        assert_int_equal(closed, 1);
                        talk_init(&one, sim, 0, 0);
                        end_sim();
                }
        }
}

static void a_sock_without_pages_goes_down(void **state)
{
        (void)state;
        begin_sim(16);
        one.is_silent = two.is_silent = true;
        dial();
        run_for(SEC);
        one.sim = NULL;
        page_pool_fail_at(loop->pages, 1);
        talk_send(&one, 100);
        assert_int_equal(one.downs, 0); /* never inside the call */
        assert_int_equal(sock_room(&one.sock), 0);
        talk_send(&one, 100);
        assert_null(sock_reserve(&one.sock, 10));
        run_for(SEC);
        assert_int_equal(one.downs, 1);
        assert_int_equal(one.error, ERR_memory);
        assert_int_equal(two.received, 0);
        end_sim();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(small_pieces_leave_in_one_send_a_turn),
                cmocka_unit_test(bytes_sent_while_connecting_leave_when_it_is_up),
                cmocka_unit_test(an_end_asked_for_while_connecting_is_sent),
                cmocka_unit_test(a_half_closed_sock_goes_on_sending),
                cmocka_unit_test(a_paused_sock_gets_nothing_and_loses_nothing),
                cmocka_unit_test(full_buffers_hold_the_sender),
                cmocka_unit_test(a_piece_that_does_not_fit_is_asked_for_again),
                cmocka_unit_test(a_refused_dial_goes_down_later),
                cmocka_unit_test(a_dial_that_is_never_answered_times_out_or_is_closed),
                cmocka_unit_test(a_dial_that_cannot_begin_leaves_nothing_open),
                cmocka_unit_test(it_sends_again_when_the_system_has_memory_again),
                cmocka_unit_test(a_sock_may_be_closed_while_it_has_no_memory),
                cmocka_unit_test(large_pieces_do_not_overtake_gathered_ones),
                cmocka_unit_test(what_left_is_counted_and_what_was_gathered_is_not),
                cmocka_unit_test(a_sock_is_quiet_until_its_peer_says_something),
                cmocka_unit_test(a_reset_after_the_end_is_told),
                cmocka_unit_test(a_reset_with_bytes_before_it_gives_both),
                cmocka_unit_test(sending_to_who_has_gone_goes_down_once),
                cmocka_unit_test(it_may_be_closed_inside_any_call),
                cmocka_unit_test(a_sock_without_pages_goes_down),
                cmocka_unit_test(the_same_seed_tells_the_same_story),
                cmocka_unit_test(resets_are_told_once_and_leave_a_prefix),
                cmocka_unit_test(bytes_arrive_whole_whatever_the_network_does),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
