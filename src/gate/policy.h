/* policy.h -- what a policy is. One file in policy/ declares one: its settings, once, and up to
 * five functions. From the declaration come parser, schema, manual, tests and its place in the
 * chain. A policy's conf is immutable and lives in the snapshot, its state is its own memory in the
 * exchange. It sees the exchange through ex.h only, never codecs, sockets or other policies. */
#pragma once

#include "gate/ex.h"
#include "schema/setting.h"

struct config;
struct gate;

/* The order of policies is the order of stages, and within a stage of policy/list.def. Responses
 * pass in reverse. Whoever needs another order makes a second route. */
enum stage {
        STAGE_TERMS, /* not a step: settles how the route is served (timeout, retry, body_limit) */
        STAGE_GUARD, /* before anything is known of the caller but the address */
        STAGE_IDENTIFY, /* CORS preflight, auth */
        STAGE_ADMIT,    /* limits of the consumer, authorization */
        STAGE_CHECK,    /* what the request holds */
        STAGE_ANSWER,   /* may answer without the upstream */
        STAGE_SHAPE,    /* changes what is sent on */
};

/* What a policy wants of a body. */
enum body_need {
        BODY_NEED_NONE,
        BODY_NEED_TEE, /* sees each piece as it passes (on_body) */
};

/* How a route is served, settled when it is compiled: by presets, then the policies of STAGE_TERMS.
 */
struct terms {
        int64_t connect_ns, response_ns, idle_ns, total_ns; /* of tries; total 0: off */
        int64_t retry_attempts;                             /* all tries of one request */
        uint64_t retry_on;                                  /* of enum retry_on */
        uint64_t retry_statuses[10];                        /* bit n of [i]: status 64 * i + n */
        int64_t retry_budget_ppm;
        bool has_websocket;
        const struct texts *upgrades, *upgrades_floor; /* other protocols; NULL: none, any */
        int64_t stream_idle_ns, stream_life_ns;        /* of what was switched to; life 0: off */
        int64_t message_max;                           /* of WebSocket; 0: off */
};

enum retry_on {
        RETRY_ON_CONNECT = 1, /* nothing was sent: any method */
        RETRY_ON_BROKEN = 2,  /* broke before a response byte: idempotent methods */
        RETRY_ON_TIMEOUT = 4, /* no response head in time: idempotent methods */
};

/* Where a conf stands, for prepare: to find live cells by identity, to complain with position. */
struct compile;

struct prepare {
        struct arena *arena; /* of the snapshot */
        struct faults *faults;
        const struct json *node; /* the value as written; NULL: a preset */
        struct str level;      /* "gateway", "channel partner", "api orders", "operation GET /x" */
        struct str limit_name; /* operation, API, channel or "default": as the caller is told */
        struct str identity;   /* stable: "api/orders/rate_limit", for cells */
        bool is_floor;         /* it stands in `enforce` */
        const struct config *config;
        const struct proofs *proofs;
        const struct gate *gate; /* NULL when only checking */
        struct compile *compile; /* the compiler's own */
};

/* The value of a member as it was written, NULL when it was not: then a preset holds, and of a
 * floor nothing. `shorthand` is the policy's own. */
const struct json *written(const struct json *node, const char *member, const char *shorthand);

/* A value that stands below an `enforce` of the same policy. */
struct weighing {
        const struct json *node; /* the value as written */
        struct compile *compile; /* the compiler's own, as the next two are */
        const struct prepared *floor;
        struct prepared *value;
};

/* What stands at `at` can never take effect, because the floor is stricter (E205, once that has
 * been said of each channel that the value holds in). */
void weigh_idle(struct weighing *weighing, const struct json *at);

/* Where a policy's own requests go: an upstream of its own for this URL, with these times. Its
 * faults are added to prepare->faults. */
const struct route *prepare_asked(const struct prepare *prepare, const struct url *url,
                                  int64_t timeout_ns);

/* Makes *path the whole path of an API of this gate and what stands in *path below it; E202 when
 * there is no such API. */
void prepare_api(const struct prepare *prepare, struct str api, struct str *path);

/* The keys of a limit; zero when only checking. */
struct limit_keys prepare_limit(const struct prepare *prepare);

/* A worked example: manual and test at once. Run on an exchange made of memory against an upstream
 * that answers 200 "hello" and shows what it got as X-Got-<field> response headers. */
struct example {
        const char *promise;  /* what it shows, a sentence */
        const char *policies; /* the `policies` block, as YAML in one line */
        const char *request;  /* "GET /orders HTTP/1.1\nX-API-Key: k" */
        const char *address;  /* of the caller; NULL: 192.0.2.1 */
        int times;            /* how often it is sent, the last answer counts; 0: once */
        uint16_t status;      /* expected */
        const char *has;      /* a field line the answer has, "Retry-After: 60"; NULL: none asked */
        const char *lacks;    /* a field name the answer has not */
};

struct policy {
        const struct shape *shape; /* name, sentence, settings, size of conf, shorthand */
        enum stage stage;
        enum stage (*stage_of)(const void *conf); /* where the conf decides; NULL: always `stage` */
        bool is_always;     /* holds with its presets where nothing is written */
        const char *no_off; /* may not be `off`: what to write instead */
        size_t state_size;
        enum body_need request_body;
        bool answers;           /* on_request always answers, so no upstream is needed */
        bool answers_preflight; /* asks to be called for OPTIONS on behalf of another method */
        bool hears_all;         /* on_response is called for answers of earlier policies, too: then
                                   on_request did not run, and the state is zero */
        /* Cross-checks and prepares conf, once per snapshot; faults are added to prepare->faults.
         */
        void (*prepare)(const struct prepare *prepare, void *conf);
        /* Says with weigh_idle what of conf can never take effect where floor holds besides. */
        void (*weigh)(struct weighing *weighing, const void *floor, const void *conf);
        /* One conf that allows what both allow, in place of two steps; NULL: there are two. */
        const void *(*merge)(const struct prepare *prepare, const void *floor, const void *conf);
        /* STAGE_TERMS only: writes conf (NULL: `off`) into terms. A floor may only make them
         * stricter. */
        void (*settle)(const void *conf, bool is_floor, struct terms *terms);
        enum verdict (*on_request)(struct exchange *ex, const void *conf, void *state);
        /* The response head, also of answers of the gateway itself; only if on_request ran. */
        void (*on_response)(struct exchange *ex, const void *conf, void *state);
        /* A piece of the request body passes, once every on_request has passed the head; false:
         * refuse the rest (ex_fault was called). */
        bool (*on_body)(struct exchange *ex, const void *conf, void *state, struct str bytes);
        /* Once, at the very end, also when the caller vanished while it waited. */
        void (*on_end)(struct exchange *ex, const void *conf, void *state);
        const struct example *examples; /* ends with promise NULL */
};

/* One way to prove who calls: a file in identity/. auth walks the ways that a route accepts. */
enum proof_answer {
        PROOF_ABSENT, /* nothing of this kind was sent */
        PROOF_KNOWN,  /* ex_caller is filled in */
        PROOF_BARRED, /* known, and shut out: 403 */
        PROOF_BAD,    /* it was sent and is not valid */
        PROOF_TWICE,  /* it was sent in two places that differ: 400 */
        PROOF_WAIT,   /* call me again */
};

struct proof {
        const struct shape *shape;
        const char *challenge; /* value of WWW-Authenticate; NULL: there is no scheme for it */
        size_t state_size;
        void (*prepare)(const struct prepare *prepare, void *conf);
        enum proof_answer (*try)(struct exchange *ex, const void *conf, void *state);
        /* Takes what was sent out of the request: it is for us, not for the upstream. */
        void (*hide)(struct exchange *ex, const void *conf);
};

struct proofs {
        const struct proof *const *at;
        size_t count;
};

/* The table that policy/list.c makes of list.def, handed down by main. In pipeline order. */
struct policies {
        const struct policy *const *at;
        const struct shape *const *shapes; /* of the same, for the reader of settings */
        size_t count;
};
