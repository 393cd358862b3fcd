/* accept.c -- tests of how much a caller wants a media type. */
#include "unit.h"

#include "wire/accept.h"

static unsigned quality(const char *accept, const char *type)
{
        struct arena arena;
        struct fields fields;
        arena_init(&arena, NULL, 1 << 20);
        fields_init(&fields, &arena, 4);
        if (accept != NULL)
                fields_add_known(&fields, NAME_accept, str_of(accept));
        unsigned quality = accept_quality(&fields, str_of(type));
        arena_fini(&arena);
        return quality;
}

static void without_accept_everything_is_wanted(void **state)
{
        (void)state;
        assert_int_equal(quality(NULL, "text/html"), 1000);
}

static void the_most_specific_range_decides(void **state)
{
        (void)state;
        const char *accept = "*/*;q=0.1, text/*;q=0.5, text/html;q=0.25";
        assert_int_equal(quality(accept, "text/html"), 250);
        assert_int_equal(quality(accept, "text/plain"), 500);
        assert_int_equal(quality(accept, "application/json"), 100);
        assert_int_equal(quality("text/html, */*;q=0", "application/json"), 0);
        assert_int_equal(quality("TEXT/HTML", "text/html"), 1000);
        assert_int_equal(quality("text/html", "text/htm"), 0);
}

static void qualities_are_read_strictly(void **state)
{
        (void)state;
        static const struct {
                const char *accept;
                unsigned quality;
        } cases[] = {
                {"a/b;q=1", 1000},
                {"a/b;q=0.5", 500},
                {"a/b;q=0.333", 333},
                {"a/b;q=1.000", 1000},
                {"a/b;q=0.", 0},
                {"a/b; q=0.7", 700},
                {"a/b;level=1;q=0.2", 200},
                {"a/b;q=1.001", 0},
                {"a/b;q=2", 0},
                {"a/b;q=0.1234", 0},
                {"a/b;q=-1", 0},
                {"a/b;q=", 0},
                {"a/b;q=0,5", 0},
                {"", 0},
                {",,", 0},
                {"*/b", 0},
                {"a/b;Q=0.5", 500},
        };
        for (size_t i = 0; i < countof(cases); i++) {
                if (quality(cases[i].accept, "a/b") != cases[i].quality)
                        fail_msg("%s", cases[i].accept);
        }
}

static void a_named_type_is_not_a_wildcard(void **state)
{
        (void)state;
        struct arena arena;
        struct fields fields;
        arena_init(&arena, NULL, 1 << 20);
        fields_init(&fields, &arena, 4);
        assert_int_equal(accept_quality_named(&fields, S("text/html")), 0);
        fields_add_known(&fields, NAME_accept, S("*/*, text/*"));
        fields_add_known(&fields, NAME_accept, S("application/json;q=0.3"));
        assert_int_equal(accept_quality_named(&fields, S("text/html")), 0);
        assert_int_equal(accept_quality_named(&fields, S("application/json")), 300);
        arena_fini(&arena);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(without_accept_everything_is_wanted),
                cmocka_unit_test(the_most_specific_range_decides),
                cmocka_unit_test(qualities_are_read_strictly),
                cmocka_unit_test(a_named_type_is_not_a_wildcard),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
