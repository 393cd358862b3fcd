/* fmt.c -- `gate fmt`: configuration files in canonical form. */
#include <stdio.h>

#include "cmd/folder.h"
#include "cmd/layout.h"
#include "cmd/reading.h"
#include "io/file.h"

struct job {
        struct call *call;
        bool writes, checks;
        size_t changed;
};

/* Shows why a file cannot be read, as `gate check` would. */
static int refuse(struct call *call, struct str name, struct str text)
{
        struct load_request request = {
                .path = name, .text = text, .environment = S(""), .world = &world_real};
        struct load load;
        struct text out = text_grow(&call->arena, 1 << 20);
        load_run(&load, &request, &call->arena);
        faults_write(&load.faults, call->colors_err, &out);
        fwrite(out.at, 1, out.len, stderr);
        return EXIT_config;
}

static int finish(struct job *job, struct str name, struct str before, struct str after)
{
        struct call *call = job->call;
        bool is_same = str_eq(before, after);
        int code = EXIT_done;
        job->changed += !is_same;
        if (job->checks && !is_same)
                call_print(call, STR_FMT "\n", STR_ARG(name));
        else if (job->writes && !is_same && folder_write(call, name, after, true, &code))
                call_say(call, "wrote " STR_FMT, STR_ARG(name));
        else if (!job->writes && !job->checks)
                call_put(call, after);
        return code;
}

static int format(struct job *job, struct str name)
{
        struct call *call = job->call;
        struct json_trouble trouble;
        struct file file;
        struct str after;
        bool is_stdin = str_is(name, "-");
        enum err err = ERR_ok;
        if (is_stdin)
                file.text = call_input(call);
        else
                err = file_read(name, LOAD_FILE_MAX, &call->arena, &file);
        if (err != ERR_ok)
                return call_fail(call, err == ERR_missing ? EXIT_missing : EXIT_system, NULL,
                                 "cannot read " STR_FMT ": %s", STR_ARG(name), err_text(err));
        err = layout_text(file.text, str_ends(name, S(".json")), &call->arena, &after, &trouble);
        if (err == ERR_syntax)
                return refuse(call, is_stdin ? S("stdin") : name, file.text);
        if (err != ERR_ok)
                return call_fail(call, EXIT_fault, "please report it, with the file",
                                 "no layout of " STR_FMT " was found that means the same",
                                 STR_ARG(name));
        return finish(job, name, file.text, after);
}

/* The configuration, what it includes and its environment. */
static int format_all(struct job *job)
{
        struct call *call = job->call;
        struct str path = reading_path(call);
        int worst = EXIT_done;
        if (path.len == 0)
                return EXIT_missing;
        struct bundle *bundle = reading_begin(call, path);
        const struct sources *sources = &bundle->load.sources;
        if (bundle->load.is_missing)
                worst = reading_code(bundle);
        if (!job->writes && !job->checks && sources->count > 2)
                worst = call_fail(call, EXIT_usage, "gate fmt -w, gate fmt --check, gate fmt FILE",
                                  "there are several files; say what to do with them");
        for (uint16_t i = 1; i < sources->count && worst == EXIT_done; i++)
                worst = format(job, sources->at[i].name);
        bundle_free(bundle);
        return worst;
}

static int run(struct call *call)
{
        struct job job = {
                .call = call, .writes = call_has(call, "write"), .checks = call_has(call, "check")};
        int code = EXIT_done;
        if (job.writes && job.checks)
                return call_fail(call, EXIT_usage, NULL, "--write and --check exclude each other");
        for (size_t i = 0; i < call->operands_count && code == EXIT_done; i++)
                code = format(&job, call->operands[i]);
        if (call->operands_count == 0)
                code = format_all(&job);
        return code == EXIT_done && job.checks && job.changed > 0 ? EXIT_no : code;
}

const struct command command_fmt = {
        .name = "fmt",
        .group = GROUP_config,
        .line = "put configuration files into canonical form, comments kept",
        .operands = "[FILE…]",
        .operands_most = OPERANDS_MAX,
        .flags =
                (const struct flag[]){
                        {"write", 'w', .text = "Write the files; else the result is printed."},
                        {"check",
                         .text = "Write nothing, name the files that would change, and exit with "
                                 "1 if there are any."},
                        {0}},
        .paragraphs = COMMAND_TEXT(
                "Two blanks of indent, lists indented below their key, { a: b } and [a, b], no "
                "blanks at the end of a line, at most one empty line in a row. Comments, order and "
                "quotes stay, and what is aligned within a line. A file of JSON is indented.",
                "Without FILE it is about the configuration, what it includes, and the environment "
                "of --env; `-` is standard input. What the files mean never changes."),
        .samples = (const struct sample[]){{"gate fmt -w", "Write all files of the configuration."},
                                           {"gate fmt --check", "In a workflow."},
                                           {0}},
        .exits = COMMAND_EXITS(EXIT_no, EXIT_missing, EXIT_denied, EXIT_config),
        .run = run,
};
