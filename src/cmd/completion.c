/* completion.c -- `gate completion`: what a shell offers while one types, from the table of
 * commands. The scripts hold plain lists; nothing is asked of `gate` while one types. */
#include "cmd/command.h"
#include "cmd/topic.h"

enum { SCRIPT_MAX = 1 << 20, WORDS_MAX = 8192 };

/* What may stand first: a command, or a noun with its verbs. */
struct entry {
        struct str name;
        const char *line;
        bool is_noun;
};

static struct str first_word(const struct command *command)
{
        struct str name = str_of(command->name);
        return str_cut(&name, ' ');
}

/* The next one, each once: for (size_t i = 0; next_entry(&i, &entry);) */
static bool next_entry(size_t *at, struct entry *ret_entry)
{
        while (*at < commands_count) {
                const struct command *command = commands[(*at)++];
                struct str name = first_word(command);
                bool is_seen = command->group == GROUP_hidden;
                for (size_t i = 0; i + 1 < *at && !is_seen; i++)
                        is_seen = str_eq(first_word(commands[i]), name);
                if (is_seen)
                        continue;
                bool is_noun = name.len < strlen(command->name);
                *ret_entry = (struct entry){name, is_noun ? "see its verbs" : command->line,
                                            is_noun};
                return true;
        }
        return false;
}

/* The commands that begin with it: for (size_t i = 0; (command = next_of(&entry, &i)) != NULL;) */
static const struct command *next_of(const struct entry *entry, size_t *at)
{
        while (*at < commands_count) {
                const struct command *command = commands[(*at)++];
                if (command->group != GROUP_hidden && str_eq(first_word(command), entry->name))
                        return command;
        }
        return NULL;
}

static void put_flags(struct text *out, const struct flag *flags)
{
        for (; flags != NULL && flags->name != NULL; flags++) {
                text_format(out, " --%s", flags->name);
                if (flags->letter != '\0')
                        text_format(out, " -%c", flags->letter);
        }
}

static void put_entries(struct text *out)
{
        struct entry entry;
        for (size_t i = 0; next_entry(&i, &entry);)
                text_format(out, " " STR_FMT, STR_ARG(entry.name));
}

static void put_entry_flags(struct text *out, const struct entry *entry)
{
        const struct command *command;
        for (size_t i = 0; (command = next_of(entry, &i)) != NULL;)
                put_flags(out, command->flags);
        put_flags(out, global_flags);
}

/* What may stand behind it instead of files; empty: files. */
static struct str words_of(struct arena *arena, const struct entry *entry)
{
        struct text out = text_grow(arena, WORDS_MAX);
        const struct command *command;
        if (str_is(entry->name, "help")) {
                put_entries(&out);
                for (const struct topic *topic = topics; topic->name != NULL; topic++)
                        text_format(&out, " %s", topic->name);
        } else if (str_is(entry->name, "completion")) {
                text_put(&out, S(" bash zsh fish"));
        } else if (str_is(entry->name, "schema")) {
                text_put(&out, S(" config log"));
        }
        for (size_t i = 0; entry->is_noun && (command = next_of(entry, &i)) != NULL;)
                text_format(&out, "%s", command->name + entry->name.len);
        return out.at == NULL ? S("") : str_trim(text_str(&out));
}

/* ---- bash ---- */

static void put_choices(struct text *out, const struct flag *flags)
{
        for (; flags != NULL && flags->name != NULL; flags++) {
                if (flags->kind == FLAG_SWITCH)
                        continue;
                text_format(out, "        --%s", flags->name);
                if (flags->letter != '\0')
                        text_format(out, "|-%c", flags->letter);
                text_put(out, S(") "));
                if (flags->kind == FLAG_FOLDER) {
                        text_put(out, S("COMPREPLY=($(compgen -d -- \"$word\"))"));
                } else if (flags->kind == FLAG_CHOICE) {
                        text_put(out, S("COMPREPLY=($(compgen -W '"));
                        for (size_t i = 0; flags->choices[i] != NULL; i++)
                                text_format(out, "%s%s", i == 0 ? "" : " ", flags->choices[i]);
                        text_put(out, S("' -- \"$word\"))"));
                } else if (flags->kind == FLAG_FILE) {
                        text_put(out, S("COMPREPLY=($(compgen -f -- \"$word\"))"));
                } else {
                        text_put(out, S("COMPREPLY=()"));
                }
                text_put(out, S("; return ;;\n"));
        }
}

/* What stands behind one entry: values of its flags, flags, words or files. */
static void put_bash_entry(struct text *out, const struct entry *entry)
{
        const struct command *command;
        struct str words = words_of(out->arena, entry);
        text_format(out, "        " STR_FMT ")\n        case \"$before\" in\n",
                    STR_ARG(entry->name));
        for (size_t i = 0; (command = next_of(entry, &i)) != NULL;)
                put_choices(out, command->flags);
        text_put(out, S("        esac\n        if [[ $word == -* ]]; then\n"
                        "            COMPREPLY=($(compgen -W '"));
        put_entry_flags(out, entry);
        text_put(out, S("' -- \"$word\"))\n        else\n"));
        if (words.len > 0)
                text_format(out,
                            "            COMPREPLY=($(compgen -W '" STR_FMT "' -- \"$word\"))\n",
                            STR_ARG(words));
        else
                text_put(out, S("            COMPREPLY=($(compgen -f -- \"$word\"))\n"));
        text_put(out, S("        fi ;;\n"));
}

static void put_bash(struct text *out)
{
        struct entry entry;
        text_put(out, S("# bash completion of gate\n_gate() {\n"
                        "    local word=${COMP_WORDS[COMP_CWORD]} "
                        "before=${COMP_WORDS[COMP_CWORD-1]} command= i\n"
                        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                        "        [[ ${COMP_WORDS[i]} == -* ]] || { command=${COMP_WORDS[i]}; "
                        "break; }\n"
                        "    done\n    case \"$before\" in\n"));
        put_choices(out, global_flags);
        text_put(out, S("    esac\n    case \"$command\" in\n        '')\n"
                        "            COMPREPLY=($(compgen -W '"));
        put_entries(out);
        put_flags(out, global_flags);
        text_put(out, S("' -- \"$word\")); return ;;\n"));
        for (size_t i = 0; next_entry(&i, &entry);)
                put_bash_entry(out, &entry);
        text_put(out, S("    esac\n}\ncomplete -o filenames -F _gate gate\n"));
}

/* ---- zsh ---- */

/* Within '…' and within […]. */
static void put_quoted(struct text *out, const char *text)
{
        for (; *text != '\0'; text++) {
                if (*text == '\'')
                        text_put(out, S("'\\''"));
                else if (*text == '[' || *text == ']' || *text == ':' || *text == '\\')
                        text_format(out, "\\%c", *text);
                else
                        text_char(out, *text);
        }
}

static void put_zsh_flags(struct text *out, const struct flag *flags)
{
        for (; flags != NULL && flags->name != NULL; flags++) {
                const char *end = flags->kind == FLAG_SWITCH ? "" : "=";
                text_put(out, S(" \\\n            "));
                if (flags->letter != '\0' && !flags->is_many)
                        text_format(out, "'(-%c --%s)'{-%c,--%s%s}'[", flags->letter, flags->name,
                                    flags->letter, flags->name, end);
                else
                        text_format(out, "'%s--%s%s[", flags->is_many ? "*" : "", flags->name, end);
                put_quoted(out, flags->text);
                text_char(out, ']');
                if (flags->kind == FLAG_CHOICE) {
                        text_format(out, ":%s:(", flags->value);
                        for (size_t i = 0; flags->choices[i] != NULL; i++)
                                text_format(out, "%s%s", i == 0 ? "" : " ", flags->choices[i]);
                        text_char(out, ')');
                } else if (flags->kind == FLAG_FILE) {
                        text_format(out, ":%s:_files", flags->value);
                } else if (flags->kind == FLAG_FOLDER) {
                        text_format(out, ":%s:_files -/", flags->value);
                } else if (flags->kind != FLAG_SWITCH) {
                        text_put(out, S(":"));
                        put_quoted(out, flags->value);
                        text_put(out, S(": "));
                }
                text_char(out, '\'');
        }
}

static void put_zsh(struct text *out)
{
        struct entry entry;
        const struct command *command;
        text_put(out, S("#compdef gate\n_gate() {\n    local line state\n    _arguments -C"));
        put_zsh_flags(out, global_flags);
        text_put(out, S(" \\\n            '1: :->command' '*:: :->rest'\n    case $state in\n"
                        "    command)\n        local -a commands=("));
        for (size_t i = 0; next_entry(&i, &entry);) {
                text_format(out, "\n            '" STR_FMT ":", STR_ARG(entry.name));
                put_quoted(out, entry.line);
                text_char(out, '\'');
        }
        text_put(out, S(")\n        _describe command commands ;;\n    rest)\n"
                        "        case $line[1] in\n"));
        for (size_t i = 0; next_entry(&i, &entry);) {
                struct str words = words_of(out->arena, &entry);
                text_format(out, "        " STR_FMT ") _arguments", STR_ARG(entry.name));
                for (size_t k = 0; (command = next_of(&entry, &k)) != NULL;)
                        put_zsh_flags(out, command->flags);
                if (words.len > 0)
                        text_format(out, " \\\n            '*:word:(" STR_FMT ")' ;;\n",
                                    STR_ARG(words));
                else
                        text_put(out, S(" \\\n            '*:file:_files' ;;\n"));
        }
        text_put(out, S("        esac ;;\n    esac\n}\n_gate \"$@\"\n"));
}

/* ---- fish ---- */

static void put_fish_text(struct text *out, const char *text)
{
        text_char(out, '\'');
        for (; *text != '\0'; text++) {
                if (*text == '\'' || *text == '\\')
                        text_char(out, '\\');
                text_char(out, *text);
        }
        text_char(out, '\'');
}

static void put_fish_flags(struct text *out, const char *when, const struct flag *flags)
{
        for (; flags != NULL && flags->name != NULL; flags++) {
                text_format(out, "complete -c gate%s -l %s", when, flags->name);
                if (flags->letter != '\0')
                        text_format(out, " -s %c", flags->letter);
                if (flags->kind == FLAG_CHOICE) {
                        text_put(out, S(" -x -a '"));
                        for (size_t i = 0; flags->choices[i] != NULL; i++)
                                text_format(out, "%s%s", i == 0 ? "" : " ", flags->choices[i]);
                        text_char(out, '\'');
                } else if (flags->kind == FLAG_FILE || flags->kind == FLAG_FOLDER) {
                        text_put(out, S(" -r -F"));
                } else if (flags->kind != FLAG_SWITCH) {
                        text_put(out, S(" -x"));
                }
                text_put(out, S(" -d "));
                put_fish_text(out, flags->text);
                text_char(out, '\n');
        }
}

static void put_fish(struct text *out)
{
        struct entry entry;
        const struct command *command;
        text_put(out, S("# fish completion of gate\n"));
        put_fish_flags(out, "", global_flags);
        for (size_t i = 0; next_entry(&i, &entry);) {
                char memory[160];
                struct text when = text_over(memory, sizeof memory);
                struct str words = words_of(out->arena, &entry);
                text_format(out, "complete -c gate -n __fish_use_subcommand -a " STR_FMT " -d ",
                            STR_ARG(entry.name));
                put_fish_text(out, entry.line);
                text_char(out, '\n');
                text_format(&when, " -n '__fish_seen_subcommand_from " STR_FMT "'",
                            STR_ARG(entry.name));
                text_char(&when, '\0');
                for (size_t k = 0; (command = next_of(&entry, &k)) != NULL;)
                        put_fish_flags(out, memory, command->flags);
                if (words.len > 0)
                        text_format(out, "complete -c gate%s -x -a '" STR_FMT "'\n", memory,
                                    STR_ARG(words));
        }
}

static int run(struct call *call)
{
        struct text out = text_grow(&call->arena, SCRIPT_MAX);
        struct str shell = call->operands[0];
        if (str_is(shell, "bash"))
                put_bash(&out);
        else if (str_is(shell, "zsh"))
                put_zsh(&out);
        else if (str_is(shell, "fish"))
                put_fish(&out);
        else
                return call_fail(call, EXIT_usage, "bash, zsh or fish",
                                 "there is no completion for `" STR_FMT "`", STR_ARG(shell));
        call_put(call, text_str(&out));
        return EXIT_done;
}

const struct command command_completion = {
        .name = "completion",
        .group = GROUP_misc,
        .line = "print the completions of a shell",
        .operands = "bash|zsh|fish",
        .operands_least = 1,
        .operands_most = 1,
        .samples =
                (const struct sample[]){
                        {"source <(gate completion bash)", "In ~/.bashrc."},
                        {"gate completion zsh > \"${fpath[1]}/_gate\"", "For zsh."},
                        {"gate completion fish > ~/.config/fish/completions/gate.fish",
                         "For fish."},
                        {0}},
        .run = run,
};
