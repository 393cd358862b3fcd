/* json_oracle.c -- jansson as a second reader. */
#include "json_oracle.h"

#include <jansson.h>
#include <stdlib.h>

static bool has_reals(json_t *node)
{
        const char *key;
        json_t *value;
        size_t index;
        if (json_is_real(node))
                return true;
        json_object_foreach(node, key, value)
        {
                if (has_reals(value))
                        return true;
        }
        json_array_foreach(node, index, value)
        {
                if (has_reals(value))
                        return true;
        }
        return false;
}

struct oracle oracle_read(struct str text)
{
        json_error_t error;
        json_t *root = json_loadb(text.ptr, text.len,
                                  JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
                                  &error);
        if (root == NULL) {
                bool is_big = strstr(error.text, "too big") != NULL ||
                              strstr(error.text, "overflow") != NULL;
                return (struct oracle){.is_unsure = is_big};
        }
        struct oracle oracle = {.is_good = true, .has_reals = has_reals(root)};
        oracle.dump = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
        json_decref(root);
        return oracle;
}

void oracle_free(struct oracle *oracle)
{
        free(oracle->dump);
}
