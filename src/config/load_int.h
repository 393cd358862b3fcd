/* load_int.h -- what the files of the loader share. */
#pragma once

#include "config/load.h"

/* One file of configuration that was read. */
struct load_document {
        const struct json *root;
        struct str name;
};

/* A path of the document, below the folder of the root file unless it is absolute. */
struct str load_path(const struct load *load, struct str path);

/* Reads a file, and remembers it for load_is_stale whether or not it is there. */
must_use enum err load_read(struct load *load, struct str path, size_t max, struct file *ret_file);

/* Joins documents of which none may repeat what another has. */
const struct json *load_join(struct load *load, const struct load_document *documents,
                             size_t count);

/* Puts references in their place: a copy of the document. */
const struct json *load_resolve(struct load *load, const struct json *root);
