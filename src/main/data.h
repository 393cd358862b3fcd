/* data.h -- the data process as the rest of `gate` sees it: what it is told when it starts, and its
 * one entry. It runs below a keeper (main/keeper.h), or alone for debugging; which of both is
 * hidden behind its link (main/keeper_link.h). What it is told is listed in main/start.def. */
#pragma once

#include "base/str.h"

struct keeper_link;

enum {
        GOOD_MS = 60000,       /* a configuration that served that long is good */
        DATA_PATH_MAX = 4096,  /* longest text of START_TEXT, with its NUL */
        DATA_START_MAX = 16384 /* all of it, encoded */
};

struct data_start {
#define START_TEXT(name)   char name[DATA_PATH_MAX];
#define START_NUMBER(name) uint64_t name;
#include "main/start.def"
#undef START_TEXT
#undef START_NUMBER
        int document_fd; /* a configuration given as text (`gate proxy`): a readable file; -1: none
                          */
        struct keeper_link *link; /* how it speaks to its keeper; lives as long as the process */
};

/* The life of a data process; returns its exit code. In this order: compile the configuration (78
 * and the like when it is bad, everything said already); keeper_link_cells; keeper_link_bind for
 * each listener; privs_drop, before the first thread; threads; keeper_link_ready; accept. */
typedef int data_run_fn(struct data_start *start);
int data_run(struct data_start *start);

/* Between processes a start is name=value pairs, each ended by a NUL: names that the reader does
 * not know are passed over, so that the next version may add some. */
must_use enum err start_encode(const struct data_start *start, struct text *text);
must_use enum err start_decode(struct str text, struct data_start *ret_start);

/* A configuration given as text, as a file that nobody can change any more; -1 when it is empty. */
must_use enum err document_keep(struct str document, int *ret_fd);
