/* admin_int.h -- a visit: one exchange with the admin. Private to admin*.c. */
#pragma once

#include "admin/admin.h"
#include "gate/problem.h"

enum visit_stage {
        VISIT_ARRIVE, /* nothing was looked at yet */
        VISIT_BODY,   /* the request's body is being read */
        VISIT_WAIT,   /* somebody else will answer */
        VISIT_STREAM, /* the answer's head is out, its body is being made */
        VISIT_SENT,   /* all of the answer was made */
};

struct visit;

/* What is offered at a path, by one method. */
struct resource {
        const char *path; /* "/consumers/{name}/keys": one name at most */
        enum method method;
        bool needs_socket, takes_body;
        void (*serve)(struct visit *visit); /* once the body is there */
};

/* Makes the next piece of an answer; false: that was all. Writing nothing and true: more will come,
 * the visit is resumed then. */
typedef bool visit_next_fn(struct visit *visit, struct text *out);

struct visit {
        struct exchange *ex;
        struct admin *admin;
        const struct admin_door *door;
        const struct resource *resource;
        enum visit_stage stage;
        struct str name; /* in the path, decoded */
        char *body;
        size_t body_len;
        visit_next_fn *next;
        void *maker;                      /* of next's */
        struct list node;                 /* in waiting or tails */
        uint64_t reload;                  /* the one it waits for */
        void (*end)(struct visit *visit); /* when it is over, however it ended; may be NULL */
};

static inline struct arena *visit_arena(struct visit *visit)
{
        return &visit->ex->arena;
}

/* Each of these answers, once. */
void visit_answer(struct visit *visit, uint16_t status, struct str type, struct str body);
void visit_problem(struct visit *visit, const struct problem *problem);
void visit_deny(struct visit *visit, enum reason reason, const char *format, ...) printf_like(3, 4);
void visit_err(struct visit *visit, enum err err); /* of a call */
void visit_stream(struct visit *visit, struct str type, visit_next_fn *next, void *maker);

/* The value of a parameter of the query, decoded; STR_NONE: not there. */
struct str visit_parameter(struct visit *visit, const char *name);

/* True when Accept prefers JSON to plain text. */
bool visit_wants_json(const struct visit *visit);

/* ---- what is served: admin_tell.c, admin_status.c, admin_logs.c, admin_change.c ---- */

#define ADMIN(method, path, door, takes, serve, help) void serve_##serve(struct visit *visit);
#include "admin/admin.def"
#undef ADMIN
