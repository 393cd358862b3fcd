/* check.c -- `gate check`: everything that is wrong with a configuration, by the code that will run
 * it. */
#include <time.h>

#include "cmd/reading.h"

enum { SHOWN_MAX = 64 << 20 };

/* What came of all files together. */
struct outcome {
        uint32_t errors, warnings, files;
        int code;
        bool is_first;
        struct text out;
};

static uint64_t now_ms(void)
{
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void show(struct call *call, struct str form, struct bundle *bundle, struct outcome *outcome)
{
        struct faults *faults = &bundle->load.faults;
        faults_sort(faults);
        if (str_is(form, "github")) {
                faults_write_github(faults, &outcome->out);
        } else if (!str_is(form, "json")) {
                faults_write(faults, call->colors_out, &outcome->out);
        } else if (faults->count > 0) {
                struct text list = text_grow(&call->arena, SHOWN_MAX);
                faults_write_json(faults, &list);
                struct str inside = str_trim(text_str(&list));
                while (str_ends(inside, S("\n")))
                        inside.len--;
                inside = str_first(str_skip(inside, 1), inside.len - 2);
                if (!outcome->is_first)
                        text_char(&outcome->out, ',');
                text_put(&outcome->out, inside);
                outcome->is_first = false;
        }
}

static void check_one(struct call *call, struct str path, struct str form, struct outcome *outcome)
{
        struct bundle *bundle = reading_begin(call, path);
        if (bundle_is_good(bundle))
                bundle_compile(bundle, NULL);
        int code = reading_code(bundle);
        if (code > outcome->code)
                outcome->code = code;
        outcome->errors += bundle->load.faults.errors;
        outcome->warnings += bundle->load.faults.warnings;
        outcome->files += (uint32_t)bundle->load.documents;
        show(call, form, bundle, outcome);
        bundle_free(bundle);
}

static void put_count(struct text *out, uint32_t count, const char *what)
{
        text_format(out, "%u %s%s", count, what, count == 1 ? "" : "s");
}

/* "checked 4 files in 9 ms: 4 errors, 1 warning        exit 78" */
static void put_summary(struct call *call, const struct outcome *outcome, uint64_t ms)
{
        char memory[256];
        struct text text = text_over(memory, sizeof memory);
        text_put(&text, S("checked "));
        put_count(&text, outcome->files, "file");
        text_format(&text, " in %llu ms: ", (unsigned long long)ms);
        if (outcome->errors == 0 && outcome->warnings == 0)
                text_put(&text, S("no problems"));
        if (outcome->errors > 0)
                put_count(&text, outcome->errors, "error");
        if (outcome->errors > 0 && outcome->warnings > 0)
                text_put(&text, S(", "));
        if (outcome->warnings > 0)
                put_count(&text, outcome->warnings, "warning");
        if (outcome->code != EXIT_done)
                text_format(&text, "        exit %d", outcome->code);
        call_print(call, STR_FMT "\n", STR_ARG(text_str(&text)));
}

static int run(struct call *call)
{
        struct outcome outcome = {.is_first = true, .out = text_grow(&call->arena, SHOWN_MAX)};
        struct str form = call_flag(call, "format");
        uint64_t begin = now_ms();
        if (form.ptr == NULL)
                form = call->is_json ? S("json") : S("text");
        for (size_t i = 0; i < call->operands_count; i++)
                check_one(call, call->operands[i], form, &outcome);
        if (call->operands_count == 0) {
                struct str path = reading_path(call);
                if (path.len == 0)
                        return EXIT_missing;
                check_one(call, path, form, &outcome);
        }
        if (str_is(form, "json")) {
                call_print(call,
                           "{\"version\":1,\"files\":%u,\"errors\":%u,\"warnings\":%u,"
                           "\"problems\":[" STR_FMT "]}\n",
                           outcome.files, outcome.errors, outcome.warnings,
                           STR_ARG(text_str(&outcome.out)));
                return outcome.code;
        }
        call_put(call, text_str(&outcome.out));
        if (str_is(form, "text") && !call->is_quiet)
                put_summary(call, &outcome, now_ms() - begin);
        return outcome.code;
}

const struct command command_check = {
        .name = "check",
        .group = GROUP_config,
        .line = "say everything that is wrong with the configuration",
        .operands = "[FILE…]",
        .operands_most = OPERANDS_MAX,
        .flags = (const struct flag[]){{"format", .kind = FLAG_CHOICE, .value = "FORM",
                                        .choices = FLAG_WORDS("text", "json", "github"),
                                        .text = "How complaints are shown; `json` is --json, "
                                                "`github` makes annotations of a workflow."},
                                       {0}},
        .paragraphs = COMMAND_TEXT(
                "Reads the file, what it includes and the environment of --env, resolves its "
                "references, and compiles it as a gate would. All problems are shown, each with "
                "its place, its reason and what helps; `gate help CODE` says more about one.",
                "`-` reads standard input. With warnings only, the exit code is 0."),
        .samples = (const struct sample[]){{"gate check",
                                            "The configuration that `gate run` would take."},
                                           {"gate check --env prod gateway.yaml",
                                            "As it will be in production."},
                                           {"gate check --format github", "In a workflow."},
                                           {0}},
        .exits = COMMAND_EXITS(EXIT_missing, EXIT_config),
        .run = run,
};
