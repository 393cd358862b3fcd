/* str.c -- comparing, cutting and building text. Pure functions of bytes. */
#include "base/str.h"

#include <stdio.h>

#include "base/arena.h"

int char_hex(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c = char_lower(c);
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool str_eq_nocase(struct str a, struct str b)
{
        if (a.len != b.len)
                return false;
        for (size_t i = 0; i < a.len; i++) {
                if (char_lower(a.ptr[i]) != char_lower(b.ptr[i]))
                        return false;
        }
        return true;
}

int str_compare(struct str a, struct str b)
{
        size_t n = size_min(a.len, b.len);
        int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);
        if (order != 0)
                return order;
        return a.len < b.len ? -1 : a.len > b.len;
}

bool str_starts(struct str s, struct str prefix)
{
        return str_eq(str_first(s, prefix.len), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
        return s.len >= suffix.len && str_eq(str_skip(s, s.len - suffix.len), suffix);
}

ptrdiff_t str_find(struct str s, char c)
{
        const char *at = s.len == 0 ? NULL : memchr(s.ptr, c, s.len);
        return at == NULL ? -1 : at - s.ptr;
}

ptrdiff_t str_find_str(struct str s, struct str what)
{
        if (what.len == 0)
                return 0;
        const char *at = s.len == 0 ? NULL : memmem(s.ptr, s.len, what.ptr, what.len);
        return at == NULL ? -1 : at - s.ptr;
}

struct str str_trim(struct str s)
{
        while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
                s = str_skip(s, 1);
        while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
                s.len--;
        return s;
}

struct str str_skip(struct str s, size_t n)
{
        n = size_min(n, s.len);
        return (struct str){s.ptr == NULL ? NULL : s.ptr + n, s.len - n};
}

struct str str_first(struct str s, size_t n)
{
        return (struct str){s.ptr, size_min(n, s.len)};
}

struct str str_cut(struct str *rest, char sep)
{
        struct str s = *rest;
        ptrdiff_t at = str_find(s, sep);
        if (at < 0) {
                *rest = STR_NONE;
                return s;
        }
        *rest = str_skip(s, (size_t)at + 1);
        return str_first(s, (size_t)at);
}

enum err str_to_u64(struct str s, uint64_t *ret_value)
{
        uint64_t value = 0;
        if (s.len == 0)
                return ERR_syntax;
        for (size_t i = 0; i < s.len; i++) {
                if (!char_is_digit(s.ptr[i]))
                        return ERR_syntax;
        }
        for (size_t i = 0; i < s.len; i++) {
                if (mul_overflows(value, 10u, &value) ||
                    add_overflows(value, (uint64_t)(s.ptr[i] - '0'), &value))
                        return ERR_range;
        }
        *ret_value = value;
        return ERR_ok;
}

enum { DISTANCE_MAX = 64 };

unsigned str_distance(struct str a, struct str b, unsigned most)
{
        unsigned rows[3][DISTANCE_MAX + 1];
        if (a.len > DISTANCE_MAX || b.len > DISTANCE_MAX)
                return most + 1;
        for (unsigned j = 0; j <= b.len; j++)
                rows[0][j] = j;
        for (unsigned i = 1; i <= a.len; i++) {
                unsigned *now = rows[i % 3], *before = rows[(i + 2) % 3],
                         *earlier = rows[(i + 1) % 3];
                now[0] = i;
                for (unsigned j = 1; j <= b.len; j++) {
                        unsigned differs = a.ptr[i - 1] != b.ptr[j - 1];
                        unsigned best = before[j - 1] + differs;
                        if (before[j] + 1 < best)
                                best = before[j] + 1;
                        if (now[j - 1] + 1 < best)
                                best = now[j - 1] + 1;
                        bool is_swap = i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] &&
                                       a.ptr[i - 2] == b.ptr[j - 1];
                        if (is_swap && earlier[j - 2] + 1 < best)
                                best = earlier[j - 2] + 1;
                        now[j] = best;
                }
        }
        unsigned distance = rows[a.len % 3][b.len];
        return distance > most ? most + 1 : distance;
}

bool str_eq_secret(struct str a, struct str b)
{
        volatile unsigned char differs = a.len != b.len;
        for (size_t i = 0; i < a.len && i < b.len; i++)
                differs = (unsigned char)(differs | (a.ptr[i] ^ b.ptr[i]));
        return differs == 0;
}

size_t str_utf8(struct str s, size_t at)
{
        const unsigned char *p = (const unsigned char *)s.ptr + at;
        size_t left = s.len - at;
        if (left == 0)
                return 0;
        if (p[0] < 0x80)
                return 1;
        if (p[0] >= 0xc2 && p[0] <= 0xdf && left >= 2 && (p[1] & 0xc0) == 0x80)
                return 2;
        if ((p[0] & 0xf0) == 0xe0 && left >= 3 && (p[1] & 0xc0) == 0x80 && (p[2] & 0xc0) == 0x80) {
                bool is_overlong = p[0] == 0xe0 && p[1] < 0xa0;
                bool is_surrogate = p[0] == 0xed && p[1] >= 0xa0;
                return is_overlong || is_surrogate ? 0 : 3;
        }
        if (p[0] >= 0xf0 && p[0] <= 0xf4 && left >= 4 && (p[1] & 0xc0) == 0x80 &&
            (p[2] & 0xc0) == 0x80 && (p[3] & 0xc0) == 0x80) {
                bool is_out = (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f);
                return is_out ? 0 : 4;
        }
        return 0;
}

/* True when there is room for `need` more bytes. */
void str_wipe(struct str s)
{
        if (s.len > 0)
                explicit_bzero((void *)(uintptr_t)s.ptr, s.len);
}

bool text_room_slow(struct text *text, size_t need)
{
        size_t size;
        if (text->is_cut)
                return false;
        if (need <= text->max - text->len)
                return true;
        text->is_cut = text->arena == NULL || add_overflows(text->len, need, &size) ||
                       size > text->limit;
        if (text->is_cut)
                return false;
        size = size_min(size_max(size, size_max(text->max * 2, 64)), text->limit);
        char *bigger = arena_alloc(text->arena, size);
        if (text->len > 0)
                memcpy(bigger, text->at, text->len);
        text->at = bigger;
        text->max = size;
        return true;
}

static const char pairs[] = "0001020304050607080910111213141516171819"
                            "2021222324252627282930313233343536373839"
                            "4041424344454647484950515253545556575859"
                            "6061626364656667686970717273747576777879"
                            "8081828384858687888990919293949596979899";

/* How many decimal digits it has. */
static size_t digits_of(uint64_t value)
{
        size_t count = 1;
        for (; value >= 10000; value /= 10000)
                count += 4;
        return count + (value >= 10) + (value >= 100) + (value >= 1000);
}

char *u64_put(char *at, uint64_t value)
{
        if (value < 10) {
                *at = (char)('0' + value);
                return at + 1;
        }
        char *end = at + digits_of(value);
        at = end;
        for (; value >= 100; value /= 100) {
                at -= 2;
                memcpy(at, pairs + value % 100 * 2, 2);
        }
        if (value >= 10)
                memcpy(at - 2, pairs + value * 2, 2);
        else
                at[-1] = (char)('0' + value);
        return end;
}

void text_u64(struct text *text, uint64_t value)
{
        if (text_room(text, digits_of(value)))
                text->len = (size_t)(u64_put(text->at + text->len, value) - text->at);
}

void text_i64(struct text *text, int64_t value)
{
        if (value < 0)
                text_char(text, '-');
        text_u64(text, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void text_decimal(struct text *text, uint64_t value, unsigned places)
{
        char digits[2 * U64_DIGITS_MAX];
        uint64_t one = 1;
        for (unsigned i = 0; i < places; i++)
                one *= 10;
        char *point = u64_put(digits, value / one);
        uint64_t rest = value % one;
        char *end = point;
        if (rest > 0) {
                unsigned left = places;
                *point++ = '.';
                for (; left >= 2; left -= 2, rest /= 100)
                        memcpy(point + left - 2, pairs + rest % 100 * 2, 2);
                if (left == 1)
                        *point = (char)('0' + rest);
                end = point + places;
                while (end[-1] == '0')
                        end--;
        }
        text_put(text, str_from(digits, (size_t)(end - digits)));
}

void text_hex(struct text *text, uint64_t value, unsigned digits)
{
        for (unsigned i = digits; i > 0; i--)
                text_char(text, "0123456789abcdef"[(value >> ((i - 1) * 4)) & 15]);
}

void text_vformat(struct text *text, const char *format, va_list args)
{
        va_list again;
        va_copy(again, args);
        char none[1];
        size_t room = text->max - text->len;
        int n = vsnprintf(room == 0 ? none : text->at + text->len, room, format, args);
        if (n < 0) {
                text->is_cut = true;
        } else if ((size_t)n < room && !text->is_cut) {
                text->len += (size_t)n;
        } else if (text->arena == NULL) {
                text->is_cut = true;
        } else if (text_room(text, (size_t)n + 1)) {
                vsnprintf(text->at + text->len, (size_t)n + 1, format, again);
                text->len += (size_t)n;
        }
        va_end(again);
}

void text_format(struct text *text, const char *format, ...)
{
        va_list args;
        va_start(args, format);
        text_vformat(text, format, args);
        va_end(args);
}

/* True when the character may stand in a JSON string as it is. */
static bool is_plain(char c)
{
        unsigned char u = (unsigned char)c;
        return u >= 0x20 && u < 0x7f && c != '"' && c != '\\';
}

bool str_is_plain(struct str s)
{
        unsigned char others = 0;
        for (size_t i = 0; i < s.len; i++) { /* without a branch: the compiler takes many at once */
                unsigned char c = (unsigned char)s.ptr[i];
                others = (unsigned char)(others | ((unsigned char)(c - 0x20) > 0x7e - 0x20) |
                                         (c == '"') | (c == '\\'));
        }
        return others == 0;
}

/* Nothing but plain characters in these eight. A byte that is less than another has its high bit
 * set after subtraction, unless it had before: those over 0x7f are none of ours anyway. */
static inline bool are_plain(uint64_t x)
{
        const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
        uint64_t quote = x ^ ones * '"', slash = x ^ ones * '\\', del = x ^ ones * 0x7f;
        uint64_t bad = (x - ones * 0x20) | (quote - ones) | (slash - ones) | (del - ones) | x;
        return (bad & highs) == 0;
}

/* How many plain characters there are from `at` on. */
static size_t plain_run(struct str s, size_t at)
{
        size_t end = at;
        while (s.len - end >= 8 && are_plain(load_u64(s.ptr + end)))
                end += 8;
        while (end < s.len && is_plain(s.ptr[end]))
                end++;
        return end - at;
}

/* Controls above ASCII (U+0080 to U+009F), which terminals obey too. */
static bool is_c1(struct str s, size_t at, size_t length)
{
        return length == 2 && (unsigned char)s.ptr[at] == 0xc2 &&
               (unsigned char)s.ptr[at + 1] < 0xa0;
}

void text_json(struct text *text, struct str s)
{
        size_t i = 0;
        while (i < s.len) {
                size_t run = plain_run(s, i);
                text_put(text, str_from(s.ptr + i, run));
                i += run;
                if (i == s.len)
                        break;
                size_t length = str_utf8(s, i);
                if (is_c1(s, i, length)) {
                        text_put(text, S("\\u00"));
                        text_hex(text, (unsigned char)s.ptr[i + 1], 2);
                } else if (length > 1) {
                        text_put(text, str_from(s.ptr + i, length));
                } else if (s.ptr[i] == '"' || s.ptr[i] == '\\') {
                        text_char(text, '\\');
                        text_char(text, s.ptr[i]);
                } else if (length == 1) {
                        text_put(text, S("\\u"));
                        text_hex(text, (unsigned char)s.ptr[i], 4);
                } else {
                        text_put(text, S("\\ufffd"));
                        length = 1;
                }
                i += length;
        }
}
