/* trace.c -- Trace Context by its grammar. Where level 1 is stricter on keys with a tenant (tenant
 * of up to 241, system of up to 14 characters, one '@'), so are we: its test suite says so. */
#include "wire/trace.h"

static int hex_lower(char c)
{
        return c >= 'A' && c <= 'F' ? -1 : char_hex(c);
}

/* `count` bytes from lower case digits; false for others. */
static bool read_bytes(struct str s, size_t at, uint8_t *ret_bytes, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                int high = hex_lower(s.ptr[at + 2 * i]), low = hex_lower(s.ptr[at + 2 * i + 1]);
                if (high < 0 || low < 0)
                        return false;
                ret_bytes[i] = (uint8_t)(high << 4 | low);
        }
        return true;
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
        uint8_t any = 0;
        for (size_t i = 0; i < count; i++)
                any |= bytes[i];
        return any == 0;
}

enum err trace_read(struct str s, struct trace *ret_trace)
{
        struct trace trace;
        uint8_t version;
        if (s.len < TRACEPARENT_LENGTH || s.ptr[2] != '-' || s.ptr[35] != '-' || s.ptr[52] != '-')
                return ERR_syntax;
        if (!read_bytes(s, 0, &version, 1) || !read_bytes(s, 3, trace.id, sizeof trace.id) ||
            !read_bytes(s, 36, trace.parent, sizeof trace.parent) ||
            !read_bytes(s, 53, &trace.flags, 1))
                return ERR_syntax;
        if (version == 0xff || is_zero(trace.id, sizeof trace.id) ||
            is_zero(trace.parent, sizeof trace.parent))
                return ERR_syntax;
        if (s.len > TRACEPARENT_LENGTH && (version == 0 || s.ptr[TRACEPARENT_LENGTH] != '-'))
                return ERR_syntax;
        trace.flags &= version == 0 ? TRACE_SAMPLED | TRACE_RANDOM : TRACE_SAMPLED;
        *ret_trace = trace;
        return ERR_ok;
}

static char *put_bytes(char *at, const uint8_t *bytes, size_t count)
{
        static const char digits[] = "0123456789abcdef";
        for (size_t i = 0; i < count; i++) {
                *at++ = digits[bytes[i] >> 4];
                *at++ = digits[bytes[i] & 15];
        }
        return at;
}

void trace_write(const struct trace *trace, struct text *out)
{
        char line[TRACEPARENT_LENGTH], *at = line;
        *at++ = '0';
        *at++ = '0';
        *at++ = '-';
        at = hex_put(at, trace->id, sizeof trace->id);
        *at++ = '-';
        at = hex_put(at, trace->parent, sizeof trace->parent);
        *at++ = '-';
        put_bytes(at, &trace->flags, 1);
        text_put(out, str_from(line, sizeof line));
}

enum err trace_of(const struct fields *fields, struct trace *ret_trace)
{
        const struct field *found = NULL;
        fields_each (field, fields) {
                if (field->id != NAME_traceparent)
                        continue;
                if (found != NULL)
                        return ERR_syntax;
                found = field;
        }
        return found == NULL ? ERR_missing : trace_read(found->value, ret_trace);
}

/* ---- tracestate ---- */

enum { KEY_MAX = 256, OWNER_MAX = 241, SYSTEM_MAX = 14, VALUE_MAX = 256, MEMBER_LONG = 128 };

static bool is_letter(char c)
{
        return c >= 'a' && c <= 'z';
}

static bool is_key_part(struct str s, size_t max)
{
        for (size_t i = 0; i < s.len; i++) {
                char c = s.ptr[i];
                if (!is_letter(c) && !char_is_digit(c) && c != '_' && c != '-' && c != '*' &&
                    c != '/')
                        return false;
        }
        return s.len > 0 && s.len <= max && (is_letter(s.ptr[0]) || char_is_digit(s.ptr[0]));
}

static bool is_key(struct str key)
{
        struct str system = key, owner = str_cut(&system, '@');
        if (system.ptr == NULL)
                return is_key_part(key, KEY_MAX);
        return is_key_part(owner, OWNER_MAX) && is_key_part(system, SYSTEM_MAX) &&
               is_letter(system.ptr[0]);
}

static bool is_value(struct str value)
{
        for (size_t i = 0; i < value.len; i++) {
                char c = value.ptr[i];
                if (c < 0x20 || c > 0x7e || c == '=')
                        return false;
        }
        return value.len > 0 && value.len <= VALUE_MAX;
}

struct members {
        struct str at[TRACESTATE_MEMBERS];
        size_t count, len; /* of all, with commas between */
};

static struct str key_of(struct str member)
{
        return str_cut(&member, '=');
}

static bool members_add(struct members *members, struct str member)
{
        struct str value = member, key = str_cut(&value, '=');
        if (members->count == TRACESTATE_MEMBERS || value.ptr == NULL || !is_key(key) ||
            !is_value(value))
                return false;
        for (size_t i = 0; i < members->count; i++) {
                if (str_eq(key_of(members->at[i]), key))
                        return false;
        }
        members->len += member.len + (members->count > 0);
        members->at[members->count++] = member;
        return true;
}

static void members_drop(struct members *members, size_t i)
{
        members->len -= members->at[i].len + (members->count > 1);
        members->count--;
        memmove(members->at + i, members->at + i + 1, (members->count - i) * sizeof *members->at);
}

/* Drops whole members until the rest fits. */
static void members_fit(struct members *members, size_t max)
{
        for (size_t i = members->count; i > 0 && members->len > max; i--) {
                if (members->at[i - 1].len > MEMBER_LONG)
                        members_drop(members, i - 1);
        }
        while (members->count > 0 && members->len > max)
                members_drop(members, members->count - 1);
}

enum err tracestate_join(const struct fields *fields, struct text *out)
{
        struct members members = {.count = 0};
        fields_each (field, fields) {
                struct str rest = field->value;
                if (field->id != NAME_tracestate)
                        continue;
                while (rest.ptr != NULL) {
                        struct str member = str_trim(str_cut(&rest, ','));
                        if (member.len > 0 && !members_add(&members, member))
                                return ERR_syntax;
                }
        }
        members_fit(&members, size_min(TRACESTATE_MAX, out->max - out->len));
        for (size_t i = 0; i < members.count; i++) {
                if (i > 0)
                        text_char(out, ',');
                text_put(out, members.at[i]);
        }
        return ERR_ok;
}

bool request_id_is_good(struct str s)
{
        for (size_t i = 0; i < s.len; i++) {
                char c = s.ptr[i], l = char_lower(c);
                if (!is_letter(l) && !char_is_digit(c) && c != '.' && c != '_' && c != '~' &&
                    c != '-')
                        return false;
        }
        return s.len > 0 && s.len <= REQUEST_ID_MAX;
}
