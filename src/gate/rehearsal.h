/* rehearsal.h -- a whole gate in memory: a configuration is compiled as for traffic, one worker
 * serves it in the simulated world (io/sim.h), and requests are played through it, byte for byte,
 * by the code that serves callers. Nothing leaves the process and no time passes: upstreams are
 * played by a server that answers 200 and tells what it got. For `gate explain`, and for the
 * examples of policies, which are tests. One thread; never part of a running gate.
 *
 * What comes back says what was met on the way: route, policies, their notes, the answer. */
#pragma once

#include "gate/bundle.h"
#include "io/addr.h"

struct rehearsal;

/* Compiles a good bundle, which the rehearsal owns from then on. NULL: there were faults; they are
 * in the bundle, which stays the caller's. `is_whole`: every upstream answers, whatever its name,
 * by its first target; else only 10.0.1.1:80 does, and nobody else is there. */
struct rehearsal *rehearsal_make(struct bundle *bundle, bool is_whole);
void rehearsal_free(struct rehearsal *rehearsal);

const struct snapshot *rehearsal_snapshot(const struct rehearsal *rehearsal);

/* A new key of that consumer, for the time of the rehearsal; empty when there is no such consumer.
 */
struct str rehearsal_key(struct rehearsal *rehearsal, struct str consumer);

/* How far a cell is ahead of now elsewhere, in a gate that runs: ns. Asked when a limit is about to
 * count. */
struct counted {
        void *arg;
        uint64_t (*ahead_ns)(void *arg, struct str limit, const struct who *who);
};

struct cue {
        struct str request;     /* all its bytes */
        uint32_t listener;      /* its index in the snapshot */
        bool is_secure;         /* as if over TLS */
        struct addr caller;     /* who is connected */
        struct counted counted; /* zero: limits begin unused */
};

enum { PLAYED_STEPS = 256 };

/* What came of it. Texts live as long as the rehearsal. */
struct played {
        const struct route *route; /* NULL: none was found */
        const struct tier *tier;
        uint16_t asked;  /* policies of the chain that were asked, the first ones */
        bool is_stopped; /* the last of them answered */
        bool is_own;     /* the answer is the gateway's own */
        enum reason reason;
        struct str detail;              /* why, of an own answer */
        struct str notes[PLAYED_STEPS]; /* of each step of the chain; ptr NULL: none */
        struct str path;                /* as it was normalised */
        struct str consumer, identity;  /* who called; empty: nobody knows */
        struct str target;  /* URL of the target it was sent to; empty: the upstream not called */
        struct str sent;    /* the head that the upstream got */
        unsigned questions; /* that policies asked elsewhere, each answered with 200 */
        uint16_t status;    /* 0: no answer */
        struct str head;    /* of the answer: its lines, CR LF between them */
        struct str body;
};

void rehearsal_play(struct rehearsal *rehearsal, const struct cue *cue, struct played *ret_played);

/* Value of a field of the answer's head, or of what was sent; STR_NONE when it has none. */
struct str head_field(struct str head, struct str name);
