/* admin.c -- visits: who may ask, for what, reading the body, sending the answer. */
#include "admin/admin_int.h"
#include "admin/exposition.h"
#include "base/check.h"
#include "wire/accept.h"
#include "wire/cidr.h"
#include "wire/date.h"
#include "wire/unit.h"

enum { PIECE_SIZE = EXPOSITION_PIECE_MIN, WAITING_MAX = 16 * 1024 };

#define ADMIN_HEADER_NS (10 * SECOND)
#define ADMIN_IDLE_NS   (60 * SECOND)
#define ADMIN_LINGER_NS (2 * SECOND)
#define ADMIN_STALL_NS  (30 * SECOND)

enum { ANYWHERE = false, SOCKET = true, NOTHING = false, BODY = true };

static const struct resource resources[] = {
#define ADMIN(method, path, door, takes, serve, help)                                              \
        {path, METHOD_##method, door, takes, serve_##serve},
#include "admin/admin.def"
#undef ADMIN
};

/* ---- answering ---- */

static struct str date_of(struct admin *admin)
{
        uint64_t second = loop_wall(admin->http.loop) / SECOND;
        if (second != admin->date_second) {
                struct text text = text_over(admin->date, sizeof admin->date);
                date_write_http((int64_t)second, &text);
                admin->date_second = second;
        }
        return str_from(admin->date, DATE_HTTP_LENGTH);
}

static struct fields *begin_head(struct visit *visit, uint16_t status)
{
        struct head *head = &visit->ex->res.head;
        CHECK(visit->stage < VISIT_STREAM);
        head->status = status;
        fields_init(&head->fields, visit_arena(visit), 8);
        fields_add_known(&head->fields, NAME_date,
                         arena_str(visit_arena(visit), date_of(visit->admin)));
        fields_add(&head->fields, S("X-Content-Type-Options"), S("nosniff"));
        return &head->fields;
}

static void send_whole(struct visit *visit, struct str body)
{
        struct exchange *ex = visit->ex;
        visit->stage = VISIT_SENT;
        body_fill(&ex->res.body, body);
        exchange_send(ex, &ex->front);
}

void visit_answer(struct visit *visit, uint16_t status, struct str type, struct str body)
{
        struct fields *fields = begin_head(visit, status);
        fields_add_known(fields, NAME_content_type, type);
        fields_add_known(fields, NAME_cache_control, S("no-store"));
        send_whole(visit, body);
}

void visit_problem(struct visit *visit, const struct problem *problem)
{
        struct fields *fields = begin_head(visit, problem_status(problem));
        struct text body = text_grow(visit_arena(visit), BODY_HELD_MAX / 2);
        problem_put(problem, PROBLEM_JSON, &body);
        fields_add_known(fields, NAME_content_type, problem_type(PROBLEM_JSON));
        fields_add_known(fields, NAME_cache_control, S("no-store"));
        if (problem->reason == REASON_method_not_allowed)
                fields_add_known(fields, NAME_allow, problem->members[0].text);
        send_whole(visit, text_str(&body));
}

void visit_deny(struct visit *visit, enum reason reason, const char *format, ...)
{
        va_list args;
        va_start(args, format);
        struct problem problem = {
                .reason = reason,
                .detail = arena_vformat(visit_arena(visit), format, args),
        };
        va_end(args);
        visit_problem(visit, &problem);
}

void visit_err(struct visit *visit, enum err err)
{
        struct problem problem = {.reason = REASON_bad_request, .detail = str_of(err_text(err))};
        switch (err) {
        case ERR_missing:
                problem.reason = REASON_not_found;
                break;
        case ERR_exists:
                problem.status = 409;
                problem.code = S("conflict");
                problem.title = S("This is taken by another one");
                break;
        case ERR_limit:
        case ERR_memory:
                problem.status = 507;
                problem.code = S("limit");
                problem.title = S("There is no room for it");
                break;
        case ERR_syntax:
        case ERR_range:
                problem.status = 422;
                problem.code = S("invalid");
                problem.title = S("A value is not as it must be");
                break;
        default:
                problem.reason = REASON_fault;
                break;
        }
        visit_problem(visit, &problem);
}

void visit_stream(struct visit *visit, struct str type, visit_next_fn *next, void *maker)
{
        struct fields *fields = begin_head(visit, 200);
        fields_add_known(fields, NAME_content_type, type);
        fields_add_known(fields, NAME_cache_control, S("no-store"));
        visit->stage = VISIT_STREAM;
        visit->next = next;
        visit->maker = maker;
        exchange_send(visit->ex, &visit->ex->front);
        exchange_resume(visit->ex);
}

/* As much of the answer as the caller takes now. */
static void pump(struct visit *visit)
{
        struct exchange *ex = visit->ex;
        while (body_waiting(&ex->res.body) < WAITING_MAX) {
                struct text out = text_over(visit->admin->piece, PIECE_SIZE);
                bool has_more = visit->next(visit, &out);
                CHECK(!out.is_cut);
                exchange_push(ex, &ex->res.body, text_str(&out));
                if (!has_more) {
                        visit->stage = VISIT_SENT;
                        exchange_push_end(ex, &ex->res.body);
                        return;
                }
                if (out.len == 0)
                        return;
        }
}

/* ---- arriving ---- */

/* A browser can be made to send requests here under any name that somebody's DNS gives this
 * address, but not under an address or a name of this machine (security.md row 297). */
static bool is_our_name(const struct visit *visit, struct str host)
{
        uint8_t bytes[16];
        struct str bare = host;
        if (bare.len > 2 && bare.ptr[0] == '[')
                bare = str_from(bare.ptr + 1, bare.len - 2);
        return host_is_loopback(bare) || ip_read(bare, bytes) == ERR_ok ||
               str_eq_nocase(host, visit->door->host);
}

/* True for what came through this very gate: an API whose upstream is our own address. */
static bool is_our_own(const struct visit *visit)
{
        struct fields_walk walk = {.fields = &visit->ex->req.head.fields, .id = NAME_via};
        struct str instance = visit->admin->gate->instance, member;
        while (fields_member(&walk, &member)) {
                if (instance.len > 0 && str_ends(member, instance))
                        return true;
        }
        return false;
}

/* True when it was answered. */
static bool refuse_stranger(struct visit *visit)
{
        const struct head *head = &visit->ex->req.head;
        struct str origin = fields_value(&head->fields, NAME_origin);
        if (!visit->door->is_socket && head->host.len > 0 && !is_our_name(visit, head->host)) {
                visit_deny(visit, REASON_wrong_host,
                           "Ask for localhost, an address, or the name in `admin.address`.");
                return true;
        }
        if (origin.ptr != NULL) {
                visit_deny(visit, REASON_not_allowed, "Web pages may not ask here.");
                return true;
        }
        if (is_our_own(visit)) {
                visit_deny(visit, REASON_not_allowed, "The gate does not offer its admin.");
                return true;
        }
        return false;
}

/* Compares segment by segment; {name} takes one, which must decode to something. */
static bool path_fits(struct visit *visit, const char *template, struct str path)
{
        struct str want = str_of(template);
        while (want.ptr != NULL || path.ptr != NULL) {
                if (want.ptr == NULL || path.ptr == NULL)
                        return false;
                struct str wanted = str_cut(&want, '/'), given = str_cut(&path, '/');
                if (!str_is(wanted, "{name}")) {
                        if (!str_eq(wanted, given))
                                return false;
                } else if (percent_decode(given, false, visit_arena(visit), &visit->name) !=
                                   ERR_ok ||
                           visit->name.len == 0) {
                        return false;
                }
        }
        return true;
}

/* The first of the resources at this path. */
static const struct resource *find_path(struct visit *visit)
{
        struct str path = visit->ex->req.head.target.path;
        for (size_t i = 0; i < countof(resources); i++) {
                if (path_fits(visit, resources[i].path, path))
                        return &resources[i];
        }
        return NULL;
}

static bool is_same_path(const struct resource *a, const struct resource *b)
{
        return b < resources + countof(resources) && str_is(str_of(a->path), b->path);
}

static void refuse_method(struct visit *visit, const struct resource *first)
{
        char memory[64];
        struct text allow = text_over(memory, sizeof memory);
        for (const struct resource *at = first; is_same_path(first, at); at++) {
                if (at != first)
                        text_put(&allow, S(", "));
                text_put(&allow, method_text(at->method));
                if (at->method == METHOD_GET)
                        text_put(&allow, S(", HEAD"));
        }
        struct problem_member member = {"allow", arena_str(visit_arena(visit), text_str(&allow)),
                                        false};
        struct problem problem = {
                .reason = REASON_method_not_allowed, .members = &member, .member_count = 1};
        visit_problem(visit, &problem);
}

static const struct resource *find_method(const struct visit *visit, const struct resource *first)
{
        enum method method = visit->ex->req.head.method;
        if (method == METHOD_HEAD)
                method = METHOD_GET;
        for (const struct resource *at = first; is_same_path(first, at); at++) {
                if (at->method == method)
                        return at;
        }
        return NULL;
}

static bool has_json(const struct visit *visit)
{
        struct str type = fields_value(&visit->ex->req.head.fields, NAME_content_type);
        struct str media = str_trim(str_cut(&type, ';'));
        return str_eq_nocase(media, S("application/json"));
}

/* A page that tricks a browser into a POST cannot set this type without asking first. */
static bool refuse_body(struct visit *visit)
{
        struct exchange *ex = visit->ex;
        if (!visit->resource->takes_body)
                return false;
        if (!has_json(visit)) {
                struct problem problem = {
                        .reason = REASON_bad_request,
                        .status = 415,
                        .code = S("unsupported-media-type"),
                        .title = S("This takes application/json"),
                };
                visit_problem(visit, &problem);
                return true;
        }
        if (ex->req.body.length != BODY_LENGTH_UNKNOWN && ex->req.body.length > ADMIN_BODY_MAX) {
                visit_deny(visit, REASON_body_too_large, "At most %d bytes.", ADMIN_BODY_MAX);
                return true;
        }
        return false;
}

static void arrive(struct visit *visit)
{
        struct exchange *ex = visit->ex;
        if (refuse_stranger(visit))
                return;
        const struct resource *first = find_path(visit);
        if (first == NULL) {
                visit_deny(visit, REASON_not_found, "%s", "");
                return;
        }
        if (first->needs_socket && !visit->door->is_socket) {
                visit_deny(visit, REASON_not_allowed,
                           "This address is read only; ask over the admin socket.");
                return;
        }
        visit->resource = find_method(visit, first);
        if (visit->resource == NULL) {
                refuse_method(visit, first);
                return;
        }
        if (refuse_body(visit))
                return;
        visit->stage = VISIT_BODY;
        if (ex->req.head.expects_continue) {
                ex->res.head.status = 100;
                ex->front.codec->interim(ex, &ex->front);
        }
}

/* ---- the request's body ---- */

/* Takes what came of it; what it does not want is thrown away. */
static void sink_body(struct exchange *ex, struct end *end)
{
        struct visit *visit = ex->trip;
        struct body *body = &ex->req.body;
        struct str piece;
        (void)end;
        while ((piece = body_peek(body)).len > 0) {
                if (visit->body_len + piece.len > ADMIN_BODY_MAX) {
                        body->is_discarded = true;
                        exchange_fault(ex, REASON_body_too_large);
                        return;
                }
                if (visit->body == NULL)
                        visit->body = arena_alloc(&ex->arena, ADMIN_BODY_MAX);
                memcpy(visit->body + visit->body_len, piece.ptr, piece.len);
                visit->body_len += piece.len;
                body_take(body, piece.len);
        }
        exchange_took(ex, body);
}

static const struct codec sink = {.name = "sink", .body = sink_body};

/* ---- the site ---- */

static void admin_begin(struct exchange *ex)
{
        struct visit *visit = arena_new(&ex->arena, struct visit);
        visit->ex = ex;
        visit->admin = container_of(ex->http, struct admin, http);
        visit->door = ex->entrance->owner;
        list_init(&visit->node);
        ex->trip = visit;
        ex->back.codec = &sink;
        ex->back.is_head_ready = true;
}

static void finish(struct visit *visit)
{
        list_remove(&visit->node);
        if (visit->end != NULL)
                visit->end(visit);
        exchange_finish(visit->ex);
}

static void admin_run(struct exchange *ex)
{
        struct visit *visit = ex->trip;
        if (ex->front.conn == NULL) {
                finish(visit);
                return;
        }
        if (ex->reason != REASON_none && visit->stage == VISIT_STREAM) {
                exchange_reset(ex, &ex->front, ex->reason);
                return;
        }
        if (ex->reason != REASON_none && visit->stage < VISIT_STREAM) {
                list_remove(&visit->node);
                visit_deny(visit, ex->reason, "%s", "");
        }
        if (visit->stage == VISIT_ARRIVE)
                arrive(visit);
        if (visit->stage == VISIT_BODY && ex->req.body.is_complete) {
                visit->stage = VISIT_WAIT;
                visit->resource->serve(visit);
        }
        if (visit->stage == VISIT_STREAM && ex->front.conn != NULL)
                pump(visit);
}

static void admin_end(struct exchange *ex)
{
        (void)ex;
}

static void admin_refuse(struct conn *conn, enum reason reason, struct str method,
                         struct str target, struct text *answer)
{
        struct admin *admin = container_of(conn->http, struct admin, http);
        struct problem problem = {.reason = reason};
        (void)method;
        (void)target;
        problem_put_answer(&problem, date_of(admin), answer);
}

const struct site admin_site = {
        .name = "admin",
        .begin = admin_begin,
        .run = admin_run,
        .end = admin_end,
        .refuse = admin_refuse,
};

/* ---- asked by those who serve ---- */

struct str visit_parameter(struct visit *visit, const char *name)
{
        struct str rest = visit->ex->req.head.target.query, key, value, decoded;
        if (rest.ptr == NULL)
                return STR_NONE;
        while (query_next(&rest, &key, &value)) {
                if (!str_is(key, name))
                        continue;
                if (value.ptr == NULL)
                        return S("");
                if (percent_decode(value, true, visit_arena(visit), &decoded) != ERR_ok)
                        return STR_NONE;
                return decoded;
        }
        return STR_NONE;
}

bool visit_wants_json(const struct visit *visit)
{
        const struct fields *fields = &visit->ex->req.head.fields;
        unsigned json = accept_quality_named(fields, S("application/json"));
        return json > 0 && json >= accept_quality(fields, S("text/plain"));
}

/* ---- its life ---- */

void admin_init(struct admin *admin, const struct admin_setup *setup)
{
        *admin = (struct admin){
                .gate = setup->gate,
                .counts = count_board_of(setup->gate->counts, setup->gate->worker_count),
                .journal = setup->journal,
                .calls = *setup->calls,
        };
        CHECK(admin->calls.state != NULL);
        list_init(&admin->waiting);
        list_init(&admin->tails);
        arena_init(&admin->arena, NULL, SIZE_MAX);
        admin->piece = arena_alloc(&admin->arena, PIECE_SIZE);
        http_init(&admin->http, setup->loop);
        window_init(&admin->window, setup->loop, setup->gate->counts);
}

enum err admin_open(struct admin *admin, int fd, bool is_socket, struct str host)
{
        if (admin->door_count == ADMIN_DOORS_MAX)
                return ERR_limit;
        struct admin_door *door = &admin->doors[admin->door_count];
        *door = (struct admin_door){.is_socket = is_socket};
        door->entrance.name = S("admin");
        door->entrance.site = &admin_site;
        door->entrance.owner = door;
        door->entrance.limits = (struct http_limits){
                .h1 = {.target = 8192, .field = 8192, .header = 32768, .fields = 64},
                .header_ns = ADMIN_HEADER_NS,
                .idle_ns = ADMIN_IDLE_NS,
                .linger_ns = ADMIN_LINGER_NS,
                .stall_ns = ADMIN_STALL_NS,
                .body_rate = 240,
                .chunk_extensions = 4096,
                .connections = ADMIN_CONNECTIONS_MAX,
        };
        door->host = arena_str(&admin->arena, host);
        enum err err = entrance_open(&door->entrance, &admin->http, fd);
        if (err == ERR_ok)
                admin->door_count++;
        return err;
}

void admin_shut(struct admin *admin)
{
        for (unsigned i = 0; i < admin->door_count; i++)
                entrance_shut(&admin->doors[i].entrance);
}

void admin_drain(struct admin *admin)
{
        admin_shut(admin);
        http_drain(&admin->http);
        list_each_safe (node, &admin->waiting) {
                struct visit *visit = list_entry(node, struct visit, node);
                exchange_fault(visit->ex, REASON_draining);
        }
        list_each_safe (node, &admin->tails) {
                struct visit *visit = list_entry(node, struct visit, node);
                exchange_resume(visit->ex);
        }
}

bool admin_is_empty(const struct admin *admin)
{
        return admin->http.front_count == 0 && admin->http.exchange_count == 0;
}

void admin_fini(struct admin *admin)
{
        CHECK(admin_is_empty(admin));
        window_fini(&admin->window);
        http_fini(&admin->http);
        arena_fini(&admin->arena);
}
