/* layout.h -- a text of YAML or JSON in canonical form: two blanks of indent, lists indented below
 * their key, one blank within braces and none within brackets, no blank at the end of a line, at
 * most one empty line in a row. Comments, order, quotes and what is aligned within a line stay.
 * What comes out means the same, or nothing comes out. */
#pragma once

#include "wire/json.h"

/* ERR_syntax: it cannot be read (*ret_trouble says where). ERR_io: no layout was found that means
 * the same; a fault of ours. */
/* tidy: many, because two of them are outputs of one call. */
must_use enum err layout_text(struct str text, bool is_json, struct arena *arena,
                              struct str *ret_text, struct json_trouble *ret_trouble);
