/* route.c -- tables of routes from hostile text, asked with hostile paths: the order of adding
 * leaves no trace, a look-up ends, and what is captured lies in the path. Input: lines "METHOD
 * TEMPLATE" or "TEMPLATE"; "@PATH" begins another API; "?PATH" asks. */
#include "gate/route.h"

#include "fuzz.h"
#include "wire/target.h"

enum { LINES_MAX = 64 };

struct input {
        struct str lines[LINES_MAX];
        unsigned count;
};

static void add_lines(struct route_build *build, const struct input *input, bool is_reversed,
                      struct arena *arena)
{
        struct route_channel *channel = route_add_channel(build, S("c"), NULL);
        struct route_api *apis[LINES_MAX], *api;
        route_add_host(build, 0, S("*"), channel);
        api = route_add_api(build, channel, S("a"), S("/"), NULL);
        for (unsigned i = 0; i < input->count; i++) {
                struct str line = input->lines[i];
                if (line.ptr[0] == '@')
                        api = route_add_api(build, channel, line, str_skip(line, 1), NULL);
                apis[i] = api;
        }
        for (unsigned n = 0; n < input->count; n++) {
                unsigned i = is_reversed ? input->count - 1 - n : n;
                struct str path = input->lines[i], *method = arena_new(arena, struct str);
                if (path.ptr[0] == '@' || path.ptr[0] == '?')
                        continue;
                struct route_spec spec = {.name = path, .methods = method};
                if (path.ptr[0] != '/') {
                        *method = str_cut(&path, ' ');
                        spec.method_count = 1;
                }
                spec.path = path.ptr == NULL ? S("") : path;
                spec.value = (void *)(uintptr_t)input->lines[i].ptr;
                route_add(build, apis[i], &spec);
        }
}

static void check_spans(struct str path, const struct route_result *result)
{
        for (unsigned i = 0; i < result->param_count; i++) {
                struct str value = result->params[i];
                CHECK(value.len == 0 ||
                      (value.ptr >= path.ptr && value.ptr + value.len <= path.ptr + path.len));
        }
}

static void ask(struct route_table *const tables[2], struct str raw, struct arena *arena)
{
        struct route_result results[2];
        struct str path = raw;
        if (path_normalise(raw, arena, &path) == TARGET_BAD)
                path = raw;
        struct route_ask question = {.host = S("h"), .path = path, .method = S("GET")};
        for (int loose = 0; loose < 2; loose++) {
                for (int i = 0; i < 2; i++)
                        route_find(tables[i], &question, &results[i]);
                CHECK(results[0].kind == results[1].kind);
                CHECK(results[0].value == results[1].value);
                if (results[0].kind == ROUTE_FOUND)
                        check_spans(question.path, &results[0]);
                if (path.len > 0 && path.ptr[0] == '/')
                        question.path = path_loose(path, arena);
                question.is_loose = true;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct arena arena;
        struct input input = {.count = 0};
        struct route_table *tables[2];
        struct str rest = str_from((const char *)data, size);
        if (size > 8192)
                return 0;
        arena_init(&arena, NULL, 1u << 28);
        while (rest.ptr != NULL && input.count < LINES_MAX) {
                struct str line = str_cut(&rest, '\n');
                if (line.len > 0)
                        input.lines[input.count++] = line;
        }
        for (int i = 0; i < 2; i++) {
                struct route_build *build = route_build_begin(&arena, &arena, 1, NULL, NULL);
                add_lines(build, &input, i == 1, &arena);
                tables[i] = route_build_end(build);
        }
        CHECK((tables[0] == NULL) == (tables[1] == NULL));
        for (unsigned i = 0; tables[0] != NULL && i < input.count; i++) {
                if (input.lines[i].ptr[0] == '?')
                        ask(tables, str_skip(input.lines[i], 1), &arena);
        }
        arena_fini(&arena);
        return 0;
}
