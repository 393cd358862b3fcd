/* reload.c -- `gate reload`: reads the configuration of a running gate anew and waits for what
 * comes of it. */
#include <stdio.h>

#include "cmd/gateway.h"
#include "cmd/show.h"
#include "wire/unit.h"

enum { SHOWN_MAX = 4 << 20, HASH_SHOWN = 12 };

#define RELOAD_NS (60 * SECOND)

/* The complaints of the gate, line by line, as it would have shown them itself. */
static void show_complaints(struct call *call, const struct json *answer)
{
        struct str rest = json_str(json_get(answer, S("text")), &call->arena);
        struct text out = text_grow(&call->arena, SHOWN_MAX);
        while (rest.len > 0) {
                show_text(&out, str_cut(&rest, '\n'), SIZE_MAX);
                text_char(&out, '\n');
        }
        fflush(stdout);
        if (out.len > 0)
                fwrite(out.at, 1, out.len, stderr);
}

static int run(struct call *call)
{
        struct question question = {S("POST"), S("/reload")};
        struct gateway gateway;
        struct reply reply;
        int code;
        if (!gateway_find(call, GATEWAY_OBEYS, &gateway, &code))
                return code;
        gateway.timeout_ns = (uint64_t)call_time(call, "timeout", RELOAD_NS);
        if (!gateway_ask(call, &gateway, &question, &reply, &code))
                return code;
        const struct json *root = reply_json(&reply, &call->arena);
        if (call->is_json && root != NULL)
                call_print(call, STR_FMT "%s", STR_ARG(reply.body),
                           str_ends(reply.body, S("\n")) ? "" : "\n");
        if (reply.status == 200) {
                struct str hash = str_first(show_str(root, "hash", &call->arena), HASH_SHOWN);
                if (!call->is_json)
                        show_complaints(call, root);
                if (!call->is_json)
                        call_say(call, "reloaded: " STR_FMT " is in force", STR_ARG(hash));
                return EXIT_done;
        }
        if (reply.status != 422)
                return reply_complain(call, &reply, "the gate did not reload");
        if (call->is_json)
                return EXIT_config;
        show_complaints(call, root);
        return call_fail(call, EXIT_config, NULL,
                         "the configuration was refused; the one before stays in force");
}

const struct command command_reload = {
        .name = "reload",
        .group = GROUP_operate,
        .line = "make a running gate read its configuration anew",
        .paragraphs = COMMAND_TEXT(
                "It waits until the new configuration is in force on all workers, or until it was "
                "refused, and then shows why. Requests under way end as they began; no connection "
                "is dropped. It waits a minute unless --timeout says otherwise."),
        .samples = (const struct sample[]){{"gate check && gate reload", "Look before."}, {0}},
        .exits = COMMAND_EXITS(EXIT_unavailable, EXIT_denied, EXIT_config),
        .run = run,
};
