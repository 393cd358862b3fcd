/* logs.c -- `gate logs`: the recent requests of a running gate, and those to come. Which ones is
 * decided by the gate, which does not send what nobody wants to see. */
#include <stdio.h>
#include <unistd.h>

#include "cmd/gateway.h"
#include "record/where.h"

enum { TARGET_MAX = 16 * 1024, LAST_WHEN_FOLLOWING = 20 };

/* Shows where a question is wrong:
 *   status => 500
 *          ^ */
static int bad_question(struct call *call, struct str where, const struct where_trouble *trouble)
{
        struct text mark = text_grow(&call->arena, TARGET_MAX);
        size_t len = size_max(trouble->len, 1);
        for (size_t i = 0; i < trouble->at; i++)
                text_char(&mark, ' ');
        for (size_t i = 0; i < len && trouble->at + i < size_max(where.len, trouble->at + 1); i++)
                text_char(&mark, '^');
        return call_fail(call, EXIT_usage, "`gate help logs` lists what may be asked for",
                         "--where: %s\n  " STR_FMT "\n  " STR_FMT, trouble->what, STR_ARG(where),
                         STR_ARG(text_str(&mark)));
}

/* --where and --trace together, as one question. */
static int read_question(struct call *call, struct str *ret_question)
{
        struct str where = call_flag(call, "where"), trace = call_flag(call, "trace");
        struct text text = text_grow(&call->arena, TARGET_MAX);
        struct where_trouble trouble;
        const struct where *program;
        if (where.len > 0 && where_read(where, &call->arena, &program, &trouble) != ERR_ok)
                return bad_question(call, where, &trouble);
        for (size_t i = 0; i < trace.len; i++) {
                if (trace.ptr[i] <= ' ' || trace.ptr[i] == '"' || trace.ptr[i] == '\\')
                        return call_fail(call, EXIT_usage, NULL,
                                         "`" STR_FMT "` is no id of a trace or a request",
                                         STR_ARG(trace));
        }
        if (where.len > 0)
                text_format(&text, trace.len > 0 ? "(" STR_FMT ") && " : STR_FMT, STR_ARG(where));
        if (trace.len > 0)
                text_format(&text, "(trace_id == \"" STR_FMT "\" || request_id == \"" STR_FMT "\")",
                            STR_ARG(trace), STR_ARG(trace));
        *ret_question = text.at == NULL ? S("") : text_str(&text);
        return EXIT_done;
}

static struct str make_target(struct call *call, struct str question)
{
        struct text text = text_grow(&call->arena, TARGET_MAX);
        struct str style = call_flag(call, "style");
        bool follows = call_has(call, "follow");
        int64_t last = call_number(call, "lines", follows ? LAST_WHEN_FOLLOWING : -1);
        if (style.ptr == NULL)
                style = !call->is_json && isatty(STDOUT_FILENO) == 1 ? S("text") : S("json");
        text_format(&text, "/logs?style=" STR_FMT, STR_ARG(style));
        if (call->colors_out)
                text_put(&text, S("&colour=1"));
        if (follows)
                text_put(&text, S("&follow=1"));
        if (last >= 0)
                text_format(&text, "&last=%lld", (long long)last);
        if (question.len > 0) {
                text_put(&text, S("&where="));
                put_escaped(&text, question);
        }
        return text.is_cut ? STR_NONE : text_str(&text);
}

/* Hands on until the end of the answer, or of whoever reads what we write. */
static int copy(struct call *call, struct stream *stream)
{
        for (bool has_any = false;; has_any = true) {
                struct str piece;
                enum err err = stream_read(stream, &piece);
                while (err == ERR_again)
                        err = stream_read(stream, &piece);
                if (err != ERR_ok)
                        return call_fail(call, EXIT_unavailable, NULL, "the gate is gone: %s",
                                         err_text(err));
                if (piece.len == 0 && !has_any)
                        call_say(call, "none of the requests that the gate remembers");
                if (piece.len == 0)
                        return EXIT_done;
                call_put(call, piece);
                if (fflush(stdout) != 0)
                        return EXIT_done;
        }
}

static int refused(struct call *call, const struct gateway *gateway, struct str target)
{
        struct question question = {S("GET"), target};
        struct reply reply;
        int code;
        if (!gateway_ask(call, gateway, &question, &reply, &code))
                return code;
        return reply_complain(call, &reply, "no logs");
}

static int run(struct call *call)
{
        struct str where = S("");
        int code = read_question(call, &where);
        struct question question = {S("GET"), make_target(call, where)};
        struct gateway gateway;
        struct stream stream;
        if (code != EXIT_done)
                return code;
        if (question.target.len == 0)
                return call_fail(call, EXIT_usage, NULL, "the question is too long");
        if (!gateway_find(call, GATEWAY_OBEYS, &gateway, &code))
                return code;
        enum err err = stream_begin(&stream, &gateway, &question, &call->arena);
        if (err != ERR_ok)
                return call_fail(call, EXIT_unavailable, NULL,
                                 "no answer from the gate at " STR_FMT ": %s",
                                 STR_ARG(gateway.place.text), err_text(err));
        bool is_good = stream.reply.status == 200;
        code = is_good ? copy(call, &stream) : EXIT_done;
        stream_end(&stream);
        return is_good ? code : refused(call, &gateway, question.target);
}

static const char fields_text[] = "Fields:"
#define FIELD(name, kind, value, help) " `" #name "`"
#include "record/where.def"
#undef FIELD
        ;

const struct command command_logs = {
        .name = "logs",
        .group = GROUP_operate,
        .line = "recent requests of a running gate, and those to come",
        .flags =
                (const struct flag[]){
                        {"follow", 'f', .text = "Go on with what comes."},
                        {"where", .kind = FLAG_TEXT, .value = "QUESTION",
                         .text = "Only requests for which this holds: status >= 500 && api == "
                                 "orders."},
                        {"trace", .kind = FLAG_TEXT, .value = "ID",
                         .text = "Only what belongs to this trace, or the request of this id."},
                        {"lines", 'n', FLAG_NUMBER, .value = "N", .least = 0, .most = 1000000,
                         .text = "At most the last N; all that the gate still has when not given, "
                                 "20 with --follow."},
                        {"style", .kind = FLAG_CHOICE, .value = "STYLE",
                         .choices = FLAG_WORDS("text", "json", "clf"),
                         .text = "`text` on a terminal, else one JSON object on each line, as the "
                                 "access log has it."},
                        {0}},
        .paragraphs = COMMAND_TEXT(
                "A gate keeps some thousands of its latest requests in memory, whatever becomes "
                "of its log. Questions are made of fields, `==` `!=` `<` `<=` `>` `>=`, `~` for "
                "\"contains\", `!`, `&&`, `||` and parentheses. Durations are written 20ms, "
                "networks 10.0.0.0/8.",
                fields_text),
        .samples =
                (const struct sample[]){
                        {"gate logs -f", "Watch."},
                        {"gate logs -f --where 'status >= 500 || duration > 1s'",
                         "Watch what hurts."},
                        {"gate logs --where 'consumer == acme && api == orders' -n 10",
                         "Look back."},
                        {"gate logs --trace 4bf92f3577b34da6a3ce929d0e0e4736", "One trace."},
                        {0}},
        .exits = COMMAND_EXITS(EXIT_unavailable, EXIT_denied),
        .run = run,
};
