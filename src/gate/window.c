/* window.c -- two old looks at the counters, and the difference to now. */
#include "gate/window.h"

#define LOOK_EVERY_NS 5000000000u

struct seen {
        uint64_t statuses[STATUS_CLASSES];
        uint64_t fine[FINE_STEPS];
};

/* The counters of all APIs at one moment; NULL where there was none of that index yet. */
struct window_look {
        uint64_t at;
        struct seen *apis[SERIES_APIS_MAX];
};

static void look_at(struct window *window, struct window_look *look)
{
        unsigned end = series_end(window->board, SERIES_api);
        look->at = loop_now(window->loop);
        for (unsigned i = 0; i < end; i++) {
                struct api_sum sum;
                series_api(window->board, i, &sum);
                if (look->apis[i] == NULL)
                        look->apis[i] = arena_new(&window->arena, struct seen);
                memcpy(look->apis[i]->statuses, sum.statuses, sizeof sum.statuses);
                memcpy(look->apis[i]->fine, sum.fine, sizeof sum.fine);
        }
}

static void on_timer(struct timer *timer)
{
        struct window *window = container_of(timer, struct window, timer);
        struct window_look *older = window->looks[1];
        window->looks[1] = window->looks[0];
        window->looks[0] = older;
        look_at(window, older);
        timer_set(window->loop, timer, loop_now(window->loop) + LOOK_EVERY_NS);
}

void window_init(struct window *window, struct loop *loop, const struct count_board *board)
{
        *window = (struct window){.loop = loop, .board = board};
        arena_init(&window->arena, NULL, SIZE_MAX);
        for (unsigned i = 0; i < 2; i++) {
                window->looks[i] = arena_new(&window->arena, struct window_look);
                window->looks[i]->at = loop_now(loop);
        }
        timer_init(&window->timer, on_timer);
        timer_set(loop, &window->timer, loop_now(loop) + LOOK_EVERY_NS);
}

void window_fini(struct window *window)
{
        timer_stop(&window->timer);
        arena_fini(&window->arena);
}

/* A name that was forgotten and came back counts from 0 again. */
static uint64_t since(uint64_t now, uint64_t before)
{
        return now >= before ? now - before : now;
}

static void add_since(const struct window *window, unsigned series, struct seen *sum)
{
        static const struct seen nothing;
        const struct seen *before = window->looks[1]->apis[series];
        struct api_sum now;
        if (before == NULL)
                before = &nothing;
        series_api(window->board, series, &now);
        for (unsigned i = 0; i < STATUS_CLASSES; i++)
                sum->statuses[i] += since(now.statuses[i], before->statuses[i]);
        for (unsigned i = 0; i < FINE_STEPS; i++)
                sum->fine[i] += since(now.fine[i], before->fine[i]);
}

static struct window_view view_of(const struct window *window, const struct seen *sum)
{
        struct window_view view = {
                .ns = loop_now(window->loop) - window->looks[1]->at,
                .p50_ns = fine_quantile(sum->fine, 5000),
                .p95_ns = fine_quantile(sum->fine, 9500),
                .p99_ns = fine_quantile(sum->fine, 9900),
        };
        for (unsigned i = 0; i < STATUS_CLASSES; i++) {
                view.statuses[i] = sum->statuses[i];
                view.requests += sum->statuses[i];
        }
        return view;
}

void window_api(const struct window *window, unsigned series, struct window_view *ret_view)
{
        struct seen sum = {0};
        add_since(window, series, &sum);
        *ret_view = view_of(window, &sum);
}

void window_all(const struct window *window, struct window_view *ret_view)
{
        struct seen sum = {0};
        unsigned end = series_end(window->board, SERIES_api);
        for (unsigned i = 0; i < end; i++)
                add_since(window, i, &sum);
        *ret_view = view_of(window, &sum);
}
