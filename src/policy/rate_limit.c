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
};

struct state {
        struct bucket_answer answer;
        bool is_counted;
};

static void prepare(const struct prepare *prepare, void *c)
{
        struct conf *conf = c;
        if (conf->rate.period_ns == RATE_MONTH) {
                fault_add(prepare->faults, FAULT_E211, prepare->node,
                          "a rate limit cannot count by the month")
                        ->help = S("per s, min, h or day; what a month allows is a quota");
                return;
        }
        if (conf->rate.by == RATE_BY_claim)
                fault_add(prepare->faults, FAULT_E106, prepare->node,
                          "limits per claim are not in this version");
        if (conf->mode != MODE_LOCAL)
                fault_add(prepare->faults, FAULT_E106, prepare->node,
                          "limits shared by several gates (redis) are not in this version");
        if (conf->burst == 0)
                conf->burst = conf->rate.count;
        if (bucket_rate_make((uint64_t)conf->rate.count, (uint64_t)conf->rate.period_ns,
                             (uint64_t)conf->burst, &conf->bucket) != ERR_ok)
                fault_add(prepare->faults, FAULT_E110, prepare->node,
                          "rate and burst do not go together")
                        ->help = S(
                        "at most 10^9 a second, and a burst that refills within 30 years");
        conf->keys = prepare_limit(prepare);
        conf->name = arena_format(prepare->arena, "\"" STR_FMT "\"", STR_ARG(prepare->limit_name));
        conf->policy_item = arena_format(prepare->arena, STR_FMT ";q=%lld;w=%lld",
                                         STR_ARG(conf->name), (long long)conf->burst,
                                         (long long)((conf->rate.period_ns + SECOND - 1) / SECOND));
}

static enum stage stage_of(const void *c)
{
        const struct conf *conf = c;
        bool is_early = conf->rate.by == RATE_BY_ip || conf->rate.by == RATE_BY_channel;
        return is_early ? STAGE_GUARD : STAGE_ADMIT;
}

/* Whose cell it is: texts of different kinds never meet, each begins with another letter. IPv6
 * callers own whole /64 networks, so such a network is one caller. */
static bool find_cell(struct exchange *ex, const struct conf *conf, struct hash128 *ret_cell)
{
        struct caller *caller = ex_caller(ex);
        const uint8_t *address = ex_address(ex);
        static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
        bool is_v4 = memcmp(address, mapped, sizeof mapped) == 0;
        struct str who = str_from((const char *)address, is_v4 ? 16 : 8);
        enum rate_by by = conf->rate.by;
        const struct field *field;
        char kind = 'a';
        if (by == RATE_BY_unsaid)
                by = caller->is_known ? RATE_BY_consumer : RATE_BY_ip;
        if (by == RATE_BY_consumer && caller->is_known) {
                who = caller->consumer;
                kind = 'c';
        } else if (by == RATE_BY_credential && caller->is_known) {
                who = caller->credential;
                kind = 'k';
        } else if (by == RATE_BY_channel) {
                who = ex_channel(ex);
                kind = 'n';
        } else if (by == RATE_BY_header &&
                   (field = fields_find(ex_request_fields(ex), conf->rate.name)) != NULL) {
                who = field->value;
                kind = 'h';
        }
        bool is_proved = kind == 'c' || kind == 'k' || kind == 'n';
        struct hash_key key = is_proved ? conf->keys.known : conf->keys.strangers;
        key.k0 ^= (uint64_t)kind;
        *ret_cell = hash_siphash24_128(&key, who.ptr, who.len);
        return is_proved;
}

static uint64_t seconds(uint64_t ns)
{
        return (ns + SECOND - 1) / SECOND;
}

static enum verdict on_request(struct exchange *ex, const void *c, void *s)
{
        const struct conf *conf = c;
        struct state *state = s;
        struct hash128 cell;
        bool is_proved = find_cell(ex, conf, &cell);
        state->answer = bucket_take(ex_buckets(ex, is_proved), cell, &conf->bucket, 1, ex_now(ex));
        state->is_counted = true;
        ex_note(ex, "%lld in %lld s, %llu left", (long long)conf->burst,
                (long long)((conf->rate.period_ns + SECOND - 1) / SECOND),
                (unsigned long long)state->answer.remaining);
        if (state->answer.is_admitted)
                return VERDICT_PASS;
        ex_answer_field(ex, NAME_retry_after,
                        ex_text(ex, "%llu", (unsigned long long)seconds(state->answer.retry_ns)));
        return ex_deny(ex, REASON_rate_limited, "Limit " STR_FMT ": %lld requests in %lld seconds.",
                       STR_ARG(conf->name), (long long)conf->burst,
                       (long long)(conf->rate.period_ns / SECOND));
}

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

static void on_response(struct exchange *ex, const void *c, void *s)
{
        const struct conf *conf = c;
        const struct state *state = s;
        struct fields *fields = ex_response_fields(ex);
        if (!state->is_counted)
                return;
        uint64_t wait = state->answer.is_admitted ? state->answer.reset_ns : state->answer.retry_ns;
        size_t max = conf->name.len + ITEM_NUMBERS_MAX;
        struct text item = text_over(arena_alloc(ex_arena(ex), max), max);
        text_put(&item, conf->name);
        text_put(&item, S(";r="));
        text_u64(&item, state->answer.remaining);
        text_put(&item, S(";t="));
        text_u64(&item, seconds(wait));
        add_item(ex, NAME_ratelimit_policy, conf->policy_item);
        add_item(ex, NAME_ratelimit, text_str(&item));
        if (!conf->legacy_headers)
                return;
        fields_set(fields, S("X-RateLimit-Limit"), ex_text(ex, "%lld", (long long)conf->burst));
        fields_set(fields, S("X-RateLimit-Remaining"),
                   ex_text(ex, "%llu", (unsigned long long)state->answer.remaining));
        fields_set(fields, S("X-RateLimit-Reset"),
                   ex_text(ex, "%llu", (unsigned long long)seconds(wait)));
}

static const struct setting settings[] = {
        {RATE(rate), .required = true, .example = "100/min per consumer",
         .text = "How often a caller may ask in the long run, and what tells one caller from "
                 "another: "
                 "per consumer, credential, ip, channel or header:NAME. Without `per`: the "
                 "consumer if "
                 "one is known, else the address."},
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
        .on_request = on_request,
        .on_response = on_response,
        .examples = (const struct example[]){{"A caller is told where it stands",
                                              "rate_limit: 100/min", "GET / HTTP/1.1",
                                              .status = 200,
                                              .has = "RateLimit-Policy: \"example\";q=100;w=60"},
                                             {"The third request of a burst of two is refused",
                                              "rate_limit: { rate: 60/h per ip, burst: 2 }",
                                              "GET / HTTP/1.1", .times = 3, .status = 429,
                                              .has = "Retry-After: 60"},
                                             {0}},
};
