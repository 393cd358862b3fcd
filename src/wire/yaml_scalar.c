/* yaml_scalar.c -- what a plain scalar means by the core schema, and the words for what is wrong.
 */
#include "wire/yaml_int.h"

const struct yaml_reason yaml_too_much = {TROUBLE_limit, "out of memory", NULL, false};
const struct yaml_reason yaml_too_large = {TROUBLE_limit, "larger than the limit allows", NULL,
                                           false};
const struct yaml_reason yaml_too_many = {TROUBLE_limit, "more values than the limit allows", NULL,
                                          false};
const struct yaml_reason yaml_too_deep = {TROUBLE_limit, "nested deeper than the limit allows",
                                          NULL, false};
const struct yaml_reason yaml_not_utf8 = {TROUBLE_syntax, "this is not UTF-8",
                                          "save the file as UTF-8", false};
const struct yaml_reason yaml_line_end = {
        TROUBLE_syntax, "a line end that others read as a character",
        "write it as an escape in double quotes: \"\\u0085\", \"\\u2028\", \"\\u2029\"", false};
const struct yaml_reason yaml_second_document = {TROUBLE_syntax, "a second document begins here",
                                                 "use one file for each, and `include`", false};
const struct yaml_reason yaml_no_key = {TROUBLE_syntax, "a key is missing before this `:`", NULL,
                                        false};
const struct yaml_reason yaml_key_is_block = {
        TROUBLE_syntax, "a key must be a word, not a list or block",
        "a value that begins with `{` or `[` must stand in quotes", false};
const struct yaml_reason yaml_no_number = {TROUBLE_syntax, "there is no such number here",
                                           "a text must stand in quotes", false};
const struct yaml_reason yaml_twice = {TROUBLE_twice, "this key stands here twice", NULL, false};
const struct yaml_reason yaml_merge_key = {TROUBLE_alias, "`<<` does not merge here",
                                           "write shared settings one level higher", false};
const struct yaml_reason yaml_anchor = {TROUBLE_alias, "anchors (`&name`) are not used here",
                                        "a value that begins with `&` must stand in quotes", false};
const struct yaml_reason yaml_alias = {TROUBLE_alias, "aliases (`*name`) are not used here",
                                       "a value that begins with `*` must stand in quotes", false};
const struct yaml_reason yaml_tag = {TROUBLE_alias, "tags (`!name`) are not used here",
                                     "a value that begins with `!` must stand in quotes", false};

/* NULL as around: in anything. */
static const struct explanation {
        const char *problem, *around;
        struct yaml_reason reason;
} explanations[] = {
        {"found unexpected end of stream",
         "while scanning a quoted scalar",
         {TROUBLE_syntax, "the quote that begins here is not closed", NULL, true}},
        {"did not find expected ',' or '}'",
         NULL,
         {TROUBLE_syntax, "a `,` or `}` was expected here",
          "a value with `{`, `}`, `,` or `${…}` inside `{ }` must stand in quotes", false}},
        {"did not find expected ',' or ']'",
         NULL,
         {TROUBLE_syntax, "a `,` or `]` was expected here",
          "a value with `[`, `]` or `,` inside `[ ]` must stand in quotes", false}},
        {"did not find expected key",
         NULL,
         {TROUBLE_syntax, "a key was expected here", "keys of one block must be indented alike",
          false}},
        {"did not find expected '-' indicator",
         NULL,
         {TROUBLE_syntax, "a `-` was expected here", "elements of one list must be indented alike",
          false}},
        {"mapping values are not allowed in this context",
         NULL,
         {TROUBLE_syntax, "a key cannot stand here",
          "mend the indentation, or put a value that holds `: ` in quotes", false}},
        {"could not find expected ':'",
         NULL,
         {TROUBLE_syntax, "a `:` is missing behind this key",
          "a text over several lines needs `|` or quotes", true}},
        {"found undefined tag handle",
         NULL,
         {TROUBLE_alias, "tags (`!name`) are not used here",
          "a value that begins with `!` must stand in quotes", false}},
};

struct yaml_reason yaml_explain(const char *problem, const char *around, char c)
{
        struct str text = str_of(problem);
        for (size_t i = 0; i < countof(explanations); i++) {
                const struct explanation *one = &explanations[i];
                if (str_is(text, one->problem) &&
                    (one->around == NULL || str_is(str_of(around), one->around)))
                        return one->reason;
        }
        if (str_is(text, "found character that cannot start any token")) {
                if (c == '\t')
                        return (struct yaml_reason){TROUBLE_syntax, "a tab cannot indent",
                                                    "use spaces", false};
                return (struct yaml_reason){TROUBLE_syntax, "a value cannot begin like this",
                                            "put it in quotes", false};
        }
        return (struct yaml_reason){TROUBLE_syntax, problem == NULL ? "cannot be read" : problem,
                                    NULL, false};
}

static bool is_one_of(struct str text, const char *const *words)
{
        for (; *words != NULL; words++) {
                if (str_is(text, *words))
                        return true;
        }
        return false;
}

static size_t count_digits(struct str s)
{
        size_t n = 0;
        while (n < s.len && char_is_digit(s.ptr[n]))
                n++;
        return n;
}

/* 0x1f, 0o17 into decimal. Empty when it does not fit. */
static struct str read_radix(struct str digits, unsigned bits, struct arena *arena)
{
        uint64_t value = 0;
        for (size_t i = 0; i < digits.len; i++) {
                if (value >> (64 - bits) != 0)
                        return S("");
                value = value << bits | (uint64_t)char_hex(digits.ptr[i]);
        }
        return arena_format(arena, "%llu", (unsigned long long)value);
}

static bool is_radix(struct str s, char letter, int base)
{
        if (s.len < 3 || s.ptr[0] != '0' || s.ptr[1] != letter)
                return false;
        for (size_t i = 2; i < s.len; i++) {
                int digit = char_hex(s.ptr[i]);
                if (digit < 0 || digit >= base)
                        return false;
        }
        return true;
}

/* A number in decimal, taken apart; false when it is none. */
struct decimal {
        struct str whole, fraction, exponent; /* exponent with its sign */
        bool is_negative, is_json;            /* is_json: may be written as it stands */
};

static bool read_decimal(struct str s, struct decimal *ret_decimal)
{
        struct decimal number = {.is_json = true};
        if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+')) {
                number.is_negative = s.ptr[0] == '-';
                number.is_json = number.is_negative;
                s = str_skip(s, 1);
        }
        number.whole = str_first(s, count_digits(s));
        s = str_skip(s, number.whole.len);
        if (s.len > 0 && s.ptr[0] == '.') {
                s = str_skip(s, 1);
                number.fraction = str_first(s, count_digits(s));
                number.is_json = number.is_json && number.fraction.len > 0;
                s = str_skip(s, number.fraction.len);
        }
        if (number.whole.len + number.fraction.len == 0)
                return false;
        if (s.len > 0 && char_lower(s.ptr[0]) == 'e') {
                number.exponent = str_skip(s, 1);
                size_t sign = s.len > 1 && (s.ptr[1] == '-' || s.ptr[1] == '+');
                s = str_skip(s, 1 + sign);
                size_t digits = count_digits(s);
                if (digits == 0)
                        return false;
                s = str_skip(s, digits);
        }
        bool is_padded = number.whole.len > 1 && number.whole.ptr[0] == '0';
        number.is_json = number.is_json && number.whole.len > 0 && !is_padded;
        *ret_decimal = number;
        return s.len == 0;
}

static struct str write_decimal(struct decimal number, struct arena *arena)
{
        struct text out = text_grow(arena, SIZE_MAX);
        while (number.whole.len > 1 && number.whole.ptr[0] == '0')
                number.whole = str_skip(number.whole, 1);
        if (number.is_negative)
                text_char(&out, '-');
        text_put(&out, number.whole.len == 0 ? S("0") : number.whole);
        if (number.fraction.len > 0) {
                text_char(&out, '.');
                text_put(&out, number.fraction);
        }
        if (number.exponent.len > 0) {
                text_char(&out, 'e');
                text_put(&out, number.exponent);
        }
        return text_str(&out);
}

struct yaml_scalar yaml_resolve(struct str text, struct arena *arena)
{
        static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
        static const char *const trues[] = {"true", "True", "TRUE", NULL};
        static const char *const falses[] = {"false", "False", "FALSE", NULL};
        static const char *const no_numbers[] = {".inf",  ".Inf",  ".INF",  "-.inf", "-.Inf",
                                                 "-.INF", "+.inf", "+.Inf", "+.INF", ".nan",
                                                 ".NaN",  ".NAN",  NULL};
        struct decimal decimal;
        if (is_one_of(text, nulls))
                return (struct yaml_scalar){JSON_NULL, text};
        if (is_one_of(text, trues))
                return (struct yaml_scalar){JSON_TRUE, text};
        if (is_one_of(text, falses))
                return (struct yaml_scalar){JSON_FALSE, text};
        if (is_one_of(text, no_numbers))
                return (struct yaml_scalar){JSON_NUMBER, S("")};
        if (is_radix(text, 'x', 16))
                return (struct yaml_scalar){JSON_NUMBER, read_radix(str_skip(text, 2), 4, arena)};
        if (is_radix(text, 'o', 8))
                return (struct yaml_scalar){JSON_NUMBER, read_radix(str_skip(text, 2), 3, arena)};
        if (!read_decimal(text, &decimal))
                return (struct yaml_scalar){JSON_STRING, text};
        if (decimal.is_json)
                return (struct yaml_scalar){JSON_NUMBER, text};
        return (struct yaml_scalar){JSON_NUMBER, write_decimal(decimal, arena)};
}
