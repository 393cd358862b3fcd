/* sight.c -- the journal and the admin of a data process: where lines go, which doors the admin
 * has, and what it may ask for. */
#include "main/sight.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct line_look look_of(const struct steward *steward, const struct config *config)
{
        static const char *const words[] = {"auto", "json", "text", "clf", "off"};
        static const enum line_style styles[] = {LINE_JSON, LINE_JSON, LINE_TEXT, LINE_CLF,
                                                 LINE_OFF};
        int64_t logs = config->telemetry.logs;
        bool is_terminal = isatty(STDOUT_FILENO) == 1;
        for (size_t i = 0; i < countof(words); i++) {
                if (str_is(str_of(steward->start->logs), words[i]))
                        logs = (int64_t)i;
        }
        struct line_look look = {.style = styles[logs]};
        if (logs == CONF_LOGS_AUTO && is_terminal)
                look.style = LINE_TEXT;
        look.has_colour = look.style == LINE_TEXT && is_terminal && getenv("NO_COLOR") == NULL;
        return look;
}

void sight_change(struct steward *steward, const struct config *config)
{
        struct line_look look = look_of(steward, config);
        enum err err = journal_open(&steward->journal, config->telemetry.file, &look);
        if (err != ERR_ok)
                fprintf(stderr, "gate: log file " STR_FMT ": %s\n", STR_ARG(config->telemetry.file),
                        err_text(err));
}

void sight_begin(struct steward *steward, const struct config *config)
{
        journal_init(&steward->journal, steward->loop,
                     count_board_of(steward->gate.counts, steward->crew.count));
        for (unsigned i = 0; i < steward->crew.count; i++)
                steward->gate.workers[i]->ring = journal_ring(&steward->journal);
        sight_change(steward, config);
}

void sight_reopen(struct steward *steward)
{
        journal_reopen(&steward->journal);
}

void sight_end(struct steward *steward)
{
        for (unsigned i = 0; i < steward->crew.count; i++)
                steward->gate.workers[i]->ring = NULL;
        journal_fini(&steward->journal);
}
