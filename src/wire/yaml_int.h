/* yaml_int.h -- what a plain scalar of YAML means, and how troubles are put in words. Shared by
 * yaml.c and yaml_scalar.c only. */
#pragma once

#include "wire/json.h"

/* What is wrong, in words; is_around: the mistake is where the whole thing began, not where it
 * was seen.
 */
struct yaml_reason {
        enum json_trouble_kind kind;
        const char *what, *help;
        bool is_around;
};

extern const struct yaml_reason yaml_too_much, yaml_too_large, yaml_too_many, yaml_too_deep,
        yaml_not_utf8, yaml_line_end, yaml_second_document, yaml_no_key, yaml_key_is_block,
        yaml_no_number, yaml_twice, yaml_merge_key, yaml_anchor, yaml_alias, yaml_tag;

/* Our words for a problem of libyaml, met at character c. */
struct yaml_reason yaml_explain(const char *problem, const char *around, char c);

/* By the core schema of YAML 1.2 (chapter 10.3): the kind, and the text of a number as JSON writes
 * it; empty when there is no such number in JSON. */
struct yaml_scalar {
        enum json_kind kind;
        struct str text;
};

struct yaml_scalar yaml_resolve(struct str text, struct arena *arena);
