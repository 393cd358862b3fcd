/* front.c -- the whole front codec: whatever a caller says on a connection, heads, bodies,
 * pipelined requests or none of them, in one piece or cut anywhere, is answered with HTTP or not at
 * all, and leaves nothing behind: no conn, exchange, page or descriptor. Over the simulated
 * network, with a site that answers by itself. */
#include "fuzz.h"

#include "../unit/http/world.h"

enum { PIECES_MAX = 8, INPUT_MAX = 2048 };

static struct world world;
static struct http http;
static struct guest caller;

static void site_begin(struct exchange *ex)
{
        ex->req.body.is_discarded = true;
}

static void site_run(struct exchange *ex)
{
        if (ex->front.conn == NULL) {
                exchange_finish(ex);
        } else if (ex->front.is_gone || ex->reason != REASON_none) {
                exchange_reset(ex, &ex->front, ex->reason);
                exchange_finish(ex);
        } else if (exchange_is_stream(ex)) {
                if (ex->req.body.is_complete && !ex->res.body.is_complete)
                        exchange_push_end(ex, &ex->res.body);
        } else if (ex->res.head.status == 0 && ex->req.head.upgrade.len > 0 &&
                   ex->req.body.is_complete) {
                /* Whoever asks for another protocol gets it, and silence. */
                ex->res.head.status = 101;
                ex->res.head.upgrade = ex->req.head.upgrade;
                exchange_switch(ex);
                exchange_send(ex, &ex->front);
        } else if (ex->res.head.status == 0) {
                ex->res.head.status = 200;
                body_fill(&ex->res.body, ex->req.head.target.path);
                exchange_send(ex, &ex->front);
        }
}

static void site_end(struct exchange *ex)
{
        (void)ex;
}

static void site_refuse(struct conn *conn, enum reason reason, struct str method, struct str target,
                        struct text *text)
{
        (void)conn, (void)method, (void)target;
        text_format(text, "HTTP/1.1 %u No\r\nConnection: close\r\n\r\n", reason_status(reason));
}

static const struct site site = {.name = "own",
                                 .begin = site_begin,
                                 .run = site_run,
                                 .end = site_end,
                                 .refuse = site_refuse};

/* Everybody may begin with a PROXY header, or must. */
static const struct cidr everybody = {{[10] = 0xff, [11] = 0xff}, .bits = 96};
static const struct cidrs trusted = {&everybody, 1, 1};

/* Says it in pieces of `size`, the last one with all the rest. */
static void converse(struct str said, size_t size, enum introduction introduction)
{
        world_begin(&world, 7);
        http_init(&http, world.loop);
        world_open(&world, &http, &site);
        world.entrance.introduction = (uint8_t)introduction;
        world.entrance.trusted = &trusted;
        guest_dial(&world, &caller);
        world_run(&world, 10 * MS);
        for (int i = 1; said.len > 0 && !caller.is_down; i++) {
                size_t len = i == PIECES_MAX ? said.len : size_min(said.len, size);
                sim_send(caller.peer, said.ptr, len);
                said = str_skip(said, len);
                world_run(&world, 3 * MS);
        }
        world_run(&world, SEC);
        struct str heard = guest_heard(&caller);
        CHECK(heard.len == 0 || str_starts(heard, S("HTTP/1.1 ")));
        guest_hang_up(&caller);
        world_shut(&world);
        http_fini(&http);
        world_end(&world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size < 2 || size > INPUT_MAX)
                return 0;
        struct str said = fuzz_input(data + 1, size - 1);
        enum introduction introduction = data[0] < 128   ? INTRODUCTION_OFF
                                         : data[0] < 192 ? INTRODUCTION_OPTIONAL
                                                         : INTRODUCTION_REQUIRED;
        converse(said, said.len, introduction);
        converse(said, 1 + data[0] % 64, introduction);
        return 0;
}
