/* timeout.c -- how long a service may take. */
#include "gate/policy.h"
#include "policy/list.h"

struct conf {
        int64_t connect, response, idle, total; /* 0: no end */
};

static const struct {
        const char *name;
        size_t offset;
} times[] = {{"connect", offsetof(struct conf, connect)},
             {"response", offsetof(struct conf, response)},
             {"idle", offsetof(struct conf, idle)},
             {"total", offsetof(struct conf, total)}};

static int64_t time_of(const struct conf *conf, size_t i)
{
        return *(const int64_t *)(const void *)((const char *)conf + times[i].offset);
}

/* A floor bounds what is written in it, not what is preset. */
static void prepare(const struct prepare *prepare, void *c)
{
        for (size_t i = 0; i < countof(times) && prepare->is_floor; i++) {
                if (written(prepare->node, times[i].name, "response") == NULL)
                        *(int64_t *)(void *)((char *)c + times[i].offset) = 0;
        }
}

static bool is_longer(int64_t time, int64_t bound)
{
        return bound != 0 && (time == 0 || time > bound);
}

static void weigh(struct weighing *weighing, const void *floor, const void *conf)
{
        for (size_t i = 0; i < countof(times); i++) {
                const struct json *at = written(weighing->node, times[i].name, "response");
                if (at != NULL && is_longer(time_of(conf, i), time_of(floor, i)))
                        weigh_idle(weighing, at);
        }
}

static void settle(const void *c, bool is_floor, struct terms *terms)
{
        const struct conf *conf = c;
        int64_t *const to[] = {&terms->connect_ns, &terms->response_ns, &terms->idle_ns,
                               &terms->total_ns};
        for (size_t i = 0; i < countof(times) && conf != NULL; i++) {
                if (!is_floor || is_longer(*to[i], time_of(conf, i)))
                        *to[i] = time_of(conf, i);
        }
}

static const struct setting settings[] = {
        {DURATION(connect), .least = MILLISECOND, .most = HOUR, .preset = 2 * SECOND,
         .text = "To get a connection."},
        {DURATION(response), .least = MILLISECOND, .most = DAY, .preset = 30 * SECOND,
         .text = "Until the head of the response is there, all tries together."},
        {DURATION(idle), .least = MILLISECOND, .most = DAY, .preset = 60 * SECOND,
         .text = "Between two pieces of the response."},
        {DURATION(total), .least = MILLISECOND, .most = 7 * DAY, .preset = 0, .word = "off",
         .text = "For the whole exchange."},
        {0}};

const struct shape shape_timeout = {
        .name = "timeout",
        .text = "How long a service may take before the caller is told that it did not answer.",
        .settings = settings,
        .size = sizeof(struct conf),
        .shorthand = "response",
};

const struct policy policy_timeout = {
        .shape = &shape_timeout,
        .stage = STAGE_TERMS,
        .is_always = true,
        .no_off = "write a long time, e.g. `timeout: 1h`",
        .prepare = prepare,
        .weigh = weigh,
        .settle = settle,
        .examples =
                (const struct example[]){
                        {"An answer in time passes", "timeout: 10s", "GET / HTTP/1.1",
                         .status = 200},
                        {"Each part of the way may have a time of its own",
                         "timeout: { connect: 500ms, response: 20s, idle: 10s, total: 2min }",
                         "GET / HTTP/1.1", .status = 200},
                        {0}},
};
