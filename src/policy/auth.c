/* auth.c -- who is calling: walks the ways to prove it that the route accepts. Any of them is
 * enough, unless all are asked for. What was sent and is wrong is never the same as nothing sent,
 * and nothing sent never passes where something is asked for. What has been proved once in an
 * exchange holds for all of it: a floor does not ask again for what was taken out of the request.
 */
#include "gate/policy.h"
#include "policy/list.h"

enum { WAYS_MAX = 8 };

struct conf {
        struct texts any, all;
        const struct texts *ways;
        const struct proof *proofs[WAYS_MAX];
        void *confs[WAYS_MAX];
        size_t count;
        bool is_none, needs_all;
};

struct state {
        size_t turn;
        unsigned fresh;    /* bit n: way n was proved here, by what the request holds */
        struct str before; /* the consumer that was known when the proof in turn began */
        void *own;         /* of that proof */
};

static const struct proof *find(const struct proofs *proofs, struct str name)
{
        for (size_t i = 0; i < proofs->count; i++) {
                if (str_is(name, proofs->at[i]->shape->name))
                        return proofs->at[i];
        }
        return NULL;
}

static void add_way(const struct prepare *prepare, struct conf *conf, size_t i)
{
        struct str name = conf->ways->at[i];
        const struct proof *proof = find(prepare->proofs, name);
        struct reader reader = {.arena = prepare->arena, .faults = prepare->faults};
        if (proof == NULL) {
                struct fault *fault = fault_add(prepare->faults, FAULT_E202, conf->ways->nodes[i],
                                                "there is no identity `" STR_FMT "`",
                                                STR_ARG(name));
                fault->help = S("api_key is built in; `none` lets anybody in");
                return;
        }
        for (size_t k = 0; k < conf->count; k++) {
                if (conf->proofs[k] == proof)
                        return;
        }
        conf->proofs[conf->count] = proof;
        conf->confs[conf->count] = shape_read(&reader, proof->shape, name, NULL);
        if (proof->prepare != NULL)
                proof->prepare(prepare, conf->confs[conf->count]);
        conf->count++;
}

static void prepare(const struct prepare *prepare, void *c)
{
        struct conf *conf = c;
        conf->needs_all = conf->all.count > 0;
        conf->ways = conf->needs_all ? &conf->all : &conf->any;
        if (conf->any.count > 0 && conf->all.count > 0)
                fault_add(prepare->faults, FAULT_E206, prepare->node,
                          "`any` and `all` exclude each other");
        if (conf->ways->count == 0)
                fault_add(prepare->faults, FAULT_E211, prepare->node,
                          "this names no way to prove who calls")
                        ->help = S("write api_key, or `none` to let anybody in");
        for (size_t i = 0; i < conf->ways->count && i < WAYS_MAX; i++) {
                if (!str_is(conf->ways->at[i], "none"))
                        add_way(prepare, conf, i);
                else if (conf->ways->count > 1)
                        fault_add(prepare->faults, FAULT_E206, conf->ways->nodes[i],
                                  "`none` excludes every other way");
                else
                        conf->is_none = true;
        }
}

static void weigh(struct weighing *weighing, const void *f, const void *c)
{
        const struct conf *floor = f, *conf = c;
        if (conf->is_none && !floor->is_none)
                weigh_idle(weighing, weighing->node);
}

static enum verdict refuse(struct exchange *ex, const struct conf *conf, enum reason reason)
{
        for (size_t i = 0; i < conf->count; i++) {
                if (conf->proofs[i]->challenge != NULL)
                        ex_answer_field(ex, NAME_www_authenticate,
                                        str_of(conf->proofs[i]->challenge));
        }
        return ex_deny(ex, reason, "%s", "");
}

static bool is_proven(const struct caller *caller, struct str identity)
{
        for (const struct proven *one = caller->proven; one != NULL; one = one->before) {
                if (str_eq(one->identity, identity))
                        return true;
        }
        return false;
}

/* Asks the proof in turn, unless its answer is known. */
static enum proof_answer ask(struct exchange *ex, const struct conf *conf, struct state *state)
{
        const struct proof *proof = conf->proofs[state->turn];
        struct caller *caller = ex_caller(ex);
        if (is_proven(caller, str_of(proof->shape->name)))
                return PROOF_KNOWN;
        if (state->own == NULL) {
                state->own = arena_zero(ex_arena(ex), 1, proof->state_size);
                state->before = caller->consumer;
        }
        enum proof_answer answer = proof->try(ex, conf->confs[state->turn], state->own);
        if (answer == PROOF_WAIT)
                return answer;
        state->own = NULL;
        if (answer != PROOF_KNOWN)
                return answer;
        /* Two proofs that are both asked for must be of one and the same. */
        if (state->before.len > 0 && !str_eq(state->before, caller->consumer)) {
                *caller = (struct caller){.is_known = false};
                ex_note(ex, "the proofs are of two consumers");
                return PROOF_BAD;
        }
        struct proven *proven = arena_new(ex_arena(ex), struct proven);
        *proven = (struct proven){caller->proven, str_of(proof->shape->name)};
        caller->proven = proven;
        state->fresh |= 1u << state->turn;
        return answer;
}

static enum verdict conclude(struct exchange *ex, const struct conf *conf,
                             const struct state *state)
{
        const struct caller *caller = ex_caller(ex);
        for (size_t i = 0; i < conf->count; i++) {
                if ((state->fresh >> i & 1) != 0 && conf->proofs[i]->hide != NULL)
                        conf->proofs[i]->hide(ex, conf->confs[i]);
        }
        ex_note(ex, STR_FMT " " STR_FMT " is " STR_FMT, STR_ARG(caller->identity),
                STR_ARG(caller->display), STR_ARG(caller->consumer));
        if (caller->channel.len == 0 || str_eq(caller->channel, ex_channel(ex)))
                return VERDICT_PASS;
        ex_note(ex, "only in channel " STR_FMT, STR_ARG(caller->channel));
        return ex_deny(ex, REASON_not_allowed, "Your credentials are for another channel.");
}

static enum verdict on_request(struct exchange *ex, const void *c, void *s)
{
        const struct conf *conf = c;
        struct state *state = s;
        for (; state->turn < conf->count; state->turn++) {
                switch (ask(ex, conf, state)) {
                case PROOF_WAIT:
                        return VERDICT_WAIT;
                case PROOF_TWICE:
                        return ex_deny(ex, REASON_bad_request, "Credentials were sent twice.");
                case PROOF_BARRED:
                        return ex_deny(ex, REASON_not_allowed, "%s", "");
                case PROOF_BAD:
                        return refuse(ex, conf, REASON_credentials_invalid);
                case PROOF_ABSENT:
                        if (conf->needs_all)
                                return refuse(ex, conf, REASON_credentials_missing);
                        break;
                case PROOF_KNOWN:
                        if (!conf->needs_all)
                                return conclude(ex, conf, state);
                        break;
                }
        }
        if (conf->is_none)
                return VERDICT_PASS;
        if (!conf->needs_all)
                return refuse(ex, conf, REASON_credentials_missing);
        return conclude(ex, conf, state);
}

static const struct setting settings[] = {
        {TEXTS(any), .most = WAYS_MAX, .example = "api_key",
         .text = "Ways of which one is enough: `api_key`, an identity, or `none` alone to let "
                 "anybody in."},
        {TEXTS(all), .most = WAYS_MAX, .text = "Ways that are all needed."},
        {0}};

const struct shape shape_auth = {
        .name = "auth",
        .text = "Who may call, by how they prove who they are. What was sent as proof is taken out "
                "of the request before it goes on.",
        .settings = settings,
        .size = sizeof(struct conf),
        .shorthand = "any",
};

const struct policy policy_auth = {
        .shape = &shape_auth,
        .stage = STAGE_IDENTIFY,
        .no_off = "write `auth: none` to let anybody in",
        .state_size = sizeof(struct state),
        .prepare = prepare,
        .weigh = weigh,
        .on_request = on_request,
        .examples =
                (const struct example[]){
                        {"Without a key the answer is 401 and says what is asked for",
                         "auth: api_key", "GET / HTTP/1.1", .status = 401,
                         .has = "WWW-Authenticate: ApiKey realm=\"gate\", header=\"X-API-Key\""},
                        {"A known key passes, and is not sent on", "auth: api_key",
                         "GET / HTTP/1.1\nX-API-Key: example-key-of-acme", .status = 200,
                         .lacks = "X-Got-X-API-Key"},
                        {"The key may be a bearer token", "auth: api_key",
                         "GET / HTTP/1.1\nAuthorization: Bearer example-key-of-acme", .status = 200,
                         .lacks = "X-Got-Authorization"},
                        {"Beside a key, a bearer token for the service itself is sent on",
                         "auth: api_key",
                         "GET / HTTP/1.1\nX-API-Key: example-key-of-acme\n"
                         "Authorization: Bearer of-the-service",
                         .status = 200, .has = "X-Got-Authorization: Bearer of-the-service"},
                        {"A wrong key is refused", "auth: api_key",
                         "GET / HTTP/1.1\nX-API-Key: wrong", .status = 401},
                        {"A key in the query is none: addresses are logged, and mailed",
                         "auth: api_key", "GET /?api_key=example-key-of-acme HTTP/1.1",
                         .status = 401},
                        {"All ways that are named may be asked for", "auth: { all: [api_key] }",
                         "GET / HTTP/1.1\nX-API-Key: example-key-of-acme", .status = 200},
                        {"Anybody may call where it is said so", "auth: none", "GET / HTTP/1.1",
                         .status = 200},
                        {0}},
};
