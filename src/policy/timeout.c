/* timeout.c -- how long a service may take. */
#include "gate/policy.h"
#include "policy/list.h"

struct conf {
        int64_t connect, response, idle, total;
};

static int64_t stricter(int64_t a, int64_t b)
{
        if (a == 0 || b == 0)
                return a == 0 ? b : a;
        return a < b ? a : b;
}

static void settle(const void *c, bool is_floor, struct terms *terms)
{
        const struct conf *conf = c;
        if (conf == NULL)
                return;
        if (is_floor) {
                terms->connect_ns = stricter(terms->connect_ns, conf->connect);
                terms->response_ns = stricter(terms->response_ns, conf->response);
                terms->idle_ns = stricter(terms->idle_ns, conf->idle);
                terms->total_ns = stricter(terms->total_ns, conf->total);
                return;
        }
        terms->connect_ns = conf->connect;
        terms->response_ns = conf->response;
        terms->idle_ns = conf->idle;
        terms->total_ns = conf->total;
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
        .settle = settle,
        .examples = (const struct example[]){{"An answer in time passes", "timeout: 10s",
                                              "GET / HTTP/1.1", .status = 200},
                                             {0}},
};
