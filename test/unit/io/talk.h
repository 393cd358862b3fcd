/* talk.h -- one side of a conversation over a sock, for tests: sends so many bytes of a sequence
 * that both sides know, checks what it receives against the other's sequence, and counts every call
 * it gets. It pauses, resumes, flushes and cuts its sends at random. */
#pragma once

#include "../unit.h"
#include "base/check.h"
#include "io/sim.h"
#include "io/sock.h"

struct talk {
        struct sock sock;
        struct sim *sim; /* decides at random; NULL: plain */
        struct timer nap;
        uint64_t to_send, sent, received;
        uint64_t sequence_out, sequence_in;
        unsigned ups, rooms, ends, downs, flushes;
        enum err error;
        uint16_t nap_chance; /* of 1024: pauses after a piece */
        bool is_broken;      /* a byte was not what it should be */
        bool is_silent;      /* does not send by itself */
        bool is_lasting;     /* does not shut after the last byte */
        bool is_paused;
};

static inline uint8_t talk_byte(uint64_t sequence, uint64_t at)
{
        uint64_t word = ((at >> 3) + sequence) * 0x9e3779b97f4a7c15u;
        return (uint8_t)(word >> (8 * (at & 7)));
}

static inline bool talk_chance(struct talk *talk, uint32_t of_1024)
{
        return talk->sim != NULL && sim_chance(talk->sim, of_1024);
}

/* At most 4 pieces, cut anywhere. */
static inline void talk_send(struct talk *talk, size_t n)
{
        static uint8_t bytes[SOCK_OUT_MAX];
        struct iovec iov[4];
        int count = 0;
        size_t at = 0;
        for (size_t i = 0; i < n; i++)
                bytes[i] = talk_byte(talk->sequence_out, talk->sent + i);
        talk->sent += n;
        if (n <= PAGE_ROOM && talk_chance(talk, 300)) {
                char *place = sock_reserve(&talk->sock, n);
                if (place != NULL) {
                        memcpy(place, bytes, n);
                        sock_commit(&talk->sock, n);
                        return;
                }
        }
        while (at < n) {
                size_t piece = n - at;
                if (count < 3 && talk->sim != NULL)
                        piece = (size_t)sim_below(talk->sim, piece + 1);
                iov[count++] = (struct iovec){bytes + at, piece};
                at += piece;
        }
        sock_send(&talk->sock, iov, count, n);
}

static inline void talk_pump(struct talk *talk)
{
        while (talk->sent < talk->to_send) {
                size_t room = sock_room(&talk->sock);
                if (room == 0)
                        return;
                size_t n = (size_t)u64_min(room, talk->to_send - talk->sent);
                if (talk->sim != NULL && !talk_chance(talk, 200))
                        n = 1 +
                            (size_t)sim_below(talk->sim, talk_chance(talk, 512) ? n : n / 20 + 1);
                talk_send(talk, n);
                if (talk_chance(talk, 50))
                        sock_flush(&talk->sock);
        }
        if (!talk->is_lasting)
                sock_shut(&talk->sock);
}

static inline struct talk *talk_of(struct sock *sock)
{
        return container_of(sock, struct talk, sock);
}

static inline void talk_up(struct sock *sock)
{
        struct talk *talk = talk_of(sock);
        talk->ups++;
        if (!talk->is_silent)
                talk_pump(talk);
}

static inline void talk_rested(struct timer *timer)
{
        struct talk *talk = container_of(timer, struct talk, nap);
        talk->is_paused = false;
        sock_resume(&talk->sock);
}

static inline void talk_data(struct sock *sock, struct slice bytes)
{
        struct talk *talk = talk_of(sock);
        talk->is_broken |= talk->is_paused || talk->ends > 0 || talk->downs > 0 || bytes.len == 0;
        for (size_t i = 0; i < bytes.len; i++)
                talk->is_broken |= bytes.ptr[i] != talk_byte(talk->sequence_in, talk->received + i);
        talk->received += bytes.len;
        memset(bytes.ptr, 0xee, bytes.len);
        if (talk_chance(talk, talk->nap_chance)) {
                talk->is_paused = true;
                sock_pause(sock);
                if (talk_chance(talk, 100))
                        talk_rested(&talk->nap);
                else
                        timer_set(sock->loop, &talk->nap,
                                  sock->loop->now + sim_below(talk->sim, 20000000));
        }
}

static inline void talk_room(struct sock *sock)
{
        struct talk *talk = talk_of(sock);
        talk->rooms++;
        talk->is_broken |= sock_room(sock) == 0;
        if (!talk->is_silent)
                talk_pump(talk);
}

static inline void talk_end(struct sock *sock)
{
        talk_of(sock)->ends++;
}

static inline void talk_down(struct sock *sock, enum err err)
{
        struct talk *talk = talk_of(sock);
        talk->downs++;
        talk->error = err;
}

static inline void talk_flushed(struct sock *sock)
{
        talk_of(sock)->flushes++;
        talk_of(sock)->is_broken |= sock_queued(sock) > 0;
}

static const struct sock_ops talk_ops = {
        .up = talk_up,
        .data = talk_data,
        .room = talk_room,
        .end = talk_end,
        .down = talk_down,
        .flushed = talk_flushed,
};

/* `side` 0 and 1 speak to each other. */
static inline void talk_init(struct talk *talk, struct sim *sim, int side, uint64_t to_send)
{
        *talk = (struct talk){.sim = sim, .to_send = to_send};
        talk->sequence_out = side == 0 ? 1000 : 2000000;
        talk->sequence_in = side == 0 ? 2000000 : 1000;
        timer_init(&talk->nap, talk_rested);
        talk->sock.fd = -1;
}

static inline void talk_over(struct talk *talk)
{
        timer_stop(&talk->nap);
        sock_close(&talk->sock, false);
}

/* Everything asked for was said and heard. */
static inline bool talk_is_done(const struct talk *talk, const struct talk *other)
{
        return talk->received == other->to_send && (talk->ends == 1 || other->is_lasting) &&
               sock_queued(&talk->sock) == 0;
}
