/* man.c -- `gate man`: the manual, from the table that help comes from. */
#include "cmd/folder.h"
#include "cmd/help.h"
#include "cmd/topic.h"

enum { PAGE_MAX = 4 << 20 };

/* The page of that name, "gate-check" or "check", in roff; false: there is none. */
static bool write_page(struct str name, struct sheet *sheet, unsigned *ret_section)
{
        *ret_section = 1;
        if (str_is(name, "gate")) {
                help_write_gate(sheet);
                return true;
        }
        for (const struct topic *topic = topics; topic->name != NULL; topic++) {
                if (!str_is(name, topic->page) && !str_is(name, topic->name))
                        continue;
                *ret_section = topic->section;
                topic_write_page(topic, sheet);
                return true;
        }
        if (str_starts(name, S("gate-")))
                name = str_skip(name, 5);
        for (size_t i = 0; i < commands_count; i++) {
                char memory[64];
                struct text page = text_over(memory, sizeof memory);
                for (const char *c = commands[i]->name; *c != '\0'; c++)
                        text_char(&page, *c == ' ' ? '-' : *c);
                if (!str_eq(name, text_str(&page)) && !str_is(name, commands[i]->name))
                        continue;
                help_write_command(commands[i], sheet);
                return true;
        }
        return false;
}

static int write_file(struct call *call, struct str folder, struct str page)
{
        struct text out = text_grow(&call->arena, PAGE_MAX);
        struct sheet sheet = {.style = SHEET_ROFF, .out = &out};
        unsigned section;
        int code = EXIT_done;
        if (!write_page(page, &sheet, &section))
                return EXIT_fault;
        folder = arena_format(&call->arena, STR_FMT "/man%u", STR_ARG(folder), section);
        struct str path = arena_format(&call->arena, STR_FMT "/" STR_FMT ".%u", STR_ARG(folder),
                                       STR_ARG(page), section);
        if (folder_make(call, folder, &code))
                folder_write(call, path, text_str(&out), true, &code);
        return code;
}

static int write_all(struct call *call, struct str folder)
{
        int code = write_file(call, folder, S("gate"));
        for (size_t i = 0; i < commands_count && code == EXIT_done; i++) {
                struct text page = text_grow(&call->arena, 128);
                if (commands[i]->group == GROUP_hidden)
                        continue;
                text_put(&page, S("gate-"));
                for (const char *c = commands[i]->name; *c != '\0'; c++)
                        text_char(&page, *c == ' ' ? '-' : *c);
                code = write_file(call, folder, text_str(&page));
        }
        for (const struct topic *topic = topics; topic->name != NULL && code == EXIT_done; topic++)
                code = write_file(call, folder, str_of(topic->page));
        if (code == EXIT_done)
                call_say(call, "wrote the manual into " STR_FMT, STR_ARG(folder));
        return code;
}

static int run(struct call *call)
{
        struct text out = text_grow(&call->arena, PAGE_MAX);
        struct sheet sheet = {.style = SHEET_ROFF, .out = &out};
        unsigned section;
        struct str page = call->operands_count == 0 ? S("gate") : call->operands[0];
        if (call_has(call, "output"))
                return write_all(call, call_flag(call, "output"));
        if (!write_page(page, &sheet, &section))
                return call_fail(call, EXIT_usage, "`gate help` lists commands and topics",
                                 "there is no page `" STR_FMT "`", STR_ARG(page));
        call_put(call, text_str(&out));
        return EXIT_done;
}

const struct command command_man = {
        .name = "man",
        .group = GROUP_misc,
        .line = "write the manual: gate(1), gateway.yaml(5), gate-policies(7) and the others",
        .operands = "[PAGE]",
        .operands_most = 1,
        .flags =
                (const struct flag[]){
                        {"output", 'o', FLAG_FOLDER, .value = "DIR",
                         .text = "Write all pages into man1, man5 and man7 of this folder."},
                        {0}},
        .samples = (const struct sample[]){{"gate man policies | man -l -", "Read one page."},
                                           {"gate man -o /usr/local/share/man",
                                            "Install them all."},
                                           {0}},
        .exits = COMMAND_EXITS(EXIT_system, EXIT_denied),
        .run = run,
};
