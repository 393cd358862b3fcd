/* roster.c -- what roster/roster.h promises. */
#include "roster/roster.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "../unit.h"
#include "base/rand.h"
#include "roster/key.h"

static struct seal_secret secret;

static struct roster *make(unsigned workers)
{
        uint8_t bytes[SEAL_SECRET_SIZE];
        rand_bytes(bytes, sizeof bytes);
        seal_secret_init(&secret, bytes);
        return roster_make(&secret, workers);
}

static enum err add_consumer(struct roster *roster, const char *name)
{
        struct consumer consumer = {.name = str_of(name), .tier = S("free")};
        return roster_put_consumer(roster, &consumer);
}

static enum err add_key(struct roster *roster, const char *consumer, const char *key)
{
        struct roster_key entry = {.seal = seal_make(&secret, str_of(key)),
                                   .consumer = str_of(consumer),
                                   .id = str_first(str_of(key), 4),
                                   .display = S("gate_…")};
        return roster_put_key(roster, &entry);
}

static enum roster_answer find(const struct roster *roster, const char *key)
{
        struct credential credential;
        return roster_find(roster, str_of(key), 1000, &credential);
}

static void a_key_leads_to_its_consumer(void **state)
{
        static const struct str tags[] = {{"beta", 4}, {"eu", 2}};
        struct roster *roster = make(1);
        struct consumer acme = {.name = S("acme"),
                                .tier = S("gold"),
                                .channel = S("partner"),
                                .tags = tags,
                                .tag_count = 2};
        struct credential found;
        (void)state;
        assert_int_equal(roster_put_consumer(roster, &acme), ERR_ok);
        assert_int_equal(add_key(roster, "acme", "key-of-acme"), ERR_ok);
        assert_int_equal(roster_find(roster, S("key-of-acme"), 1000, &found), ROSTER_KNOWN);
        assert_str(found.consumer->name, "acme");
        assert_str(found.consumer->tier, "gold");
        assert_str(found.consumer->channel, "partner");
        assert_int_equal(found.consumer->tag_count, 2);
        assert_str(found.consumer->tags[1], "eu");
        assert_str(found.id, "key-");
        assert_str(found.display, "gate_…");
        assert_ptr_equal(roster_consumer(roster, S("acme")), found.consumer);
        assert_null(roster_consumer(roster, S("acm")));
        static const char *const wrong[] = {"key-of-acmf", "Key-of-acme", "key-of-acme ", "", "k"};
        for (unsigned i = 0; i < countof(wrong); i++)
                assert_int_equal(find(roster, wrong[i]), ROSTER_UNKNOWN);
        char longest[KEY_SIZE_MAX + 1];
        memset(longest, 'x', sizeof longest);
        assert_int_equal(roster_find(roster, str_from(longest, sizeof longest), 0, &found),
                         ROSTER_UNKNOWN);
        roster_free(roster);
}

static void a_seal_whose_tag_fits_but_not_its_mac_is_unknown(void **state)
{
        struct roster *roster = make(1);
        struct roster_key key = {.seal = seal_make(&secret, S("right")), .consumer = S("acme")};
        (void)state;
        key.seal.mac[0] ^= 1;
        assert_int_equal(add_consumer(roster, "acme"), ERR_ok);
        assert_int_equal(roster_put_key(roster, &key), ERR_ok);
        assert_int_equal(find(roster, "right"), ROSTER_UNKNOWN);
        roster_free(roster);
}

static void an_expired_key_and_a_blocked_consumer_are_told_apart(void **state)
{
        struct roster *roster = make(1);
        struct credential found;
        struct consumer acme = {.name = S("acme")};
        struct roster_key key = {
                .seal = seal_make(&secret, S("key")), .consumer = S("acme"), .expires_s = 500};
        (void)state;
        assert_int_equal(roster_put_consumer(roster, &acme), ERR_ok);
        assert_int_equal(roster_put_key(roster, &key), ERR_ok);
        assert_int_equal(roster_find(roster, S("key"), 499, &found), ROSTER_KNOWN);
        assert_int_equal(roster_find(roster, S("key"), 500, &found), ROSTER_EXPIRED);
        assert_str(found.consumer->name, "acme");
        acme.is_blocked = true;
        assert_int_equal(roster_put_consumer(roster, &acme), ERR_ok);
        assert_int_equal(roster_find(roster, S("key"), 499, &found), ROSTER_BLOCKED);
        key.expires_s = 0;
        acme.is_blocked = false;
        assert_int_equal(roster_put_consumer(roster, &acme), ERR_ok);
        assert_int_equal(roster_put_key(roster, &key), ERR_ok);
        assert_int_equal(roster_find(roster, S("key"), INT64_MAX, &found), ROSTER_KNOWN);
        assert_int_equal(roster_counts(roster).keys, 1);
        roster_free(roster);
}

static void a_revoked_key_is_unknown_at_once_and_can_be_put_back(void **state)
{
        struct roster *roster = make(1);
        (void)state;
        assert_int_equal(add_consumer(roster, "acme"), ERR_ok);
        assert_int_equal(add_key(roster, "acme", "one"), ERR_ok);
        assert_int_equal(add_key(roster, "acme", "two"), ERR_ok);
        assert_int_equal(roster_remove_key(roster, seal_tag(&secret, S("one"))), ERR_ok);
        assert_int_equal(roster_remove_key(roster, seal_tag(&secret, S("one"))), ERR_missing);
        assert_int_equal(find(roster, "one"), ROSTER_UNKNOWN);
        assert_int_equal(find(roster, "two"), ROSTER_KNOWN);
        assert_int_equal(add_key(roster, "acme", "one"), ERR_ok);
        assert_int_equal(find(roster, "one"), ROSTER_KNOWN);
        roster_free(roster);
}

static void the_keys_of_a_removed_consumer_never_belong_to_a_later_one(void **state)
{
        struct roster *roster = make(1);
        (void)state;
        for (int round = 0; round < 10; round++) {
                assert_int_equal(add_consumer(roster, "acme"), ERR_ok);
                assert_int_equal(find(roster, "old"), ROSTER_UNKNOWN);
                assert_int_equal(add_key(roster, "acme", "old"), ERR_ok);
                assert_int_equal(find(roster, "old"), ROSTER_KNOWN);
                assert_int_equal(roster_remove_consumer(roster, S("acme")), ERR_ok);
                assert_int_equal(find(roster, "old"), ROSTER_UNKNOWN);
                assert_null(roster_consumer(roster, S("acme")));
                assert_int_equal(roster_remove_consumer(roster, S("acme")), ERR_missing);
                roster_collect(roster);
                if (round % 2 == 0)
                        roster_turn(roster, 0);
        }
        assert_int_equal(roster_counts(roster).keys, 0);
        assert_int_equal(roster_counts(roster).consumers, 0);
        roster_free(roster);
}

static void what_cannot_be_is_refused(void **state)
{
        struct roster *roster = make(1);
        char longer[ROSTER_TEXT_MAX + 1];
        struct roster_key key = {.seal = seal_make(&secret, S("key")), .consumer = S("acme")};
        (void)state;
        memset(longer, 'x', sizeof longer);
        assert_int_equal(roster_put_key(roster, &key), ERR_missing);
        assert_int_equal(add_consumer(roster, "acme"), ERR_ok);
        assert_int_equal(add_consumer(roster, "other"), ERR_ok);
        assert_int_equal(add_consumer(roster, ""), ERR_range);
        key.id = str_from(longer, sizeof longer);
        assert_int_equal(roster_put_key(roster, &key), ERR_range);
        key.id.len--;
        assert_int_equal(roster_put_key(roster, &key), ERR_ok);
        key.display = S("x");
        assert_int_equal(roster_put_key(roster, &key), ERR_range);
        assert_int_equal(add_key(roster, "other", "key"), ERR_exists);
        struct consumer tagged = {.name = S("t"), .tag_count = ROSTER_TAGS_MAX + 1};
        assert_int_equal(roster_put_consumer(roster, &tagged), ERR_range);
        roster_free(roster);
}

static void a_sweep_removes_what_was_not_put_again_and_only_of_its_origin(void **state)
{
        struct roster *roster = make(1);
        struct consumer house = {.name = S("by-house"), .origin = ROSTER_HOUSE};
        struct roster_key key = {.seal = seal_make(&secret, S("house key of file's")),
                                 .consumer = S("stays"),
                                 .origin = ROSTER_HOUSE};
        (void)state;
        assert_int_equal(roster_put_consumer(roster, &house), ERR_ok);
        assert_int_equal(add_consumer(roster, "stays"), ERR_ok);
        assert_int_equal(add_consumer(roster, "goes"), ERR_ok);
        assert_int_equal(add_key(roster, "stays", "kept"), ERR_ok);
        assert_int_equal(add_key(roster, "stays", "rotated"), ERR_ok);
        assert_int_equal(add_key(roster, "goes", "gone"), ERR_ok);
        assert_int_equal(roster_put_key(roster, &key), ERR_ok);
        roster_mark(roster, ROSTER_FILE);
        assert_int_equal(add_consumer(roster, "stays"), ERR_ok);
        assert_int_equal(add_key(roster, "stays", "kept"), ERR_ok);
        assert_int_equal(add_key(roster, "stays", "newer"), ERR_ok);
        assert_int_equal(find(roster, "gone"), ROSTER_KNOWN);
        roster_sweep(roster, ROSTER_FILE);
        assert_int_equal(find(roster, "kept"), ROSTER_KNOWN);
        assert_int_equal(find(roster, "newer"), ROSTER_KNOWN);
        assert_int_equal(find(roster, "house key of file's"), ROSTER_KNOWN);
        assert_int_equal(find(roster, "rotated"), ROSTER_UNKNOWN);
        assert_int_equal(find(roster, "gone"), ROSTER_UNKNOWN);
        assert_null(roster_consumer(roster, S("goes")));
        assert_non_null(roster_consumer(roster, S("by-house")));
        assert_int_equal(roster_counts(roster).keys, 3);
        roster_free(roster);
}

static void a_key_moves_to_another_consumer_in_one_sweep(void **state)
{
        struct roster *roster = make(1);
        struct credential found;
        (void)state;
        assert_int_equal(add_consumer(roster, "acme"), ERR_ok);
        assert_int_equal(add_consumer(roster, "other"), ERR_ok);
        assert_int_equal(add_key(roster, "acme", "key"), ERR_ok);
        assert_int_equal(add_key(roster, "other", "key"), ERR_exists);
        roster_mark(roster, ROSTER_FILE);
        assert_int_equal(add_consumer(roster, "acme"), ERR_ok);
        assert_int_equal(add_consumer(roster, "other"), ERR_ok);
        assert_int_equal(add_key(roster, "other", "key"), ERR_ok);
        assert_int_equal(add_key(roster, "acme", "key"), ERR_exists);
        roster_sweep(roster, ROSTER_FILE);
        assert_int_equal(roster_find(roster, S("key"), 0, &found), ROSTER_KNOWN);
        assert_true(str_is(found.consumer->name, "other"));
        assert_int_equal(roster_counts(roster).keys, 1);
        roster_free(roster);
}

static void what_the_house_says_outlives_what_the_file_says(void **state)
{
        struct roster *roster = make(1);
        struct consumer barred = {.name = S("acme"), .origin = ROSTER_HOUSE, .is_blocked = true};
        struct roster_key ending = {.seal = seal_make(&secret, S("key")),
                                    .consumer = S("acme"),
                                    .expires_s = 1,
                                    .origin = ROSTER_HOUSE};
        (void)state;
        assert_int_equal(add_consumer(roster, "acme"), ERR_ok);
        assert_int_equal(add_key(roster, "acme", "key"), ERR_ok);
        assert_int_equal(add_key(roster, "acme", "other key"), ERR_ok);
        assert_int_equal(roster_put_consumer(roster, &barred), ERR_ok);
        assert_int_equal(roster_put_key(roster, &ending), ERR_ok);
        roster_mark(roster, ROSTER_FILE);
        assert_int_equal(add_consumer(roster, "acme"), ERR_ok);
        assert_int_equal(add_key(roster, "acme", "key"), ERR_ok);
        assert_int_equal(add_key(roster, "acme", "other key"), ERR_ok);
        roster_sweep(roster, ROSTER_FILE);
        assert_int_equal(find(roster, "other key"), ROSTER_BLOCKED);
        assert_int_equal(find(roster, "key"), ROSTER_EXPIRED);
        roster_free(roster);
}

static void what_was_found_lasts_until_the_turn_ends_and_is_freed_after(void **state)
{
        struct roster *roster = make(2);
        struct credential found;
        (void)state;
        roster_turn(roster, 0);
        roster_turn(roster, 1);
        assert_int_equal(add_consumer(roster, "acme"), ERR_ok);
        assert_int_equal(add_key(roster, "acme", "key-"), ERR_ok);
        assert_int_equal(roster_find(roster, S("key-"), 0, &found), ROSTER_KNOWN);
        assert_int_equal(roster_remove_consumer(roster, S("acme")), ERR_ok);
        for (int i = 0; i < 10; i++) {
                roster_collect(roster);
                roster_turn(roster, 1);
        }
        assert_str(found.consumer->name, "acme");
        assert_str(found.id, "key-");
        assert_true(roster_counts(roster).waiting >= 3);
        roster_turn(roster, 0);
        roster_collect(roster);
        assert_int_equal(roster_counts(roster).waiting, 0);
        roster_leave(roster, 0);
        assert_int_equal(add_consumer(roster, "acme"), ERR_ok);
        assert_int_equal(roster_remove_consumer(roster, S("acme")), ERR_ok);
        roster_collect(roster);
        roster_turn(roster, 1);
        roster_collect(roster);
        assert_int_equal(roster_counts(roster).waiting, 0);
        roster_free(roster);
}

static void changes_without_end_take_no_more_memory(void **state)
{
        struct roster *roster = make(1);
        size_t bytes = 0;
        (void)state;
        assert_int_equal(add_consumer(roster, "acme"), ERR_ok);
        for (int i = 0; i < 100000; i++) {
                char key[32];
                struct text text = text_over(key, sizeof key);
                text_format(&text, "key-%d", i);
                text_char(&text, '\0');
                assert_int_equal(add_key(roster, "acme", key), ERR_ok);
                assert_int_equal(add_consumer(roster, "acme"), ERR_ok);
                assert_int_equal(roster_remove_key(roster, seal_tag(&secret, str_of(key))), ERR_ok);
                roster_turn(roster, 0);
                if (i == 20000)
                        bytes = roster_counts(roster).bytes;
        }
        assert_in_range(roster_counts(roster).bytes, 1, bytes + 65536);
        roster_free(roster);
}

/* ---- many at once ---- */

enum { READERS = 3, STABLE = 64, CHANGING = 256, ROUNDS = 300 };

struct storm {
        struct roster *roster;
        _Atomic(bool) is_over;
        _Atomic(unsigned) next_worker, wrong;
        _Atomic(uint64_t) found;
};

static struct str storm_key(char *memory, const char *kind, unsigned number)
{
        struct text text = text_over(memory, 48);
        text_format(&text, "%s-key-number-%u", kind, number);
        return text_str(&text);
}

static void *storm_reader(void *arg)
{
        struct storm *storm = arg;
        unsigned worker = atomic_fetch_add(&storm->next_worker, 1);
        uint64_t found = 0;
        char memory[48];
        while (!atomic_load(&storm->is_over)) {
                for (int i = 0; i < 20; i++) {
                        struct credential credential;
                        unsigned n = (unsigned)rand_below(STABLE);
                        enum roster_answer answer = roster_find(
                                storm->roster, storm_key(memory, "stable", n), 0, &credential);
                        if (answer != ROSTER_KNOWN || !str_is(credential.consumer->name, "rock"))
                                atomic_fetch_add(&storm->wrong, 1);
                        n = (unsigned)rand_below(CHANGING);
                        answer = roster_find(storm->roster, storm_key(memory, "changing", n), 0,
                                             &credential);
                        if (answer == ROSTER_UNKNOWN)
                                continue;
                        found++;
                        if (!str_is(credential.consumer->tier, "free") || credential.id.len != 4)
                                atomic_fetch_add(&storm->wrong, 1);
                }
                roster_turn(storm->roster, worker);
                sched_yield();
        }
        roster_leave(storm->roster, worker);
        atomic_fetch_add(&storm->found, found);
        return NULL;
}

/* One round of changes: each consumer comes with its keys, some keys go, then the consumer does. */
static void storm_round(struct storm *storm)
{
        struct roster *roster = storm->roster;
        char memory[49], name[16];
        for (unsigned n = 0; n < CHANGING; n++) {
                struct text text = text_over(name, sizeof name);
                text_format(&text, "c%u", n / 16);
                text_char(&text, '\0');
                assert_int_equal(add_consumer(roster, name), ERR_ok);
                memory[storm_key(memory, "changing", n).len] = '\0';
                assert_int_equal(add_key(roster, name, memory), ERR_ok);
                if (n % 3 == 0)
                        assert_int_equal(
                                roster_remove_key(roster, seal_tag(&secret, str_of(memory))),
                                ERR_ok);
                if (n % 16 == 15)
                        roster_collect(roster);
        }
        for (unsigned n = 0; n < CHANGING / 16; n++) {
                struct text text = text_over(name, sizeof name);
                text_format(&text, "c%u", n);
                assert_int_equal(roster_remove_consumer(roster, text_str(&text)), ERR_ok);
                assert_int_equal(add_consumer(roster, "rock"), ERR_ok);
        }
        roster_collect(roster);
}

static void readers_see_whole_entries_while_all_changes(void **state)
{
        static struct storm storm;
        pthread_t threads[READERS];
        char memory[49];
        (void)state;
        storm.roster = make(READERS);
        assert_int_equal(add_consumer(storm.roster, "rock"), ERR_ok);
        for (unsigned n = 0; n < STABLE; n++) {
                memory[storm_key(memory, "stable", n).len] = '\0';
                assert_int_equal(add_key(storm.roster, "rock", memory), ERR_ok);
        }
        for (unsigned i = 0; i < READERS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, storm_reader, &storm), 0);
        for (int round = 0; round < ROUNDS; round++)
                storm_round(&storm);
        atomic_store(&storm.is_over, true);
        for (unsigned i = 0; i < READERS; i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(atomic_load(&storm.wrong), 0);
        assert_true(atomic_load(&storm.found) > 0);
        assert_int_equal(roster_counts(storm.roster).keys, STABLE);
        roster_free(storm.roster);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_key_leads_to_its_consumer),
                cmocka_unit_test(a_seal_whose_tag_fits_but_not_its_mac_is_unknown),
                cmocka_unit_test(an_expired_key_and_a_blocked_consumer_are_told_apart),
                cmocka_unit_test(a_revoked_key_is_unknown_at_once_and_can_be_put_back),
                cmocka_unit_test(the_keys_of_a_removed_consumer_never_belong_to_a_later_one),
                cmocka_unit_test(what_cannot_be_is_refused),
                cmocka_unit_test(a_sweep_removes_what_was_not_put_again_and_only_of_its_origin),
                cmocka_unit_test(a_key_moves_to_another_consumer_in_one_sweep),
                cmocka_unit_test(what_the_house_says_outlives_what_the_file_says),
                cmocka_unit_test(what_was_found_lasts_until_the_turn_ends_and_is_freed_after),
                cmocka_unit_test(changes_without_end_take_no_more_memory),
                cmocka_unit_test(readers_see_whole_entries_while_all_changes),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
