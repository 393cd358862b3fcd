/* cidr.c -- addresses and networks as text, and sets of networks asked by halving. No libc
 * resolver, no locale: the text forms are those of RFC 4291 and RFC 5952, nothing looser (no octal,
 * no zones). */
#include "wire/cidr.h"

#include <stdlib.h>

enum { BITS_V4 = 96, GROUPS = 8 };

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

bool ip_is_v4(const uint8_t bytes[16])
{
        return memcmp(bytes, mapped, sizeof mapped) == 0;
}

/* Four numbers of one to three digits without leading zeros. */
static bool read_v4(struct str s, uint8_t ret_bytes[4])
{
        uint8_t bytes[4];
        for (int i = 0; i < 4; i++) {
                uint64_t value;
                struct str part = str_cut(&s, '.');
                bool is_good = part.len <= 3 && str_to_u64(part, &value) == ERR_ok &&
                               value <= 255 && (part.len == 1 || part.ptr[0] != '0');
                if (!is_good || (s.ptr == NULL) != (i == 3))
                        return false;
                bytes[i] = (uint8_t)value;
        }
        memcpy(ret_bytes, bytes, sizeof bytes);
        return true;
}

static bool read_group(struct str s, uint8_t ret_bytes[2])
{
        unsigned value = 0;
        if (s.len == 0 || s.len > 4)
                return false;
        for (size_t i = 0; i < s.len; i++) {
                int digit = char_hex(s.ptr[i]);
                if (digit < 0)
                        return false;
                value = value << 4 | (unsigned)digit;
        }
        ret_bytes[0] = (uint8_t)(value >> 8);
        ret_bytes[1] = (uint8_t)value;
        return true;
}

/* Groups parted by single colons, the last two perhaps as IPv4; *ret_len is how many bytes. */
static bool read_groups(struct str s, bool may_end_v4, uint8_t bytes[16], size_t *ret_len)
{
        size_t len = 0;
        if (s.len == 0)
                s = STR_NONE;
        while (s.ptr != NULL) {
                struct str group = str_cut(&s, ':');
                if (s.ptr == NULL && may_end_v4 && len <= 12 && str_find(group, '.') >= 0) {
                        if (!read_v4(group, bytes + len))
                                return false;
                        len += 4;
                        continue;
                }
                if (len == 16 || !read_group(group, bytes + len))
                        return false;
                len += 2;
        }
        *ret_len = len;
        return true;
}

static bool read_v6(struct str s, uint8_t ret_bytes[16])
{
        uint8_t head[16], tail[16];
        size_t head_len, tail_len = 0;
        ptrdiff_t gap = str_find_str(s, S("::"));
        struct str before = gap < 0 ? s : str_first(s, (size_t)gap);
        if (!read_groups(before, gap < 0, head, &head_len))
                return false;
        if (gap < 0) {
                if (head_len != 16)
                        return false;
        } else if (!read_groups(str_skip(s, (size_t)gap + 2), true, tail, &tail_len) ||
                   head_len + tail_len > 14) {
                return false;
        }
        memset(ret_bytes, 0, 16);
        memcpy(ret_bytes, head, head_len);
        memcpy(ret_bytes + 16 - tail_len, tail, tail_len);
        return true;
}

enum err ip_read(struct str s, uint8_t ret_bytes[16])
{
        uint8_t bytes[16];
        if (str_find(s, ':') >= 0) {
                if (!read_v6(s, bytes))
                        return ERR_syntax;
        } else {
                memcpy(bytes, mapped, sizeof mapped);
                if (!read_v4(s, bytes + sizeof mapped))
                        return ERR_syntax;
        }
        memcpy(ret_bytes, bytes, sizeof bytes);
        return ERR_ok;
}

static void write_v4(const uint8_t bytes[4], struct text *out)
{
        for (int i = 0; i < 4; i++) {
                if (i > 0)
                        text_char(out, '.');
                text_u64(out, bytes[i]);
        }
}

static unsigned group_at(const uint8_t bytes[16], int i)
{
        return (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
}

/* The longest run of two or more zero groups, the first of equals (RFC 5952 4.2). */
static int find_gap(const uint8_t bytes[16], int *ret_len)
{
        int best = -1, best_len = 1;
        for (int i = 0; i < GROUPS; i++) {
                int len = 0;
                while (i + len < GROUPS && group_at(bytes, i + len) == 0)
                        len++;
                if (len > best_len) {
                        best = i;
                        best_len = len;
                }
        }
        *ret_len = best_len;
        return best;
}

static void write_group(unsigned group, struct text *out)
{
        unsigned digits = 1;
        while (digits < 4 && group >> (digits * 4) != 0)
                digits++;
        text_hex(out, group, digits);
}

void ip6_write(const uint8_t bytes[16], struct text *out)
{
        if (ip_is_v4(bytes)) {
                text_put(out, S("::ffff:"));
                write_v4(bytes + sizeof mapped, out);
                return;
        }
        int gap_len, gap = find_gap(bytes, &gap_len);
        for (int i = 0; i < GROUPS; i++) {
                if (i == gap) {
                        text_put(out, S("::"));
                        i += gap_len - 1;
                        continue;
                }
                if (i > 0 && i != gap + gap_len)
                        text_char(out, ':');
                write_group(group_at(bytes, i), out);
        }
}

void ip_write(const uint8_t bytes[16], struct text *out)
{
        if (ip_is_v4(bytes))
                write_v4(bytes + sizeof mapped, out);
        else
                ip6_write(bytes, out);
}

/* ---- networks ---- */

/* Bits of byte i that lie within a prefix of `bits`. */
static uint8_t mask_at(unsigned bits, unsigned i)
{
        unsigned in = bits <= i * 8 ? 0 : bits - i * 8;
        return (uint8_t)(in >= 8 ? 0xff : 0xff00u >> in);
}

enum err cidr_read(struct str s, struct cidr *ret_cidr)
{
        struct cidr cidr;
        struct str rest = s, ip = str_cut(&rest, '/');
        if (ip_read(ip, cidr.bytes) != ERR_ok)
                return ERR_syntax;
        uint64_t bits = 128, base = str_find(ip, ':') < 0 ? BITS_V4 : 0;
        if (rest.ptr != NULL) {
                if (rest.len > 3 || str_to_u64(rest, &bits) != ERR_ok ||
                    (rest.len > 1 && rest.ptr[0] == '0') || bits + base > 128)
                        return ERR_syntax;
                bits += base;
        }
        cidr.bits = (uint8_t)bits;
        for (unsigned i = 0; i < 16; i++) {
                if ((cidr.bytes[i] & ~mask_at(cidr.bits, i)) != 0)
                        return ERR_range;
        }
        *ret_cidr = cidr;
        return ERR_ok;
}

/* IPv4 networks are not inside those of IPv6 that happen to cover their place: who writes ::/0
 * means all of IPv6. */
static bool is_v4(const struct cidr *cidr)
{
        return cidr->bits >= BITS_V4 && ip_is_v4(cidr->bytes);
}

void cidr_write(const struct cidr *cidr, struct text *out)
{
        if (is_v4(cidr))
                ip_write(cidr->bytes, out);
        else
                ip6_write(cidr->bytes, out);
        if (cidr->bits == 128)
                return;
        text_char(out, '/');
        text_u64(out, is_v4(cidr) ? cidr->bits - BITS_V4 : cidr->bits);
}

bool cidr_has(const struct cidr *cidr, const uint8_t address[16])
{
        unsigned whole = cidr->bits / 8;
        if (memcmp(cidr->bytes, address, whole) != 0 || ip_is_v4(address) != is_v4(cidr))
                return false;
        return whole == 16 ||
               ((cidr->bytes[whole] ^ address[whole]) & mask_at(cidr->bits, whole)) == 0;
}

/* IPv4 first, then by address, wider ones first. */
static int compare(const void *a, const void *b)
{
        const struct cidr *x = a, *y = b;
        if (is_v4(x) != is_v4(y))
                return is_v4(x) ? -1 : 1;
        int order = memcmp(x->bytes, y->bytes, sizeof x->bytes);
        return order != 0 ? order : (int)x->bits - (int)y->bits;
}

struct cidrs cidrs_make(const struct cidr *networks, size_t count, struct arena *arena)
{
        struct cidrs set = {0};
        if (count == 0)
                return set;
        struct cidr *at = arena_array(arena, struct cidr, count);
        memcpy(at, networks, count * sizeof *at);
        qsort(at, count, sizeof *at, compare);
        for (size_t i = 0; i < count; i++) {
                if (set.count > 0 && cidr_has(&at[set.count - 1], at[i].bytes))
                        continue;
                set.count_v4 += is_v4(&at[i]);
                at[set.count++] = at[i];
        }
        set.at = at;
        return set;
}

bool cidrs_has(const struct cidrs *set, const uint8_t address[16])
{
        bool has_v4 = ip_is_v4(address);
        size_t first = has_v4 ? 0 : set->count_v4;
        size_t low = first, high = has_v4 ? set->count_v4 : set->count;
        while (low < high) { /* the last network not behind the address is below high */
                size_t middle = (low + high) / 2;
                if (memcmp(set->at[middle].bytes, address, 16) <= 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low > first && cidr_has(&set->at[low - 1], address);
}
