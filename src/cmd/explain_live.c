/* explain_live.c -- what a running gate adds to an explanation: how much of each limit is used up,
 * what it served so far, which servers are well, and whether it runs the same configuration. */
#include "cmd/explain_int.h"
#include "cmd/show.h"

enum { WHO_MAX = 128 << 10 };

bool explain_live_begin(struct call *call, struct explain_live *live, int *ret_code)
{
        struct question question = {.method = S("GET"), .target = S("/status")};
        struct reply reply;
        *live = (struct explain_live){.call = call};
        if (!gateway_find(call, GATEWAY_OBEYS, &live->gateway, ret_code) ||
            !gateway_ask(call, &live->gateway, &question, &reply, ret_code))
                return false;
        live->status = reply_json(&reply, &call->arena);
        if (reply.status == 200 && live->status != NULL)
                return true;
        *ret_code = reply_complain(call, &reply, "the gate did not say how it is");
        return false;
}

/* What a credential is called in a running gate, nobody else can know: there it begins unused. */
uint64_t explain_live_ahead(void *arg, struct str limit, const struct who *who)
{
        enum { CREDENTIAL = 'k' };
        struct explain_live *live = arg;
        struct call *call = live->call;
        struct text target = text_grow(&call->arena, WHO_MAX);
        struct question question = {.method = S("GET")};
        struct reply reply;
        if (live->code != EXIT_done || who->kind == CREDENTIAL)
                return 0;
        text_put(&target, S("/limits?limit="));
        put_escaped(&target, limit);
        text_format(&target, "&kind=%c&proved=%d&who=", who->kind, who->is_proved);
        for (size_t i = 0; i < who->text.len; i++)
                text_hex(&target, (unsigned char)who->text.ptr[i], 2);
        question.target = text_str(&target);
        if (target.is_cut)
                return 0;
        if (!gateway_ask(call, &live->gateway, &question, &reply, &live->code))
                return 0;
        const struct json *answer = reply_json(&reply, &call->arena);
        if (reply.status != 200 || answer == NULL) {
                live->code = reply_complain(call, &reply, "the gate did not say what is left");
                return 0;
        }
        return show_scaled(answer, "ahead", 9);
}

/* The element of that name in a list of the status; NULL: there is none. */
static const struct json *named(const struct explain_live *live, struct str list, struct str name)
{
        json_each (element, json_get(live->status, list)) {
                if (json_is_str(json_get(element, S("name")), name))
                        return element;
        }
        return NULL;
}

void explain_live_facts(const struct explain_live *live, const struct snapshot *snapshot,
                        const struct route *route, struct live_facts *ret_facts)
{
        struct arena *arena = &live->call->arena;
        const struct json *api = named(live, S("apis"), route->api->name);
        struct str upstream = route->upstream == NULL ? STR_NONE : route->upstream->name;
        struct live_facts facts = {
                .version = show_str(live->status, "version", arena),
                .hash = show_str(json_get(live->status, S("config")), "hash", arena),
                .requests = show_u64(api, "requests"),
                .limited = show_u64(api, "rate_limited"),
                .milli_per_second = show_scaled(api, "per_second", 3),
                .is_open = show_is(named(live, S("upstreams"), upstream), "circuit_open"),
        };
        json_each (target, json_get(live->status, S("targets"))) {
                if (!json_is_str(json_get(target, S("upstream")), upstream) ||
                    show_is(target, "standby"))
                        continue;
                facts.targets++;
                facts.healthy += show_is(target, "healthy");
        }
        facts.is_same = str_eq(facts.hash, snapshot->hash);
        *ret_facts = facts;
}
