/* diff.c -- `gate diff`: what a configuration would change, in words of what is written and of what
 * it means. */
#include "cmd/changes.h"
#include "cmd/gateway.h"
#include "cmd/gitworld.h"
#include "cmd/reading.h"
#include "identity/list.h"
#include "main/keepsake.h"
#include "policy/list.h"

enum { OUT_MAX = 64 << 20, WHAT_WIDTH = 44 };

/* What a running gate has in force; NULL after a complaint. */
static struct bundle *read_live(struct call *call, int *ret_code)
{
        struct question question = {.method = S("GET"), .target = S("/config")};
        struct gateway gateway;
        struct reply reply;
        if (!gateway_find(call, GATEWAY_OBEYS, &gateway, ret_code) ||
            !gateway_ask(call, &gateway, &question, &reply, ret_code))
                return NULL;
        struct bundle *bundle = NULL;
        if (reply.status == 200)
                bundle = keepsake_take(reply.body, &policy_list, &proof_list);
        if (bundle == NULL)
                *ret_code = reply_complain(call, &reply, "the gate did not show its configuration");
        return bundle;
}

/* The configuration before, by --from. NULL after a complaint. */
static struct bundle *read_before(struct call *call, struct str path, int *ret_code)
{
        struct str from = call_flag(call, "from"), environment = call_flag(call, "env");
        struct gitworld *gitworld = arena_new(&call->arena, struct gitworld);
        struct load_request request = {.path = from,
                                       .environment = environment.ptr == NULL ? S("") : environment,
                                       .world = &world_real};
        if (from.ptr == NULL)
                from = S("git:HEAD");
        if (str_starts(from, S("git:"))) {
                struct str ref = str_skip(from, 4);
                if (gitworld_open(gitworld, ref, path, &call->arena) != ERR_ok) {
                        *ret_code = call_fail(call, EXIT_missing,
                                              "--from FILE compares with another file",
                                              "git has no " STR_FMT " in `" STR_FMT "`",
                                              STR_ARG(path), STR_ARG(ref));
                        return NULL;
                }
                request.path = path;
                request.world = &gitworld->world;
        }
        struct bundle *bundle = str_is(from, "live")
                                        ? read_live(call, ret_code)
                                        : bundle_read(&request, &policy_list, &proof_list);
        if (bundle == NULL || bundle_is_good(bundle))
                return bundle;
        call_say(call, "the configuration before, " STR_FMT ", is not good:", STR_ARG(from));
        *ret_code = reading_refuse(call, bundle);
        return NULL;
}

/* ---- for people ---- */

static const char *mark_of(const struct call *call, enum change_kind kind)
{
        static const char *const plain[] = {"-", "~", "+"};
        static const char *const colored[] = {"\x1b[31m-\x1b[0m", "\x1b[33m~\x1b[0m",
                                              "\x1b[32m+\x1b[0m"};
        return call->colors_out ? colored[kind] : plain[kind];
}

static void put_change(const struct call *call, const struct change *change, struct text *out)
{
        size_t width = 0;
        text_format(out, " %s " STR_FMT, mark_of(call, change->kind), STR_ARG(change->what));
        for (size_t i = 0; i < change->what.len; i++)
                width += (change->what.ptr[i] & 0xc0) != 0x80;
        for (; width < WHAT_WIDTH; width++)
                text_char(out, ' ');
        if (change->kind == CHANGE_CHANGED)
                text_format(out, " " STR_FMT " → " STR_FMT,
                            STR_ARG(change->was.len > 0 ? change->was : S("default")),
                            STR_ARG(change->is.len > 0 ? change->is : S("default")));
        else
                text_format(out, " " STR_FMT,
                            STR_ARG(change->kind == CHANGE_ADDED ? change->is : change->was));
        if (change->place.len > 0)
                text_format(out, "   (" STR_FMT ")", STR_ARG(change->place));
        while (out->len > 0 && out->at[out->len - 1] == ' ')
                out->len--;
        text_char(out, '\n');
}

static void put_changes(const struct call *call, const char *title, const struct changes *changes,
                        struct text *out)
{
        if (changes->count == 0)
                return;
        text_format(out, "%s\n", title);
        for (size_t i = 0; i < changes->count; i++)
                put_change(call, &changes->at[i], out);
}

/* ---- as JSON ---- */

static void put_json(struct json_build *build, const char *key, const struct changes *changes)
{
        static const char *const words[] = {"removed", "changed", "added"};
        json_put_key(build, str_of(key));
        json_begin(build, JSON_ARRAY);
        for (size_t i = 0; i < changes->count; i++) {
                const struct change *change = &changes->at[i];
                json_begin(build, JSON_OBJECT);
                json_put_member(build, S("kind"), str_of(words[change->kind]));
                json_put_member(build, S("what"), change->what);
                if (change->was.len > 0)
                        json_put_member(build, S("was"), change->was);
                if (change->is.len > 0)
                        json_put_member(build, S("is"), change->is);
                if (change->place.len > 0)
                        json_put_member(build, S("place"), change->place);
                json_end(build);
        }
        json_end(build);
}

static void show_json(struct call *call, const struct changes *written, const struct changes *meant)
{
        struct text out = text_grow(&call->arena, OUT_MAX);
        struct json_build build;
        json_build_init(&build, &call->arena, 1024);
        json_begin(&build, JSON_OBJECT);
        json_put_key(&build, S("version"));
        json_put_i64(&build, 1);
        put_json(&build, "changes", written);
        put_json(&build, "effects", meant);
        json_end(&build);
        json_write(json_build_done(&build), JSON_PRETTY, &call->arena, &out);
        text_char(&out, '\n');
        call_put(call, text_str(&out));
}

static void show(struct call *call, const struct changes *written, const struct changes *meant)
{
        struct text out = text_grow(&call->arena, OUT_MAX);
        unsigned counts[3] = {0};
        put_changes(call, "What is written:", written, &out);
        put_changes(call, "What it means:", meant, &out);
        for (size_t i = 0; i < written->count; i++)
                counts[written->at[i].kind]++;
        call_put(call, text_str(&out));
        if (written->count == 0)
                call_say(call, "no difference");
        else
                call_say(call, "%u removed, %u changed, %u added", counts[CHANGE_REMOVED],
                         counts[CHANGE_CHANGED], counts[CHANGE_ADDED]);
}

static int compare(struct call *call, struct bundle *before, struct bundle *after)
{
        struct changes written = changes_written(before, after, &call->arena);
        struct snapshot *old = bundle_compile(before, NULL), *new = bundle_compile(after, NULL);
        struct changes meant = {.arena = &call->arena};
        int code = EXIT_done;
        if (old != NULL && new != NULL)
                meant = changes_meant(old, new, &call->arena);
        if (new == NULL)
                code = reading_refuse(call, after);
        else if (call->is_json)
                show_json(call, &written, &meant);
        else
                show(call, &written, &meant);
        if (new != NULL)
                bundle_free(after);
        bundle_free(before);
        if (code == EXIT_done && call_has(call, "exit-code") && written.count > 0)
                return EXIT_differs;
        return code;
}

static int run(struct call *call)
{
        int code = EXIT_done;
        struct bundle *after = reading_good(call, &code);
        if (after == NULL)
                return code;
        struct bundle *before = read_before(call, after->load.path, &code);
        if (before != NULL)
                return compare(call, before, after);
        bundle_free(after);
        return code;
}

const struct command command_diff = {
        .name = "diff",
        .group = GROUP_config,
        .line = "say what the configuration changes, and what that means",
        .flags = (const struct flag[]){{"from", .kind = FLAG_FILE, .value = "git:REF|live|FILE",
                                        .text = "What to compare with: the configuration as it is "
                                                "in a commit of git, as a running gate has it in "
                                                "force, or another file; git:HEAD when not given."},
                                       {"exit-code",
                                        .text = "Exit with 2 when there are differences."},
                                       {0}},
        .paragraphs = COMMAND_TEXT(
                "First what is written, value by value with presets filled in, whatever its form "
                "or place in the files; then what it means: routes that come and go, policies that "
                "hold on them, keys that stop to work. Removals come first.",
                "With --env both sides have that environment laid over."),
        .samples =
                (const struct sample[]){
                        {"gate diff", "What is not committed yet."},
                        {"gate diff --from git:main --env prod --exit-code", "In a pull request."},
                        {"gate diff --from live", "What `gate reload` would change."},
                        {"gate diff --from /etc/gatehouse/gateway.yaml", "Against another file."},
                        {0}},
        .exits = COMMAND_EXITS(EXIT_differs, EXIT_missing, EXIT_unavailable, EXIT_config),
        .run = run,
};
