/* where.c -- reads a question into a program in postfix order (by precedence, with a stack of
 * operators), and runs it on a stack of bits. */
#include "record/where.h"

#include "wire/cidr.h"
#include "wire/unit.h"

enum kind { TEXT, NUMBER, TIME, ADDRESS };

static const struct {
        struct str name;
        enum kind kind;
} fields[] = {
#define FIELD(name, kind, value, help) {S_INIT(#name), kind},
#include "record/where.def"
#undef FIELD
};

enum field {
#define FIELD(name, kind, value, help) FIELD_##name,
#include "record/where.def"
#undef FIELD
};

enum compare { EQUAL, UNEQUAL, LESS, LESS_EQUAL, MORE, MORE_EQUAL, CONTAINS };

struct term {
        uint8_t field, compare;
        struct str text;
        uint64_t number;
        struct cidr network;
};

/* Steps of the program: a term by its index, or one of these. */
enum { STEP_NOT = 64, STEP_AND, STEP_OR };
enum { OPEN = 1, PROGRAM_MAX = 4 * WHERE_TERMS_MAX };

struct where {
        struct term terms[WHERE_TERMS_MAX];
        uint8_t program[PROGRAM_MAX];
        uint8_t term_count, length;
};

struct reading {
        struct str text;
        size_t at;
        struct where *where;
        uint8_t stack[WHERE_DEPTH_MAX]; /* OPEN, STEP_… */
        unsigned depth;
        bool is_full; /* the program is */
        struct where_trouble *trouble;
};

static enum err fail(struct reading *reading, enum err err, const char *what, size_t from)
{
        reading->trouble->what = what;
        reading->trouble->at = from;
        reading->trouble->len = reading->at > from ? reading->at - from : 1;
        return err;
}

static void skip_blanks(struct reading *reading)
{
        while (reading->at < reading->text.len &&
               (reading->text.ptr[reading->at] == ' ' || reading->text.ptr[reading->at] == '\t'))
                reading->at++;
}

static bool take(struct reading *reading, const char *what)
{
        struct str left = str_skip(reading->text, reading->at);
        if (!str_starts(left, str_of(what)))
                return false;
        reading->at += strlen(what);
        return true;
}

static bool is_word(char c)
{
        return char_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
               c == '.' || c == '_' || c == '/' || c == ':' || c == '*';
}

static struct str take_word(struct reading *reading)
{
        size_t from = reading->at;
        while (reading->at < reading->text.len && is_word(reading->text.ptr[reading->at]))
                reading->at++;
        return str_from(reading->text.ptr + from, reading->at - from);
}

/* A quoted text; there are no escapes: what holds one quote is put into the other. */
static bool take_quoted(struct reading *reading, struct str *ret_text)
{
        char quote = reading->text.ptr[reading->at];
        struct str left = str_skip(reading->text, reading->at + 1);
        ptrdiff_t end = str_find(left, quote);
        if (end < 0)
                return false;
        *ret_text = str_first(left, (size_t)end);
        reading->at += (size_t)end + 2;
        return true;
}

static enum err read_field(struct reading *reading, struct term *term)
{
        size_t from = reading->at;
        struct str word = take_word(reading);
        if (word.len == 0)
                return fail(reading, ERR_syntax, "a field is expected here", from);
        for (unsigned i = 0; i < countof(fields); i++) {
                if (str_eq(fields[i].name, word)) {
                        term->field = (uint8_t)i;
                        return ERR_ok;
                }
        }
        return fail(reading, ERR_syntax, "there is no such field", from);
}

static enum err read_compare(struct reading *reading, struct term *term)
{
        static const struct {
                const char *text;
                enum compare compare;
        } signs[] = {
                {"==", EQUAL}, {"!=", UNEQUAL}, {"<=", LESS_EQUAL}, {">=", MORE_EQUAL},
                {"<", LESS},   {">", MORE},     {"~", CONTAINS},    {"=", EQUAL},
        };
        size_t from = reading->at;
        enum kind kind = fields[term->field].kind;
        for (size_t i = 0; i < countof(signs); i++) {
                if (!take(reading, signs[i].text))
                        continue;
                enum compare compare = signs[i].compare;
                bool is_order = compare >= LESS && compare <= MORE_EQUAL;
                term->compare = (uint8_t)compare;
                if (is_order && (kind == TEXT || kind == ADDRESS))
                        return fail(reading, ERR_syntax, "this field has no order", from);
                if (compare == CONTAINS && kind != TEXT)
                        return fail(reading, ERR_syntax, "only texts contain something", from);
                return ERR_ok;
        }
        return fail(reading, ERR_syntax, "==, !=, <, <=, >, >= or ~ is expected here", from);
}

static enum err read_value(struct reading *reading, struct term *term)
{
        size_t from = reading->at;
        int64_t ns;
        if (from < reading->text.len &&
            (reading->text.ptr[from] == '"' || reading->text.ptr[from] == '\'')) {
                if (!take_quoted(reading, &term->text))
                        return fail(reading, ERR_syntax, "this quote is never closed", from);
        } else {
                term->text = take_word(reading);
                if (term->text.len == 0)
                        return fail(reading, ERR_syntax, "a value is expected here", from);
        }
        switch (fields[term->field].kind) {
        case TEXT:
                return ERR_ok;
        case NUMBER:
                if (str_to_u64(term->text, &term->number) != ERR_ok)
                        return fail(reading, ERR_syntax, "a number is expected here", from);
                return ERR_ok;
        case TIME:
                if (duration_read(term->text, &ns) != ERR_ok || ns < 0)
                        return fail(reading, ERR_syntax, "a duration such as 10ms is expected here",
                                    from);
                term->number = (uint64_t)ns;
                return ERR_ok;
        case ADDRESS:
                if (cidr_read(term->text, &term->network) != ERR_ok)
                        return fail(reading, ERR_syntax, "an address or a network is expected here",
                                    from);
                return ERR_ok;
        }
        return ERR_ok;
}

static void emit(struct reading *reading, uint8_t step)
{
        struct where *where = reading->where;
        if (where->length < PROGRAM_MAX)
                where->program[where->length++] = step;
        else
                reading->is_full = true;
}

static enum err read_term(struct reading *reading)
{
        struct where *where = reading->where;
        size_t from = reading->at;
        if (where->term_count == WHERE_TERMS_MAX)
                return fail(reading, ERR_limit, "too many comparisons", from);
        struct term *term = &where->terms[where->term_count];
        enum err err = read_field(reading, term);
        skip_blanks(reading);
        if (err == ERR_ok)
                err = read_compare(reading, term);
        skip_blanks(reading);
        if (err == ERR_ok)
                err = read_value(reading, term);
        if (err == ERR_ok)
                emit(reading, where->term_count++);
        return err;
}

static enum err push(struct reading *reading, uint8_t step, size_t from)
{
        if (reading->depth == WHERE_DEPTH_MAX)
                return fail(reading, ERR_limit, "nested too deeply", from);
        reading->stack[reading->depth++] = step;
        return ERR_ok;
}

/* Operators that bind tighter than `step`, or as tight, have all that they need. */
static void reduce(struct reading *reading, uint8_t step)
{
        while (reading->depth > 0 && reading->stack[reading->depth - 1] != OPEN &&
               reading->stack[reading->depth - 1] <= step)
                emit(reading, reading->stack[--reading->depth]);
}

/* What stands before a comparison: any number of ! and (. */
static enum err read_operand(struct reading *reading)
{
        enum err err = ERR_ok;
        for (;;) {
                skip_blanks(reading);
                size_t from = reading->at;
                if (take(reading, "!"))
                        err = push(reading, STEP_NOT, from);
                else if (take(reading, "("))
                        err = push(reading, OPEN, from);
                else
                        return read_term(reading);
                if (err != ERR_ok)
                        return err;
        }
}

/* What follows a comparison: any number of ), then && or || or the end. */
static enum err read_operator(struct reading *reading, bool *ret_is_end)
{
        *ret_is_end = false;
        for (;;) {
                skip_blanks(reading);
                size_t from = reading->at;
                if (from == reading->text.len) {
                        *ret_is_end = true;
                        return ERR_ok;
                }
                bool is_and = take(reading, "&&") || take(reading, "and ");
                bool is_or = !is_and && (take(reading, "||") || take(reading, "or "));
                if (is_and || is_or) {
                        uint8_t step = is_and ? STEP_AND : STEP_OR;
                        reduce(reading, step);
                        return push(reading, step, from);
                }
                if (!take(reading, ")"))
                        return fail(reading, ERR_syntax, "&& or || is expected here", from);
                reduce(reading, STEP_OR);
                if (reading->depth == 0)
                        return fail(reading, ERR_syntax, "nothing was opened for this", from);
                reading->depth--;
        }
}

enum err where_read(struct str text, struct arena *arena, const struct where **ret_where,
                    struct where_trouble *ret_trouble)
{
        struct reading reading = {.text = text, .trouble = ret_trouble};
        bool is_end = false;
        reading.where = arena_new(arena, struct where);
        if (text.len > WHERE_TEXT_MAX)
                return fail(&reading, ERR_limit, "longer than it may be", 0);
        skip_blanks(&reading);
        while (reading.at < text.len && !is_end) {
                enum err err = read_operand(&reading);
                if (err == ERR_ok)
                        err = read_operator(&reading, &is_end);
                if (err != ERR_ok)
                        return err;
        }
        if (text.len > 0 && !is_end && reading.at > 0 && reading.where->term_count > 0)
                return fail(&reading, ERR_syntax, "a comparison is expected here", reading.at);
        reduce(&reading, STEP_OR);
        if (reading.depth > 0)
                return fail(&reading, ERR_syntax, "something is never closed", text.len);
        if (reading.is_full)
                return fail(&reading, ERR_limit, "too many operators", 0);
        *ret_where = reading.where;
        return ERR_ok;
}

/* ---- asking ---- */

static bool number_holds(const struct term *term, uint64_t value)
{
        switch ((enum compare)term->compare) {
        case EQUAL:
                return value == term->number;
        case UNEQUAL:
                return value != term->number;
        case LESS:
                return value < term->number;
        case LESS_EQUAL:
                return value <= term->number;
        case MORE:
                return value > term->number;
        case MORE_EQUAL:
                return value >= term->number;
        case CONTAINS:
                return false;
        }
        return false;
}

static bool text_holds(const struct term *term, struct str value)
{
        if (term->compare == CONTAINS)
                return term->text.len == 0 || str_find_str(value, term->text) >= 0;
        return str_eq(value, term->text) == (term->compare == EQUAL);
}

static bool address_holds(const struct term *term, const uint8_t *address)
{
        return cidr_has(&term->network, address) == (term->compare == EQUAL);
}

#define HOLDS_TEXT    text_holds
#define HOLDS_NUMBER  number_holds
#define HOLDS_TIME    number_holds
#define HOLDS_ADDRESS address_holds

static bool term_holds(const struct term *term, const struct record *record)
{
        switch ((enum field)term->field) {
#define FIELD(name, kind, value, help)                                                             \
        case FIELD_##name:                                                                         \
                return HOLDS_##kind(term, value);
#include "record/where.def"
#undef FIELD
        }
        return false;
}

bool where_holds(const struct where *where, const struct record *record)
{
        uint64_t bits = 0; /* the stack, its top lowest */
        for (unsigned i = 0; i < where->length; i++) {
                uint8_t step = where->program[i];
                if (step < STEP_NOT)
                        bits = bits << 1 | term_holds(&where->terms[step], record);
                else if (step == STEP_NOT)
                        bits ^= 1;
                else if (step == STEP_AND)
                        bits = (bits >> 1 & ~(uint64_t)1) | (bits & bits >> 1 & 1);
                else
                        bits = (bits >> 1 & ~(uint64_t)1) | ((bits | bits >> 1) & 1);
        }
        return where->length == 0 || (bits & 1) != 0;
}
