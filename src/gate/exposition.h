/* exposition.h -- all that was counted, as Prometheus reads it: its text format 0.0.4, or
 * OpenMetrics 1.0 when asked for. Written in pieces, so that neither the number of series nor a
 * slow reader needs memory: between two pieces a few numbers are kept, no copy. Each histogram is
 * read once, so its parts agree. The steward's thread. */
#pragma once

#include "gate/count.h"
#include "gate/live.h"

enum exposition_form { EXPOSITION_PROMETHEUS, EXPOSITION_OPENMETRICS };

enum { EXPOSITION_PIECE_MIN = 16 * 1024 }; /* room that one series may need */

struct exposition {
        const struct count_board *board;
        struct live *live;          /* of targets; NULL: none */
        struct str version, config; /* for the two infos */
        enum exposition_form form;
        unsigned metric, at; /* what comes next */
};

/* The form that the value of Accept prefers; Prometheus when it says nothing. */
enum exposition_form exposition_form(struct str accept);
struct str exposition_type(enum exposition_form form);

/* Writes as many whole lines as fit; false when that was all. `out` has EXPOSITION_PIECE_MIN bytes
 * of room. */
bool exposition_next(struct exposition *exposition, struct text *out);
