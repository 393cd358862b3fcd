/* h1.c -- heads of HTTP/1 messages, read strictly and resumably; and everything written
 * canonically. The reader is a row of steps over one run of bytes. Each step looks for the end of
 * its piece from where it stopped the last time, so no byte is looked at twice but for the ten of a
 * version and the few of a status. A piece that is too long is refused before what stands behind
 * its limit is judged: so the verdict does not depend on where the bytes were cut. */
#include "wire/h1.h"

#include "base/check.h"

enum { METHOD_MAX = 32, VERSION_LENGTH = 8, STATUS_LENGTH = 13 };

/* Steps of the reader, in order. */
enum step {
        STEP_BEGIN,   /* at the first byte; perhaps an empty line */
        STEP_METHOD,  /* in the method, from `line` */
        STEP_TARGET,  /* in the target, from `line` */
        STEP_VERSION, /* the version of a request begins at `line` */
        STEP_STATUS,  /* version and status of a response begin at `line` */
        STEP_PHRASE,  /* in the phrase, from `line` */
        STEP_FIRST,   /* at the start of a field line */
        STEP_NAME,    /* in a name, from `line` */
        STEP_VALUE,   /* in a value; the name is in the field */
        STEP_RETURN,  /* behind the CR of a field line */
        STEP_LAST,    /* behind the CR of the empty line */
};

void h1_begin(struct h1_head *head, enum h1_kind kind, const struct h1_limits *limits,
              struct h1_field *fields)
{
        CHECK(limits->field <= UINT16_MAX && limits->header < UINT32_MAX / 2);
        *head = (struct h1_head){.limits = limits, .fields = fields, .kind = (uint8_t)kind};
        head->step = kind == H1_TRAILER ? STEP_FIRST : STEP_BEGIN;
}

static not_inline enum h1_state bad(struct h1_head *head, enum h1_fault fault)
{
        head->fault = (uint8_t)fault;
        return H1_BAD;
}

static always_inline enum h1_state more(struct h1_head *head, enum step step, size_t at)
{
        head->step = (uint8_t)step;
        head->scanned = (uint32_t)at;
        return H1_MORE;
}

/* ---- first lines ---- */

/* Reads "HTTP/1.1" as far as there are bytes; the fault of a wrong one is told at once. */
static enum h1_state read_version(struct h1_head *head, const char *at, size_t len)
{
        if (likely(len >= VERSION_LENGTH && memcmp(at, "HTTP/1.1", VERSION_LENGTH) == 0)) {
                head->version = 11;
                return H1_DONE;
        }
        static const char form[VERSION_LENGTH] = {'H', 'T', 'T', 'P', '/', '0', '.', '0'};
        for (size_t i = 0; i < size_min(len, VERSION_LENGTH); i++) {
                bool is_good = form[i] == '0' ? char_is_digit(at[i]) : at[i] == form[i];
                if (!is_good)
                        return bad(head, H1_FAULT_SYNTAX);
        }
        if (len < VERSION_LENGTH)
                return H1_MORE;
        head->version = at[7] == '0' ? 10 : 11; /* a later minor version means 1.1 (RFC 9110 2.5) */
        return H1_DONE;
}

/* The version of a request and the end of its line. */
static enum h1_state read_request_end(struct h1_head *head, struct str bytes)
{
        const char *at = bytes.ptr + head->line;
        size_t len = bytes.len - head->line;
        if (likely(len >= 10 && memcmp(at, "HTTP/1.1\r\n", 10) == 0)) {
                head->version = 11;
                head->line += 10;
                return H1_DONE;
        }
        enum h1_state state = read_version(head, at, len);
        if (state == H1_BAD)
                return state;
        if ((len > 8 && at[8] != '\r') || (len > 9 && at[9] != '\n'))
                return bad(head, H1_FAULT_SYNTAX);
        if (len < 10)
                return more(head, STEP_VERSION, head->line);
        if (at[5] != '1')
                return bad(head, H1_FAULT_VERSION);
        head->line += 10;
        return H1_DONE;
}

/* One empty line may stand before a request line (RFC 9112 2.2). */
static enum h1_state skip_empty_line(struct h1_head *head, struct str bytes)
{
        if (bytes.len == 0)
                return H1_MORE;
        if (likely(bytes.ptr[0] != '\r'))
                return H1_DONE;
        if (bytes.len == 1)
                return H1_MORE;
        if (bytes.ptr[1] != '\n')
                return bad(head, H1_FAULT_SYNTAX);
        head->line = 2;
        return H1_DONE;
}

static enum h1_state read_request_line(struct h1_head *head, struct str bytes)
{
        size_t at = head->scanned;
        enum h1_state state;
        switch ((enum step)head->step) {
        case STEP_BEGIN:
                state = skip_empty_line(head, bytes);
                if (state != H1_DONE)
                        return state;
                at = head->line;
                fall_through;
        case STEP_METHOD:
                at += name_run(str_skip(bytes, at));
                if (at - head->line > METHOD_MAX)
                        return bad(head, H1_FAULT_SYNTAX);
                if (at == bytes.len)
                        return more(head, STEP_METHOD, at);
                if (bytes.ptr[at] != ' ' || at == head->line)
                        return bad(head, H1_FAULT_SYNTAX);
                head->method = (struct h1_span){head->line, (uint32_t)at - head->line};
                head->line = (uint32_t)++at;
                fall_through;
        case STEP_TARGET:
                at += target_run(str_skip(bytes, at));
                if (at - head->line > head->limits->target)
                        return bad(head, H1_FAULT_TARGET_LENGTH);
                if (at == bytes.len)
                        return more(head, STEP_TARGET, at);
                if (bytes.ptr[at] != ' ' || at == head->line)
                        return bad(head, H1_FAULT_SYNTAX);
                head->target = (struct h1_span){head->line, (uint32_t)at - head->line};
                head->line = (uint32_t)++at;
                fall_through;
        default:
                return read_request_end(head, bytes);
        }
}

/* "HTTP/1.1 200 " or "HTTP/1.1 200\r"; the blank before an empty phrase is often left out. */
static enum h1_state read_status(struct h1_head *head, struct str bytes)
{
        const char *at = bytes.ptr;
        enum h1_state state = read_version(head, at, bytes.len);
        if (state != H1_DONE)
                return state;
        if (bytes.len > 8 && at[8] != ' ')
                return bad(head, H1_FAULT_SYNTAX);
        for (size_t i = 9; i < size_min(bytes.len, 12); i++) {
                if (!char_is_digit(at[i]) || at[9] == '0')
                        return bad(head, H1_FAULT_SYNTAX);
        }
        if (bytes.len < STATUS_LENGTH)
                return H1_MORE;
        if (at[5] != '1')
                return bad(head, H1_FAULT_VERSION);
        if (at[12] != ' ' && at[12] != '\r')
                return bad(head, H1_FAULT_SYNTAX);
        head->status = (uint16_t)((at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0'));
        head->line = at[12] == ' ' ? STATUS_LENGTH : STATUS_LENGTH - 1;
        return H1_DONE;
}

static enum h1_state read_status_line(struct h1_head *head, struct str bytes)
{
        size_t at = head->scanned;
        if (head->step == STEP_BEGIN) {
                enum h1_state state = read_status(head, bytes);
                if (state != H1_DONE)
                        return state;
                at = head->line;
        }
        at += value_run(str_skip(bytes, at));
        if (at - head->line > head->limits->field)
                return bad(head, H1_FAULT_FIELD_LENGTH);
        if (at == bytes.len)
                return more(head, STEP_PHRASE, at);
        if (bytes.ptr[at] != '\r')
                return bad(head, H1_FAULT_SYNTAX);
        if (at + 1 == bytes.len)
                return more(head, STEP_PHRASE, at);
        if (bytes.ptr[at + 1] != '\n')
                return bad(head, H1_FAULT_SYNTAX);
        head->phrase = (struct h1_span){head->line, (uint32_t)at - head->line};
        head->line = (uint32_t)at + 2;
        return H1_DONE;
}

/* ---- field lines ---- */

/* How long the line in hand may be. */
static always_inline size_t line_max(const struct h1_head *head)
{
        const struct h1_limits *limits = head->limits;
        size_t left = head->header < limits->header ? limits->header - head->header : 0;
        return size_min(limits->field, left);
}

/* Finds the colon; *at is where to look from, and where it stands then. */
static always_inline enum h1_state read_name(struct h1_head *head, struct str bytes, size_t *at)
{
        struct h1_field *field = &head->fields[head->count];
        size_t i = *at, line = head->line;
        bool is_whole = i == line && bytes.len - i >= 16;
        uint32_t colons = 0;
        if (likely(is_whole))
                colons = bytes16_mask((bytes16)(bytes16_load(bytes.ptr + i) == ':'));
        if (likely(colons != 0)) {
                /* A name that is known needs no look at its characters. */
                size_t len = lowest_bit(colons);
                field->id = (uint16_t)name_find_exact(str_from(bytes.ptr + line, len));
                i = field->id == NAME_other ? i + name_run(str_skip(bytes, i)) : i + len;
        } else {
                i += name_run(str_skip(bytes, i));
                field->id = NAME_COUNT;
        }
        *at = i;
        if (i - line > line_max(head))
                return bad(head, H1_FAULT_FIELD_LENGTH);
        if (i == bytes.len)
                return H1_MORE;
        if (bytes.ptr[i] != ':' || i == line)
                return bad(head, H1_FAULT_SYNTAX);
        struct str name = {bytes.ptr + line, i - line};
        if (field->id == NAME_COUNT)
                field->id = (uint16_t)name_find_exact(name);
        field->name = (uint32_t)line;
        field->name_len = (uint16_t)name.len;
        *at = i + 1;
        return H1_DONE;
}

/* Finds the CR; `at` as above. */
static always_inline enum h1_state read_value(struct h1_head *head, struct str bytes, size_t *at)
{
        struct h1_field *field = &head->fields[head->count];
        size_t i = *at + value_run((struct str){bytes.ptr + *at, bytes.len - *at});
        *at = i;
        if (i - head->line > line_max(head))
                return bad(head, H1_FAULT_FIELD_LENGTH);
        if (i == bytes.len)
                return H1_MORE;
        if (bytes.ptr[i] != '\r')
                return bad(head, H1_FAULT_SYNTAX);
        size_t start = head->line + field->name_len + 1u;
        while (start < i && (bytes.ptr[start] == ' ' || bytes.ptr[start] == '\t'))
                start++;
        while (i > start && (bytes.ptr[i - 1] == ' ' || bytes.ptr[i - 1] == '\t'))
                i--;
        field->value = (uint32_t)start;
        field->value_len = (uint16_t)(i - start);
        ++*at;
        return H1_DONE;
}

/* True when the field in hand may not be seen: another server might read `_` as `-`. */
static not_inline bool is_alias(const struct h1_head *head, struct str name, uint16_t *ret_id)
{
        if (!name_has_underscore(name))
                return false;
        *ret_id = (uint16_t)name_find(name);
        unsigned flags = name_flags(*ret_id);
        return head->kind != H1_RESPONSE || (flags & (NAME_FRAMING | NAME_HOP)) != 0;
}

/* The line in hand is whole and ends at `at`: the next one begins there. */
static always_inline void keep_field(struct h1_head *head, struct str bytes, size_t at)
{
        struct h1_field *field = &head->fields[head->count];
        head->header += (uint32_t)at - head->line;
        head->line = (uint32_t)at;
        head->lines++;
        struct str name = {bytes.ptr + field->name, field->name_len};
        if (likely(field->id != NAME_other) || !is_alias(head, name, &field->id))
                head->count++;
}

/* Reads field lines until the empty one; head->line is behind that then. */
static enum h1_state read_fields(struct h1_head *head, struct str bytes)
{
        enum h1_state state;
        size_t at = head->scanned;
        enum step step = head->step;
        for (;; step = STEP_FIRST) {
                switch (step) {
                default:
                        at = head->line;
                        if (at == bytes.len)
                                return more(head, STEP_FIRST, at);
                        if (bytes.ptr[at] == '\r')
                                break;
                        if (head->lines == head->limits->fields)
                                return bad(head, H1_FAULT_FIELD_LENGTH);
                        fall_through;
                case STEP_NAME:
                        state = read_name(head, bytes, &at);
                        if (state != H1_DONE)
                                return state == H1_BAD ? state : more(head, STEP_NAME, at);
                        fall_through;
                case STEP_VALUE:
                        state = read_value(head, bytes, &at);
                        if (state != H1_DONE)
                                return state == H1_BAD ? state : more(head, STEP_VALUE, at);
                        fall_through;
                case STEP_RETURN:
                        if (at == bytes.len)
                                return more(head, STEP_RETURN, at);
                        if (bytes.ptr[at] != '\n')
                                return bad(head, H1_FAULT_SYNTAX);
                        keep_field(head, bytes, at + 1);
                        continue;
                case STEP_LAST:
                        break;
                }
                if (head->line + 1 == bytes.len)
                        return more(head, STEP_LAST, head->line);
                if (bytes.ptr[head->line + 1] != '\n')
                        return bad(head, H1_FAULT_SYNTAX);
                head->line += 2;
                return H1_DONE;
        }
}

/* ---- what the fields say together ---- */

/* What is gathered over all fields of a head. */
struct sum {
        uint64_t seen[(NAME_COUNT + 63) / 64]; /* single-valued names */
        struct str expect;
        unsigned codings; /* Transfer-Encoding lines */
        unsigned options; /* members of Connection */
        bool closes, keeps;
};

/* 1*DIGIT, leading zeros allowed, below 2^63 (RFC 9110 8.6). */
static bool read_length(struct h1_head *head, struct str value)
{
        uint64_t length;
        if (head->has_length || str_to_u64(value, &length) != ERR_ok || length > INT64_MAX)
                return false;
        head->has_length = true;
        head->length = length;
        return true;
}

/* The members of Transfer-Encoding must be tokens; chunked may stand once and nowhere but last.
 * A last coding that is not chunked leaves the length of a request unknown (RFC 9112 6.3). */
static enum h1_fault read_codings(struct h1_head *head, struct str value)
{
        bool is_response = head->kind == H1_RESPONSE, has_other = false, is_chunked = false;
        for (struct str rest = value; rest.ptr != NULL;) {
                struct str coding = str_trim(str_cut(&rest, ','));
                if (!name_is_token(coding))
                        return H1_FAULT_FRAMING;
                if (is_chunked && (!is_response || str_eq_nocase(coding, S("chunked"))))
                        return H1_FAULT_FRAMING;
                if (str_eq_nocase(coding, S("identity")) && !is_response)
                        return H1_FAULT_FRAMING;
                is_chunked = str_eq_nocase(coding, S("chunked"));
                has_other |= !is_chunked;
        }
        if (!is_chunked && !is_response)
                return H1_FAULT_FRAMING;
        if (is_chunked && has_other)
                return H1_FAULT_CODING;
        head->is_chunked = is_chunked;
        return H1_FAULT_NONE;
}

/* Framing and credentials may not be taken away through Connection (security.md row 20). */
static bool is_bound(enum name id)
{
        unsigned flags = name_flags(id);
        bool is_framing = (flags & NAME_FRAMING) != 0 && (flags & NAME_HOP) == 0;
        return is_framing || id == NAME_transfer_encoding || id == NAME_host ||
               ((flags & NAME_SECRET) != 0 && (flags & NAME_HOP) == 0);
}

static enum h1_fault read_connection(struct h1_head *head, struct sum *sum, struct str value)
{
        if (likely(str_eq_nocase(value, S("keep-alive")))) {
                sum->keeps = true;
                return H1_FAULT_NONE;
        }
        for (struct str rest = value; rest.ptr != NULL;) {
                struct str member = str_trim(str_cut(&rest, ','));
                if (member.len == 0)
                        continue;
                if (!name_is_token(member))
                        return H1_FAULT_SYNTAX;
                if (++sum->options > H1_OPTIONS_MAX)
                        return H1_FAULT_FIELD_LENGTH;
                if (str_eq_nocase(member, S("close")))
                        sum->closes = true;
                else if (str_eq_nocase(member, S("keep-alive")))
                        sum->keeps = true;
                else if (head->kind == H1_REQUEST && is_bound(name_find(member)))
                        return H1_FAULT_FRAMING;
        }
        return H1_FAULT_NONE;
}

static enum h1_fault add_field(struct h1_head *head, struct sum *sum, enum name id,
                               struct str value)
{
        bool is_request = head->kind == H1_REQUEST;
        if (is_request && (name_flags(id) & NAME_SINGLE) != 0) {
                uint64_t bit = (uint64_t)1 << (id % 64);
                if ((sum->seen[id / 64] & bit) != 0)
                        return id == NAME_content_length ? H1_FAULT_FRAMING : H1_FAULT_SYNTAX;
                sum->seen[id / 64] |= bit;
        }
        switch ((int)id) {
        case NAME_content_length:
                return read_length(head, value) ? H1_FAULT_NONE : H1_FAULT_FRAMING;
        case NAME_transfer_encoding:
                return sum->codings++ > 0 ? H1_FAULT_FRAMING : read_codings(head, value);
        case NAME_connection:
                return read_connection(head, sum, value);
        case NAME_expect:
                sum->expect = value;
                return H1_FAULT_NONE;
        case NAME_host:
                /* Legal, but readers that trim blanks only see another host (row 66). */
                return value.ptr[value.len] == '\t' ? H1_FAULT_SYNTAX : H1_FAULT_NONE;
        default:
                return H1_FAULT_NONE;
        }
}

static enum h1_fault judge_request(struct h1_head *head, const struct sum *sum)
{
        bool has_host = (sum->seen[NAME_host / 64] >> (NAME_host % 64) & 1) != 0;
        if (head->version >= 11 && !has_host)
                return H1_FAULT_SYNTAX; /* RFC 9112 3.2 */
        if (sum->codings > 0 && (head->has_length || head->version < 11))
                return H1_FAULT_FRAMING; /* RFC 9112 6.1 */
        head->body = head->is_chunked   ? H1_BODY_CHUNKED
                     : head->length > 0 ? H1_BODY_LENGTH
                                        : H1_BODY_NONE;
        if (sum->expect.ptr != NULL && head->version >= 11) { /* RFC 9110 10.1.1 */
                if (!str_eq_nocase(sum->expect, S("100-continue")))
                        return H1_FAULT_EXPECT;
                head->expects_continue = true;
        }
        return H1_FAULT_NONE;
}

static enum h1_state judge(struct h1_head *head, struct str bytes)
{
        struct sum sum = {{0}};
        enum h1_fault coding = H1_FAULT_NONE;
        for (unsigned i = 0; i < head->count; i++) {
                const struct h1_field *field = &head->fields[i];
                unsigned flags = name_flags(field->id);
                if ((flags & (NAME_SINGLE | NAME_FRAMING)) == 0)
                        continue;
                struct str value = {bytes.ptr + field->value, field->value_len};
                enum h1_fault fault = add_field(head, &sum, field->id, value);
                if (fault == H1_FAULT_CODING)
                        coding = fault; /* unless something worse is found */
                else if (fault != H1_FAULT_NONE)
                        return bad(head, fault);
        }
        head->keeps_alive = !sum.closes && (head->version >= 11 || sum.keeps);
        if (head->kind == H1_REQUEST) {
                enum h1_fault fault = judge_request(head, &sum);
                if (fault != H1_FAULT_NONE)
                        return bad(head, fault);
        } else if (sum.codings > 0) {
                head->body = head->is_chunked ? H1_BODY_CHUNKED : H1_BODY_CLOSE;
        } else if (head->has_length) {
                head->body = head->length > 0 ? H1_BODY_LENGTH : H1_BODY_NONE;
        } else {
                head->body = H1_BODY_CLOSE;
        }
        return coding == H1_FAULT_NONE ? H1_DONE : bad(head, coding);
}

enum h1_state h1_read(struct h1_head *head, struct str bytes, size_t *ret_used)
{
        enum h1_state state = H1_DONE;
        if (head->fault != H1_FAULT_NONE)
                return H1_BAD;
        if (head->step < STEP_FIRST) {
                state = head->kind == H1_REQUEST ? read_request_line(head, bytes)
                                                 : read_status_line(head, bytes);
                if (state != H1_DONE)
                        return state;
                head->step = STEP_FIRST;
        }
        state = read_fields(head, bytes);
        if (state == H1_DONE && head->kind != H1_TRAILER)
                state = judge(head, bytes);
        if (state == H1_DONE)
                *ret_used = head->line;
        return state;
}

enum h1_body h1_response_body(const struct h1_head *head, bool answers_head, bool *ret_reusable)
{
        bool has_body = !answers_head && head->status >= 200 && head->status != 204 &&
                        head->status != 304;
        enum h1_body body = has_body ? (enum h1_body)head->body : H1_BODY_NONE;
        bool is_doubtful = head->is_chunked && (head->has_length || head->version < 11);
        *ret_reusable = head->keeps_alive && body != H1_BODY_CLOSE && !is_doubtful;
        return body;
}
