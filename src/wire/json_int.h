/* json_int.h -- what the readers of JSON and YAML share. Nobody else includes it. */
#pragma once

#include "wire/json.h"

/* A table to find keys in; grows with the largest object. */
struct json_slots {
        struct arena *arena;
        uint32_t *at;
        size_t cap;
};

/* The key of the object that stands in it a second time, NULL when none does. Keys are decoded. */
const struct json *json_twice(const struct json *object, struct json_slots *slots,
                              const struct json **ret_first);
