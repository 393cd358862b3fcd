/* fault.h -- the list of complaints about the administrator's document: every one of them, each
 * with its place, its reason and its way out. Finding them and showing them are apart: nothing here
 * writes to a terminal or knows files; sources are texts that somebody else has read.
 *
 *   error[E104]: unknown key `upsteam` in api `orders`            message
 *     --> apis/broken.yaml:3:5                                    place, aside
 *      |
 *    3 |     upsteam: http://localhost:9000
 *      |     ^^^^^^^ did you mean `upstream`?                      label
 *      |
 *      = help: …                                                  help
 */
#pragma once

#include "base/arena.h"
#include "base/str.h"
#include "wire/json.h"

enum fault_code {
        FAULT_none,
#define FAULT(code, severity, title, text) FAULT_##code,
#include "schema/fault.def"
#undef FAULT
        FAULT_COUNT
};

enum severity { SEVERITY_error, SEVERITY_warning };

/* The texts that nodes come from. Number 0 is what nobody wrote. */
enum { SOURCE_NONE = 0, SOURCES_MAX = 4096 };

struct source {
        struct str name; /* as people are shown it: a path */
        struct str text;
        /* The line that was last asked for: most places are asked for from first to last. */
        uint32_t line, line_at; /* lines before it; its first byte */
};

/* A piece of a source, in bytes. */
struct place {
        uint16_t source;
        uint32_t at, len;
};

struct sources {
        struct arena *arena;
        struct source *at;
        struct place *hidden; /* what is secret; sorted when it is first asked for */
        size_t hidden_count, hidden_cap;
        uint16_t count, cap;
        bool is_sorted;
};

void sources_init(struct sources *sources, struct arena *arena);

/* Adds a text and returns its number; SOURCE_NONE when there are SOURCES_MAX already. */
uint16_t sources_add(struct sources *sources, struct str name, struct str text);

/* The value of this node is a secret: it is blacked out where its line is shown. */
void sources_hide(struct sources *sources, const struct json *node);

/* Lines and columns as editors count them: from 1, in characters. */
struct line_column {
        uint32_t line, column, end_column;
};

/* The token of a node: quotes included; of a block only its first character. */
struct place place_of(const struct sources *sources, const struct json *node);
struct line_column place_lines(const struct sources *sources, struct place place);

/* "gateway.yaml:7", for explain and render; "default" for what nobody wrote. */
void place_write(const struct sources *sources, const struct json *node, struct text *out);

struct fault {
        enum fault_code code;
        struct place place;
        struct str message; /* the whole sentence */
        struct str label;   /* beside the caret; may be empty */
        struct str help;    /* may be empty */
        struct str aside;   /* behind the place, in brackets; may be empty */
        struct str fix;     /* what the place should be instead; NULL ptr: nobody knows */
        struct place also;  /* a second place that has to do with it; source 0: none */
        struct str also_label;
};

enum { FAULTS_MAX = 100 };

/* Faults beyond FAULTS_MAX are counted, not kept. */
struct faults {
        struct arena *arena;
        struct sources *sources;
        struct fault *at;
        uint32_t count, cap;
        uint32_t errors, warnings; /* all of them, kept or not */
        bool is_dropping;          /* the list is full: nothing is put in words any more */
        struct fault spare;        /* what fault_add returns then */
};

void faults_init(struct faults *faults, struct arena *arena, struct sources *sources);

/* Adds a complaint about a node (NULL: about nothing in particular) and returns it, so that label,
 * help and the rest can be set. Never NULL. */
struct fault *fault_add(struct faults *faults, enum fault_code code, const struct json *node,
                        const char *format, ...) printf_like(4, 5);

struct fault *fault_add_at(struct faults *faults, enum fault_code code, struct place place,
                           const char *format, ...) printf_like(4, 5);

/* A text for label, help or fix. */
struct str fault_text(struct faults *faults, const char *format, ...) printf_like(2, 3);

/* What a document says, for a message: at most 60 characters, a secret never. */
struct str fault_quote(struct faults *faults, const struct json *node);

/* Of `names` the one that was probably meant, and its label and fix: "did you mean `x`?". The empty
 * text when none is near. */
struct str fault_nearest(struct str word, const struct str *names, size_t count);
void fault_suggest(struct faults *faults, struct fault *fault, struct str nearest);

/* Both in one, and nothing when the fault is not kept anyway. */
void fault_suggest_near(struct faults *faults, struct fault *fault, struct str word,
                        const struct str *names, size_t count);

/* By source and place, errors and warnings mixed, as one reads a file. */
void faults_sort(struct faults *faults);

/* The three ways to show them. Nothing in them can move a cursor or end a line of the log early. */
void faults_write(const struct faults *faults, bool is_colored, struct text *out); /* for people */
void faults_write_json(const struct faults *faults, struct text *out);   /* an array of objects */
void faults_write_github(const struct faults *faults, struct text *out); /* ::error file=… */

/* "E104"; its title and its page for `gate help E104`. */
const char *fault_code_name(enum fault_code code);
const char *fault_code_title(enum fault_code code);
const char *fault_code_text(enum fault_code code);
enum severity fault_code_severity(enum fault_code code);
enum fault_code fault_code_find(struct str name); /* FAULT_none when there is none */
