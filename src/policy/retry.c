/* retry.c -- when a request is tried once more. Only where nothing can be done twice: before a byte
 * was sent for any method, after that for idempotent ones; and never beyond a share of the traffic,
 * so that a failing service is not buried under repetition. */
#include "gate/policy.h"
#include "policy/list.h"

struct conf {
        int64_t attempts;
        struct texts on;
        int64_t budget;
        uint64_t when; /* of enum retry_on */
        uint64_t statuses[10];
};

static void prepare(const struct prepare *prepare, void *c)
{
        struct conf *conf = c;
        for (size_t i = 0; i < conf->on.count; i++) {
                struct str word = conf->on.at[i];
                uint64_t status;
                if (str_is(word, "connect"))
                        conf->when |= RETRY_ON_CONNECT;
                else if (str_is(word, "broken"))
                        conf->when |= RETRY_ON_BROKEN;
                else if (str_is(word, "timeout"))
                        conf->when |= RETRY_ON_TIMEOUT;
                else if (str_to_u64(word, &status) == ERR_ok && status >= 500 && status < 600)
                        conf->statuses[status / 64] |= (uint64_t)1 << (status % 64);
                else
                        fault_add(prepare->faults, FAULT_E211, conf->on.nodes[i],
                                  "cannot retry on `" STR_FMT "`", STR_ARG(word))
                                ->help = S(
                                "write connect, broken, timeout, or a status from 500 to 599");
        }
}

static void settle(const void *c, bool is_floor, struct terms *terms)
{
        const struct conf *conf = c;
        int64_t attempts = conf == NULL ? 1 : conf->attempts;
        if (is_floor && attempts >= terms->retry_attempts)
                return;
        terms->retry_attempts = attempts;
        if (conf == NULL || is_floor)
                return;
        terms->retry_on = conf->when;
        terms->retry_budget_ppm = conf->budget;
        memcpy(terms->retry_statuses, conf->statuses, sizeof conf->statuses);
}

static const struct setting settings[] = {
        {INTEGER(attempts), .least = 1, .most = 10, .preset = 2, .unit = "tries",
         .text = "All tries of one request, the first one counted."},
        {TEXTS(on), .most = 16, .takes_numbers = true, .preset_text = "[connect, broken]",
         .text = "What may be tried again: `connect` (nothing was sent, any method), `broken` (the "
                 "connection broke before a byte of the response, idempotent methods), `timeout`, "
                 "or a "
                 "status from 500 on (idempotent methods)."},
        {SHARE(budget), .preset = 20 * PERCENT,
         .text = "How many of the requests may be retries; three a second always may."},
        {0}};

const struct shape shape_retry = {
        .name = "retry",
        .text = "When a request is tried once more, on another server where there is one.",
        .settings = settings,
        .size = sizeof(struct conf),
        .shorthand = "attempts",
};

const struct policy policy_retry = {
        .shape = &shape_retry,
        .stage = STAGE_TERMS,
        .is_always = true,
        .prepare = prepare,
        .settle = settle,
        .examples = (const struct example[]){{"An answer passes, whatever may be retried",
                                              "retry: { attempts: 3, on: [connect, 503] }",
                                              "GET / HTTP/1.1", .status = 200},
                                             {0}},
};
