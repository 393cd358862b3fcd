/* key_make.c -- `gate key make`: a new key, made here and told to nobody. */
#include "cmd/command.h"
#include "roster/key.h"

static int run(struct call *call)
{
        struct str env = call_flag(call, "env");
        struct text key = text_grow(&call->arena, KEY_SIZE_MAX);
        if (env.ptr == NULL)
                env = S("live");
        if (!key_env_is_good(env))
                return call_fail(call, EXIT_usage, "--env test",
                                 "`" STR_FMT "` cannot stand in a key: up to %d of a-z, 0-9 and -, "
                                 "beginning with a letter",
                                 STR_ARG(env), KEY_ENV_MAX);
        key_make(env, &key);
        if (call->is_json)
                call_print(call, "{\"key\":\"" STR_FMT "\"}\n", STR_ARG(text_str(&key)));
        else
                call_print(call, STR_FMT "\n", STR_ARG(text_str(&key)));
        return EXIT_done;
}

const struct command command_key_make = {
        .name = "key make",
        .group = GROUP_operate,
        .line = "print a new API key",
        .paragraphs = COMMAND_TEXT(
                "No gate is asked and none is told: put it where a configuration refers to, such "
                "as `api_key: \"${file:acme.key}\"`. The last characters are a checksum, so that "
                "a mistyped key is known for one, and scanners find keys that leaked.",
                "It begins with gate_live_, or with gate_NAME_ of `--env NAME`."),
        .samples = (const struct sample[]){{"gate key make > acme.key && chmod 600 acme.key",
                                            "A key in a file."},
                                           {0}},
        .run = run,
};
