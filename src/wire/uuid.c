/* uuid.c -- UUIDs as text. */
#include "wire/uuid.h"

void uuid_write_v7(uint64_t ms, uint64_t high, uint64_t low, struct text *out)
{
        char digits[32], line[UUID_LENGTH];
        char *at = hex_put_u32(digits, (uint32_t)(ms >> 16));
        at = hex_put_u32(at, (uint32_t)(ms << 16 | 0x7000 | (high & 0xfff)));
        at = hex_put_u32(at, (uint32_t)(0x80000000u | (low >> 32 & 0x3fffffff)));
        hex_put_u32(at, (uint32_t)low);
        memcpy(line, digits, 8);
        line[8] = '-';
        memcpy(line + 9, digits + 8, 4);
        line[13] = '-';
        memcpy(line + 14, digits + 12, 4);
        line[18] = '-';
        memcpy(line + 19, digits + 16, 4);
        line[23] = '-';
        memcpy(line + 24, digits + 20, 12);
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
