/* rate_limit.c -- how often a caller may ask. Each caller of each limit has one cell, shared by all
 * workers: GCRA, so `burst` requests may come at once and then one per interval. Those who proved
 * who they are and strangers have cells of their own tables: strangers cannot crowd out the others.
 */
#include "gate/policy.h"
#include "policy/list.h"

/* ";r=" and ";t=" with a number of 20 digits each. */
enum { ITEM_NUMBERS_MAX = 46 };

enum mode { MODE_LOCAL, MODE_STRICT, MODE_LEASED };

struct conf {
        struct rate rate;
        int64_t burst;
        int64_t mode;
        bool legacy_headers;
        struct bucket_rate bucket;
        struct limit_keys keys;
        struct str policy_item; /* `"orders";q=100;w=60` */
        struct str name;        /* `"orders"` */
        struct str sentence;    /* for who is refused */
        struct str shown;       /* `100/min per consumer` */
};

struct state {
        struct bucket_answer answer;
        struct hash128 cell;
        bool is_counted, is_proved;
};

/* Whole seconds, rounded up: who comes back then is not too early. */
static uint64_t seconds(uint64_t ns)
{
        return ns / SECOND + (ns % SECOND != 0);
}

/* ---- the conf ---- */

/* What callers are told: so many at once, and so long until all of them may come again. */
static void describe(const struct prepare *prepare, struct conf *conf)
{
        struct text out = text_grow(prepare->arena, 512);
        text_format(&out, "The limit " STR_FMT " is %lld requests in %llu seconds",
                    STR_ARG(conf->name), (long long)conf->rate.count,
                    (unsigned long long)seconds((uint64_t)conf->rate.period_ns));
        if (conf->burst != conf->rate.count)
                text_format(&out, ", %lld at once", (long long)conf->burst);
        text_char(&out, '.');
        conf->sentence = text_str(&out);
        out = text_grow(prepare->arena, 512);
        rate_write(&conf->rate, &out);
        conf->shown = text_str(&out);
        conf->policy_item = arena_format(prepare->arena, STR_FMT ";q=%lld;w=%llu",
                                         STR_ARG(conf->name), (long long)conf->burst,
                                         (unsigned long long)seconds(conf->bucket.tolerance_ns));
}

static void prepare(const struct prepare *prepare, void *c)
{
        struct conf *conf = c;
        const struct json *rate = written(prepare->node, "rate", "rate");
        if (conf->rate.period_ns == RATE_MONTH) {
                fault_add(prepare->faults, FAULT_E211, rate,
                          "a rate limit cannot count by the month")
                        ->help = S("per s, min, h or day; what a month allows is a quota");
                return;
        }
        if (conf->rate.by == RATE_BY_claim)
                fault_add(prepare->faults, FAULT_E106, rate,
                          "limits per claim are not in this version");
        if (conf->mode != MODE_LOCAL)
                fault_add(prepare->faults, FAULT_E106, written(prepare->node, "mode", NULL),
                          "limits shared by several gates (redis) are not in this version");
        if (conf->burst == 0)
                conf->burst = conf->rate.count;
        if (bucket_rate_make((uint64_t)conf->rate.count, (uint64_t)conf->rate.period_ns,
                             (uint64_t)conf->burst, &conf->bucket) != ERR_ok)
                fault_add(prepare->faults, FAULT_E110, rate, "rate and burst do not go together")
                        ->help = S(
                        "at most 10^9 a second, and a burst that refills within 30 years");
        conf->keys = prepare_limit(prepare);
        conf->name = arena_format(prepare->arena, "\"" STR_FMT "\"", STR_ARG(prepare->limit_name));
        describe(prepare, conf);
}

/* Where both count the same callers, the slower one that holds fewer refuses first, always. */
static void weigh(struct weighing *weighing, const void *f, const void *c)
{
        const struct conf *floor = f, *conf = c;
        const struct bucket_rate *a = &floor->bucket, *b = &conf->bucket;
        bool is_same = floor->rate.by == conf->rate.by &&
                       name_eq(floor->rate.name, conf->rate.name);
        bool is_equal = a->interval_ns == b->interval_ns && a->burst == b->burst;
        if (is_same && !is_equal && b->interval_ns <= a->interval_ns && b->burst >= a->burst)
                weigh_idle(weighing, written(weighing->node, "rate", "rate"));
}

/* A limit that needs to know who calls comes after auth: then only who proved it is counted. */
static enum stage stage_of(const void *c)
{
        const struct conf *conf = c;
        bool is_early = conf->rate.by == RATE_BY_ip || conf->rate.by == RATE_BY_channel;
        return is_early ? STAGE_GUARD : STAGE_ADMIT;
}

/* ---- requests ---- */

/* IPv6 callers own whole /64 networks, so such a network is one caller. */
static struct who by_address(struct exchange *ex)
{
        static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
        const uint8_t *address = ex_address(ex);
        bool is_v4 = memcmp(address, mapped, sizeof mapped) == 0;
        return (struct who){str_from((const char *)address, is_v4 ? 16 : 8), 'a', false};
}

/* What a caller does not send, cannot tell it from others: then it is who it is known to be. */
static struct who who_calls(struct exchange *ex, const struct conf *conf)
{
        const struct caller *caller = ex_caller(ex);
        const struct field *field = NULL;
        switch (conf->rate.by) {
        case RATE_BY_ip:
                return by_address(ex);
        case RATE_BY_channel:
                return (struct who){ex_channel(ex), 'n', true};
        case RATE_BY_credential:
                if (caller->is_known)
                        return (struct who){caller->credential, 'k', true};
                break;
        case RATE_BY_header:
                field = fields_find(ex_request_fields(ex), conf->rate.name);
                if (field != NULL)
                        return (struct who){field->value, 'h', false};
                break;
        case RATE_BY_unsaid:
        case RATE_BY_consumer:
        case RATE_BY_claim:
                break;
        }
        return caller->is_known ? (struct who){caller->consumer, 'c', true} : by_address(ex);
}

static enum verdict on_request(struct exchange *ex, const void *c, void *s)
{
        const struct conf *conf = c;
        struct state *state = s;
        struct who who = who_calls(ex, conf);
        state->cell = ex_cell(ex, &conf->keys, &who);
        state->is_proved = who.is_proved;
        state->answer = bucket_take(ex_buckets(ex, who.is_proved), state->cell, &conf->bucket, 1,
                                    ex_now(ex));
        state->is_counted = true;
        ex_note(ex, STR_FMT ", %llu left", STR_ARG(conf->shown),
                (unsigned long long)state->answer.remaining);
        if (state->answer.is_admitted)
                return VERDICT_PASS;
        ex_answer_field(ex, NAME_retry_after,
                        ex_text(ex, "%llu", (unsigned long long)seconds(state->answer.retry_ns)));
        return ex_deny(ex, REASON_rate_limited, STR_FMT, STR_ARG(conf->sentence));
}

/* ---- answers ---- */

static void add_item(struct exchange *ex, enum name name, struct str item)
{
        struct fields *fields = ex_response_fields(ex);
        struct field *field = fields_get(fields, name);
        if (field == NULL)
                fields_add_known(fields, name, item);
        else
                field->value = ex_text(ex, STR_FMT ", " STR_FMT, STR_ARG(field->value),
                                       STR_ARG(item));
}

/* Of several limits the one with the least left is shown: these fields hold only one. */
static void set_legacy(struct exchange *ex, const struct conf *conf, uint64_t left, uint64_t wait)
{
        struct fields *fields = ex_response_fields(ex);
        uint64_t other;
        if (str_to_u64(fields_value(fields, NAME_x_ratelimit_remaining), &other) == ERR_ok &&
            other <= left)
                return;
        fields_set_known(fields, NAME_x_ratelimit_limit,
                         ex_text(ex, "%lld", (long long)conf->burst));
        fields_set_known(fields, NAME_x_ratelimit_remaining,
                         ex_text(ex, "%llu", (unsigned long long)left));
        fields_set_known(fields, NAME_x_ratelimit_reset,
                         ex_text(ex, "%llu", (unsigned long long)wait));
}

static void on_response(struct exchange *ex, const void *c, void *s)
{
        const struct conf *conf = c;
        struct state *state = s;
        struct bucket_answer *answer = &state->answer;
        if (!state->is_counted)
                return;
        if (answer->is_admitted && ex_is_own(ex) && ex_reason(ex) == REASON_rate_limited) {
                /* Another limit refused it: what was not done is not charged here. */
                const struct bucket_table *table = ex_buckets(ex, state->is_proved);
                bucket_give(table, state->cell, &conf->bucket, 1, ex_now(ex));
                *answer = bucket_take(table, state->cell, &conf->bucket, 0, ex_now(ex));
        }
        uint64_t wait = seconds(answer->is_admitted ? answer->reset_ns : answer->retry_ns);
        size_t max = conf->name.len + ITEM_NUMBERS_MAX;
        struct text item = text_over(arena_alloc(ex_arena(ex), max), max);
        text_put(&item, conf->name);
        text_put(&item, S(";r="));
        text_u64(&item, answer->remaining);
        text_put(&item, S(";t="));
        text_u64(&item, wait);
        add_item(ex, NAME_ratelimit_policy, conf->policy_item);
        add_item(ex, NAME_ratelimit, text_str(&item));
        if (conf->legacy_headers)
                set_legacy(ex, conf, answer->remaining, wait);
}

static const struct setting settings[] = {
        {RATE(rate), .required = true, .example = "100/min per consumer",
         .text = "How often a caller may ask in the long run, and what tells one caller from "
                 "another: per consumer, credential, ip, channel or header:NAME. Without `per`: "
                 "the consumer if one is known, else the address."},
        {INTEGER(burst), .least = 0, .most = 1000000000, .preset = 0, .unit = "requests",
         .text = "How many may come at once; 0: as many as the count of the rate."},
        {CHOICE(mode, "local", "strict", "leased"),
         .text = "Who counts: this gate (all its workers together), or several gates through "
                 "redis."},
        {FLAG(legacy_headers), .text = "Also send X-RateLimit-Limit, -Remaining and -Reset."},
        {0}};

const struct shape shape_rate_limit = {
        .name = "rate_limit",
        .text = "Refuse a caller that asks too often, and tell every caller where it stands.",
        .settings = settings,
        .size = sizeof(struct conf),
        .shorthand = "rate",
};

const struct policy policy_rate_limit = {
        .shape = &shape_rate_limit,
        .stage = STAGE_ADMIT,
        .stage_of = stage_of,
        .state_size = sizeof(struct state),
        .prepare = prepare,
        .weigh = weigh,
        .on_request = on_request,
        .on_response = on_response,
        .examples =
                (const struct example[]){
                        {"A caller is told where it stands", "rate_limit: 100/min",
                         "GET / HTTP/1.1", .status = 200,
                         .has = "RateLimit-Policy: \"example\";q=100;w=60"},
                        {"Each request leaves one less", "rate_limit: 100/h per ip",
                         "GET / HTTP/1.1", .times = 3, .status = 200,
                         .has = "RateLimit: \"example\";r=97;t=108"},
                        {"The third request of a burst of two is refused",
                         "rate_limit: { rate: 60/h per ip, burst: 2 }", "GET / HTTP/1.1",
                         .times = 3, .status = 429, .has = "Retry-After: 60"},
                        {"A known consumer has a count of its own, wherever it calls from",
                         "auth: api_key, rate_limit: 2/h per consumer",
                         "GET / HTTP/1.1\nX-API-Key: example-key-of-acme", .times = 3,
                         .status = 429},
                        {"Callers may be told apart by a header field",
                         "rate_limit: 10/h per header:X-Tenant", "GET / HTTP/1.1\nX-Tenant: a",
                         .times = 2, .status = 200, .has = "RateLimit: \"example\";r=8;t=720"},
                        {"The limit may be one for everybody who comes through the same door",
                         "rate_limit: 1000/s per channel", "GET / HTTP/1.1", .status = 200},
                        {"The older fields can be sent, too",
                         "rate_limit: { rate: 100/min, mode: local, legacy_headers: true }",
                         "GET / HTTP/1.1", .status = 200, .has = "X-RateLimit-Remaining: 99"},
                        {0}},
};
