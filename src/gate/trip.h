/* trip.h -- what the gateway's site remembers of one exchange: where it stands, under which snapshot,
 * who calls, how far it got. In the exchange's arena; private to run.c, ex.c, ask.c and forward.c. */
#pragma once

#include "gate/ex.h"
#include "gate/route.h"
#include "gate/snapshot.h"
#include "gate/upstream.h"
#include "gate/worker.h"
#include "io/timer.h"
#include "wire/trace.h"

/* The line an exchange walks. One row yields the enum, the function, the name in traces and the chapter in
 * doc/architecture.md. */
#define STEPS(X)                                                                                   \
        X(ROUTE, route, "find host, path and method in the snapshot")                              \
        X(REQUEST, request, "policies of the route, in order")                                     \
        X(PICK, pick, "choose a target, reuse or dial a connection")                               \
        X(SEND, send, "request head and body to the target")                                       \
        X(AWAIT, await, "response head from the target, or retry")                                 \
        X(RESPONSE, response, "policies of the route, in reverse order")                           \
        X(RELAY, relay, "response head and body to the caller")                                    \
        X(FINISH, finish, "record, release")

enum step {
#define STEP(id, name, text) STEP_##id,
        STEPS(STEP)
#undef STEP
        STEP_COUNT
};

enum { TRAIL_MAX = 48, ANSWER_FIELDS = 8 };

/* What a step says: the next one is set, it must wait, or it was the last. */
enum onward { ONWARD_NEXT, ONWARD_WAIT, ONWARD_DONE };

struct asking;

/* Where the request is to go below the target's URL; ROUTE sets it, policies may change it. */
struct heading {
        struct str path, query; /* query NULL ptr: none */
};

/* Who asks, as the network and its headers say it. */
struct origin {
        uint8_t address[16]; /* the client's, behind trusted proxies */
        bool is_trusted;     /* the peer is one of trusted_proxies */
        struct str text;     /* of address, made when first needed */
        struct str scheme, host;
        struct str chain; /* X-Forwarded-For as a trusted peer sent it */
};

struct ids {
        struct str request;
        struct trace trace;
        uint8_t span[8]; /* ours: the parent of what we send */
        struct str correlation; /* X-Correlation-Id, echoed */
};

struct trip {
        enum step step;
        enum reason outcome; /* of an own answer */
        uint16_t turn;       /* policy whose on_request is next */
        uint16_t begun;      /* policies whose on_request was called */
        bool is_waiting;     /* the policy in turn said WAIT */
        bool is_own;         /* the answer is the gateway's */
        bool is_ask;         /* a question of a policy: no routing, no record */
        bool is_ending;      /* a failure is being answered */
        uint8_t trail_len;
        uint8_t trail[TRAIL_MAX];
        struct pin *pin;
        const struct snapshot *snapshot;
        const struct route *route;
        const struct tier *tier;
        struct route_result *found;
        char *states;
        struct attempt attempt;
        struct heading heading;
        struct origin origin;
        struct ids ids;
        struct caller caller;
        struct fields answer_fields; /* of the own answer to come */
        struct str detail;
        struct asking *asks;
};

static inline struct trip *trip_of(const struct exchange *ex)
{
        return ex->trip;
}

/* The conf that holds for this step of the chain: the tier's, where it has one. */
const struct chain_step *trip_step(const struct trip *trip, uint16_t index);

/* ---- forward.c: what is said of a request on its way ---- */

/* Reads who asks: address behind trusted proxies, ids, trace; removes what strangers may not say. */
void forward_arrive(struct exchange *ex, struct trip *trip);

/* Writes the request head for the target in turn. */
void forward_depart(struct exchange *ex, struct trip *trip);

/* Makes the upstream's response head one of ours. */
void forward_return(struct exchange *ex, struct trip *trip);

/* True when this request has passed this gate too often. */
bool forward_loops(const struct exchange *ex, const struct trip *trip);

/* ---- answer.c: what the gateway says itself ---- */

/* Makes the problem of a reason the response. */
void answer_problem(struct exchange *ex, struct trip *trip, enum reason reason);

/* ---- ask.c ---- */

/* Gives up what is still being asked, before the exchange goes. */
void asks_end(struct trip *trip);

/* ---- note.c ---- */

/* Fills a record of the exchange; texts are views or lie in its arena. */
void trip_record(struct exchange *ex, struct trip *trip, struct record *ret_record);
