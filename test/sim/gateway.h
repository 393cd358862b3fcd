/* gateway.h -- what the parts of the simulated gateway share: the world of one seed, and what is
 * known of every request that was ever sent in it. The gate is the real one, from the text of a
 * configuration to the bytes; callers, servers and the network are drawn from the seed. */
#pragma once

#include <stdlib.h>

#include "base/check.h"
#include "gate/live_int.h"
#include "gateway_ear.h"
#include "io/sim.h"

#define MS  1000000ull
#define SEC (1000 * MS)

enum {
        ASKED_MAX = 4000, /* requests of one seed */
        TRIES_MAX = 16,   /* answers to one of them that are told apart */
        SERVERS = 5,      /* of the service; one more decides for forward_auth */
};

/* What a server said to a request, or was about to say. */
struct told {
        uint64_t len;    /* of the body, as planned */
        uint16_t status; /* 0: nothing */
        bool is_whole;   /* all of it was sent, and it is valid */
        bool is_checked; /* where it ends cannot be told from its bytes */
};

/* A request, by its id. Id 0 is nobody's. */
struct asked {
        const char *method;
        uint64_t body_len;
        uint64_t at;    /* when its first byte was sent */
        uint16_t tries; /* as its record says */
        uint8_t seen;   /* heads of it that servers got */
        uint8_t begun, ended, records, answers;
        bool is_unsafe;   /* it must not be done twice */
        bool is_old;      /* HTTP/1.0 */
        bool is_head_out; /* its head has been sent */
        bool is_whole;    /* all of it has been sent, and it is valid */
        bool is_odd;      /* it is not valid, or never ends */
        bool has_trailers;
        struct told told[TRIES_MAX];
};

/* How often things happened, to see that a run meets what it is about. */
struct tally {
        uint64_t asked, answered, refused, swaps, calls, waits, probes, drains, questions;
        uint64_t strays, strays_heard; /* answers that nobody asked for */
        uint64_t reasons[REASON_COUNT];
};

struct scene {
        uint64_t seed;
        struct sim *sim;
        struct loop *loop;
        struct arena arena; /* of everything that callers and servers need */
        bool is_calm;       /* everybody behaves … */
        bool is_perfect;    /* … and nothing fails: every request is answered by the service */
        bool is_tight;      /* there are few pages */
        bool is_over;       /* no more requests */
        bool is_draining;
        bool is_verbose;
        struct asked asked[ASKED_MAX];
        unsigned asked_count;
        struct tally tally;
};

extern struct scene it;

#define must(cond)                                                                                 \
        do {                                                                                       \
                if (!(cond))                                                                       \
                        panic("seed %llu, %llu ms: %s (%s:%d)", (unsigned long long)it.seed,       \
                              (unsigned long long)(sim_now(it.sim) / MS), #cond, __FILE__,         \
                              __LINE__);                                                           \
        } while (0)

/* A line of what happens, when a seed is looked at. */
#define note(...)                                                                                  \
        do {                                                                                       \
                if (it.is_verbose)                                                                 \
                        note_down(__VA_ARGS__);                                                    \
        } while (0)
void note_down(const char *format, ...) printf_like(1, 2);

static inline uint64_t below(uint64_t n)
{
        return sim_below(it.sim, n);
}

static inline bool maybe(uint32_t of_1024)
{
        return sim_chance(it.sim, of_1024);
}

/* A number of a size that is itself drawn: small ones are as likely as large ones. */
uint64_t some(uint64_t most);

/* What stands at that place of the body of a request (salt 0) or of its try's answer. */
uint8_t byte_of(unsigned id, unsigned salt, uint64_t at);

/* The request that a message is about, by its field of that name; 0: there is none. */
unsigned id_in(const struct message *message, const char *name);

/* ---- the gate ---- */

void gate_make(size_t pages);

/* True when a configuration of that text is in force. Anything else is a mistake of the test. */
void gate_publish(struct str text);

/* What the steward does now and then: retires what nobody uses, reads the records. */
void gate_attend(void);

/* Consumers and keys, changed while they are used. */
void gate_change_roster(void);

/* What names are answered with from now on. */
void gate_change_names(void);

void gate_drain(void);
bool gate_is_drained(void);
void gate_abort(void);

/* Nothing is left of what ran, but idle connections. */
bool gate_is_idle(void);

/* Everything is as it was before the first request. */
void gate_check_idle(void);

/* Ends and checks that nothing is left. */
void gate_end(void);

/* The text of a configuration, drawn anew each time. */
struct str config_draw(unsigned generation);

/* ---- the others ---- */

void servers_begin(void);
void servers_change(void); /* how they behave from now on */
void servers_end(void);

void guests_begin(void);
bool guests_are_over(void);
void guests_end(void);
