/* uuid.c -- ids of version 7 look as RFC 9562 says and sort by time. */
#include "wire/uuid.h"

#include "../unit.h"

static void the_example_of_the_rfc_holds(void **state)
{
        char memory[UUID_LENGTH];
        struct text text = text_over(memory, sizeof memory);
        (void)state;
        uuid_write_v7(0x017f22e279b0, 0xcc3, 0x18c4dc0c0c07398f, &text);
        assert_str(text_str(&text), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
        assert_true(uuid_is(text_str(&text)));
}

static void later_ids_sort_behind(void **state)
{
        char a[UUID_LENGTH], b[UUID_LENGTH];
        (void)state;
        for (uint64_t ms = 1; ms < (uint64_t)1 << 47; ms *= 3) {
                struct text early = text_over(a, sizeof a), late = text_over(b, sizeof b);
                uuid_write_v7(ms, UINT64_MAX, UINT64_MAX, &early);
                uuid_write_v7(ms + 1, 0, 0, &late);
                assert_true(str_compare(text_str(&early), text_str(&late)) < 0);
        }
}

static void other_texts_are_no_ids(void **state)
{
        (void)state;
        assert_true(uuid_is(S("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")));
        assert_false(uuid_is(S("017f22e279b07cc398c4dc0c0c07398f")));
        assert_false(uuid_is(S("017f22e2-79b0-7cc3-98c4-dc0c0c07398g")));
        assert_false(uuid_is(S("017f22e2-79b0-7cc3-98c4-dc0c0c07398")));
        assert_false(uuid_is(S("")));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_example_of_the_rfc_holds),
                cmocka_unit_test(later_ids_sort_behind),
                cmocka_unit_test(other_texts_are_no_ids),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
