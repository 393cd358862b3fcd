/* explain_int.h -- what the two files of `gate explain` share: explain.c plays the request,
 * explain_show.c says what came of it. */
#pragma once

#include "cmd/command.h"
#include "gate/rehearsal.h"

struct explained {
        struct call *call;
        const struct snapshot *snapshot;
        struct str method, url;
        uint32_t listener;
        const struct played *played;
};

void explain_show(const struct explained *explained);
void explain_show_json(const struct explained *explained);

/* The request was refused by the gateway. */
static inline bool explained_is_no(const struct explained *explained)
{
        return explained->played->is_own && explained->played->status >= 400;
}
