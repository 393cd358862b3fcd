/* uuid.c -- UUIDs as text. */
#include "wire/uuid.h"

static char *put_hex(char *at, uint64_t value, unsigned digits)
{
        for (unsigned i = 0; i < digits; i++)
                at[i] = "0123456789abcdef"[value >> ((digits - 1 - i) * 4) & 15];
        return at + digits;
}

void uuid_write_v7(uint64_t ms, uint64_t high, uint64_t low, struct text *out)
{
        char line[UUID_LENGTH], *at = line;
        at = put_hex(at, ms >> 16, 8);
        *at++ = '-';
        at = put_hex(at, ms, 4);
        *at++ = '-';
        at = put_hex(at, 0x7000 | (high & 0xfff), 4);
        *at++ = '-';
        at = put_hex(at, 0x8000 | (low >> 48 & 0x3fff), 4);
        *at++ = '-';
        put_hex(at, low, 12);
        text_put(out, str_from(line, sizeof line));
}

bool uuid_is(struct str s)
{
        if (s.len != UUID_LENGTH)
                return false;
        for (size_t i = 0; i < s.len; i++) {
                bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
                if (is_dash ? s.ptr[i] != '-' : char_hex(s.ptr[i]) < 0)
                        return false;
        }
        return true;
}
