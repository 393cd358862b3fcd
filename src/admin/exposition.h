/* exposition.h -- all that was counted, as Prometheus reads it: its text format 0.0.4, or
 * OpenMetrics 1.0 when asked for. Written in pieces, so that neither the number of series nor a
 * slow reader needs memory: between two pieces one series is kept. Each histogram is read once, so
 * its parts agree. The steward's thread. */
#pragma once

#include "gate/live.h"
#include "record/count.h"

enum exposition_form { EXPOSITION_PROMETHEUS, EXPOSITION_OPENMETRICS };

enum {
        EXPOSITION_LABEL_MAX = 512,       /* bytes of a label's value; more is cut */
        EXPOSITION_PIECE_MIN = 64 * 1024, /* room that one histogram may need */
};

typedef void each_target_fn(struct live *live,
                            void (*each)(void *arg, const struct target_state *state), void *arg);

struct exposition {
        const struct count_board *board;
        struct live *live;
        const struct snapshot *const *snapshot; /* the newest; NULL: no certificates are told of */
        each_target_fn *each_target;            /* live_each; NULL: no targets are told of */
        struct str version, config;             /* for the two infos; empty: not told */
        enum exposition_form form;
        unsigned metric;      /* the one in turn */
        unsigned series, row; /* what of it is next */
        unsigned cell_count;
        struct cell_sum cells[CELLS_SUM_MAX]; /* of that series */
};

/* The form that Accept prefers; Prometheus' own when it says nothing. */
enum exposition_form exposition_form(const struct fields *request);
struct str exposition_type(enum exposition_form form);

/* Writes as much as fits; false when that was all. `out` has EXPOSITION_PIECE_MIN bytes of room. */
bool exposition_next(struct exposition *exposition, struct text *out);
