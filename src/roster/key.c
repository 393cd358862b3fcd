/* key.c -- base62 throughout, so that a double click takes the whole key. */
#include "roster/key.h"

#include "base/check.h"
#include "base/rand.h"

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

enum { BASE = 62, TAIL = KEY_RANDOM + KEY_CHECKSUM };

static const struct str prefix = {"gate_", 5};

/* CRC-32 as of IEEE 802.3, four bits at a time. */
static uint32_t crc32_of(struct str s)
{
        static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                           0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                           0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                           0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
        uint32_t crc = 0xffffffff;
        for (size_t i = 0; i < s.len; i++) {
                crc ^= (uint8_t)s.ptr[i];
                crc = crc >> 4 ^ table[crc & 15];
                crc = crc >> 4 ^ table[crc & 15];
        }
        return ~crc;
}

static void checksum_of(struct str s, char ret_checksum[KEY_CHECKSUM])
{
        uint32_t crc = crc32_of(s);
        for (int i = KEY_CHECKSUM - 1; i >= 0; i--) {
                ret_checksum[i] = digits[crc % BASE];
                crc /= BASE;
        }
}

static bool is_alnum(char c)
{
        return char_is_digit(c) || (char_lower(c) >= 'a' && char_lower(c) <= 'z');
}

bool key_env_is_good(struct str env)
{
        if (env.len == 0 || env.len > KEY_ENV_MAX || env.ptr[0] < 'a' || env.ptr[0] > 'z')
                return false;
        for (size_t i = 0; i < env.len; i++) {
                char c = env.ptr[i];
                if (c != '-' && !char_is_digit(c) && (c < 'a' || c > 'z'))
                        return false;
        }
        return true;
}

void key_make(struct str env, struct text *text)
{
        CHECK(key_env_is_good(env));
        char memory[KEY_MADE_SIZE_MAX], checksum[KEY_CHECKSUM];
        struct text key = text_over(memory, sizeof memory);
        text_put(&key, prefix);
        text_put(&key, env);
        text_char(&key, '_');
        for (int count = 0; count < KEY_RANDOM;) {
                uint8_t byte;
                rand_bytes(&byte, 1);
                /* 248 is the largest multiple of 62 that fits: every digit is as likely. */
                if (byte >= 248)
                        continue;
                text_char(&key, digits[byte % BASE]);
                count++;
        }
        checksum_of(text_str(&key), checksum);
        text_put(&key, str_from(checksum, sizeof checksum));
        CHECK(!key.is_cut);
        text_put(text, text_str(&key));
}

/* Cuts gate_<env>_<tail>; false when it has not that form, whatever the tail. */
static bool split(struct str key, struct str *ret_env, struct str *ret_tail)
{
        if (!str_starts(key, prefix))
                return false;
        struct str rest = str_skip(key, prefix.len);
        struct str env = str_cut(&rest, '_');
        if (rest.ptr == NULL || !key_env_is_good(env))
                return false;
        for (size_t i = 0; i < rest.len; i++) {
                if (!is_alnum(rest.ptr[i]))
                        return false;
        }
        *ret_env = env;
        *ret_tail = rest;
        return true;
}

enum key_kind key_check(struct str key)
{
        enum { NEARLY = 6 };
        struct str env, tail;
        char checksum[KEY_CHECKSUM];
        if (key.len == 0 || key.len > KEY_SIZE_MAX)
                return KEY_NONE;
        for (size_t i = 0; i < key.len; i++) {
                if (key.ptr[i] <= ' ' || key.ptr[i] >= 0x7f)
                        return KEY_NONE;
        }
        if (!split(key, &env, &tail) || tail.len + NEARLY < TAIL || tail.len > TAIL + NEARLY)
                return KEY_OTHER;
        if (tail.len != TAIL)
                return KEY_DAMAGED;
        checksum_of(str_first(key, key.len - KEY_CHECKSUM), checksum);
        return str_eq(str_skip(tail, KEY_RANDOM), str_from(checksum, sizeof checksum))
                       ? KEY_OURS
                       : KEY_DAMAGED;
}

struct str key_env(struct str key)
{
        struct str env, tail;
        if (key_check(key) != KEY_OURS || !split(key, &env, &tail))
                return STR_NONE;
        return env;
}

void key_display(struct str key, struct text *text)
{
        struct str shown = STR_NONE;
        size_t ends = key.len >= KEY_WEAK_SIZE ? 2 : 0;
        if (key_check(key) == KEY_OURS) {
                shown = str_first(key, key.len - TAIL);
                ends = 4;
        }
        text_put(text, shown);
        text_put(text, str_first(str_skip(key, shown.len), ends));
        text_put(text, S("…"));
        text_put(text, str_skip(key, key.len - ends));
}
