/* run.c -- `gate run`: the server in the foreground. */
#include <unistd.h>

#include "cmd/launch.h"
#include "main/keeper.h"

static bool set_path(char to[DATA_PATH_MAX], struct str value)
{
        if (value.len >= DATA_PATH_MAX)
                return false;
        if (value.len > 0)
                memcpy(to, value.ptr, value.len);
        to[value.len] = '\0';
        return true;
}

/* ---- a word for who looks on ---- */

static const struct call *on_terminal; /* the keeper's word comes without a call */

static void served(const struct binder *binder)
{
        for (uint32_t i = 0; i < binder->count; i++) {
                const struct door *door = &binder->doors[i];
                struct str name = str_of(door->key);
                str_cut(&name, '\t');
                launch_say(on_terminal, true, str_is(name, "admin") ? "admin" : "listening", "%s%s",
                           door->is_unix ? "" : "http://", door->real);
        }
}

static int run(struct call *call)
{
        static struct keeper_options options;
        struct data_start *start = &options.start;
        options.argc = call->argc;
        options.argv = call->argv;
        start->document_fd = -1;
        if (isatty(STDERR_FILENO)) {
                on_terminal = call;
                options.served = served;
        }
        start->workers = (uint64_t)call_number(call, "workers", 0);
        start->watching = call_has(call, "watch");
        start->core_dumps = call_has(call, "core-dumps");
        if (!set_path(start->configuration, call_flag(call, "config")) ||
            !set_path(start->environment, call_flag(call, "env")) ||
            !set_path(start->logs, call_flag(call, "logs")))
                return call_fail(call, EXIT_usage, NULL, "a path may have %d bytes at most",
                                 DATA_PATH_MAX - 1);
        if (call_has(call, "no-keeper"))
                return keeper_skip(&options, data_run);
        return keeper_run(&options);
}

const struct command command_run = {
        .name = "run",
        .group = GROUP_start,
        .line = "serve: the gateway in the foreground, as systemd and containers run it",
        .flags =
                (const struct flag[]){
                        {"workers", .kind = FLAG_NUMBER, .value = "N", .least = 1, .most = 256,
                         .text = "Threads that serve traffic, whatever `workers` says; as many as "
                                 "cores "
                                 "when neither does."},
                        {"watch", .text = "Reload when a file of the configuration changes."},
                        {"logs", .kind = FLAG_CHOICE, .value = "FORM",
                         .choices = FLAG_WORDS("auto", "json", "text", "clf", "off"),
                         .text = "Form of the access log, whatever `telemetry.logs` says."},
                        {"no-keeper",
                         .text = "One process only, for debugging: nobody restarts it, and it "
                                 "cannot be upgraded."},
                        {"core-dumps", .text = "Let the data process be dumped and debugged."},
                        {0}},
        .paragraphs = COMMAND_TEXT(
                "A small process, the keeper, holds the addresses and starts the data process that "
                "serves; should that die, another one is there within a second.",
                "TERM or INT: no new requests, what is under way ends within `drain`, then exit; "
                "again: at once. HUP: reload; a bad configuration never replaces a good one. USR1: "
                "reopen log files. USR2: become a newer binary without dropping a connection."),
        .samples = (const struct sample[]){{"gate run", "With ./gateway.yaml."},
                                           {"gate run -c /etc/gatehouse/gateway.yaml --env prod",
                                            "As a service."},
                                           {"gate run --watch --logs text",
                                            "While writing the configuration."},
                                           {0}},
        .exits = COMMAND_EXITS(EXIT_missing, EXIT_system, EXIT_denied, EXIT_config),
        .run = run,
};
