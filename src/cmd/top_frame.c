/* top_frame.c -- what `gate top` draws: the head, a curve, a table. */
#include <stdlib.h>

#include "cmd/top.h"

enum { FRAME_MAX = 16 << 20, HEAD_LINES = 6, WIDE = 200 };

/* A frame being drawn. */
struct frame {
        const struct top *top;
        struct pair pair;
        struct arena *arena;
        struct text out;
        size_t width, height;
};

void top_look(struct top *top)
{
        unsigned other = 1 - top->newest;
        const struct look *now = &top->looks[top->newest];
        top->err = look_take(&top->looks[other], &top->gateway, top->view->has_routes);
        if (top->err != ERR_ok)
                return;
        top->newest = other;
        struct pair pair = {&top->looks[other], now, top->looks[other].at - now->at, false};
        if (now->at == 0)
                return;
        const struct json *requests[] = {json_get(pair.now->status, S("requests")),
                                         json_get(pair.before->status, S("requests"))};
        top->history[top->history_count++ % TOP_HISTORY] = rate_milli(
                &pair, show_u64(requests[0], "total"), show_u64(requests[1], "total"));
}

static void color(struct frame *frame, enum show_color color_, struct str text)
{
        show_color(&frame->out, frame->pair.is_colored, color_, text);
}

static void end_line(struct frame *frame)
{
        text_char(&frame->out, '\n');
}

/* ---- the head ---- */

static void put_first(struct frame *frame)
{
        const struct json *status = frame->pair.now->status;
        const struct json *config = json_get(status, S("config"));
        const struct top *top = frame->top;
        color(frame, SHOW_BOLD,
              arena_format(frame->arena, "gate " STR_FMT,
                           STR_ARG(show_str(status, "version", frame->arena))));
        text_put(&frame->out, S("  "));
        if (top->err != ERR_ok)
                color(frame, SHOW_BAD,
                      arena_format(frame->arena, "! no answer: %s", err_text(top->err)));
        else if (show_is(status, "ready"))
                color(frame, SHOW_GOOD, S("✓ ready"));
        else
                color(frame, SHOW_BAD,
                      show_is(status, "draining") ? S("! draining") : S("✗ not ready"));
        text_put(&frame->out, S("  up "));
        show_seconds(&frame->out, show_u64(status, "uptime"));
        text_format(&frame->out, "  config " STR_FMT,
                    STR_ARG(str_first(show_str(config, "hash", frame->arena), 12)));
        const struct json *reload = json_get(config, S("reload"));
        if (json_is_str(json_get(reload, S("result")), S("failure"))) {
                text_put(&frame->out, S("  "));
                color(frame, SHOW_BAD, S("! the last reload was refused"));
        }
        if (top->is_paused) {
                text_put(&frame->out, S("  "));
                color(frame, SHOW_WARN, S("paused"));
        }
        end_line(frame);
}

static uint64_t now_rate(const struct top *top)
{
        return top->history_count == 0 ? 0 : top->history[(top->history_count - 1) % TOP_HISTORY];
}

static void put_latency(struct frame *frame, const struct json *requests, const char *key)
{
        text_format(&frame->out, "  %s ", key);
        show_ns(&frame->out, show_scaled(requests, key, 9));
}

static void put_errors(struct frame *frame, const struct json *requests, const char *word,
                       const char *key, enum show_color bad)
{
        uint64_t milli = show_scaled(requests, key, 3);
        struct text text = text_grow(frame->arena, 64);
        show_milli(&text, milli);
        text_put(&text, S("/s"));
        text_format(&frame->out, "  %s ", word);
        color(frame, milli > 0 ? bad : SHOW_PLAIN, text_str(&text));
}

static void put_second(struct frame *frame)
{
        const struct json *requests = json_get(frame->pair.now->status, S("requests"));
        struct text rate = text_grow(frame->arena, 64);
        uint64_t milli = frame->top->history_count > 0 ? now_rate(frame->top)
                                                       : show_scaled(requests, "per_second", 3);
        show_milli(&rate, milli);
        text_put(&rate, S(" req/s"));
        color(frame, SHOW_BOLD, text_str(&rate));
        put_latency(frame, requests, "p50");
        put_latency(frame, requests, "p95");
        put_latency(frame, requests, "p99");
        put_errors(frame, requests, "4xx", "errors_4xx_per_second", SHOW_WARN);
        put_errors(frame, requests, "5xx", "errors_5xx_per_second", SHOW_BAD);
        end_line(frame);
}

static void put_third(struct frame *frame)
{
        const struct json *status = frame->pair.now->status;
        const struct json *connections = json_get(status, S("connections"));
        const struct json *process = json_get(status, S("process"));
        uint64_t before = 0, cpu = show_scaled(process, "cpu", 9);
        if (frame->pair.before->at != 0)
                before = show_scaled(json_get(frame->pair.before->status, S("process")), "cpu", 9);
        show_number(&frame->out, show_u64(connections, "active") + show_u64(connections, "idle"));
        text_put(&frame->out, S(" connections, "));
        show_number(&frame->out, show_u64(connections, "active"));
        text_put(&frame->out, S(" active  "));
        show_number(&frame->out, show_u64(json_get(status, S("requests")), "active"));
        text_put(&frame->out, S(" requests in hand"));
        if (frame->pair.ns > 0 && frame->pair.before->at != 0 && cpu >= before)
                text_format(&frame->out, "  CPU %llu%%",
                            (unsigned long long)((cpu - before) * 100 / frame->pair.ns));
        text_put(&frame->out, S("  memory "));
        show_bytes(&frame->out, show_u64(process, "rss"));
        end_line(frame);
}

/* The last minute or so, newest at the right. */
static void put_curve(struct frame *frame)
{
        static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
        const struct top *top = frame->top;
        size_t shown = size_min(top->history_count, TOP_HISTORY);
        uint64_t most = 0;
        for (size_t i = 0; i < shown; i++)
                most = u64_max(most, top->history[i]);
        for (size_t i = shown; i < TOP_HISTORY; i++)
                text_char(&frame->out, ' ');
        struct text curve = text_grow(frame->arena, 1024);
        for (size_t i = 0; i < shown; i++) {
                uint64_t value = top->history[(top->history_count - shown + i) % TOP_HISTORY];
                uint64_t level = most == 0 ? 0 : (value * (countof(bars) - 1) + most / 2) / most;
                text_put(&curve, str_of(bars[level]));
        }
        color(frame, SHOW_GOOD, curve.at == NULL ? S("") : text_str(&curve));
        text_put(&frame->out, S("  most "));
        show_milli(&frame->out, most);
        text_put(&frame->out, S("/s"));
        end_line(frame);
}

/* ---- the table ---- */

static const struct view *sort_view;
static unsigned sort_column;
static bool sort_is_up;

static int compare_rows(const void *a, const void *b)
{
        const struct row *x = a, *y = b;
        int order = 0;
        if (sort_view->columns[sort_column].is_right)
                order = (x->keys[sort_column] < y->keys[sort_column]) -
                        (x->keys[sort_column] > y->keys[sort_column]);
        else
                order = str_compare(x->cells[sort_column], y->cells[sort_column]);
        if (order == 0)
                return str_compare(x->cells[0], y->cells[0]);
        return sort_is_up ? -order : order;
}

static bool fits_filter(const struct top *top, const struct row *row)
{
        struct str name = row->cells[0];
        for (size_t i = 0; i + top->filter_len <= name.len; i++) {
                if (str_eq_nocase(str_from(name.ptr + i, top->filter_len),
                                  str_from(top->filter, top->filter_len)))
                        return true;
        }
        return top->filter_len == 0;
}

static void put_title(struct frame *frame, size_t shown, size_t all)
{
        const struct top *top = frame->top;
        color(frame, SHOW_BOLD, str_of(top->view->title));
        const char *head = top->view->columns[top->sort].head;
        text_format(&frame->out, " by %s%s", head, top->is_upside_down ? ", upside down" : "");
        if (top->is_typing || top->filter_len > 0)
                text_format(&frame->out, "  with \"" STR_FMT "%s\": %zu of %zu",
                            STR_ARG(str_from(top->filter, top->filter_len)),
                            top->is_typing ? "_" : "", shown, all);
        end_line(frame);
}

static void put_table(struct frame *frame)
{
        const struct top *top = frame->top;
        struct rows rows = {.arena = frame->arena};
        struct table table;
        size_t columns = view_columns(top->view), shown = 0;
        top->view->fill(&rows, &frame->pair);
        sort_view = top->view;
        sort_column = top->sort;
        sort_is_up = top->is_upside_down;
        if (rows.count > 1)
                qsort(rows.at, rows.count, sizeof *rows.at, compare_rows);
        table_init(&table, frame->arena, top->view->columns, columns);
        for (size_t i = 0; i < rows.count; i++) {
                if (!fits_filter(top, &rows.at[i]))
                        continue;
                shown++;
                for (size_t k = 0; k < columns; k++)
                        table_add(&table, rows.at[i].cells[k]);
        }
        struct table_look look = {
                .indent = "", .width = frame->width, .is_colored = frame->pair.is_colored};
        put_title(frame, shown, rows.count);
        if (frame->height > 0) {
                look.most = frame->height > HEAD_LINES + 3 ? frame->height - HEAD_LINES - 3 : 1;
                look.first = size_min(top->first, shown > look.most ? shown - look.most : 0);
        }
        table_write(&table, &look, &frame->out);
        if (shown == 0)
                color(frame, SHOW_DIM, S("nothing yet\n"));
}

struct str top_frame(const struct top *top, struct arena *arena, size_t width, size_t height)
{
        const struct look *now = &top->looks[top->newest], *before = &top->looks[1 - top->newest];
        uint64_t ns = before->at == 0 || before->at > now->at ? 0 : now->at - before->at;
        struct frame frame = {
                .top = top,
                .pair = {now, before, ns, top->call->colors_out},
                .arena = arena,
                .out = text_grow(arena, FRAME_MAX),
                .width = width == 0 ? WIDE : width,
                .height = height,
        };
        put_first(&frame);
        put_second(&frame);
        put_third(&frame);
        if (height > 0)
                put_curve(&frame);
        end_line(&frame);
        put_table(&frame);
        return text_str(&frame.out);
}
