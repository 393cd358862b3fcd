/* trip.h -- what the gateway's site remembers of one exchange: where it stands, under which
 * snapshot, who calls, how far it got. In the exchange's arena; private to run.c, ex.c, ask.c and
 * forward.c. */
#pragma once

#include "gate/ex.h"
#include "gate/route.h"
#include "gate/snapshot.h"
#include "gate/trail.h"
#include "gate/upstream.h"
#include "gate/worker.h"
#include "io/timer.h"
#include "wire/trace.h"

/* The line an exchange walks. One row yields the enum, the function, the name in traces and the
 * chapter in doc/architecture.md. */
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

enum { ANSWER_FIELDS = 8 };

/* What a step says: the next one is set, it must wait, or it was the last. */
enum onward { ONWARD_NEXT, ONWARD_WAIT, ONWARD_DONE };

struct asking;
struct tunnel;

/* How far the policies of the chain came. */
struct walk {
        uint16_t turn;  /* whose on_request is next */
        uint16_t begun; /* whose on_request was called; they will hear on_end */
        bool is_back;   /* on_response was called */
};

/* Timers of an exchange that has some; most have none. */
struct clocks {
        struct exchange *ex;
        struct timer proof; /* the first chunk line is late */
        struct timer total; /* all of it took too long */
        struct timer sleep; /* ex_sleep */
        bool is_proof_late, is_proof_set;
};

/* Where the request is to go below the target's URL; ROUTE sets it, policies may change it. */
struct heading {
        struct str path, query; /* query NULL ptr: none */
        uint16_t fields;        /* of the request, before forward.c added its own; 0: it has not */
        bool is_changed;        /* not what the caller asked for */
};

/* Who asks, as the network and its headers say it. */
struct origin {
        uint8_t address[16]; /* the client's, behind trusted proxies */
        bool is_trusted;     /* the peer is one of trusted_proxies */
        uint8_t depth;       /* how many exchanges of ours it is inside of */
        struct str text;     /* of address, made when first needed */
        struct str scheme, host;
        struct str chain; /* X-Forwarded-For as a trusted peer sent it */
};

struct ids {
        struct str request;
        struct trace trace;
        uint8_t span[8];        /* ours: the parent of what we send */
        struct str correlation; /* X-Correlation-Id, echoed */
};

/* Why it went as it did. */
struct words {
        struct str detail; /* of an own answer: the caller reads it, too */
        struct str remark; /* for the record alone */
};

/* Somebody who wants to know what happens: `gate explain`, the tests of examples. */
struct hearing {
        void (*note)(struct hearing *hearing, uint16_t step, struct str text);
        /* A limit is about to count somebody in that cell; may be NULL. */
        void (*count)(struct hearing *hearing, const struct limit_keys *keys, const struct who *who,
                      struct hash128 cell);
};

struct trip {
        enum step step;
        enum reason outcome; /* of an own answer */
        struct walk walk;
        bool is_own;    /* the answer is the gateway's */
        bool is_ask;    /* a question of a policy: no routing, no record */
        bool is_ending; /* a failure is being answered */
        struct trail trail;
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
        struct words words;
        struct clocks *clocks;
        struct asking *asks;
        struct tunnel *tunnel;   /* tunnel.h; NULL: the protocol was not switched */
        struct hearing *hearing; /* NULL: nobody listens */
};

static inline struct trip *trip_of(const struct exchange *ex)
{
        return ex->trip;
}

/* True when that list of protocols has WebSocket in it. */
bool tunnel_is_websocket(struct str protocols);

/* The clocks of this exchange, made when first needed. */
struct clocks *trip_clocks(struct exchange *ex, struct trip *trip);

/* The conf that holds for this step of the chain: the tier's, where it has one. */
const struct chain_step *trip_step(const struct trip *trip, uint16_t index);

/* ---- forward.c: what is said of a request on its way ---- */

/* Reads who asks: address behind trusted proxies, ids, trace; removes what strangers may not say.
 */
void forward_arrive(struct exchange *ex, struct trip *trip);

/* What connections of an upstream with `proxy_protocol` say of the caller. */
void forward_introduce(struct exchange *ex, const struct trip *trip);

/* Writes the request head for the target in turn. */
void forward_depart(struct exchange *ex, struct trip *trip);

/* Makes the upstream's response head one of ours. */
void forward_return(struct exchange *ex, struct trip *trip);

/* True when this request has passed this gate too often. */
bool forward_loops(const struct exchange *ex, const struct trip *trip);

/* ---- answer.c: what the gateway says itself ---- */

/* Makes an own response: status, the fields set with ex_answer_field, ids. No body yet. */
void answer_begin(struct exchange *ex, struct trip *trip, uint16_t status);

/* Makes the problem of a reason the response. */
void answer_problem(struct exchange *ex, struct trip *trip, enum reason reason);

/* The whole answer to a request that never became an exchange. */
void answer_refusal(struct worker *worker, const struct conn *conn, enum reason reason,
                    struct text *out);

/* ---- ask.c ---- */

/* Gives up what is still being asked, before the exchange goes. */
void asks_end(struct trip *trip);

/* ---- witness.c ---- */

/* Writes the record of an exchange that has ended into the worker's ring and counts. */
void witness(struct exchange *ex, struct trip *trip);

/* The same for a request that never became one; method and target as far as they were read. */
void witness_refusal(struct worker *worker, const struct conn *conn, enum reason reason,
                     struct str method, struct str target);
