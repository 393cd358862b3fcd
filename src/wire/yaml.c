/* yaml.c -- libyaml's events made into nodes. libyaml counts characters and we count bytes, so a
 * cursor walks along; it takes NEL, LS and PS for line ends as YAML 1.1 did, so a text with one of
 * them is refused. What libyaml allocates it has freed again when we return. */
#include "wire/yaml.h"

#include <yaml.h>

#include "base/check.h"
#include "wire/json_int.h"
#include "wire/yaml_int.h"

enum { SIZE_PRESET = 16 << 20, NODES_PRESET = 100000, DEPTH_PRESET = 64 };

struct composer {
        yaml_parser_t parser;
        struct str text;
        struct arena *arena;
        struct json_build build;
        struct json_slots slots;
        struct json_limits limits;
        struct json_trouble *trouble;
        size_t chars, bytes; /* the cursor: a character of the text, and its byte */
        uint32_t depth;
        bool is_ascii, has_document;
        bool has_key[JSON_DEPTH_MAX + 1]; /* of each open object: its key waits for a value */
};

static enum err fail(struct composer *composer, size_t at, size_t len, struct yaml_reason reason)
{
        size_t line = 0;
        struct str rest = str_skip(composer->text, at);
        while (line < rest.len && line < len && rest.ptr[line] != '\n' && rest.ptr[line] != '\r')
                line++;
        *composer->trouble = (struct json_trouble){.kind = reason.kind,
                                                   .what = reason.what,
                                                   .help = reason.help,
                                                   .at = (uint32_t)size_min(at, composer->text.len),
                                                   .len = (uint32_t)line};
        return reason.kind == TROUBLE_limit ? ERR_limit : ERR_syntax;
}

/* The byte at which a character of the text begins. */
static size_t byte_of(struct composer *composer, const yaml_mark_t *mark)
{
        struct str text = composer->text;
        if (composer->is_ascii)
                return size_min(mark->index, text.len);
        while (composer->chars < mark->index && composer->bytes < text.len) {
                composer->bytes += str_utf8(text, composer->bytes);
                composer->chars++;
        }
        while (composer->chars > mark->index) {
                do
                        composer->bytes--;
                while (((unsigned char)text.ptr[composer->bytes] & 0xc0) == 0x80);
                composer->chars--;
        }
        return composer->bytes;
}

static enum err fail_event(struct composer *composer, const yaml_event_t *event,
                           struct yaml_reason reason)
{
        size_t end = byte_of(composer, &event->end_mark);
        size_t at = byte_of(composer, &event->start_mark);
        return fail(composer, at, end - at, reason);
}

/* What libyaml could not read, in our words where we have some. */
static enum err fail_parser(struct composer *composer)
{
        const yaml_parser_t *parser = &composer->parser;
        if (parser->error == YAML_MEMORY_ERROR)
                return fail(composer, 0, 0, yaml_too_much);
        if (parser->error == YAML_READER_ERROR)
                return fail(composer, parser->problem_offset, 1,
                            (struct yaml_reason){TROUBLE_syntax, parser->problem, NULL, false});
        size_t at = byte_of(composer, &parser->problem_mark);
        char c = at < composer->text.len ? composer->text.ptr[at] : '\0';
        const char *around = parser->context; /* tidy: word, because libyaml says so */
        struct yaml_reason reason = yaml_explain(parser->problem, around, c);
        if (reason.is_around && around != NULL)
                at = byte_of(composer, &parser->context_mark); /* tidy: word, because of libyaml */
        return fail(composer, at, 1, reason);
}

static bool is_object(const struct composer *composer)
{
        const struct json_build *build = &composer->build;
        return build->open > 0 && build->nodes[build->open - 1].kind == JSON_OBJECT;
}

/* The next nodes get the place of this event. */
static void set_place(struct composer *composer, const yaml_event_t *event)
{
        composer->build.from.at = (uint32_t)byte_of(composer, &event->start_mark);
        composer->build.from.source = composer->limits.source;
}

/* The text of a scalar: a piece of the source where it is the same, else a copy. */
static struct str keep(struct composer *composer, const yaml_event_t *event)
{
        struct str value = {(const char *)event->data.scalar.value, event->data.scalar.length};
        size_t at = byte_of(composer, &event->start_mark);
        struct str source = str_first(str_skip(composer->text, at), value.len);
        return str_eq(source, value) ? source : arena_str(composer->arena, value);
}

static enum err put_key(struct composer *composer, const yaml_event_t *event)
{
        bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        struct str key = keep(composer, event);
        if (is_plain && key.len == 0)
                return fail_event(composer, event, yaml_no_key);
        if (is_plain && str_is(key, "<<"))
                return fail_event(composer, event, yaml_merge_key);
        if (event->data.scalar.tag != NULL)
                return fail_event(composer, event, yaml_tag);
        json_put_key(&composer->build, key);
        composer->has_key[composer->depth] = true;
        return ERR_ok;
}

static enum err put_plain(struct composer *composer, const yaml_event_t *event, struct str value)
{
        struct json_build *build = &composer->build;
        struct yaml_scalar scalar = yaml_resolve(value, composer->arena);
        switch (scalar.kind) {
        case JSON_NULL:
                json_put_null(build);
                break;
        case JSON_TRUE:
        case JSON_FALSE:
                json_put_bool(build, scalar.kind == JSON_TRUE);
                break;
        case JSON_NUMBER:
                if (scalar.text.len == 0)
                        return fail_event(composer, event, yaml_no_number);
                json_put_number(build, scalar.text);
                break;
        default:
                json_put_text(build, value);
                break;
        }
        return ERR_ok;
}

static enum err put_value(struct composer *composer, const yaml_event_t *event)
{
        const char *tag = (const char *)event->data.scalar.tag;
        struct str value = keep(composer, event);
        composer->has_key[composer->depth] = false;
        if (tag != NULL && strcmp(tag, "!") != 0 && strcmp(tag, YAML_STR_TAG) != 0)
                return fail_event(composer, event, yaml_tag);
        if (tag == NULL && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
                return put_plain(composer, event, value);
        json_put_text(&composer->build, value);
        return ERR_ok;
}

static enum err put_scalar(struct composer *composer, const yaml_event_t *event)
{
        if (event->data.scalar.anchor != NULL)
                return fail_event(composer, event, yaml_anchor);
        set_place(composer, event);
        if (is_object(composer) && !composer->has_key[composer->depth])
                return put_key(composer, event);
        return put_value(composer, event);
}

static enum err begin(struct composer *composer, const yaml_event_t *event, enum json_kind kind)
{
        bool is_map = kind == JSON_OBJECT;
        const yaml_char_t *anchor = is_map ? event->data.mapping_start.anchor
                                           : event->data.sequence_start.anchor;
        const yaml_char_t *tag = is_map ? event->data.mapping_start.tag
                                        : event->data.sequence_start.tag;
        if (anchor != NULL)
                return fail_event(composer, event, yaml_anchor);
        if (tag != NULL)
                return fail_event(composer, event, yaml_tag);
        if (is_object(composer) && !composer->has_key[composer->depth])
                return fail_event(composer, event, yaml_key_is_block);
        if (composer->depth == composer->limits.depth_max)
                return fail_event(composer, event, yaml_too_deep);
        set_place(composer, event);
        json_begin(&composer->build, kind);
        composer->has_key[composer->depth] = false;
        composer->has_key[++composer->depth] = false;
        return ERR_ok;
}

static size_t token_end(const struct composer *composer, const struct json *key)
{
        bool is_quoted = strchr("'\"", composer->text.ptr[key->at]) != NULL;
        return key->len + (is_quoted ? 2 : 0);
}

static enum err finish(struct composer *composer)
{
        const struct json *container = &composer->build.nodes[composer->build.open - 1];
        const struct json *first, *second;
        json_end(&composer->build);
        composer->depth--;
        if (container->kind != JSON_OBJECT)
                return ERR_ok;
        second = json_twice(container, &composer->slots, &first);
        if (second == NULL)
                return ERR_ok;
        enum err err = fail(composer, second->at, token_end(composer, second), yaml_twice);
        composer->trouble->also_at = first->at;
        composer->trouble->also_len = (uint32_t)token_end(composer, first);
        return err;
}

static enum err take_event(struct composer *composer, const yaml_event_t *event)
{
        if (composer->build.count >= composer->limits.nodes_max)
                return fail_event(composer, event, yaml_too_many);
        switch (event->type) {
        case YAML_DOCUMENT_START_EVENT:
                if (composer->has_document)
                        return fail_event(composer, event, yaml_second_document);
                composer->has_document = true;
                return ERR_ok;
        case YAML_ALIAS_EVENT:
                return fail_event(composer, event, yaml_alias);
        case YAML_SCALAR_EVENT:
                return put_scalar(composer, event);
        case YAML_SEQUENCE_START_EVENT:
                return begin(composer, event, JSON_ARRAY);
        case YAML_MAPPING_START_EVENT:
                return begin(composer, event, JSON_OBJECT);
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
                return finish(composer);
        default:
                return ERR_ok;
        }
}

static enum err compose(struct composer *composer)
{
        yaml_event_type_t type = YAML_NO_EVENT;
        while (type != YAML_STREAM_END_EVENT) {
                yaml_event_t event;
                if (yaml_parser_parse(&composer->parser, &event) == 0)
                        return fail_parser(composer);
                type = event.type;
                enum err err = take_event(composer, &event);
                yaml_event_delete(&event);
                if (err != ERR_ok)
                        return err;
        }
        if (composer->build.count == 0)
                json_put_null(&composer->build);
        return composer->arena->is_failed ? fail(composer, 0, 0, yaml_too_much) : ERR_ok;
}

/* UTF-8 throughout, and none of the characters that libyaml and others disagree on. */
static enum err check_text(struct composer *composer)
{
        struct str text = composer->text;
        composer->is_ascii = true;
        for (size_t i = 0; i < text.len;) {
                if ((unsigned char)text.ptr[i] < 0x80) {
                        i++;
                        continue;
                }
                size_t length = str_utf8(text, i);
                struct str c = {text.ptr + i, length};
                composer->is_ascii = false;
                if (length == 0)
                        return fail(composer, i, 1, yaml_not_utf8);
                if (str_eq(c, S("\xc2\x85")) || str_eq(c, S("\xe2\x80\xa8")) ||
                    str_eq(c, S("\xe2\x80\xa9")))
                        return fail(composer, i, length, yaml_line_end);
                i += length;
        }
        return ERR_ok;
}

/* JSON is YAML, but libyaml does not read all of it: halves of surrogates, tabs for indentation. */
static bool read_as_json(const struct composer *composer, const struct json **ret_root)
{
        struct json_trouble trouble;
        struct str text = composer->text;
        while (text.len > 0 && strchr(" \t\r\n", text.ptr[0]) != NULL)
                text = str_skip(text, 1);
        return text.len > 0 && (text.ptr[0] == '{' || text.ptr[0] == '[') &&
               json_read(composer->text, &composer->limits, composer->arena, ret_root, &trouble) ==
                       ERR_ok;
}

static enum err read_yaml(struct composer *composer, const struct json **ret_root)
{
        const unsigned char *bytes = (const unsigned char *)composer->text.ptr;
        enum err err = check_text(composer);
        if (err != ERR_ok || read_as_json(composer, ret_root))
                return err;
        if (yaml_parser_initialize(&composer->parser) == 0)
                return fail(composer, 0, 0, yaml_too_much);
        yaml_parser_set_encoding(&composer->parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&composer->parser, bytes, composer->text.len);
        json_build_init(&composer->build, composer->arena,
                        (uint32_t)(composer->text.len / 12) + 16);
        err = compose(composer);
        yaml_parser_delete(&composer->parser);
        if (err == ERR_ok)
                *ret_root = json_build_done(&composer->build);
        return err;
}

enum err yaml_read(struct str text, const struct json_limits *limits, struct arena *arena,
                   const struct json **ret_root, struct json_trouble *ret_trouble)
{
        struct composer composer = {.arena = arena,
                                    .slots = {.arena = arena},
                                    .trouble = ret_trouble,
                                    .text = text.len == 0 ? S("") : text};
        if (limits != NULL)
                composer.limits = *limits;
        struct json_limits *most = &composer.limits;
        most->size_max = most->size_max == 0 ? SIZE_PRESET : most->size_max;
        most->nodes_max = most->nodes_max == 0 ? NODES_PRESET : most->nodes_max;
        most->depth_max = most->depth_max == 0 ? DEPTH_PRESET : most->depth_max;
        CHECK(most->depth_max <= JSON_DEPTH_MAX);
        if (text.len > most->size_max)
                return fail(&composer, 0, 0, yaml_too_large);
        return read_yaml(&composer, ret_root);
}
