/* rehearsal.c -- the gate in memory, its caller and its upstreams. */
#include "gate/rehearsal.h"
#include "gate/series.h"

#include "base/check.h"
#include "base/rand.h"
#include "gate/live.h"
#include "gate/trip.h"
#include "io/sim.h"
#include "record/count.h"
#include "roster/key.h"
#include "roster/roster.h"
#include "roster/seal.h"

#define SECOND_NS 1000000000u

enum {
        PAGES = 8192,
        CELLS = 4096,
        HEAD_MAX = 128 * 1024,
        HEARD_MAX = 4 << 20,
        LISTENERS_SHOWN = 64,
        PIECE = 16 * 1024,   /* of a request, sent at once */
        PIECE_NS = 1000000,  /* between them */
        PLAY_SECONDS = 900,  /* after which a request is given up */
        AFTER_NS = 50000000, /* for the last bytes to arrive */
        LAST_TURNS = 1000,
};

struct play;

struct rehearsal {
        struct gate gate;
        struct worker worker;
        struct worker *workers[1];
        struct sim *sim;
        struct loop *loop;
        struct arena arena;
        struct seal_secret secret;
        struct snapshot *snapshot;
        struct entrance *entrances[LISTENERS_SHOWN];
        int fds[LISTENERS_SHOWN];
        struct hearing hearing;
        struct play *play; /* the one in hand */
        struct addr upstream, elsewhere;
        bool is_whole;
};

/* One request on its way. */
struct play {
        struct rehearsal *rehearsal;
        const struct cue *cue;
        struct played *played;
        struct sim_peer *peer; /* the caller */
        struct text heard;
        bool is_over, has_ended;
};

static struct rehearsal *rehearsal_of(const struct exchange *ex)
{
        return container_of(worker_of(ex), struct rehearsal, worker);
}

/* ---- the site: the gateway's own, watched ---- */

static void on_note(struct hearing *hearing, uint16_t step, struct str text)
{
        struct rehearsal *rehearsal = container_of(hearing, struct rehearsal, hearing);
        struct played *played = rehearsal->play->played;
        if (step >= PLAYED_STEPS)
                return;
        struct str *note = &played->notes[step];
        if (note->len > 0)
                *note = arena_format(&rehearsal->arena, STR_FMT "; " STR_FMT, STR_ARG(*note),
                                     STR_ARG(text));
        else
                *note = arena_str(&rehearsal->arena, text);
}

/* The limit finds in its cell what was counted elsewhere. */
static void on_count(struct hearing *hearing, const struct limit_keys *keys, const struct who *who,
                     struct hash128 cell)
{
        struct rehearsal *rehearsal = container_of(hearing, struct rehearsal, hearing);
        const struct counted *counted = &rehearsal->play->cue->counted;
        struct gate *gate = &rehearsal->gate;
        if (counted->ahead_ns == NULL)
                return;
        uint64_t ahead = counted->ahead_ns(counted->arg, keys->identity, who);
        bucket_take(who->is_proved ? &gate->known : &gate->strangers, cell, &bucket_time, ahead,
                    loop_now(rehearsal->loop));
}

static void site_begin(struct exchange *ex)
{
        struct rehearsal *rehearsal = rehearsal_of(ex);
        ex->peer = rehearsal->play->cue->caller;
        gate_site.begin(ex);
        trip_of(ex)->hearing = &rehearsal->hearing;
}

static void site_run(struct exchange *ex)
{
        gate_site.run(ex);
}

static bool site_piece(struct exchange *ex, struct body *body, struct str bytes)
{
        return gate_site.piece(ex, body, bytes);
}

/* What the trip knows is copied before its memory goes. */
static void site_end(struct exchange *ex)
{
        struct rehearsal *rehearsal = rehearsal_of(ex);
        struct play *play = rehearsal->play;
        struct played *played = play->played;
        struct arena *arena = &rehearsal->arena;
        const struct trip *trip = trip_of(ex);
        played->route = trip->route;
        played->tier = trip->tier;
        played->asked = trip->walk.begun;
        played->is_stopped = trip->route != NULL && trip->walk.turn < trip->route->chain.count;
        played->is_own = trip->is_own;
        played->reason = ex->reason != REASON_none ? ex->reason : trip->outcome;
        played->detail = arena_str(arena, trip->words.detail);
        played->path = arena_str(arena, ex->req.head.target.path);
        played->consumer = arena_str(arena, trip->caller.consumer);
        played->identity = arena_str(arena, trip->caller.identity);
        if (trip->attempt.target != NULL && played->sent.len > 0)
                played->target = trip->attempt.target->url;
        play->is_over = true;
        gate_site.end(ex);
}

static void site_refuse(struct conn *conn, enum reason reason, struct str method, struct str target,
                        struct text *answer)
{
        struct rehearsal *rehearsal = container_of(conn->http, struct rehearsal, worker.http);
        rehearsal->play->played->reason = reason;
        rehearsal->play->played->is_own = true;
        gate_site.refuse(conn, reason, method, target, answer);
}

static const struct site site = {
        .name = "rehearsal",
        .begin = site_begin,
        .run = site_run,
        .end = site_end,
        .piece = site_piece,
        .refuse = site_refuse,
};

/* ---- upstreams ---- */

struct seat {
        struct rehearsal *rehearsal;
        struct text head;
        uint64_t left; /* of the body */
        bool is_elsewhere, in_body, is_chunked;
        char tail[5]; /* the last bytes of a chunked body */
};

struct str head_field(struct str head, struct str name)
{
        str_cut(&head, '\n');
        while (head.ptr != NULL) {
                struct str value = str_cut(&head, '\n'), field = str_cut(&value, ':');
                if (value.ptr == NULL || !str_eq_nocase(field, name))
                        continue;
                if (str_ends(value, S("\r")))
                        value.len--;
                return str_trim(value);
        }
        return STR_NONE;
}

/* What the API's server says: what it got, field by field. */
static void answer(struct sim_peer *peer, struct seat *seat)
{
        struct rehearsal *rehearsal = seat->rehearsal;
        struct text out = text_grow(&rehearsal->arena, 2 * HEAD_MAX);
        struct str head = text_str(&seat->head), rest = head;
        struct str line = str_cut(&rest, '\n'), method = str_cut(&line, ' ');
        struct str target = str_cut(&line, ' ');
        text_put(&out, S("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"));
        text_format(&out, "X-Got-Target: " STR_FMT "\r\n", STR_ARG(target));
        while (rest.len > 2) {
                struct str field = str_cut(&rest, '\n');
                if (field.len > 1)
                        text_format(&out, "X-Got-" STR_FMT "\n", STR_ARG(field));
        }
        text_put(&out, S("\r\n"));
        if (!str_is(method, "HEAD"))
                text_put(&out, S("hello"));
        sim_send(peer, out.at, out.len);
}

static void request_over(struct sim_peer *peer, struct seat *seat)
{
        struct played *played = seat->rehearsal->play->played;
        if (seat->is_elsewhere) {
                const char *yes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                played->questions++;
                sim_send(peer, yes, strlen(yes));
        } else {
                played->sent = text_str(&seat->head);
                answer(peer, seat);
        }
        seat->head = text_grow(&seat->rehearsal->arena, HEAD_MAX);
        seat->in_body = false;
}

static void head_over(struct sim_peer *peer, struct seat *seat)
{
        struct str head = text_str(&seat->head);
        struct str length = head_field(head, S("Content-Length"));
        seat->left = 0;
        seat->is_chunked = head_field(head, S("Transfer-Encoding")).len > 0;
        if (length.len > 0 && str_to_u64(length, &seat->left) != ERR_ok)
                seat->left = 0;
        seat->in_body = seat->is_chunked || seat->left > 0;
        memset(seat->tail, 0, sizeof seat->tail);
        if (!seat->in_body)
                request_over(peer, seat);
}

/* What the gate writes is canonical, so that the end of a body is easily seen. */
static void take_byte(struct sim_peer *peer, struct seat *seat, char byte)
{
        if (!seat->in_body) {
                text_char(&seat->head, byte);
                if (byte == '\n' && str_ends(text_str(&seat->head), S("\r\n\r\n")))
                        head_over(peer, seat);
                return;
        }
        memmove(seat->tail, seat->tail + 1, sizeof seat->tail - 1);
        seat->tail[sizeof seat->tail - 1] = byte;
        bool is_last = seat->is_chunked ? memcmp(seat->tail, "0\r\n\r\n", 5) == 0
                                        : --seat->left == 0;
        if (is_last)
                request_over(peer, seat);
}

static void server_data(struct sim_peer *peer, const uint8_t *bytes, size_t len)
{
        for (size_t i = 0; i < len; i++)
                take_byte(peer, sim_owner(peer), (char)bytes[i]);
}

static void take_seat(struct sim_peer *peer, bool is_elsewhere)
{
        struct rehearsal *rehearsal = sim_owner(peer);
        struct seat *seat = arena_new(&rehearsal->arena, struct seat);
        seat->rehearsal = rehearsal;
        seat->is_elsewhere = is_elsewhere;
        seat->head = text_grow(&rehearsal->arena, HEAD_MAX);
        sim_set_owner(peer, seat);
}

static void server_up(struct sim_peer *peer)
{
        take_seat(peer, false);
}

static void elsewhere_up(struct sim_peer *peer)
{
        take_seat(peer, true);
}

static void hang_up(struct sim_peer *peer)
{
        sim_close(peer);
}

static void went_down(struct sim_peer *peer, enum err err)
{
        (void)err;
        sim_close(peer);
}

static const struct sim_script server_script = {
        .up = server_up, .data = server_data, .end = hang_up, .down = went_down};
static const struct sim_script elsewhere_script = {
        .up = elsewhere_up, .data = server_data, .end = hang_up, .down = went_down};

/* The first target that gets requests at all. */
static uint32_t first_target(const struct upstream *upstream)
{
        uint32_t i = 0;
        while (i + 1 < upstream->target_count && upstream->targets[i].weight == 0)
                i++;
        return i;
}

/* Names become an address of the simulated world; what is shown of a target stays. Where all
 * upstreams answer, the first target does, so that the same request always goes the same way. */
static void lead_upstream(struct rehearsal *rehearsal, struct upstream *upstream)
{
        bool is_asked = str_starts(upstream->name, S("ask:"));
        struct upstream_target *targets = arena_array(&rehearsal->arena, struct upstream_target,
                                                      upstream->target_count);
        for (uint32_t i = 0; i < upstream->target_count; i++) {
                struct addr addr;
                targets[i] = upstream->targets[i];
                if (!rehearsal->is_whole && addr_read_ip(targets[i].host, 1, &addr) == ERR_ok)
                        continue;
                targets[i].host = is_asked ? S("10.0.1.2") : S("10.0.1.1");
                targets[i].port = 80;
        }
        if (rehearsal->is_whole) {
                targets[0] = targets[first_target(upstream)];
                upstream->target_count = 1;
        }
        upstream->targets = targets;
}

/* ---- the gate ---- */

static void on_retire(void *arg, void *value, uint64_t number)
{
        struct rehearsal *rehearsal = arg;
        struct snapshot *snapshot = value;
        (void)number;
        live_release(rehearsal->gate.live, snapshot->upstreams, snapshot->upstream_count);
        series_release_all(rehearsal->gate.counts, snapshot);
        snapshot_free(snapshot);
}

static void no_post(void *arg)
{
        (void)arg;
}

static void make_table(struct rehearsal *rehearsal, struct bucket_table *table)
{
        size_t size = bucket_size(CELLS);
        char *memory = arena_zero(&rehearsal->arena, 1, size + 2 * CACHE_LINE);
        memory += -(uintptr_t)memory & (2 * CACHE_LINE - 1);
        CHECK(bucket_init(memory, size) == ERR_ok);
        CHECK(bucket_map(memory, size, table) == ERR_ok);
}

static void make_gate(struct rehearsal *rehearsal, const struct bundle *bundle)
{
        struct gate *gate = &rehearsal->gate;
        struct pin_calls calls = {NULL, no_post, on_retire, NULL, rehearsal};
        uint8_t secret[SEAL_SECRET_SIZE];
        rehearsal->sim = sim_make(1);
        rehearsal->loop = loop_make(&driver_sim, PAGES);
        rand_bytes(secret, sizeof secret);
        seal_secret_init(&rehearsal->secret, secret);
        gate->policies = bundle->policies;
        gate->proofs = bundle->proofs;
        gate->board = pin_board_make(&calls, 1);
        gate->roster = roster_make(&rehearsal->secret, 1);
        gate->counts = count_board_make(1);
        make_table(rehearsal, &gate->known);
        make_table(rehearsal, &gate->strangers);
        rehearsal->workers[0] = &rehearsal->worker;
        gate->workers = rehearsal->workers;
        gate->worker_count = 1;
        gate->instance = S("rehearsal");
        gate->live = live_make(rehearsal->loop, NULL, gate->workers, 1);
        worker_init(&rehearsal->worker, gate, 0, rehearsal->loop);
}

static void unmake_gate(struct rehearsal *rehearsal)
{
        struct gate *gate = &rehearsal->gate;
        struct worker *worker = &rehearsal->worker;
        for (size_t i = 0; i < countof(rehearsal->entrances); i++) {
                if (rehearsal->entrances[i] == NULL)
                        continue;
                entrance_shut(rehearsal->entrances[i]);
                rehearsal->loop->driver->close(rehearsal->loop->world, rehearsal->fds[i], false);
        }
        worker_abort(worker);
        for (int turn = 0; turn < LAST_TURNS && !worker_is_empty(worker); turn++)
                loop_turn(rehearsal->loop, 0);
        worker_fini(worker);
        loop_turn(rehearsal->loop, 0);
        pin_board_free(gate->board);
        loop_turn(rehearsal->loop, 0);
        live_free(gate->live);
        count_board_free(gate->counts);
        roster_free(gate->roster);
        loop_free(rehearsal->loop);
        sim_free(rehearsal->sim);
        seal_secret_fini(&rehearsal->secret);
}

static void publish(struct rehearsal *rehearsal)
{
        struct snapshot *snapshot = rehearsal->snapshot;
        struct gate *gate = &rehearsal->gate;
        for (uint32_t i = 0; i < snapshot->upstream_count; i++)
                lead_upstream(rehearsal, snapshot->upstreams[i]);
        CHECK(compile_roster(snapshot->config, gate->roster, &rehearsal->secret) == ERR_ok);
        live_hold(gate->live, snapshot->upstreams, snapshot->upstream_count);
        series_hold_all(gate->counts, snapshot);
        snapshot->number = pin_publish(gate->board, snapshot);
        for (int i = 0; i < 4; i++)
                loop_turn(rehearsal->loop, 0);
        CHECK(addr_read(S("10.0.1.1:80"), &rehearsal->upstream) == ERR_ok);
        CHECK(addr_read(S("10.0.1.2:80"), &rehearsal->elsewhere) == ERR_ok);
        sim_serve(rehearsal->sim, &rehearsal->upstream, &server_script, rehearsal);
        sim_serve(rehearsal->sim, &rehearsal->elsewhere, &elsewhere_script, rehearsal);
}

struct rehearsal *rehearsal_make(struct bundle *bundle, bool is_whole)
{
        struct arena arena;
        arena_init(&arena, NULL, SIZE_MAX / 2);
        struct rehearsal *rehearsal = arena_new(&arena, struct rehearsal);
        rehearsal->arena = arena;
        rehearsal->is_whole = is_whole;
        rehearsal->hearing.note = on_note;
        rehearsal->hearing.count = on_count;
        make_gate(rehearsal, bundle);
        rehearsal->snapshot = bundle_compile(bundle, &rehearsal->gate);
        if (rehearsal->snapshot == NULL) {
                unmake_gate(rehearsal);
                arena = rehearsal->arena;
                arena_fini(&arena);
                return NULL;
        }
        publish(rehearsal);
        return rehearsal;
}

void rehearsal_free(struct rehearsal *rehearsal)
{
        unmake_gate(rehearsal);
        struct arena arena = rehearsal->arena;
        arena_fini(&arena);
}

const struct snapshot *rehearsal_snapshot(const struct rehearsal *rehearsal)
{
        return rehearsal->snapshot;
}

struct str rehearsal_key(struct rehearsal *rehearsal, struct str consumer)
{
        char memory[KEY_MADE_SIZE_MAX];
        struct text key = text_over(memory, sizeof memory);
        key_make(S("rehearsal"), &key);
        struct roster_key entry = {
                .seal = seal_make(&rehearsal->secret, text_str(&key)),
                .consumer = consumer,
                .id = S("rehearsal"),
                .display = S("(--as)"),
        };
        if (roster_put_key(rehearsal->gate.roster, &entry) != ERR_ok)
                return STR_NONE;
        return arena_str(&rehearsal->arena, text_str(&key));
}

/* ---- the caller ---- */

static void caller_data(struct sim_peer *peer, const uint8_t *bytes, size_t len)
{
        struct play *play = sim_owner(peer);
        text_put(&play->heard, str_from((const char *)bytes, len));
}

static void caller_end(struct sim_peer *peer)
{
        ((struct play *)sim_owner(peer))->has_ended = true;
}

static void caller_down(struct sim_peer *peer, enum err err)
{
        (void)err;
        ((struct play *)sim_owner(peer))->has_ended = true;
}

static const struct sim_script caller_script = {
        .data = caller_data, .end = caller_end, .down = caller_down};

/* The way in of a listener, made when it is first needed. NULL: that is one too many. */
static struct entrance *entrance_of(struct rehearsal *rehearsal, uint32_t listener)
{
        char memory[ADDR_TEXT_MAX];
        struct text text = text_over(memory, sizeof memory);
        if (listener >= LISTENERS_SHOWN || listener >= rehearsal->snapshot->listener_count)
                return NULL;
        if (rehearsal->entrances[listener] != NULL)
                return rehearsal->entrances[listener];
        struct entrance *entrance = worker_new_entrance(&rehearsal->worker);
        text_format(&text, "10.0.0.%u:80", listener + 1);
        CHECK(addr_read(text_str(&text), &entrance->address) == ERR_ok);
        entrance->name = rehearsal->snapshot->listeners[listener].name;
        entrance->site = &site;
        rehearsal->fds[listener] = sim_listen(rehearsal->sim, &entrance->address);
        CHECK(worker_enter(&rehearsal->worker, entrance, rehearsal->fds[listener]) == ERR_ok);
        rehearsal->entrances[listener] = entrance;
        return entrance;
}

static void run_for(struct rehearsal *rehearsal, uint64_t ns)
{
        uint64_t until = sim_now(rehearsal->sim) + ns;
        while (sim_now(rehearsal->sim) < until)
                loop_turn(rehearsal->loop, until - sim_now(rehearsal->sim));
}

/* As a caller does that looks whether there is an answer before it sends on. */
static void send_request(struct play *play)
{
        struct str rest = play->cue->request;
        while (rest.len > 0 && play->heard.len == 0 && !play->has_ended) {
                struct str piece = str_first(rest, PIECE);
                sim_send(play->peer, piece.ptr, piece.len);
                rest = str_skip(rest, piece.len);
                if (rest.len > 0)
                        run_for(play->rehearsal, PIECE_NS);
        }
}

/* Takes the answer apart: heads that are no last word are passed over. */
static void read_answer(struct str heard, struct played *played)
{
        for (;;) {
                ptrdiff_t end = str_find_str(heard, S("\r\n\r\n"));
                uint64_t status = 0;
                if (end < 0 || !str_starts(heard, S("HTTP/1.1 ")) ||
                    str_to_u64(str_first(str_skip(heard, 9), 3), &status) != ERR_ok)
                        return;
                played->head = str_first(heard, (size_t)end);
                heard = str_skip(heard, (size_t)end + 4);
                if (status < 200)
                        continue;
                played->status = (uint16_t)status;
                played->body = heard;
                return;
        }
}

void rehearsal_play(struct rehearsal *rehearsal, const struct cue *cue, struct played *ret_played)
{
        struct play play = {.rehearsal = rehearsal, .cue = cue, .played = ret_played};
        struct entrance *entrance = entrance_of(rehearsal, cue->listener);
        *ret_played = (struct played){0};
        if (entrance == NULL)
                return;
        entrance->is_secure = cue->is_secure;
        entrance->takes_tls = false; /* what is rehearsed is what follows a handshake */
        rehearsal->play = &play;
        play.heard = text_grow(&rehearsal->arena, HEARD_MAX);
        play.peer = sim_dial(rehearsal->sim, &entrance->address, &caller_script, &play);
        send_request(&play);
        uint64_t until = sim_now(rehearsal->sim) + (uint64_t)PLAY_SECONDS * SECOND_NS;
        while (!play.is_over && !play.has_ended && sim_now(rehearsal->sim) < until)
                loop_turn(rehearsal->loop, until - sim_now(rehearsal->sim));
        run_for(rehearsal, AFTER_NS);
        sim_close(play.peer);
        for (int turn = 0; turn < LAST_TURNS && rehearsal->worker.http.exchange_count > 0; turn++)
                run_for(rehearsal, AFTER_NS);
        read_answer(text_str(&play.heard), ret_played);
        rehearsal->play = NULL;
}
