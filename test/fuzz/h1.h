/* h1.h -- what holds for every head of HTTP/1, whatever its bytes: the verdict does not depend on
 * cuts; what is accepted has one meaning line by line; and written again it is read as the same. */
#pragma once

#include "fuzz.h"
#include "wire/h1.h"

enum { FIELDS = 24 };

static const struct h1_limits limits = {
        .target = 200, .field = 300, .header = 1000, .fields = FIELDS};

/* What is written canonically may be a little longer. */
static const struct h1_limits wider = {
        .target = 200, .field = 400, .header = 2000, .fields = FIELDS};

struct reading {
        struct h1_head head;
        struct h1_field fields[FIELDS];
        size_t used;
        enum h1_state state;
};

/* Reads written bytes, at once. */
static inline void read_again(struct reading *r, enum h1_kind kind, struct str bytes)
{
        h1_begin(&r->head, kind, &wider, r->fields);
        r->state = h1_read(&r->head, bytes, &r->used);
}

/* Reads what is there up to `first`, then `step` bytes more each time. */
static inline void read_head(struct reading *r, enum h1_kind kind, struct str bytes, size_t first,
                             size_t step)
{
        h1_begin(&r->head, kind, &limits, r->fields);
        r->state = H1_MORE;
        r->used = 0;
        for (size_t have = size_min(first, bytes.len);; have = size_min(have + step, bytes.len)) {
                struct str copy = fuzz_copy(str_first(bytes, have));
                r->state = h1_read(&r->head, copy, &r->used);
                fuzz_free(copy);
                if (r->state != H1_MORE || have == bytes.len)
                        break;
        }
}

static inline struct str name_at(const struct reading *r, struct str bytes, unsigned i)
{
        return str_from(bytes.ptr + r->fields[i].name, r->fields[i].name_len);
}

static inline struct str value_at(const struct reading *r, struct str bytes, unsigned i)
{
        return str_from(bytes.ptr + r->fields[i].value, r->fields[i].value_len);
}

static inline void check_same(const struct reading *a, struct str in_a, const struct reading *b,
                              struct str in_b)
{
        CHECK(a->state == b->state);
        CHECK(a->head.fault == b->head.fault);
        if (a->state != H1_DONE)
                return;
        CHECK(a->head.count == b->head.count && a->head.status == b->head.status);
        CHECK(a->head.body == b->head.body && a->head.length == b->head.length);
        CHECK(a->head.version == b->head.version);
        CHECK(a->head.keeps_alive == b->head.keeps_alive);
        CHECK(a->head.expects_continue == b->head.expects_continue);
        CHECK(a->head.has_length == b->head.has_length);
        CHECK(a->head.is_chunked == b->head.is_chunked);
        CHECK(str_eq(h1_str(in_a, a->head.method), h1_str(in_b, b->head.method)));
        CHECK(str_eq(h1_str(in_a, a->head.target), h1_str(in_b, b->head.target)));
        CHECK(str_eq(h1_str(in_a, a->head.phrase), h1_str(in_b, b->head.phrase)));
        for (unsigned i = 0; i < a->head.count; i++) {
                CHECK(a->fields[i].id == b->fields[i].id);
                CHECK(str_eq(name_at(a, in_a, i), name_at(b, in_b, i)));
                CHECK(str_eq(value_at(a, in_a, i), value_at(b, in_b, i)));
        }
}

/* Lines end with CRLF and with nothing else; names are tokens; values hold no controls. */
static inline void check_lines(const struct reading *r, struct str bytes)
{
        for (size_t i = 0; i < r->used; i++) {
                if (bytes.ptr[i] == '\r')
                        CHECK(i + 1 < r->used && bytes.ptr[i + 1] == '\n');
                if (bytes.ptr[i] == '\n')
                        CHECK(i > 0 && bytes.ptr[i - 1] == '\r');
                CHECK(bytes.ptr[i] != 0);
        }
        for (unsigned i = 0; i < r->head.count; i++) {
                CHECK(name_is_token(name_at(r, bytes, i)));
                struct str value = value_at(r, bytes, i);
                CHECK(value_is_safe(value) && str_eq(value, str_trim(value)));
                CHECK(r->head.kind == H1_RESPONSE || !name_has_underscore(name_at(r, bytes, i)));
                CHECK(r->fields[i].id == name_find(name_at(r, bytes, i)));
        }
}

static inline void put_fields(struct text *text, const struct reading *r, struct str bytes)
{
        for (unsigned i = 0; i < r->head.count; i++)
                h1_put_field(text, name_at(r, bytes, i), value_at(r, bytes, i));
        text_put(text, S("\r\n"));
}

/* Reads `bytes` whole and in pieces; what the pieces are, its first byte says. */
static inline void fuzz_head(struct reading *whole, enum h1_kind kind, struct str bytes,
                             uint8_t cut)
{
        struct reading cut_once, cut_often;
        read_head(whole, kind, bytes, bytes.len, 1);
        read_head(&cut_once, kind, bytes, cut, bytes.len);
        check_same(whole, bytes, &cut_once, bytes);
        read_head(&cut_often, kind, bytes, 0, 1 + cut % 7u);
        check_same(whole, bytes, &cut_often, bytes);
        if (whole->state != H1_DONE)
                return;
        CHECK(whole->used == cut_once.used && whole->used == cut_often.used);
        check_lines(whole, bytes);
}
