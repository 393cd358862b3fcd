/* tunnel.c -- a close frame may be put between any two frames of a direction, and nowhere else: so
 * where frames end is followed all the time, which costs a few instructions for each of them. What
 * is no frame is passed as it is, unless messages are to be counted. */
#include "gate/tunnel.h"

#include "base/check.h"
#include "base/rand.h"

/* How long the two ends may take to part once they were told. */
#define GRACE_NS 5000000000u

enum { CALLER, SERVER }; /* who speaks on a way */

/* ---- the handshake ---- */

static bool has(const struct texts *texts, struct str name)
{
        for (size_t i = 0; texts != NULL && i < texts->count; i++) {
                if (str_eq_nocase(texts->at[i], name))
                        return true;
        }
        return false;
}

static bool is_allowed(const struct terms *terms, struct str protocol)
{
        return has(terms->upgrades, protocol) &&
               (terms->upgrades_floor == NULL || has(terms->upgrades_floor, protocol));
}

bool tunnel_is_websocket(struct str list)
{
        while (list.ptr != NULL) {
                if (str_eq_nocase(list_cut(&list), S("websocket")))
                        return true;
        }
        return false;
}

static bool refuse(struct exchange *ex, struct trip *trip, enum reason reason, struct str detail)
{
        trip->words.detail = detail;
        answer_problem(ex, trip, reason);
        return false;
}

/* RFC 6455 4.2.1, as far as the codec has not seen to it. */
static bool is_handshake(struct exchange *ex, struct trip *trip)
{
        const struct fields *fields = &ex->req.head.fields;
        if (ex->req.head.method != METHOD_GET || ex->req.body.length != 0)
                return refuse(ex, trip, REASON_bad_request,
                              S("A WebSocket begins with GET and without a body."));
        if (fields_count(fields, NAME_sec_websocket_version) != 1 ||
            !str_is(fields_value(fields, NAME_sec_websocket_version), "13")) {
                ex_answer_field(ex, NAME_sec_websocket_version, S("13"));
                refuse(ex, trip, REASON_upgrade_required, S("WebSocket is spoken in version 13."));
                ex->res.head.upgrade = S("websocket"); // RFC 9110 15.5.22
                return false;
        }
        if (!ws_key_is_good(fields_value(fields, NAME_sec_websocket_key)))
                return refuse(ex, trip, REASON_bad_request,
                              S("Sec-WebSocket-Key is not 16 bytes in base64."));
        return true;
}

bool tunnel_ask(struct exchange *ex, struct trip *trip)
{
        const struct terms *terms = &trip->route->terms;
        struct head *head = &ex->req.head;
        struct str rest = head->upgrade;
        if (tunnel_is_websocket(head->upgrade)) {
                head->upgrade = S("websocket");
                if (!terms->has_websocket)
                        return refuse(ex, trip, REASON_not_allowed,
                                      S("WebSocket is not offered here."));
                return is_handshake(ex, trip);
        }
        /* Whoever is not understood is answered as if it had not asked (RFC 9110 7.8). */
        head->upgrade = STR_NONE;
        while (rest.ptr != NULL && head->upgrade.len == 0 && ex->req.body.length == 0) {
                struct str protocol = list_cut(&rest);
                if (is_allowed(terms, protocol))
                        head->upgrade = protocol;
        }
        return true;
}

/* ---- ending ---- */

static struct str close_frame(enum ws_code code, bool is_masked, char memory[WS_CLOSE_MAX])
{
        struct text text = text_over(memory, WS_CLOSE_MAX);
        ws_put_close(code, is_masked, &text);
        return str_from(memory, text.len);
}

/* What waits in the body leaves first. */
static void end_way(struct tunnel *tunnel, struct way *way, bool says_so)
{
        char memory[WS_CLOSE_MAX];
        bool is_to_server = way == &tunnel->ways[CALLER];
        way->is_ended = true;
        way->body->is_watched = false;
        if (way->body->is_complete)
                return;
        if (says_so && !way->frames.is_closed)
                exchange_push(tunnel->ex, way->body,
                              close_frame(tunnel->code, is_to_server, memory));
        exchange_push_end(tunnel->ex, way->body);
}

/* Both ends are told, each between two frames of its own; who does not part then is parted. */
static void close_tunnel(struct tunnel *tunnel, enum ws_code code, enum reason reason)
{
        struct trip *trip = trip_of(tunnel->ex);
        struct loop *loop = tunnel->ex->http->loop;
        if (tunnel->is_closing)
                return;
        tunnel->is_closing = true;
        tunnel->code = code;
        if (trip->outcome == REASON_none)
                trip->outcome = reason;
        timer_set(loop, &tunnel->timer, loop_now(loop) + GRACE_NS);
        for (int i = 0; i < 2; i++) {
                struct way *way = &tunnel->ways[i];
                bool is_lost = !tunnel->is_websocket || way->frames.fault == WS_FAULT_FRAME;
                if (!way->is_ended && (is_lost || ws_frames_are_whole(&way->frames)))
                        end_way(tunnel, way, !is_lost);
        }
}

static void on_timer(struct timer *timer)
{
        struct tunnel *tunnel = container_of(timer, struct tunnel, timer);
        struct exchange *ex = tunnel->ex;
        uint64_t now = loop_now(ex->http->loop), rests_until = tunnel->heard + tunnel->idle_ns;
        if (tunnel->is_closing)
                exchange_fault(ex, trip_of(ex)->outcome);
        else if (tunnel->life_due <= now)
                close_tunnel(tunnel, WS_GOING_AWAY, REASON_stream_life);
        else if (tunnel->drain_due <= now)
                close_tunnel(tunnel, WS_GOING_AWAY, REASON_draining);
        else if (rests_until <= now)
                close_tunnel(tunnel, WS_GOING_AWAY, REASON_stream_idle);
        else
                timer_set(ex->http->loop, timer,
                          u64_min(rests_until, u64_min(tunnel->life_due, tunnel->drain_due)));
}

/* ---- a piece passes ---- */

/* The message that begins at the end of `before` is refused. Without a place between two frames,
 * because the head of the bad one came in pieces, the direction just ends. */
static void refuse_message(struct tunnel *tunnel, struct way *way, struct str before, bool is_whole)
{
        bool is_size = way->frames.fault == WS_FAULT_SIZE;
        tunnel->code = is_size ? WS_TOO_BIG : WS_PROTOCOL_ERROR;
        way->body->is_watched = false;
        if (is_whole)
                exchange_push(tunnel->ex, way->body, before);
        end_way(tunnel, way, is_whole);
        close_tunnel(tunnel, tunnel->code,
                     is_size ? REASON_message_too_large : REASON_message_invalid);
}

bool tunnel_piece(struct exchange *ex, struct body *body, struct str bytes)
{
        struct tunnel *tunnel = trip_of(ex)->tunnel;
        struct way *way = &tunnel->ways[body == &ex->req.body ? CALLER : SERVER];
        struct ws_frames *frames = &way->frames;
        bool is_whole = ws_frames_are_whole(frames);
        size_t at = 0, whole_at = 0;
        tunnel->heard = loop_now(ex->http->loop);
        if (!tunnel->is_websocket)
                return true;
        while (at < bytes.len && frames->fault == WS_FAULT_NONE) {
                at += ws_frames_read(frames, str_skip(bytes, at));
                if (!ws_frames_are_whole(frames))
                        continue;
                is_whole = true;
                whole_at = at;
                if (tunnel->is_closing)
                        break;
        }
        if (frames->fault != WS_FAULT_NONE && frames->message_max > 0) {
                refuse_message(tunnel, way, str_first(bytes, whole_at), is_whole);
                return false;
        }
        if (!tunnel->is_closing || !ws_frames_are_whole(frames))
                return true;
        way->body->is_watched = false;
        exchange_push(ex, body, str_first(bytes, at));
        end_way(tunnel, way, true);
        return false;
}

/* ---- its life ---- */

/* In a drain streams go on for most of the time there is, and then not all at once. */
static uint64_t drain_due(const struct worker *worker, uint64_t now)
{
        uint64_t left = worker->streams_end > now ? worker->streams_end - now : 0;
        if (worker->streams_end == TIMER_NEVER)
                return TIMER_NEVER;
        return now + left / 4 * 3 + rand_below(left / 8 + 1);
}

static struct tunnel *of(struct list *node)
{
        return list_entry(node, struct tunnel, node);
}

void worker_end_streams(struct worker *worker, uint64_t within_ns)
{
        uint64_t now = loop_now(worker->http.loop);
        worker->streams_end = u64_min(worker->streams_end, now + within_ns);
        list_each_safe (node, &worker->streams) {
                struct tunnel *tunnel = of(node);
                tunnel->drain_due = drain_due(worker, now);
                if (!tunnel->is_closing && tunnel->drain_due < tunnel->timer.due)
                        timer_set(worker->http.loop, &tunnel->timer, tunnel->drain_due);
        }
}

void tunnel_begin(struct exchange *ex, struct trip *trip)
{
        const struct terms *terms = &trip->route->terms;
        struct worker *worker = worker_of(ex);
        struct tunnel *tunnel = arena_new(&ex->arena, struct tunnel);
        uint64_t now = loop_now(ex->http->loop);
        tunnel->ex = ex;
        tunnel->heard = now;
        tunnel->idle_ns = (uint64_t)terms->stream_idle_ns;
        tunnel->life_due = exchange_due(ex, (uint64_t)terms->stream_life_ns);
        tunnel->drain_due = drain_due(worker, now);
        tunnel->is_websocket = str_is(ex->req.head.upgrade, "websocket");
        tunnel->ways[CALLER].body = &ex->req.body;
        tunnel->ways[CALLER].frames.is_masked = true;
        tunnel->ways[SERVER].body = &ex->res.body;
        for (int i = 0; i < 2; i++) {
                tunnel->ways[i].body->is_watched = true;
                tunnel->ways[i].frames.message_max = (uint64_t)terms->message_max;
        }
        list_push(&worker->streams, &tunnel->node);
        ex->http->stream_count++;
        trip->tunnel = tunnel;
        if (trip->clocks != NULL)
                timer_clear(&trip->clocks->total);
        timer_init(&tunnel->timer, on_timer);
        timer_set(ex->http->loop, &tunnel->timer,
                  u64_min(now + tunnel->idle_ns, u64_min(tunnel->life_due, tunnel->drain_due)));
}

void tunnel_end(struct trip *trip)
{
        struct tunnel *tunnel = trip->tunnel;
        if (tunnel == NULL)
                return;
        timer_stop(&tunnel->timer);
        list_remove(&tunnel->node);
        tunnel->ex->http->stream_count--;
}
