/* key.c -- what roster/key.h promises. */
#include "roster/key.h"

#include "../unit.h"

static struct str make(const char *env)
{
        static char memory[KEY_MADE_SIZE_MAX];
        struct text text = text_over(memory, sizeof memory);
        key_make(str_of(env), &text);
        assert_false(text.is_cut);
        return text_str(&text);
}

static struct str display(struct str key)
{
        static char memory[KEY_DISPLAY_MAX];
        struct text text = text_over(memory, sizeof memory);
        key_display(key, &text);
        assert_false(text.is_cut);
        return text_str(&text);
}

static void a_key_that_was_made_is_known_offline(void **state)
{
        static const char *const envs[] = {"test", "live", "a", "eu-1", "sixteen-letters-"};
        (void)state;
        for (unsigned i = 0; i < countof(envs); i++) {
                struct str key = make(envs[i]);
                assert_true(str_starts(key, S("gate_")));
                assert_int_equal(key.len, 5 + strlen(envs[i]) + 1 + 32);
                assert_int_equal(key_check(key), KEY_OURS);
                assert_str(key_env(key), envs[i]);
        }
}

static void no_two_keys_are_alike_and_all_characters_occur(void **state)
{
        char before[KEY_MADE_SIZE_MAX] = {0};
        unsigned seen[256] = {0}, kinds = 0;
        (void)state;
        for (int i = 0; i < 2000; i++) {
                struct str key = make("test");
                assert_int_not_equal(memcmp(before, key.ptr, key.len), 0);
                memcpy(before, key.ptr, key.len);
                for (size_t at = 10; at < 10 + KEY_RANDOM; at++)
                        seen[(uint8_t)key.ptr[at]]++;
        }
        for (unsigned c = 0; c < 256; c++) {
                kinds += seen[c] > 0;
                /* 52,000 digits, 839 of each expected; one in 10^12 runs fails here. */
                assert_true(seen[c] == 0 || (seen[c] > 630 && seen[c] < 1050));
        }
        assert_int_equal(kinds, 62);
}

static void a_mistyped_key_is_told_from_another_kind(void **state)
{
        char copy[KEY_MADE_SIZE_MAX];
        struct str key = make("test");
        (void)state;
        memcpy(copy, key.ptr, key.len);
        for (size_t at = 10; at < key.len; at++) {
                char was = copy[at];
                copy[at] = was == 'x' ? 'y' : 'x';
                assert_int_equal(key_check(str_from(copy, key.len)), KEY_DAMAGED);
                copy[at] = was;
        }
        for (size_t at = 10; at + 1 < key.len; at++) {
                char a = copy[at], b = copy[at + 1];
                copy[at] = b;
                copy[at + 1] = a;
                assert_int_equal(key_check(str_from(copy, key.len)),
                                 a == b ? KEY_OURS : KEY_DAMAGED);
                copy[at] = a;
                copy[at + 1] = b;
        }
        assert_int_equal(key_check(str_first(key, key.len - 1)), KEY_DAMAGED);
        assert_int_equal(key_check(str_first(key, key.len - 3)), KEY_DAMAGED);
        copy[6] ^= 1;
        assert_int_equal(key_check(str_from(copy, key.len)), KEY_DAMAGED);
}

static void any_visible_text_may_be_a_key(void **state)
{
        static const char *const others[] = {"x",
                                             "!",
                                             "~",
                                             "gate_",
                                             "gate_test_",
                                             "gate_test_short",
                                             "gate_Test_0123456789",
                                             "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
                                             "gate-test-key",
                                             "a=b;c\"d\\e"};
        static const char *const none[] = {"",    " ",    "a b",      "a\tb",
                                           "a\n", "\x7f", "\xc3\xa9", "a\x01"};
        char longest[KEY_SIZE_MAX + 1];
        (void)state;
        for (unsigned i = 0; i < countof(others); i++)
                if (strchr(others[i], ' ') == NULL)
                        assert_int_equal(key_check(str_of(others[i])), KEY_OTHER);
        for (unsigned i = 0; i < countof(none); i++)
                assert_int_equal(key_check(str_of(none[i])), KEY_NONE);
        memset(longest, 'k', sizeof longest);
        assert_int_equal(key_check(str_from(longest, KEY_SIZE_MAX)), KEY_OTHER);
        assert_int_equal(key_check(str_from(longest, KEY_SIZE_MAX + 1)), KEY_NONE);
        assert_int_equal(key_check(str_from("a\0b", 3)), KEY_NONE);
        assert_int_equal(key_env(S("sk_live_x")).len, 0);
}

static void what_is_displayed_does_not_give_the_key_away(void **state)
{
        struct str key = make("test");
        struct str shown = display(key);
        (void)state;
        assert_int_equal(shown.len, 10 + 4 + 3 + 4);
        assert_true(str_starts(shown, str_first(key, 14)));
        assert_true(str_ends(shown, str_skip(key, key.len - 4)));
        assert_str(display(S("hunter2")), "…");
        assert_str(display(S("123456789012345")), "…");
        assert_str(display(S("abcdefghijklmnop")), "ab…op");
        make("sixteen-letters-");
        assert_int_equal(display(make("sixteen-letters-")).len, KEY_DISPLAY_MAX);
}

static void only_short_plain_words_name_an_environment(void **state)
{
        static const char *const bad[] = {"", "-a", "1a", "A", "a_b", "a b", "seventeen-letters"};
        (void)state;
        for (unsigned i = 0; i < countof(bad); i++)
                assert_false(key_env_is_good(str_of(bad[i])));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_key_that_was_made_is_known_offline),
                cmocka_unit_test(no_two_keys_are_alike_and_all_characters_occur),
                cmocka_unit_test(a_mistyped_key_is_told_from_another_kind),
                cmocka_unit_test(any_visible_text_may_be_a_key),
                cmocka_unit_test(what_is_displayed_does_not_give_the_key_away),
                cmocka_unit_test(only_short_plain_words_name_an_environment),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
