/* base64.c -- three bytes as four characters and back. */
#include "wire/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

static char char_of(enum base64 kind, unsigned value)
{
        if (value < 62)
                return letters[value];
        if (kind == BASE64_URL)
                return value == 62 ? '-' : '_';
        return value == 62 ? '+' : '/';
}

static int value_of(enum base64 kind, char c)
{
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (char_is_digit(c))
                return c - '0' + 52;
        if (c == (kind == BASE64_URL ? '-' : '+'))
                return 62;
        return c == (kind == BASE64_URL ? '_' : '/') ? 63 : -1;
}

void base64_write(enum base64 kind, struct str bytes, struct text *out)
{
        const uint8_t *p = (const uint8_t *)bytes.ptr;
        for (size_t i = 0; i < bytes.len; i += 3) {
                size_t n = size_min(bytes.len - i, 3);
                unsigned group = (unsigned)p[i] << 16;
                group |= n > 1 ? (unsigned)p[i + 1] << 8 : 0;
                group |= n > 2 ? p[i + 2] : 0;
                char four[4];
                for (unsigned k = 0; k < 4; k++)
                        four[k] = k > n ? '=' : char_of(kind, group >> (18 - 6 * k) & 63);
                text_put(out, str_from(four, kind == BASE64_URL ? n + 1 : 4));
        }
}

/* Two to four characters without padding. */
static bool read_group(enum base64 kind, struct str s, struct text *out)
{
        unsigned group = 0;
        for (size_t k = 0; k < 4; k++) {
                int value = k < s.len ? value_of(kind, s.ptr[k]) : 0;
                if (value < 0)
                        return false;
                group = group << 6 | (unsigned)value;
        }
        if (s.len < 2 || (group & (s.len == 2 ? 0xffffu : s.len == 3 ? 0xffu : 0)) != 0)
                return false;
        for (size_t k = 0; k + 1 < s.len; k++)
                text_char(out, (char)(group >> (16 - 8 * k)));
        return true;
}

enum err base64_read(enum base64 kind, struct str s, struct text *out)
{
        if (kind == BASE64_STD) {
                if (s.len % 4 != 0)
                        return ERR_syntax;
                for (int i = 0; i < 2 && s.len > 0 && s.ptr[s.len - 1] == '='; i++)
                        s.len--;
        }
        for (size_t i = 0; i < s.len; i += 4) {
                if (!read_group(kind, str_first(str_skip(s, i), 4), out))
                        return ERR_syntax;
        }
        return out->is_cut ? ERR_limit : ERR_ok;
}
