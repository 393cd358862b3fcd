/* h2_head.c -- what a header section of HTTP/2 may say, and what is made of it. */
#include "http/h2_head.h"

#include "base/check.h"

/* A section this many times over its limits is not sent by mistake. */
enum { BOMB = 4 };

static const struct str pseudo_names[H2_PSEUDOS] = {
        [H2_METHOD] = S_INIT(":method"),
        [H2_SCHEME] = S_INIT(":scheme"),
        [H2_AUTHORITY] = S_INIT(":authority"),
        [H2_PATH] = S_INIT(":path"),
};

static void fault(struct h2_head *head, enum h2_fault what)
{
        if (head->fault == H2_FAULT_NONE || what == H2_FAULT_MALFORMED)
                head->fault = what;
}

static void malformed(struct h2_head *head)
{
        fault(head, H2_FAULT_MALFORMED);
}

void h2_head_begin(struct h2_head *head, struct page_pool *pool, const struct h1_limits *limits,
                   bool is_trailer)
{
        h2_head_fini(head);
        *head = (struct h2_head){.limits = limits, .is_begun = true, .is_trailer = is_trailer};
        arena_init(&head->arena, pool, SIZE_MAX / 2);
        fields_init(&head->fields, &head->arena, 0);
}

void h2_head_fini(struct h2_head *head)
{
        if (head->is_begun)
                arena_fini(&head->arena);
        head->is_begun = false;
}

bool h2_head_is_bomb(const struct h2_head *head)
{
        return head->size > BOMB * (head->limits->header + head->limits->target) ||
               head->count > BOMB * (uint32_t)head->limits->fields;
}

/* Counts a field; false when it is not to be kept. */
static bool fits(struct h2_head *head, struct str name, struct str value)
{
        const struct h1_limits *limits = head->limits;
        size_t size = name.len + value.len;
        head->count++;
        head->size += (uint32_t)size_min(size, INT32_MAX / 2) + H2_FIELD_OVERHEAD;
        if (size > limits->field || head->count > limits->fields + (uint32_t)H2_PSEUDOS ||
            head->size > limits->header + limits->target)
                fault(head, H2_FAULT_FIELD_LENGTH);
        return head->fault == H2_FAULT_NONE;
}

static void add_pseudo(struct h2_head *head, struct str name, struct str value)
{
        unsigned id = 0;
        while (id < H2_PSEUDOS && !str_eq(name, pseudo_names[id]))
                id++;
        /* RFC 9113 8.3: known, once, before all others, and never behind a body. */
        if (id == H2_PSEUDOS || head->pseudo[id].ptr != NULL || head->has_plain ||
            head->is_trailer) {
                malformed(head);
                return;
        }
        if (id == H2_PATH && value.len > head->limits->target)
                fault(head, H2_FAULT_TARGET_LENGTH);
        if (id != H2_PATH && value.len > head->limits->field)
                fault(head, H2_FAULT_FIELD_LENGTH);
        head->size += (uint32_t)size_min(value.len, INT32_MAX / 2) + H2_FIELD_OVERHEAD;
        head->count++;
        /* What is too long is shown in the log with its beginning. */
        size_t most = size_max(head->limits->target, head->limits->field);
        head->pseudo[id] = value.len == 0 ? S("") : arena_str(&head->arena, str_first(value, most));
}

/* RFC 9113 8.2.1: lower case, a token. */
static bool is_name(struct str name)
{
        if (!name_is_token(name))
                return false;
        for (size_t i = 0; i < name.len; i++) {
                if (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z')
                        return false;
        }
        return true;
}

static bool is_blank(char c)
{
        return c == ' ' || c == '\t';
}

/* RFC 9113 8.2.1: no controls, no blanks around. */
static bool is_value(struct str value)
{
        if (value.len == 0)
                return true;
        return value_is_safe(value) && !is_blank(value.ptr[0]) &&
               !is_blank(value.ptr[value.len - 1]);
}

/* What the field says of the message itself; false when it is not one of its fields. */
static bool judge_field(struct h2_head *head, enum name id, struct str value)
{
        switch ((int)id) {
        case NAME_connection: /* RFC 9113 8.2.2 */
        case NAME_keep_alive:
        case NAME_proxy_connection:
        case NAME_transfer_encoding:
        case NAME_upgrade:
                malformed(head);
                return false;
        case NAME_te:
                if (!str_eq_nocase(value, S("trailers")))
                        malformed(head);
                head->takes_trailers = true;
                return false;
        case NAME_content_length: /* RFC 9110 8.6, below 2^63 */
                if (head->has_length || str_to_u64(value, &head->length) != ERR_ok ||
                    head->length > INT64_MAX)
                        malformed(head);
                head->has_length = true;
                return false;
        case NAME_expect:
                if (!str_eq_nocase(value, S("100-continue")))
                        fault(head, H2_FAULT_EXPECT);
                head->expects_continue = true;
                return false;
        default:
                return (name_flags(id) & (NAME_HOP | NAME_FRAMING)) == 0;
        }
}

void h2_head_add(struct h2_head *head, struct str name, struct str value)
{
        if (head->fault == H2_FAULT_MALFORMED) {
                head->count++;
                head->size += H2_FIELD_OVERHEAD + (uint32_t)size_min(value.len, INT32_MAX / 2);
                return;
        }
        if (!is_value(value)) {
                malformed(head);
                return;
        }
        if (name.len > 0 && name.ptr[0] == ':') {
                add_pseudo(head, name, value);
                return;
        }
        head->has_plain = true;
        if (!is_name(name)) {
                malformed(head);
                return;
        }
        enum name id = name_find_exact(name);
        if ((name_flags(id) & NAME_SINGLE) != 0) {
                uint64_t bit = (uint64_t)1 << (id % 64);
                if ((head->seen[id / 64] & bit) != 0)
                        malformed(head);
                head->seen[id / 64] |= bit;
        }
        bool is_own = judge_field(head, id, value);
        /* Some servers take `_` for `-`: dropped as in HTTP/1 (security.md d.3). */
        if (!fits(head, name, value) || !is_own || (id == NAME_other && name_has_underscore(name)))
                return;
        /* A known name costs no memory and has its canonical spelling. */
        struct str kept = id == NAME_other ? arena_str(&head->arena, name) : name_text(id);
        fields_add(&head->fields, kept, arena_str(&head->arena, value));
        head->bytes += (uint32_t)(kept.len + value.len + 2);
}

/* ---- what the fields say together ---- */

static bool is_letter(char c)
{
        return char_lower(c) >= 'a' && char_lower(c) <= 'z';
}

/* RFC 3986 3.1 */
static bool is_scheme(struct str scheme)
{
        if (scheme.len == 0 || !is_letter(scheme.ptr[0]))
                return false;
        for (size_t i = 1; i < scheme.len; i++) {
                char c = scheme.ptr[i];
                if (!is_letter(c) && !char_is_digit(c) && c != '+' && c != '-' && c != '.')
                        return false;
        }
        return true;
}

/* RFC 9113 8.3.1: origin-form, or `*` with OPTIONS. */
static bool is_path(const struct h2_head *head)
{
        struct str path = head->pseudo[H2_PATH];
        if (str_is(path, "*"))
                return str_is(head->pseudo[H2_METHOD], "OPTIONS");
        if (path.len == 0 || path.ptr[0] != '/' || str_find(path, '#') >= 0)
                return false;
        return target_run(path) == path.len;
}

static bool is_request_line(const struct h2_head *head)
{
        const struct str *pseudo = head->pseudo;
        if (!name_is_token(pseudo[H2_METHOD]))
                return false;
        /* RFC 9113 8.5 */
        if (str_is(pseudo[H2_METHOD], "CONNECT"))
                return pseudo[H2_SCHEME].ptr == NULL && pseudo[H2_PATH].ptr == NULL &&
                       pseudo[H2_AUTHORITY].ptr != NULL;
        if (!is_scheme(pseudo[H2_SCHEME]) || pseudo[H2_PATH].ptr == NULL)
                return false;
        return head->fault == H2_FAULT_TARGET_LENGTH || is_path(head);
}

void h2_head_judge(struct h2_head *head, bool has_body)
{
        if (head->fault == H2_FAULT_MALFORMED || head->is_trailer)
                return;
        struct str authority = head->pseudo[H2_AUTHORITY];
        if (!is_request_line(head))
                malformed(head);
        if (authority.ptr != NULL && target_run(authority) != authority.len)
                malformed(head);
        if (!has_body && head->has_length && head->length > 0)
                malformed(head); /* RFC 9113 8.1.1 */
}

/* ---- into a struct head ---- */

/* The crumbs in one line (RFC 9113 8.2.3), at the place of the first. */
static void join_cookies(const struct h2_head *from, struct fields *fields, struct arena *arena)
{
        size_t len = 0;
        fields_each (field, &from->fields) {
                if (field->id == NAME_cookie)
                        len += field->value.len + 2;
        }
        struct text text = text_over(arena_alloc(arena, len), len);
        fields_each (field, &from->fields) {
                if (field->id != NAME_cookie)
                        continue;
                if (text.len > 0)
                        text_put(&text, S("; "));
                text_put(&text, field->value);
        }
        fields_set_known(fields, NAME_cookie, text_str(&text));
}

static void copy_fields(const struct h2_head *from, struct fields *to, struct arena *arena)
{
        struct text text = text_over(arena_alloc(arena, from->bytes + 1u), from->bytes + 1u);
        fields_init(to, arena, (uint16_t)(from->fields.count + 16));
        fields_each (field, &from->fields) {
                struct field copy = *field;
                if (field->id == NAME_other) {
                        copy.name.ptr = text.at + text.len;
                        text_put(&text, field->name);
                }
                copy.value.ptr = text.at + text.len;
                text_put(&text, field->value);
                to->at[to->count++] = copy;
        }
        CHECK(!text.is_cut);
}

/* The canonical host, of :authority or of Host; where both stand they must mean the same one
 * (RFC 9113 8.3.1). */
static enum reason read_authority(const struct h2_head *from, struct exchange *ex)
{
        struct head *head = &ex->req.head;
        uint16_t default_port = ex->is_secure ? 443 : 80;
        struct str authority = from->pseudo[H2_AUTHORITY];
        struct str field = fields_value(&head->fields, NAME_host);
        struct str host = STR_NONE;
        uint16_t port = 0;
        if (authority.ptr == NULL)
                authority = field;
        if (authority.len == 0 || host_normalise(arena_str(&ex->arena, authority), default_port,
                                                 &ex->arena, &head->host, &head->port) != ERR_ok)
                return REASON_bad_request;
        if (field.ptr != NULL &&
            (host_normalise(field, default_port, &ex->arena, &host, &port) != ERR_ok ||
             !str_eq(host, head->host) || port != head->port))
                return REASON_bad_request;
        fields_remove_known(&head->fields, NAME_host);
        return REASON_none;
}

enum reason h2_head_take(const struct h2_head *from, struct exchange *ex)
{
        struct head *head = &ex->req.head;
        bool is_connect = str_is(from->pseudo[H2_METHOD], "CONNECT");
        struct str target = from->pseudo[is_connect ? H2_AUTHORITY : H2_PATH];
        CHECK(from->fault != H2_FAULT_MALFORMED);
        copy_fields(from, &head->fields, &ex->arena);
        if (fields_count(&head->fields, NAME_cookie) > 1)
                join_cookies(from, &head->fields, &ex->arena);
        head->version = 20;
        head->expects_continue = from->expects_continue;
        head->takes_trailers = from->takes_trailers;
        head->method_text = arena_str(&ex->arena, from->pseudo[H2_METHOD]);
        head->method = method_find(head->method_text);
        head->raw_target = arena_str(&ex->arena, str_first(target, from->limits->target));
        if (from->fault == H2_FAULT_TARGET_LENGTH)
                return REASON_target_too_long;
        if (from->fault == H2_FAULT_FIELD_LENGTH)
                return REASON_header_too_large;
        if (!is_connect && target_read(head->raw_target, &ex->arena, &head->target) != TARGET_OK)
                return REASON_bad_request;
        enum reason reason = read_authority(from, ex);
        return reason == REASON_none && from->fault == H2_FAULT_EXPECT ? REASON_expectation_failed
                                                                       : reason;
}

void h2_head_take_trailers(const struct h2_head *from, struct exchange *ex)
{
        struct fields *trailers = &ex->req.trailers;
        struct fields all;
        if (from->fields.count == 0)
                return;
        copy_fields(from, &all, &ex->arena);
        fields_init(trailers, &ex->arena, all.count);
        fields_each (field, &all) {
                if (trailer_may_pass(&ex->req.head, field))
                        fields_add(trailers, field->name, field->value);
        }
}
