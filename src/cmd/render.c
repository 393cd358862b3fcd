/* render.c -- `gate render`: the configuration with everything that nobody wrote, each value with
 * its place; or, with --doc, as a page for people who will never read a configuration. */
#include "cmd/effective.h"
#include "cmd/portrait.h"
#include "cmd/reading.h"
#include "cmd/yamlout.h"

enum { OUT_MAX = 256 << 20 };

/* The member that a path begins with: the longest key that fits, because keys may have dots. */
static const struct json *step(const struct json *object, struct str *path)
{
        const struct json *best = NULL;
        size_t best_len = 0;
        json_each (value, object) {
                struct str key = json_key_str(value);
                bool fits = object->kind == JSON_OBJECT && str_starts(*path, key) &&
                            (path->len == key.len || path->ptr[key.len] == '.');
                if (fits && (best == NULL || key.len > best_len)) {
                        best = value;
                        best_len = key.len;
                }
        }
        if (best != NULL)
                *path = str_skip(*path, best_len + 1);
        return best;
}

static int no_such_path(struct call *call, struct str path, const struct json *at, struct str rest)
{
        struct str names[256], word = str_cut(&rest, '.');
        size_t count = 0;
        json_each (value, at) {
                if (at->kind == JSON_OBJECT && count < countof(names))
                        names[count++] = json_key_str(value);
        }
        struct str near = fault_nearest(word, names, count);
        const char *help = NULL;
        if (near.len > 0)
                help = arena_cstr(
                        &call->arena,
                        arena_format(&call->arena, "did you mean `" STR_FMT "`?", STR_ARG(near)));
        return call_fail(call, EXIT_usage, help,
                         "there is no `" STR_FMT "`: `" STR_FMT "` leads nowhere", STR_ARG(path),
                         STR_ARG(word));
}

/* The part at a path such as apis.orders; NULL after a complaint. */
static const struct json *part_of(struct call *call, const struct json *root)
{
        struct str path = call->operands_count == 0 ? S("") : call->operands[0], rest = path;
        const struct json *at = root;
        while (rest.len > 0) {
                uint64_t index;
                const struct json *next = step(at, &rest);
                if (next == NULL && at->kind == JSON_ARRAY) {
                        struct str word = str_cut(&rest, '.');
                        if (str_to_u64(word, &index) == ERR_ok)
                                next = json_at(at, (size_t)index);
                }
                if (next == NULL) {
                        no_such_path(call, path, at, rest);
                        return NULL;
                }
                at = next;
        }
        return at;
}

static int write_document(struct call *call, struct bundle *bundle)
{
        struct text out = text_grow(&call->arena, OUT_MAX);
        const struct json *part = part_of(call, effective_make(bundle));
        struct yamlout yamlout = {
                .out = &out,
                .arena = &call->arena,
                .sources = call_has(call, "no-origins") ? NULL : &bundle->load.sources,
                .is_colored = call->colors_out,
        };
        if (part == NULL)
                return EXIT_usage;
        if (call->is_json) {
                json_write(part, JSON_PRETTY, &call->arena, &out);
                text_char(&out, '\n');
        } else {
                yamlout_put(&yamlout, part);
        }
        call_put(call, text_str(&out));
        return EXIT_done;
}

static int write_doc(struct call *call, struct bundle *bundle)
{
        struct text out = text_grow(&call->arena, OUT_MAX);
        struct snapshot *snapshot = bundle_compile(bundle, NULL);
        if (snapshot == NULL)
                return reading_refuse(call, bundle);
        portrait_write(snapshot, &call->arena, &out);
        call_put(call, text_str(&out));
        snapshot_free(snapshot);
        return EXIT_done;
}

static int run(struct call *call)
{
        int code;
        struct bundle *bundle = reading_good(call, &code);
        if (bundle == NULL)
                return code;
        if (call_has(call, "doc"))
                return write_doc(call, bundle);
        code = write_document(call, bundle);
        bundle_free(bundle);
        return code;
}

const struct command command_render = {
        .name = "render",
        .group = GROUP_config,
        .line = "show the configuration in full: every default, and where each value was written",
        .operands = "[PATH]",
        .operands_most = 1,
        .flags =
                (const struct flag[]){
                        {"doc",
                         .text = "Write a page in Markdown instead: doors, APIs, who may call, "
                                 "limits."},
                        {"no-origins", .text = "Without the places of values."},
                        {0}},
        .paragraphs = COMMAND_TEXT(
                "Files are joined, the environment of --env is laid over, references are resolved, "
                "shorthands are written out, and what nobody wrote has its preset. PATH shows a "
                "part: `apis.orders`, `upstreams.orders.targets.0`.",
                "Secrets, and texts that came from the environment or from files, are shown as "
                "digests."),
        .samples = (const struct sample[]){{"gate render apis.orders", "One API."},
                                           {"gate render --env prod --json", "For a program."},
                                           {"gate render --doc > doors.md",
                                            "For people who ask what the gateway does."},
                                           {0}},
        .exits = COMMAND_EXITS(EXIT_missing, EXIT_config),
        .run = run,
};
