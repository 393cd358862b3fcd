/* conn.h -- one connection: a link and the codec that speaks on it. Idle, it is one small cell and
 * owns no page. Fronts (from callers) hang on their http; backs (to targets) on a pool. */
#pragma once

#include "base/arena.h"
#include "base/hash.h"
#include "base/slab.h"
#include "http/codec.h"
#include "http/h2.h"
#include "http/h2_heap.h"
#include "io/loop.h"
#include "net/link_tcp.h"
#include "net/link_tls.h"
#include "net/listen.h"
#include "wire/cidr.h"
#include "wire/h1.h"

struct crowd;
struct crowd_door;
struct exchange;
struct site;

/* Limits of one listener, or of all backs. Times in ns. */
struct http_limits {
        struct h1_limits h1;
        uint64_t header_ns; /* from the first byte of a head to its last */
        uint64_t idle_ns;   /* a front without an exchange */
        uint64_t linger_ns; /* reading on after our end, so that the peer gets the answer */
        uint64_t stall_ns;  /* a caller that takes no bytes of its answer */
        uint32_t body_rate; /* bytes per second, least, after the first idle_ns of a body */
        uint32_t chunk_extensions;
        struct h2_limits h2;
        uint32_t connections; /* at the same time, of all workers */
        uint32_t connections_per_ip;
};

enum { LINGER_BYTES = 64 * 1024 };

/* In a drain a front that was idle for less than this may have its next request on the way: it gets
 * the answer, with the word that the connection ends. */
#define RETIRE_NS 1000000000ull

/* Whether connections begin with a PROXY header (wire/proxy.h). */
enum introduction { INTRODUCTION_OFF, INTRODUCTION_OPTIONAL, INTRODUCTION_REQUIRED };

/* Why such a connection was closed. */
enum stranger {
        STRANGER_UNTRUSTED, /* the peer may send no header, and sent one or would have had to */
        STRANGER_MISSING,
        STRANGER_BAD,
        STRANGER_LATE,
        STRANGER_COUNT
};

/* What callers' conns of one listener share, on one worker. It lives as long as the worker. */
struct entrance {
        struct listener listener;
        struct http *http;
        const struct site *site;
        struct http_limits limits;
        struct str name;
        struct addr address;
        uint32_t id;
        uint32_t conns;          /* that came in here and are still open */
        struct crowd_door *door; /* where they are counted over all workers; NULL: nowhere */
        bool takes_tls;          /* callers must speak TLS */
        bool is_secure;          /* what they ask for is https */
        bool is_both;            /* in the clear: the preface says which HTTP it is */
        uint8_t introduction;    /* enum introduction */
        struct tls_set *tls;     /* what they are shown; NULL: who must speak it is turned away */
        const struct cidrs *trusted; /* who may introduce others; NULL: nobody */
        void *owner;                 /* the site's */
};

/* What callers do with HTTP/2. */
struct h2_counts {
        uint64_t begun;           /* connections */
        uint64_t streams_refused; /* over limits.streams */
        uint64_t glitches, resets, stalled;
        uint64_t ended_glitches, ended_resets, ended_head; /* connections, by what they overdid */
};

struct http_counts {
        uint64_t accepted;
        uint64_t refused, refused_per_ip; /* over limits.connections, connections_per_ip */
        uint64_t heads_refused;
        uint64_t strangers[STRANGER_COUNT];
        struct h2_counts h2;
};

/* HTTP on one loop. */
struct http {
        struct loop *loop;
        struct arena arena; /* of fields and scratch */
        struct slab conns;
        struct tls_loop tls;
        struct list fronts, backs; /* of conn.task.node */
        uint32_t front_count, back_count, exchange_count;
        uint32_t stream_count;   /* exchanges whose protocol was switched */
        uint32_t shared_count;   /* exchanges of fronts beyond the first of each */
        struct h1_field *fields; /* for heads that arrive whole; of FIELDS_MOST entries */
        char *scratch;           /* heads are written here, HTTP_SCRATCH bytes */
        struct crowd *crowd;     /* of all workers; NULL: fronts are counted here only */
        struct hash_key key;     /* of conn.speaks */
        bool is_draining;
        struct http_limits back_limits;
        struct h2_heap_sum h2_memory;
        struct http_counts counts;
};

enum { FIELDS_MOST = 1024, HTTP_SCRATCH = 128 * 1024 };

enum conn_phase {
        CONN_IDLE,    /* between exchanges */
        CONN_CONNECT, /* a back being dialled, a front whose handshake is not over */
        CONN_HEAD,    /* a head has begun to arrive */
        CONN_BUSY,    /* an exchange is on it */
        CONN_LINGER,  /* our end is sent; what still comes is thrown away */
        CONN_DEAD,    /* closed, to be buried */
};

struct partial;

/* How a front came in. */
struct arrival {
        bool is_placed : 1;  /* its network is counted in the crowd */
        bool is_trusted : 1; /* its peer may say whose connection it is */
        bool is_secure : 1;  /* it came where callers ask for https */
};

/* tidy: long, because each member is one of these small cells'. */
struct conn {
        struct task task; /* its place among the conns of http, later its grave */
        struct timer timer;
        struct http *http;
        const struct codec *codec;
        struct exchange *exchange;
        struct partial *partial; /* a head that did not arrive whole */
        struct page *held;       /* bytes of the next requests */
        void *owner;             /* front: struct entrance; back: struct pool */
        void *talk;              /* the codec's state of the whole conn; NULL: none */
        uint64_t since;          /* ns: when a back was made, when a front became idle */
        uint8_t phase;
        bool is_front : 1;
        bool is_retiring : 1;   /* no exchange after this one */
        bool is_leaving : 1;    /* a front in a drain */
        bool is_reused : 1;     /* a back that has served before */
        bool has_ended : 1;     /* the peer sent its end */
        bool is_feeding : 1;    /* held bytes are being read */
        struct arrival arrival; /* of a front */
        uint16_t heads;         /* informational heads since the request */
        uint32_t lingered;      /* bytes thrown away; of a body what the timer saw last */
        uint32_t queued;        /* what had not left at the last look of the timer */
        struct addr peer;       /* of a front: whose connection it is, PROXY header heeded */
        struct hash128 speaks;  /* of a back: for whom, as it was told; see pool.h */
        struct link *link;      /* what the codec speaks on: tcp's, or that of a layer over it */
        struct link_tcp tcp;
};

static_assert(sizeof(struct conn) <= 384, "an idle connection is small");

void http_init(struct http *http, struct loop *loop);
void http_fini(struct http *http); /* every conn must be gone */

/* Starts to accept on fd for a site. `entrance` has name, address, site and limits set. */
must_use enum err entrance_open(struct entrance *entrance, struct http *http, int fd);
void entrance_shut(struct entrance *entrance);
void entrance_finish(struct entrance *entrance); /* once who is queued has been accepted */

/* Fronts end: busy ones after an answer that says so, idle ones that have been idle for a while
 * now, the others after one more request or RETIRE_NS. */
void http_drain(struct http *http);

/* A front whose peer is known begins to be served. False: there are too many from its network, and
 * it was closed. */
bool conn_admit(struct conn *conn);

/* Breaks off every exchange and closes every front: at the end. */
void http_abort(struct http *http);

/* A back being dialled; the codec hears of it by room (connected) or down. NULL: *ret_err says why.
 */
struct conn *conn_dial(struct http *http, const struct addr *to, void *owner, enum err *ret_err);

static inline struct link *conn_link(struct conn *conn)
{
        return conn->link;
}

/* Closes at once and buries. May be called twice. Its exchange must have been let go before. */
void conn_close(struct conn *conn, bool is_abrupt);

/* True when the peer took something of what we sent since the last call, or nothing waits: for
 * timers that end stalled conns. */
bool conn_moves(struct conn *conn);

/* Sends our end and throws away what still comes, for a bounded time and number of bytes. */
void conn_linger(struct conn *conn);

/* The layer that speaks TLS, once its handshake is over; NULL: the conn has none. */
static inline struct link *conn_tls(struct conn *conn)
{
        return conn->link != &conn->tcp.link && conn->phase != CONN_DEAD ? conn->link : NULL;
}

static inline void conn_deadline(struct conn *conn, uint64_t after_ns)
{
        timer_set(conn->http->loop, &conn->timer, loop_now(conn->http->loop) + after_ns);
}
