/* sim_int.h -- what the parts of the simulator share: cables with a plug at each end, and what is
 * going to happen. Nobody else includes it. */
#pragma once

#include "base/list.h"
#include "io/sim.h"

/* A queue of bytes that grows as it must. */
struct heap_bytes {
        uint8_t *ptr;
        size_t begin, len, cap;
};

struct cable;
struct port;

/* One end of a connection: a descriptor of a loop, or a scripted peer. */
struct plug {
        struct cable *cable;
        struct list ready; /* place in the queue of its port */
        struct list queue; /* place among those to be accepted */
        struct port *port; /* whose loop watches it */
        struct watcher *watcher;
        struct sim_peer *peer;
        struct heap_bytes sent;    /* taken from the sender, on the way */
        struct heap_bytes arrived; /* at this end, unread */
        enum err error;            /* pending, told once */
        bool is_held;              /* has an owner: descriptor, peer or accept queue */
        bool is_up;                /* connected */
        bool is_dead;              /* reset, refused or timed out */
        bool is_shut;              /* sends no more than what is in `sent` */
        bool has_end;              /* the other side's end has arrived */
        bool wants_room;           /* somebody was told that it is full */
        bool is_moving;            /* a happening will move `sent` on */
        bool is_end_sent;
};

struct cable {
        struct list node;
        struct sim *sim;
        struct plug plugs[2]; /* 0 called 1 */
        struct addr from, to;
        unsigned pending; /* happenings that name it */
        unsigned tries;   /* of connecting */
};

struct port { /* what one loop has of the world */
        struct list node;
        struct sim *sim;
        struct list ready; /* of plug */
        bool is_woken;
};

struct lobby { /* a listening socket, of a loop or of a script */
        struct list node;
        struct addr at;
        struct list queue; /* of plug, waiting to be accepted */
        unsigned queued;
        struct port *port;
        struct watcher *watcher;
        const struct sim_script *script;
        void *owner;
};

struct sim_peer {
        struct plug *plug;
        const struct sim_script *script;
        void *owner;
        bool is_paused, knows_up, knows_end;
};

struct black { /* an address that never answers */
        struct list node;
        struct addr at;
};

struct happening {
        uint64_t time, order;
        void (*fn)(struct plug *plug);
        struct plug *plug;
        void (*after)(void *arg);
        void *arg;
};

struct desk { /* a descriptor */
        struct plug *plug;
        struct lobby *lobby;
};

struct sim {
        struct sim_rules rules;
        uint64_t random, now, wall_offset, digest, order;
        struct list cables, ports, lobbies, black;
        struct happening *heap;
        size_t heap_count, heap_cap;
        struct desk *desks;
        size_t desk_cap;
        unsigned open_count, next_port;
        enum err fail_err[SIM_CALLS];
        unsigned fail_count[SIM_CALLS];
        uint64_t calls[SIM_CALLS];
};

void *heap_take(size_t size); /* cleared; dies when there is none */

void bytes_put(struct heap_bytes *bytes, const void *from, size_t len);
void bytes_drop(struct heap_bytes *bytes, size_t len);
void bytes_clear(struct heap_bytes *bytes);

static inline struct plug *other_plug(struct plug *plug)
{
        return plug == &plug->cable->plugs[0] ? &plug->cable->plugs[1] : &plug->cable->plugs[0];
}

static inline struct sim *sim_of_plug(const struct plug *plug)
{
        return plug->cable->sim;
}

uint64_t sim_latency(struct sim *sim);
void sim_note(struct sim *sim, uint64_t what, uint64_t more); /* into the digest */

/* fn(plug) after delay. */
void sim_happen(struct sim *sim, uint64_t delay, void (*fn)(struct plug *plug), struct plug *plug);

struct lobby *lobby_find(struct sim *sim, const struct addr *at);
struct lobby *lobby_add(struct sim *sim, const struct addr *at);
void lobby_free(struct lobby *lobby); /* who waits there is reset */
struct plug *lobby_take(struct lobby *lobby);

struct plug *cable_open(struct sim *sim, const struct addr *from, const struct addr *to);
void cable_maybe_free(struct cable *cable);

void plug_move(struct plug *plug); /* gets `sent` going */
void plug_wake(struct plug *plug); /* something changed here */
bool plug_has_room(struct plug *plug);
void plug_shut(struct plug *plug);
void plug_release(struct plug *plug, bool is_abrupt); /* its owner lets go */
void plug_took(struct plug *plug);                    /* its owner read something */

bool sim_is_black(const struct sim *sim, const struct addr *at);

/* What the scripts do; called from the network. */
void peer_event(struct plug *plug);
struct sim_peer *peer_make(struct plug *plug, const struct sim_script *script, void *owner);
