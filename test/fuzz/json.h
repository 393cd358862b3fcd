/* json.h -- what holds for every document that was read, in whatever form it came. */
#pragma once

#include "fuzz.h"
#include "wire/json.h"

static inline struct str json_text(const struct json *node, enum json_style style,
                                   struct arena *arena)
{
        struct text out = text_grow(arena, 1 << 26);
        json_write(node, style, arena, &out);
        CHECK(!out.is_cut);
        return text_str(&out);
}

/* Spans and counts agree, places lie in the text, strings can be decoded. */
static inline void json_check(const struct json *root, size_t size, struct arena *arena)
{
        for (uint32_t i = 0; i < root->span; i++) {
                const struct json *node = &root[i];
                uint32_t count = 0, span = 1;
                int64_t number;
                CHECK(node->at <= size && node->span >= 1 && i + node->span <= root->span);
                json_each (item, node) {
                        count++;
                        span += item->span + (node->kind == JSON_OBJECT);
                        if (node->kind == JSON_OBJECT)
                                CHECK(json_get(node, json_key_str(item)) == item);
                }
                CHECK(node->kind < JSON_ARRAY || (count == node->len && span == node->span));
                struct str text = json_str(node, arena);
                for (size_t at = 0; at < text.len; at += str_utf8(text, at))
                        CHECK(str_utf8(text, at) > 0);
                CHECK(json_to_i64(node, &number) == ERR_syntax || node->kind == JSON_NUMBER);
        }
}

/* What is written is read as the same. */
static inline void json_check_writing(const struct json *root, struct arena *arena)
{
        struct json_trouble trouble;
        const struct json *again;
        const struct json_limits limits = {.size_max = 1u << 30, .nodes_max = 1u << 24};
        static const enum json_style styles[] = {JSON_COMPACT, JSON_PRETTY, JSON_CANONICAL};
        struct str canonical = json_text(root, JSON_CANONICAL, arena);
        for (size_t i = 0; i < countof(styles); i++) {
                struct str text = json_text(root, styles[i], arena);
                CHECK(json_read(text, &limits, arena, &again, &trouble) == ERR_ok);
                CHECK(str_eq(json_text(again, JSON_CANONICAL, arena), canonical));
        }
}
