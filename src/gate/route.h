/* route.h -- which route does a request belong to? A table, compiled once per snapshot and read by
 * all workers: listener and host lead to a channel, the path to an API of that channel, then path
 * template, method and further conditions to a route. It knows neither configuration nor exchanges;
 * what a route means is a `void *` of whoever built the table.
 *
 * The order is total and does not depend on the order of building:
 *   host         exact, then wildcard (longest first), then any
 *   API          the longest path, on segment boundaries; an API owns everything below its path
 *   template     literal before {id} before {rest*}, segment by segment
 *   method       named before any; GET stands for HEAD too, after a route that names HEAD
 *   conditions   more before fewer, then values before any value
 *   name         the first in byte order
 * The first template that fits and has a route whose conditions hold decides: where none of these
 * allows the method the answer is 405, and no weaker template is asked (security.md row 150). A
 * slash at the end of a path makes no difference to routing. Letters in paths are significant. */
#pragma once

#include "base/arena.h"
#include "base/str.h"
#include "wire/fields.h"

enum {
        ROUTE_PARAMS_MAX = 16,     /* {…} in one template */
        ROUTE_SEGMENTS_MAX = 64,   /* of one template, with the API's path */
        ROUTE_LITERAL_MAX = 255,   /* bytes of one literal segment */
        ROUTE_CONDITIONS_MAX = 16, /* of one route */
        ROUTE_METHODS_MAX = 64,    /* different methods named in one table */
        ROUTE_SAME_MAX = 256,      /* routes with the same template in one API */
        ROUTE_VISITS_MAX = 4096,   /* places that one look-up may have to try, in one API */
        ROUTE_LISTENERS_MAX = 1024,
};

/* ---- building ---- */

/* A further condition. A header: one of its lines, or a member of one, is that value, so that no
 * second member hides a first one. A query parameter: it is there, and each time it is there it has
 * that value (so that readers who take the first or the last of two agree). "*" is any value. */
struct route_condition {
        bool is_query; /* else a header */
        struct str name, value;
};

struct route_spec {
        struct str name;           /* unique in its API */
        struct str path;           /* template below the API's path; "/" is that path itself */
        const struct str *methods; /* as written: upper case; none: any */
        const struct route_condition *conditions;
        uint16_t method_count, condition_count;
        void *value;
};

enum route_fault_kind {
        ROUTE_FAULT_CONFLICT,     /* nothing distinguishes the two routes */
        ROUTE_FAULT_API_TAKEN,    /* two APIs with the same path in one channel */
        ROUTE_FAULT_HOST_TAKEN,   /* two channels with the same host on one listener */
        ROUTE_FAULT_HOST,         /* not a host or `*.` and a host */
        ROUTE_FAULT_PATH,         /* an API's path must begin with / and be literal and normal */
        ROUTE_FAULT_TEMPLATE,     /* {…} must fill a segment, {rest*} be the last, names differ */
        ROUTE_FAULT_METHOD,       /* not a token */
        ROUTE_FAULT_CONDITION,    /* not a header's name */
        ROUTE_FAULT_MANY_SAME,    /* ROUTE_SAME_MAX */
        ROUTE_FAULT_MANY_METHODS, /* ROUTE_METHODS_MAX */
        ROUTE_FAULT_DEEP, /* ROUTE_SEGMENTS_MAX, _PARAMS_MAX, _LITERAL_MAX, _CONDITIONS_MAX */
        ROUTE_FAULT_WIDE, /* ROUTE_VISITS_MAX: too many templates overlap in this API */
};

/* `first` and `second` are values (of route, API or channel) as they were given; the second is NULL
 * where one thing alone is wrong. Names likewise. */
struct route_fault {
        enum route_fault_kind kind;
        struct str text; /* the host, path, template or method in question */
        struct str first_name, second_name;
        void *first, *second;
};

typedef void route_fault_fn(void *arg, const struct route_fault *fault);

struct route_build;
struct route_channel;
struct route_api;
struct route_table;

/* Begins a table in `arena` for listeners 0 … listeners - 1. What is needed only while building
 * goes to `scratch`. Texts are not copied: they must live as long as the table. */
struct route_build *route_build_begin(struct arena *arena, struct arena *scratch,
                                      unsigned listeners, route_fault_fn *fault, void *fault_arg);

struct route_channel *route_add_channel(struct route_build *build, struct str name, void *value);

/* Requests for that host on that listener belong to the channel. `host` in lower case without a
 * port: "api.example.com", "*.example.com" (one label or more), "*" or "" for any. */
void route_add_host(struct route_build *build, unsigned listener, struct str host,
                    struct route_channel *channel);

/* An API of the channel at `path` ("/" or "/orders"). Without routes of its own everything below
 * its path is one route, of any method, with the API's name and value. */
struct route_api *route_add_api(struct route_build *build, struct route_channel *channel,
                                struct str name, struct str path, void *value);

void route_add(struct route_build *build, struct route_api *api, const struct route_spec *spec);

/* The table; NULL when faults were reported. */
struct route_table *route_build_end(struct route_build *build);

/* ---- looking up ---- */

struct route_ask {
        struct str host, path; /* normalised */
        struct str method;
        struct str query;            /* raw, without '?' */
        const struct fields *fields; /* NULL: none */
        unsigned listener;
        bool is_loose; /* path is what path_loose made of it, and so are the table's literals read
                        */
};

enum route_kind {
        ROUTE_NO_HOST,   /* 421 */
        ROUTE_NO_PATH,   /* 404; `channel` is set, `api` where the path lies below one */
        ROUTE_NO_METHOD, /* 405; `channel`, `api` and `methods` are set */
        ROUTE_FOUND,
};

struct route_result {
        enum route_kind kind;
        void *channel, *api, *value; /* as given to the builder; NULL where unknown */
        struct str name;             /* of the route */
        struct str path;  /* the whole template, "/orders/{id}"; of the API without one */
        uint64_t methods; /* for 405: see route_put_allow */
        const struct str *param_names;
        unsigned param_count;
        struct str params[ROUTE_PARAMS_MAX]; /* views into ask->path, as escaped there */
};

enum route_kind route_find(const struct route_table *table, const struct route_ask *ask,
                           struct route_result *ret_result);

/* Writes the Allow field of a ROUTE_NO_METHOD: "GET, HEAD, POST". */
void route_put_allow(const struct route_table *table, const struct route_result *result,
                     struct text *text);

/* The value of a captured parameter, STR_NONE when the template has none of that name. */
struct str route_param(const struct route_result *result, struct str name);

/* True when a literal of the table would itself be read otherwise by a looser reader (upper case,
 * escapes): then a path that has none of that may mean something else to it, too, and the two
 * readings must be compared for every request. */
bool route_needs_loose(const struct route_table *table);

/* How many routes, and how many bytes, the table has. */
size_t route_count(const struct route_table *table);
size_t route_bytes(const struct route_table *table);
