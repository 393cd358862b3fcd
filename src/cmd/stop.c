/* stop.c -- `gate stop`: the end of a running gate, waited for. */
#include <time.h>
#include <unistd.h>

#include "cmd/gateway.h"
#include "wire/unit.h"

#define WAIT_NS (5 * MINUTE) /* longer than a drain usually takes */
#define LOOK_NS (20 * MILLISECOND)

/* Its socket goes with it. */
static bool wait_for_end(const struct gateway *gateway, uint64_t wait_ns)
{
        uint64_t due = gateway_clock() + wait_ns;
        while (gateway_clock() < due) {
                struct timespec pause = {.tv_nsec = LOOK_NS};
                int fd;
                enum err err = place_connect(&gateway->place, LOOK_NS, &fd);
                if (err == ERR_refused || err == ERR_missing)
                        return true;
                if (err == ERR_ok)
                        close(fd);
                nanosleep(&pause, NULL);
        }
        return false;
}

static int run(struct call *call)
{
        struct gateway gateway;
        int code;
        struct str target = call_has(call, "now") ? S("/stop?now=1") : S("/stop");
        if (!gateway_order(call, target, &gateway, &code))
                return code;
        if (call_has(call, "no-wait"))
                return EXIT_done;
        if (!wait_for_end(&gateway, (uint64_t)call_time(call, "timeout", WAIT_NS)))
                return call_fail(call, EXIT_again, "`gate stop --now` breaks off what is under way",
                                 "the gate still finishes requests");
        call_say(call, "stopped");
        return EXIT_done;
}

const struct command command_stop = {
        .name = "stop",
        .group = GROUP_operate,
        .line = "end a running gate and wait until it is gone",
        .flags = (const struct flag[]){{"now", .text = "Break off what is under way."},
                                       {"no-wait", .text = "Do not wait for its end."},
                                       {0}},
        .paragraphs = COMMAND_TEXT(
                "No new requests are taken, what is under way ends within `drain` of the "
                "configuration. With --timeout it waits that long at most, five minutes unless "
                "given.",
                "Where systemd or a container runtime keeps a gate running, stop it there: it "
                "would come back."),
        .samples = (const struct sample[]){{"gate stop", "End it, in peace."}, {0}},
        .exits = COMMAND_EXITS(EXIT_unavailable, EXIT_again, EXIT_denied),
        .run = run,
};
