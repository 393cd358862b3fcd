/* json_write.c -- documents as text: compact, for people, and canonical for hashing. What is secret
 * is written as its digest, everywhere. Not deeper than the reader let it be. */
#include <stdlib.h>

#include "wire/digest.h"
#include "wire/json.h"

struct writer {
        struct text *out;
        struct arena *scratch;
        enum json_style style;
        unsigned depth;
};

static void break_line(const struct writer *writer)
{
        if (writer->style != JSON_PRETTY)
                return;
        text_char(writer->out, '\n');
        for (unsigned i = 0; i < writer->depth; i++)
                text_put(writer->out, S("  "));
}

static void write_string(const struct writer *writer, const struct json *node)
{
        text_char(writer->out, '"');
        if ((node->flags & JSON_SECRET) != 0) {
                struct digest digest = digest_sha256(json_str(node, writer->scratch));
                bool is_whole = writer->style == JSON_CANONICAL;
                text_put(writer->out, S("‹secret sha256:"));
                digest_write(&digest, is_whole ? DIGEST_SIZE : 2, writer->out);
                text_put(writer->out, is_whole ? S("›") : S("…›"));
        } else if ((node->flags & JSON_ESCAPED) == 0 || writer->style == JSON_CANONICAL) {
                text_json(writer->out, json_str(node, writer->scratch));
        } else {
                text_put(writer->out, json_raw(node));
        }
        text_char(writer->out, '"');
}

static int compare_members(const void *a, const void *b)
{
        const struct json *const *left = a, *const *right = b;
        return str_compare(json_key_str(*left), json_key_str(*right));
}

/* The values of a container, in the order of writing. */
static const struct json **order(const struct writer *writer, const struct json *container)
{
        size_t count = 0;
        const struct json **items = arena_array(writer->scratch, const struct json *,
                                                (size_t)container->len + 1);
        json_each (item, container)
                items[count++] = item;
        qsort(items, count, sizeof(struct json *), compare_members);
        return items;
}

static void write_node(struct writer *writer, const struct json *node);

static void write_item(struct writer *writer, const struct json *container, const struct json *item,
                       bool is_first)
{
        if (!is_first)
                text_char(writer->out, ',');
        break_line(writer);
        if (container->kind == JSON_OBJECT) {
                write_string(writer, json_key(item));
                text_put(writer->out, writer->style == JSON_PRETTY ? S(": ") : S(":"));
        }
        write_node(writer, item);
}

static void write_container(struct writer *writer, const struct json *node)
{
        bool is_object = node->kind == JSON_OBJECT;
        text_char(writer->out, is_object ? '{' : '[');
        writer->depth++;
        if (is_object && writer->style == JSON_CANONICAL) {
                const struct json **items = order(writer, node);
                for (size_t i = 0; i < node->len; i++)
                        write_item(writer, node, items[i], i == 0);
        } else {
                bool is_first = true;
                json_each (item, node) {
                        write_item(writer, node, item, is_first);
                        is_first = false;
                }
        }
        writer->depth--;
        if (node->len > 0)
                break_line(writer);
        text_char(writer->out, is_object ? '}' : ']');
}

static void write_node(struct writer *writer, const struct json *node)
{
        static const struct str words[] = {[JSON_NULL] = S_INIT("null"),
                                           [JSON_FALSE] = S_INIT("false"),
                                           [JSON_TRUE] = S_INIT("true")};
        if (node->kind >= JSON_ARRAY)
                write_container(writer, node);
        else if (node->kind == JSON_STRING)
                write_string(writer, node);
        else if (node->kind == JSON_NUMBER)
                text_put(writer->out, json_raw(node));
        else
                text_put(writer->out, words[node->kind]);
}

void json_write(const struct json *node, enum json_style style, struct arena *scratch,
                struct text *out)
{
        struct writer writer = {.out = out, .scratch = scratch, .style = style};
        write_node(&writer, node);
}
