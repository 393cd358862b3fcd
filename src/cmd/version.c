/* version.c -- `gate version`. */

#include <openssl/crypto.h>
#include <sys/utsname.h>

#include "cmd/command.h"

static int run(struct call *call)
{
        struct utsname machine;
        if (!call->is_json) {
                call_print(call, "gate %s\n", GATE_VERSION);
                return EXIT_done;
        }
        if (uname(&machine) != 0)
                machine = (struct utsname){0};
        call_print(call,
                   "{\"version\":\"%s\",\"compiler\":\"%s\",\"openssl\":\"%s\",\"system\":\"%s\","
                   "\"machine\":\"%s\"}\n",
                   GATE_VERSION, __VERSION__, OpenSSL_version(OPENSSL_VERSION_STRING),
                   machine.sysname, machine.machine);
        return EXIT_done;
}

const struct command command_version = {
        .name = "version",
        .group = GROUP_misc,
        .line = "say which gate this is",
        .run = run,
};
