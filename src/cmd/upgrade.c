/* upgrade.c -- `gate upgrade`: a running gate becomes the binary that lies where it was started
 * from, without dropping a connection. */
#include <time.h>

#include "cmd/gateway.h"
#include "cmd/show.h"
#include "wire/unit.h"

enum { LOOK_ARENA_MAX = 128 << 20 };

#define WAIT_NS (60 * SECOND)
#define LOOK_NS (50 * MILLISECOND)

/* Who serves: its version, and a name that every process makes anew. */
struct serving {
        struct str version, instance;
        struct str refused; /* why it is not to become another one; or empty */
        uint64_t pid;
};

static bool look(struct call *call, const struct gateway *gateway, struct serving *ret_serving)
{
        struct question question = {S("GET"), S("/status")};
        struct reply reply;
        struct arena arena;
        arena_init(&arena, NULL, LOOK_ARENA_MAX);
        enum err err = gateway_try(gateway, &question, &arena, &reply);
        const struct json *root = err == ERR_ok ? reply_json(&reply, &arena) : NULL;
        bool is_there = json_get(root, S("instance")) != NULL;
        if (is_there) {
                ret_serving->version = arena_str(&call->arena, show_str(root, "version", &arena));
                ret_serving->instance = arena_str(&call->arena, show_str(root, "instance", &arena));
                ret_serving->refused = arena_str(&call->arena, show_str(root, "refused", &arena));
                ret_serving->pid = show_u64(root, "pid");
        }
        arena_fini(&arena);
        return is_there;
}

static int run(struct call *call)
{
        struct gateway gateway;
        struct serving before, now;
        int code;
        uint64_t due = gateway_clock() + (uint64_t)call_time(call, "timeout", WAIT_NS);
        if (!gateway_find(call, GATEWAY_OBEYS, &gateway, &code))
                return code;
        if (!look(call, &gateway, &before))
                return call_fail(call, EXIT_unavailable, NULL, "what answers there is no gate");
        if (!gateway_order(call, S("/upgrade"), &gateway, &code))
                return code;
        while (gateway_clock() < due) {
                struct timespec pause = {.tv_nsec = LOOK_NS};
                nanosleep(&pause, NULL);
                if (!look(call, &gateway, &now))
                        continue;
                if (now.refused.len > 0)
                        return call_fail(call, EXIT_no, NULL, "nothing has changed: " STR_FMT,
                                         STR_ARG(now.refused));
                if (str_eq(now.instance, before.instance))
                        continue;
                call_say(call, "upgraded: " STR_FMT " (pid %llu) serves, after " STR_FMT,
                         STR_ARG(now.version), (unsigned long long)now.pid,
                         STR_ARG(before.version));
                return EXIT_done;
        }
        return call_fail(call, EXIT_again, "what the gate wrote to its standard error says why",
                         "the gate did not become another one; the old one still serves");
}

const struct command command_upgrade = {
        .name = "upgrade",
        .group = GROUP_operate,
        .line = "make a running gate become its new binary",
        .paragraphs = COMMAND_TEXT(
                "Put the new binary where the old one was started from, then run this. The new "
                "one is tried out beside the old one, takes over its sockets and the counts of "
                "its limits, and the old one finishes what it had begun. When anything is wrong "
                "with the new one, nothing changes. It waits a minute unless --timeout says "
                "otherwise."),
        .samples = (const struct sample[]){{"install -m 755 gate-2 /usr/bin/gate && gate upgrade",
                                            "The next version."},
                                           {0}},
        .exits = COMMAND_EXITS(EXIT_no, EXIT_unavailable, EXIT_again, EXIT_denied),
        .run = run,
};
