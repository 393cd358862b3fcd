/* json_put.c -- tests of JSON written piece by piece. */
#include "unit.h"

#include "wire/json_put.h"

static void commas_stand_between_and_nowhere_else(void **state)
{
        (void)state;
        char memory[512];
        struct text out = text_over(memory, sizeof memory);
        struct json_put put = json_put_on(&out);
        put_begin(&put, '{');
        put_key(&put, "empty");
        put_begin(&put, '{');
        put_end(&put, '}');
        put_key(&put, "list");
        put_begin(&put, '[');
        put_u64(&put, 1);
        put_decimal(&put, 2100000, 9);
        put_bool(&put, false);
        put_begin(&put, '[');
        put_end(&put, ']');
        put_text(&put, S("a\"b\n"));
        put_end(&put, ']');
        put_text_at(&put, "k\"", S(""));
        put_u64_at(&put, "n", 7);
        put_bool_at(&put, "b", true);
        put_key(&put, "raw");
        put_raw(&put, S("[null]"));
        put_end(&put, '}');
        assert_str(text_str(&out), "{\"empty\":{},\"list\":[1,0.0021,false,[],\"a\\\"b\\u000a\"],"
                                   "\"k\\\"\":\"\",\"n\":7,\"b\":true,\"raw\":[null]}");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(commas_stand_between_and_nowhere_else),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
