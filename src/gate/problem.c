/* problem.c -- problems as JSON and as a page, and the fields that go with them. */
#include "gate/problem.h"

#include "wire/accept.h"
#include "wire/h1.h"
#include "wire/trace.h"

enum { TITLE_MAX = 200, ID_MAX = 128, TYPES_MAX = 512, CODE_MAX = 64, HOP_MAX = 200 };

static const struct str URN = S_INIT("urn:gatehouse:problem:");

/* Error types of RFC 9209 2.3. What is the caller's fault has none: no next hop had part in it. */
static const struct {
        enum reason reason;
        struct str error;
} proxy_errors[] = {
        {REASON_upstream_refused, S_INIT("connection_refused")},
        {REASON_upstream_invalid, S_INIT("http_protocol_error")},
        {REASON_upstream_cut, S_INIT("http_response_incomplete")},
        {REASON_upstream_unreached, S_INIT("connection_timeout")},
        {REASON_upstream_timeout, S_INIT("http_response_timeout")},
        {REASON_upstream_stalled, S_INIT("connection_read_timeout")},
        {REASON_total_timeout, S_INIT("http_response_timeout")},
        {REASON_no_target, S_INIT("destination_unavailable")},
        {REASON_dependency_down, S_INIT("proxy_internal_error")},
        {REASON_fault, S_INIT("proxy_internal_error")},
        {REASON_loop, S_INIT("proxy_loop_detected")},
};

/* At most `max` bytes, not ending inside a character. */
static struct str cut(struct str s, size_t max)
{
        if (s.len <= max)
                return s;
        while (max > 0 && ((unsigned char)s.ptr[max] & 0xc0) == 0x80)
                max--;
        return str_first(s, max);
}

static struct str code_of(const struct problem *problem)
{
        return cut(problem->code.len > 0 ? problem->code : reason_token(problem->reason), CODE_MAX);
}

/* A sentence stands without its full stop where it is a heading. */
static struct str title_of(const struct problem *problem)
{
        struct str title = problem->title;
        if (title.len == 0)
                title = reason_text(problem->reason);
        if (str_ends(title, S(".")))
                title.len--;
        return cut(title, TITLE_MAX);
}

uint16_t problem_status(const struct problem *problem)
{
        uint16_t status = problem->status;
        if (status == 0)
                status = reason_status(problem->reason);
        return status == 0 ? 500 : status;
}

enum problem_form problem_form(const struct fields *request)
{
        unsigned html = accept_quality_named(request, S("text/html"));
        unsigned json = accept_quality(request, S("application/problem+json"));
        unsigned plain = accept_quality(request, S("application/json"));
        if (plain > json)
                json = plain;
        return html > json ? PROBLEM_HTML : PROBLEM_JSON;
}

static void put_member(struct text *out, const char *name, struct str value)
{
        text_put(out, S(",\""));
        text_put(out, str_of(name));
        text_put(out, S("\":\""));
        text_json(out, value);
        text_char(out, '"');
}

static void put_more(const struct problem *problem, struct text *out)
{
        for (unsigned i = 0; i < problem->member_count; i++) {
                const struct problem_member *member = &problem->members[i];
                size_t from = out->len;
                if (!member->is_json) {
                        put_member(out, member->name, member->text);
                } else {
                        text_put(out, S(",\""));
                        text_put(out, str_of(member->name));
                        text_put(out, S("\":"));
                        text_put(out, member->text);
                }
                /* What closes the document must fit behind it. */
                if (out->is_cut || (out->arena == NULL && out->len == out->max) ||
                    (out->arena != NULL && out->len == out->limit)) {
                        out->len = from;
                        out->is_cut = false;
                }
        }
}

/* A URL that does not end where a name may follow gets a slash. */
static void put_type(const struct problem *problem, struct text *out)
{
        struct str types = cut(problem->types, TYPES_MAX);
        if (types.len == 0) /* none, or no character that can be cut off whole */
                types = URN;
        char last = types.ptr[types.len - 1];
        text_json(out, types);
        if (last != '/' && last != ':' && last != '#' && last != '=')
                text_char(out, '/');
        text_json(out, code_of(problem));
}

static void put_json(const struct problem *problem, struct text *out)
{
        text_put(out, S("{\"type\":\""));
        put_type(problem, out);
        text_char(out, '"');
        put_member(out, "title", title_of(problem));
        text_put(out, S(",\"status\":"));
        text_u64(out, problem_status(problem));
        if (problem->detail.len > 0)
                put_member(out, "detail", cut(problem->detail, PROBLEM_DETAIL_MAX));
        put_member(out, "code", code_of(problem));
        if (problem->request_id.len > 0) {
                struct str id = cut(problem->request_id, ID_MAX);
                text_put(out, S(",\"instance\":\"urn:gatehouse:request:"));
                text_json(out, id);
                text_char(out, '"');
                put_member(out, "request_id", id);
        }
        put_more(problem, out);
        text_char(out, '}');
}

/* Characters that mean something in HTML are written as references, what is no text is not written.
 */
static void put_html(struct text *out, struct str s)
{
        for (size_t i = 0; i < s.len;) {
                size_t len = str_utf8(s, i);
                unsigned char c = (unsigned char)s.ptr[i];
                if (len > 1) {
                        text_put(out, str_from(s.ptr + i, len));
                } else if (c == '<' || c == '>' || c == '&' || c == '"' || c == '\'') {
                        text_put(out, S("&#"));
                        text_u64(out, c);
                        text_char(out, ';');
                } else if (len == 1 && c >= 0x20 && c != 0x7f) {
                        text_char(out, (char)c);
                } else {
                        text_put(out, S("\xef\xbf\xbd"));
                        len = 1;
                }
                i += len;
        }
}

static void put_page(const struct problem *problem, struct text *out)
{
        text_put(out, S("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>"));
        text_u64(out, problem_status(problem));
        text_char(out, ' ');
        put_html(out, title_of(problem));
        text_put(out, S("</title><style>body{font:1rem/1.5 system-ui,sans-serif;max-width:38rem;"
                        "margin:15vh auto;padding:0 1rem;color:#222;background:#fff}"
                        "h1{font-size:1.3rem}p.s{color:#666;font-size:.85rem}</style></head>"
                        "<body><h1>"));
        text_u64(out, problem_status(problem));
        text_put(out, S(" "));
        put_html(out, title_of(problem));
        text_put(out, S("</h1>"));
        if (problem->detail.len > 0) {
                text_put(out, S("<p>"));
                put_html(out, cut(problem->detail, PROBLEM_DETAIL_MAX));
                text_put(out, S("</p>"));
        }
        text_put(out, S("<p class=\"s\">"));
        put_html(out, code_of(problem));
        if (problem->request_id.len > 0) {
                text_put(out, S(", request "));
                put_html(out, cut(problem->request_id, ID_MAX));
        }
        text_put(out, S("</p></body></html>\n"));
}

void problem_put(const struct problem *problem, enum problem_form form, struct text *out)
{
        if (form == PROBLEM_HTML)
                put_page(problem, out);
        else
                put_json(problem, out);
}

/* A string of RFC 9651 3.3.3: printable ASCII, quotes and backslashes escaped. */
static void put_sf_string(struct text *out, struct str s)
{
        text_char(out, '"');
        for (size_t i = 0; i < s.len; i++) {
                if (s.ptr[i] == '"' || s.ptr[i] == '\\')
                        text_char(out, '\\');
                text_char(out, s.ptr[i] >= 0x20 && s.ptr[i] < 0x7f ? s.ptr[i] : '?');
        }
        text_char(out, '"');
}

void proxy_status_put(struct text *out, enum reason reason, struct str next_hop)
{
        for (size_t i = 0; i < countof(proxy_errors); i++) {
                if (proxy_errors[i].reason != reason)
                        continue;
                text_put(out, S("gate; error="));
                text_put(out, proxy_errors[i].error);
                if (next_hop.len > 0) {
                        text_put(out, S("; next-hop="));
                        put_sf_string(out, cut(next_hop, HOP_MAX));
                }
                return;
        }
}

struct str problem_type(enum problem_form form)
{
        return form == PROBLEM_HTML ? S("text/html; charset=utf-8") : S("application/problem+json");
}

void problem_put_fields(const struct problem *problem, enum problem_form form,
                        struct fields *response, struct arena *arena)
{
        fields_set_known(response, NAME_content_type, problem_type(form));
        fields_set_known(response, NAME_cache_control, S("no-store"));
        if (form == PROBLEM_HTML)
                fields_set_known(response, NAME_content_security_policy,
                                 S("default-src 'none'; style-src 'unsafe-inline'"));
        if (problem->retry_s > 0)
                fields_set_known(response, NAME_retry_after,
                                 arena_format(arena, "%llu", (unsigned long long)problem->retry_s));
        struct text value = text_grow(arena, 3 * HOP_MAX);
        proxy_status_put(&value, problem->reason, problem->next_hop);
        if (value.len > 0)
                fields_set_known(response, NAME_proxy_status, text_str(&value));
}

struct str problem_make(const struct problem *problem, const struct fields *request,
                        struct fields *response, struct arena *arena)
{
        enum problem_form form = problem_form(request);
        struct text out = text_grow(arena, PROBLEM_MAX);
        problem_put(problem, form, &out);
        problem_put_fields(problem, form, response, arena);
        return text_str(&out);
}

void problem_put_answer(const struct problem *problem, struct str date, struct text *out)
{
        char memory[PROBLEM_MAX], digits[24];
        struct text body = text_over(memory, sizeof memory);
        struct text length = text_over(digits, sizeof digits);
        problem_put(problem, PROBLEM_JSON, &body);
        text_u64(&length, body.len);
        h1_put_status_line(out, problem_status(problem));
        if (date.len > 0)
                h1_put_field(out, S("Date"), date);
        h1_put_field(out, S("Content-Type"), problem_type(PROBLEM_JSON));
        h1_put_field(out, S("Cache-Control"), S("no-store"));
        h1_put_field(out, S("Content-Length"), text_str(&length));
        if (request_id_is_good(problem->request_id))
                h1_put_field(out, S("X-Request-Id"), problem->request_id);
        h1_put_field(out, S("Connection"), S("close"));
        text_put(out, S("\r\n"));
        text_put(out, text_str(&body));
}
