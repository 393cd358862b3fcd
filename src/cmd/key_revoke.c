/* key_revoke.c -- `gate key revoke`: a key that works no more, at once, on a running gate. */
#include <stdio.h>
#include <unistd.h>

#include "cmd/gateway.h"
#include "io/file.h"
#include "roster/key.h"
#include "wire/json_put.h"

enum { DOCUMENT_MAX = 4096 };

/* The key is no argument: those are seen by everybody on the machine. */
static int read_key(struct call *call, struct str *ret_key)
{
        struct str path = call_flag(call, "key-file");
        struct file file;
        enum err err;
        if (path.len > 0) {
                err = file_read(path, KEY_SIZE_MAX + 2, &call->arena, &file);
                if (err != ERR_ok)
                        return call_fail(call, err == ERR_missing ? EXIT_missing : EXIT_denied,
                                         NULL, "cannot read " STR_FMT ": %s", STR_ARG(path),
                                         err_text(err));
        } else {
                char *memory = arena_alloc(&call->arena, DOCUMENT_MAX);
                size_t len = 0;
                ssize_t n = 0;
                if (isatty(STDIN_FILENO) == 1)
                        call_say(call, "The key, then Enter:");
                while (len < DOCUMENT_MAX && memchr(memory, '\n', len) == NULL &&
                       (n = read(STDIN_FILENO, memory + len, DOCUMENT_MAX - len)) > 0)
                        len += (size_t)n;
                file.text = str_from(memory, len);
        }
        *ret_key = str_cut(&file.text, '\n');
        while (ret_key->len > 0 && ret_key->ptr[ret_key->len - 1] <= ' ')
                ret_key->len--;
        switch (key_check(*ret_key)) {
        case KEY_DAMAGED:
                return call_fail(call, EXIT_data, NULL, "the key is mistyped or cut");
        case KEY_NONE:
                return call_fail(call, EXIT_data, NULL, "that is no key");
        default:
                return EXIT_done;
        }
}

static int run(struct call *call)
{
        struct str consumer = call->operands[0], key;
        struct text body = text_grow(&call->arena, DOCUMENT_MAX);
        struct json_put put = json_put_on(&body);
        struct gateway gateway;
        struct reply reply;
        int code = read_key(call, &key);
        if (code != EXIT_done)
                return code;
        put_begin(&put, '{');
        put_text_at(&put, "key", key);
        put_end(&put, '}');
        struct question question = {S("DELETE"), keys_of(&call->arena, consumer),
                                    .body = text_str(&body)};
        if (!gateway_find(call, GATEWAY_OBEYS, &gateway, &code) ||
            !gateway_ask(call, &gateway, &question, &reply, &code))
                return code;
        if (reply.status == 404)
                return call_fail(call, EXIT_no, NULL, "`" STR_FMT "` has no such key",
                                 STR_ARG(consumer));
        if (reply.status != 200)
                return reply_complain(call, &reply, "the key was not revoked");
        call_say(call, "revoked; a key that stands in the configuration comes back with the next "
                       "reload, until it is removed there");
        return EXIT_done;
}

const struct command command_key_revoke = {
        .name = "key revoke",
        .group = GROUP_operate,
        .line = "make a key of a running gate worthless",
        .operands = "CONSUMER",
        .operands_least = 1,
        .operands_most = 1,
        .flags = (const struct flag[]){{"key-file", .kind = FLAG_FILE, .value = "FILE",
                                        .text = "The key is in this file; else standard input is "
                                                "read."},
                                       {0}},
        .paragraphs = COMMAND_TEXT(
                "It works no more from this moment on, on all workers. If it stands in the "
                "configuration, remove it there too: the process that comes after a stop, an "
                "upgrade or a crash knows only what is written."),
        .samples = (const struct sample[]){{"gate key revoke acme < leaked.key", "At once."}, {0}},
        .exits = COMMAND_EXITS(EXIT_no, EXIT_data, EXIT_missing, EXIT_unavailable, EXIT_denied),
        .run = run,
};
