/* fault.c -- collecting complaints, and finding the place of a node in its source. */
#include "schema/fault_int.h"

#include <stdlib.h>

enum { QUOTE_MAX = 60, NEAR_MAX = 3 };

void sources_init(struct sources *sources, struct arena *arena)
{
        *sources = (struct sources){.arena = arena, .count = 1, .cap = 16};
        sources->at = arena_array(arena, struct source, sources->cap);
        sources->at[SOURCE_NONE].name = S("default");
}

uint16_t sources_add(struct sources *sources, struct str name, struct str text)
{
        if (sources->count == SOURCES_MAX)
                return SOURCE_NONE;
        if (sources->count == sources->cap) {
                uint16_t cap = (uint16_t)(sources->cap * 2);
                struct source *bigger = arena_array(sources->arena, struct source, cap);
                memcpy(bigger, sources->at, sources->count * sizeof *bigger);
                sources->at = bigger;
                sources->cap = cap;
        }
        sources->at[sources->count] = (struct source){.name = name, .text = text};
        return sources->count++;
}

void sources_hide(struct sources *sources, const struct json *node)
{
        struct place place = place_of(sources, node);
        if (place.len == 0)
                return;
        if (sources->hidden_count == sources->hidden_cap) {
                size_t cap = sources->hidden_cap == 0 ? 8 : sources->hidden_cap * 2;
                struct place *bigger = arena_array(sources->arena, struct place, cap);
                if (sources->hidden_count > 0)
                        memcpy(bigger, sources->hidden, sources->hidden_count * sizeof *bigger);
                sources->hidden = bigger;
                sources->hidden_cap = cap;
        }
        sources->hidden[sources->hidden_count++] = place;
        sources->is_sorted = false;
}

static int compare_places(const void *a, const void *b)
{
        const struct place *left = a, *right = b;
        if (left->source != right->source)
                return left->source < right->source ? -1 : 1;
        return left->at < right->at ? -1 : left->at > right->at;
}

/* Tokens do not overlap, so the last one that begins no later than `at` decides. */
bool sources_is_hidden(struct sources *sources, uint16_t source, size_t at)
{
        size_t low = 0, high = sources->hidden_count;
        if (!sources->is_sorted && high > 0)
                qsort(sources->hidden, high, sizeof *sources->hidden, compare_places);
        sources->is_sorted = true;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const struct place *one = &sources->hidden[middle];
                if (one->source < source || (one->source == source && one->at <= at))
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low == 0)
                return false;
        const struct place *last = &sources->hidden[low - 1];
        return last->source == source && at - last->at < last->len;
}

/* Length of a quoted text with its quotes; as far as the end when it is not closed. */
static size_t quoted_length(struct str s)
{
        char quote = s.ptr[0];
        for (size_t i = 1; i < s.len; i++) {
                if (quote == '"' && s.ptr[i] == '\\')
                        i++;
                else if (s.ptr[i] == quote && quote == '\'' && i + 1 < s.len &&
                         s.ptr[i + 1] == quote)
                        i++;
                else if (s.ptr[i] == quote)
                        return i + 1;
        }
        return s.len;
}

/* A plain scalar whose value is not its text (a number written in octal, a reference): the run of
 * characters that may stand in one. */
static size_t plain_length(struct str s)
{
        size_t depth = 0, i = 0;
        for (; i < s.len; i++) {
                char c = s.ptr[i];
                bool is_end = c == ',' || c == ']' || (c == '}' && depth == 0) || c == ' ' ||
                              c == '\t';
                if (is_end)
                        break;
                if (c == '{')
                        depth++;
                else if (c == '}')
                        depth--;
        }
        return i;
}

static size_t token_length(struct str s, const struct json *node)
{
        if (s.len == 0)
                return 0;
        if (s.ptr[0] == '"' || s.ptr[0] == '\'')
                return quoted_length(s);
        if (node->kind >= JSON_ARRAY || s.ptr[0] == '|' || s.ptr[0] == '>')
                return 1;
        if (node->kind >= JSON_NUMBER && str_starts(s, json_raw(node)) && node->len > 0)
                return node->len;
        return plain_length(s);
}

static struct str line_rest(struct str s)
{
        ptrdiff_t end = str_find(s, '\n');
        if (end >= 0)
                s.len = (size_t)end;
        if (s.len > 0 && s.ptr[s.len - 1] == '\r')
                s.len--;
        return s;
}

struct place place_of(const struct sources *sources, const struct json *node)
{
        if (node == NULL || node->source == SOURCE_NONE || node->source >= sources->count)
                return (struct place){0};
        struct str text = sources->at[node->source].text;
        struct str rest = str_skip(text, node->at);
        size_t len = token_length(rest, node);
        return (struct place){node->source, node->at, (uint32_t)size_min(len, text.len)};
}

static uint32_t count_chars(struct str s)
{
        uint32_t count = 0;
        for (size_t i = 0; i < s.len; i++)
                count += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
        return count;
}

struct line_column place_lines(const struct sources *sources, struct place place)
{
        if (place.source == SOURCE_NONE || place.source >= sources->count)
                return (struct line_column){0};
        struct source *source = &sources->at[place.source];
        if (place.at < source->line_at)
                source->line = source->line_at = 0;
        struct str before = str_skip(str_first(source->text, place.at), source->line_at);
        for (ptrdiff_t end; (end = str_find(before, '\n')) >= 0; source->line++) {
                before = str_skip(before, (size_t)end + 1);
                source->line_at += (uint32_t)end + 1;
        }
        struct line_column result = {
                .line = source->line + 1,
                .column = 1 + count_chars(before),
        };
        struct str token = line_rest(str_first(str_skip(source->text, place.at), place.len));
        result.end_column = result.column + count_chars(token);
        return result;
}

void place_write(const struct sources *sources, const struct json *node, struct text *out)
{
        struct place place = place_of(sources, node);
        text_put(out, sources->at[place.source].name);
        if (place.source == SOURCE_NONE)
                return;
        text_char(out, ':');
        text_u64(out, place_lines(sources, place).line);
}

void faults_init(struct faults *faults, struct arena *arena, struct sources *sources)
{
        *faults = (struct faults){.arena = arena, .sources = sources};
}

static struct fault *slot(struct faults *faults)
{
        faults->is_dropping = faults->count == FAULTS_MAX;
        if (faults->is_dropping)
                return &faults->spare;
        if (faults->count == faults->cap) {
                faults->cap = faults->cap == 0 ? 8
                                               : (uint32_t)size_min(faults->cap * 2, FAULTS_MAX);
                struct fault *bigger = arena_array(faults->arena, struct fault, faults->cap);
                if (faults->count > 0)
                        memcpy(bigger, faults->at, faults->count * sizeof *bigger);
                faults->at = bigger;
        }
        return &faults->at[faults->count++];
}

printf_like(2, 0) static struct str
        format_message(struct faults *faults, const char *format, va_list args)
{
        if (faults->is_dropping)
                return S("");
        struct text text = text_grow(faults->arena, 4096);
        text_vformat(&text, format, args);
        return text_str(&text);
}

static struct fault *add(struct faults *faults, enum fault_code code, struct place place,
                         struct str message)
{
        struct fault *fault = slot(faults);
        *fault = (struct fault){.code = code, .place = place, .message = message};
        if (fault_code_severity(code) == SEVERITY_error)
                faults->errors++;
        else
                faults->warnings++;
        return fault;
}

struct fault *fault_add(struct faults *faults, enum fault_code code, const struct json *node,
                        const char *format, ...)
{
        va_list args;
        va_start(args, format);
        struct str message = format_message(faults, format, args);
        va_end(args);
        return add(faults, code, place_of(faults->sources, node), message);
}

struct fault *fault_add_at(struct faults *faults, enum fault_code code, struct place place,
                           const char *format, ...)
{
        va_list args;
        va_start(args, format);
        struct str message = format_message(faults, format, args);
        va_end(args);
        return add(faults, code, place, message);
}

struct str fault_text(struct faults *faults, const char *format, ...)
{
        va_list args;
        va_start(args, format);
        struct str text = format_message(faults, format, args);
        va_end(args);
        return text;
}

static struct str quote_source(struct faults *faults, const struct json *node)
{
        struct place place = place_of(faults->sources, node);
        if (place.source == SOURCE_NONE)
                return S("‹filled›");
        struct str text = faults->sources->at[place.source].text;
        return str_first(str_skip(text, place.at), size_min(place.len, QUOTE_MAX));
}

struct str fault_quote(struct faults *faults, const struct json *node)
{
        static const struct str words[] = {[JSON_NULL] = S_INIT("nothing"),
                                           [JSON_FALSE] = S_INIT("false"),
                                           [JSON_TRUE] = S_INIT("true"),
                                           [JSON_ARRAY] = S_INIT("a list"),
                                           [JSON_OBJECT] = S_INIT("a block")};
        if (node == NULL)
                return words[JSON_NULL];
        if (node->kind != JSON_NUMBER && node->kind != JSON_STRING)
                return words[node->kind];
        if ((node->flags & JSON_SECRET) != 0)
                return S("‹secret›");
        if ((node->flags & JSON_FILLED) != 0) /* what was written, not what it stands for */
                return quote_source(faults, node);
        struct str text = node->kind == JSON_NUMBER ? json_raw(node)
                                                    : json_str(node, faults->arena);
        if (text.len <= QUOTE_MAX)
                return text;
        size_t len = QUOTE_MAX;
        while (len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
                len--;
        return fault_text(faults, STR_FMT "…", (int)len, text.ptr);
}

struct str fault_nearest(struct str word, const struct str *names, size_t count)
{
        unsigned most = (unsigned)size_min(NEAR_MAX, word.len / 3 + 1), best = most + 1;
        struct str nearest = S("");
        for (size_t i = 0; i < count; i++) {
                unsigned distance = str_distance(word, names[i], most);
                if (distance < best && distance < names[i].len) {
                        best = distance;
                        nearest = names[i];
                }
        }
        return nearest;
}

void fault_suggest(struct faults *faults, struct fault *fault, struct str nearest)
{
        if (nearest.len == 0)
                return;
        fault->label = fault_text(faults, "did you mean `" STR_FMT "`?", STR_ARG(nearest));
        fault->fix = nearest;
}

void fault_suggest_near(struct faults *faults, struct fault *fault, struct str word,
                        const struct str *names, size_t count)
{
        if (!faults->is_dropping)
                fault_suggest(faults, fault, fault_nearest(word, names, count));
}

static int compare(const struct fault *a, const struct fault *b)
{
        if (a->place.source != b->place.source)
                return a->place.source < b->place.source ? -1 : 1;
        if (a->place.at != b->place.at)
                return a->place.at < b->place.at ? -1 : 1;
        return 0;
}

void faults_sort(struct faults *faults)
{
        for (uint32_t i = 1; i < faults->count; i++) { /* at most FAULTS_MAX, and equal ones stay */
                struct fault one = faults->at[i];
                uint32_t to = i;
                for (; to > 0 && compare(&one, &faults->at[to - 1]) < 0; to--)
                        faults->at[to] = faults->at[to - 1];
                faults->at[to] = one;
        }
}

static const struct code {
        const char *name;
        enum severity severity;
        const char *title, *text;
} codes[] = {
        [FAULT_none] = {"", SEVERITY_error, "", ""},
#define FAULT(code, severity, title, text)                                                         \
        [FAULT_##code] = {#code, SEVERITY_##severity, title, text},
#include "schema/fault.def"
#undef FAULT
};

const char *fault_code_name(enum fault_code code)
{
        return codes[code].name;
}

const char *fault_code_title(enum fault_code code)
{
        return codes[code].title;
}

const char *fault_code_text(enum fault_code code)
{
        return codes[code].text;
}

enum severity fault_code_severity(enum fault_code code)
{
        return codes[code].severity;
}

enum fault_code fault_code_find(struct str name)
{
        for (unsigned code = FAULT_none + 1; code < FAULT_COUNT; code++) {
                if (str_eq_nocase(name, str_of(codes[code].name)))
                        return (enum fault_code)code;
        }
        return FAULT_none;
}
