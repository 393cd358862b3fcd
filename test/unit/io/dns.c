/* dns.c -- what io/dns.h promises about names and time, in the simulated world, where the test is
 * the name server. How c-ares speaks is in dns_ares.c. */
#include "io/dns.h"

#include "../unit.h"

#include "base/log.h"
#include "base/rand.h"
#include "io/sim.h"

#define MS  1000000ull
#define SEC (1000 * MS)

enum { PENDING_MAX = 4096 };

static struct sim *sim;
static struct loop *loop;
static struct dns *dns;

/* The name server: answers at once with what is set here, or keeps the question. */
static struct addr answer_addrs[300];
static struct dns_answer answer;
static bool is_silent;
static struct dns_name *pending[PENDING_MAX];
static unsigned pending_count, asked;
static char asked_text[DNS_NAME_MAX + 2];
static enum dns_family asked_family;

static void ask(void *arg, struct dns_name *name, struct str text, enum dns_family family)
{
        assert_ptr_equal(arg, &answer);
        asked++;
        asked_family = family;
        memcpy(asked_text, text.ptr, text.len);
        asked_text[text.len] = '\0';
        if (is_silent) {
                assert_true(pending_count < PENDING_MAX);
                pending[pending_count++] = name;
        } else {
                dns_give(name, &answer);
        }
}

static void give_pending(void)
{
        unsigned count = pending_count;
        pending_count = 0;
        for (unsigned i = 0; i < count; i++)
                dns_give(pending[i], &answer);
}

/* Texts of addresses, separated by blanks. */
static void set_answer(const char *texts, uint32_t ttl)
{
        struct str rest = str_of(texts);
        answer = (struct dns_answer){.addrs = answer_addrs, .ttl = ttl};
        while (rest.len > 0) {
                struct str text = str_cut(&rest, ' ');
                assert_int_equal(addr_read_ip(text, 9, &answer_addrs[answer.count++]), ERR_ok);
        }
}

static void set_failure(enum err err)
{
        answer = (struct dns_answer){.error = err};
}

struct user {
        struct dns_watch watch;
        unsigned calls;
        bool ends_itself;
        struct user *ends;
};

static struct user one, two;

static void changed(struct dns_watch *watch)
{
        struct user *user = container_of(watch, struct user, watch);
        user->calls++;
        if (user->ends_itself)
                dns_watch_end(watch);
        if (user->ends != NULL)
                dns_watch_end(&user->ends->watch);
}

static int begin(void **state)
{
        (void)state;
        log_set(LEVEL_ERROR, LOG_PAIRS);
        sim = sim_make(1);
        loop = loop_make(&driver_sim, 128);
        dns = dns_make(loop, &(const struct dns_conf){0});
        dns_set_ask(dns, ask, &answer);
        is_silent = false;
        pending_count = asked = 0;
        one = two = (struct user){.watch.changed = changed};
        return 0;
}

static int end(void **state)
{
        (void)state;
        dns_watch_end(&one.watch);
        dns_watch_end(&two.watch);
        give_pending();
        loop_turn(loop, 0);
        assert_int_equal(dns_name_count(dns), 0);
        dns_free(dns);
        loop_free(loop);
        sim_free(sim);
        return 0;
}

static void run_for(uint64_t time)
{
        uint64_t until = sim_now(sim) + time;
        while (sim_now(sim) < until)
                loop_turn(loop, until - sim_now(sim));
}

static void watch(struct user *user, const char *name)
{
        assert_int_equal(dns_watch_begin(dns, &user->watch, str_of(name), &DNS_RULE), ERR_ok);
}

static struct str addrs_of(const struct user *user)
{
        static char space[4096];
        struct text text = text_over(space, sizeof space);
        for (unsigned i = 0; i < user->watch.count; i++) {
                if (i > 0)
                        text_char(&text, ' ');
                addr_put_ip(&text, &user->watch.addrs[i]);
                assert_int_equal(addr_port(&user->watch.addrs[i]), 0);
        }
        return text_str(&text);
}

static void addresses_and_localhost_need_no_question(void **state)
{
        (void)state;
        static const char *const fixed[][2] = {
                {"192.0.2.1", "192.0.2.1"},
                {"2001:db8::1", "2001:db8::1"},
                {"[::1]", "::1"},
                {"localhost", "127.0.0.1 ::1"},
                {"LocalHost.", "127.0.0.1 ::1"},
                {"a.b.localhost", "127.0.0.1 ::1"},
        };
        for (size_t i = 0; i < countof(fixed); i++) {
                watch(&one, fixed[i][0]);
                assert_true(one.watch.is_settled);
                assert_int_equal(one.watch.error, ERR_ok);
                assert_str(addrs_of(&one), fixed[i][1]);
                run_for(SEC);
                dns_watch_end(&one.watch);
        }
        struct dns_rule rule = DNS_RULE;
        rule.family = DNS_V4;
        assert_int_equal(dns_watch_begin(dns, &one.watch, S("localhost"), &rule), ERR_ok);
        assert_str(addrs_of(&one), "127.0.0.1");
        rule.family = DNS_V6;
        assert_int_equal(dns_watch_begin(dns, &one.watch, S("localhost"), &rule), ERR_ok);
        assert_str(addrs_of(&one), "::1");
        assert_int_equal(asked, 0);
        assert_int_equal(one.calls, 0);
}

static void what_is_no_name_is_refused(void **state)
{
        (void)state;
        static char label64[70], name255[300];
        static const char *const bad[] = {
                "",
                ".",
                "..",
                "a..b",
                ".a",
                "a b",
                "a/b",
                "a\n",
                "b\xc3\xbc.example",
                "*.a",
                "1.2.3",
                "256.1.1.1",
                "0177.0.0.1",
                "2130706433",
                "0x7f000001",
                "a.0x7f",
                "[::1",
                "[]",
                "[a]",
                "user@host",
                "host:80",
                "..localhost",
                "a .localhost",
        };
        for (size_t i = 0; i < countof(bad); i++) {
                if (dns_watch_begin(dns, &one.watch, str_of(bad[i]), &DNS_RULE) != ERR_syntax)
                        fail_msg("%s", bad[i]);
        }
        memset(label64, 'a', 64);
        assert_int_equal(dns_watch_begin(dns, &one.watch, str_of(label64), &DNS_RULE), ERR_syntax);
        for (size_t i = 0; i < 255; i++)
                name255[i] = i % 2 == 0 ? 'a' : '.';
        name255[255] = '\0';
        assert_int_equal(dns_watch_begin(dns, &one.watch, str_of(name255), &DNS_RULE), ERR_syntax);
        name255[253] = '\0';
        watch(&one, name255);
        dns_watch_end(&one.watch);
        label64[63] = '\0';
        watch(&one, label64);
}

static void a_name_is_asked_for_after_the_call_and_followed_by_its_ttl(void **state)
{
        (void)state;
        set_answer("192.0.2.2 192.0.2.1 2001:db8::1 192.0.2.1", 10);
        watch(&one, "Orders.example");
        assert_int_equal(asked, 0);
        assert_false(one.watch.is_settled);
        run_for(100 * MS);
        assert_string_equal(asked_text, "orders.example");
        assert_int_equal(asked_family, DNS_ANY);
        assert_int_equal(one.calls, 1);
        assert_str(addrs_of(&one), "192.0.2.1 192.0.2.2 2001:db8::1");
        run_for(9 * SEC);
        assert_int_equal(asked, 1);
        set_answer("2001:db8::1 192.0.2.1 192.0.2.2", 10); /* rotated: the same set */
        run_for(2 * SEC);
        assert_int_equal(asked, 2);
        assert_int_equal(one.calls, 1);
        set_answer("192.0.2.1 192.0.2.3", 10);
        run_for(11 * SEC);
        assert_int_equal(one.calls, 2);
        assert_str(addrs_of(&one), "192.0.2.1 192.0.2.3");
        set_answer("192.0.2.1", 10);
        run_for(11 * SEC);
        assert_int_equal(one.calls, 3);
        assert_str(addrs_of(&one), "192.0.2.1");
}

static void a_ttl_is_cut_to_its_limits(void **state)
{
        (void)state;
        set_answer("192.0.2.1", 0);
        watch(&one, "a.example");
        run_for(10 * SEC + 500 * MS);
        assert_in_range(asked, 9, 11);
        set_answer("192.0.2.1", UINT32_MAX);
        run_for(2 * SEC);
        asked = 0;
        run_for(290 * SEC);
        assert_int_equal(asked, 0);
        run_for(40 * SEC);
        assert_int_equal(asked, 1);
}

static void names_under_different_rules_are_apart(void **state)
{
        (void)state;
        struct dns_rule rule = DNS_RULE;
        set_answer("192.0.2.1", 10);
        watch(&one, "a.example");
        rule.family = DNS_V6;
        assert_int_equal(dns_watch_begin(dns, &two.watch, S("a.example"), &rule), ERR_ok);
        assert_int_equal(dns_name_count(dns), 2);
        run_for(SEC);
        assert_int_equal(asked, 2);
}

static void a_second_watch_shares_the_question_and_knows_at_once(void **state)
{
        (void)state;
        set_answer("192.0.2.1", 100);
        watch(&one, "a.example");
        run_for(SEC);
        watch(&two, "A.EXAMPLE");
        assert_true(two.watch.is_settled);
        assert_str(addrs_of(&two), "192.0.2.1");
        assert_int_equal(dns_name_count(dns), 1);
        dns_watch_end(&one.watch);
        set_answer("192.0.2.2", 100);
        run_for(110 * SEC);
        assert_int_equal(asked, 2);
        assert_int_equal(one.calls, 1);
        assert_int_equal(two.calls, 1);
        dns_watch_end(&two.watch);
        assert_int_equal(dns_name_count(dns), 0);
        run_for(300 * SEC);
        assert_int_equal(asked, 2);
}

static void failures_keep_the_last_good_addresses_for_as_long_as_told(void **state)
{
        (void)state;
        static const enum err errors[] = {ERR_timeout, ERR_io, ERR_missing, ERR_refused};
        for (size_t i = 0; i < countof(errors); i++) {
                set_answer("192.0.2.1", 10);
                one.calls = 0;
                watch(&one, "a.example");
                run_for(SEC);
                set_failure(errors[i]);
                run_for(600 * SEC); /* the servers are down for ten minutes */
                assert_int_equal(one.calls, 1);
                assert_str(addrs_of(&one), "192.0.2.1");
                assert_int_equal(one.watch.error, errors[i]);
                run_for(3600 * SEC);
                assert_int_equal(one.calls, 2);
                assert_int_equal(one.watch.count, 0);
                set_answer("192.0.2.1", 10);
                run_for(60 * SEC);
                assert_int_equal(one.calls, 3);
                assert_int_equal(one.watch.error, ERR_ok);
                assert_str(addrs_of(&one), "192.0.2.1");
                dns_watch_end(&one.watch);
        }
}

static void failures_are_asked_again_ever_more_seldom(void **state)
{
        (void)state;
        set_failure(ERR_timeout);
        watch(&one, "a.example");
        run_for(100 * MS);
        assert_int_equal(one.calls, 1); /* a failure is news, once */
        assert_true(one.watch.is_settled);
        assert_int_equal(one.watch.error, ERR_timeout);
        assert_int_equal(one.watch.count, 0);
        run_for(10 * SEC);
        assert_in_range(asked, 3, 6);
        asked = 0;
        run_for(600 * SEC);
        assert_in_range(asked, 600 / 48, 600 / 20);
        assert_int_equal(one.calls, 1);
        set_answer("192.0.2.1", 10);
        run_for(60 * SEC);
        assert_int_equal(one.calls, 2);
        asked = 0;
        set_failure(ERR_io);
        run_for(13 * SEC); /* after a success it begins anew */
        assert_in_range(asked, 2, 4);
}

static void an_answer_without_a_usable_address_is_a_failure(void **state)
{
        (void)state;
        set_answer("0.0.0.0 :: 255.255.255.255 224.0.0.1 ff02::1 ::ffff:0.0.0.0 0.1.2.3", 10);
        watch(&one, "blocked.example");
        run_for(100 * MS);
        assert_int_equal(one.watch.error, ERR_missing);
        assert_int_equal(one.watch.count, 0);
        set_answer("0.0.0.0 ::ffff:192.0.2.1 192.0.2.1", 10);
        run_for(3 * SEC);
        assert_str(addrs_of(&one), "192.0.2.1");
}

static void of_many_addresses_the_first_hundred_in_order_are_kept(void **state)
{
        (void)state;
        answer = (struct dns_answer){.addrs = answer_addrs, .count = 300, .ttl = 5};
        for (unsigned i = 0; i < 300; i++) {
                char text[32];
                unsigned k = i * 7 % 300;
                int n = snprintf(text, sizeof text, "10.0.%u.%u", k / 250, k % 250 + 1);
                assert_int_equal(addr_read_ip(str_from(text, (size_t)n), 0, &answer_addrs[i]),
                                 ERR_ok);
        }
        watch(&one, "many.example");
        run_for(SEC);
        assert_int_equal(one.watch.count, DNS_ADDRS_MAX);
        for (unsigned i = 0; i < 150; i++) { /* another order, the same answer */
                struct addr addr = answer_addrs[i];
                answer_addrs[i] = answer_addrs[299 - i];
                answer_addrs[299 - i] = addr;
        }
        run_for(20 * SEC);
        assert_true(asked > 2);
        assert_int_equal(one.calls, 1);
}

static void a_watch_may_end_inside_its_call(void **state)
{
        (void)state;
        set_answer("192.0.2.1", 1);
        one.ends_itself = true;
        watch(&one, "a.example");
        run_for(10 * SEC);
        assert_int_equal(one.calls, 1);
        assert_int_equal(dns_name_count(dns), 0);
        one = two = (struct user){.watch.changed = changed};
        one.ends = &two;
        two.ends = &one;
        watch(&one, "a.example");
        watch(&two, "a.example");
        run_for(10 * SEC);
        assert_int_equal(one.calls + two.calls, 1);
}

static void a_watch_may_end_while_its_question_is_under_way(void **state)
{
        (void)state;
        is_silent = true;
        watch(&one, "a.example");
        run_for(SEC);
        assert_int_equal(pending_count, 1);
        dns_watch_end(&one.watch);
        assert_int_equal(dns_name_count(dns), 1);
        set_answer("192.0.2.1", 10);
        give_pending();
        assert_int_equal(one.calls, 0);
        assert_int_equal(dns_name_count(dns), 0);
}

static void a_name_taken_up_again_is_asked_once(void **state)
{
        (void)state;
        is_silent = true;
        watch(&one, "a.example");
        run_for(SEC);
        dns_watch_end(&one.watch);
        watch(&one, "a.example");
        run_for(SEC);
        assert_int_equal(asked, 1);
        set_answer("192.0.2.1", 10);
        give_pending();
        assert_int_equal(one.calls, 1);
}

static void addresses_too_old_go_even_while_a_question_is_under_way(void **state)
{
        (void)state;
        set_answer("192.0.2.1", 10);
        watch(&one, "a.example");
        run_for(SEC);
        is_silent = true;
        set_failure(ERR_timeout);
        run_for(3000 * SEC);
        give_pending();
        run_for(1000 * SEC);
        assert_int_equal(one.watch.count, 0);
        assert_int_equal(one.calls, 2);
}

static void so_many_questions_are_under_way_and_no_more(void **state)
{
        (void)state;
        static struct user users[300];
        is_silent = true;
        for (unsigned i = 0; i < countof(users); i++) {
                char name[32];
                users[i] = (struct user){.watch.changed = changed};
                snprintf(name, sizeof name, "n%u.example", i);
                watch(&users[i], name);
        }
        run_for(10 * SEC);
        assert_int_equal(asked, DNS_ASKING_MAX);
        dns_watch_end(&users[299].watch); /* one that still waits */
        set_answer("192.0.2.1", 1000);
        unsigned rounds = 0;
        for (; pending_count > 0; rounds++) {
                give_pending();
                run_for(10 * MS);
        }
        assert_int_equal(asked, 299);
        assert_int_equal(rounds, 5);
        for (unsigned i = 0; i < countof(users); i++) {
                assert_int_equal(users[i].calls, i < 299);
                dns_watch_end(&users[i].watch);
        }
        assert_int_equal(dns_counts(dns)->asked, 299);
        assert_int_equal(dns_counts(dns)->answered, 299);
}

static void a_refresh_asks_for_everything_soon(void **state)
{
        (void)state;
        set_answer("192.0.2.1", 1000);
        watch(&one, "a.example");
        watch(&two, "b.example");
        run_for(SEC);
        assert_int_equal(asked, 2);
        dns_refresh(dns);
        run_for(2 * SEC);
        assert_int_equal(asked, 4);
        run_for(100 * SEC);
        assert_int_equal(asked, 4);
}

/* Whatever answers come, in whatever order: what is shown is the last good set or nothing. */
static void what_is_shown_is_what_was_answered_last(void **state)
{
        (void)state;
        static const char *const sets[] = {"192.0.2.1", "192.0.2.1 192.0.2.2", "2001:db8::1",
                                           "192.0.2.3 2001:db8::2"};
        const char *good = NULL;
        uint64_t good_at = 0;
        watch(&one, "a.example");
        is_silent = true;
        for (int i = 0; i < 5000; i++) {
                run_for(SEC * rand_below(i % 100 == 0 ? 4000 : 40));
                if (pending_count > 0 && rand_below(3) > 0) {
                        good = sets[rand_below(countof(sets))];
                        good_at = sim_now(sim);
                        set_answer(good, 10);
                        give_pending();
                } else if (pending_count > 0) {
                        set_failure(ERR_timeout);
                        give_pending();
                }
                if (good == NULL || sim_now(sim) > good_at + 3611 * SEC)
                        assert_int_equal(one.watch.count, 0);
                else if (sim_now(sim) < good_at + 3609 * SEC)
                        assert_str(addrs_of(&one), good);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(addresses_and_localhost_need_no_question),
                TEST(what_is_no_name_is_refused),
                TEST(a_name_is_asked_for_after_the_call_and_followed_by_its_ttl),
                TEST(a_ttl_is_cut_to_its_limits),
                TEST(names_under_different_rules_are_apart),
                TEST(a_second_watch_shares_the_question_and_knows_at_once),
                TEST(failures_keep_the_last_good_addresses_for_as_long_as_told),
                TEST(failures_are_asked_again_ever_more_seldom),
                TEST(an_answer_without_a_usable_address_is_a_failure),
                TEST(of_many_addresses_the_first_hundred_in_order_are_kept),
                TEST(a_watch_may_end_inside_its_call),
                TEST(a_watch_may_end_while_its_question_is_under_way),
                TEST(a_name_taken_up_again_is_asked_once),
                TEST(addresses_too_old_go_even_while_a_question_is_under_way),
                TEST(so_many_questions_are_under_way_and_no_more),
                TEST(a_refresh_asks_for_everything_soon),
                TEST(what_is_shown_is_what_was_answered_last),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
