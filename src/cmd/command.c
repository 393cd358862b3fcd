/* command.c -- the table of commands, and the life of a call. */
#include "cmd/command.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/flags.h"
#include "cmd/help.h"
#include "schema/fault.h"
#include "wire/unit.h"

enum { CALL_ARENA_MAX = 1 << 30, INPUT_MAX = 256 << 20 };

#define COMMAND(id) extern const struct command command_##id;
#include "cmd/command.def"
#undef COMMAND

const struct command *const commands[] = {
#define COMMAND(id) &command_##id,
#include "cmd/command.def"
#undef COMMAND
};
const size_t commands_count = countof(commands);

const char *group_title(enum command_group group)
{
        static const char *const titles[GROUP_COUNT] = {
                [GROUP_start] = "Start",
                [GROUP_config] = "Configuration",
                [GROUP_understand] = "Understand",
                [GROUP_operate] = "Operate",
                [GROUP_misc] = "Other",
                [GROUP_hidden] = "Hidden",
        };
        return titles[group];
}

const char *exit_text(int code)
{
        switch (code) {
#define LEAVE(name, number, text)                                                                  \
        case number:                                                                               \
                return text;
#include "cmd/exits.def"
#undef LEAVE
        default:
                return NULL;
        }
}

const struct command *command_find(struct str name)
{
        for (size_t i = 0; i < commands_count; i++) {
                if (str_is(name, commands[i]->name))
                        return commands[i];
        }
        return NULL;
}

const struct command *command_verb(struct str noun, size_t *at)
{
        while (noun.len > 0 && *at < commands_count) {
                const struct command *command = commands[(*at)++];
                struct str rest = str_of(command->name);
                if (str_eq(str_cut(&rest, ' '), noun) && rest.len > 0)
                        return command;
        }
        return NULL;
}

struct str command_nearest(struct str word)
{
        struct str names[countof(commands)];
        size_t count = 0;
        for (size_t i = 0; i < commands_count; i++) {
                if (commands[i]->group != GROUP_hidden)
                        names[count++] = str_of(commands[i]->name);
        }
        return fault_nearest(word, names, count);
}

/* ---- what was given ---- */

bool call_each(const struct call *call, const char *name, size_t *at, struct str *ret_value)
{
        while (*at < call->given_count) {
                const struct given *given = &call->given[(*at)++];
                if (strcmp(given->flag->name, name) == 0) {
                        *ret_value = given->value;
                        return true;
                }
        }
        return false;
}

struct str call_flag(const struct call *call, const char *name)
{
        struct str value = STR_NONE;
        for (size_t i = 0; call_each(call, name, &i, &value);)
                ;
        return value;
}

bool call_has(const struct call *call, const char *name)
{
        return call_flag(call, name).ptr != NULL;
}

int64_t call_number(const struct call *call, const char *name, int64_t otherwise)
{
        uint64_t number;
        struct str value = call_flag(call, name);
        return value.ptr == NULL || str_to_u64(value, &number) != ERR_ok ? otherwise
                                                                         : (int64_t)number;
}

int64_t call_time(const struct call *call, const char *name, int64_t otherwise)
{
        int64_t time;
        struct str value = call_flag(call, name);
        return value.ptr == NULL || duration_read(value, &time) != ERR_ok ? otherwise : time;
}

struct str call_input(struct call *call)
{
        struct text text = text_grow(&call->arena, INPUT_MAX);
        char piece[16384];
        ssize_t n;
        while ((n = read(STDIN_FILENO, piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR)) {
                if (n > 0)
                        text_put(&text, str_from(piece, (size_t)n));
        }
        return text.at == NULL ? S("") : text_str(&text);
}

/* ---- what is said ---- */

void call_put(struct call *call, struct str text)
{
        if (text.len > 0 && fwrite(text.ptr, 1, text.len, stdout) != text.len)
                call->write_error = errno;
}

void call_print(struct call *call, const char *format, ...)
{
        va_list args;
        va_start(args, format);
        call_put(call, arena_vformat(&call->arena, format, args));
        va_end(args);
}

void call_say(const struct call *call, const char *format, ...)
{
        va_list args;
        if (call->is_quiet)
                return;
        fflush(stdout);
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fputc('\n', stderr);
}

/* tidy: many, because the help stands with the complaint. */
int call_fail(const struct call *call, enum exit_code code, const char *help, const char *format,
              ...)
{
        va_list args;
        bool is_colored = call->colors_err;
        fflush(stdout);
        fprintf(stderr, "%serror%s: ", is_colored ? "\x1b[1;31m" : "", is_colored ? "\x1b[0m" : "");
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fputc('\n', stderr);
        if (help != NULL)
                fprintf(stderr, "  help: %s\n", help);
        return code;
}

/* ---- the life of a call ---- */

/* What was printed has arrived, or the code says that it has not. A reader that went away has had
 * enough. */
static int finish(struct call *call, int code)
{
        if (fflush(stdout) != 0)
                call->write_error = errno;
        if (call->write_error == 0 || call->write_error == EPIPE)
                return code;
        return call_fail(call, EXIT_system, NULL, "cannot write the result: %s",
                         strerror(call->write_error));
}

static int run(struct call *call)
{
        if (call_has(call, "help"))
                return help_of(call, call->command);
        if (call_has(call, "version"))
                return command_find(S("version"))->run(call);
        if (call->command == NULL)
                return help_welcome(call);
        return call->command->run(call);
}

int command_main(int argc, char **argv)
{
        static struct call call;
        arena_init(&call.arena, NULL, CALL_ARENA_MAX);
        int code = flags_read(&call, argc, argv);
        if (code == EXIT_done)
                code = run(&call);
        code = finish(&call, code);
        arena_fini(&call.arena);
        return code;
}
