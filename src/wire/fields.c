/* fields.c -- what header names mean, and lists of header fields.
 * Names are found by a hash of their first and last eight bytes without the bit in which cases
 * differ. The table is made once, by whoever comes first, and never changes after. */
#include "wire/fields.h"

#include <stdatomic.h>
#include <threads.h>

#include "base/check.h"

/* ---- characters ---- */

/* tchar of RFC 9110 5.6.2 */
const bool scan_token_chars[256] = {
        ['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1, ['\''] = 1, ['*'] = 1, ['+'] = 1,
        ['-'] = 1, ['.'] = 1, ['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1,  ['~'] = 1, ['0'] = 1,
        ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1,  ['7'] = 1, ['8'] = 1,
        ['9'] = 1, ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1,  ['F'] = 1, ['G'] = 1,
        ['H'] = 1, ['I'] = 1, ['J'] = 1, ['K'] = 1, ['L'] = 1, ['M'] = 1,  ['N'] = 1, ['O'] = 1,
        ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1, ['U'] = 1,  ['V'] = 1, ['W'] = 1,
        ['X'] = 1, ['Y'] = 1, ['Z'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1,  ['d'] = 1, ['e'] = 1,
        ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1, ['k'] = 1,  ['l'] = 1, ['m'] = 1,
        ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1,  ['t'] = 1, ['u'] = 1,
        ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1,
};

bool name_is_token(struct str text)
{
        return text.len > 0 && name_run(text) == text.len;
}

bool value_is_safe(struct str text)
{
        return value_run(text) == text.len;
}

static char fold(char c)
{
        return c == '_' ? '-' : char_lower(c);
}

bool name_eq(struct str a, struct str b)
{
        if (a.len != b.len)
                return false;
        for (size_t i = 0; i < a.len; i++) {
                if (fold(a.ptr[i]) != fold(b.ptr[i]))
                        return false;
        }
        return true;
}

/* ---- well-known names ---- */

enum { NAME_LENGTH_MAX = 40, TABLE_SIZE = 1024 };

static const struct str texts[NAME_COUNT] = {
        S_INIT(""),
#define NAME(id, text, flags) S_INIT(text),
#include "wire/names.def"
#undef NAME
};

#define NAME(id, text, flags)                                                                      \
        static_assert(sizeof text - 1 <= NAME_LENGTH_MAX, "raise NAME_LENGTH_MAX for " text);
#include "wire/names.def"
#undef NAME
static_assert(NAME_COUNT < TABLE_SIZE / 4, "the table of names must stay sparse");

const uint16_t name_flag_table[NAME_COUNT] = {
        0,
#define NAME(id, text, flags) flags,
#include "wire/names.def"
#undef NAME
};

struct str name_text(enum name name)
{
        CHECK(name < NAME_COUNT);
        return texts[name];
}

/* The first and the last bytes, up to eight each; together all of a name of up to 16. */
struct ends {
        uint64_t head, tail;
};

/* A name in lower case, and the bits in which its letters differ from upper case. */
struct known {
        struct ends lower_ends, letter_ends;
        size_t len;
        char lower[NAME_LENGTH_MAX];
        char letters[NAME_LENGTH_MAX];
};

static struct known known[NAME_COUNT];
static uint16_t table[TABLE_SIZE]; /* of enum name; NAME_other: empty */
static atomic_bool is_made;
static once_flag make_once = ONCE_FLAG_INIT;

static always_inline struct ends ends_of(const char *at, size_t len)
{
        if (len >= 8)
                return (struct ends){load_u64(at), load_u64(at + len - 8)};
        if (len >= 4)
                return (struct ends){load_u32(at), load_u32(at + len - 4)};
        const uint8_t *p = (const uint8_t *)at;
        return (struct ends){p[0] | (uint64_t)p[len / 2] << 8 | (uint64_t)p[len - 1] << 16, 0};
}

static always_inline unsigned slot_of(struct ends ends, size_t len)
{
        const uint64_t kept = 0xdfdfdfdfdfdfdfdfu; /* without bit 0x20 'A' is 'a' */
        uint64_t mixed = (ends.head & kept) ^ rotl64(ends.tail & kept, 27);
        return (unsigned)(((mixed + len) * 0x9e3779b97f4a7c15u) >> 54);
}

static_assert(TABLE_SIZE == 1 << (64 - 54), "slot_of yields as many bits as the table has");

static void make_table(void)
{
        for (unsigned id = 1; id < NAME_COUNT; id++) {
                struct known *k = &known[id];
                k->len = texts[id].len;
                for (size_t i = 0; i < k->len; i++) {
                        k->lower[i] = char_lower(texts[id].ptr[i]);
                        k->letters[i] = k->lower[i] >= 'a' && k->lower[i] <= 'z' ? 0x20 : 0;
                }
                k->lower_ends = ends_of(k->lower, k->len);
                k->letter_ends = ends_of(k->letters, k->len);
                unsigned slot = slot_of(k->lower_ends, k->len);
                while (table[slot] != NAME_other)
                        slot = (slot + 1) % TABLE_SIZE;
                table[slot] = (uint16_t)id;
        }
        atomic_store_explicit(&is_made, true, memory_order_release);
}

/* The load is for the thread sanitizer, which does not know of call_once. */
static void make_table_once(void)
{
        call_once(&make_once, make_table);
        CHECK(atomic_load_explicit(&is_made, memory_order_acquire));
}

/* Equal but for case; both are as long. */
static always_inline bool is_same(const struct known *k, const char *at, struct ends ends)
{
        uint64_t differ = ((ends.head ^ k->lower_ends.head) & ~k->letter_ends.head) |
                          ((ends.tail ^ k->lower_ends.tail) & ~k->letter_ends.tail);
        for (size_t i = 8; i + 8 < k->len; i += 8)
                differ |= (load_u64(at + i) ^ load_u64(k->lower + i)) & ~load_u64(k->letters + i);
        return differ == 0;
}

enum name name_find_exact(struct str text)
{
        if (text.len == 0 || text.len > NAME_LENGTH_MAX)
                return NAME_other;
        if (unlikely(!atomic_load_explicit(&is_made, memory_order_acquire)))
                make_table_once();
        struct ends ends = ends_of(text.ptr, text.len);
        unsigned slot = slot_of(ends, text.len);
        for (; table[slot] != NAME_other; slot = (slot + 1) % TABLE_SIZE) {
                const struct known *k = &known[table[slot]];
                if (k->len == text.len && is_same(k, text.ptr, ends))
                        return table[slot];
        }
        return NAME_other;
}

bool name_has_underscore(struct str text)
{
        return str_find(text, '_') >= 0;
}

enum name name_find(struct str text)
{
        enum name name = name_find_exact(text);
        if (likely(name != NAME_other) || text.len > NAME_LENGTH_MAX || !name_has_underscore(text))
                return name;
        char folded[NAME_LENGTH_MAX];
        for (size_t i = 0; i < text.len; i++)
                folded[i] = fold(text.ptr[i]);
        return name_find_exact(str_from(folded, text.len));
}

/* ---- names that say where a request came from ---- */

/* All of them have a fourth character, which rules most of them out at once. */
static const struct str origin_prefixes[] = {
        S_INIT("x-forwarded-"),    S_INIT("x-ssl-"),           S_INIT("ssl-"),
        S_INIT("x-tls-"),          S_INIT("x-client-cert"),    S_INIT("client-cert"),
        S_INIT("x-consumer-"),     S_INIT("x-authenticated-"), S_INIT("x-amzn-mtls-"),
        S_INIT("x-auth-request-"), S_INIT("remote-"),          S_INIT("x-gatehouse-"),
        S_INIT("x-credential-"),   S_INIT("x-original-"),      S_INIT("x-anonymous-"),
        S_INIT("x-proxyuser-"),
};

/* As fold, and '.' as '-' too: some servers make all three the same variable (security.md row 160).
 */
static char fold_more(char c)
{
        return c == '.' ? '-' : fold(c);
}

bool name_is_origin(struct str text)
{
        char folded[NAME_LENGTH_MAX];
        struct str name = {folded, size_min(text.len, sizeof folded)};
        for (size_t i = 0; i < name.len; i++)
                folded[i] = fold_more(text.ptr[i]);
        for (size_t i = 0; i < countof(origin_prefixes) && name.len >= 4; i++) {
                if (folded[3] == origin_prefixes[i].ptr[3] && str_starts(name, origin_prefixes[i]))
                        return true;
        }
        return text.len <= sizeof folded && (name_flags(name_find_exact(name)) & NAME_ORIGIN) != 0;
}

/* ---- lists ---- */

void fields_init(struct fields *fields, struct arena *arena, uint16_t cap)
{
        *fields = (struct fields){.arena = arena, .cap = cap};
        if (cap > 0)
                fields->at = arena_alloc(arena, cap * sizeof *fields->at);
}

struct field *fields_get(const struct fields *fields, enum name id)
{
        fields_each (field, fields) {
                if (field->id == id)
                        return field;
        }
        return NULL;
}

static bool is_named(const struct field *field, enum name id, struct str name)
{
        return field->id == id && (id != NAME_other || name_eq(field->name, name));
}

struct field *fields_find(const struct fields *fields, struct str name)
{
        return fields_find_as(fields, name_find(name), name);
}

struct field *fields_find_as(const struct fields *fields, enum name id, struct str name)
{
        fields_each (field, fields) {
                if (is_named(field, id, name))
                        return field;
        }
        return NULL;
}

struct str fields_value(const struct fields *fields, enum name id)
{
        struct field *field = fields_get(fields, id);
        return field == NULL ? STR_NONE : field->value;
}

unsigned fields_count(const struct fields *fields, enum name id)
{
        unsigned count = 0;
        fields_each (field, fields)
                count += field->id == id;
        return count;
}

static void fields_push(struct fields *fields, struct field field)
{
        if (fields->count == fields->cap) {
                if (fields->cap > UINT16_MAX / 2) {
                        fields->arena->is_failed = true;
                        return;
                }
                uint16_t cap = fields->cap == 0 ? 16 : (uint16_t)(fields->cap * 2);
                struct field *at = arena_alloc(fields->arena, cap * sizeof *at);
                if (fields->count > 0)
                        memcpy(at, fields->at, fields->count * sizeof *at);
                fields->at = at;
                fields->cap = cap;
        }
        fields->at[fields->count++] = field;
}

void fields_add(struct fields *fields, struct str name, struct str value)
{
        fields_push(fields, (struct field){name, value, name_find(name)});
}

void fields_add_known(struct fields *fields, enum name id, struct str value)
{
        CHECK(id != NAME_other);
        fields_push(fields, (struct field){name_text(id), value, id});
}

/* Drops the fields of that name from `from` on. */
static unsigned drop(struct fields *fields, enum name id, struct str name, unsigned from)
{
        uint16_t kept = (uint16_t)from;
        for (unsigned i = from; i < fields->count; i++) {
                if (!is_named(&fields->at[i], id, name))
                        fields->at[kept++] = fields->at[i];
        }
        unsigned dropped = fields->count - kept;
        fields->count = kept;
        return dropped;
}

static void set(struct fields *fields, struct field field)
{
        for (unsigned i = 0; i < fields->count; i++) {
                if (!is_named(&fields->at[i], field.id, field.name))
                        continue;
                fields->at[i] = field;
                drop(fields, field.id, field.name, i + 1);
                return;
        }
        fields_push(fields, field);
}

void fields_set(struct fields *fields, struct str name, struct str value)
{
        set(fields, (struct field){name, value, name_find(name)});
}

void fields_set_known(struct fields *fields, enum name id, struct str value)
{
        CHECK(id != NAME_other);
        set(fields, (struct field){name_text(id), value, id});
}

unsigned fields_remove(struct fields *fields, struct str name)
{
        return drop(fields, name_find(name), name, 0);
}

unsigned fields_remove_as(struct fields *fields, enum name id, struct str name)
{
        return drop(fields, id, name, 0);
}

unsigned fields_remove_known(struct fields *fields, enum name id)
{
        CHECK(id != NAME_other);
        return drop(fields, id, name_text(id), 0);
}

/* ---- list-valued fields ---- */

/* The first member of a list; a comma inside a quoted string does not part (RFC 9110 5.6.4). */
struct str list_cut(struct str *rest)
{
        struct str s = *rest;
        bool is_quoted = false;
        for (size_t i = 0; i < s.len; i++) {
                if (s.ptr[i] == '"') {
                        is_quoted = !is_quoted;
                } else if (is_quoted && s.ptr[i] == '\\') {
                        i++;
                } else if (!is_quoted && s.ptr[i] == ',') {
                        *rest = str_skip(s, i + 1);
                        return str_trim(str_first(s, i));
                }
        }
        *rest = STR_NONE;
        return str_trim(s);
}

bool fields_member(struct fields_walk *walk, struct str *ret_member)
{
        for (;;) {
                while (walk->rest.ptr != NULL) {
                        struct str member = list_cut(&walk->rest);
                        if (member.len == 0)
                                continue;
                        *ret_member = member;
                        return true;
                }
                const struct fields *fields = walk->fields;
                while (walk->line < fields->count && fields->at[walk->line].id != walk->id)
                        walk->line++;
                if (walk->line >= fields->count)
                        return false;
                walk->rest = fields->at[walk->line++].value;
        }
}

bool fields_has_member(const struct fields *fields, enum name id, struct str member)
{
        struct fields_walk walk = {.fields = fields, .id = id};
        struct str found;
        while (fields_member(&walk, &found)) {
                if (str_eq_nocase(found, member))
                        return true;
        }
        return false;
}
