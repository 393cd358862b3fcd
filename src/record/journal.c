/* journal.c -- records to lines, lines to where they are wanted. */
#include "record/journal.h"

#include "base/check.h"
#include "base/log.h"

#define SECOND_NS 1000000000u

static void put_line(struct journal *journal, const struct record *record)
{
        if (!journal->has_outlet)
                return;
        /* Most lines are short, and written where they leave from. */
        size_t most = line_most(&journal->look, record);
        char *place = outlet_reserve(&journal->outlet, most);
        struct text line = text_over(place, most);
        if (place != NULL) {
                line_put(&line, &journal->look, record);
                if (!line.is_cut) {
                        outlet_commit(&journal->outlet, line.len);
                        return;
                }
        }
        line = text_over(journal->line, sizeof journal->line);
        line_put(&line, &journal->look, record);
        CHECK(!line.is_cut);
        outlet_put(&journal->outlet, text_str(&line));
}

static void wake_followers(struct journal *journal)
{
        list_each (node, &journal->followers) {
                struct follower *follower = list_entry(node, struct follower, node);
                follower->wake(follower);
        }
}

/* ---- floods ---- */

/* Refused before anything was known of it: such a request costs its sender nothing. */
static bool is_refused_head(const struct record *record)
{
        return record->trace.request_id.len == 0 && record->reason != REASON_done;
}

/* What was left out so far is said with one line. */
static void say_more(struct journal *journal, struct flood *flood)
{
        if (flood->more == 0)
                return;
        flood->last.suppressed = flood->more - 1;
        put_line(journal, &flood->last);
        flood->more = 0;
}

static void on_flood_timer(struct timer *timer)
{
        struct journal *journal = container_of(timer, struct journal, flood_timer);
        for (unsigned i = 0; i < REASON_COUNT; i++)
                say_more(journal, &journal->floods[i]);
}

static void keep_last(struct flood *flood, const struct record *record)
{
        flood->last = (struct record){
                .wall = record->wall,
                .reason = record->reason,
                .status = record->status,
        };
        flood->last.request.port = record->request.port;
        memcpy(flood->last.request.address, record->request.address,
               sizeof flood->last.request.address);
}

/* True when there were enough of these in this second. */
static bool is_flood(struct journal *journal, const struct record *record)
{
        struct flood *flood = &journal->floods[record->reason];
        uint64_t second = loop_now(journal->loop) / SECOND_NS;
        if (flood->second != second) {
                say_more(journal, flood);
                flood->second = second;
                flood->said = 0;
        }
        if (flood->said < JOURNAL_FLOOD_MAX) {
                flood->said++;
                return false;
        }
        flood->more++;
        journal->flood_dropped++;
        keep_last(flood, record);
        if (journal->flood_timer.due == TIMER_NEVER)
                timer_set(journal->loop, &journal->flood_timer, (second + 1) * SECOND_NS);
        return true;
}

/* ---- records ---- */

static void on_message(void *owner, const struct ring_message *message)
{
        struct journal *journal = owner;
        struct record record;
        if (message->kind == JOURNAL_LINE) {
                log_write_out(NULL, str_from((const char *)message->bytes.ptr, message->bytes.len));
                return;
        }
        CHECK(message->kind == RECORD_MESSAGE);
        recent_put(&journal->recent, message->bytes);
        wake_followers(journal);
        if (!journal->has_outlet)
                return;
        enum err err = record_read(message->bytes, &record);
        CHECK(err == ERR_ok);
        if (!is_refused_head(&record) || !is_flood(journal, &record))
                put_line(journal, &record);
}

void journal_init(struct journal *journal, struct loop *loop, struct counts *counts)
{
        memset(journal, 0, sizeof *journal);
        recent_init(&journal->recent);
        journal->loop = loop;
        journal->counts = counts;
        list_init(&journal->followers);
        timer_init(&journal->flood_timer, on_flood_timer);
        spool_init(&journal->spool, loop, on_message, journal);
}

static void close_outlet(struct journal *journal)
{
        if (!journal->has_outlet)
                return;
        spool_remove_outlet(&journal->spool, &journal->outlet);
        outlet_close(&journal->outlet);
        journal->lines_before += journal->outlet.lines;
        for (unsigned i = 0; i < OUTLET_DROPS; i++)
                journal->dropped_before += journal->outlet.dropped[i];
        journal->has_outlet = false;
}

void journal_fini(struct journal *journal)
{
        CHECK(journal->follower_count == 0);
        spool_fini(&journal->spool);
        on_flood_timer(&journal->flood_timer);
        timer_stop(&journal->flood_timer);
        close_outlet(journal);
}

struct ring *journal_ring(struct journal *journal)
{
        struct ring *ring = ring_make(JOURNAL_RING_SIZE);
        spool_add_ring(&journal->spool, ring);
        return ring;
}

/* What is queued for it stays: a reload is no reason to lose lines of a slow target. */
static bool is_open_at(const struct journal *journal, struct str target)
{
        struct str path = str_of(journal->outlet.path);
        return journal->has_outlet && str_eq(path, str_is(target, "-") ? STR_NONE : target);
}

enum err journal_open(struct journal *journal, struct str target, const struct line_look *look)
{
        enum err err = ERR_ok;
        journal_turn(journal);
        journal->look = *look;
        journal->look.moment = &journal->moment;
        if (look->style != LINE_OFF && is_open_at(journal, target))
                return journal->outlet.error;
        close_outlet(journal);
        if (look->style == LINE_OFF || target.len == 0)
                return ERR_ok;
        if (str_is(target, "-"))
                outlet_open_fd(&journal->outlet, journal->loop, 1);
        else
                err = outlet_open(&journal->outlet, journal->loop, target);
        if (err == ERR_range)
                return err;
        spool_add_outlet(&journal->spool, &journal->outlet);
        journal->has_outlet = true;
        return err;
}

void journal_reopen(struct journal *journal)
{
        spool_reopen(&journal->spool);
}

void journal_turn(struct journal *journal)
{
        spool_turn(&journal->spool);
}

void journal_count(struct journal *journal)
{
        uint64_t lines = journal->lines_before, dropped = journal->dropped_before;
        if (journal->has_outlet) {
                lines += journal->outlet.lines;
                for (unsigned i = 0; i < OUTLET_DROPS; i++)
                        dropped += journal->outlet.dropped[i];
        }
        counts_set(journal->counts, COUNT_log_lines, lines);
        counts_set(journal->counts, COUNT_log_dropped_target, dropped);
        counts_set(journal->counts, COUNT_log_dropped_ring, spool_dropped(&journal->spool));
        counts_set(journal->counts, COUNT_log_dropped_flood, journal->flood_dropped);
        counts_set(journal->counts, COUNT_follower_dropped, journal->follower_dropped);
        counts_set(journal->counts, COUNT_followers, journal->follower_count);
}

enum err journal_follow(struct journal *journal, struct follower *follower)
{
        if (journal->follower_count == JOURNAL_FOLLOWERS_MAX)
                return ERR_limit;
        follower->place = recent_now(&journal->recent);
        list_push(&journal->followers, &follower->node);
        journal->follower_count++;
        return ERR_ok;
}

void journal_unfollow(struct journal *journal, struct follower *follower)
{
        list_remove(&follower->node);
        journal->follower_count--;
}

bool journal_read(struct journal *journal, struct follower *follower, struct record *ret_record,
                  uint64_t *ret_lost)
{
        struct slice message;
        if (!recent_read(&journal->recent, &follower->place, &message, ret_lost))
                return false;
        journal->follower_dropped += *ret_lost;
        enum err err = record_read(message, ret_record);
        CHECK(err == ERR_ok);
        return true;
}

void journal_sink(void *ring, struct str line)
{
        ring_put(ring, JOURNAL_LINE, line.ptr, line.len);
}
