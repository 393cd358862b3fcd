/* tunnel.h -- an exchange after its protocol was switched (101): WebSocket, or another one that the
 * route allows. Its bodies are then the two directions of a stream; they move themselves as bodies
 * do, with the same back-pressure, and nothing of them is kept. Here is what the gateway still says
 * to it: whether it may begin, how long it may rest and live, how large its messages are, and how
 * it ends in a drain. */
#pragma once

#include "base/list.h"
#include "gate/trip.h"
#include "wire/ws.h"

/* One direction. */
struct way {
        struct body *body;
        struct ws_frames frames;
        bool is_ended; /* by the gateway */
};

struct tunnel {
        struct exchange *ex;
        struct list node; /* among the worker's */
        struct timer timer;
        struct way ways[2]; /* from the caller, to the caller */
        uint64_t heard;     /* ns: when something was said last */
        uint64_t idle_ns;   /* how long it may rest */
        uint64_t life_due;  /* ns; TIMER_NEVER */
        uint64_t drain_due; /* ns; TIMER_NEVER */
        enum ws_code code;  /* of the close frames, once is_closing */
        bool is_websocket;
        bool is_closing; /* each direction ends at its next frame */
};

/* The request wants to switch protocols: chooses the one that the route allows, or none. False: it
 * was answered, because it is no handshake, or of no version that is spoken. */
must_use bool tunnel_ask(struct exchange *ex, struct trip *trip);

/* The upstream has switched, and the caller is about to hear of it. */
void tunnel_begin(struct exchange *ex, struct trip *trip);

/* A piece of either direction passes; false: its way was ended before it. */
bool tunnel_piece(struct exchange *ex, struct body *body, struct str bytes);

/* The exchange ends. */
void tunnel_end(struct trip *trip);
