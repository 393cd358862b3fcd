/* line.c -- lines of the access log. */
#include "record/line.h"

#include "http/message.h"
#include "io/addr.h"

struct str line_severity(const struct record *record)
{
        enum whose whose = reason_whose(record->reason);
        if (whose == WHOSE_UPSTREAM || whose == WHOSE_GATE)
                return S("ERROR");
        return record->status >= 500 ? S("WARN") : S("INFO");
}

/* ---- JSON ---- */

/* Writes where there is room for all that may come: see json_most. */
struct pen {
        char *at;
        bool is_plain; /* no text of this record needs an escape */
};

/* Room that a value takes at most, but for texts of the record; the quotes are counted. */
enum {
        ESCAPE_MOST = 6, /* bytes for one of a text */
        ROOM_TEXT = 2,
        ROOM_OTHER_METHOD = ROOM_TEXT,
        ROOM_METHOD = ROOM_TEXT + 6,
        ROOM_VERSION = ROOM_TEXT + 3,
        ROOM_SAFE = ROOM_TEXT + 48,
        ROOM_NUMBER = U64_DIGITS_MAX,
        ROOM_COUNT = ROOM_NUMBER,
        ROOM_STATUS = 5,
        ROOM_DURATION = U64_DIGITS_MAX + 2,
        ROOM_SECONDS = ROOM_DURATION,
        ROOM_ADDRESS = ROOM_TEXT + 46,
};

static always_inline void pen_put(struct pen *pen, struct str s)
{
        pen->at = copy_short(pen->at, s.ptr, s.len);
}

static void put_escaped(struct pen *pen, struct str value)
{
        struct text text = text_over(pen->at, value.len * ESCAPE_MOST);
        text_json(&text, value);
        pen->at += text.len;
}

static always_inline void put_content(struct pen *pen, struct str value)
{
        if (likely(pen->is_plain))
                pen_put(pen, value);
        else
                put_escaped(pen, value);
}

/* Each begins with its comma and its key, which are one piece: `,"http.route":`. */
static always_inline void json_TEXT(struct pen *pen, struct str key, struct str value)
{
        if (value.len == 0)
                return;
        pen_put(pen, key);
        *pen->at++ = '"';
        put_content(pen, value);
        *pen->at++ = '"';
}

static always_inline void json_SAFE(struct pen *pen, struct str key, struct str value)
{
        struct pen safe = {pen->at, true};
        json_TEXT(&safe, key, value);
        pen->at = safe.at;
}

static always_inline void json_METHOD(struct pen *pen, struct str key, struct str value)
{
        if (value.len > 0 && method_find(value) == METHOD_OTHER)
                value = S("_OTHER");
        json_TEXT(pen, key, value);
}

static always_inline void json_OTHER_METHOD(struct pen *pen, struct str key, struct str value)
{
        if (method_find(value) == METHOD_OTHER)
                json_TEXT(pen, key, value);
}

static always_inline void json_NUMBER(struct pen *pen, struct str key, uint64_t value)
{
        pen_put(pen, key);
        pen->at = u64_put(pen->at, value);
}

static always_inline void json_COUNT(struct pen *pen, struct str key, uint64_t value)
{
        if (value > 0)
                json_NUMBER(pen, key, value);
}

static always_inline void json_STATUS(struct pen *pen, struct str key, uint16_t value)
{
        json_COUNT(pen, key, value);
}

static always_inline void json_DURATION(struct pen *pen, struct str key, uint64_t ns)
{
        struct text text;
        pen_put(pen, key);
        text = text_over(pen->at, ROOM_DURATION);
        text_decimal(&text, ns, 9);
        pen->at += text.len;
}

static always_inline void json_SECONDS(struct pen *pen, struct str key, uint64_t ns)
{
        if (ns > 0)
                json_DURATION(pen, key, ns);
}

static always_inline void json_ADDRESS(struct pen *pen, struct str key, const uint8_t *address)
{
        struct text text;
        pen_put(pen, key);
        text = text_over(pen->at, ROOM_ADDRESS);
        text_char(&text, '"');
        addr_put_bytes(&text, address);
        text_char(&text, '"');
        pen->at += text.len;
}

static struct str version_text(uint8_t version)
{
        return version == 10 ? S("1.0") : version == 11 ? S("1.1") : version == 20 ? S("2") : S("");
}

static always_inline void json_VERSION(struct pen *pen, struct str key, uint8_t version)
{
        json_SAFE(pen, key, version_text(version));
}

/* "GET /orders/{id} 200": never the path, so that equal requests have equal bodies. */
static void put_body(struct pen *pen, const struct record *record)
{
        const struct record_request *request = &record->request;
        if (request->method.len > 0)
                put_content(pen, request->method);
        else
                *pen->at++ = '-';
        if (request->route.len > 0) {
                *pen->at++ = ' ';
                put_content(pen, request->route);
        }
        *pen->at++ = ' ';
        if (record->status > 0)
                pen->at = u64_put(pen->at, record->status);
        else
                pen_put(pen, reason_token(record->reason));
}

static void put_timestamp(struct pen *pen, const struct line_look *look,
                          const struct record *record)
{
        struct text text = text_over(pen->at, DATE_RFC3339_LENGTH);
        int64_t ms = (int64_t)(record->wall / 1000000);
        if (look->moment != NULL)
                date_write_again(look->moment, ms, &text);
        else
                date_write_rfc3339(ms, &text);
        pen->at += text.len;
}

/* What stands around the attributes: the moment, the severity, the body, two ids. */
enum { FRAME_MOST = 192 };

#define LINE(name, kind, value, help) +sizeof(",\"" name "\":") - 1 + ROOM_##kind
enum {
        ATTRIBUTES_MOST = 0
#include "record/line.def"
};
#undef LINE

/* Most that the line may take. Of a text that stands in it twice, twice. */
static size_t json_most(const struct record *record)
{
        const struct record_request *request = &record->request;
        size_t texts = request->method.len * 2 + request->route.len;
#define TEXT(member, max) texts += record->member.len;
        RECORD_TEXTS(TEXT)
#undef TEXT
        return FRAME_MOST + ATTRIBUTES_MOST + texts * (record->is_plain ? 1 : ESCAPE_MOST);
}

size_t line_most(const struct line_look *look, const struct record *record)
{
        return look->style == LINE_JSON ? json_most(record) : LINE_SIZE_USUAL;
}

static void put_json(struct text *out, const struct line_look *look, const struct record *record)
{
        if (!text_room(out, json_most(record)))
                return;
        struct pen pen = {out->at + out->len, record->is_plain};
        pen_put(&pen, S("{\"timestamp\":\""));
        put_timestamp(&pen, look, record);
        pen_put(&pen, S("\",\"severity_text\":\""));
        pen_put(&pen, line_severity(record));
        pen_put(&pen, S("\",\"body\":\""));
        put_body(&pen, record);
        *pen.at++ = '"';
        json_TEXT(&pen, S(",\"trace_id\":"), record->trace.trace_id);
        json_TEXT(&pen, S(",\"span_id\":"), record->trace.span_id);
        pen_put(&pen, S(",\"attributes\":"));
        char *first = pen.at;
#define LINE(name, kind, value, help) json_##kind(&pen, S(",\"" name "\":"), value);
#include "record/line.def"
#undef LINE
        /* Some attributes are always there: the comma of the first one begins the object. */
        *first = '{';
        pen_put(&pen, S("}}\n"));
        out->len = (size_t)(pen.at - out->at);
}

/* ---- text ---- */

/* Characters that move a terminal's cursor, colour or direction of writing. */
static bool is_unruly(struct str s, size_t at, size_t len)
{
        unsigned char a = (unsigned char)s.ptr[at];
        unsigned char b = len > 1 ? (unsigned char)s.ptr[at + 1] : 0;
        unsigned char c = len > 2 ? (unsigned char)s.ptr[at + 2] : 0;
        if (len == 1)
                return a < 0x20 || a == 0x7f;
        if (len == 2)
                return a == 0xc2 && b < 0xa0;
        if (len == 3 && a == 0xe2)
                return (b == 0x80 && (c >= 0xa8 || c == 0x8e || c == 0x8f)) ||
                       (b == 0x81 && c >= 0xa6 && c <= 0xaf);
        return false;
}

/* Returns how many columns were written, one for each character. */
static size_t put_plain(struct text *out, struct str s)
{
        size_t columns = 0;
        for (size_t i = 0; i < s.len; columns++) {
                size_t len = str_utf8(s, i);
                if (len == 0 || is_unruly(s, i, len))
                        text_char(out, '?');
                else
                        text_put(out, str_from(s.ptr + i, len));
                i += len == 0 ? 1 : len;
        }
        return columns;
}

static void pad(struct text *out, size_t have, size_t width)
{
        do {
                text_char(out, ' ');
        } while (++have < width);
}

static void paint(struct text *out, const struct line_look *look, const char *code)
{
        if (look->has_colour) {
                text_put(out, S("\x1b["));
                text_put(out, str_of(code));
                text_char(out, 'm');
        }
}

static const char *colour_of(uint16_t status)
{
        return status >= 500 || status == 0 ? "31"
               : status >= 400              ? "33"
               : status >= 300              ? "36"
                                            : "32";
}

/* Three digits that say something: 1.23ms, 45.6ms, 789ms, 1.23s; 12.0us. What ends in the turn of
 * the loop that it began in took no time that was measured. */
static void put_duration(struct text *out, uint64_t ns)
{
        static const struct {
                uint64_t unit;
                const char *name;
        } units[] = {{1000000000, "s"}, {1000000, "ms"}, {1000, "us"}};
        char memory[32];
        struct text text = text_over(memory, sizeof memory);
        size_t i = 0;
        if (ns == 0) {
                text_put(out, S("      -"));
                return;
        }
        while (i < countof(units) - 1 && ns < units[i].unit)
                i++;
        uint64_t whole = ns / units[i].unit, rest = ns % units[i].unit;
        text_u64(&text, whole);
        if (whole < 100) {
                uint64_t hundredths = rest / (units[i].unit / 100);
                text_char(&text, '.');
                text_u64(&text, hundredths / 10);
                if (whole < 10)
                        text_u64(&text, hundredths % 10);
        }
        text_put(&text, str_of(units[i].name));
        for (size_t have = text.len; have < 7; have++)
                text_char(out, ' ');
        text_put(out, text_str(&text));
}

static void put_who(struct text *out, const struct record *record)
{
        const struct record_who *who = &record->who;
        if (who->api.len > 0) {
                text_char(out, ' ');
                put_plain(out, who->api);
        }
        if (who->consumer.len > 0) {
                text_put(out, S(" as "));
                put_plain(out, who->consumer);
        } else {
                text_put(out, S(" from "));
                addr_put_bytes(out, record->request.address);
        }
        if (record->tries > 1) {
                text_put(out, S(" tries="));
                text_u64(out, record->tries);
        }
}

enum { METHOD_COLUMNS = 7, PATH_COLUMNS = 26, TIME_AT = 11, TIME_LENGTH = 12 };

static void put_text(struct text *out, const struct line_look *look, const struct record *record)
{
        char memory[DATE_RFC3339_LENGTH + 1];
        struct text date = text_over(memory, sizeof memory);
        date_write_rfc3339((int64_t)(record->wall / 1000000), &date);
        paint(out, look, "2");
        text_put(out, str_from(date.at + TIME_AT, TIME_LENGTH));
        paint(out, look, "0");
        text_char(out, ' ');
        paint(out, look, colour_of(record->status));
        if (record->status > 0)
                text_u64(out, record->status);
        else
                text_put(out, S("---"));
        paint(out, look, "0");
        text_char(out, ' ');
        struct str method = record->request.method.len > 0 ? record->request.method : S("-");
        pad(out, put_plain(out, method), METHOD_COLUMNS);
        size_t columns = put_plain(out, record->request.path);
        if (record->request.query_names.len > 0) {
                text_char(out, '?');
                columns += 1 + put_plain(out, record->request.query_names);
        }
        pad(out, columns, PATH_COLUMNS);
        put_duration(out, record->duration);
        put_who(out, record);
        if (record->reason != REASON_done) {
                text_char(out, ' ');
                paint(out, look, colour_of(record->status));
                text_put(out, reason_token(record->reason));
                paint(out, look, "0");
        }
        if (record->detail.len > 0) {
                text_put(out, S(": "));
                put_plain(out, record->detail);
        }
        if (record->suppressed > 0) {
                text_put(out, S(", and "));
                text_u64(out, record->suppressed);
                text_put(out, S(" more like it"));
        }
        text_char(out, '\n');
}

/* ---- combined ---- */

/* As Apache escapes it: what is not printable ASCII as \xhh, quotes and backslashes by a backslash;
 * an empty text is "-". */
static void put_quoted(struct text *out, struct str s)
{
        if (s.len == 0)
                text_char(out, '-');
        for (size_t i = 0; i < s.len; i++) {
                unsigned char c = (unsigned char)s.ptr[i];
                if (c < 0x20 || c >= 0x7f) {
                        text_put(out, S("\\x"));
                        text_hex(out, c, 2);
                        continue;
                }
                if (c == '"' || c == '\\')
                        text_char(out, '\\');
                text_char(out, (char)c);
        }
}

/* A word of the line: no blank in it either. */
static void put_word(struct text *out, struct str s)
{
        if (s.len == 0)
                text_char(out, '-');
        for (size_t i = 0; i < s.len; i++) {
                unsigned char c = (unsigned char)s.ptr[i];
                if (c <= 0x20 || c >= 0x7f || c == '"' || c == '\\') {
                        text_put(out, S("\\x"));
                        text_hex(out, c, 2);
                } else {
                        text_char(out, (char)c);
                }
        }
}

/* "Fri, 20 Nov 2026 10:00:00 GMT" as "20/Nov/2026:10:00:00 +0000" */
static void put_clf_date(struct text *out, uint64_t wall)
{
        char memory[DATE_HTTP_LENGTH + 1];
        struct text date = text_over(memory, sizeof memory);
        date_write_http((int64_t)(wall / 1000000000), &date);
        text_put(out, str_from(date.at + 5, 2));
        text_char(out, '/');
        text_put(out, str_from(date.at + 8, 3));
        text_char(out, '/');
        text_put(out, str_from(date.at + 12, 4));
        text_char(out, ':');
        text_put(out, str_from(date.at + 17, 8));
        text_put(out, S(" +0000"));
}

static void put_clf(struct text *out, const struct record *record)
{
        const struct record_request *request = &record->request;
        addr_put_bytes(out, request->address);
        text_put(out, S(" - "));
        put_word(out, record->who.consumer);
        text_put(out, S(" ["));
        put_clf_date(out, record->wall);
        text_put(out, S("] \""));
        put_quoted(out, request->method);
        text_char(out, ' ');
        put_quoted(out, request->path);
        text_put(out, S(" HTTP/"));
        put_quoted(out, version_text(request->version));
        text_put(out, S("\" "));
        text_u64(out, record->status);
        text_char(out, ' ');
        text_u64(out, record->response_bytes);
        text_put(out, S(" \"-\" \""));
        put_quoted(out, request->user_agent);
        text_put(out, S("\"\n"));
}

void line_put(struct text *out, const struct line_look *look, const struct record *record)
{
        switch (look->style) {
        case LINE_OFF:
                return;
        case LINE_JSON:
                put_json(out, look, record);
                return;
        case LINE_TEXT:
                put_text(out, look, record);
                return;
        case LINE_CLF:
                put_clf(out, record);
                return;
        }
}
