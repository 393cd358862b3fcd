/* gateway_server.c -- the servers behind the gate, and the one that it asks: they hold every
 * request against what its caller sent, and answer as the seed has it: at once, before the request
 * is over, late or never, whole or cut, valid or not, once or twice. */
#include <stdio.h>

#include "gateway.h"

enum { CHAIRS_MAX = 4096, BODY_MOST = 150000 };

/* How one server behaves for now. Chances are in 1024. */
struct server {
        struct addr addr;
        bool decides; /* it is asked, and serves nothing */
        bool is_away; /* hangs up on everybody */
        uint32_t odd, late, early;
};

enum fate {
        FATE_GOOD,
        FATE_CLOSES, /* after a good answer */
        FATE_CUT,    /* somewhere, by an end or a reset */
        FATE_TWICE,  /* says more than was asked for */
        FATE_BAD,    /* is not HTTP */
        FATE_NEVER,  /* says nothing, or not all of it */
        FATE_COUNT
};

/* A connection to a server. */
struct chair {
        struct sim_peer *peer; /* NULL: gone */
        struct server *server;
        struct ear ear;
        unsigned id, turn; /* the request in hand, and which of its tries */
        struct text out;
        size_t out_at, out_end; /* what is said of it; the rest never */
        bool is_owing;          /* a request came that was not answered */
        bool is_over;           /* all of that request came */
        bool is_telling, is_reset, is_shut;
        bool is_question; /* of a policy, not a request of a caller */
        enum fate fate;
        uint64_t said; /* bytes of the body that are in `out` */
};

static struct server servers[SERVERS + 1];
static struct chair *chairs[CHAIRS_MAX];
static unsigned chair_count;

static void hang_up(struct chair *chair, bool is_abrupt)
{
        if (chair->peer == NULL)
                return;
        struct sim_peer *peer = TAKE(chair->peer);
        chair->ear.is_stopped = true;
        if (is_abrupt)
                sim_reset(peer);
        else
                sim_close(peer);
}

static void say(struct chair *chair, struct str text)
{
        sim_send(chair->peer, text.ptr, text.len);
}

/* ---- what is answered ---- */

static void put_line(struct chair *chair, const char *format, ...) printf_like(2, 3);
static void put_line(struct chair *chair, const char *format, ...)
{
        va_list args;
        va_start(args, format);
        text_vformat(&chair->out, format, args);
        va_end(args);
        text_put(&chair->out, S("\r\n"));
}

static void put_bytes(struct chair *chair, uint64_t len)
{
        for (uint64_t i = 0; i < len; i++)
                text_char(&chair->out, (char)byte_of(chair->id, 1 + chair->turn, chair->said + i));
        chair->said += len;
}

static void put_chunks(struct chair *chair, uint64_t len, bool has_trailers)
{
        while (len > 0) {
                uint64_t n = u64_min(len, 1 + some(len));
                put_line(chair, "%s%llx%s", maybe(100) ? "0" : "", (unsigned long long)n,
                         maybe(100) ? ";name=\"value\"" : "");
                put_bytes(chair, n);
                text_put(&chair->out, S("\r\n"));
                len -= n;
        }
        put_line(chair, "0");
        if (has_trailers)
                put_line(chair, "X-Checksum: %u", chair->id);
        put_line(chair, "%s", "");
}

static void put_interims(struct chair *chair)
{
        static const char *const lines[] = {"100 Continue", "102 Processing", "103 Early Hints"};
        for (uint64_t i = below(maybe(20) ? 14 : 3); i > 0; i--) {
                put_line(chair, "HTTP/1.1 %s", lines[below(countof(lines))]);
                if (maybe(512))
                        put_line(chair, "Link: </style.css>; rel=preload");
                put_line(chair, "%s", "");
        }
}

static unsigned draw_status(const struct chair *chair)
{
        static const unsigned plain[] = {200, 200, 200, 201, 204, 304, 404, 500, 503, 302};
        static const unsigned verdicts[] = {200, 200, 200, 204, 401, 403, 302, 500, 404};
        if (it.is_calm)
                return 200;
        return chair->server->decides ? verdicts[below(countof(verdicts))]
                                      : plain[below(countof(plain))];
}

static void put_head(struct chair *chair, unsigned status, const struct message *request)
{
        struct str generation = message_field(request, "X-Gen");
        put_line(chair, "HTTP/1.%d %u Whatever", maybe(30) && chair->fate == FATE_CLOSES ? 0 : 1,
                 status);
        if (chair->server->decides) {
                put_line(chair, "X-Verdict: %u", chair->id);
                put_line(chair, "WWW-Authenticate: Test id=\"%u\"", chair->id);
        } else {
                put_line(chair, "X-Id: %u", chair->id);
                put_line(chair, "X-Turn: %u", chair->turn);
                put_line(chair, "X-Got-Gen: " STR_FMT, STR_ARG(generation));
        }
        if (status == 503 && maybe(300))
                put_line(chair, "Retry-After: %u", (unsigned)below(4));
        if (maybe(100))
                put_line(chair, "X-Long: %0*d", (int)(1 + some(6000)), 7);
        if (maybe(100))
                put_line(chair, "Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5");
}

static void put_body(struct chair *chair, uint64_t len, bool is_head)
{
        unsigned framing = (unsigned)below(8);
        if (chair->fate == FATE_CLOSES && framing == 0) {
                put_line(chair, "Connection: close\r\n");
                if (!is_head)
                        put_bytes(chair, len);
                return;
        }
        if (chair->fate == FATE_CLOSES && maybe(512))
                put_line(chair, "Connection: close");
        if (framing < 4) {
                put_line(chair, "Transfer-Encoding: chunked\r\n");
                if (!is_head)
                        put_chunks(chair, len, maybe(200));
                return;
        }
        put_line(chair, "Content-Length: %llu\r\n", (unsigned long long)len);
        if (!is_head)
                put_bytes(chair, len);
}

/* What no client may take for an answer. */
static void put_nonsense(struct chair *chair)
{
        static const char *const heads[] = {
                "HTTP/1.1 200 OK\r\nX-Id: 0\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
                "HTTP/1.1 200 OK\r\nX-Id: 0\r\n folded: 1\r\nContent-Length: 0\r\n\r\n",
                "SSH-2.0-OpenSSH_9.2\r\n",
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
                "HTTP/1.1 2 OK\r\n\r\n",
                "\r\n\r\n\r\n",
                "HTTP/1.1 200 OK\nX-Id: 0\n\n",
        };
        if (chair->server->decides || maybe(100)) {
                put_line(chair, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Id: %u",
                         chair->id);
                put_line(chair, "X-Turn: %u\r\n\r\nzz\r\n", chair->turn);
                return;
        }
        size_t which = (size_t)below(countof(heads));
        note("%p says nonsense %zu", (void *)chair, which);
        text_put(&chair->out, str_of(heads[which]));
}

static void compose(struct chair *chair, const struct message *request)
{
        struct told *told = &it.asked[chair->id].told[chair->turn];
        unsigned status = draw_status(chair);
        bool is_head = str_is(request->method, "HEAD");
        bool has_none = is_head || status == 204 || status == 304;
        uint64_t len = chair->is_question ? some(2000) : some(maybe(100) ? BODY_MOST : 3000);
        chair->out = text_grow(&it.arena, 4 << 20);
        chair->out_at = 0;
        chair->said = 0;
        if (!it.is_calm && maybe(100))
                put_interims(chair);
        if (chair->fate == FATE_BAD) {
                put_nonsense(chair);
        } else {
                put_head(chair, status, request);
                if (status == 204 || status == 304)
                        put_line(chair, "%s", "");
                else
                        put_body(chair, len, is_head);
        }
        CHECK(!chair->out.is_cut);
        note("%p answers %u, turn %u: %u, %llu bytes, fate %d", (void *)chair, chair->id,
             chair->turn, status, (unsigned long long)len, (int)chair->fate);
        size_t whole = chair->out_end = chair->out.len;
        bool is_closing = str_find_str(text_str(&chair->out), S("chunked\r\n")) < 0 &&
                          str_find_str(text_str(&chair->out), S("Content-Length: ")) < 0;
        if (chair->fate == FATE_TWICE)
                text_put(&chair->out, S("HTTP/1.1 200 OK\r\nX-Id: 0\r\nContent-Length: 6\r\n\r\n"
                                        "poison"));
        if (chair->fate == FATE_TWICE)
                chair->out_end = chair->out.len;
        it.tally.strays += chair->fate == FATE_TWICE;
        if (chair->fate == FATE_CUT || chair->fate == FATE_NEVER)
                chair->out_end = (size_t)below(whole + 1);
        if (chair->is_question)
                return;
        *told = (struct told){.len = has_none ? 0 : len,
                              .status = chair->fate == FATE_BAD ? 200 : (uint16_t)status,
                              .is_whole = chair->fate != FATE_BAD && chair->out_end >= whole};
        told->is_checked = !is_closing || has_none;
}

/* ---- saying it ---- */

static void tell(void *arg);

static void tell_on(struct chair *chair, uint64_t delay)
{
        if (chair->is_telling || chair->peer == NULL)
                return;
        chair->is_telling = true;
        sim_after(it.sim, delay, tell, chair);
}

static void told_all(struct chair *chair)
{
        chair->is_owing = chair->fate == FATE_NEVER;
        if (chair->fate == FATE_CUT || chair->fate == FATE_CLOSES)
                hang_up(chair, chair->is_reset);
        else if (chair->fate == FATE_TWICE && maybe(300))
                hang_up(chair, maybe(512));
}

static void tell(void *arg)
{
        struct chair *chair = arg;
        chair->is_telling = false;
        if (chair->peer == NULL || chair->is_shut)
                return;
        size_t left = chair->out_end - chair->out_at;
        size_t n = maybe(600) ? left : (size_t)some(left);
        if (n > 0)
                sim_send(chair->peer, chair->out.at + chair->out_at, n);
        chair->out_at += n;
        if (chair->out_at < chair->out_end)
                tell_on(chair, maybe(chair->server->late / 4) ? below(3 * SEC) : some(20 * MS));
        else
                told_all(chair);
}

static enum fate draw_fate(const struct chair *chair)
{
        if (it.is_calm)
                return FATE_GOOD;
        if (!maybe(chair->server->odd))
                return maybe(100) ? FATE_CLOSES : FATE_GOOD;
        return (enum fate)below(FATE_COUNT);
}

static void begin_answer(struct chair *chair, const struct message *request)
{
        uint64_t delay = maybe(700) ? 0 : some(50 * MS);
        chair->fate = draw_fate(chair);
        chair->is_reset = maybe(300) && chair->fate == FATE_CUT;
        if (!it.is_calm && maybe(chair->server->late))
                delay = below(8 * SEC);
        compose(chair, request);
        tell_on(chair, delay);
}

/* ---- requests ---- */

static void check_fields(const struct message *request, unsigned id)
{
        must(message_field(request, "X-Hop").ptr == NULL);
        must(message_field(request, "Keep-Alive").ptr == NULL);
        must(message_field(request, "X-Forwarded-For").len > 0);
        must(message_field(request, "X-Gen").len > 0);
        struct str verdict = message_field(request, "X-Verdict");
        if (verdict.ptr != NULL)
                must(id_in(request, "X-Verdict") == id);
        must(str_find_str(request->target, S("..")) < 0);
}

static bool on_head(void *owner, struct message *request)
{
        struct chair *chair = owner;
        unsigned id = id_in(request, "X-Id");
        must(!chair->is_owing || chair->fate == FATE_NEVER);
        must(!chair->is_telling);
        chair->is_question = chair->server->decides ||
                             message_field(request, "X-Question").ptr != NULL ||
                             str_ends(request->target, S("/check"));
        chair->is_over = false;
        chair->id = id;
        chair->turn = 0;
        if (chair->is_question) {
                it.tally.questions++;
        } else {
                struct asked *asked = &it.asked[id];
                must(id != 0 && str_is(request->method, asked->method));
                must(asked->is_head_out && asked->begun == 1);
                check_fields(request, id);
                chair->turn = asked->seen++;
                must(asked->seen < TRIES_MAX && (!asked->is_unsafe || asked->seen == 1));
                if (request->length != UINT64_MAX)
                        must(request->length == asked->body_len);
        }
        it.tally.calls++;
        chair->is_owing = true;
        note("%p request %u, turn %u: %.*s", (void *)chair, id, chair->turn,
             STR_ARG(request->target));
        if (message_field(request, "Expect").ptr != NULL && maybe(it.is_calm ? 1024 : 800))
                say(chair, S("HTTP/1.1 100 Continue\r\n\r\n"));
        if (maybe(chair->server->early))
                begin_answer(chair, request);
        else
                chair->fate = FATE_COUNT;
        return false;
}

static void on_body(void *owner, struct message *request, struct str bytes)
{
        struct chair *chair = owner;
        const struct asked *asked = &it.asked[chair->id];
        must(chair->id != 0 && request->got <= asked->body_len);
        for (size_t i = 0; i < bytes.len && !asked->is_odd; i++)
                must((uint8_t)bytes.ptr[i] == byte_of(chair->id, 0, request->got - bytes.len + i));
}

static void on_over(void *owner, struct message *request)
{
        struct chair *chair = owner;
        const struct asked *asked = &it.asked[chair->id];
        chair->is_over = true;
        if (!chair->is_question) {
                must(asked->is_whole && !asked->is_odd);
                must(request->got == asked->body_len);
        }
        if (request->trailers > 0)
                must(asked->has_trailers && id_in(request, "X-Checksum") == chair->id);
        if (chair->fate == FATE_COUNT)
                begin_answer(chair, request);
}

static const struct ear_ops ear_ops = {on_head, on_body, on_over};

/* ---- connections ---- */

static void up(struct sim_peer *peer)
{
        struct chair *chair = arena_new(&it.arena, struct chair);
        chair->server = sim_owner(peer);
        chair->peer = peer;
        chair->ear.arena = &it.arena;
        ear_init(&chair->ear, true, &ear_ops, chair);
        sim_set_owner(peer, chair);
        must(chair_count < CHAIRS_MAX);
        chairs[chair_count++] = chair;
        if (chair->server->is_away)
                hang_up(chair, maybe(512));
}

static void wake(void *arg)
{
        struct chair *chair = arg;
        if (chair->peer != NULL)
                sim_pause(chair->peer, false);
}

static void data(struct sim_peer *peer, const uint8_t *bytes, size_t len)
{
        struct chair *chair = sim_owner(peer);
        const char *fault = ear_feed(&chair->ear, bytes, len);
        if (fault != NULL)
                panic("seed %llu: a server got %s:\n%.*s", (unsigned long long)it.seed, fault,
                      (int)len, (const char *)bytes);
        if (chair->peer != NULL && !it.is_calm && maybe(20)) {
                sim_pause(chair->peer, true);
                sim_after(it.sim, maybe(50) ? 20 * SEC : some(2 * SEC), wake, chair);
        }
}

static void heard_end(struct sim_peer *peer)
{
        struct chair *chair = sim_owner(peer);
        chair->is_shut = !it.is_calm && maybe(100);
        if (chair->is_shut)
                sim_shut(peer);
        else
                hang_up(chair, maybe(100));
}

static void heard_down(struct sim_peer *peer, enum err err)
{
        (void)err;
        hang_up(sim_owner(peer), true);
}

static const struct sim_script script = {
        .up = up, .data = data, .end = heard_end, .down = heard_down};

/* A server gives up a connection that lies idle, silently or with a word. */
static void leave_idle(struct chair *chair)
{
        if (chair->peer == NULL || chair->is_owing || chair->is_shut ||
            !ear_is_between(&chair->ear))
                return;
        bool is_talking = maybe(300);
        it.tally.strays += is_talking;
        if (is_talking)
                say(chair, S("HTTP/1.1 408 Timeout\r\nX-Id: 0\r\n\r\n"));
        hang_up(chair, maybe(300));
}

void servers_change(void)
{
        for (unsigned i = 0; i < chair_count; i++) {
                if (maybe(40))
                        leave_idle(chairs[i]);
        }
        for (unsigned i = 0; i <= SERVERS; i++) {
                struct server *server = &servers[i];
                server->odd = maybe(512) ? 0 : (uint32_t)below(400);
                server->late = maybe(700) ? 0 : (uint32_t)below(300);
                server->early = maybe(512) ? 0 : (uint32_t)below(500);
                server->is_away = maybe(30);
                sim_blackhole(it.sim, &server->addr, maybe(30));
        }
}

void servers_begin(void)
{
        static const char *const at[] = {"10.0.1.1:80", "10.0.1.2:80",  "10.0.1.3:80",
                                         "10.0.1.4:80", "[fd00::1]:80", "10.0.2.1:80"};
        static_assert(countof(at) == SERVERS + 1, "one address each");
        chair_count = 0;
        for (unsigned i = 0; i <= SERVERS; i++) {
                servers[i] = (struct server){.decides = i == SERVERS};
                CHECK(addr_read(str_of(at[i]), &servers[i].addr) == ERR_ok);
                sim_serve(it.sim, &servers[i].addr, &script, &servers[i]);
        }
        if (!it.is_calm)
                servers_change();
}

void servers_end(void)
{
        for (unsigned i = 0; i < chair_count; i++)
                hang_up(chairs[i], false);
}
