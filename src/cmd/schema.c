/* schema.c -- `gate schema`: the forms that programs may rely on, as JSON Schema. */
#include "cmd/command.h"
#include "config/config.h"
#include "policy/list.h"
#include "record/line.h"

enum { SCHEMA_MAX = 16 << 20 };

static int run(struct call *call)
{
        struct text out = text_grow(&call->arena, SCHEMA_MAX);
        struct str what = call->operands_count == 0 ? S("config") : call->operands[0];
        struct reader reader = {
                .arena = &call->arena,
                .policies = policy_list.shapes,
                .policies_count = policy_list.count,
                .reserved = config_reserved_policies,
        };
        if (str_is(what, "config"))
                shape_write_schema(&reader, &shape_config, S("urn:gatehouse:schema:config:1"),
                                   &out);
        else if (str_is(what, "log"))
                line_schema_put(&out);
        else
                return call_fail(call, EXIT_usage, "config or log",
                                 "there is no schema of `" STR_FMT "`", STR_ARG(what));
        call_put(call, text_str(&out));
        if (!str_ends(text_str(&out), S("\n")))
                call_put(call, S("\n"));
        return EXIT_done;
}

const struct command command_schema = {
        .name = "schema",
        .group = GROUP_config,
        .line = "print the JSON Schema of the configuration, or of log lines",
        .operands = "[config|log]",
        .operands_most = 1,
        .paragraphs = COMMAND_TEXT(
                "JSON Schema 2020-12. Editors use it to complete and check while one types; the "
                "first line of a configuration may name it.",
                "What the schema cannot say (references, doors that are open, values without "
                "effect) `gate check` does."),
        .samples = (const struct sample[]){{"gate schema > gateway.schema.json",
                                            "For an editor. The first line of gateway.yaml is "
                                            "then: # yaml-language-server: "
                                            "$schema=./gateway.schema.json"},
                                           {0}},
        .run = run,
};
