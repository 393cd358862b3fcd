/* where.c -- tests of questions about records. */
#include "unit.h"

#include "record/where.h"

static struct record example(void)
{
        return (struct record){
                .duration = 12000000,
                .request = {.method = S("GET"),
                            .path = S("/orders/42"),
                            .user_agent = S("it's \"quoted\""),
                            .address = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}},
                .who = {.api = S("orders"), .consumer = S("acme")},
                .reason = REASON_rate_limited,
                .status = 429,
                .tries = 2,
        };
}

static void questions_are_answered(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                bool holds;
        } cases[] = {
                {"", true},
                {"  ", true},
                {"status == 429", true},
                {"status==429", true},
                {"status = 429", true},
                {"status != 429", false},
                {"status >= 500", false},
                {"status > 428 && status < 430", true},
                {"status <= 429 && status >= 429", true},
                {"status >= 500 || api == \"orders\"", true},
                {"status >= 500 && api == \"orders\"", false},
                {"status >= 500 or api == orders", true},
                {"api == orders and consumer == 'acme'", true},
                {"!(api == orders)", false},
                {"!api == orders", false},
                {"!!(api == orders)", true},
                {"api != orders || !(consumer == other)", true},
                /* && binds tighter */
                {"api == orders || api == x && api == y", true},
                {"(api == orders || api == x) && api == y", false},
                {"api == x && api == y || api == orders", true},
                {"path ~ 42", true},
                {"path ~ /order", true},
                {"path ~ \"\"", true},
                {"path ~ 43", false},
                {"reason == rate-limited", true},
                {"duration > 10ms", true},
                {"duration > 1s", false},
                {"duration < 1m30s", true},
                {"ip == 192.0.2.1", true},
                {"ip == 192.0.2.0/24", true},
                {"ip != 10.0.0.0/8", true},
                {"ip == 2001:db8::/32", false},
                {"tries > 1 && method == GET", true},
                {"user_agent == 'it' || user_agent ~ '\"quoted\"'", true},
                {"channel == \"\"", true},
        };
        struct record record = example();
        for (size_t i = 0; i < countof(cases); i++) {
                struct arena arena;
                const struct where *where;
                struct where_trouble trouble;
                arena_init(&arena, NULL, 1 << 20);
                if (where_read(str_of(cases[i].text), &arena, &where, &trouble) != ERR_ok)
                        fail_msg("%s: %s at %zu", cases[i].text, trouble.what, trouble.at);
                if (where_holds(where, &record) != cases[i].holds)
                        fail_msg("%s", cases[i].text);
                arena_fini(&arena);
        }
}

static void what_cannot_be_read_is_explained(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                size_t at;
        } cases[] = {
                {"statsu == 1", 0},
                {"status", 6},
                {"status ==", 9},
                {"status == x", 10},
                {"status == -1", 10},
                {"status == 1 &&", 14},
                {"status == 1 2", 12},
                {"(status == 1", 12},
                {"status == 1)", 11},
                {"status ~ 1", 7},
                {"api < a", 4},
                {"api == 'x", 7},
                {"duration > 10", 11},
                {"ip == 10.0.0.1/8", 6},
                {"&& status == 1", 0},
                {"()", 1},
                {"!", 1},
                {"ip > 10.0.0.0/8", 3},
                {"status == 1 & tries == 1", 12},
        };
        for (size_t i = 0; i < countof(cases); i++) {
                struct arena arena;
                const struct where *where;
                struct where_trouble trouble = {0};
                arena_init(&arena, NULL, 1 << 20);
                if (where_read(str_of(cases[i].text), &arena, &where, &trouble) == ERR_ok)
                        fail_msg("%s", cases[i].text);
                if (trouble.at != cases[i].at)
                        fail_msg("%s: %s at %zu", cases[i].text, trouble.what, trouble.at);
                arena_fini(&arena);
        }
}

static enum err read_many(const char *piece, unsigned times, const char *last)
{
        struct arena arena;
        const struct where *where;
        struct where_trouble trouble;
        arena_init(&arena, NULL, 1 << 20);
        struct text text = text_grow(&arena, 1 << 16);
        for (unsigned i = 0; i < times; i++)
                text_put(&text, str_of(piece));
        text_put(&text, str_of(last));
        enum err err = where_read(text_str(&text), &arena, &where, &trouble);
        arena_fini(&arena);
        return err;
}

static void questions_are_bounded(void **state)
{
        (void)state;
        assert_int_equal(read_many("tries==1||", WHERE_TERMS_MAX - 1, "tries==1"), ERR_ok);
        assert_int_equal(read_many("tries==1||", WHERE_TERMS_MAX, "tries==1"), ERR_limit);
        assert_int_equal(read_many("(", WHERE_DEPTH_MAX, "tries==1"), ERR_syntax);
        assert_int_equal(read_many("(", WHERE_DEPTH_MAX + 1, "tries==1"), ERR_limit);
        assert_int_equal(read_many("!", WHERE_DEPTH_MAX + 1, "tries==1"), ERR_limit);
        assert_int_equal(read_many("!!!!!!!!!!tries==1||", 31, "tries==1"), ERR_limit);
        assert_int_equal(read_many(" ", WHERE_TEXT_MAX + 1, ""), ERR_limit);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(questions_are_answered),
                cmocka_unit_test(what_cannot_be_read_is_explained),
                cmocka_unit_test(questions_are_bounded),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
