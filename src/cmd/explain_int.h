/* explain_int.h -- what the files of `gate explain` share: explain.c plays the request,
 * explain_live.c asks a running gate, explain_show.c says what came of it. */
#pragma once

#include "cmd/gateway.h"
#include "gate/rehearsal.h"

/* A running gate that is asked. */
struct explain_live {
        struct call *call;
        struct gateway gateway;
        const struct json *status; /* what it says of itself */
        int code;                  /* of a question that was not answered, else EXIT_done */
};

struct explained {
        struct call *call;
        const struct snapshot *snapshot;
        struct str method, url;
        uint32_t listener;
        const struct played *played;
        const struct explain_live *live; /* NULL: none was asked */
};

void explain_show(const struct explained *explained);
void explain_show_json(const struct explained *explained);

/* The request was refused by the gateway. */
static inline bool explained_is_no(const struct explained *explained)
{
        return explained->played->is_own && explained->played->status >= 400;
}

/* ---- a running gate ---- */

/* False after a complaint, with *ret_code set. */
bool explain_live_begin(struct call *call, struct explain_live *live, int *ret_code);

/* For struct counted: how far that count is ahead there. */
uint64_t explain_live_ahead(void *live, struct str limit, const struct who *who);

/* What it says of a route. */
struct live_facts {
        struct str version, hash;                     /* of its configuration */
        uint64_t requests, limited, milli_per_second; /* of the API */
        unsigned targets, healthy;                    /* addresses of the upstream */
        bool is_same;                                 /* configuration as here */
        bool is_open;                                 /* the upstream's circuit */
};

void explain_live_facts(const struct explain_live *live, const struct snapshot *snapshot,
                        const struct route *route, struct live_facts *ret_facts);
