/* message.c -- methods, and what may follow a body. */
#include "http/message.h"

static const struct {
        struct str text;
        bool is_safe, is_idempotent;
} methods[METHOD_COUNT] = {
        [METHOD_GET] = {{"GET", 3}, true, true},
        [METHOD_HEAD] = {{"HEAD", 4}, true, true},
        [METHOD_POST] = {{"POST", 4}, false, false},
        [METHOD_PUT] = {{"PUT", 3}, false, true},
        [METHOD_DELETE] = {{"DELETE", 6}, false, true},
        [METHOD_CONNECT] = {{"CONNECT", 7}, false, false},
        [METHOD_OPTIONS] = {{"OPTIONS", 7}, true, true},
        [METHOD_TRACE] = {{"TRACE", 5}, true, true},
        [METHOD_PATCH] = {{"PATCH", 5}, false, false},
        [METHOD_QUERY] = {{"QUERY", 5}, true, true},
};

enum method method_find(struct str text)
{
        for (int i = METHOD_OTHER + 1; i < METHOD_COUNT; i++) {
                if (str_eq(methods[i].text, text))
                        return (enum method)i;
        }
        return METHOD_OTHER;
}

struct str method_text(enum method method)
{
        return methods[method].text;
}

bool method_is_safe(enum method method)
{
        return methods[method].is_safe;
}

bool method_is_idempotent(enum method method)
{
        return methods[method].is_idempotent;
}

bool trailer_may_pass(const struct head *head, const struct field *field)
{
        struct str type = fields_value(&head->fields, NAME_content_type);
        bool is_grpc = str_eq_nocase(str_first(type, 16), S("application/grpc"));
        if (field->id == NAME_other)
                return is_grpc && !name_is_origin(field->name);
        return (name_flags(field->id) & NAME_TRAILER) != 0;
}
