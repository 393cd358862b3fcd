/* h2_int.h -- HTTP/2 on one front, between the files that speak it: h2_front.c is the codec and the
 * life of the conn, h2_in.c what comes, h2_out.c what goes, h2_guard.c how much of a nuisance a
 * caller may be. Frames, HPACK, states of streams and windows are the library's; it is told through
 * callbacks, which never end the conn: they leave word in `error`, and who called the library ends
 * it. */
#pragma once

#include "http/exchange.h"
#include "http/h2_head.h"

enum {
        H2_STREAM_WINDOW = 64 * 1024,
        H2_CONN_WINDOW = 1024 * 1024,
        H2_CONTINUATIONS = 16,        /* frames of one header section */
        H2_CREDIT_MAX = 256,          /* useless frames that useful ones may make good for */
        H2_QUEUE_MAX = 128,           /* answers to frames that wait: nothing more is read */
        H2_FRAME_MAX = 16 * 1024 + 9, /* of ours */
};

struct h2_budget {
        uint64_t since;
        uint32_t spent;
};

struct h2 {
        struct h2_heap heap; /* first: it counts this, too */
        struct conn *conn;
        nghttp2_session *session;
        struct task late;      /* sends at the end of the turn */
        struct list streams;   /* of h2_stream that have their exchange */
        struct list leaving;   /* of those whose exchange is still ending */
        uint32_t stream_count; /* in both lists */
        uint32_t error;        /* the conn is to end with this code … */
        bool has_error;        /* … */
        bool is_inside;        /* the library is at work: it is not called now */
        bool is_greeted;       /* the peer's first SETTINGS came */
        bool is_acked;         /* the peer said that it has seen ours */
        bool is_told;          /* ours left */
        bool is_last_said;     /* the second GOAWAY of a drain, too */
        bool is_held_back;     /* not reading: too much waits to be sent */
        int32_t highest;       /* id of a stream that the peer began */
        uint32_t block;        /* bytes of the header section in hand */
        uint64_t head_due;     /* ns; when the section in hand must be complete; 0: none is */
        uint64_t leave_due;    /* ns; when a drain says its last word */
        uint64_t looked;       /* ns; the last look for streams that do not move */
        struct h2_budget glitches, resets;
        uint32_t credit;
        struct h2_head head;
};

struct h2_stream {
        struct list node;
        struct h2 *h2; /* NULL: the conn is gone */
        struct exchange *ex;
        int32_t id;
        bool is_in_over;
        bool is_head_out;           /* handed to the library */
        bool is_out_over;           /* it sent our end */
        bool is_deferred;           /* it was told that there is no more of the body now */
        bool is_late;               /* the caller did not take what it could at the last look */
        uint64_t owed;              /* bytes that came, and are not to be followed by others yet */
        uint64_t sent;              /* of the response body */
        uint64_t seen_in, seen_out; /* at the last look */
};

static inline struct h2 *h2_of(const struct conn *conn)
{
        return conn->talk;
}

static inline const struct entrance *h2_entrance(const struct h2 *h2)
{
        return h2->conn->owner;
}

static inline struct h2_stream *h2_stream_of(const struct end *end)
{
        return end->stream;
}

/* The stream of that id while its exchange is on it. */
static inline struct h2_stream *h2_find(struct h2 *h2, int32_t id)
{
        return nghttp2_session_get_stream_user_data(h2->session, id);
}

/* ---- h2_front.c ---- */

/* Sends at the end of the turn what there is to send. */
void h2_wake(struct h2 *h2);

/* The conn is to end with that code, once the library has returned. The first one stays. */
void h2_fail(struct h2 *h2, uint32_t error);

/* The stream and its exchange part; what is left of the stream is the library's. */
void h2_let_go(struct h2_stream *stream);

/* The same, and there is nobody left to answer. */
void h2_gone(struct h2_stream *stream, enum reason reason);

/* What came on it may be followed by as much. */
void h2_consume(struct h2_stream *stream);

/* The peer's preface is complete. */
void h2_greeted(struct h2 *h2);

/* Brings the conn's timer forward. */
void h2_due(struct h2 *h2, uint64_t due);

/* ---- h2_in.c ---- */

void h2_in_callbacks(nghttp2_session_callbacks *callbacks);

/* ---- h2_out.c ---- */

void h2_out_callbacks(nghttp2_session_callbacks *callbacks);

/* Hands our head to the library: an informational one, or the final one with its body. False: it
 * cannot be sent. */
must_use bool h2_put_interim(struct h2_stream *stream);
must_use bool h2_put_head(struct h2_stream *stream);

/* Lets the library write what it has, as far as the link takes it. */
void h2_pump(struct h2 *h2);

/* ---- h2_guard.c ---- */

/* A frame of that kind came. */
void h2_guard_frame(struct h2 *h2, const nghttp2_frame_hd *hd);

/* A frame was of no use: `cost` of its budget. */
void h2_glitch(struct h2 *h2, uint32_t cost);

/* A stream was broken off by the caller, or because of it. */
void h2_guard_reset(struct h2 *h2);

/* Something useful went on: so much of what belongs to it costs nothing. */
void h2_credit(struct h2 *h2, uint32_t frames);
