/* record.h -- one record for every request, whatever became of it: the source of the access log, of
 * the metrics, later of traces, audit and metering. A worker fills it when the exchange ends and
 * puts it into its ring; the steward makes lines of it. Texts are views for the writer and are
 * copied into the ring in one piece. */
#pragma once

#include "base/str.h"
#include "http/reason.h"

enum { RECORD_TRAIL_MAX = 32 };

struct record {
        uint64_t wall;     /* ns since 1970: when the head was complete */
        uint64_t duration; /* ns, to the last byte handed over */
        uint64_t upstream; /* ns, from the last try's begin to its response head; 0: none */
        uint64_t request_bytes, response_bytes; /* of bodies */
        struct str method, host, path, route;   /* path without query; route: template */
        struct str query_names;                 /* names of query parameters, comma separated */
        struct str content_type;                /* media type of the request body */
        struct str api, channel, consumer, credential, upstream_name;
        struct str request_id, trace_id, span_id; /* hex texts */
        struct str user_agent, detail;            /* detail: why, for people */
        struct str config;                        /* hash of the configuration it ran under */
        struct str trail; /* steps it took: "route request(cors auth) pick send await response
                             relay" */
        uint8_t address[16];
        uint16_t port; /* of the peer */
        uint16_t status;
        uint16_t upstream_status;
        uint8_t version;
        uint8_t tries;
        enum reason reason;
        uint32_t api_id, route_id, upstream_id; /* for counters; of the snapshot */
};
