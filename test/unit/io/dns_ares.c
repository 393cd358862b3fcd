/* dns_ares.c -- names asked of a real, if wicked, name server: what comes back of it, that it never
 * blocks, and that nobody else can answer. */
#include "io/dns.h"

#include "../unit.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/log.h"
#include "name_server.h"

#define MS  1000000ull
#define SEC (1000 * MS)

static struct name_server server;
static struct loop *loop;
static struct dns *dns;

struct user {
        struct dns_watch watch;
        unsigned calls;
};

static void changed(struct dns_watch *watch)
{
        container_of(watch, struct user, watch)->calls++;
}

static int begin(void **state)
{
        (void)state;
        char servers[64];
        log_set(LEVEL_ERROR, LOG_PAIRS);
        ns_begin(&server);
        loop = loop_make(&driver_epoll, 128);
        int n = snprintf(servers, sizeof servers, "127.0.0.1:%d", server.port);
        dns = dns_make(loop, &(const struct dns_conf){.servers = str_from(servers, (size_t)n),
                                                      .timeout_ns = 250 * MS,
                                                      .tries = 2});
        return 0;
}

static int end(void **state)
{
        (void)state;
        dns_free(dns);
        loop_free(loop);
        ns_end(&server);
        return 0;
}

static uint64_t clock_now(void)
{
        struct timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        return (uint64_t)time.tv_sec * SEC + (uint64_t)time.tv_nsec;
}

static bool wait_for(const struct user *user, uint64_t time)
{
        uint64_t until = clock_now() + time;
        while (!user->watch.is_settled && clock_now() < until)
                loop_turn(loop, 10 * MS);
        return user->watch.is_settled;
}

static struct str addrs_of(const struct dns_watch *watch)
{
        static char space[8192];
        struct text text = text_over(space, sizeof space);
        for (unsigned i = 0; i < watch->count; i++) {
                if (i > 0)
                        text_char(&text, ' ');
                addr_put_ip(&text, &watch->addrs[i]);
        }
        return text_str(&text);
}

static void resolve(const char *name, enum dns_family family, enum err error, const char *addrs)
{
        struct user user = {.watch.changed = changed};
        struct dns_rule rule = DNS_RULE;
        rule.family = family;
        assert_int_equal(dns_watch_begin(dns, &user.watch, str_of(name), &rule), ERR_ok);
        assert_true(wait_for(&user, 5 * SEC));
        if (user.watch.error != error)
                fail_msg("%s: %s", name, err_text(user.watch.error));
        assert_str(addrs_of(&user.watch), addrs);
        assert_int_equal(user.calls, 1);
        dns_watch_end(&user.watch);
        assert_int_equal(dns_name_count(dns), 0);
}

static void good_answers_are_taken(void **state)
{
        (void)state;
        resolve("both.example.", DNS_ANY, ERR_ok, "192.0.2.1 2001:db8::1");
        resolve("both.example.", DNS_V4, ERR_ok, "192.0.2.1");
        resolve("both.example.", DNS_V6, ERR_ok, "2001:db8::1");
        resolve("v4only.example.", DNS_ANY, ERR_ok, "192.0.2.1");
        resolve("v6only.example.", DNS_ANY, ERR_ok, "2001:db8::1");
        resolve("halffail.example.", DNS_ANY, ERR_ok, "192.0.2.1");
        resolve("drop.example.", DNS_V4, ERR_ok, "192.0.2.1");
}

static void names_that_are_not_there_are_told_from_failures(void **state)
{
        (void)state;
        resolve("nx.example.", DNS_ANY, ERR_missing, "");
        resolve("empty.example.", DNS_ANY, ERR_missing, "");
        resolve("v4only.example.", DNS_V6, ERR_missing, "");
        resolve("loop.example.", DNS_ANY, ERR_missing, "");
        resolve("blocked.example.", DNS_ANY, ERR_missing, "");
        resolve("silent.example.", DNS_V4, ERR_timeout, "");
}

static void failures_of_the_server_are_failures(void **state)
{
        (void)state;
        static const char *const names[] = {
                "fail.example.",  "refused.example.", "pointer.example.", "beyond.example.",
                "short.example.", "many.example.",    "noise.example."};
        for (size_t i = 0; i < countof(names); i++) {
                struct user user = {.watch.changed = changed};
                assert_int_equal(dns_watch_begin(dns, &user.watch, str_of(names[i]), &DNS_RULE),
                                 ERR_ok);
                assert_true(wait_for(&user, 5 * SEC));
                if (user.watch.error == ERR_ok)
                        fail_msg("%s: " STR_FMT, names[i], STR_ARG(addrs_of(&user.watch)));
                assert_int_equal(user.watch.count, 0);
                dns_watch_end(&user.watch);
        }
}

static void nobody_else_can_answer(void **state)
{
        (void)state;
        resolve("wrongid.example.", DNS_V4, ERR_ok, "192.0.2.1");
        resolve("wrongname.example.", DNS_V4, ERR_ok, "192.0.2.1");
        resolve("wrongsource.example.", DNS_V4, ERR_ok, "192.0.2.1");
}

static void ids_and_ports_cannot_be_guessed(void **state)
{
        (void)state;
        for (int i = 0; i < 32; i++)
                resolve("both.example.", DNS_V4, ERR_ok, "192.0.2.1");
        unsigned steps = 0, same_ports = 0;
        for (int i = 1; i < 32; i++) {
                uint32_t before = atomic_load(&server.last_ids[i - 1]);
                uint32_t now = atomic_load(&server.last_ids[i]);
                unsigned step = ((now >> 16) - (before >> 16)) & 0xffff;
                steps += step < 16 || step > 65520;
                same_ports += (now & 0xffff) == (before & 0xffff);
        }
        assert_true(steps < 3);
        assert_true(same_ports < 3);
}

static void a_truncated_answer_is_asked_for_over_tcp(void **state)
{
        (void)state;
        resolve("trunc.example.", DNS_V4, ERR_ok, "192.0.2.1");
        assert_int_equal(atomic_load(&server.tcp_questions), 1);
        struct user user = {.watch.changed = changed};
        assert_int_equal(dns_watch_begin(dns, &user.watch, S("hundred.example."), &DNS_RULE),
                         ERR_ok);
        assert_true(wait_for(&user, 5 * SEC));
        assert_int_equal(user.watch.error, ERR_ok);
        assert_int_equal(user.watch.count, DNS_ADDRS_MAX);
        dns_watch_end(&user.watch);
}

static void the_ttl_of_the_whole_chain_counts(void **state)
{
        (void)state;
        struct user user = {.watch.changed = changed};
        assert_int_equal(dns_watch_begin(dns, &user.watch, S("chain.example."), &DNS_RULE), ERR_ok);
        assert_true(wait_for(&user, 5 * SEC));
        assert_str(addrs_of(&user.watch), "192.0.2.7");
        unsigned before = atomic_load(&server.questions);
        for (uint64_t until = clock_now() + 3 * SEC; clock_now() < until;)
                loop_turn(loop, 50 * MS);
        assert_in_range(atomic_load(&server.questions) - before, 1, 2);
        dns_watch_end(&user.watch);
}

static void a_server_that_is_down_does_not_block_and_is_found_again(void **state)
{
        (void)state;
        struct user user = {.watch.changed = changed};
        struct dns_rule rule = DNS_RULE;
        rule.family = DNS_V4;
        rule.ttl_max_ns = SEC;
        assert_int_equal(dns_watch_begin(dns, &user.watch, S("both.example."), &rule), ERR_ok);
        assert_true(wait_for(&user, 5 * SEC));
        atomic_store(&server.is_down, true);
        unsigned turns = 0;
        for (uint64_t until = clock_now() + 3 * SEC; clock_now() < until; turns++) {
                loop_turn(loop, 10 * MS);
                assert_str(addrs_of(&user.watch), "192.0.2.1");
        }
        assert_int_equal(user.watch.error, ERR_timeout);
        assert_true(turns > 60); /* a loop that waited for answers would have turned ten times */
        atomic_store(&server.is_down, false);
        for (uint64_t until = clock_now() + 10 * SEC;
             clock_now() < until && user.watch.error != ERR_ok;)
                loop_turn(loop, 50 * MS);
        assert_int_equal(user.watch.error, ERR_ok);
        assert_int_equal(user.calls, 1);
        dns_watch_end(&user.watch);
}

static void questions_under_way_end_with_the_resolver(void **state)
{
        (void)state;
        struct user user = {.watch.changed = changed};
        assert_int_equal(dns_watch_begin(dns, &user.watch, S("silent.example."), &DNS_RULE),
                         ERR_ok);
        for (int i = 0; i < 5; i++)
                loop_turn(loop, 5 * MS);
        assert_true(atomic_load(&server.questions) > 0);
        dns_watch_end(&user.watch);
        assert_int_equal(dns_name_count(dns), 1); /* its answer is still awaited */
}

static void many_names_at_once_all_get_their_answer(void **state)
{
        (void)state;
        static struct user users[200];
        for (unsigned i = 0; i < countof(users); i++) {
                char name[40];
                users[i] = (struct user){.watch.changed = changed};
                snprintf(name, sizeof name, "n%u.example.", i);
                assert_int_equal(dns_watch_begin(dns, &users[i].watch, str_of(name), &DNS_RULE),
                                 ERR_ok);
        }
        for (unsigned i = 0; i < countof(users); i++) {
                assert_true(wait_for(&users[i], 5 * SEC));
                assert_int_equal(users[i].watch.error, ERR_ok);
                dns_watch_end(&users[i].watch);
        }
        assert_int_equal(dns_name_count(dns), 0);
}

static void the_hosts_file_comes_first(void **state)
{
        (void)state;
        char path[] = "hosts-XXXXXX";
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        static const char text[] = "192.0.2.99 in-hosts.example\n";
        assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
        close(fd);
        setenv("CARES_HOSTS", path, 1);
        resolve("in-hosts.example", DNS_V4, ERR_ok, "192.0.2.99");
        assert_int_equal(atomic_load(&server.questions), 0);
        unsetenv("CARES_HOSTS");
        unlink(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(good_answers_are_taken),
                TEST(names_that_are_not_there_are_told_from_failures),
                TEST(failures_of_the_server_are_failures),
                TEST(nobody_else_can_answer),
                TEST(ids_and_ports_cannot_be_guessed),
                TEST(a_truncated_answer_is_asked_for_over_tcp),
                TEST(the_ttl_of_the_whole_chain_counts),
                TEST(a_server_that_is_down_does_not_block_and_is_found_again),
                TEST(questions_under_way_end_with_the_resolver),
                TEST(many_names_at_once_all_get_their_answer),
                TEST(the_hosts_file_comes_first),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
