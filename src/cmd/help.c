/* help.c -- `gate help`, `gate` alone, and the pages of commands. */
#include "cmd/help.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd/gateway.h"
#include "cmd/show.h"
#include "cmd/topic.h"
#include "config/load.h"

enum { PAGE_MAX = 1 << 20, TERM_MAX = 256 };

/* ---- pages of commands ---- */

static struct str flag_term(const struct flag *flag, char *memory, size_t size)
{
        struct text text = text_over(memory, size);
        if (flag->letter != '\0')
                text_format(&text, "-%c, ", flag->letter);
        text_format(&text, "--%s", flag->name);
        if (flag->kind != FLAG_SWITCH)
                text_format(&text, " %s", flag->value);
        return text_str(&text);
}

static void put_flag(struct sheet *sheet, const struct flag *flag)
{
        char term[TERM_MAX], memory[2048];
        struct text text = text_over(memory, sizeof memory);
        text_put(&text, str_of(flag->text));
        if (flag->choices != NULL) {
                text_put(&text, S(" One of "));
                for (size_t i = 0; flag->choices[i] != NULL; i++)
                        text_format(&text, "%s`%s`", i == 0 ? "" : ", ", flag->choices[i]);
                text_char(&text, '.');
        }
        if (flag->is_many)
                text_put(&text, S(" May stand several times."));
        sheet_item(sheet, flag_term(flag, term, sizeof term), text_str(&text));
}

static void put_flags(struct sheet *sheet, const struct flag *flags)
{
        for (; flags != NULL && flags->name != NULL; flags++)
                put_flag(sheet, flags);
}

static bool has_exit(const unsigned char *exits, int code)
{
        for (; exits != NULL && *exits != 0; exits++) {
                if (*exits == code)
                        return true;
        }
        return code == EXIT_done || code == EXIT_usage;
}

static void put_exits(struct sheet *sheet, const unsigned char *exits)
{
        sheet_head(sheet, S("Exit codes"));
        for (int code = 0; code <= UINT8_MAX; code++) {
                char number[8];
                struct text text = text_over(number, sizeof number);
                if (!has_exit(exits, code))
                        continue;
                text_u64(&text, (uint64_t)code);
                sheet_item(sheet, text_str(&text), str_of(exit_text(code)));
        }
}

static void put_synopsis(struct sheet *sheet, const struct command *command)
{
        char memory[512];
        struct text text = text_over(memory, sizeof memory);
        text_format(&text, "gate %s%s%s%s", command->name, command->flags == NULL ? "" : " [FLAGS]",
                    command->operands == NULL ? "" : " ",
                    command->operands == NULL ? "" : command->operands);
        sheet_head(sheet, sheet->style == SHEET_ROFF ? S("Synopsis") : S("Usage"));
        sheet_code(sheet, text_str(&text));
}

static void put_samples(struct sheet *sheet, const struct sample *samples)
{
        if (samples == NULL)
                return;
        sheet_head(sheet, S("Examples"));
        for (; samples->line != NULL; samples++) {
                sheet_text(sheet, str_of(samples->text));
                sheet_code(sheet, str_of(samples->line));
        }
}

void help_write_command(const struct command *command, struct sheet *sheet)
{
        char name[64];
        struct text text = text_over(name, sizeof name - 1);
        bool is_page = sheet->style != SHEET_TEXT;
        text_put(&text, is_page ? S("gate-") : S("gate "));
        for (const char *c = command->name; *c != '\0'; c++)
                text_char(&text, *c == ' ' && is_page ? '-' : *c);
        name[text.len] = '\0';
        sheet_title(sheet, name, 1, str_of(command->line));
        put_synopsis(sheet, command);
        if (command->paragraphs != NULL) {
                sheet_head(sheet, S("Description"));
                for (size_t i = 0; command->paragraphs[i] != NULL; i++)
                        sheet_text(sheet, str_of(command->paragraphs[i]));
        }
        if (command->flags != NULL) {
                sheet_head(sheet, S("Flags"));
                put_flags(sheet, command->flags);
        }
        if (sheet->style == SHEET_TEXT) {
                sheet_head(sheet, S("Flags of every command"));
                put_flags(sheet, global_flags);
        }
        put_samples(sheet, command->samples);
        put_exits(sheet, command->exits);
        if (is_page) {
                sheet_head(sheet, S("See also"));
                sheet_text(sheet, S("`gate`(1) has the flags of every command, "
                                    "`gateway.yaml`(5) the configuration."));
        }
}

/* ---- gate itself ---- */

static void put_commands(struct sheet *sheet)
{
        for (int group = 0; group < GROUP_hidden; group++) {
                bool is_begun = false;
                for (size_t i = 0; i < commands_count; i++) {
                        if ((int)commands[i]->group != group)
                                continue;
                        if (!is_begun)
                                sheet_head(sheet, str_of(group_title((enum command_group)group)));
                        is_begun = true;
                        sheet_item(sheet, str_of(commands[i]->name), str_of(commands[i]->line));
                }
        }
}

static void put_all_exits(struct sheet *sheet)
{
        sheet_head(sheet, S("Exit codes"));
#define LEAVE(name, number, text) sheet_item(sheet, S(#number), S(text));
#include "cmd/exits.def"
#undef LEAVE
}

static void put_environment(struct sheet *sheet)
{
        sheet_head(sheet, S("Environment"));
        sheet_item(sheet, S("GATE_FLAG"),
                   S("Every flag may stand in the environment: `--gateway` is GATE_GATEWAY, "
                     "`--no-input` is GATE_NO_INPUT=1. The command line wins."));
        sheet_item(sheet, S("GATE_CONFIG, GATE_ENV"), S("The configuration and the environment."));
        sheet_item(sheet, S("NO_COLOR, FORCE_COLOR, TERM"), S("When to colour what is printed."));
        sheet_item(sheet,
                   S("XDG_CONFIG_HOME, XDG_RUNTIME_DIR, RUNTIME_DIRECTORY, "
                     "STATE_DIRECTORY, CREDENTIALS_DIRECTORY"),
                   S("Where configuration, sockets, state and credentials are."));
}

void help_write_gate(struct sheet *sheet)
{
        sheet_title(sheet, "gate", 1, S("an API gateway: one door in front of all your services"));
        sheet_head(sheet, sheet->style == SHEET_ROFF ? S("Synopsis") : S("Usage"));
        sheet_code(sheet, S("gate COMMAND [FLAGS] [ARGUMENTS]"));
        put_commands(sheet);
        sheet_head(sheet, S("Flags of every command"));
        put_flags(sheet, global_flags);
        put_environment(sheet);
        put_all_exits(sheet);
        sheet_head(sheet, S("Signals"));
        sheet_text(sheet, S("A running gate takes TERM and INT to drain and exit (a second one: at "
                            "once), HUP to reload, USR1 to reopen its logs, USR2 to become a newer "
                            "binary without dropping a connection."));
        sheet_head(sheet, S("Topics"));
        topic_write_list(sheet);
}

/* ---- answers ---- */

static struct sheet sheet_for(struct call *call, struct text *out)
{
        struct winsize window;
        unsigned width = 80;
        if (isatty(STDOUT_FILENO) == 1 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 &&
            window.ws_col >= 40)
                width = window.ws_col < 100 ? window.ws_col : 100;
        return (struct sheet){
                .style = SHEET_TEXT, .is_colored = call->colors_out, .width = width, .out = out};
}

int help_of(struct call *call, const struct command *command)
{
        struct text out = text_grow(&call->arena, PAGE_MAX);
        struct sheet sheet = sheet_for(call, &out);
        if (command == NULL)
                help_write_gate(&sheet);
        else
                help_write_command(command, &sheet);
        call_put(call, text_str(&out));
        return EXIT_done;
}

/* "gate 0.1.0 for 5 min, at /run/gatehouse/admin.sock" */
static struct str running_text(struct call *call)
{
        struct gateway gateway;
        struct reply reply;
        struct question question = {.method = S("GET"), .target = S("/status")};
        struct text text = text_grow(&call->arena, 4096);
        if (!gateway_seek(call, &gateway))
                return S("no gate answers here");
        text_put(&text, S("a gate"));
        if (gateway_try(&gateway, &question, &call->arena, &reply) == ERR_ok &&
            reply.status == 200) {
                const struct json *root = reply_json(&reply, &call->arena);
                text_put(&text, S(" "));
                show_text(&text, show_str(root, "version", &call->arena), 20);
                text_put(&text, S(" for "));
                show_seconds(&text, show_u64(root, "uptime"));
        }
        text_format(&text, ", at " STR_FMT, STR_ARG(gateway.place.text));
        return text_str(&text);
}

int help_welcome(struct call *call)
{
        struct str path = load_discover(&world_real, call_flag(call, "config"), &call->arena);
        call_put(call, S("gate " GATE_VERSION " -- an API gateway\n\n"));
        call_print(call, "  running        " STR_FMT "\n", STR_ARG(running_text(call)));
        call_print(call, "  configuration  " STR_FMT "\n\n",
                   STR_ARG(path.len > 0 ? path : S("none here: `gate init` writes one")));
        call_put(call,
                 S("  gate demo          a gateway with a sample service, to look at\n"
                   "  gate proxy URL     a gateway in front of a service, in one line\n"
                   "  gate check         say everything that is wrong with the configuration\n"
                   "  gate run           serve\n"
                   "  gate explain       walk one request through the rules, sending nothing\n"
                   "  gate help          all commands; gate help TOPIC, gate COMMAND --help\n"));
        return EXIT_done;
}

static int run(struct call *call)
{
        struct text out = text_grow(&call->arena, PAGE_MAX), name = text_grow(&call->arena, 1024);
        struct sheet sheet = sheet_for(call, &out);
        for (size_t i = 0; i < call->operands_count; i++)
                text_format(&name, "%s" STR_FMT, i == 0 ? "" : " ", STR_ARG(call->operands[i]));
        if (name.len == 0)
                return help_of(call, NULL);
        const struct command *command = command_find(text_str(&name));
        if (command != NULL)
                return help_of(call, command);
        for (size_t at = 0; (command = command_verb(text_str(&name), &at)) != NULL;)
                sheet_item(&sheet, str_of(command->name), str_of(command->line));
        if (out.len == 0 && !topic_write(text_str(&name), &sheet)) {
                struct str near = topic_nearest(text_str(&name));
                const char *help = "`gate help` lists commands and topics";
                if (near.len > 0)
                        help = arena_cstr(&call->arena,
                                          arena_format(&call->arena,
                                                       "did you mean `gate help " STR_FMT "`?",
                                                       STR_ARG(near)));
                return call_fail(call, EXIT_usage, help, "there is no help on `" STR_FMT "`",
                                 STR_ARG(text_str(&name)));
        }
        call_put(call, text_str(&out));
        return EXIT_done;
}

const struct command command_help = {
        .name = "help",
        .group = GROUP_misc,
        .line = "explain a command, an error code, a policy or another topic",
        .operands = "[COMMAND|CODE|TOPIC]",
        .operands_most = 3,
        .paragraphs = COMMAND_TEXT("Without a topic it lists commands and topics."),
        .samples = (const struct sample[]){{"gate help check", "A command."},
                                           {"gate help E104", "A complaint of `gate check`."},
                                           {"gate help rate_limit", "A policy and its settings."},
                                           {0}},
        .run = run,
};
