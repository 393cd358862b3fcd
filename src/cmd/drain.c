/* drain.c -- `gate drain`: the beginning of the end of a running gate, not waited for. */
#include "cmd/gateway.h"

static int run(struct call *call)
{
        struct gateway gateway;
        int code;
        if (!gateway_order(call, S("/drain"), &gateway, &code))
                return code;
        call_say(call, "the gate takes no new requests, and ends when those under way are over");
        return EXIT_done;
}

const struct command command_drain = {
        .name = "drain",
        .group = GROUP_operate,
        .line = "let a running gate finish what it does, then end",
        .paragraphs = COMMAND_TEXT(
                "As `gate stop --no-wait`: it begins, and this command is done."),
        .samples = (const struct sample[]){{"gate drain", "As the hook that a container "
                                                          "orchestrator calls before it stops."},
                                           {0}},
        .exits = COMMAND_EXITS(EXIT_unavailable, EXIT_denied),
        .run = run,
};
