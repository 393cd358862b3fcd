/* json.c -- finding one's way in a document: members, elements, pointers, and what scalars mean. */
#include "wire/json.h"

const struct json *json_get(const struct json *object, struct str key)
{
        if (!json_is(object, JSON_OBJECT))
                return NULL;
        json_each (value, object) {
                if (str_eq(json_key_str(value), key))
                        return value;
        }
        return NULL;
}

const struct json *json_at(const struct json *array, size_t index)
{
        if (!json_is(array, JSON_ARRAY) || index >= array->len)
                return NULL;
        json_each (item, array) {
                if (index-- == 0)
                        return item;
        }
        return NULL;
}

/* Compares a token of a pointer, in which ~1 is '/' and ~0 is '~' (RFC 6901 4). */
static bool token_is(struct str token, struct str key)
{
        size_t i = 0, j = 0;
        for (; i < token.len && j < key.len; i++, j++) {
                char c = token.ptr[i];
                if (c == '~') {
                        if (++i == token.len || (token.ptr[i] != '0' && token.ptr[i] != '1'))
                                return false;
                        c = token.ptr[i] == '0' ? '~' : '/';
                }
                if (c != key.ptr[j])
                        return false;
        }
        return i == token.len && j == key.len;
}

static const struct json *pointer_step(const struct json *node, struct str token)
{
        uint64_t index;
        if (node->kind == JSON_ARRAY) {
                bool is_padded = token.len > 1 && token.ptr[0] == '0';
                if (is_padded || str_to_u64(token, &index) != ERR_ok)
                        return NULL;
                return json_at(node, index);
        }
        if (node->kind != JSON_OBJECT)
                return NULL;
        json_each (value, node) {
                if (token_is(token, json_key_str(value)))
                        return value;
        }
        return NULL;
}

const struct json *json_pointer(const struct json *root, struct str pointer)
{
        const struct json *node = root;
        if (pointer.len == 0)
                return node;
        if (pointer.ptr[0] != '/')
                return NULL;
        struct str rest = str_skip(pointer, 1);
        while (node != NULL && rest.ptr != NULL)
                node = pointer_step(node, str_cut(&rest, '/'));
        return node;
}

static char *put_utf8(char *at, uint32_t c)
{
        if (c < 0x80) {
                *at++ = (char)c;
        } else if (c < 0x800) {
                *at++ = (char)(0xc0 | c >> 6);
                *at++ = (char)(0x80 | (c & 0x3f));
        } else if (c < 0x10000) {
                *at++ = (char)(0xe0 | c >> 12);
                *at++ = (char)(0x80 | (c >> 6 & 0x3f));
                *at++ = (char)(0x80 | (c & 0x3f));
        } else {
                *at++ = (char)(0xf0 | c >> 18);
                *at++ = (char)(0x80 | (c >> 12 & 0x3f));
                *at++ = (char)(0x80 | (c >> 6 & 0x3f));
                *at++ = (char)(0x80 | (c & 0x3f));
        }
        return at;
}

static uint32_t four_hex(const char *at)
{
        uint32_t value = 0;
        for (int i = 0; i < 4; i++)
                value = value << 4 | (uint32_t)char_hex(at[i]);
        return value;
}

/* One escape, known to be good; returns how long it was. */
static size_t decode_escape(const char *at, char **out)
{
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        if (at[1] != 'u') {
                *(*out)++ = to[strchr(from, at[1]) - from];
                return 2;
        }
        uint32_t c = four_hex(at + 2);
        if (c < 0xd800 || c > 0xdfff) {
                *out = put_utf8(*out, c);
                return 6;
        }
        c = 0x10000 + ((c - 0xd800) << 10) + (four_hex(at + 8) - 0xdc00);
        *out = put_utf8(*out, c);
        return 12;
}

struct str json_str(const struct json *node, struct arena *arena)
{
        if (!json_is(node, JSON_STRING))
                return S("");
        struct str raw = json_raw(node);
        if ((node->flags & JSON_ESCAPED) == 0)
                return raw;
        char *text = arena_alloc(arena, raw.len); /* no escape is shorter than what it means */
        char *out = text;
        for (size_t i = 0; i < raw.len;) {
                if (raw.ptr[i] == '\\')
                        i += decode_escape(raw.ptr + i, &out);
                else
                        *out++ = raw.ptr[i++];
        }
        return str_from(text, (size_t)(out - text));
}

bool json_is_str(const struct json *node, struct str text)
{
        return json_is(node, JSON_STRING) && (node->flags & JSON_ESCAPED) == 0 &&
               str_eq(json_raw(node), text);
}

/* A number taken apart: the digits before and behind the point, and the power of ten. */
struct number {
        struct str whole, fraction;
        int64_t exponent;
        bool is_negative;
};

static struct number number_split(struct str s)
{
        struct number number = {.is_negative = s.len > 0 && s.ptr[0] == '-'};
        s = str_skip(s, number.is_negative);
        size_t e = 0;
        while (e < s.len && char_lower(s.ptr[e]) != 'e')
                e++;
        struct str digits = str_first(s, e), power = str_skip(s, e + 1);
        bool is_down = power.len > 0 && power.ptr[0] == '-';
        if (power.len > 0 && !char_is_digit(power.ptr[0]))
                power = str_skip(power, 1);
        for (size_t i = 0; i < power.len && number.exponent < INT32_MAX; i++)
                number.exponent = number.exponent * 10 + (power.ptr[i] - '0');
        if (is_down)
                number.exponent = -number.exponent;
        number.fraction = digits;
        number.whole = str_cut(&number.fraction, '.');
        return number;
}

/* Appends digits to a number; false when it gets too large. */
static bool add_digits(struct str digits, uint64_t *value)
{
        for (size_t i = 0; i < digits.len; i++) {
                if (mul_overflows(*value, 10u, value) ||
                    add_overflows(*value, (uint64_t)(digits.ptr[i] - '0'), value))
                        return false;
        }
        return true;
}

static struct str cut_zeros(struct str digits)
{
        while (digits.len > 0 && digits.ptr[digits.len - 1] == '0')
                digits.len--;
        return digits;
}

enum err json_to_i64(const struct json *node, int64_t *ret_value)
{
        uint64_t value = 0;
        if (!json_is(node, JSON_NUMBER))
                return ERR_syntax;
        struct number number = number_split(json_raw(node));
        struct str fraction = cut_zeros(number.fraction), whole = number.whole;
        int64_t zeros = number.exponent - (int64_t)fraction.len; /* to append; below 0: to cut */
        if (zeros < 0 && fraction.len == 0) {
                size_t full = whole.len;
                whole = cut_zeros(whole);
                zeros += (int64_t)(full - whole.len);
                if (whole.len == 0)
                        zeros = 0;
        }
        if (zeros < 0)
                return ERR_syntax;
        if (!add_digits(whole, &value) || !add_digits(fraction, &value))
                return ERR_range;
        for (; zeros > 0 && value > 0; zeros--) {
                if (mul_overflows(value, 10u, &value))
                        return ERR_range;
        }
        uint64_t most = number.is_negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
        if (value > most)
                return ERR_range;
        *ret_value = number.is_negative ? (int64_t)(0 - value) : (int64_t)value;
        return ERR_ok;
}
