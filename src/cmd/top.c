/* top.c -- `gate top`: what a running gate does, as it does it. */
#include "cmd/top.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_ARENA_MAX = 256 << 20 };

static const struct view *find_view(struct str name)
{
        for (size_t i = 0; i < views_count; i++) {
                if (str_is(name, views[i].name))
                        return &views[i];
        }
        return &views[0];
}

static void rest(const struct top *top)
{
        struct timespec pause = {.tv_sec = (time_t)(top->every_ns / SECOND),
                                 .tv_nsec = (long)(top->every_ns % SECOND)};
        nanosleep(&pause, NULL);
}

/* Frames without a terminal: one, or one after the other. */
static int print(struct top *top, bool is_once)
{
        do {
                struct arena arena;
                rest(top);
                top_look(top);
                if (top->err != ERR_ok)
                        return call_fail(top->call, EXIT_unavailable, NULL,
                                         "no answer from the gate at " STR_FMT ": %s",
                                         STR_ARG(top->gateway.place.text), err_text(top->err));
                arena_init(&arena, NULL, FRAME_ARENA_MAX);
                call_put(top->call, top_frame(top, &arena, 0, 0));
                arena_fini(&arena);
                if (!is_once)
                        call_put(top->call, S("\n"));
                if (fflush(stdout) != 0)
                        return EXIT_done;
        } while (!is_once);
        return EXIT_done;
}

static bool is_terminal(void)
{
        struct str term = str_of(getenv("TERM"));
        return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 && term.len > 0 &&
               !str_is(term, "dumb");
}

static int print_json(struct top *top)
{
        struct question question = {S("GET"), S("/status")};
        struct reply reply;
        int code;
        if (!gateway_ask(top->call, &top->gateway, &question, &reply, &code))
                return code;
        call_put(top->call, reply.body);
        return reply.status == 200 ? EXIT_done : EXIT_unavailable;
}

static int run(struct call *call)
{
        static struct top top;
        int code;
        top.call = call;
        top.view = find_view(call_flag(call, "view"));
        top.sort = top.view->sort;
        top.every_ns = (uint64_t)call_time(call, "every", SECOND);
        if (top.every_ns < 100 * MILLISECOND)
                top.every_ns = 100 * MILLISECOND;
        if (!gateway_find(call, GATEWAY_TELLS, &top.gateway, &code))
                return code;
        if (call->is_json)
                return print_json(&top);
        look_init(&top.looks[0]);
        look_init(&top.looks[1]);
        top_look(&top);
        if (top.err != ERR_ok)
                code = call_fail(call, EXIT_unavailable, NULL,
                                 "no status from what answers at " STR_FMT ": %s",
                                 STR_ARG(top.gateway.place.text), err_text(top.err));
        else if (call_has(call, "once") || !is_terminal())
                code = print(&top, call_has(call, "once"));
        else
                code = top_screen(&top);
        look_fini(&top.looks[0]);
        look_fini(&top.looks[1]);
        return code;
}

const struct command command_top = {
        .name = "top",
        .group = GROUP_operate,
        .line = "watch what a running gate does",
        .flags =
                (const struct flag[]){
                        {"view", .kind = FLAG_CHOICE, .value = "WHAT",
                         .choices = FLAG_WORDS("apis", "consumers", "upstreams", "routes",
                                               "errors"),
                         .text = "What to begin with; `apis` when not given."},
                        {"once", .text = "Print one frame, of one second, and end."},
                        {"every", .kind = FLAG_TIME, .value = "TIME",
                         .text = "Look this often; 1s when not given, 100ms at least."},
                        {0}},
        .paragraphs = COMMAND_TEXT(
                "Keys: `a` APIs, `c` consumers, `u` upstreams, `r` routes, `e` errors; `s` sorts "
                "by "
                "the next column, `i` the other way round, `/` filters by name (Enter keeps, "
                "Escape drops), arrows move, `p` pauses, `q` quits.",
                "Without a terminal it prints frames as text. Numbers per second are of the time "
                "between two looks, durations of the last five to ten seconds."),
        .samples = (const struct sample[]){{"gate top", "Watch."},
                                           {"gate top --once --view errors", "For a script."},
                                           {0}},
        .exits = COMMAND_EXITS(EXIT_unavailable),
        .run = run,
};
