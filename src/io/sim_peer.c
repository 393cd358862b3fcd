/* sim_peer.c -- the scripted side of the simulated network: tells a script what happened to its
 * end of a cable. Scripts may call anything of sim.h, also close the peer they are called for. */
#include <stdlib.h>

#include "base/check.h"
#include "io/sim_int.h"

struct sim_peer *peer_make(struct plug *plug, const struct sim_script *script, void *owner)
{
        struct sim_peer *peer = heap_take(sizeof *peer);
        *peer = (struct sim_peer){.plug = plug, .script = script, .owner = owner};
        return peer;
}

/* Hands over what has arrived; false when the script has let go of the peer. */
static bool deliver(struct plug *plug)
{
        struct sim_peer *peer = plug->peer;
        struct heap_bytes bytes = plug->arrived;
        plug->arrived = (struct heap_bytes){0};
        plug_took(plug);
        if (peer->script->data != NULL)
                peer->script->data(peer, bytes.ptr + bytes.begin, bytes.len);
        bytes_clear(&bytes);
        return plug->peer == peer;
}

void peer_event(struct plug *plug)
{
        struct sim_peer *peer = plug->peer;
        if (peer == NULL)
                return;
        if (plug->is_up && !peer->knows_up) {
                peer->knows_up = true;
                if (peer->script->up != NULL)
                        peer->script->up(peer);
                if (plug->peer != peer)
                        return;
        }
        while (!peer->is_paused && plug->arrived.len > 0) {
                if (!deliver(plug))
                        return;
        }
        if (plug->has_end && !peer->knows_end && plug->arrived.len == 0 && !peer->is_paused) {
                peer->knows_end = true;
                if (peer->script->end != NULL)
                        peer->script->end(peer);
                if (plug->peer != peer)
                        return;
        }
        if (plug->error != ERR_ok) {
                enum err err = plug->error;
                plug->error = ERR_ok;
                if (peer->script->down != NULL)
                        peer->script->down(peer, err);
        }
}

void sim_serve(struct sim *sim, const struct addr *at, const struct sim_script *script, void *owner)
{
        struct lobby *lobby = lobby_add(sim, at);
        lobby->script = script;
        lobby->owner = owner;
}

struct sim_peer *sim_dial(struct sim *sim, const struct addr *to, const struct sim_script *script,
                          void *owner)
{
        struct addr from;
        CHECK(addr_read_ip(S("192.0.2.7"), (uint16_t)(1024 + sim->next_port++ % 60000), &from) ==
              ERR_ok);
        struct plug *plug = cable_open(sim, &from, to);
        plug->peer = peer_make(plug, script, owner);
        return plug->peer;
}

void *sim_owner(const struct sim_peer *peer)
{
        return peer->owner;
}

void sim_set_owner(struct sim_peer *peer, void *owner)
{
        peer->owner = owner;
}

struct sim *sim_of(const struct sim_peer *peer)
{
        return sim_of_plug(peer->plug);
}

void sim_send(struct sim_peer *peer, const void *bytes, size_t len)
{
        struct plug *plug = peer->plug;
        CHECK(!plug->is_shut);
        if (plug->is_dead)
                return;
        bytes_put(&plug->sent, bytes, len);
        plug_move(plug);
}

size_t sim_unsent(const struct sim_peer *peer)
{
        return peer->plug->sent.len;
}

void sim_pause(struct sim_peer *peer, bool is_paused)
{
        peer->is_paused = is_paused;
        if (!is_paused)
                sim_happen(sim_of(peer), 0, peer_event, peer->plug);
}

void sim_shut(struct sim_peer *peer)
{
        if (!peer->plug->is_shut)
                plug_shut(peer->plug);
}

static void let_go(struct sim_peer *peer, bool is_abrupt)
{
        struct plug *plug = peer->plug;
        plug_release(plug, is_abrupt);
        free(peer);
}

void sim_close(struct sim_peer *peer)
{
        let_go(peer, false);
}

void sim_reset(struct sim_peer *peer)
{
        let_go(peer, true);
}
