/* doc.c -- `gate doc`: doc/ref from the declarations. For the repository, so it is not advertised.
 */
#include "cmd/folder.h"
#include "cmd/help.h"
#include "cmd/topic.h"

enum { PAGE_MAX = 4 << 20 };

static bool write_file(struct call *call, struct str folder, const char *name, struct str page,
                       int *ret_code)
{
        struct str path = arena_format(&call->arena, STR_FMT "/%s.md", STR_ARG(folder), name);
        struct str text = arena_format(&call->arena,
                                       "<!-- Written by `./dev doc`; do not edit. -->\n\n" STR_FMT,
                                       STR_ARG(page));
        return folder_write(call, path, text, true, ret_code);
}

/* gate(1), and each command behind it. */
static struct str commands_page(struct call *call)
{
        struct text out = text_grow(&call->arena, PAGE_MAX);
        struct sheet sheet = {.style = SHEET_MARKDOWN, .out = &out};
        help_write_gate(&sheet);
        for (size_t i = 0; i < commands_count; i++) {
                if (commands[i]->group == GROUP_hidden)
                        continue;
                text_char(&out, '\n');
                help_write_command(commands[i], &sheet);
        }
        return text_str(&out);
}

static int run(struct call *call)
{
        struct str folder = call_flag(call, "write");
        int code = EXIT_done;
        if (folder.len == 0)
                return call_fail(call, EXIT_usage, "gate doc --write doc/ref",
                                 "it needs a folder to write into");
        bool is_good = folder_make(call, folder, &code) &&
                       write_file(call, folder, "commands", commands_page(call), &code);
        for (const struct topic *topic = topics; topic->name != NULL && is_good; topic++) {
                struct text out = text_grow(&call->arena, PAGE_MAX);
                struct sheet sheet = {.style = SHEET_MARKDOWN, .out = &out};
                topic_write_page(topic, &sheet);
                is_good = write_file(call, folder, topic->name, text_str(&out), &code);
        }
        return code;
}

const struct command command_doc = {
        .name = "doc",
        .group = GROUP_hidden,
        .line = "write the reference of doc/ref",
        .flags = (const struct flag[]){{"write", .kind = FLAG_FOLDER, .value = "DIR",
                                        .text = "Where to."},
                                       {0}},
        .exits = COMMAND_EXITS(EXIT_system, EXIT_denied),
        .run = run,
};
