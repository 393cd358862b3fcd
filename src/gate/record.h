/* record.h -- one record for every request, whatever became of it: the source of the access log, of
 * the metrics, later of traces, audit and metering. A worker fills it when the exchange ends and
 * puts it into its ring; the steward makes lines of it. Texts are views for the writer and are
 * copied into the ring in one piece. */
#pragma once

#include "base/str.h"
#include "http/reason.h"

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
};
