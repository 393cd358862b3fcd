/* message.h -- a request or a response, whatever the version of HTTP that carried it. Heads hold no
 * hop-by-hop and no framing fields: those belong to the codecs. */
#pragma once

#include "base/str.h"
#include "http/body.h"
#include "wire/fields.h"
#include "wire/target.h"

enum method {
        METHOD_OTHER, /* see method_text */
        METHOD_GET,
        METHOD_HEAD,
        METHOD_POST,
        METHOD_PUT,
        METHOD_DELETE,
        METHOD_CONNECT,
        METHOD_OPTIONS,
        METHOD_TRACE,
        METHOD_PATCH,
        METHOD_QUERY,
        METHOD_COUNT
};

struct head {
        enum method method;
        uint16_t status;       /* of a response; 0: none yet */
        uint8_t version;       /* as it came: 10, 11, 20 */
        bool expects_continue; /* the caller waits for 100 before it sends the body */
        bool takes_trailers;   /* TE: trailers was sent */
        uint16_t port;         /* of the authority; 0: the default one */
        struct str method_text;
        struct str raw_target; /* as it came, for logs */
        struct str upgrade;    /* protocols to switch to; of a 101 the one it is */
        struct target target;
        struct str host;      /* canonical, without port */
        struct str authority; /* of a request to a target: what its Host says */
        struct fields fields;
};

struct http_message {
        struct head head;
        struct body body;
        struct fields trailers; /* what came behind the body and may be passed on */
};

enum method method_find(struct str text);
struct str method_text(enum method method);

/* GET, HEAD, OPTIONS, TRACE, QUERY: asking changes nothing (RFC 9110 9.2.1). */
bool method_is_safe(enum method method);

/* Safe ones, PUT and DELETE: asking twice is asking once (RFC 9110 9.2.2). */
bool method_is_idempotent(enum method method);

/* Whether a field that came behind the body of this message may be passed on: those that are meant
 * to stand there, and of gRPC also what only its two ends understand (security.md d.3). */
bool trailer_may_pass(const struct head *head, const struct field *field);
