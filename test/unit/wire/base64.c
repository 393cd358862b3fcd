/* base64.c -- one text per value, one value per text. */
#include "wire/base64.h"

#include "../unit.h"
#include "base/rand.h"

static void the_examples_of_the_rfc_hold(void **state)
{
        static const char *const rows[][3] = {
                {"", "", ""},
                {"f", "Zg==", "Zg"},
                {"fo", "Zm8=", "Zm8"},
                {"foo", "Zm9v", "Zm9v"},
                {"foob", "Zm9vYg==", "Zm9vYg"},
                {"fooba", "Zm9vYmE=", "Zm9vYmE"},
                {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
                {"\xfb\xff\xfe", "+//+", "-__-"},
        };
        (void)state;
        for (size_t i = 0; i < countof(rows); i++) {
                for (int kind = BASE64_STD; kind <= BASE64_URL; kind++) {
                        char memory[16], back[16];
                        struct text text = text_over(memory, sizeof memory);
                        struct text read = text_over(back, sizeof back);
                        base64_write(kind, str_of(rows[i][0]), &text);
                        assert_str(text_str(&text), rows[i][1 + kind]);
                        assert_int_equal(base64_read(kind, text_str(&text), &read), ERR_ok);
                        assert_str(text_str(&read), rows[i][0]);
                }
        }
}

static void looser_texts_are_refused(void **state)
{
        static const char *const std[] = {"Zg",   "Zg=",  "Zh==",    "Zm9=", "Zg==\n",
                                          "Z===", "====", "Zm9vYg",  "-__-", " Zm9v",
                                          "Zm=v", "Z",    "Zg==Zg=="};
        static const char *const url[] = {"Zg==", "Zh",    "Zm9",   "+//+",
                                          "Z",    "Zm9vY", "Zm9v ", "Zm8="};
        (void)state;
        char memory[16];
        for (size_t i = 0; i < countof(std); i++) {
                struct text text = text_over(memory, sizeof memory);
                if (base64_read(BASE64_STD, str_of(std[i]), &text) != ERR_syntax)
                        fail_msg("accepted: %s", std[i]);
        }
        for (size_t i = 0; i < countof(url); i++) {
                struct text text = text_over(memory, sizeof memory);
                if (base64_read(BASE64_URL, str_of(url[i]), &text) != ERR_syntax)
                        fail_msg("accepted: %s", url[i]);
        }
        struct text text = text_over(memory, 2);
        assert_int_equal(base64_read(BASE64_STD, S("Zm9v"), &text), ERR_limit);
}

static void any_bytes_come_back(void **state)
{
        (void)state;
        for (int round = 0; round < 2000; round++) {
                uint8_t bytes[40];
                char memory[64], back[40];
                size_t n = rand_below(sizeof bytes);
                for (size_t i = 0; i < n; i++)
                        bytes[i] = (uint8_t)rand_u64();
                struct text text = text_over(memory, sizeof memory);
                struct text read = text_over(back, sizeof back);
                base64_write(round % 2, str_from((char *)bytes, n), &text);
                assert_int_equal(base64_read(round % 2, text_str(&text), &read), ERR_ok);
                assert_str_eq(text_str(&read), str_from((char *)bytes, n));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_examples_of_the_rfc_hold),
                cmocka_unit_test(looser_texts_are_refused),
                cmocka_unit_test(any_bytes_come_back),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
