/* flags.c -- reading the command line. */
#include "cmd/flags.h"

#include <stdlib.h>
#include <unistd.h>

#include "schema/fault.h"
#include "wire/unit.h"

const struct flag global_flags[] = {
        {"config", 'c', FLAG_FILE, .value = "FILE",
         .text = "The configuration. Else $GATE_CONFIG, ./gateway.yaml, "
                 "$XDG_CONFIG_HOME/gatehouse/gateway.yaml, /etc/gatehouse/gateway.yaml."},
        {"env", 'e', FLAG_TEXT, .value = "NAME",
         .text = "Environment: environments/NAME.yaml beside the configuration is laid over it."},
        {"gateway", .kind = FLAG_TEXT, .value = "URL|SOCKET",
         .text = "The running gate to speak to. Else its socket in $RUNTIME_DIRECTORY or "
                 "$XDG_RUNTIME_DIR/gatehouse, or the admin address."},
        {"json", .text = "Print the result as JSON, whose form is a promise."},
        {"quiet", 'q', .text = "Print the result only, no talk."},
        {"verbose", 'v', .text = "Say more."},
        {"color", .kind = FLAG_CHOICE, .choices = FLAG_WORDS("auto", "always", "never"),
         .value = "WHEN",
         .text = "`auto` is on a terminal, unless NO_COLOR is set or TERM is dumb; FORCE_COLOR is "
                 "`always`."},
        {"no-input", .text = "Never ask anything."},
        {"timeout", .kind = FLAG_TIME, .value = "TIME",
         .text = "How long to wait for a running gate; 5s when not given."},
        {"help", 'h', .text = "Show help and do nothing else."},
        {"version", 'V', .text = "Show the version and do nothing else."},
        {0}};

static const struct flag *flag_in(const struct flag *flags, struct str name)
{
        for (; flags != NULL && flags->name != NULL; flags++) {
                if (str_is(name, flags->name))
                        return flags;
        }
        return NULL;
}

const struct flag *flag_find(const struct command *command, struct str name)
{
        const struct flag *flag = command == NULL ? NULL : flag_in(command->flags, name);
        return flag != NULL ? flag : flag_in(global_flags, name);
}

static const struct flag *letter_in(const struct flag *flags, char letter)
{
        for (; flags != NULL && flags->name != NULL; flags++) {
                if (flags->letter == letter)
                        return flags;
        }
        return NULL;
}

static const struct flag *letter_find(const struct command *command, char letter)
{
        const struct flag *flag = command == NULL ? NULL : letter_in(command->flags, letter);
        return flag != NULL ? flag : letter_in(global_flags, letter);
}

/* ---- values ---- */

static struct str words_of(struct call *call, const struct flag *flag)
{
        struct text text = text_grow(&call->arena, 1024);
        for (size_t i = 0; flag->choices[i] != NULL; i++)
                text_format(&text, "%s%s", i == 0 ? "" : ", ", flag->choices[i]);
        return text_str(&text);
}

static bool is_choice(const struct flag *flag, struct str value)
{
        for (size_t i = 0; flag->choices[i] != NULL; i++) {
                if (str_is(value, flag->choices[i]))
                        return true;
        }
        return false;
}

/* Why a value is none for this flag; STR_NONE when it is one. */
static struct str objection(struct call *call, const struct flag *flag, struct str value)
{
        uint64_t number;
        int64_t time;
        if (flag->kind == FLAG_CHOICE && !is_choice(flag, value))
                return arena_format(&call->arena, "it takes one of: " STR_FMT,
                                    STR_ARG(words_of(call, flag)));
        if (flag->kind == FLAG_TIME && duration_read(value, &time) != ERR_ok)
                return S("it takes a time such as 500ms, 30s or 5m");
        if (flag->kind != FLAG_NUMBER)
                return STR_NONE;
        if (str_to_u64(value, &number) != ERR_ok)
                return S("it takes a number");
        if (number < (uint64_t)flag->least || (flag->most > 0 && number > (uint64_t)flag->most))
                return arena_format(&call->arena, "it takes a number from %lld to %lld",
                                    (long long)flag->least, (long long)flag->most);
        return STR_NONE;
}

/* `origin` is how the value came: "--workers" or "GATE_WORKERS". */
static int give(struct call *call, const struct flag *flag, struct str origin, struct str value)
{
        struct str why = objection(call, flag, value);
        if (why.ptr != NULL)
                return call_fail(call, EXIT_usage, NULL,
                                 STR_FMT " cannot be `" STR_FMT "`: " STR_FMT, STR_ARG(origin),
                                 STR_ARG(value), STR_ARG(why));
        if (call->given_count == GIVEN_MAX)
                return call_fail(call, EXIT_usage, NULL, "too many flags");
        call->given[call->given_count++] = (struct given){flag, value};
        return EXIT_done;
}

/* ---- the command line ---- */

struct args {
        struct call *call;
        int at, count;
        char **all;
};

static int unknown_flag(const struct args *args, struct str name)
{
        struct call *call = args->call;
        struct str names[128];
        size_t count = 0;
        const struct flag *lists[] = {call->command == NULL ? NULL : call->command->flags,
                                      global_flags};
        for (size_t i = 0; i < countof(lists); i++) {
                const struct flag *flag = lists[i];
                for (; flag != NULL && flag->name != NULL && count < countof(names); flag++)
                        names[count++] = str_of(flag->name);
        }
        struct str near = fault_nearest(name, names, count);
        const char *of = call->command == NULL ? "" : call->command->name;
        struct str help = near.len > 0
                                  ? arena_format(&call->arena, "did you mean `--" STR_FMT "`?",
                                                 STR_ARG(near))
                                  : arena_format(&call->arena, "`gate %s%s--help` lists its flags",
                                                 of, of[0] == '\0' ? "" : " ");
        return call_fail(call, EXIT_usage, arena_cstr(&call->arena, help),
                         "there is no flag `--" STR_FMT "` here", STR_ARG(name));
}

/* The value of a flag: behind `=`, or the next word. */
static int take_value(struct args *args, const struct flag *flag, struct str origin,
                      struct str value)
{
        if (value.ptr != NULL && flag->kind == FLAG_SWITCH)
                return call_fail(args->call, EXIT_usage, NULL, STR_FMT " takes no value",
                                 STR_ARG(origin));
        if (flag->kind == FLAG_SWITCH)
                return give(args->call, flag, origin, S(""));
        if (value.ptr == NULL && args->at + 1 >= args->count)
                return call_fail(args->call, EXIT_usage, NULL, STR_FMT " needs a value: %s",
                                 STR_ARG(origin), flag->value);
        if (value.ptr == NULL)
                value = str_of(args->all[++args->at]);
        return give(args->call, flag, origin, value);
}

static int long_flag(struct args *args, struct str word)
{
        struct str value = str_skip(word, 2), name = str_cut(&value, '=');
        const struct flag *flag = flag_find(args->call->command, name);
        if (flag == NULL)
                return unknown_flag(args, name);
        return take_value(args, flag, str_first(word, name.len + 2), value);
}

/* -qv, -c FILE, -cFILE */
static int short_flags(struct args *args, struct str word)
{
        for (size_t i = 1; i < word.len; i++) {
                const struct flag *flag = letter_find(args->call->command, word.ptr[i]);
                char shown[] = {'-', word.ptr[i], '\0'};
                if (flag == NULL)
                        return call_fail(args->call, EXIT_usage, NULL, "there is no flag `%s` here",
                                         shown);
                struct str value = str_skip(word, i + 1);
                bool takes_rest = flag->kind != FLAG_SWITCH && value.len > 0;
                int code = take_value(args, flag, str_of(shown), takes_rest ? value : STR_NONE);
                if (code != EXIT_done || flag->kind != FLAG_SWITCH)
                        return code;
        }
        return EXIT_done;
}

static int add_operand(struct args *args, struct str word)
{
        struct call *call = args->call;
        unsigned most = call->command->operands_most;
        if (call->operands_count >= most) {
                const char *help = most == 0 ? "it takes none" : NULL;
                return call_fail(call, EXIT_usage, help, "`" STR_FMT "` is one argument too many",
                                 STR_ARG(word));
        }
        call->operands[call->operands_count++] = word;
        return EXIT_done;
}

static int unknown_command(struct call *call, struct str word)
{
        struct str near = command_nearest(word);
        const char *help = "`gate help` lists the commands";
        size_t at = 0;
        if (command_verb(word, &at) != NULL)
                return call_fail(call, EXIT_usage,
                                 arena_cstr(&call->arena,
                                            arena_format(&call->arena, "`gate help " STR_FMT "`",
                                                         STR_ARG(word))),
                                 "`gate " STR_FMT "` needs a verb", STR_ARG(word));
        if (near.len > 0)
                help = arena_cstr(&call->arena,
                                  arena_format(&call->arena, "did you mean `gate " STR_FMT "`?",
                                               STR_ARG(near)));
        return call_fail(call, EXIT_usage, help, "there is no command `" STR_FMT "`",
                         STR_ARG(word));
}

/* The word that names the command, and the next one where it is a noun with verbs. */
static int take_command(struct args *args, struct str word)
{
        struct call *call = args->call;
        const struct command *command = NULL;
        if (args->at + 1 < args->count && args->all[args->at + 1][0] != '-') {
                struct str both = arena_format(&call->arena, STR_FMT " %s", STR_ARG(word),
                                               args->all[args->at + 1]);
                command = command_find(both);
                args->at += command != NULL;
        }
        if (command == NULL)
                command = command_find(word);
        if (command == NULL)
                return unknown_command(call, word);
        call->command = command;
        return EXIT_done;
}

static int read_args(struct args *args)
{
        bool is_ended = false;
        for (args->at = 1; args->at < args->count; args->at++) {
                struct str word = str_of(args->all[args->at]);
                int code;
                if (!is_ended && str_is(word, "--")) {
                        is_ended = true;
                        continue;
                }
                if (!is_ended && str_starts(word, S("--")))
                        code = long_flag(args, word);
                else if (!is_ended && word.len > 1 && word.ptr[0] == '-')
                        code = short_flags(args, word);
                else if (args->call->command == NULL)
                        code = take_command(args, word);
                else
                        code = add_operand(args, word);
                if (code != EXIT_done)
                        return code;
        }
        return EXIT_done;
}

/* ---- the environment ---- */

static struct str variable_of(struct arena *arena, const struct flag *flag)
{
        struct text text = text_grow(arena, 256);
        text_put(&text, S("GATE_"));
        for (const char *c = flag->name; *c != '\0'; c++) {
                bool is_lower = *c >= 'a' && *c <= 'z';
                text_char(&text, *c == '-' ? '_' : is_lower ? (char)(*c - 32) : *c);
        }
        text_char(&text, '\0');
        return text_str(&text);
}

static bool is_no(struct str value)
{
        return value.len == 0 || str_is(value, "0") || str_is(value, "false") ||
               str_is(value, "off") || str_is(value, "no");
}

static int read_variable(struct call *call, const struct flag *flag)
{
        if (call_has(call, flag->name) || str_is(str_of(flag->name), "help") ||
            str_is(str_of(flag->name), "version"))
                return EXIT_done;
        struct str name = variable_of(&call->arena, flag);
        struct str value = str_of(getenv(name.ptr));
        if (value.len == 0 || (flag->kind == FLAG_SWITCH && is_no(value)))
                return EXIT_done;
        name.len--;
        return give(call, flag, name, flag->kind == FLAG_SWITCH ? S("") : value);
}

static int read_environment(struct call *call)
{
        const struct flag *lists[] = {call->command == NULL ? NULL : call->command->flags,
                                      global_flags};
        for (size_t i = 0; i < countof(lists); i++) {
                const struct flag *flag = lists[i];
                for (; flag != NULL && flag->name != NULL; flag++) {
                        int code = read_variable(call, flag);
                        if (code != EXIT_done)
                                return code;
                }
        }
        return EXIT_done;
}

static bool is_set(const char *name)
{
        const char *value = getenv(name);
        return value != NULL && value[0] != '\0';
}

static bool colors(const struct call *call, int fd)
{
        struct str when = call_flag(call, "color"), term = str_of(getenv("TERM"));
        if (str_is(when, "always") || str_is(when, "never"))
                return str_is(when, "always");
        if (is_set("NO_COLOR"))
                return false;
        if (is_set("FORCE_COLOR"))
                return true;
        return isatty(fd) == 1 && term.len > 0 && !str_is(term, "dumb");
}

int flags_read(struct call *call, int argc, char **argv)
{
        struct args args = {.call = call, .count = argc, .all = argv};
        call->argc = argc;
        call->argv = argv;
        call->operands = arena_array(&call->arena, struct str, (size_t)argc + 1);
        int code = read_args(&args);
        if (code == EXIT_done)
                code = read_environment(call);
        call->is_json = call_has(call, "json");
        call->is_quiet = call_has(call, "quiet");
        call->is_verbose = call_has(call, "verbose");
        call->may_ask = !call_has(call, "no-input") && isatty(STDIN_FILENO) == 1;
        call->colors_out = colors(call, STDOUT_FILENO);
        call->colors_err = colors(call, STDERR_FILENO);
        bool is_asking = call_has(call, "help") || call_has(call, "version");
        if (code == EXIT_done && call->command != NULL && !is_asking &&
            call->operands_count < call->command->operands_least)
                code = call_fail(call, EXIT_usage, NULL, "`gate %s` needs an argument: %s",
                                 call->command->name, call->command->operands);
        return code;
}
