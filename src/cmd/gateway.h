/* gateway.h -- a running gate as a command sees it: found, asked over HTTP/1.1, its answers read.
 * It speaks to the unix socket of a gate, where anything may be asked for, or to its admin address,
 * which only tells. It blocks, each step with a deadline, and trusts the gate no further than any
 * other peer: answers are read strictly and are bounded. One connection for each question. */
#pragma once

#include "cmd/command.h"
#include "io/addr.h"
#include "wire/h1.h"
#include "wire/json.h"
#include "wire/unit.h"

enum {
        GATEWAY_ANSWER_MAX = 64 << 20, /* bytes of a body that is read whole */
        GATEWAY_PLACES_MAX = 8,
};

/* What is to be asked: on the admin address nothing can be changed, and no logs are shown. */
enum gateway_need { GATEWAY_TELLS, GATEWAY_OBEYS };

/* One place where a gate may be. */
struct gateway_place {
        struct str socket; /* path of a unix socket; empty: TCP */
        struct addr addr;
        struct str text; /* for people: the path, or http://… */
        struct str host; /* what Host says */
};

struct gateway {
        struct gateway_place place;
        uint64_t timeout_ns; /* --timeout, else 5 s */
};

/* Finds the gate that answers: --gateway or GATE_GATEWAY, the sockets where a gate puts them, the
 * admin address. False after a complaint, with *ret_code set. */
bool gateway_find(struct call *call, enum gateway_need need, struct gateway *ret_gateway,
                  int *ret_code);

/* Where a gate started by us would put its socket, when nobody says; false: nowhere. */
bool usual_socket(struct arena *arena, struct str *ret_path);

/* The same without a word: false when none answers. */
bool gateway_seek(struct call *call, struct gateway *ret_gateway);

/* The places that a host and a port mean: one for each address. It blocks as long as the system's
 * resolver does. */
size_t places_of(struct arena *arena, const struct host_port *host_port,
                 struct gateway_place *ret_places, size_t most);

struct question {
        struct str method, target;
        struct str fields; /* further ones, each with its end of line */
        struct str body;   /* JSON; empty: none */
};

struct reply {
        uint16_t status;
        struct str type, body;
};

/* Asks and reads the whole answer into the arena; ERR_timeout, ERR_closed, ERR_syntax, ERR_limit
 * and what connecting can meet. */
must_use enum err gateway_try(const struct gateway *gateway, const struct question *question,
                              struct arena *arena, struct reply *ret_reply);

/* The same for a command: false after a complaint, with *ret_code set. */
bool gateway_ask(struct call *call, const struct gateway *gateway, const struct question *question,
                 struct reply *ret_reply, int *ret_code);

/* Finds the gate and tells it to do something that it will do in its own time. False after a
 * complaint. */
bool gateway_order(struct call *call, struct str target, struct gateway *ret_gateway,
                   int *ret_code);

/* Where the keys of a consumer are. */
struct str keys_of(struct arena *arena, struct str consumer);

/* Writes what may not stand in a target as %XX. */
void put_escaped(struct text *text, struct str value);

/* An answer that should be a JSON object; NULL when it is none. */
const struct json *reply_json(const struct reply *reply, struct arena *arena);

/* Complains of an answer that is no success: with the words of the problem that it holds. */
int reply_complain(struct call *call, const struct reply *reply, const char *what);

/* ---- answers that go on and on ---- */

struct stream {
        int fd;
        uint64_t due; /* ns of the clock; 0: no matter how long */
        char *bytes;  /* received, from `at` to `len` not used yet */
        size_t at, len;
        enum h1_body framing;
        struct h1_chunks chunks;
        uint64_t left; /* of a body with a length */
        struct reply reply;
        bool is_over;
};

/* Asks and reads the head of the answer. */
must_use enum err stream_begin(struct stream *stream, const struct gateway *gateway,
                               const struct question *question, struct arena *arena);

/* Waits for more of the body, without a deadline unless `due` is set. An empty piece is its end.
 * The piece is gone with the next call. */
must_use enum err stream_read(struct stream *stream, struct str *ret_piece);
void stream_end(struct stream *stream);

/* Connects within timeout_ns; ret_fd is non-blocking. For whoever speaks for himself. */
must_use enum err place_connect(const struct gateway_place *place, uint64_t timeout_ns,
                                int *ret_fd);

/* ns of a clock that only goes forward. */
uint64_t gateway_clock(void);
