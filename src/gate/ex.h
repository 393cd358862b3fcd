/* ex.h -- what a policy may do to an exchange, and all that it may. Texts that are handed out live
 * as long as the exchange; texts that are handed in must, too (ex_text copies). */
#pragma once

#include "base/arena.h"
#include "base/str.h"
#include "gate/bucket.h"
#include "http/reason.h"
#include "wire/fields.h"

struct exchange;
struct route;

/* What a policy says to a request. */
enum verdict {
        VERDICT_PASS,  /* go on */
        VERDICT_WAIT,  /* call me again, in the same place, once what I asked for has come */
        VERDICT_REPLY, /* an answer was set (ex_deny, ex_answer): no further policy, no upstream */
};

/* A way in which it was proved who calls: what a floor asks for need not be sent again. */
struct proven {
        const struct proven *before;
        struct str identity;
};

/* Who calls, as far as it was proved. Set by auth, read by limits, logs and headers. */
struct caller {
        bool is_known;
        const struct proven *proven; /* the last one first */
        struct str identity;         /* of the last: "api_key" */
        struct str consumer;         /* name */
        struct str tier, channel;
        struct str credential; /* id of the key */
        struct str display;    /* how the key may be shown */
};

/* ---- the request ---- */

struct str ex_method(const struct exchange *ex);
struct str ex_host(const struct exchange *ex);  /* as the caller named it, behind trusted proxies */
struct str ex_path(const struct exchange *ex);  /* normalised */
struct str ex_query(const struct exchange *ex); /* raw; NULL ptr: none */
struct str ex_scheme(const struct exchange *ex);
struct fields *ex_request_fields(struct exchange *ex);
struct str ex_param(const struct exchange *ex, struct str name); /* of the path template */
const uint8_t *ex_address(const struct exchange *ex); /* 16 bytes; behind trusted proxies */
struct str ex_address_text(struct exchange *ex);
bool ex_is_from_trusted(const struct exchange *ex); /* the peer is one of trusted_proxies */
uint64_t ex_body_length(const struct exchange *ex); /* declared; UINT64_MAX: unknown */
bool ex_wants_websocket(const struct exchange *ex); /* it asks to switch to it */

/* Where the request is to be sent, below the upstream's URL. Checked and normalised again; false:
 * it cannot be a path, or leaves what the API offers. */
must_use bool ex_set_path(struct exchange *ex, struct str path);
void ex_set_query(struct exchange *ex, struct str query); /* NULL ptr: none */

/* Fields that the gateway itself adds to what it sends on, last of all; and those of them that say
 * who calls and how, which no policy may change. For prepare. */
bool ex_adds(struct str name);
bool ex_says(struct str name);

/* ---- the response, in on_response ---- */

uint16_t ex_status(const struct exchange *ex);
struct fields *ex_response_fields(struct exchange *ex);
bool ex_is_own(const struct exchange *ex); /* the gateway's own answer, not the upstream's */
enum reason ex_reason(const struct exchange *ex);

/* ---- what is known ---- */

struct caller *ex_caller(struct exchange *ex);
struct str ex_channel(const struct exchange *ex);
struct str ex_api(const struct exchange *ex);
struct str ex_route(const struct exchange *ex); /* its name */
struct str ex_request_id(const struct exchange *ex);
/* Looks an API key up in the roster; the caller is filled in when it is known. It takes the same
 * time whether the key exists or not. */
enum key_answer { KEY_UNKNOWN, KEY_EXPIRED, KEY_BLOCKED, KEY_KNOWN };
enum key_answer ex_find_key(struct exchange *ex, struct str key);

/* A limit's stable identity ("api/orders/rate_limit"), and its key in the table of those who proved
 * who they are and in that of strangers, who cannot crowd out the others. */
struct limit_keys {
        struct hash_key known, strangers;
        struct str identity;
};

/* Who is counted by a limit. */
struct who {
        struct str text;
        char kind; /* texts of different kinds never meet */
        bool is_proved;
};

struct hash128 limit_cell(const struct limit_keys *keys, const struct who *who);

/* The same, for a request that is about to be counted there. */
struct hash128 ex_cell(struct exchange *ex, const struct limit_keys *keys, const struct who *who);
const struct bucket_table *ex_buckets(const struct exchange *ex, bool is_proved);
uint64_t ex_now(const struct exchange *ex);  /* ns, monotonic, for intervals and cells */
uint64_t ex_wall(const struct exchange *ex); /* ns since 1970 */

/* ---- memory ---- */

struct arena *ex_arena(struct exchange *ex);
struct str ex_text(struct exchange *ex, const char *format, ...) printf_like(2, 3);

/* What a template with ${channel}, ${consumer}, ${request_id}, ${param.NAME}, ${host}, ${path}, …
 * gives for this exchange; a value, never evaluated again. */
struct str ex_fill(struct exchange *ex, struct str template);

/* The same for paths and URLs, with {host}, {path}, {query} (with its '?'), {scheme} and the
 * {parameters} of the route, as escaped as they came; what would end or begin a parameter of a
 * query is escaped there. */
enum fill_as {
        FILL_URL,   /* {path} is the whole path */
        FILL_PATH,  /* {path} is what follows the API's path */
        FILL_QUERY, /* of those, too; what comes out stands behind the '?' */
};

struct str ex_fill_target(struct exchange *ex, struct str template, enum fill_as as);

/* False when a template for that holds what can never be part of a target: for prepare. */
bool ex_can_fill_target(struct str template, enum fill_as as);

/* True when ex_fill knows that name: for prepare. */
bool ex_can_fill(struct str name);

/* ---- answers: VERDICT_REPLY, to be returned ---- */

/* A problem (RFC 9457) with the status and sentence of the reason, and a detail that may be empty.
 */
enum verdict ex_deny(struct exchange *ex, enum reason reason, const char *format, ...)
        printf_like(3, 4);

/* A field of the answer to come; before ex_deny or ex_answer. */
void ex_answer_field(struct exchange *ex, enum name name, struct str value);

/* An answer that is no fault, e.g. a redirect. `type` may be empty when there is no body. */
enum verdict ex_answer(struct exchange *ex, uint16_t status, struct str type, struct str body);

/* How the answer that was set is recorded, where that is not plainly done. */
void ex_outcome(struct exchange *ex, enum reason reason);

/* For the record, where a request passes in spite of something. The text must live as long. */
void ex_remark(struct exchange *ex, struct str text);

/* It is to end for this reason, from where no verdict can be given (on_body). */
void ex_fault(struct exchange *ex, enum reason reason);

/* ---- waiting: then return VERDICT_WAIT; cancelled when the exchange ends ---- */

struct ask {
        struct str method;
        const struct route *asked; /* where to, from prepare_asked; NULL: to this gate itself, on
                                       the asker's listener and host, through the whole chain */
        struct str path, query;    /* below the URL; query NULL ptr: none */
        struct fields fields;      /* sent as they are */
        int64_t timeout_ns;
        size_t body_max; /* of the answer; more is a failure */
};

/* The answer of an ask: status 0 while it is on its way. */
struct answer {
        uint16_t status;
        enum reason failure; /* none, or why there is no answer */
        struct fields fields;
        struct str body;
};

/* Starts a request of our own. The exchange is resumed when *answer is filled. */
struct answer *ex_ask(struct exchange *ex, const struct ask *ask);

/* Wakes the exchange after that time. */
void ex_sleep(struct exchange *ex, uint64_t ns);

/* ---- being understood ---- */

/* What happened here, for `gate explain` and traces: formatted only when somebody listens. */
void ex_note(struct exchange *ex, const char *format, ...) printf_like(2, 3);
