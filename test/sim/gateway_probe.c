/* gateway_probe.c -- a policy that does all that a policy may do, at random: passes, waits, asks,
 * answers, refuses, and keeps account of how often it was called. */
#include "gateway_gate.h"

enum { ASKS_MOST = 3, PROBE_MAGIC = 0x70726f62 };

struct conf {
        int64_t unrest; /* of 1024: chance to do something else than pass */
        struct url url;
        const struct route *asked;
};

struct state {
        unsigned magic;
        unsigned waits, asks;
        bool has_passed, has_responded;
        bool is_patient; /* waits for a sleep */
        uint64_t until;
        struct answer *answer;
};

static void prepare(const struct prepare *prepare, void *c)
{
        struct conf *conf = c;
        if (conf->url.host.len > 0)
                conf->asked = prepare_asked(prepare, &conf->url, 2 * SEC);
}

static void ask(struct exchange *ex, const struct conf *conf, struct state *state)
{
        struct ask ask = {.method = S("GET"),
                          .asked = conf->asked,
                          .path = maybe(512) ? S("/b/question") : S("/nowhere"),
                          .timeout_ns = (int64_t)(10 * MS + below(2 * SEC)),
                          .body_max = maybe(512) ? 100 : 100000};
        fields_init(&ask.fields, ex_arena(ex), 4);
        fields_add(&ask.fields, S("X-Question"), ex_request_id(ex));
        state->answer = ex_ask(ex, &ask);
        state->asks++;
        it.tally.questions++;
}

static bool is_waiting(struct exchange *ex, struct state *state)
{
        if (state->answer != NULL) {
                const struct answer *answer = state->answer;
                if (answer->status == 0 && answer->failure == REASON_none)
                        return true;
                must(answer->status == 0 || answer->failure == REASON_none);
                state->answer = NULL;
        }
        if (state->is_patient && ex_now(ex) < state->until)
                return true;
        state->is_patient = false;
        return false;
}

static enum verdict decide(struct exchange *ex, const struct conf *conf, struct state *state)
{
        it.tally.waits++;
        switch (below(6)) {
        case 0:
                ex_answer_field(ex, NAME_retry_after, S("1"));
                return ex_answer(ex, maybe(512) ? 204 : 202, S("text/plain"),
                                 maybe(512) ? S("probe") : STR_NONE);
        case 1:
                return ex_deny(ex, REASON_not_allowed, "probe %d", 1);
        case 2:
                if (state->asks < ASKS_MOST) {
                        ask(ex, conf, state);
                        return VERDICT_WAIT;
                }
                return VERDICT_PASS;
        default:
                state->until = ex_now(ex) + some(SEC);
                state->is_patient = true;
                ex_sleep(ex, state->until - ex_now(ex));
                return VERDICT_WAIT;
        }
}

static enum verdict on_request(struct exchange *ex, const void *c, void *s)
{
        const struct conf *conf = c;
        struct state *state = s;
        must(state->magic == 0 || state->magic == PROBE_MAGIC);
        must(!state->has_passed && !state->has_responded);
        if (state->magic == 0)
                it.tally.probes++;
        state->magic = PROBE_MAGIC;
        if (is_waiting(ex, state))
                return VERDICT_WAIT;
        if (state->waits++ < 4 && maybe((uint32_t)conf->unrest)) {
                enum verdict verdict = decide(ex, conf, state);
                state->has_passed = verdict != VERDICT_WAIT;
                return verdict;
        }
        state->has_passed = true;
        return VERDICT_PASS;
}

static void on_response(struct exchange *ex, const void *c, void *s)
{
        struct state *state = s;
        (void)c;
        must(state->magic == PROBE_MAGIC && !state->has_responded);
        must(ex_status(ex) >= 200);
        state->has_responded = true;
}

static bool on_body(struct exchange *ex, const void *c, void *s, struct str bytes)
{
        const struct conf *conf = c;
        (void)s;
        must(bytes.len > 0);
        if (!maybe((uint32_t)conf->unrest / 16))
                return true;
        ex_fault(ex, REASON_body_too_large);
        return false;
}

static void on_end(struct exchange *ex, const void *c, void *s)
{
        struct state *state = s;
        (void)ex, (void)c;
        must(state->magic == PROBE_MAGIC);
        state->magic = 0xdead;
        must(it.tally.probes > 0);
        it.tally.probes--;
}

#undef CONF
#define CONF struct conf
static const struct setting settings[] = {
        {INTEGER(unrest), .least = 0, .most = 1024, .text = "How often it does not just pass."},
        {URL(url), .text = "Whom it asks, if not the gate itself."},
        {0}};

static const struct shape shape = {
        .name = "probe",
        .text = "Do anything.",
        .settings = settings,
        .size = sizeof(struct conf),
        .shorthand = "unrest",
};

const struct policy policy_probe = {
        .shape = &shape,
        .stage = STAGE_ADMIT,
        .state_size = sizeof(struct state),
        .request_body = BODY_NEED_TEE,
        .prepare = prepare,
        .on_request = on_request,
        .on_response = on_response,
        .on_body = on_body,
        .on_end = on_end,
};
