/* load.h -- from a path to one document: the root file, what it includes, the patch of an
 * environment, references put in their place. Every file is read once; what was checked is what is
 * used. Complaints are collected with their places, and the texts are kept to show them. The
 * outside (files, environment) comes through struct world, so that tests bring their own. */
#pragma once

#include "io/file.h"
#include "schema/fault.h"
#include "wire/json.h"

struct world {
        /* The text is a copy: a secret is overwritten there once it is used. */
        enum err (*read)(void *arg, struct str path, size_t max, struct arena *arena,
                         struct file *ret_file);
        /* Paths that fit a pattern, sorted. */
        enum err (*list)(void *arg, struct str pattern, struct arena *arena, struct str **ret_paths,
                         size_t *ret_count);
        enum err (*stamp)(void *arg, struct str path, struct file_stamp *ret_stamp);
        bool (*env)(void *arg, const char *name, struct str *ret_value); /* a copy is made */
        void *arg;
        uint64_t (*wall)(void *arg); /* ns since 1970; NULL: nobody knows */
};

/* Files and environment of this process. */
extern const struct world world_real;

enum {
        LOAD_FILE_MAX = 256 << 20, /* one file */
        LOAD_NODES_MAX = 20000000, /* of one file */
        LOAD_FILES_MAX = 4000,
        LOAD_SECRET_MAX = 64 << 10, /* a file, credential or variable that is referred to */
};

struct load_request {
        struct str path;        /* of the root file; with text: how messages call it */
        struct str text;        /* the root file itself, copied; NULL ptr: read path */
        struct str environment; /* "prod": environments/prod.yaml is merged over; empty: none */
        const struct world *world;
};

struct load_file {
        struct str path;
        struct file_stamp stamp;
};

struct load {
        struct arena *arena;
        const struct world *world;
        struct sources sources;
        struct faults faults;
        const struct json *root; /* the effective document; NULL when nothing could be read */
        struct str hash;         /* SHA-256 of it, hexadecimal: the version of the bundle */
        struct str path, dir;    /* dir: where relative paths begin; empty or ends with '/' */
        struct load_file *files; /* everything that was read or looked for */
        size_t files_count, files_cap;
        struct str *patterns; /* of include, below dir */
        size_t patterns_count;
        size_t documents; /* files that hold configuration: "checked 4 files" */
        bool is_missing;  /* the root file is not there at all */
        size_t denied;    /* faults because of secrets that this user may not read */
        size_t certs;     /* which of `files` is the first that a listener shows */
};

/* Reads everything; true when there are no errors so far. Faults go on being collected in
 * load->faults by whoever reads the document. The load must stay where it is. */
bool load_run(struct load *load, const struct load_request *request, struct arena *arena);

/* True when a file that was read has changed, or another one fits a pattern of include. */
bool load_is_stale(const struct load *load, struct arena *scratch);

/* True when a certificate or key has changed or gone. What cannot be looked at has not. */
bool load_certs_are_stale(const struct load *load);

/* ns since 1970; 0: nobody knows. */
static inline uint64_t load_wall(const struct load *load)
{
        return load->world->wall == NULL ? 0 : load->world->wall(load->world->arg);
}

/* Where the configuration is: `given` (-c), $GATE_CONFIG, ./gateway.yaml,
 * $XDG_CONFIG_HOME/gatehouse/gateway.yaml, /etc/gatehouse/gateway.yaml. A given path and
 * $GATE_CONFIG are taken as they are, the others when they exist. Empty when there is none. */
struct str load_discover(const struct world *world, struct str given, struct arena *arena);
