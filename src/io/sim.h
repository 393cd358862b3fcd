/* sim.h -- a world made of memory: a driver whose clock, sockets and network are simulated, all of
 * it decided by one seed. Loops made with driver_sim on the thread that made the sim live in it.
 * Time passes only when a loop waits, and then jumps to the next thing that happens. Readiness is
 * told as epoll tells it edge-triggered: once per change, never again for what was left lying.
 * On the other side of the network stand further loops, or peers scripted in C whose callbacks run
 * while a loop waits. For tests; one thread; nothing here is part of a running gate. */
#pragma once

#include "base/base.h"
#include "io/addr.h"
#include "io/driver.h"

struct sim;

extern const struct driver driver_sim;

/* How system and network behave. May be changed at any time. Chances are in 1024. */
struct sim_rules {
        uint64_t latency_least, latency_most; /* ns, one way */
        uint64_t turn_cost;                   /* ns that pass each time a loop waits, at most */
        uint32_t segment_max;                 /* bytes that arrive at once, cut at random */
        uint32_t send_room, recv_room;        /* what the system buffers for each direction */
        uint32_t backlog_max;                 /* connections that wait to be accepted */
        uint32_t fds_max;
        uint16_t is_full_cut; /* chance that segments are as large as they may be */
        uint16_t short_send;  /* chance that a send takes less than it could */
        uint16_t no_memory;   /* chance that a send fails with ENOBUFS */
        uint16_t reset;       /* chance that a segment resets the connection instead */
        uint16_t refuse;      /* chance that a connect is refused */
        uint16_t lose;        /* chance that a connect is never answered */
        uint16_t early;       /* chance that waiting ends with nothing, as after a signal */
        uint16_t few;         /* chance that only some of the events are told in this turn */
};

/* A calm world; its seed decides everything. Loops are made in the newest one of their thread. */
struct sim *sim_make(uint64_t seed);
void sim_free(struct sim *sim); /* its loops must have been freed */

struct sim_rules *sim_rules(struct sim *sim);

/* Rules drawn at random, from calm to hostile, with buffers from tiny to large. */
void sim_draw_rules(struct sim *sim);

uint64_t sim_now(const struct sim *sim);
uint64_t sim_below(struct sim *sim, uint64_t n); /* a number below n, from the seed */
bool sim_chance(struct sim *sim, uint32_t of_1024);

/* The time of day jumps; the monotonic clock does not notice. */
void sim_step_wall(struct sim *sim, int64_t ns);

/* Lets happen what is next on the network, if that is not after `until`; else moves the clock to
 * `until`. For several loops: turn each with wait 0, then this. False when nothing happened. */
bool sim_step(struct sim *sim, uint64_t until);

/* True when nothing will happen any more unless a loop or a script does something. */
bool sim_is_quiet(const struct sim *sim);

/* A number over everything that has happened: the same for the same seed. */
uint64_t sim_digest(const struct sim *sim);

/* A listening descriptor for a loop (net/listen.h). */
int sim_listen(struct sim *sim, const struct addr *at);

/* Connects to this address are never answered. */
void sim_blackhole(struct sim *sim, const struct addr *at, bool is_black);

enum sim_call { SIM_WATCH, SIM_OPEN, SIM_ACCEPT, SIM_SEND, SIM_CALLS };

/* The next `count` calls of this kind fail with err. */
void sim_fail_next(struct sim *sim, enum sim_call call, enum err err, unsigned count);

/* How often loops made this call; for budgets of system calls. */
uint64_t sim_calls(const struct sim *sim, enum sim_call call);

/* Sockets that loops hold open, listeners included. */
unsigned sim_open_count(const struct sim *sim);

/* fn(arg) after `delay` ns. */
void sim_after(struct sim *sim, uint64_t delay, void (*fn)(void *arg), void *arg);

/* The scripted side. */
struct sim_peer;

struct sim_script {
        void (*up)(struct sim_peer *peer); /* connected or accepted */
        void (*data)(struct sim_peer *peer, const uint8_t *bytes, size_t len);
        void (*end)(struct sim_peer *peer);                /* the other side sends no more */
        void (*down)(struct sim_peer *peer, enum err err); /* refused, reset, timed out */
};

/* Peers with this script accept connections at the address; any function may be NULL. */
void sim_serve(struct sim *sim, const struct addr *at, const struct sim_script *script,
               void *owner);

/* A peer connects. It is valid until sim_close, sim_reset or sim_free. */
struct sim_peer *sim_dial(struct sim *sim, const struct addr *to, const struct sim_script *script,
                          void *owner);

void *sim_owner(const struct sim_peer *peer);
void sim_set_owner(struct sim_peer *peer, void *owner);
struct sim *sim_of(const struct sim_peer *peer);

/* Takes all of it, whatever the other side reads. */
void sim_send(struct sim_peer *peer, const void *bytes, size_t len);
size_t sim_unsent(const struct sim_peer *peer); /* what has not arrived yet */
void sim_pause(struct sim_peer *peer, bool is_paused);
void sim_shut(struct sim_peer *peer);  /* no more sending */
void sim_close(struct sim_peer *peer); /* as close(2): a reset when there was unread data */
void sim_reset(struct sim_peer *peer);
