/* json_read.c -- the JSON reader (RFC 8259, strict). One pass over the text by a machine of four
 * states; the nodes themselves are the stack: while a container is open, its `span` holds the index
 * of the one around it. Room for all nodes is taken at once, for their number is bounded by the
 * number of commas, colons and opening brackets. */
#include "base/check.h"
#include "base/hash.h"
#include "wire/json.h"
#include "wire/json_int.h"

enum { SIZE_PRESET = 16 << 20, NODES_PRESET = 100000, DEPTH_PRESET = 64, FEW_KEYS = 12 };

enum want { WANT_VALUE, WANT_KEY, WANT_NEXT, WANT_NOTHING, WANT_FAIL };

struct scan {
        const char *begin, *at, *end;
        struct json *nodes;
        uint32_t count, cap, nodes_max;
        uint32_t open; /* index of the innermost open container, + 1 */
        uint32_t depth, depth_max;
        struct json_slots slots;
        struct arena *arena;
        struct json_trouble *trouble;
        enum err err;
        uint16_t source;
};

static enum want fail(struct scan *scan, enum err err, const char *at, size_t len, const char *what)
{
        scan->err = err;
        *scan->trouble = (struct json_trouble){.kind = err == ERR_limit ? TROUBLE_limit
                                                                        : TROUBLE_syntax,
                                               .what = what,
                                               .at = (uint32_t)(at - scan->begin),
                                               .len = (uint32_t)len};
        return WANT_FAIL;
}

static enum want fail_here(struct scan *scan, const char *what)
{
        bool is_end = scan->at == scan->end;
        return fail(scan, ERR_syntax, scan->at, is_end ? 0 : 1,
                    is_end ? "the text ends in the middle of something" : what);
}

static inline char peek(const struct scan *scan)
{
        return scan->at < scan->end ? *scan->at : '\0';
}

static inline void skip_blanks(struct scan *scan)
{
        while (scan->at < scan->end &&
               (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\t' || *scan->at == '\r'))
                scan->at++;
}

/* The next free node, NULL when there are too many. Counts as an element unless it is a key. */
static inline struct json *node_add(struct scan *scan, enum json_kind kind, const char *at,
                                    bool is_value)
{
        if (unlikely(scan->count == scan->cap)) {
                fail(scan, ERR_limit, at, 1, "more values than the limit allows");
                return NULL;
        }
        if (is_value && scan->open > 0)
                scan->nodes[scan->open - 1].len++;
        struct json *node = &scan->nodes[scan->count++];
        *node = (struct json){.kind = (uint8_t)kind,
                              .span = 1,
                              .at = (uint32_t)(at - scan->begin),
                              .source = scan->source};
        return node;
}

/* Nonzero when one of the eight bytes ends a plain run: a quote, a backslash, a control, or a byte
 * of a longer character. */
static inline uint64_t has_special(uint64_t word)
{
        const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
        uint64_t quote = word ^ (ones * '"'), slash = word ^ (ones * '\\');
        return (((quote - ones) & ~quote) | ((slash - ones) & ~slash) |
                ((word - ones * 0x20) & ~word) | word) &
               tops;
}

static inline const char *skip_plain(const char *at, const char *end)
{
        uint64_t word;
        while (end - at >= (ptrdiff_t)sizeof word) {
                memcpy(&word, at, sizeof word);
                if (has_special(word) != 0)
                        break;
                at += sizeof word;
        }
        while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' &&
               *at != '\\')
                at++;
        return at;
}

/* Value of \uXXXX at `at`, -1 if it is none. */
static int32_t read_u(const char *at, const char *end)
{
        int32_t value = 0;
        if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
                return -1;
        for (int i = 2; i < 6; i++) {
                int digit = char_hex(at[i]);
                if (digit < 0)
                        return -1;
                value = value << 4 | digit;
        }
        return value;
}

/* Passes one escape. A surrogate needs its other half: alone it is no character. */
static bool skip_escape(struct scan *scan)
{
        const char *at = scan->at;
        char c = scan->end - at >= 2 ? at[1] : '\0';
        if (c == 'u') {
                int32_t high = read_u(at, scan->end);
                bool is_high = high >= 0xd800 && high <= 0xdbff;
                int32_t low = is_high ? read_u(at + 6, scan->end) : 0;
                if (high < 0 || (high >= 0xdc00 && high <= 0xdfff) ||
                    (is_high && (low < 0xdc00 || low > 0xdfff))) {
                        fail(scan, ERR_syntax, at, 2, "this escape is no character");
                        return false;
                }
                scan->at += is_high ? 12 : 6;
                return true;
        }
        if (c == '\0' || strchr("\"\\/bfnrt", c) == NULL) {
                fail(scan, ERR_syntax, at, 1, "there is no such escape");
                return false;
        }
        scan->at += 2;
        return true;
}

/* Reads a string whose opening quote is at scan->at into node. */
static bool read_string(struct scan *scan, struct json *node)
{
        const char *begin = ++scan->at;
        for (;;) {
                scan->at = skip_plain(scan->at, scan->end);
                if (scan->at == scan->end) {
                        fail(scan, ERR_syntax, begin - 1, 1, "the string is not closed");
                        return false;
                }
                unsigned char c = (unsigned char)*scan->at;
                if (c == '"')
                        break;
                if (c == '\\') {
                        node->flags |= JSON_ESCAPED;
                        if (!skip_escape(scan))
                                return false;
                } else if (c < 0x20) {
                        fail(scan, ERR_syntax, scan->at, 1,
                             "a control character must be written as an escape");
                        return false;
                } else {
                        struct str rest = {scan->at, (size_t)(scan->end - scan->at)};
                        size_t length = str_utf8(rest, 0);
                        if (length == 0) {
                                fail(scan, ERR_syntax, scan->at, 1, "this is not UTF-8");
                                return false;
                        }
                        scan->at += length;
                }
        }
        node->ptr = begin;
        node->len = (uint32_t)(scan->at - begin);
        scan->at++;
        return true;
}

static inline void skip_digits(struct scan *scan)
{
        while (scan->at < scan->end && char_is_digit(*scan->at))
                scan->at++;
}

/* Grammar of RFC 8259 6; no leading zeros, a digit on both sides of the point. */
static bool read_number(struct scan *scan, struct json *node)
{
        const char *begin = scan->at;
        if (peek(scan) == '-')
                scan->at++;
        const char *digits = scan->at;
        skip_digits(scan);
        bool is_good = scan->at > digits && (*digits != '0' || scan->at - digits == 1);
        if (is_good && peek(scan) == '.') {
                digits = ++scan->at;
                skip_digits(scan);
                is_good = scan->at > digits;
        }
        if (is_good && (peek(scan) == 'e' || peek(scan) == 'E')) {
                scan->at++;
                if (peek(scan) == '+' || peek(scan) == '-')
                        scan->at++;
                digits = scan->at;
                skip_digits(scan);
                is_good = scan->at > digits;
        }
        if (!is_good) {
                size_t len = (size_t)(scan->at - begin);
                fail(scan, ERR_syntax, begin, len == 0 ? 1 : len, "this is no number");
                return false;
        }
        node->ptr = begin;
        node->len = (uint32_t)(scan->at - begin);
        return true;
}

static enum want read_word(struct scan *scan, struct str word, enum json_kind kind)
{
        struct str rest = {scan->at, (size_t)(scan->end - scan->at)};
        if (!str_starts(rest, word))
                return fail_here(scan, "a value was expected here");
        if (node_add(scan, kind, scan->at, true) == NULL)
                return WANT_FAIL;
        scan->at += word.len;
        return WANT_NEXT;
}

/* Ends the innermost container and returns to the one around it. */
static void close_container(struct scan *scan)
{
        struct json *node = &scan->nodes[scan->open - 1];
        uint32_t outer = node->span;
        node->span = scan->count - (scan->open - 1);
        scan->open = outer;
        scan->depth--;
}

static enum want read_open(struct scan *scan, enum json_kind kind)
{
        if (scan->depth == scan->depth_max)
                return fail(scan, ERR_limit, scan->at, 1, "nested deeper than the limit allows");
        struct json *node = node_add(scan, kind, scan->at, true);
        if (node == NULL)
                return WANT_FAIL;
        node->span = scan->open;
        scan->open = scan->count;
        scan->depth++;
        scan->at++;
        skip_blanks(scan);
        if (peek(scan) == (kind == JSON_OBJECT ? '}' : ']')) {
                scan->at++;
                close_container(scan);
                return WANT_NEXT;
        }
        return kind == JSON_OBJECT ? WANT_KEY : WANT_VALUE;
}

static enum want read_value(struct scan *scan)
{
        struct json *node;
        skip_blanks(scan);
        char c = peek(scan);
        switch (c) {
        case '{':
                return read_open(scan, JSON_OBJECT);
        case '[':
                return read_open(scan, JSON_ARRAY);
        case '"':
                node = node_add(scan, JSON_STRING, scan->at, true);
                return node != NULL && read_string(scan, node) ? WANT_NEXT : WANT_FAIL;
        case 't':
                return read_word(scan, S("true"), JSON_TRUE);
        case 'f':
                return read_word(scan, S("false"), JSON_FALSE);
        case 'n':
                return read_word(scan, S("null"), JSON_NULL);
        default:
                if (c != '-' && !char_is_digit(c))
                        return fail_here(scan, "a value was expected here");
                node = node_add(scan, JSON_NUMBER, scan->at, true);
                return node != NULL && read_number(scan, node) ? WANT_NEXT : WANT_FAIL;
        }
}

static enum want read_key(struct scan *scan)
{
        skip_blanks(scan);
        if (peek(scan) != '"')
                return fail_here(scan, "a key in quotes was expected here");
        struct json *node = node_add(scan, JSON_STRING, scan->at, false);
        if (node == NULL || !read_string(scan, node))
                return WANT_FAIL;
        if ((node->flags & JSON_ESCAPED) != 0) {
                struct str key = json_str(node, scan->arena);
                node->ptr = key.ptr;
                node->len = (uint32_t)key.len;
                node->flags = 0;
        }
        skip_blanks(scan);
        if (peek(scan) != ':')
                return fail_here(scan, "a `:` was expected here");
        scan->at++;
        return WANT_VALUE;
}

/* As below, by a table: the time grows with the number of keys, not with its square. */
static const struct json *twice_of_many(const struct json *object, struct json_slots *slots,
                                        const struct json **ret_first)
{
        size_t cap = 64;
        while (cap < 2 * (size_t)object->len)
                cap *= 2;
        if (cap > slots->cap) {
                slots->at = arena_alloc(slots->arena, cap * sizeof *slots->at);
                slots->cap = cap;
        }
        memset(slots->at, 0, cap * sizeof *slots->at);
        const struct json *end = object + object->span;
        for (const struct json *key = object + 1; key < end; key += 1 + key[1].span) {
                size_t at = hash_str(json_raw(key)) & (cap - 1);
                for (; slots->at[at] != 0; at = (at + 1) & (cap - 1)) {
                        *ret_first = object + slots->at[at];
                        if (str_eq(json_raw(*ret_first), json_raw(key)))
                                return key;
                }
                slots->at[at] = (uint32_t)(key - object);
        }
        return NULL;
}

const struct json *json_twice(const struct json *object, struct json_slots *slots,
                              const struct json **ret_first)
{
        const struct json *keys[FEW_KEYS];
        size_t count = 0;
        if (object->len > FEW_KEYS)
                return twice_of_many(object, slots, ret_first);
        const struct json *end = object + object->span;
        for (const struct json *key = object + 1; key < end; key += 1 + key[1].span) {
                for (size_t i = 0; i < count; i++) {
                        *ret_first = keys[i];
                        if (keys[i]->len == key->len && str_eq(json_raw(keys[i]), json_raw(key)))
                                return key;
                }
                keys[count++] = key;
        }
        return NULL;
}

/* RFC 8259 4 leaves open what a key twice means; we do not. */
static bool keys_differ(struct scan *scan, const struct json *object)
{
        const struct json *first;
        const struct json *second = json_twice(object, &scan->slots, &first);
        if (second == NULL)
                return true;
        fail(scan, ERR_syntax, scan->begin + second->at, second->len + 2,
             "this key stands here twice");
        scan->trouble->kind = TROUBLE_twice;
        scan->trouble->also_at = first->at;
        scan->trouble->also_len = first->len + 2;
        return false;
}

/* What follows a value: a comma, the end of its container, or the end of the text. */
static enum want read_next(struct scan *scan)
{
        skip_blanks(scan);
        if (scan->open == 0) {
                if (scan->at == scan->end)
                        return WANT_NOTHING;
                return fail(scan, ERR_syntax, scan->at, 1, "something follows the document");
        }
        struct json *container = &scan->nodes[scan->open - 1];
        bool is_object = container->kind == JSON_OBJECT;
        char c = peek(scan);
        if (c == ',') {
                scan->at++;
                return is_object ? WANT_KEY : WANT_VALUE;
        }
        if (c != (is_object ? '}' : ']'))
                return fail_here(scan, is_object ? "a `,` or `}` was expected here"
                                                 : "a `,` or `]` was expected here");
        scan->at++;
        close_container(scan);
        return !is_object || keys_differ(scan, container) ? WANT_NEXT : WANT_FAIL;
}

/* How many nodes the text can have at most. '[' and '{' differ in one bit only. */
static uint32_t nodes_bound(struct str text, uint32_t most)
{
        enum { BLOCK = 128 };
        size_t count = 1, i = 0;
        for (; text.len - i >= BLOCK; i += BLOCK) {
                uint8_t found = 0;
                for (size_t j = 0; j < BLOCK; j++) {
                        char c = text.ptr[i + j];
                        found = (uint8_t)(found + (c == ',') + (c == ':') + ((c | 0x20) == '{'));
                }
                count += found;
        }
        for (; i < text.len; i++) {
                char c = text.ptr[i];
                count += (c == ',') + (c == ':') + ((c | 0x20) == '{');
        }
        return (uint32_t)size_min(count, most);
}

static enum err read_all(struct scan *scan)
{
        enum want want = WANT_VALUE;
        while (want < WANT_NOTHING) {
                switch (want) {
                case WANT_VALUE:
                        want = read_value(scan);
                        break;
                case WANT_KEY:
                        want = read_key(scan);
                        break;
                default:
                        want = read_next(scan);
                        break;
                }
        }
        if (want == WANT_FAIL)
                return scan->err;
        return scan->arena->is_failed ? ERR_limit : ERR_ok;
}

enum err json_read(struct str text, const struct json_limits *limits, struct arena *arena,
                   const struct json **ret_root, struct json_trouble *ret_trouble)
{
        const struct json_limits none = {0};
        if (text.len == 0)
                text = S("");
        if (limits == NULL)
                limits = &none;
        uint32_t size_max = limits->size_max == 0 ? SIZE_PRESET : limits->size_max;
        uint32_t nodes_max = limits->nodes_max == 0 ? NODES_PRESET : limits->nodes_max;
        uint32_t depth_max = limits->depth_max == 0 ? DEPTH_PRESET : limits->depth_max;
        CHECK(depth_max <= JSON_DEPTH_MAX);
        *ret_trouble = (struct json_trouble){.kind = TROUBLE_limit, .what = "out of memory"};
        struct scan scan = {.begin = text.ptr,
                            .at = text.ptr,
                            .end = text.ptr + text.len,
                            .depth_max = depth_max,
                            .slots = {.arena = arena},
                            .arena = arena,
                            .trouble = ret_trouble,
                            .source = limits->source};
        if (text.len > size_max) {
                fail(&scan, ERR_limit, text.ptr, 0, "larger than the limit allows");
                return ERR_limit;
        }
        scan.cap = nodes_bound(text, nodes_max);
        scan.nodes = arena_alloc(arena, (size_t)scan.cap * sizeof(struct json));
        if (arena->is_failed)
                return ERR_limit;
        enum err err = read_all(&scan);
        if (err == ERR_ok)
                *ret_root = scan.nodes;
        return err;
}
