/* command.h -- a command of `gate` is declared once: name, flags, words for people, the function.
 * From the table come the dispatch, `--help`, the manual pages, completions and
 * doc/ref/commands.md. One file of this room is one command, with one designated initialiser;
 * command.def lists them.
 *
 * A command gets a struct call: what was asked for. Its result goes to standard output, its talk to
 * standard error, and it returns an exit code of exits.def. */
#pragma once

#include "base/arena.h"
#include "base/str.h"

enum exit_code {
#define LEAVE(name, number, text) EXIT_##name = number,
#include "cmd/exits.def"
#undef LEAVE
};

enum command_group {
        GROUP_start,
        GROUP_config,
        GROUP_understand,
        GROUP_operate,
        GROUP_misc,
        GROUP_hidden, /* works, and is not advertised */
        GROUP_COUNT
};

enum flag_kind {
        FLAG_SWITCH, /* no value */
        FLAG_TEXT,
        FLAG_NUMBER, /* digits, within least and most */
        FLAG_TIME,   /* 500ms, 30s, 5m */
        FLAG_CHOICE,
        FLAG_FILE, /* differs from TEXT for completions only */
        FLAG_FOLDER,
};

struct flag {
        const char *name; /* without dashes; in the environment GATE_NAME */
        char letter;      /* 0: none */
        enum flag_kind kind;
        bool is_many;      /* may stand several times */
        const char *value; /* what help calls its value: "FILE" */
        const char *text;
        const char *const *choices; /* ends with NULL */
        int64_t least, most;
};

#define FLAG_WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

struct sample {
        const char *line; /* a command line to paste */
        const char *text; /* what it does */
};

struct call;

struct command {
        const char *name; /* "check"; "key new" for a verb of a noun */
        enum command_group group;
        const char *line;     /* what it does, in a few words */
        const char *operands; /* as the synopsis shows them: "[FILE…]"; NULL: none */
        unsigned operands_least, operands_most;
        const struct flag *flags;      /* its own; ends with name NULL; NULL: none */
        const char *const *paragraphs; /* ends with NULL; NULL: the line says it all */
        const struct sample *samples;  /* ends with line NULL */
        const unsigned char *exits;    /* beside done and usage; ends with 0 */
        int (*run)(struct call *call);
};

#define COMMAND_TEXT(...)  ((const char *const[]){__VA_ARGS__, NULL})
#define COMMAND_EXITS(...) ((const unsigned char[]){__VA_ARGS__, 0})

/* All commands, in the order of help. */
extern const struct command *const commands[];
extern const size_t commands_count;

/* Flags that every command takes; ends with name NULL. */
extern const struct flag global_flags[];

const struct command *command_find(struct str name);

/* Of a command's own flags or the global ones; NULL when there is none. */
const struct flag *flag_find(const struct command *command, struct str name);

/* The next command, from *at on, that is a verb of this noun: `key new` of `key`; NULL: no more. */
const struct command *command_verb(struct str noun, size_t *at);

/* "did you mean `x`" for a word that is no command; empty when nothing is near. */
struct str command_nearest(struct str word);

const char *group_title(enum command_group group);
const char *exit_text(int code); /* NULL when there is no such code */

/* ---- a call ---- */

struct given {
        const struct flag *flag;
        struct str value; /* of a switch: empty */
};

enum { GIVEN_MAX = 256, OPERANDS_MAX = 4096 };

struct call {
        const struct command *command; /* NULL: none was named */
        struct arena arena;
        struct str *operands; /* each followed by a NUL */
        size_t operands_count;
        struct given given[GIVEN_MAX];
        size_t given_count;
        bool is_json, is_quiet, is_verbose, may_ask;
        bool colors_out, colors_err; /* may standard output, standard error be coloured? */
        int write_error;             /* of standard output; 0: none */
        int argc;                    /* as main got them */
        char **argv;
};

/* Value of a flag that was given (the last one); NULL ptr when it was not. It is followed by a NUL.
 */
struct str call_flag(const struct call *call, const char *name);
bool call_has(const struct call *call, const char *name);
int64_t call_number(const struct call *call, const char *name, int64_t otherwise);

/* Value of a FLAG_TIME in ns. */
int64_t call_time(const struct call *call, const char *name, int64_t otherwise);

/* The values of a flag that may stand several times:
 * for (size_t i = 0; call_each(call, "header", &i, &value);) */
bool call_each(const struct call *call, const char *name, size_t *at, struct str *ret_value);

/* All of standard input. */
struct str call_input(struct call *call);

/* Writes to standard output: the result. */
void call_put(struct call *call, struct str text);
void call_print(struct call *call, const char *format, ...) printf_like(2, 3);

/* Writes a line to standard error: talk, silenced by --quiet. */
void call_say(const struct call *call, const char *format, ...) printf_like(2, 3);

/* Says why it cannot be done, and (help not NULL) what helps; returns the code. */
/* tidy: many, because the help stands with the complaint. */
int call_fail(const struct call *call, enum exit_code code, const char *help, const char *format,
              ...) printf_like(4, 5);

/* Reads the command line, runs what it asks for, returns the exit code. */
int command_main(int argc, char **argv);
