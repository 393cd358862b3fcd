/* gateway_guest.c -- the guests: each has a few connections, one after the other, and sends
 * requests over them as the seed has it, one by one or many at once, cut anywhere, slowly, halfway,
 * with bodies of all kinds, or things that are no requests. What comes back is held against what
 * was asked: each answer belongs to its request, in order, and is what the server said. */
#include <stdio.h>

#include "gateway.h"

enum { GUESTS_MAX = 100, PIPE_MAX = 8, BODY_MOST = 200000 };

/* How long a connection is used at most. */
#define TIRED_NS (it.is_calm ? 1000 * SEC : 40 * SEC)

struct guest {
        struct sim_peer *peer; /* NULL: not connected */
        struct ear ear;
        struct text out; /* the request in hand */
        size_t out_at, head_end;
        size_t hold_at;         /* what follows waits for 100; 0: nothing does */
        unsigned ids[PIPE_MAX]; /* asked and not answered, in order; 0: was no request */
        unsigned count, depth;
        unsigned saying;         /* whose request is in hand */
        unsigned dials, to_ask;  /* connections, and requests on this one, that are left */
        unsigned pace;           /* of 1024: chance to rest between two pieces */
        uint64_t deadline;       /* by when this connection is given up */
        uint64_t response_at;    /* place in the body of the answer in hand */
        unsigned turn;           /* of that answer */
        bool is_up, is_speaking; /* a call of speak is on its way */
        bool is_shut;            /* will send no more */
        bool has_last;           /* no answer follows the one in hand or before */
        bool may_end;            /* nobody needs to answer any more */
        bool is_deaf;            /* reads nothing any more */
        bool is_foreign;         /* the answer in hand is the gate's own */
};

static struct guest guests[GUESTS_MAX];
static unsigned guest_count;

static void dial(void *arg);
static void speak(void *arg);

static void speak_soon(struct guest *guest, uint64_t delay)
{
        if (guest->is_speaking)
                return;
        guest->is_speaking = true;
        sim_after(it.sim, delay, speak, guest);
}

static void hang_up(struct guest *guest, bool is_abrupt)
{
        if (guest->peer == NULL)
                return;
        struct sim_peer *peer = TAKE(guest->peer);
        guest->ear.is_stopped = true;
        guest->is_up = false;
        if (is_abrupt)
                sim_reset(peer);
        else
                sim_close(peer);
        sim_after(it.sim, some(200 * MS), dial, guest);
}

/* ---- requests ---- */

static void put(struct guest *guest, const char *format, ...) printf_like(2, 3);
static void put(struct guest *guest, const char *format, ...)
{
        va_list args;
        va_start(args, format);
        text_vformat(&guest->out, format, args);
        va_end(args);
        text_put(&guest->out, S("\r\n"));
}

static void put_bytes(struct guest *guest, unsigned id, uint64_t from, uint64_t len)
{
        for (uint64_t i = 0; i < len; i++)
                text_char(&guest->out, (char)byte_of(id, 0, from + i));
}

static const char *draw_method(void)
{
        static const char *const methods[] = {"GET",  "GET", "GET",    "HEAD",    "POST",
                                              "POST", "PUT", "PATCH",  "OPTIONS", "BREW",
                                              "PUT",  "GET", "DELETE", "QUERY"};
        return methods[below(countof(methods))];
}

static bool is_unsafe(const char *method)
{
        static const char *const safe[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "QUERY"};
        for (size_t i = 0; i < countof(safe); i++) {
                if (strcmp(method, safe[i]) == 0)
                        return false;
        }
        return true;
}

static void put_target(struct guest *guest, const struct asked *asked, unsigned id)
{
        static const char *const paths[] = {"a", "b", "c", "d", "e", "f"};
        static const char *const queries[] = {"", "?x=1", "?a=b&c=d%20e", "?"};
        const char *api = paths[below(it.is_calm ? 5 : countof(paths))];
        if (!it.is_calm && maybe(20))
                api = "nothing";
        put(guest, "%s %s/%s/%u%s%s HTTP/1.%d", asked->method,
            maybe(50) ? "http://example.test" : "", api, id, maybe(200) ? "/deeper" : "",
            queries[below(countof(queries))], asked->is_old ? 0 : 1);
}

static void put_fields(struct guest *guest, const struct asked *asked, unsigned id)
{
        static const char *const keys[] = {"anna", "bert", "cleo", "nobody"};
        put(guest, "Host: example.test");
        put(guest, "X-Id: %u", id);
        put(guest, "x-request-id: ask-%u", id);
        if (maybe(300))
                put(guest, "X-API-Key: key-of-%s", keys[below(countof(keys))]);
        if (maybe(100))
                put(guest, "X-Long: %0*d", (int)(1 + some(7000)), 7);
        for (uint64_t i = below(maybe(100) ? 40 : 3); i > 0; i--)
                put(guest, "X-Field-%u: %u", (unsigned)i, (unsigned)below(1000));
        if (maybe(100))
                put(guest, "Connection: X-Hop\r\nX-Hop: 1");
        if (maybe(100))
                put(guest, "TE: trailers");
        if (maybe(100))
                put(guest, "Accept: text/html");
        if (asked->is_old ? maybe(512) : false)
                put(guest, "Connection: keep-alive");
        if (guest->to_ask == 0 && maybe(300) && !asked->is_old)
                put(guest, "Connection: close");
}

static void put_chunks(struct guest *guest, struct asked *asked, unsigned id)
{
        uint64_t at = 0;
        while (at < asked->body_len) {
                uint64_t n = 1 + some(asked->body_len - at - 1);
                put(guest, "%llx%s", (unsigned long long)n, maybe(60) ? ";a=b" : "");
                put_bytes(guest, id, at, n);
                put(guest, "%s", "");
                at += n;
        }
        put(guest, "0");
        asked->has_trailers = maybe(200);
        if (asked->has_trailers)
                put(guest, "X-Checksum: %u", id);
        put(guest, "%s", "");
}

static void put_body(struct guest *guest, struct asked *asked, unsigned id)
{
        bool has_body = is_unsafe(asked->method) ? maybe(900) : maybe(150);
        bool is_chunked = has_body && !asked->is_old && maybe(512);
        if (has_body)
                asked->body_len = some(maybe(100) ? BODY_MOST : 3000);
        bool expects = has_body && !asked->is_old && asked->body_len > 0 && maybe(200);
        if (is_chunked)
                put(guest, "Transfer-Encoding: chunked");
        else if (has_body)
                put(guest, "Content-Length: %llu", (unsigned long long)asked->body_len);
        if (expects)
                put(guest, "Expect: 100-continue");
        put(guest, "%s", "");
        guest->head_end = guest->out.len;
        guest->hold_at = expects ? guest->out.len : 0;
        if (is_chunked)
                put_chunks(guest, asked, id);
        else
                put_bytes(guest, id, 0, asked->body_len);
}

/* Makes the request in hand one that is not valid, or never ends: true when its head is sound. */
static bool spoil(struct guest *guest, struct asked *asked)
{
        static const char *const bad[] = {
                "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
                "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello",
                ("GET / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: "
                 "chunked\r\nHost: a\r\n\r\n0\r\n\r\n"),
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
                "GET /\r\n\r\n"};
        asked->is_odd = true;
        if (guest->out.len > guest->head_end && maybe(700)) {
                /* The body ends too early, or is no body. */
                size_t body = guest->out.len - guest->head_end;
                guest->out.len = guest->head_end + (size_t)below(body);
                if (str_find_str(text_str(&guest->out), S("chunked")) >= 0 && maybe(700))
                        text_put(&guest->out, S("\x01\r\n\r\n"));
                return true;
        }
        if (maybe(400)) { /* half a head */
                guest->out.len = (size_t)below(guest->head_end - 2);
                return false;
        }
        guest->out.len = 0;
        text_put(&guest->out, str_of(bad[below(countof(bad))]));
        return false;
}

static void make_request(struct guest *guest)
{
        must(it.asked_count + 1 < ASKED_MAX);
        unsigned id = ++it.asked_count;
        struct asked *asked = &it.asked[id];
        asked->method = it.is_calm && maybe(512) ? "GET" : draw_method();
        asked->is_unsafe = is_unsafe(asked->method);
        asked->is_old = maybe(100);
        asked->at = sim_now(it.sim);
        guest->to_ask--;
        guest->out = text_grow(&it.arena, 4 << 20);
        guest->out_at = 0;
        put_target(guest, asked, id);
        put_fields(guest, asked, id);
        put_body(guest, asked, id);
        guest->ids[guest->count++] = guest->saying = id;
        it.tally.asked++;
        if (asked->is_old &&
            (it.is_calm || str_find_str(text_str(&guest->out), S("keep-alive")) < 0))
                guest->to_ask = 0;
        if (!it.is_calm && maybe(30)) {
                bool has_head = spoil(guest, asked);
                guest->to_ask = 0;
                guest->head_end = has_head ? guest->head_end : SIZE_MAX;
                guest->hold_at = has_head ? guest->hold_at : 0;
        }
        note("%p asks %u: %s, %llu bytes%s", (void *)guest, id, asked->method,
             (unsigned long long)asked->body_len, asked->is_odd ? ", odd" : "");
        note(STR_FMT, STR_ARG(str_first(text_str(&guest->out), 300)));
}

/* ---- speaking ---- */

static void wake(void *arg)
{
        struct guest *guest = arg;
        if (guest->peer != NULL && !guest->is_deaf)
                sim_pause(guest->peer, false);
}

/* Everything was said. What follows is not about requests any more. */
static void said_all(struct guest *guest)
{
        if (guest->is_shut)
                return;
        if (maybe(it.is_calm ? 0 : 100)) {
                hang_up(guest, maybe(512));
        } else if (maybe(200)) {
                guest->is_shut = true;
                sim_shut(guest->peer);
        } else if (!it.is_calm && maybe(30)) {
                guest->is_deaf = true;
                sim_pause(guest->peer, true);
        }
}

static void send_piece(struct guest *guest)
{
        struct asked *asked = &it.asked[guest->saying];
        size_t left = guest->out.len - guest->out_at;
        if (guest->hold_at > guest->out_at)
                left = guest->hold_at - guest->out_at;
        size_t n = maybe(400) ? left : (size_t)some(left);
        sim_send(guest->peer, guest->out.at + guest->out_at, n);
        guest->out_at += n;
        if (guest->out_at >= guest->head_end)
                asked->is_head_out = true;
        if (guest->out_at == guest->out.len && !asked->is_odd)
                asked->is_whole = true;
        if (guest->hold_at > 0 && guest->out_at == guest->hold_at) {
                if (maybe(it.is_calm ? 0 : 100))
                        guest->hold_at = 0; /* does not wait at all */
                else
                        return;
        }
        speak_soon(guest, maybe(guest->pace) ? below(400 * MS) : some(3 * MS));
}

static void speak(void *arg)
{
        struct guest *guest = arg;
        guest->is_speaking = false;
        if (guest->peer == NULL || !guest->is_up || guest->is_shut || guest->has_last)
                return;
        if (!it.is_calm && maybe(3)) {
                hang_up(guest, maybe(700));
                return;
        }
        if (!it.is_calm && maybe(2)) {
                guest->is_shut = true;
                sim_shut(guest->peer);
                return;
        }
        if (guest->out_at < guest->out.len) {
                send_piece(guest);
                return;
        }
        if (guest->to_ask == 0 || it.is_over) {
                said_all(guest);
                return;
        }
        if (guest->count < guest->depth) {
                make_request(guest);
                speak_soon(guest, maybe(300) ? some(100 * MS) : 0);
        }
}

/* ---- answers ---- */

/* The gate may refuse what is no request, and everything when it has no room. */
static bool may_be_refused(const struct guest *guest, const struct asked *asked)
{
        (void)guest;
        return asked->is_odd || !asked->is_head_out || !it.is_perfect;
}

static void check_own(const struct asked *asked, unsigned status)
{
        must(!it.is_perfect);
        must(!it.is_calm || status == 503);
        must(status != 500 && status != 431 && status != 414 && status != 505);
        if (status == 400)
                must(asked->is_odd);
}

static void check_told(struct guest *guest, const struct message *answer, unsigned id)
{
        uint64_t turn;
        const struct asked *asked = &it.asked[id];
        note("  X-Id: %.*s", STR_ARG(message_field(answer, "X-Id")));
        must(id_in(answer, "X-Id") == id);
        must(str_to_u64(message_field(answer, "X-Turn"), &turn) == ERR_ok && turn < asked->seen);
        must(asked->told[turn].status == answer->status);
        if (message_field(answer, "X-Got-Gen").len > 0)
                must(str_eq(message_field(answer, "X-Gen"), message_field(answer, "X-Got-Gen")));
        must(message_field(answer, "X-Hop").ptr == NULL);
        guest->turn = (unsigned)turn;
}

static bool on_final(struct guest *guest, struct message *answer)
{
        unsigned id = guest->ids[0];
        struct asked *asked = &it.asked[id];
        struct str request_id = message_field(answer, "X-Request-Id");
        if (request_id.ptr == NULL) {
                must(may_be_refused(guest, asked) && answer->closes);
                must(asked->begun == 0);
        } else {
                struct text expected = text_over((char[24]){0}, 24);
                text_format(&expected, "ask-%u", id);
                must(str_eq(request_id, text_str(&expected)));
                must(asked->is_head_out && asked->begun == 1);
        }
        must(++asked->answers == 1);
        it.tally.answered++;
        /* What a server says unasked while the next request is on its way to it cannot be told
         * from an answer to that (RFC 9112 9.2). It was meant for nobody, at least. */
        bool is_stray = str_is(message_field(answer, "X-Id"), "0");
        must(!is_stray || ++it.tally.strays_heard <= it.tally.strays);
        guest->is_foreign = is_stray || message_field(answer, "X-Id").ptr == NULL;
        if (is_stray)
                note("  a stray");
        else if (guest->is_foreign)
                check_own(asked, answer->status);
        else
                check_told(guest, answer, id);
        struct str verdict = message_field(answer, "WWW-Authenticate");
        if (str_starts(verdict, S("Test"))) {
                struct text expected = text_over((char[40]){0}, 40);
                text_format(&expected, "Test id=\"%u\"", id);
                must(str_eq(verdict, text_str(&expected)));
        }
        guest->has_last = answer->closes;
        if (asked->is_old && !str_is(message_field(answer, "Connection"), "keep-alive"))
                must(answer->closes);
        return strcmp(asked->method, "HEAD") == 0 || answer->status == 204 || answer->status == 304;
}

static bool on_head(void *owner, struct message *answer)
{
        struct guest *guest = owner;
        note("%p hears %u for %u", owner, answer->status, guest->count > 0 ? guest->ids[0] : 0);
        must(guest->count > 0 && !guest->has_last);
        if (answer->is_interim) {
                must(answer->status != 101 && !it.asked[guest->ids[0]].is_old);
                if (guest->count == 1 && guest->hold_at > 0) {
                        guest->hold_at = 0;
                        speak_soon(guest, some(10 * MS));
                }
                return true;
        }
        guest->response_at = 0;
        return on_final(guest, answer);
}

static void on_body(void *owner, struct message *answer, struct str bytes)
{
        struct guest *guest = owner;
        unsigned id = guest->ids[0];
        if (guest->is_foreign)
                return;
        const struct told *told = &it.asked[id].told[guest->turn];
        must(answer->got <= told->len);
        for (size_t i = 0; i < bytes.len; i++)
                must((uint8_t)bytes.ptr[i] ==
                     byte_of(id, 1 + guest->turn, answer->got - bytes.len + i));
}

static void on_over(void *owner, struct message *answer)
{
        struct guest *guest = owner;
        unsigned id = guest->ids[0];
        const struct told *told = &it.asked[id].told[guest->turn];
        bool is_head = strcmp(it.asked[id].method, "HEAD") == 0;
        note("%p heard all of %u: %llu bytes", owner, id, (unsigned long long)answer->got);
        if (!guest->is_foreign && told->is_checked && !is_head) {
                must(told->is_whole && answer->got == told->len);
        }
        if (guest->count == 1 && guest->out_at < guest->out.len) {
                /* Answered before it was all said: the rest makes no sense any more. */
                if (guest->hold_at > 0 || guest->has_last)
                        guest->out_at = guest->out.len;
                if (guest->hold_at > 0)
                        guest->has_last = true;
                guest->hold_at = 0;
        }
        guest->count--;
        memmove(guest->ids, guest->ids + 1, guest->count * sizeof guest->ids[0]);
        if (guest->has_last || (guest->count == 0 && guest->is_shut))
                guest->may_end = true;
        speak_soon(guest, some(20 * MS));
}

static const struct ear_ops ear_ops = {on_head, on_body, on_over};

/* ---- connections ---- */

static void up(struct sim_peer *peer)
{
        struct guest *guest = sim_owner(peer);
        guest->is_up = true;
        speak_soon(guest, some(50 * MS));
}

static void data(struct sim_peer *peer, const uint8_t *bytes, size_t len)
{
        struct guest *guest = sim_owner(peer);
        const char *fault = ear_feed(&guest->ear, bytes, len);
        if (fault != NULL)
                panic("seed %llu: a guest got %s:\n%.*s", (unsigned long long)it.seed, fault,
                      (int)len, (const char *)bytes);
        if (guest->peer != NULL && !it.is_calm && maybe(30)) {
                sim_pause(guest->peer, true);
                sim_after(it.sim, maybe(100) ? below(20 * SEC) : some(SEC), wake, guest);
        }
}

static void heard_end(struct sim_peer *peer)
{
        struct guest *guest = sim_owner(peer);
        note("%p hears the end", (void *)guest);
        ear_end(&guest->ear);
        if (it.is_perfect)
                must(guest->count == 0 || guest->has_last);
        hang_up(guest, maybe(100));
}

static void heard_down(struct sim_peer *peer, enum err err)
{
        struct guest *guest = sim_owner(peer);
        note("%p hears that it is down: %s", (void *)guest, err_text(err));
        if (it.is_perfect)
                must(guest->count == 0);
        hang_up(guest, true);
}

static const struct sim_script script = {
        .up = up, .data = data, .end = heard_end, .down = heard_down};

/* A connection is not kept for ever, however it goes. */
static void tire(void *arg)
{
        struct guest *guest = arg;
        if (guest->peer == NULL || sim_now(it.sim) < guest->deadline)
                return;
        if (it.is_perfect)
                must(guest->count == 0);
        if (!guest->is_deaf || it.is_over)
                hang_up(guest, maybe(512));
}

static void dial(void *arg)
{
        struct guest *guest = arg;
        struct addr gate_at;
        if (guest->dials == 0 || it.is_over)
                return;
        CHECK(addr_read(S("10.0.0.1:80"), &gate_at) == ERR_ok);
        *guest = (struct guest){.dials = guest->dials - 1,
                                .is_speaking = guest->is_speaking,
                                .ear.arena = &it.arena,
                                .depth = maybe(512) ? 1 : 1 + (unsigned)below(PIPE_MAX),
                                .pace = maybe(700) ? 0 : (unsigned)below(600),
                                .to_ask = 1 + (unsigned)below(10),
                                .deadline = sim_now(it.sim) + TIRED_NS};
        ear_init(&guest->ear, false, &ear_ops, guest);
        guest->peer = sim_dial(it.sim, &gate_at, &script, guest);
        sim_after(it.sim, TIRED_NS, tire, guest);
}

void guests_begin(void)
{
        guest_count = 1 + (unsigned)(it.is_tight ? some(GUESTS_MAX - 1) : below(12));
        if (it.is_calm && !it.is_perfect)
                guest_count = 3;
        memset(guests, 0, sizeof guests);
        for (unsigned i = 0; i < guest_count; i++) {
                guests[i].dials = 1 + (unsigned)below(5);
                sim_after(it.sim, some(SEC), dial, &guests[i]);
        }
}

/* Those who read nothing any more are the gate's to get rid of. */
bool guests_are_over(void)
{
        for (unsigned i = 0; i < guest_count; i++) {
                const struct guest *guest = &guests[i];
                bool is_gone = guest->peer == NULL && (guest->dials == 0 || it.is_over);
                if (!is_gone && !(guest->is_deaf && it.is_over))
                        return false;
        }
        return true;
}

void guests_end(void)
{
        for (unsigned i = 0; i < guest_count; i++)
                hang_up(&guests[i], false);
}
