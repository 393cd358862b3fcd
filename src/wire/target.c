/* target.c -- the request-target: taken apart, its path brought into the one form that everything
 * behind works with. Strict about what may be written, so that no later reader finds another
 * meaning. */
#include "wire/target.h"

#include "wire/cidr.h"
#include "wire/scan.h"

/* ---- characters of a path ---- */

enum {
        KIND_PLAIN = 0,
        KIND_WORK = 1,   /* a path with it is not normal yet, or has escapes to be looked at */
        KIND_MARK = 2,   /* a slash or dot: not normal behind a slash */
        KIND_LOOSE = 4,  /* a loose reader may see something else */
        KIND_UNSAFE = 8, /* to be escaped */
        KIND_BAD = 16,
};

#define RANGE_4(c, kind) [c] = kind, [c + 1] = kind, [c + 2] = kind, [c + 3] = kind
#define RANGE_16(c, kind)                                                                          \
        RANGE_4(c, kind), RANGE_4(c + 4, kind), RANGE_4(c + 8, kind), RANGE_4(c + 12, kind)
#define RANGE_128(c, kind)                                                                         \
        RANGE_16(c, kind), RANGE_16(c + 16, kind), RANGE_16(c + 32, kind), RANGE_16(c + 48, kind), \
                RANGE_16(c + 64, kind), RANGE_16(c + 80, kind), RANGE_16(c + 96, kind),            \
                RANGE_16(c + 112, kind)

enum { BAD = KIND_WORK | KIND_BAD, UNSAFE = KIND_WORK | KIND_UNSAFE, UPPER = KIND_LOOSE };

static const uint8_t kinds[256] = {
        RANGE_16(0x00, BAD),  RANGE_16(0x10, BAD),
        RANGE_128(0x80, BAD), RANGE_16('A', UPPER), /* to 'P' */
        RANGE_4('Q', UPPER),  RANGE_4('U', UPPER),
        ['Y'] = UPPER,        ['Z'] = UPPER,
        [' '] = BAD,          ['#'] = BAD,
        ['?'] = BAD,          ['\\'] = BAD,
        [0x7f] = BAD,         ['%'] = KIND_WORK | KIND_LOOSE,
        [';'] = KIND_LOOSE,   ['.'] = KIND_MARK | KIND_LOOSE,
        ['/'] = KIND_MARK,    ['"'] = UNSAFE,
        ['<'] = UNSAFE,       ['>'] = UNSAFE,
        ['['] = UNSAFE,       [']'] = UNSAFE,
        ['^'] = UNSAFE,       ['`'] = UNSAFE,
        ['{'] = UNSAFE,       ['|'] = UNSAFE,
        ['}'] = UNSAFE,
};

static bool is_unreserved(int c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.' || c == '_' || c == '~';
}

/* The byte that "%xx" at s[i] stands for, -1 if there is no such escape. */
static int escape_at(struct str s, size_t i)
{
        if (s.len - i < 3 || s.ptr[i] != '%')
                return -1;
        int high = char_hex(s.ptr[i + 1]), low = char_hex(s.ptr[i + 2]);
        return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* ---- the one normal form of a path ---- */

static void put_escape(struct text *out, unsigned c)
{
        static const char digits[] = "0123456789ABCDEF";
        text_char(out, '%');
        text_char(out, digits[c >> 4]);
        text_char(out, digits[c & 15]);
}

/* Each character in its one spelling; dots and slashes stay as they come. */
static enum target_fault spell(struct str raw, struct text *out)
{
        enum target_fault fault = TARGET_OK;
        for (size_t i = 0; i < raw.len; i++) {
                unsigned kind = kinds[(uint8_t)raw.ptr[i]];
                if ((kind & KIND_BAD) != 0)
                        return TARGET_BAD;
                if (raw.ptr[i] != '%') {
                        if ((kind & KIND_UNSAFE) != 0)
                                put_escape(out, (uint8_t)raw.ptr[i]);
                        else
                                text_char(out, raw.ptr[i]);
                        continue;
                }
                int c = escape_at(raw, i);
                if (c < 0x20 || c == 0x7f)
                        return TARGET_BAD;
                if (c == '/' || c == '\\')
                        fault = TARGET_ESCAPED_SLASH;
                if (is_unreserved(c))
                        text_char(out, (char)c);
                else
                        put_escape(out, (unsigned)c);
                i += 2;
        }
        return fault;
}

/* Length of the part at the start of s that ends before an escaped slash or backslash. */
static size_t part_length(struct str s)
{
        for (size_t i = 0; i < s.len; i++) {
                int c = escape_at(s, i);
                if (c == '/' || c == '\\')
                        return i;
        }
        return s.len;
}

static bool is_dots(struct str s)
{
        return str_eq(s, S(".")) || str_eq(s, S(".."));
}

/* True when a reader that cuts `;…` off, or decodes slashes, finds `.` or `..` in this segment. */
static bool hides_dots(struct str segment)
{
        for (;;) {
                size_t len = part_length(segment);
                struct str part = str_first(segment, len);
                bool is_all = len == segment.len;
                ptrdiff_t cut = str_find(part, ';');
                if (cut >= 0 && is_dots(str_first(part, (size_t)cut)))
                        return true;
                if (is_all)
                        return false;
                struct str rest = str_skip(segment, len + 3);
                if (is_dots(part) || is_dots(str_first(rest, part_length(rest))))
                        return true;
                segment = rest;
        }
}

/* Resolves dot segments and merges slashes, in place; `path` begins with a slash. */
static bool resolve(struct text *path)
{
        struct str rest = str_skip(text_str(path), 1);
        size_t len = 1; /* of the result, which ends with a slash here always */
        while (rest.ptr != NULL) {
                struct str segment = str_cut(&rest, '/');
                bool is_last = rest.ptr == NULL;
                if (segment.len == 0 || str_eq(segment, S(".")))
                        continue;
                if (str_eq(segment, S(".."))) {
                        if (len == 1)
                                return false;
                        do {
                                len--;
                        } while (path->at[len - 1] != '/');
                        continue;
                }
                if (hides_dots(segment))
                        return false;
                memmove(path->at + len, segment.ptr, segment.len);
                len += segment.len;
                if (!is_last)
                        path->at[len++] = '/';
        }
        path->len = len;
        return true;
}

/* All kinds of characters in it; KIND_WORK also for slashes and dots behind a slash. */
static unsigned kinds_in(struct str path)
{
        unsigned all = 0;
        char before = 0;
        for (size_t i = 0; i < path.len; i++) {
                unsigned kind = kinds[(uint8_t)path.ptr[i]];
                all |= kind;
                if ((kind & KIND_MARK) != 0 && before == '/')
                        all |= KIND_WORK;
                before = path.ptr[i];
        }
        return all;
}

static enum target_fault normalise(struct str raw, struct arena *arena, struct str *ret_path,
                                   bool *ret_may_be_loose)
{
        if (raw.len == 0 || raw.ptr[0] != '/')
                return TARGET_BAD;
        unsigned all = kinds_in(raw);
        *ret_may_be_loose = (all & KIND_LOOSE) != 0;
        if (likely((all & KIND_WORK) == 0)) {
                *ret_path = raw;
                return TARGET_OK;
        }
        if ((all & KIND_BAD) != 0)
                return TARGET_BAD;
        size_t size;
        if (mul_overflows(raw.len, 3u, &size))
                return TARGET_BAD;
        struct text out = text_over(arena_alloc(arena, size), size);
        enum target_fault fault = spell(raw, &out);
        if (fault == TARGET_BAD || !resolve(&out))
                return TARGET_BAD;
        *ret_path = text_str(&out);
        *ret_may_be_loose = path_may_be_loose(*ret_path);
        return fault;
}

enum target_fault path_normalise(struct str raw, struct arena *arena, struct str *ret_path)
{
        bool may_be_loose;
        return normalise(raw, arena, ret_path, &may_be_loose);
}

/* ---- the loosest reading ---- */

bool path_may_be_loose(struct str path)
{
        return (kinds_in(path) & KIND_LOOSE) != 0;
}

/* Decodes as often as anything can be decoded, in one pass: what an escape yields may complete an
 * escape that began before it. */
static void decode_fully(struct str path, struct text *out)
{
        for (size_t i = 0; i < path.len; i++) {
                text_char(out, path.ptr[i]);
                while (out->len >= 3) {
                        int c = escape_at(text_str(out), out->len - 3);
                        if (c < 0)
                                break;
                        out->len -= 3;
                        text_char(out, (char)c);
                }
        }
}

static bool ends_path(char c)
{
        return (uint8_t)c < 0x20 || c == 0x7f || c == '?' || c == '#';
}

static struct str drop_end(struct str s, bool with_dots)
{
        while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || (with_dots && s.ptr[s.len - 1] == '.')))
                s.len--;
        return s;
}

struct str path_loose(struct str path, struct arena *arena)
{
        size_t size = path.len + 1;
        struct text out = text_over(arena_alloc(arena, size), size);
        decode_fully(path, &out);
        size_t end = 0;
        for (; end < out.len && !ends_path(out.at[end]); end++)
                out.at[end] = out.at[end] == '\\' ? '/' : char_lower(out.at[end]);
        struct str rest = str_skip(str_from(out.at, end), 1);
        size_t len = 1;
        out.at[0] = '/';
        while (rest.ptr != NULL) {
                struct str segment = str_cut(&rest, '/'), parameters = segment;
                bool is_last = rest.ptr == NULL;
                segment = drop_end(str_cut(&parameters, ';'), false);
                if (str_eq(segment, S(".."))) {
                        while (len > 1 && out.at[--len - 1] != '/')
                                continue;
                        continue;
                }
                segment = drop_end(segment, true);
                if (segment.len == 0)
                        continue;
                memmove(out.at + len, segment.ptr, segment.len);
                len += segment.len;
                if (!is_last)
                        out.at[len++] = '/';
        }
        return str_from(out.at, len);
}

/* ---- the target ---- */

/* Takes scheme and authority off an absolute-form target (RFC 9112 3.2.2). */
static bool cut_authority(struct str *raw, struct str *ret_authority)
{
        size_t scheme = str_eq_nocase(str_first(*raw, 7), S("http://"))    ? 7
                        : str_eq_nocase(str_first(*raw, 8), S("https://")) ? 8
                                                                           : 0;
        if (scheme == 0)
                return false;
        struct str rest = str_skip(*raw, scheme);
        size_t len = 0;
        while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?')
                len++;
        *ret_authority = str_first(rest, len);
        *raw = str_skip(rest, len);
        return len > 0 && str_find(*ret_authority, '@') < 0; /* RFC 9110 4.2.4 */
}

enum target_fault target_read(struct str raw, struct arena *arena, struct target *ret_target)
{
        struct target target = {0};
        /* A '#' would begin what no client may send (RFC 9112 3.2). */
        if (raw.len == 0 || target_run(raw) != raw.len || str_find(raw, '#') >= 0)
                return TARGET_BAD;
        if (str_eq(raw, S("*"))) {
                *ret_target = (struct target){.path = raw, .is_asterisk = true};
                return TARGET_OK;
        }
        if (raw.ptr[0] != '/' && !cut_authority(&raw, &target.authority))
                return TARGET_BAD;
        target.query = raw;
        struct str path = str_cut(&target.query, '?');
        if (path.len == 0)
                path = S("/");
        enum target_fault fault = normalise(path, arena, &target.path, &target.has_escapes);
        if (fault != TARGET_BAD)
                *ret_target = target;
        return fault;
}

/* ---- hosts ---- */

enum { LABEL_MAX = 63, NAME_MAX_LENGTH = 253 };

/* Labels of letters, digits, '-' and '_', parted by single dots. */
static bool is_name(struct str host)
{
        size_t label = 0;
        if (host.len > NAME_MAX_LENGTH)
                return false;
        for (size_t i = 0; i < host.len; i++) {
                char c = char_lower(host.ptr[i]);
                bool is_good = (c >= 'a' && c <= 'z') || char_is_digit(c) || c == '-' || c == '_';
                if (c == '.' ? label == 0 : !is_good || label == LABEL_MAX)
                        return false;
                label = c == '.' ? 0 : label + 1;
        }
        return label > 0;
}

static struct str to_lower(struct str s, struct arena *arena)
{
        size_t upper = 0;
        while (upper < s.len && s.ptr[upper] == char_lower(s.ptr[upper]))
                upper++;
        if (upper == s.len)
                return s;
        char *lower = arena_alloc(arena, s.len);
        for (size_t i = 0; i < s.len; i++)
                lower[i] = char_lower(s.ptr[i]);
        return str_from(lower, s.len);
}

/* "[v6]" in its one form. */
static enum err bracket(struct str ip, struct arena *arena, struct str *ret_host)
{
        uint8_t bytes[16];
        char memory[IP_TEXT_MAX + 2];
        struct text out = text_over(memory, sizeof memory);
        if (str_find(ip, ':') < 0 || ip_read(ip, bytes) != ERR_ok)
                return ERR_syntax;
        text_char(&out, '[');
        ip6_write(bytes, &out);
        text_char(&out, ']');
        *ret_host = arena_str(arena, text_str(&out));
        return ERR_ok;
}

static enum err port_read(struct str s, uint16_t default_port, uint16_t *ret_port)
{
        uint64_t port;
        if (s.len == 0) {
                *ret_port = default_port;
                return ERR_ok;
        }
        if (s.len > 5 || str_to_u64(s, &port) != ERR_ok || port == 0 || port > UINT16_MAX)
                return ERR_syntax;
        *ret_port = (uint16_t)port;
        return ERR_ok;
}

enum err host_normalise(struct str raw, uint16_t default_port, struct arena *arena,
                        struct str *ret_host, uint16_t *ret_port)
{
        struct str rest = raw, host;
        uint16_t port;
        bool is_bracketed = raw.len > 0 && raw.ptr[0] == '[';
        if (is_bracketed) {
                rest = str_skip(raw, 1);
                host = str_cut(&rest, ']');
                if (rest.ptr == NULL || (rest.len > 0 && rest.ptr[0] != ':'))
                        return ERR_syntax;
                rest = str_skip(rest, 1);
        } else {
                host = str_cut(&rest, ':');
        }
        if (port_read(rest, default_port, &port) != ERR_ok)
                return ERR_syntax;
        if (is_bracketed) {
                if (bracket(host, arena, ret_host) != ERR_ok)
                        return ERR_syntax;
        } else {
                if (host.len > 0 && host.ptr[host.len - 1] == '.')
                        host.len--;
                if (!is_name(host))
                        return ERR_syntax;
                *ret_host = to_lower(host, arena);
        }
        *ret_port = port;
        return ERR_ok;
}

/* ---- queries ---- */

bool query_next(struct str *rest, struct str *ret_name, struct str *ret_value)
{
        while (rest->ptr != NULL) {
                struct str pair = str_cut(rest, '&');
                if (pair.len == 0)
                        continue;
                *ret_value = pair;
                *ret_name = str_cut(ret_value, '=');
                return true;
        }
        return false;
}

enum err percent_decode(struct str s, bool plus_is_space, struct arena *arena,
                        struct str *ret_decoded)
{
        size_t plain = 0;
        while (plain < s.len && s.ptr[plain] != '%' && !(plus_is_space && s.ptr[plain] == '+'))
                plain++;
        if (plain == s.len) {
                *ret_decoded = s;
                return ERR_ok;
        }
        struct text out = text_over(arena_alloc(arena, s.len), s.len);
        for (size_t i = 0; i < s.len; i++) {
                int c = (uint8_t)s.ptr[i];
                if (c == '%') {
                        c = escape_at(s, i);
                        i += 2;
                } else if (c == '+' && plus_is_space) {
                        c = ' ';
                }
                if (c < 0)
                        return ERR_syntax;
                text_char(&out, (char)c);
        }
        *ret_decoded = text_str(&out);
        return ERR_ok;
}
