/* h1.c -- what heads of HTTP/1 are read as, or refused for; rows of security.md A to C. Every head
 * is also read cut in two at each place, and byte by byte: the answer must be the same. */
#include <stdlib.h>

#include "base/check.h"
#include "wire/h1.h"

#include "../unit.h"

enum { FIELDS = 16 };

static const struct h1_limits limits = {.target = 64, .field = 96, .header = 512, .fields = FIELDS};

struct reading {
        struct h1_head head;
        struct h1_field fields[FIELDS];
        size_t used;
        enum h1_state state;
};

/* Reads bytes given up to `first`, then in pieces of `step`; each time from a copy of its own size,
 * so that a sanitizer sees a reader that looks too far. */
static struct reading read_cut(enum h1_kind kind, struct str bytes, size_t first, size_t step)
{
        struct reading r = {.state = H1_MORE};
        h1_begin(&r.head, kind, &limits, r.fields);
        for (size_t have = first; r.state == H1_MORE; have = size_min(have + step, bytes.len)) {
                char *copy = malloc(have + 1);
                assert_non_null(copy);
                memcpy(copy, bytes.ptr, have);
                char *exact = have == 0 ? copy : realloc(copy, have);
                r.state = h1_read(&r.head, str_from(exact, have), &r.used);
                free(exact);
                if (have == bytes.len)
                        break;
        }
        return r;
}

static void same(const struct reading *a, const struct reading *b, struct str bytes, size_t cut)
{
        bool is_same = a->state == b->state && a->head.fault == b->head.fault;
        if (is_same && a->state == H1_DONE) {
                is_same = a->used == b->used && a->head.count == b->head.count &&
                          a->head.body == b->head.body && a->head.length == b->head.length &&
                          a->head.status == b->head.status && a->head.version == b->head.version &&
                          a->head.keeps_alive == b->head.keeps_alive &&
                          a->head.target.at == b->head.target.at &&
                          a->head.target.len == b->head.target.len &&
                          a->head.phrase.at == b->head.phrase.at &&
                          a->head.phrase.len == b->head.phrase.len;
                for (unsigned i = 0; is_same && i < a->head.count; i++) {
                        const struct h1_field *f = &a->fields[i], *g = &b->fields[i];
                        is_same = f->name == g->name && f->name_len == g->name_len &&
                                  f->value == g->value && f->value_len == g->value_len &&
                                  f->id == g->id;
                }
        }
        if (!is_same)
                fail_msg("cut at %zu changes the answer: %d/%d against %d/%d: " STR_FMT, cut,
                         a->state, a->head.fault, b->state, b->head.fault, STR_ARG(bytes));
}

static struct reading read_head(enum h1_kind kind, struct str bytes)
{
        struct reading whole = read_cut(kind, bytes, bytes.len, 1);
        for (size_t cut = 0; cut < bytes.len; cut++) {
                struct reading r = read_cut(kind, bytes, cut, bytes.len);
                same(&whole, &r, bytes, cut);
        }
        struct reading each = read_cut(kind, bytes, 0, 1);
        same(&whole, &each, bytes, 0);
        return whole;
}

static struct reading accept(enum h1_kind kind, struct str bytes)
{
        struct reading r = read_head(kind, bytes);
        if (r.state != H1_DONE)
                fail_msg("not accepted (%d, fault %d): " STR_FMT, r.state, r.head.fault,
                         STR_ARG(bytes));
        return r;
}

static struct reading refuse(enum h1_kind kind, struct str bytes, enum h1_fault fault)
{
        struct reading r = read_head(kind, bytes);
        if (r.state != H1_BAD || r.head.fault != fault)
                fail_msg("state %d, fault %d instead of %d: " STR_FMT, r.state, r.head.fault, fault,
                         STR_ARG(bytes));
        return r;
}

/* A request with these lines besides Host. */
static struct str with(const char *lines)
{
        static char memory[2048];
        struct text text = text_over(memory, sizeof memory);
        text_format(&text, "POST / HTTP/1.1\r\nHost: a.test\r\n%s\r\n", lines);
        assert_false(text.is_cut);
        return text_str(&text);
}

static void a_plain_request_is_read(void **state)
{
        struct str bytes = S(
                "GET /x?y HTTP/1.1\r\nHost: a.test\r\nX-A:\t b c \t\r\nX-B:\r\n\r\nrest");
        struct reading r = accept(H1_REQUEST, bytes);
        (void)state;
        assert_int_equal(r.used, bytes.len - 4);
        assert_true(str_is(h1_str(bytes, r.head.method), "GET"));
        assert_true(str_is(h1_str(bytes, r.head.target), "/x?y"));
        assert_int_equal(r.head.version, 11);
        assert_true(r.head.keeps_alive);
        assert_int_equal(r.head.body, H1_BODY_NONE);
        assert_int_equal(r.head.count, 3);
        assert_int_equal(r.fields[0].id, NAME_host);
        assert_int_equal(r.fields[1].id, NAME_other);
        assert_true(str_is(str_from(bytes.ptr + r.fields[1].value, r.fields[1].value_len), "b c"));
        assert_int_equal(r.fields[2].value_len, 0);
}

struct row {
        const char *lines;
        enum h1_fault fault;
};

static const struct row ambiguous[] = {
        {"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", H1_FAULT_FRAMING},
        {"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", H1_FAULT_FRAMING},
        {"Content-Length: 0\r\nContent-Length: 31\r\n", H1_FAULT_FRAMING},
        {"Content-Length: 31\r\nContent-Length: 0\r\n", H1_FAULT_FRAMING},
        {"Content-Length: 5\r\nContent-Length: 5\r\n", H1_FAULT_FRAMING},
        {"Content-Length: 5, 6\r\n", H1_FAULT_FRAMING},
        {"Content-Length: 5, 5\r\n", H1_FAULT_FRAMING},
        {"Content-Length: +5\r\n", H1_FAULT_FRAMING},
        {"Content-Length: -5\r\n", H1_FAULT_FRAMING},
        {"Content-Length: -0\r\n", H1_FAULT_FRAMING},
        {"Content-Length: 0x5\r\n", H1_FAULT_FRAMING},
        {"Content-Length: 5_0\r\n", H1_FAULT_FRAMING},
        {"Content-Length: 5 0\r\n", H1_FAULT_FRAMING},
        {"Content-Length: 5;\r\n", H1_FAULT_FRAMING},
        {"Content-Length: 1e1\r\n", H1_FAULT_FRAMING},
        {"Content-Length: 5.0\r\n", H1_FAULT_FRAMING},
        {"Content-Length: \"5\"\r\n", H1_FAULT_FRAMING},
        {"Content-Length: 1Z\r\n", H1_FAULT_FRAMING},
        {"Content-Length: \xd9\xa5\r\n", H1_FAULT_FRAMING},
        {"Content-Length: 5\x0b\r\n", H1_FAULT_SYNTAX},
        {"Content-Length: \r\n", H1_FAULT_FRAMING},
        {"Content-Length: \r\nContent-Length: 59\r\n", H1_FAULT_FRAMING},
        {"Content-Length: 9223372036854775808\r\n", H1_FAULT_FRAMING},
        {"Content-Length: 18446744073709551616\r\n", H1_FAULT_FRAMING},
        {"Content-Length: 99999999999999999999\r\n", H1_FAULT_FRAMING},
        {"Transfer-Encoding: xchunked\r\n", H1_FAULT_FRAMING},
        {"Transfer-Encoding: identity\r\n", H1_FAULT_FRAMING},
        {"Transfer-Encoding: chunked, identity\r\n", H1_FAULT_FRAMING},
        {"Transfer-Encoding: identity, chunked\r\n", H1_FAULT_FRAMING},
        {"Transfer-Encoding: chunked, gzip\r\n", H1_FAULT_FRAMING},
        {"Transfer-Encoding: chunked, chunked\r\n", H1_FAULT_FRAMING},
        {"Transfer-Encoding: ,chunked\r\n", H1_FAULT_FRAMING},
        {"Transfer-Encoding: chunked,\r\n", H1_FAULT_FRAMING},
        {"Transfer-Encoding: chunked;a=b\r\n", H1_FAULT_FRAMING},
        {"Transfer-Encoding: \"chunked\"\r\n", H1_FAULT_FRAMING},
        {"Transfer-Encoding: \x0b"
         "chunked\r\n",
         H1_FAULT_SYNTAX},
        {"Transfer-Encoding: chunked\x0c\r\n", H1_FAULT_SYNTAX},
        {"Transfer-Encoding: \xa0"
         "chunked\r\n",
         H1_FAULT_FRAMING},
        {"Transfer-Encoding: chunked\xa0\r\n", H1_FAULT_FRAMING},
        {"Transfer-Encoding: \r\n", H1_FAULT_FRAMING},
        {"Transfer-Encoding: gzip, chunked\r\n", H1_FAULT_CODING},
        {"Transfer-Encoding: gzip, chunked\r\nContent-Length: 1\r\n", H1_FAULT_FRAMING},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", H1_FAULT_FRAMING},
        {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", H1_FAULT_FRAMING},
        {"Transfer-Encoding:\r\n chunked\r\n", H1_FAULT_SYNTAX},
        {"X: y\r\n Transfer-Encoding: chunked\r\n", H1_FAULT_SYNTAX},
        {"X: y\r\n\tTransfer-Encoding: chunked\r\n", H1_FAULT_SYNTAX},
        {"Transfer-Encoding : chunked\r\n", H1_FAULT_SYNTAX},
        {"Content-Length\t: 5\r\n", H1_FAULT_SYNTAX},
        {"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", H1_FAULT_FRAMING},
        {"Connection: close, Content-Length\r\n", H1_FAULT_FRAMING},
        {"Connection: host\r\n", H1_FAULT_FRAMING},
        {"Connection: Authorization\r\n", H1_FAULT_FRAMING},
        {"Connection: content_length\r\n", H1_FAULT_FRAMING},
        {"Connection: cookie\r\n", H1_FAULT_FRAMING},
        {"Connection: a b\r\n", H1_FAULT_SYNTAX},
};

static void framing_that_can_be_read_in_two_ways_is_refused(void **state)
{
        (void)state;
        for (size_t i = 0; i < countof(ambiguous); i++)
                refuse(H1_REQUEST, with(ambiguous[i].lines), ambiguous[i].fault);
        refuse(H1_REQUEST, S("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
               H1_FAULT_FRAMING);
        refuse(H1_REQUEST, S("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chun\0ked\r\n\r\n"),
               H1_FAULT_SYNTAX);
}

static void lengths_are_read_as_decimal(void **state)
{
        (void)state;
        struct reading r = accept(H1_REQUEST, with("Content-Length: 010\r\n"));
        assert_int_equal(r.head.body, H1_BODY_LENGTH);
        assert_int_equal(r.head.length, 10);
        r = accept(H1_REQUEST, with("content-length:\t9223372036854775807 \r\n"));
        assert_true(r.head.length == INT64_MAX);
        r = accept(H1_REQUEST, with("Content-Length: 0\r\n"));
        assert_int_equal(r.head.body, H1_BODY_NONE);
        assert_true(r.head.has_length);
        r = accept(H1_REQUEST, with("Transfer-Encoding: ChunkeD\r\n"));
        assert_int_equal(r.head.body, H1_BODY_CHUNKED);
}

static void aliases_with_an_underscore_are_dropped(void **state)
{
        (void)state;
        struct reading r = accept(
                H1_REQUEST, with("Content_Length: 99\r\nContent-Length: 5\r\n"
                                 "Transfer_Encoding: chunked\r\nX_Forwarded_Proto: https\r\n"));
        assert_int_equal(r.head.count, 2);
        assert_int_equal(r.head.length, 5);
        assert_int_equal(r.head.body, H1_BODY_LENGTH);
        r = accept(H1_RESPONSE, S("HTTP/1.1 200 OK\r\nContent_Length: 9\r\nX_A: b\r\n\r\n"));
        assert_int_equal(r.head.count, 1);
        assert_int_equal(r.head.body, H1_BODY_CLOSE);
}

static void connection_and_version_say_whether_it_stays(void **state)
{
        (void)state;
        assert_false(accept(H1_REQUEST, with("Connection: ,,,close,,\r\n")).head.keeps_alive);
        assert_true(accept(H1_REQUEST, with("Connection: keep-alive, TE, Upgrade\r\n"))
                            .head.keeps_alive);
        assert_false(accept(H1_REQUEST, with("Connection: keep-alive\r\nConnection: CLOSE\r\n"))
                             .head.keeps_alive);
        assert_false(accept(H1_REQUEST, S("GET / HTTP/1.0\r\n\r\n")).head.keeps_alive);
        assert_true(accept(H1_REQUEST, S("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"))
                            .head.keeps_alive);
}

static void expectations_are_met_or_refused(void **state)
{
        (void)state;
        assert_true(accept(H1_REQUEST, with("Expect: 100-Continue\r\n")).head.expects_continue);
        refuse(H1_REQUEST, with("Expect: y 100-continue\r\n"), H1_FAULT_EXPECT);
        refuse(H1_REQUEST, with("Expect: 100-continue, x\r\n"), H1_FAULT_EXPECT);
        refuse(H1_REQUEST, with("Expect: 200-ok\r\n"), H1_FAULT_EXPECT);
        refuse(H1_REQUEST, with("Expect:\r\n"), H1_FAULT_EXPECT);
        refuse(H1_REQUEST, with("Expect:\r\n 100-continue\r\n"), H1_FAULT_SYNTAX);
        struct reading r = accept(H1_REQUEST, S("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"));
        assert_false(r.head.expects_continue);
}

static void request_lines_are_exact(void **state)
{
        static const char *const bad[] = {
                "GET / HTTP/1.1\rHost: a.test\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\r\nX: a\rSmuggled: b\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\r\n\rZ",
                "GET / HTTP/1.1\r\nHost: a\r\n\n",
                "GET / HTTP/1.1\nHost: a\n\n",
                "GET / HTTP/1.1\r\nHost: a\n\r\n",
                "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n",
                "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
                " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET /\r\n",
                "GET\r\n",
                "GET / \r\n",
                "\x16\x03\x01\x02",
                "GET / HTTP/01.1\r\n",
                "GET / HTTP/1.\r\n",
                "GET / HTTP/1\r\n",
                "GET / http/1.1\r\n",
                "GET / HTTP/1.1x\r\n",
                "GET / HTTP/\r\r1.1\r\n",
                "GET / HTTP/4294967297.1\r\n",
                "GET /\x80 HTTP/1.1\r\n",
                "GET /\x7f HTTP/1.1\r\n",
                "G=\":<>(e),[T];?\" / HTTP/1.1\r\nHost: a\r\n\r\n",
                "METHODMETHODMETHODMETHODMETHODMET / HTTP/1.1\r\nHost: a\r\n\r\n",
                "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
                "\r\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
                "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
                "GET / HTTP/1.1\r\n\r\n",
                "GET / HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n",
                "GET / HTTP/1.1\r\n   \r\nHost: a\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        };
        (void)state;
        for (size_t i = 0; i < countof(bad); i++)
                refuse(H1_REQUEST, str_of(bad[i]), H1_FAULT_SYNTAX);
        refuse(H1_REQUEST, S("GE\0T / HTTP/1.1\r\n"), H1_FAULT_SYNTAX);
        refuse(H1_REQUEST, S("GET /\0 HTTP/1.1\r\n"), H1_FAULT_SYNTAX);
        refuse(H1_REQUEST, S("GET / HTTP/2.0\r\n"), H1_FAULT_VERSION);
        refuse(H1_REQUEST, S("GET / HTTP/3.0\r\n"), H1_FAULT_VERSION);
        refuse(H1_REQUEST, S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), H1_FAULT_VERSION);
        assert_int_equal(accept(H1_REQUEST, S("GET / HTTP/1.2\r\nHost: a\r\n\r\n")).head.version,
                         11);
        accept(H1_REQUEST, S("\r\nget / HTTP/1.1\r\nHost: a\r\n\r\n"));
        accept(H1_REQUEST, S("METHODMETHODMETHODMETHODMETHODME / HTTP/1.1\r\nHost: a\r\n\r\n"));
}

static void field_lines_are_exact(void **state)
{
        static const char names[] = "\"(),/;<=>?@[\\]{} \x7f\x80\xff";
        (void)state;
        for (size_t i = 0; i < sizeof names - 1; i++) {
                char line[] = "Xx-y: z\r\n";
                line[1] = names[i];
                refuse(H1_REQUEST, with(line), H1_FAULT_SYNTAX);
        }
        for (unsigned c = 0; c < 256; c++) {
                char line[] = "GET / HTTP/1.1\r\nHost: a\r\nX: a?b\r\n\r\n";
                line[29] = (char)c;
                bool is_good = c == '\t' || (c >= 0x20 && c != 0x7f);
                if (is_good)
                        accept(H1_REQUEST, str_from(line, sizeof line - 1));
                else
                        refuse(H1_REQUEST, str_from(line, sizeof line - 1), H1_FAULT_SYNTAX);
        }
        refuse(H1_REQUEST, with("no colon\r\n"), H1_FAULT_SYNTAX);
        refuse(H1_REQUEST, with("nocolon\r\n"), H1_FAULT_SYNTAX);
        refuse(H1_REQUEST, with(": x\r\n"), H1_FAULT_SYNTAX);
        refuse(H1_REQUEST, with("Content-Type: a\r\ncontent-type: a\r\n"), H1_FAULT_SYNTAX);
        refuse(H1_REQUEST, with("Authorization: a\r\nAuthorization: b\r\n"), H1_FAULT_SYNTAX);
        refuse(H1_REQUEST, with("X-API-Key: a\r\nx-api-key: b\r\n"), H1_FAULT_SYNTAX);
        accept(H1_REQUEST, with("X-Role: a\r\nX-Role: b\r\n"));
        struct str bytes = with("X: \xa0 a\xa0\x85 \r\n");
        struct reading r = accept(H1_REQUEST, bytes);
        assert_int_equal(r.fields[1].value_len, 5);
}

static void limits_hold_whatever_the_cuts(void **state)
{
        char memory[1024];
        (void)state;
        for (unsigned n = 60; n < 70; n++) {
                struct text text = text_over(memory, sizeof memory);
                text_format(&text, "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n", (int)n - 1, 0);
                if (n <= limits.target)
                        accept(H1_REQUEST, text_str(&text));
                else
                        refuse(H1_REQUEST, text_str(&text), H1_FAULT_TARGET_LENGTH);
        }
        for (unsigned n = 90; n < 100; n++) {
                struct text text = text_over(memory, sizeof memory);
                text_format(&text, "X: %0*d\r\n", (int)n - 3, 0);
                text_char(&text, 0);
                if (n <= limits.field)
                        accept(H1_REQUEST, with(memory));
                else
                        refuse(H1_REQUEST, with(memory), H1_FAULT_FIELD_LENGTH);
        }
        for (unsigned n = 10; n < 20; n++) {
                struct text text = text_over(memory, sizeof memory);
                for (unsigned i = 0; i < n; i++)
                        text_put(&text, i % 2 == 0 ? S("A: b\r\n") : S("A_: b\r\n"));
                text_char(&text, 0);
                if (n < FIELDS)
                        accept(H1_REQUEST, with(memory));
                else
                        refuse(H1_REQUEST, with(memory), H1_FAULT_FIELD_LENGTH);
        }
        for (unsigned n = 30; n < 40; n++) {
                struct text text = text_over(memory, sizeof memory);
                for (unsigned i = 0; i < 12; i++)
                        text_format(&text, "X: %0*d\r\n", (int)n, 0);
                text_char(&text, 0);
                if (14 + 12 * (n + 5) <= limits.header)
                        accept(H1_REQUEST, with(memory));
                else
                        refuse(H1_REQUEST, with(memory), H1_FAULT_FIELD_LENGTH);
        }
        /* What is behind the limit is not judged. */
        struct text text = text_over(memory, sizeof memory);
        text_format(&text, "X: %0*d\x01\r\n", 94, 0);
        text_char(&text, 0);
        refuse(H1_REQUEST, with(memory), H1_FAULT_FIELD_LENGTH);
}

static void responses_are_read_as_strictly(void **state)
{
        static const struct row bad[] = {
                {"Content-Length: 1\r\nContent-Length: 2\r\n", H1_FAULT_FRAMING},
                {"Content-Length: -1\r\n", H1_FAULT_FRAMING},
                {"Content-Length: abc\r\n", H1_FAULT_FRAMING},
                {"Content-Length: 99999999999999999999\r\n", H1_FAULT_FRAMING},
                {"Transfer-Encoding: gzip, chunked\r\n", H1_FAULT_CODING},
                {"Transfer-Encoding: \"chunked\"\r\n", H1_FAULT_FRAMING},
                {"Transfer-Encoding: chunked, chunked\r\n", H1_FAULT_FRAMING},
                {"X: a\r b\r\n", H1_FAULT_SYNTAX},
                {"X: a\r\n b\r\n", H1_FAULT_SYNTAX},
                {"X a\r\n", H1_FAULT_SYNTAX},
                {"X : a\r\n", H1_FAULT_SYNTAX},
        };
        static const char *const lines[] = {
                "HTTP/1.1 20 OK\r\n\r\n",   "HTTP/1.1 2000 OK\r\n\r\n",
                "HTTP/1.1  200 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n",
                "HTTP/1.1\r\n\r\n",         "\r\nHTTP/1.1 200 OK\r\n\r\n",
                "HTTP/1.1 200 O\nK\r\n",    "HTTP/1.1 200 \n\n",
                "http/1.1 200 OK\r\n\r\n",  "HTTP/1.1 200 OK\n\n",
                "HTTP/1.1 200\n\n",         "ICY 200 OK\r\n\r\n",
        };
        char memory[512];
        (void)state;
        for (size_t i = 0; i < countof(bad); i++) {
                struct text text = text_over(memory, sizeof memory);
                text_format(&text, "HTTP/1.1 200 OK\r\n%s\r\n", bad[i].lines);
                refuse(H1_RESPONSE, text_str(&text), bad[i].fault);
        }
        for (size_t i = 0; i < countof(lines); i++)
                refuse(H1_RESPONSE, str_of(lines[i]), H1_FAULT_SYNTAX);
        refuse(H1_RESPONSE, S("HTTP/2.0 200 OK\r\n\r\n"), H1_FAULT_VERSION);
        assert_int_equal(accept(H1_RESPONSE, S("HTTP/1.1 204\r\n\r\n")).head.status, 204);
        assert_int_equal(accept(H1_RESPONSE, S("HTTP/1.1 404 \r\n\r\n")).head.phrase.len, 0);
        struct str bytes = S("HTTP/1.0 302 Moved a bit\r\nContent-Length: 5\r\n\r\n");
        struct reading r = accept(H1_RESPONSE, bytes);
        assert_true(str_is(h1_str(bytes, r.head.phrase), "Moved a bit"));
        assert_int_equal(r.head.version, 10);
}

static void the_length_of_a_response_follows_its_rules(void **state)
{
        static const struct {
                const char *bytes;
                bool answers_head;
                enum h1_body body;
                bool is_reusable;
        } rows[] = {
                {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, H1_BODY_LENGTH, true},
                {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, H1_BODY_NONE, true},
                {"HTTP/1.1 304 OK\r\nContent-Length: 5\r\n\r\n", false, H1_BODY_NONE, true},
                {"HTTP/1.1 204 OK\r\nContent-Length: 5\r\n\r\n", false, H1_BODY_NONE, true},
                {"HTTP/1.1 100 OK\r\n\r\n", false, H1_BODY_NONE, true},
                {"HTTP/1.1 200 OK\r\n\r\n", false, H1_BODY_CLOSE, false},
                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, H1_BODY_CHUNKED,
                 true},
                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
                 false, H1_BODY_CHUNKED, false},
                {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, H1_BODY_CHUNKED,
                 false},
                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", false, H1_BODY_CLOSE, false},
                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", false,
                 H1_BODY_CLOSE, false},
                {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", false,
                 H1_BODY_LENGTH, false},
                {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", false, H1_BODY_LENGTH, false},
        };
        (void)state;
        for (size_t i = 0; i < countof(rows); i++) {
                struct reading r = accept(H1_RESPONSE, str_of(rows[i].bytes));
                bool is_reusable;
                assert_int_equal(h1_response_body(&r.head, rows[i].answers_head, &is_reusable),
                                 rows[i].body);
                assert_int_equal(is_reusable, rows[i].is_reusable);
        }
}

static void trailers_are_field_lines(void **state)
{
        (void)state;
        assert_int_equal(accept(H1_TRAILER, S("\r\nGET")).used, 2);
        assert_int_equal(accept(H1_TRAILER, S("A: b\r\nC_: d\r\n\r\n")).head.count, 1);
        refuse(H1_TRAILER, S("X:POST / HTTP/1.1\r\n\rX"), H1_FAULT_SYNTAX);
        refuse(H1_TRAILER, S("\rX"), H1_FAULT_SYNTAX);
        refuse(H1_TRAILER, S("XX\r\n\r\n"), H1_FAULT_SYNTAX);
        refuse(H1_TRAILER, S("\n"), H1_FAULT_SYNTAX);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_plain_request_is_read),
                cmocka_unit_test(framing_that_can_be_read_in_two_ways_is_refused),
                cmocka_unit_test(lengths_are_read_as_decimal),
                cmocka_unit_test(aliases_with_an_underscore_are_dropped),
                cmocka_unit_test(connection_and_version_say_whether_it_stays),
                cmocka_unit_test(expectations_are_met_or_refused),
                cmocka_unit_test(request_lines_are_exact),
                cmocka_unit_test(field_lines_are_exact),
                cmocka_unit_test(limits_hold_whatever_the_cuts),
                cmocka_unit_test(responses_are_read_as_strictly),
                cmocka_unit_test(the_length_of_a_response_follows_its_rules),
                cmocka_unit_test(trailers_are_field_lines),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
