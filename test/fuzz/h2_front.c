/* h2_front.c -- the whole HTTP/2 front behind the preface: whatever frames a caller sends, whole or
 * cut anywhere, it is answered with frames or not at all, and nothing is left behind: no conn,
 * exchange, page, descriptor or byte of the library's. Over the simulated network, with a site that
 * answers by itself and lets every other request wait for its body. */
#include "fuzz.h"

#include "../unit/http/world.h"

enum { PIECES_MAX = 8, INPUT_MAX = 4096, FRAME_HEAD = 9, SETTINGS = 4 };

static struct world world;
static struct http http;
static struct guest caller;
static unsigned begun;

static void site_begin(struct exchange *ex)
{
        ex->req.body.is_discarded = begun++ % 2 == 0;
}

static void site_run(struct exchange *ex)
{
        bool waits = !ex->req.body.is_discarded && !ex->req.body.is_complete;
        if (ex->front.conn == NULL) {
                exchange_finish(ex);
        } else if (ex->front.is_gone || ex->reason != REASON_none) {
                exchange_reset(ex, &ex->front, ex->reason);
                exchange_finish(ex);
        } else if (ex->res.head.status == 0 && !waits) {
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
        (void)conn, (void)reason, (void)method, (void)target, (void)text;
}

static const struct site site = {.name = "own",
                                 .begin = site_begin,
                                 .run = site_run,
                                 .end = site_end,
                                 .refuse = site_refuse};

/* Says it in pieces of `size`, the last one with all the rest. */
static void converse(struct str said, size_t size)
{
        begun = 0;
        world_begin(&world, 7);
        http_init(&http, world.loop);
        world_open(&world, &http, &site);
        world.entrance.is_both = true;
        guest_dial(&world, &caller);
        world_run(&world, 10 * MS);
        guest_say(&caller, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        for (int i = 1; said.len > 0 && !caller.is_down; i++) {
                size_t len = i == PIECES_MAX ? said.len : size_min(said.len, size);
                sim_send(caller.peer, said.ptr, len);
                said = str_skip(said, len);
                world_run(&world, 3 * MS);
        }
        world_run(&world, SEC);
        struct str heard = guest_heard(&caller);
        CHECK(heard.len == 0 || (heard.len > FRAME_HEAD && heard.ptr[3] == SETTINGS));
        guest_hang_up(&caller);
        world_shut(&world);
        CHECK(http.h2_memory.used == 0 && http.shared_count == 0);
        http_fini(&http);
        world_end(&world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size < 2 || size > INPUT_MAX)
                return 0;
        struct str said = fuzz_input(data + 1, size - 1);
        converse(said, said.len);
        converse(said, 1 + data[0]);
        return 0;
}
