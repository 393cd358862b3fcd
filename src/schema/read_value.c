/* read_value.c -- single values into members: numbers with their units, texts with their forms,
 * words out of lists of words. */
#include "base/check.h"
#include "schema/read_int.h"

const struct kind_words kind_words[SETTING_KINDS] = {
        [SETTING_integer] = {"a whole number", "expected a whole number", NULL},
        [SETTING_flag] = {"true or false", "expected true or false", NULL},
        [SETTING_text] = {"a text", "expected a text", NULL},
        [SETTING_texts] = {"a list of texts", "expected a text or a list of texts", NULL},
        [SETTING_pairs] = {"a block of names and texts", "expected NAME: TEXT", NULL},
        [SETTING_choice] = {"one of a few words", "expected one word", NULL},
        [SETTING_set] = {"a list of words", "expected a word or a list of words", NULL},
        [SETTING_duration] = {"a duration", "expected a number and a unit",
                              "write `30s`; also: `500ms`, `5m`, `1h30m`, `24h`, `7d`"},
        [SETTING_size] = {"a size", "expected a number and a unit",
                          "write `10MiB`; also: `512B`, `64KiB`, `1GiB`"},
        [SETTING_byte_rate] = {"bytes per second", "expected SIZE/s",
                               "write `240B/s`; also: `1MiB/s`"},
        [SETTING_share] = {"a share", "expected a percentage", "write `10%`; also: `0.5%`"},
        [SETTING_rate] = {"a rate", "expected COUNT/PERIOD",
                          "write `100/min`; also: `50/s per consumer`, `1000/month per ip`"},
        [SETTING_address] =
                {"an address", "expected HOST:PORT",
                 "write `localhost:8080`, `10.0.0.5:8443`, or `:443` for every address"},
        [SETTING_cidrs] = {"a network", "expected ADDRESS or ADDRESS/BITS",
                           "write `203.0.113.0/24`, `2001:db8::/32` or `192.0.2.7`"},
        [SETTING_url] = {"a URL", "expected http://HOST:PORT/PATH",
                         "write `http://orders:8080` or `https://orders.internal/v1`"},
        [SETTING_object] = {"a block", "expected KEY: VALUE", NULL},
        [SETTING_maybe] = {"a block", "expected KEY: VALUE", NULL},
        [SETTING_list] = {"a list", "expected a list", NULL},
        [SETTING_map] = {"a block of names", "expected NAME: { … }", NULL},
        [SETTING_block] = {"a block of policies", "expected POLICY: VALUE", NULL},
        [SETTING_any] = {"anything", NULL, NULL},
};

static const char *kind_of(const struct json *node)
{
        static const char *const words[] = {
                [JSON_NULL] = "nothing is written here", [JSON_FALSE] = "this is `false`",
                [JSON_TRUE] = "this is `true`",          [JSON_NUMBER] = "this is a number",
                [JSON_STRING] = "this is a text",        [JSON_ARRAY] = "this is a list",
                [JSON_OBJECT] = "this is a block"};
        return words[node->kind];
}

void fault_kind(struct reading *reading, const struct setting *setting, const struct json *node,
                const char *wanted)
{
        struct faults *faults = reading->reader->faults;
        struct fault *fault = fault_add(faults, FAULT_E105, node, "`%s`" STR_FMT " must be %s",
                                        setting->name, STR_ARG(where_text(reading)), wanted);
        fault->label = str_of(kind_of(node));
        bool is_text = setting->kind == SETTING_text || setting->kind == SETTING_texts ||
                       setting->kind == SETTING_pairs;
        if (is_text &&
            (node->kind == JSON_NUMBER || node->kind == JSON_TRUE || node->kind == JSON_FALSE)) {
                fault->help = S("a text that looks like something else must stand in quotes");
                fault->fix = fault_text(faults, "\"" STR_FMT "\"",
                                        STR_ARG(fault_quote(faults, node)));
        }
        if (setting->kind == SETTING_map && node->kind == JSON_ARRAY)
                fault->help = S("write `NAME: { … }` instead of `- name: NAME`");
        if (node->kind == JSON_OBJECT && fault->place.len == 1 && is_text)
                fault->help = S("a text with `{` or `${…}` must stand in quotes");
}

bool is_word_of(const struct setting *setting, const struct json *node)
{
        if (setting->word == NULL)
                return false;
        if (strcmp(setting->word, "off") == 0 && node->kind == JSON_FALSE)
                return true;
        return json_is_str(node, str_of(setting->word));
}

void number_write(enum setting_kind kind, int64_t value, struct text *out)
{
        switch (kind) {
        case SETTING_duration:
                duration_write(value, out);
                break;
        case SETTING_size:
                size_write(value, out);
                break;
        case SETTING_byte_rate:
                size_write(value, out);
                text_put(out, S("/s"));
                break;
        case SETTING_share:
                share_write(value, out);
                break;
        default:
                text_i64(out, value);
                break;
        }
}

static void fault_range(struct reading *reading, const struct setting *setting,
                        const struct json *node, bool is_below)
{
        struct faults *faults = reading->reader->faults;
        char memory[64];
        struct text bound = text_over(memory, sizeof memory);
        number_write(setting->kind, is_below ? setting->least : setting->most, &bound);
        const char *low = setting->kind == SETTING_text ? "short" : "small";
        const char *high = setting->kind == SETTING_text ? "long" : "large";
        struct fault *fault = fault_add(faults, FAULT_E110, node, "`%s`" STR_FMT " is too %s",
                                        setting->name, STR_ARG(where_text(reading)),
                                        is_below ? low : high);
        fault->label = S("it does not fit");
        if (is_below || setting->most != 0)
                fault->label = fault_text(faults, "at %s " STR_FMT "%s%s",
                                          is_below ? "least" : "most", STR_ARG(text_str(&bound)),
                                          setting->unit == NULL ? "" : " ",
                                          setting->unit == NULL ? "" : setting->unit);
}

static bool is_in_range(struct reading *reading, const struct setting *setting,
                        const struct json *node, int64_t value)
{
        bool is_below = value < setting->least;
        bool is_above = setting->most != 0 && value > setting->most;
        if (is_below || is_above)
                fault_range(reading, setting, node, is_below);
        return !is_below && !is_above;
}

/* "100 per minute", "100/minute", "100 / s": what was probably meant; empty when nothing is near.
 */
static struct str guess_rate(struct faults *faults, struct str s)
{
        static const struct {
                struct str start, period;
        } periods[] = {{S_INIT("mo"), S_INIT("month")},
                       {S_INIT("m"), S_INIT("min")},
                       {S_INIT("s"), S_INIT("s")},
                       {S_INIT("h"), S_INIT("h")},
                       {S_INIT("d"), S_INIT("day")}};
        size_t digits = 0;
        while (digits < s.len && char_is_digit(s.ptr[digits]))
                digits++;
        struct str rest = str_trim(str_skip(s, digits)), none = S("");
        if (str_starts(rest, S("/")))
                rest = str_trim(str_skip(rest, 1));
        else if (str_starts(rest, S("per ")))
                rest = str_trim(str_skip(rest, 4));
        else
                return none;
        for (size_t i = 0; digits > 0 && i < countof(periods); i++) {
                if (str_starts(rest, periods[i].start))
                        return fault_text(faults, STR_FMT "/" STR_FMT, (int)digits, s.ptr,
                                          STR_ARG(periods[i].period));
        }
        return none;
}

static struct fault *fault_read(struct reading *reading, const struct setting *setting,
                                const struct json *node, enum fault_code code)
{
        struct faults *faults = reading->reader->faults;
        const struct kind_words *words = &kind_words[setting->kind];
        struct str quote = fault_quote(faults, node);
        struct fault *fault = fault_add(faults, code, node, "cannot read `" STR_FMT "` as %s",
                                        STR_ARG(quote), words->a);
        fault->label = str_of(words->expected);
        fault->help = str_of(words->help);
        if (setting->kind == SETTING_rate) {
                struct str guess = guess_rate(faults, quote);
                if (guess.len > 0) {
                        fault->fix = guess;
                        fault->help = fault_text(faults,
                                                 "write `" STR_FMT "`; also: `50/s per "
                                                 "consumer`, `1000/month per ip`",
                                                 STR_ARG(guess));
                }
        }
        if (node->kind == JSON_NUMBER && setting->kind == SETTING_duration)
                fault->help = fault_text(faults, "write `" STR_FMT "s` or `" STR_FMT "ms`",
                                         STR_ARG(quote), STR_ARG(quote));
        if (node->kind == JSON_NUMBER && setting->kind == SETTING_size)
                fault->help = fault_text(faults, "write `" STR_FMT "B` or `" STR_FMT "MiB`",
                                         STR_ARG(quote), STR_ARG(quote));
        if (node->kind == JSON_NUMBER && setting->kind == SETTING_share)
                fault->help = fault_text(faults, "write `" STR_FMT "%%`", STR_ARG(quote));
        return fault;
}

typedef enum err unit_fn(struct str s, int64_t *ret_value);

static unit_fn *const unit_readers[SETTING_KINDS] = {[SETTING_duration] = duration_read,
                                                     [SETTING_size] = size_read,
                                                     [SETTING_byte_rate] = byte_rate_read,
                                                     [SETTING_share] = share_read};

static void read_unit(struct reading *reading, const struct setting *setting,
                      const struct json *node)
{
        int64_t value;
        struct str text = json_str(node, reading->reader->arena);
        if (unit_readers[setting->kind](text, &value) != ERR_ok)
                fault_read(reading, setting, node, FAULT_E112);
        else if (is_in_range(reading, setting, node, value))
                *(int64_t *)member_of(reading, setting) = value;
}

/* A reference yields text, even ${env:WORKERS}. */
static bool is_filled_number(const struct json *node)
{
        if (node->kind != JSON_STRING || (node->flags & JSON_FILLED) == 0 || node->len == 0)
                return false;
        for (size_t i = 0; i < node->len; i++) {
                if (!char_is_digit(node->ptr[i]))
                        return false;
        }
        return true;
}

static void read_integer(struct reading *reading, const struct setting *setting,
                         const struct json *node)
{
        int64_t value;
        struct json number = *node;
        if (is_filled_number(node))
                number.kind = JSON_NUMBER;
        enum err err = json_to_i64(&number, &value);
        if (number.kind == JSON_NUMBER && err == ERR_range)
                fault_range(reading, setting, node, node->ptr[0] == '-');
        else if (err != ERR_ok)
                fault_kind(reading, setting, node, kind_words[SETTING_integer].a);
        else if (is_in_range(reading, setting, node, value))
                *(int64_t *)member_of(reading, setting) = value;
}

static void read_flag(struct reading *reading, const struct setting *setting,
                      const struct json *node)
{
        bool is_filled = (node->flags & JSON_FILLED) != 0;
        bool is_on = node->kind == JSON_TRUE || json_is_str(node, S("on")) ||
                     (is_filled && json_is_str(node, S("true")));
        bool is_off = node->kind == JSON_FALSE || json_is_str(node, S("off")) ||
                      (is_filled && json_is_str(node, S("false")));
        if (is_on || is_off)
                *(bool *)member_of(reading, setting) = is_on;
        else
                fault_kind(reading, setting, node, kind_words[SETTING_flag].a);
}

/* One text in the form of its setting; false after a complaint. */
static bool read_str(struct reading *reading, const struct setting *setting,
                     const struct json *node, struct str *ret_str)
{
        struct faults *faults = reading->reader->faults;
        bool is_reference = (node->flags & JSON_FILLED) != 0 ||
                            str_find_str(json_raw(node), S("${")) >= 0;
        if (setting->is_secret && node->kind < JSON_ARRAY && !is_reference)
                sources_hide(faults->sources, node);
        if (node->kind == JSON_NUMBER && setting->takes_numbers) {
                *ret_str = json_raw(node);
                return true;
        }
        if (node->kind != JSON_STRING) {
                fault_kind(reading, setting, node, kind_words[setting->kind].a);
                return false;
        }
        struct str text = json_str(node, reading->reader->arena);
        if (text.len == 0) {
                fault_add(faults, FAULT_E116, node, "`%s`" STR_FMT " is empty", setting->name,
                          STR_ARG(where_text(reading)));
                return false;
        }
        if (!format_fits(setting->format, text)) {
                struct fault *fault = fault_add(
                        faults, FAULT_E113, node, "`" STR_FMT "` cannot be `%s`" STR_FMT,
                        STR_ARG(setting->is_secret ? S("•••") : fault_quote(faults, node)),
                        setting->name, STR_ARG(where_text(reading)));
                fault->label = fault_text(faults, "expected %s", format_text(setting->format));
                return false;
        }
        *ret_str = text;
        return true;
}

static void read_text(struct reading *reading, const struct setting *setting,
                      const struct json *node)
{
        struct str text;
        if (read_str(reading, setting, node, &text) &&
            is_in_range(reading, setting, node, (int64_t)text.len))
                *(struct str *)member_of(reading, setting) = text;
}

bool count_fits(struct reading *reading, const struct setting *setting, const struct json *node,
                size_t count)
{
        struct faults *faults = reading->reader->faults;
        if (count < (size_t)setting->least) {
                fault_add(faults, FAULT_E116, node, "`%s`" STR_FMT " needs at least %lld",
                          setting->name, STR_ARG(where_text(reading)), (long long)setting->least);
                return false;
        }
        if (setting->most != 0 && count > (size_t)setting->most) {
                fault_add(faults, FAULT_E114, node, "`%s`" STR_FMT " holds at most %lld",
                          setting->name, STR_ARG(where_text(reading)), (long long)setting->most);
                return false;
        }
        return true;
}

/* How many there are in a list, or one value alone. */
static size_t count_of(const struct json *node)
{
        return node->kind == JSON_ARRAY ? node->len : 1;
}

/* Calls fn for each element of a list, or for one value alone. */
static void each_of(struct reading *reading, const struct setting *setting, const struct json *node,
                    void (*fn)(struct reading *, const struct setting *, const struct json *))
{
        if (node->kind != JSON_ARRAY) {
                fn(reading, setting, node);
                return;
        }
        json_each (item, node)
                fn(reading, setting, item);
}

static void add_text(struct reading *reading, const struct setting *setting,
                     const struct json *node)
{
        struct texts *texts = member_of(reading, setting);
        struct str *at = (struct str *)(uintptr_t)texts->at;
        const struct json **nodes = (const struct json **)(uintptr_t)texts->nodes;
        if (!read_str(reading, setting, node, &at[texts->count]))
                return;
        nodes[texts->count++] = node;
}

static void read_texts(struct reading *reading, const struct setting *setting,
                       const struct json *node)
{
        struct texts *texts = member_of(reading, setting);
        size_t count = count_of(node);
        if (!count_fits(reading, setting, node, count))
                return;
        *texts = (struct texts){
                .at = arena_array(reading->reader->arena, struct str, count + 1),
                .nodes = arena_array(reading->reader->arena, const struct json *, count + 1)};
        each_of(reading, setting, node, add_text);
}

static void read_pairs(struct reading *reading, const struct setting *setting,
                       const struct json *node)
{
        struct reader *reader = reading->reader;
        struct pairs *pairs = member_of(reading, setting);
        const struct setting each = {.name = setting->name,
                                     .kind = SETTING_pairs,
                                     .format = FORMAT_header_value,
                                     .is_secret = setting->is_secret};
        if (node->kind != JSON_OBJECT) {
                fault_kind(reading, setting, node, kind_words[SETTING_pairs].a);
                return;
        }
        if (!count_fits(reading, setting, node, node->len))
                return;
        struct pair *at = arena_array(reader->arena, struct pair, (size_t)node->len + 1);
        size_t count = 0;
        json_each (value, node) {
                struct pair pair = {.name = json_key_str(value), .node = value};
                if (!format_fits(setting->format, pair.name)) {
                        struct fault *fault = fault_add(
                                reader->faults, FAULT_E107, json_key(value),
                                "`" STR_FMT "` cannot stand in `%s`",
                                STR_ARG(fault_quote(reader->faults, json_key(value))),
                                setting->name);
                        fault->label = fault_text(reader->faults, "expected %s",
                                                  format_text(setting->format));
                } else if (read_str(reading, &each, value, &pair.value)) {
                        at[count++] = pair;
                }
        }
        *pairs = (struct pairs){at, count};
}

/* Index of the word, -1 after a complaint. A number is a word too: 503. */
static int64_t find_word(struct reading *reading, const struct setting *setting,
                         const struct json *node)
{
        struct faults *faults = reading->reader->faults;
        struct str names[64], word = json_raw(node);
        size_t count = 0;
        bool is_word = node->kind == JSON_STRING || node->kind == JSON_NUMBER;
        if (node->kind == JSON_FALSE)
                word = S("off");
        struct text list = text_grow(faults->arena, 1024);
        for (; setting->choices[count] != NULL && count < countof(names); count++) {
                names[count] = str_of(setting->choices[count]);
                if ((is_word || node->kind == JSON_FALSE) && str_eq(names[count], word))
                        return (int64_t)count;
                text_format(&list, "%s`%s`", count == 0 ? "" : ", ", setting->choices[count]);
        }
        if (!is_word) {
                fault_kind(reading, setting, node, "one of a few words");
        } else {
                struct fault *fault = fault_add(faults, FAULT_E111, node,
                                                "`%s`" STR_FMT " cannot be `" STR_FMT "`",
                                                setting->name, STR_ARG(where_text(reading)),
                                                STR_ARG(fault_quote(faults, node)));
                fault_suggest_near(faults, fault, word, names, count);
                fault->help = fault_text(faults, "one of " STR_FMT, STR_ARG(text_str(&list)));
        }
        return -1;
}

static void read_choice(struct reading *reading, const struct setting *setting,
                        const struct json *node)
{
        int64_t index = find_word(reading, setting, node);
        if (index >= 0)
                *(int64_t *)member_of(reading, setting) = index;
}

static void add_word(struct reading *reading, const struct setting *setting,
                     const struct json *node)
{
        int64_t index = find_word(reading, setting, node);
        if (index >= 0)
                *(uint64_t *)member_of(reading, setting) |= (uint64_t)1 << index;
}

static void read_set(struct reading *reading, const struct setting *setting,
                     const struct json *node)
{
        *(uint64_t *)member_of(reading, setting) = 0;
        if (count_fits(reading, setting, node, count_of(node)))
                each_of(reading, setting, node, add_word);
}

static void read_rate(struct reading *reading, const struct setting *setting,
                      const struct json *node)
{
        struct rate rate;
        struct str text = json_str(node, reading->reader->arena);
        if (rate_read(text, &rate) != ERR_ok)
                fault_read(reading, setting, node, FAULT_E112);
        else if (is_in_range(reading, setting, node, rate.count))
                *(struct rate *)member_of(reading, setting) = rate;
}

static void read_address(struct reading *reading, const struct setting *setting,
                         const struct json *node)
{
        struct host_port address;
        struct str text = json_str(node, reading->reader->arena);
        if (host_port_read(text, &address) != ERR_ok)
                fault_read(reading, setting, node, FAULT_E113);
        else
                *(struct host_port *)member_of(reading, setting) = address;
}

static void read_url(struct reading *reading, const struct setting *setting,
                     const struct json *node)
{
        struct url url;
        struct str text = json_str(node, reading->reader->arena);
        if (url_read(text, &url) == ERR_ok) {
                *(struct url *)member_of(reading, setting) = url;
                return;
        }
        fault_read(reading, setting, node, FAULT_E113);
}

static void add_network(struct reading *reading, const struct setting *setting,
                        const struct json *node)
{
        struct cidrs *set = member_of(reading, setting);
        struct cidr *at = (struct cidr *)(uintptr_t)set->at;
        struct str text = json_str(node, reading->reader->arena);
        enum err err = cidr_read(text, &at[set->count]);
        if (err == ERR_ok) {
                set->count++;
                return;
        }
        struct fault *fault = fault_read(reading, setting, node, FAULT_E113);
        if (err == ERR_range)
                fault->label = S("bits behind the prefix are set");
}

static void read_cidrs(struct reading *reading, const struct setting *setting,
                       const struct json *node)
{
        struct arena *arena = reading->reader->arena;
        struct cidrs *set = member_of(reading, setting);
        size_t count = count_of(node);
        if (!count_fits(reading, setting, node, count))
                return;
        *set = (struct cidrs){.at = arena_array(arena, struct cidr, count + 1)};
        each_of(reading, setting, node, add_network);
        *set = cidrs_make(set->at, set->count, arena);
}

static void read_any(struct reading *reading, const struct setting *setting,
                     const struct json *node)
{
        *(const struct json **)member_of(reading, setting) = node;
}

static void read_list(struct reading *reading, const struct setting *setting,
                      const struct json *node)
{
        if (count_fits(reading, setting, node, count_of(node)))
                list_read(reading, setting, node);
}

static void (*const readers[SETTING_KINDS])(struct reading *, const struct setting *,
                                            const struct json *) = {
        [SETTING_integer] = read_integer, [SETTING_flag] = read_flag,
        [SETTING_text] = read_text,       [SETTING_texts] = read_texts,
        [SETTING_pairs] = read_pairs,     [SETTING_choice] = read_choice,
        [SETTING_set] = read_set,         [SETTING_duration] = read_unit,
        [SETTING_size] = read_unit,       [SETTING_byte_rate] = read_unit,
        [SETTING_share] = read_unit,      [SETTING_rate] = read_rate,
        [SETTING_address] = read_address, [SETTING_cidrs] = read_cidrs,
        [SETTING_url] = read_url,         [SETTING_object] = object_read,
        [SETTING_maybe] = object_read,    [SETTING_list] = read_list,
        [SETTING_map] = map_read,         [SETTING_block] = block_read,
        [SETTING_any] = read_any,
};

/* How much memory a member of the kind is; those that hold one number take a word's value. */
static bool holds_number(enum setting_kind kind)
{
        return kind == SETTING_integer || kind == SETTING_duration || kind == SETTING_size ||
               kind == SETTING_byte_rate || kind == SETTING_share;
}

static void take_word(struct reading *reading, const struct setting *setting)
{
        void *member = member_of(reading, setting);
        if (holds_number(setting->kind))
                *(int64_t *)member = setting->word_as;
        else if (setting->kind == SETTING_maybe)
                *(void **)member = NULL;
        else if (setting->kind == SETTING_rate)
                *(struct rate *)member = (struct rate){0};
        else if (setting->kind == SETTING_texts)
                *(struct texts *)member = (struct texts){0};
        else if (setting->kind == SETTING_text)
                *(struct str *)member = STR_NONE;
        else if (setting->kind == SETTING_address)
                *(struct host_port *)member = (struct host_port){0};
}

void value_read(struct reading *reading, const struct setting *setting, const struct json *node)
{
        bool is_block = setting->kind >= SETTING_object && setting->kind <= SETTING_any;
        if (is_word_of(setting, node)) {
                take_word(reading, setting);
                return;
        }
        if (node->kind == JSON_NULL && !is_block) {
                fault_kind(reading, setting, node, kind_words[setting->kind].a);
                return;
        }
        CHECK(readers[setting->kind] != NULL);
        readers[setting->kind](reading, setting, node);
}

void value_preset(struct reading *reading, const struct setting *setting)
{
        void *member = member_of(reading, setting);
        if (holds_number(setting->kind) || setting->kind == SETTING_choice)
                *(int64_t *)member = setting->preset;
        else if (setting->kind == SETTING_set)
                *(uint64_t *)member = (uint64_t)setting->preset;
        else if (setting->kind == SETTING_flag)
                *(bool *)member = setting->preset != 0;
        else if (setting->kind == SETTING_object)
                object_read(reading, setting, NULL);
        else if (setting->preset_text != NULL) {
                struct json_build build;
                json_build_init(&build, reading->reader->arena, 8);
                build.from.flags = JSON_PRESET;
                preset_put(setting, &build);
                value_read(reading, setting, json_build_done(&build));
        }
}
