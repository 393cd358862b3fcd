/* admin_logs.c -- /logs: the recent records as lines, and with `follow=1` those to come.
 * Parameters: where (a question of where.h), style (json, text, clf), colour=1, follow=1, past=0
 * (not the recent ones), last=N (of the recent ones the last N). Each reader goes at its own pace
 * over the recent records; one that is too slow is told how many it lost. */
#include "admin/admin_int.h"
#include "record/where.h"
#include "wire/json_put.h"

struct tail {
        struct follower follower;
        struct visit *visit;
        const struct where *where;
        struct line_look look;
        bool follows;
        uint64_t lost; /* not said yet */
};

static void wake(struct follower *follower)
{
        exchange_resume(container_of(follower, struct tail, follower)->visit->ex);
}

static void put_lost(struct text *out, struct tail *tail)
{
        if (tail->look.style == LINE_JSON) {
                struct json_put put = json_put_on(out);
                put_begin(&put, '{');
                put_text_at(&put, "severity_text", S("WARN"));
                put_text_at(&put, "body", S("records were lost: the reader is too slow"));
                put_key(&put, "attributes");
                put_begin(&put, '{');
                put_u64_at(&put, "gatehouse.dropped", tail->lost);
                put_end(&put, '}');
                put_end(&put, '}');
                text_char(out, '\n');
        } else {
                text_format(out, "... %llu records were lost: the reader is too slow\n",
                            (unsigned long long)tail->lost);
        }
        tail->lost = 0;
}

static bool next_lines(struct visit *visit, struct text *out)
{
        struct tail *tail = visit->maker;
        struct journal *journal = visit->admin->journal;
        struct record record;
        uint64_t lost;
        while (out->max - out->len > LINE_SIZE_MAX + 256) {
                if (!journal_read(journal, &tail->follower, &record, &lost))
                        return tail->follows && !visit->admin->http.is_draining;
                tail->lost += lost;
                if (tail->lost > 0)
                        put_lost(out, tail);
                if (where_holds(tail->where, &record))
                        line_put(out, &tail->look, &record);
        }
        return true;
}

static void end_tail(struct visit *visit)
{
        struct tail *tail = visit->maker;
        journal_unfollow(visit->admin->journal, &tail->follower);
}

static bool read_look(struct visit *visit, struct line_look *look)
{
        struct str style = visit_parameter(visit, "style");
        look->style = LINE_JSON;
        look->has_colour = str_is(visit_parameter(visit, "colour"), "1");
        if (style.len == 0 || str_is(style, "json"))
                return true;
        look->style = str_is(style, "text") ? LINE_TEXT : LINE_CLF;
        return look->style == LINE_TEXT || str_is(style, "clf");
}

/* Of the recent records that are asked for only the last so many are left to read. */
static void skip_to_last(struct tail *tail, uint64_t last)
{
        struct journal *journal = tail->visit->admin->journal;
        struct follower *follower = &tail->follower;
        struct recent_place begin = follower->place;
        struct record record;
        uint64_t lost, count = 0;
        while (journal_read(journal, follower, &record, &lost))
                count += where_holds(tail->where, &record);
        if (count <= last) {
                follower->place = begin;
                return;
        }
        if (last == 0)
                return;
        follower->place = begin;
        for (count -= last; count > 0 && journal_read(journal, follower, &record, &lost);)
                count -= where_holds(tail->where, &record);
}

static struct str type_of(const struct line_look *look)
{
        return look->style == LINE_JSON ? S("application/x-ndjson")
                                        : S("text/plain; charset=utf-8");
}

void serve_logs(struct visit *visit)
{
        struct tail *tail = arena_new(visit_arena(visit), struct tail);
        struct str question = visit_parameter(visit, "where");
        struct str last = visit_parameter(visit, "last");
        struct where_trouble trouble;
        uint64_t count = UINT64_MAX;
        if (visit->admin->journal == NULL) {
                visit_deny(visit, REASON_not_implemented, "%s", "");
                return;
        }
        if (!read_look(visit, &tail->look)) {
                visit_deny(visit, REASON_bad_request, "style is json, text or clf");
                return;
        }
        if (last.ptr != NULL && str_to_u64(last, &count) != ERR_ok) {
                visit_deny(visit, REASON_bad_request, "last is a number");
                return;
        }
        if (where_read(question, visit_arena(visit), &tail->where, &trouble) != ERR_ok) {
                visit_deny(visit, REASON_bad_request, "where, character %zu: %s", trouble.at + 1,
                           trouble.what);
                return;
        }
        tail->visit = visit;
        tail->follows = str_is(visit_parameter(visit, "follow"), "1");
        tail->follower.wake = wake;
        if (journal_follow(visit->admin->journal, &tail->follower) != ERR_ok) {
                visit_deny(visit, REASON_overloaded, "%d others follow the log already.",
                           JOURNAL_FOLLOWERS_MAX);
                return;
        }
        if (!str_is(visit_parameter(visit, "past"), "0"))
                tail->follower.place = recent_begin(&visit->admin->journal->recent);
        if (last.ptr != NULL)
                skip_to_last(tail, count);
        list_push(&visit->admin->tails, &visit->node);
        visit->end = end_tail;
        visit_stream(visit, type_of(&tail->look), next_lines, tail);
}
