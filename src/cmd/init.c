/* init.c -- `gate init`: a first configuration from what is there. */
#include <sys/stat.h>

#include "cmd/folder.h"
#include "cmd/surroundings.h"
#include "roster/key.h"
#include "wire/json.h"

enum { OUT_MAX = 1 << 20, APIS_MOST = 5 };

static const char *const workflow =
        "# Checks the gateway's configuration. `gate` must be on the PATH of the runner.\n"
        "name: gateway\n"
        "on:\n"
        "  pull_request:\n"
        "  push: { branches: [main] }\n"
        "jobs:\n"
        "  check:\n"
        "    runs-on: ubuntu-latest\n"
        "    env:\n"
        "      FIRST_KEY: not-a-secret-only-for-checks\n"
        "    steps:\n"
        "      - uses: actions/checkout@v4\n"
        "        with: { fetch-depth: 0 }\n"
        "      - run: gate fmt --check\n"
        "      - run: gate check --format github\n"
        "      - run: gate diff --from git:origin/main\n";

static const char *const agents =
        "# The gateway\n"
        "\n"
        "`gateway.yaml` is the whole configuration of this API gateway (Gatehouse, command "
        "`gate`).\n"
        "\n"
        "- After every change: `gate fmt -w`, then `gate check --json`. Its exit code is 78 while\n"
        "  there are errors; each problem has `code`, `file`, `line`, `column`, `help` and often\n"
        "  `fix.edits`. `gate help CODE` explains one.\n"
        "- What may be written: `gate schema` (JSON Schema), `gate help settings`, `gate help\n"
        "  policies`.\n"
        "- What a change means: `gate diff`. Removals come first; name them in the pull request.\n"
        "- What happens to a request: `gate explain POST http://HOST/PATH --as CONSUMER --json`.\n"
        "  Nothing is sent.\n"
        "- What holds, with the place of each value: `gate render apis.NAME`.\n"
        "- Policies stand at the top, in a channel, in an API, in a route; the innermost wins, "
        "`off`\n"
        "  removes, `enforce` is a floor. There is no order to write them in.\n"
        "- Secrets never stand in the file: `${env:NAME}`, `${file:PATH}`, `${cred:NAME}`.\n";

static void put_apis(struct text *out, const struct surroundings *found)
{
        size_t shown = 0;
        text_put(out, S("apis:\n"));
        for (size_t i = 0; i < found->count; i++) {
                const struct service *service = &found->services[i];
                bool is_shown = service->url.len > 0 && shown < APIS_MOST;
                text_format(
                        out, "  %s" STR_FMT ": { upstream: \"" STR_FMT "\" }", is_shown ? "" : "# ",
                        STR_ARG(service->name),
                        STR_ARG(service->url.len > 0 ? service->url : S("http://localhost:9000")));
                text_format(out, "   # " STR_FMT "%s\n", STR_ARG(service->origin),
                            service->url.len > 0 ? "" : ": where does it run?");
                shown += is_shown;
        }
        if (shown == 0)
                text_put(out,
                         S("  example: { upstream: http://localhost:9000 }   # your service\n"));
}

static struct str configuration(struct arena *arena, const struct surroundings *found)
{
        struct text out = text_grow(arena, OUT_MAX);
        text_put(&out,
                 S("# Gatehouse: http://localhost:8080/NAME/… goes to the upstream of the API "
                   "of that name.\n"
                   "# `gate check` says what is wrong, `gate run --watch` serves, "
                   "`gate help settings` has every key.\n\n"));
        put_apis(&out, found);
        text_put(&out, S("\n# These hold for all of them; an API may have `policies` of its own.\n"
                         "policies: { auth: api_key, rate_limit: 100/min per consumer }\n\n"
                         "consumers:\n"
                         "  first: { api_key: \"${env:FIRST_KEY}\" }\n\n"
                         "# To be reached from other machines:\n"
                         "# listeners:\n"
                         "#   public: { address: \":8080\" }\n"));
        return text_str(&out);
}

static struct str in_folder(struct call *call, struct str folder, const char *name)
{
        if (str_is(folder, "."))
                return str_of(name);
        return arena_format(&call->arena, STR_FMT "/%s", STR_ARG(folder), name);
}

struct report {
        struct call *call;
        struct json_build build; /* of --json */
        bool has_written;
        int code;
};

/* Writes a file where there is none. */
static void write_new(struct report *report, struct str path, struct str text)
{
        struct call *call = report->call;
        struct stat now;
        bool is_there = stat(arena_cstr(&call->arena, path), &now) == 0;
        if (report->code != EXIT_done)
                return;
        if (!is_there && !folder_write(call, path, text, false, &report->code))
                return;
        report->has_written |= !is_there;
        json_put_key(&report->build, path);
        json_put_text(&report->build, is_there ? S("kept") : S("written"));
        if (!call->is_json)
                call_say(call, "  %s " STR_FMT "%s", is_there ? "-" : "✓", STR_ARG(path),
                         is_there ? ": is there already, and stays as it is" : "");
}

static void tell_next(struct call *call, struct str folder, const struct surroundings *found)
{
        char memory[KEY_MADE_SIZE_MAX];
        struct text key = text_over(memory, sizeof memory);
        struct str name = S("example");
        for (size_t i = found->count; i > 0; i--) {
                if (found->services[i - 1].url.len > 0)
                        name = found->services[i - 1].name;
        }
        key_make(S("test"), &key);
        call_print(call, "\n  export FIRST_KEY=" STR_FMT "   # shown once\n",
                   STR_ARG(text_str(&key)));
        if (!str_is(folder, "."))
                call_print(call, "  cd " STR_FMT "\n", STR_ARG(folder));
        call_print(call, "  gate check && gate run --watch\n");
        call_print(call, "  curl -H \"X-API-Key: $FIRST_KEY\" http://localhost:8080/" STR_FMT "/\n",
                   STR_ARG(name));
}

static int run(struct call *call)
{
        struct surroundings *found = arena_new(&call->arena, struct surroundings);
        struct str folder = call->operands_count == 0 ? S(".") : call->operands[0];
        struct report report = {.call = call};
        struct text out = text_grow(&call->arena, OUT_MAX);
        while (folder.len > 1 && str_ends(folder, S("/")))
                folder.len--;
        struct str github = in_folder(call, folder, ".github/workflows");
        if (!folder_make(call, folder, &report.code) || !folder_make(call, github, &report.code))
                return report.code;
        surroundings_look(folder, &call->arena, found);
        json_build_init(&report.build, &call->arena, 16);
        json_begin(&report.build, JSON_OBJECT);
        write_new(&report, in_folder(call, folder, "gateway.yaml"),
                  configuration(&call->arena, found));
        bool is_new = report.has_written;
        write_new(&report, in_folder(call, folder, ".github/workflows/gateway.yml"),
                  str_of(workflow));
        write_new(&report, in_folder(call, folder, "AGENTS.md"), str_of(agents));
        json_end(&report.build);
        if (call->is_json && report.code == EXIT_done) {
                json_write(json_build_done(&report.build), JSON_PRETTY, &call->arena, &out);
                text_char(&out, '\n');
                call_put(call, text_str(&out));
        } else if (report.code == EXIT_done && is_new) {
                tell_next(call, folder, found);
        }
        return report.code;
}

const struct command command_init = {
        .name = "init",
        .group = GROUP_start,
        .line = "write a first gateway.yaml from what is here",
        .operands = "[DIR]",
        .operands_most = 1,
        .paragraphs = COMMAND_TEXT(
                "Looks for a compose file, API descriptions (OpenAPI) and ports where somebody "
                "listens on this machine, and writes a gateway.yaml of a few lines with keys and a "
                "limit, a workflow that checks it, and an AGENTS.md for coding agents.",
                "What is there already stays as it is. Nothing is sent anywhere."),
        .samples = (const struct sample[]){{"gate init", "Here."},
                                           {"gate init gateway", "In a folder of its own."},
                                           {0}},
        .exits = COMMAND_EXITS(EXIT_system, EXIT_denied),
        .run = run,
};
