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
        bool has_attempts, has_on, has_budget; /* of a floor: written */
};

/* What a word allows: a kind of failure, or a status. False when it means nothing. */
static bool read_word(struct str word, struct conf *conf)
{
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
                return false;
        return true;
}

static void prepare(const struct prepare *prepare, void *c)
{
        struct conf *conf = c;
        for (size_t i = 0; i < conf->on.count; i++) {
                struct str word = conf->on.at[i];
                if (!read_word(word, conf))
                        fault_add(prepare->faults, FAULT_E211, conf->on.nodes[i],
                                  "cannot retry on `" STR_FMT "`", STR_ARG(word))
                                ->help = S(
                                "write connect, broken, timeout, or a status from 500 to 599");
        }
        if (!prepare->is_floor)
                return;
        /* A floor bounds what is written in it, not what is preset. */
        conf->has_attempts = written(prepare->node, "attempts", "attempts") != NULL;
        conf->has_on = written(prepare->node, "on", "attempts") != NULL;
        conf->has_budget = written(prepare->node, "budget", "attempts") != NULL;
}

static void weigh_words(struct weighing *weighing, const struct conf *floor,
                        const struct conf *conf)
{
        for (size_t i = 0; i < conf->on.count; i++) {
                struct conf word = {.attempts = 0};
                bool is_in = read_word(conf->on.at[i], &word) && (word.when & ~floor->when) == 0;
                for (size_t k = 0; k < countof(word.statuses); k++)
                        is_in = is_in && (word.statuses[k] & ~floor->statuses[k]) == 0;
                if (!is_in)
                        weigh_idle(weighing, conf->on.nodes[i]);
        }
}

static void weigh(struct weighing *weighing, const void *f, const void *c)
{
        const struct conf *floor = f, *conf = c;
        const struct json *attempts = written(weighing->node, "attempts", "attempts");
        const struct json *budget = written(weighing->node, "budget", "attempts");
        if (attempts != NULL && floor->has_attempts && conf->attempts > floor->attempts)
                weigh_idle(weighing, attempts);
        if (budget != NULL && floor->has_budget && conf->budget > floor->budget)
                weigh_idle(weighing, budget);
        if (floor->has_on && written(weighing->node, "on", "attempts") != NULL)
                weigh_words(weighing, floor, conf);
}

static void bound(const struct conf *floor, struct terms *terms)
{
        if (floor->has_attempts && floor->attempts < terms->retry_attempts)
                terms->retry_attempts = floor->attempts;
        if (floor->has_budget && floor->budget < terms->retry_budget_ppm)
                terms->retry_budget_ppm = floor->budget;
        if (!floor->has_on)
                return;
        terms->retry_on &= floor->when;
        for (size_t i = 0; i < countof(terms->retry_statuses); i++)
                terms->retry_statuses[i] &= floor->statuses[i];
}

static void settle(const void *c, bool is_floor, struct terms *terms)
{
        const struct conf *conf = c;
        if (conf != NULL && is_floor) {
                bound(conf, terms);
                return;
        }
        terms->retry_attempts = conf == NULL ? 1 : conf->attempts;
        if (conf == NULL)
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
                 "connection broke before a byte of the response), `timeout`, or a status from 500 "
                 "on; the last three for idempotent methods only."},
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
        .weigh = weigh,
        .settle = settle,
        .examples =
                (const struct example[]){{"An answer passes, whatever may be retried",
                                          "retry: { attempts: 3, on: [connect, 503], budget: 10% }",
                                          "GET / HTTP/1.1", .status = 200},
                                         {"The number of tries may stand alone", "retry: 3",
                                          "GET / HTTP/1.1", .status = 200},
                                         {"Nothing is tried twice where it is off", "retry: off",
                                          "GET / HTTP/1.1", .status = 200},
                                         {0}},
};
