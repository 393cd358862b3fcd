/* top.h -- `gate top` from inside: looks at a gate (top_look.c), what two looks after each other
 * say about things of one kind (top_view.c), the frame that is drawn (top_frame.c), the terminal
 * (top_screen.c) and the command (top.c). Private to top*.c. */
#pragma once

#include "base/map.h"
#include "cmd/gateway.h"
#include "cmd/show.h"

enum { TOP_COLUMNS = 8, TOP_HISTORY = 60, TOP_FILTER_MAX = 64 };

/* ---- looks ---- */

/* Requests of one route and method. */
struct top_route {
        struct str name, api; /* "GET /orders/{id}" */
        uint64_t count, errors_4xx, errors_5xx;
        uint64_t sum_ns;
};

struct look {
        struct arena arena;
        uint64_t at; /* ns of the clock; 0: none yet */
        const struct json *status;
        struct map things; /* of /status by list and name: "apis/orders" -> struct json */
        struct map routes; /* by API and name -> struct top_route; only when asked for */
};

void look_init(struct look *look);
void look_fini(struct look *look);

/* Takes a look in place of the one before. On an error that one stays. */
must_use enum err look_take(struct look *look, const struct gateway *gateway, bool has_routes);

/* ---- views ---- */

struct row {
        struct str cells[TOP_COLUMNS];
        uint64_t keys[TOP_COLUMNS]; /* of numbers, to sort by */
};

struct rows {
        struct arena *arena;
        struct row *at;
        size_t count, cap;
};

struct pair {
        const struct look *now, *before; /* before->at 0: there is none */
        uint64_t ns;                     /* between them */
        bool is_colored;
};

struct view {
        char key;
        const char *name, *title;
        struct column columns[TOP_COLUMNS]; /* ends with head NULL, or is full */
        unsigned sort;                      /* column that it is sorted by at first */
        bool has_routes;
        void (*fill)(struct rows *rows, const struct pair *pair);
};

extern const struct view views[];
extern const size_t views_count;
size_t view_columns(const struct view *view);

/* How much a number grew in a second, in thousandths; 0 when nobody knows. */
uint64_t rate_milli(const struct pair *pair, uint64_t now, uint64_t before);

/* The same thing in the look before; NULL: it was not there. */
const struct json *thing_before(const struct pair *pair, const char *list, const struct json *now);

/* ---- frames ---- */

struct top {
        struct call *call;
        struct gateway gateway;
        struct look looks[2];
        unsigned newest; /* of looks */
        enum err err;    /* of the last look */
        const struct view *view;
        unsigned sort;
        bool is_upside_down, is_paused, is_typing;
        char filter[TOP_FILTER_MAX];
        size_t filter_len;
        size_t first;                  /* row at the top */
        uint64_t history[TOP_HISTORY]; /* requests per second, in thousandths */
        size_t history_count;          /* so far */
        uint64_t every_ns;
};

/* Looks again, and keeps what there was before. */
void top_look(struct top *top);

/* Everything, as lines of text: for a terminal of that size, or (height 0) all rows. */
struct str top_frame(const struct top *top, struct arena *arena, size_t width, size_t height);

/* The live view until somebody ends it. */
int top_screen(struct top *top);
