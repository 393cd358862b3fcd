/* auth.c -- who is calling: walks the ways to prove it that the route accepts. Any of them is
 * enough, unless all are asked for. What was sent and is wrong is never the same as nothing sent,
 * and nothing sent never passes where something is asked for. */
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
        bool was_bad, was_known;
        void *own; /* of the proof in turn */
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
        if (conf->ways->count > WAYS_MAX)
                fault_add(prepare->faults, FAULT_E114, prepare->node, "at most %d ways", WAYS_MAX);
        for (size_t i = 0; i < conf->ways->count && conf->count < WAYS_MAX; i++) {
                if (!str_is(conf->ways->at[i], "none"))
                        add_way(prepare, conf, i);
                else if (conf->ways->count > 1)
                        fault_add(prepare->faults, FAULT_E206, conf->ways->nodes[i],
                                  "`none` excludes every other way");
                else
                        conf->is_none = true;
        }
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

static enum verdict conclude(struct exchange *ex, const struct conf *conf, bool is_known)
{
        const struct caller *caller = ex_caller(ex);
        for (size_t i = 0; i < conf->count && is_known; i++) {
                if (conf->proofs[i]->hide != NULL)
                        conf->proofs[i]->hide(ex, conf->confs[i]);
        }
        if (is_known)
                ex_note(ex, STR_FMT " " STR_FMT " is " STR_FMT, STR_ARG(caller->identity),
                        STR_ARG(caller->display), STR_ARG(caller->consumer));
        return VERDICT_PASS;
}

static enum verdict on_request(struct exchange *ex, const void *c, void *s)
{
        const struct conf *conf = c;
        struct state *state = s;
        for (; state->turn < conf->count; state->turn++) {
                const struct proof *proof = conf->proofs[state->turn];
                if (state->own == NULL)
                        state->own = arena_zero(ex_arena(ex), 1, proof->state_size);
                enum proof_answer answer = proof->try(ex, conf->confs[state->turn], state->own);
                if (answer == PROOF_WAIT)
                        return VERDICT_WAIT;
                state->own = NULL;
                if (answer == PROOF_TWICE)
                        return ex_deny(ex, REASON_bad_request, "Credentials were sent twice.");
                if (answer == PROOF_BAD)
                        return refuse(ex, conf, REASON_credentials_invalid);
                if (answer == PROOF_KNOWN && !conf->needs_all)
                        return conclude(ex, conf, true);
                if (answer == PROOF_ABSENT && conf->needs_all)
                        return refuse(ex, conf, REASON_credentials_missing);
                if (answer == PROOF_KNOWN)
                        state->was_known = true;
        }
        if (conf->is_none)
                return VERDICT_PASS;
        if (!state->was_known)
                return refuse(ex, conf, REASON_credentials_missing);
        return conclude(ex, conf, true);
}

static const struct setting settings[] = {
        {TEXTS(any), .most = 8, .example = "api_key",
         .text = "Ways of which one is enough: `api_key`, an identity, or `none` alone to let "
                 "anybody in."},
        {TEXTS(all), .most = 8, .text = "Ways that are all needed."},
        {0}};

const struct shape shape_auth = {
        .name = "auth",
        .text = "Who may call, by how they prove who they are.",
        .settings = settings,
        .size = sizeof(struct conf),
        .shorthand = "any",
};

const struct policy policy_auth = {
        .shape = &shape_auth,
        .stage = STAGE_IDENTIFY,
        .state_size = sizeof(struct state),
        .prepare = prepare,
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
                         "GET / HTTP/1.1\nAuthorization: Bearer example-key-of-acme",
                         .status = 200},
                        {"A wrong key is refused", "auth: api_key",
                         "GET / HTTP/1.1\nX-API-Key: wrong", .status = 401},
                        {"Anybody may call where it is said so", "auth: none", "GET / HTTP/1.1",
                         .status = 200},
                        {0}},
};
