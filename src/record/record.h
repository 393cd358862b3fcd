/* record.h -- one record for every request, whatever became of it: the source of the access log, of
 * the metrics, later of traces, audit and metering. A worker fills it when the exchange ends and
 * puts it into its ring; the steward makes lines of it. Texts are views for the writer and are
 * copied into the ring in one piece. */
#pragma once

#include "base/str.h"
#include "http/reason.h"
#include "wire/suite.h"

struct ring;

enum {
        RECORD_MESSAGE = 0x7265,    /* kind of its messages in a ring */
        RECORD_SIZE_MAX = 8 * 1024, /* bytes of one message, with all texts at their longest */
};

/* What was asked. path is without query; route is the template it matched. */
struct record_request {
        struct str method, host, path, route;
        struct str query_names;  /* names of query parameters, comma separated; never values */
        struct str content_type; /* media type of the body */
        struct str user_agent;
        uint64_t bytes; /* of the body */
        uint8_t address[16];
        uint16_t port; /* of the peer */
        uint8_t version;
        struct tls_facts tls; /* zeros: it did not come over TLS */
};

/* Names of what had to do with it; empty where nothing did. */
struct record_who {
        struct str api, channel, consumer, credential, upstream;
        uint32_t api_id, route_id, upstream_id; /* `series` of the same; UINT32_MAX: none */
};

/* How it is found again: texts, hex where they are numbers. */
struct record_trace {
        struct str request_id, trace_id, span_id;
        struct str config; /* hash of the configuration it ran under */
        struct str steps;  /* "route request(cors auth) pick send await response relay" */
};

struct record {
        uint64_t wall;     /* ns since 1970: when the head was complete */
        uint64_t duration; /* ns, to the last byte handed over */
        uint64_t upstream; /* ns, from the last try's begin to its response head; 0: none */
        uint64_t response_bytes;
        struct record_request request;
        struct record_who who;
        struct record_trace trace;
        struct str detail; /* why, for people */
        enum reason reason;
        uint16_t status, upstream_status;
        uint8_t tries;
        bool is_plain;       /* all texts are known to need no escape, see str_is_plain() */
        uint32_t suppressed; /* alike ones that the log leaves out; set by journal.c alone */
};

/* Every text of a record, and how many bytes of it are kept; more is cut at a character. */
#define RECORD_TEXTS(X)                                                                            \
        X(request.method, 32)                                                                      \
        X(request.host, 255)                                                                       \
        X(request.path, 2048)                                                                      \
        X(request.route, 512)                                                                      \
        X(request.query_names, 512)                                                                \
        X(request.content_type, 128)                                                               \
        X(request.user_agent, 512)                                                                 \
        X(who.api, 128)                                                                            \
        X(who.channel, 128)                                                                        \
        X(who.consumer, 255)                                                                       \
        X(who.credential, 64)                                                                      \
        X(who.upstream, 128)                                                                       \
        X(trace.request_id, 128)                                                                   \
        X(trace.trace_id, 32)                                                                      \
        X(trace.span_id, 16)                                                                       \
        X(trace.config, 64)                                                                        \
        X(trace.steps, 512)                                                                        \
        X(detail, 512)

/* Puts it into the ring, in one copy; false: it did not fit, which the ring has counted. */
bool record_put(struct ring *ring, const struct record *record);

/* The record of a message; its texts are views into the message. ERR_syntax: it is none. */
must_use enum err record_read(struct slice message, struct record *ret_record);
