/* body_limit.c -- how large a request body may be. Where the length is declared it is refused
 * before a byte is read; where it is not, as soon as too much has come. */
#include "gate/policy.h"
#include "policy/list.h"

struct conf {
        int64_t size;
};

struct state {
        uint64_t passed;
};

static void weigh(struct weighing *weighing, const void *f, const void *c)
{
        const struct conf *floor = f, *conf = c;
        const struct json *at = written(weighing->node, "size", "size");
        if (at != NULL && conf->size > floor->size)
                weigh_idle(weighing, at);
}

static enum verdict on_request(struct exchange *ex, const void *c, void *state)
{
        const struct conf *conf = c;
        uint64_t length = ex_body_length(ex);
        (void)state;
        if (length != UINT64_MAX && length > (uint64_t)conf->size)
                return ex_deny(ex, REASON_body_too_large, "The limit is %lld bytes.",
                               (long long)conf->size);
        return VERDICT_PASS;
}

static bool on_body(struct exchange *ex, const void *c, void *s, struct str bytes)
{
        const struct conf *conf = c;
        struct state *state = s;
        state->passed += bytes.len;
        if (state->passed <= (uint64_t)conf->size)
                return true;
        ex_fault(ex, REASON_body_too_large);
        return false;
}

static const struct setting settings[] = {
        {SIZE(size), .least = 0, .preset = 10 * MIB, .text = "Bytes of a request body, at most."},
        {0}};

const struct shape shape_body_limit = {
        .name = "body_limit",
        .text = "How large a request body may be; `off` for any size.",
        .settings = settings,
        .size = sizeof(struct conf),
        .shorthand = "size",
};

const struct policy policy_body_limit = {
        .shape = &shape_body_limit,
        .stage = STAGE_CHECK,
        .is_always = true,
        .state_size = sizeof(struct state),
        .request_body = BODY_NEED_TEE,
        .weigh = weigh,
        .on_request = on_request,
        .on_body = on_body,
        .examples =
                (const struct example[]){
                        {"A body within the limit passes", "body_limit: 1KiB",
                         "POST / HTTP/1.1\nContent-Length: 5\n\nhello", .status = 200},
                        {"A body that is said to be larger is not read", "body_limit: 4B",
                         "POST / HTTP/1.1\nContent-Length: 5\n\nhello", .status = 413},
                        {"A body of unknown length is counted as it comes", "body_limit: 4B",
                         "POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n"
                         "hello",
                         .status = 413},
                        {"Any size passes where it is said so", "body_limit: off",
                         "POST / HTTP/1.1\nContent-Length: 5\n\nhello", .status = 200},
                        {0}},
};
