/* yaml.h -- YAML 1.2 core schema into the nodes of json.h. `on`, `off`, `yes`, `no` and dates are
 * strings; 0o14 and 0x1f are numbers and come out in decimal; JSON is accepted, for it is YAML. One
 * document, no anchors, no aliases, no tags but the core's, no key twice. libyaml finds the tokens;
 * what they mean is decided here. */
#pragma once

#include "wire/json.h"

/* Reads one document; every node knows its place in `text`. An empty text is null. Errors as
 * json_read. The text must live as long as the nodes. */
/* tidy: many, because two of them are outputs of one call. */
must_use enum err yaml_read(struct str text, const struct json_limits *limits, struct arena *arena,
                            const struct json **ret_root, struct json_trouble *ret_trouble);
