/* format.c -- what texts may look like, checked by hand; format.def has the same as regular
 * expressions, for the JSON Schema, and a test compares both. */
#include "schema/setting.h"

static bool is_alpha(char c)
{
        char lower = char_lower(c);
        return lower >= 'a' && lower <= 'z';
}

static bool is_word(char c)
{
        return is_alpha(c) || char_is_digit(c) || c == '_' || c == '-';
}

static bool fits_any(struct str s)
{
        (void)s;
        return true;
}

static bool fits_name(struct str s)
{
        if (s.len == 0 || s.len > 63 || s.ptr[0] < 'a' || s.ptr[0] > 'z')
                return false;
        for (size_t i = 0; i < s.len; i++) {
                if (!is_word(s.ptr[i]) || s.ptr[i] == '_' || (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z'))
                        return false;
        }
        return true;
}

/* Every byte but controls and blanks, `?` and `#`. */
static bool fits_path(struct str s)
{
        if (s.len == 0 || s.ptr[0] != '/')
                return false;
        for (size_t i = 0; i < s.len; i++) {
                unsigned char c = (unsigned char)s.ptr[i];
                if (c <= ' ' || c == 0x7f || c == '?' || c == '#')
                        return false;
        }
        return true;
}

static bool fits_labels(struct str s)
{
        while (s.ptr != NULL) {
                struct str label = str_cut(&s, '.');
                if (label.len == 0)
                        return false;
                for (size_t i = 0; i < label.len; i++) {
                        if (!is_word(label.ptr[i]))
                                return false;
                }
        }
        return true;
}

static bool fits_host(struct str s)
{
        if (s.len > 2 && s.ptr[0] == '[' && s.ptr[s.len - 1] == ']') {
                for (size_t i = 1; i + 1 < s.len; i++) {
                        if (char_hex(s.ptr[i]) < 0 && s.ptr[i] != ':' && s.ptr[i] != '.')
                                return false;
                }
                return true;
        }
        return s.len > 0 && s.len <= 253 &&
               fits_labels(str_starts(s, S("*.")) ? str_skip(s, 2) : s);
}

static bool fits_token(struct str s)
{
        for (size_t i = 0; i < s.len; i++) {
                char c = s.ptr[i];
                if (!is_word(c) && (c == '\0' || strchr("!#$%&'*+.^`|~", c) == NULL))
                        return false;
        }
        return s.len > 0;
}

static bool fits_method(struct str s)
{
        for (size_t i = 0; i < s.len; i++) {
                if ((s.ptr[i] < 'A' || s.ptr[i] > 'Z') && (s.ptr[i] != '-' || i == 0))
                        return false;
        }
        return s.len > 0 && s.len <= 32;
}

static bool fits_route(struct str s)
{
        struct str rest = s, first = str_cut(&rest, ' ');
        if (rest.ptr != NULL)
                return fits_method(first) && fits_path(rest);
        if (s.len > 0 && s.ptr[0] == '/')
                return fits_path(s);
        for (size_t i = 0; i < s.len; i++) {
                if (!is_word(s.ptr[i]))
                        return false;
        }
        return s.len > 0 && s.len <= 63 && (is_alpha(s.ptr[0]) || s.ptr[0] == '_');
}

static bool fits_line(struct str s)
{
        for (size_t i = 0; i < s.len; i++) {
                unsigned char c = (unsigned char)s.ptr[i];
                if (c < 0x20 || c == 0x7f)
                        return false;
        }
        return true;
}

static bool fits_header_value(struct str s)
{
        for (size_t i = 0; i < s.len; i++) {
                unsigned char c = (unsigned char)s.ptr[i];
                if ((c < 0x20 && c != '\t') || c == 0x7f)
                        return false;
        }
        return true;
}

static bool fits_visible(struct str s)
{
        for (size_t i = 0; i < s.len; i++) {
                if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f)
                        return false;
        }
        return s.len > 0 && s.len <= 256;
}

static bool fits_file(struct str s)
{
        return s.len > 0 && str_find(s, '\0') < 0;
}

static bool fits_origin(struct str s)
{
        struct url url;
        if (str_is(s, "*") || str_is(s, "null"))
                return true;
        return url_read(s, &url) == ERR_ok && url.path.len == 0;
}

static bool fits_hash(struct str s)
{
        if (str_starts(s, S("header:")))
                return fits_token(str_skip(s, 7));
        return str_is(s, "ip") || str_is(s, "consumer") || str_is(s, "path");
}

static bool fits_url(struct str s)
{
        struct url url;
        return url_read(s, &url) == ERR_ok;
}

static const struct {
        bool (*fits)(struct str s);
        const char *pattern, *text, *example;
} formats[] = {
        [FORMAT_any] = {fits_any, NULL, "any text", NULL},
#define FORMAT(id, pattern, text, example) [FORMAT_##id] = {fits_##id, pattern, text, example},
#include "schema/format.def"
#undef FORMAT
};

bool format_fits(enum format format, struct str text)
{
        return formats[format].fits(text);
}

const char *format_text(enum format format)
{
        return formats[format].text;
}

const char *format_pattern(enum format format)
{
        return formats[format].pattern;
}

const char *format_example(enum format format)
{
        return formats[format].example;
}
