/* key_new.c -- `gate key new`: a new key for a consumer, live at once on a running gate. */
#include <time.h>

#include "cmd/gateway.h"
#include "roster/key.h"
#include "wire/date.h"
#include "wire/json_put.h"

enum { DOCUMENT_MAX = 4096 };

static void put_expiry(struct json_put *put, int64_t lifetime_ns)
{
        char memory[DATE_RFC3339_LENGTH + 1];
        struct text text = text_over(memory, sizeof memory);
        struct timespec now;
        if (lifetime_ns == 0)
                return;
        clock_gettime(CLOCK_REALTIME, &now);
        /* A gate counts whole seconds: at least as long as was asked for. */
        date_write_rfc3339(((int64_t)now.tv_sec + 1) * 1000 + lifetime_ns / MILLISECOND, &text);
        put_text_at(put, "expires", text_str(&text));
}

static int run(struct call *call)
{
        struct str env = call_flag(call, "env"), consumer = call->operands[0];
        struct text key = text_grow(&call->arena, KEY_SIZE_MAX);
        struct text body = text_grow(&call->arena, DOCUMENT_MAX);
        struct json_put put = json_put_on(&body);
        struct gateway gateway;
        struct reply reply;
        int code;
        if (env.ptr == NULL)
                env = S("live");
        if (!key_env_is_good(env))
                return call_fail(call, EXIT_usage, "--env test",
                                 "`" STR_FMT "` cannot stand in a key", STR_ARG(env));
        key_make(env, &key);
        put_begin(&put, '{');
        put_text_at(&put, "key", text_str(&key));
        put_expiry(&put, call_time(call, "expires", 0));
        put_end(&put, '}');
        struct question question = {S("PUT"), keys_of(&call->arena, consumer),
                                    .body = text_str(&body)};
        if (!gateway_find(call, GATEWAY_OBEYS, &gateway, &code) ||
            !gateway_ask(call, &gateway, &question, &reply, &code))
                return code;
        if (reply.status == 404)
                return call_fail(call, EXIT_no, "consumers stand in the configuration",
                                 "there is no consumer `" STR_FMT "`", STR_ARG(consumer));
        if (reply.status != 200)
                return reply_complain(call, &reply, "there is no new key");
        if (call->is_json)
                call_print(call, "{\"key\":\"" STR_FMT "\"}\n", STR_ARG(text_str(&key)));
        else
                call_print(call, STR_FMT "\n", STR_ARG(text_str(&key)));
        call_say(call,
                 "It is shown once, works at once, and until this process ends. To keep it, let "
                 "the configuration refer to it.");
        return EXIT_done;
}

const struct command command_key_new = {
        .name = "key new",
        .group = GROUP_operate,
        .line = "a new API key for a consumer of a running gate",
        .operands = "CONSUMER",
        .operands_least = 1,
        .operands_most = 1,
        .flags =
                (const struct flag[]){{"expires", .kind = FLAG_TIME, .value = "TIME",
                                       .text = "How long it works; as long as the process when not "
                                               "given."},
                                      {0}},
        .paragraphs = COMMAND_TEXT(
                "The key is printed once. It works at once, beside those that the consumer has, "
                "and is forgotten at a stop, an upgrade or a crash: to keep it, write it where the "
                "configuration refers to, such as `api_key: \"${file:acme.key}\"`.",
                "It begins with gate_live_, or with gate_NAME_ of `--env NAME`."),
        .samples = (const struct sample[]){{"gate key new acme --expires 24h", "For a day."}, {0}},
        .exits = COMMAND_EXITS(EXIT_no, EXIT_unavailable, EXIT_denied),
        .run = run,
};
