/* ping.c -- `gate ping`: is it alive? For health checks of containers: 0 or 1, nothing else. */
#include "cmd/gateway.h"

static int run(struct call *call)
{
        bool wants_ready = call_has(call, "ready");
        struct question question = {S("GET"), wants_ready ? S("/readyz") : S("/livez")};
        struct gateway gateway;
        struct reply reply;
        int code;
        if (!gateway_find(call, GATEWAY_TELLS, &gateway, &code) ||
            !gateway_ask(call, &gateway, &question, &reply, &code))
                return EXIT_no;
        const struct json *told = reply_json(&reply, &call->arena);
        bool is_good = reply.status == 200 && json_is_str(json_get(told, S("status")),
                                                          wants_ready ? S("ready") : S("live"));
        if (call->is_json)
                call_put(call, reply.body);
        else if (!call->is_quiet)
                call_print(call, "%s\n",
                           !is_good      ? (wants_ready ? "not ready" : "not well")
                           : wants_ready ? "ready"
                                         : "live");
        return is_good ? EXIT_done : EXIT_no;
}

const struct command command_ping = {
        .name = "ping",
        .group = GROUP_operate,
        .line = "is it alive? for health checks",
        .flags = (const struct flag[]){{"ready", .text = "Is it ready for traffic, too?"}, {0}},
        .paragraphs = COMMAND_TEXT("The exit code is 0 or 1 and nothing else, as HEALTHCHECK of "
                                   "container images wants it."),
        .samples = (const struct sample[]){{"gate ping", "Alive?"},
                                           {"gate ping --ready -q", "Ready? Without a word."},
                                           {0}},
        .exits = COMMAND_EXITS(EXIT_no),
        .run = run,
};
