/* sni.c -- the name that is asked for, and nothing that only looks like one. */
#include "wire/sni.h"

#include "../unit.h"

#define CONTENT(bytes) str_from(bytes, sizeof(bytes) - 1)

static enum err read_into(struct str content, struct str *ret)
{
        static char memory[SNI_NAME_MAX];
        return sni_read(content, memory, ret);
}

static void a_name_is_read_in_lower_case(void **state)
{
        (void)state;
        struct str name;
        assert_int_equal(read_into(CONTENT("\0\x09\0\0\x06"
                                           "A.Test"),
                                   &name),
                         ERR_ok);
        assert_str(name, "a.test");
        assert_int_equal(read_into(CONTENT("\0\x0a\0\0\x07"
                                           "a.test."),
                                   &name),
                         ERR_ok);
        assert_str(name, "a.test");
}

static void what_is_cut_or_goes_on_is_refused(void **state)
{
        (void)state;
        struct str name, whole = CONTENT("\0\x09\0\0\x06"
                                         "a.test");
        for (size_t len = 0; len < whole.len; len++)
                assert_int_equal(read_into(str_first(whole, len), &name), ERR_syntax);
        assert_int_equal(read_into(CONTENT("\0\x09\0\0\x06"
                                           "a.test"
                                           "b"),
                                   &name),
                         ERR_syntax);
        assert_int_equal(read_into(CONTENT("\0\x12\0\0\x06"
                                           "a.test"
                                           "\0\0\x06"
                                           "b.test"),
                                   &name),
                         ERR_syntax);
        assert_int_equal(read_into(CONTENT("\0\x09\1\0\x06"
                                           "a.test"),
                                   &name),
                         ERR_syntax);
}

static void what_no_certificate_can_be_for_is_none(void **state)
{
        (void)state;
        struct str name;
        assert_int_equal(read_into(CONTENT("\0\x03\0\0\0"), &name), ERR_missing);
        assert_int_equal(read_into(CONTENT("\0\x04\0\0\x01"
                                           "."),
                                   &name),
                         ERR_missing);
        assert_int_equal(read_into(CONTENT("\0\x09\0\0\x06"
                                           "a\0test"),
                                   &name),
                         ERR_missing);
        assert_int_equal(read_into(CONTENT("\0\x09\0\0\x06"
                                           "*.test"),
                                   &name),
                         ERR_missing);
        char longer[5 + SNI_NAME_MAX + 1];
        memset(longer, 'a', sizeof longer);
        memcpy(longer, "\1\x03\0\1\0", 5);
        assert_int_equal(read_into(str_from(longer, sizeof longer), &name), ERR_missing);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_name_is_read_in_lower_case),
                cmocka_unit_test(what_is_cut_or_goes_on_is_refused),
                cmocka_unit_test(what_no_certificate_can_be_for_is_none),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
