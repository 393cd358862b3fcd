/* shop.c -- GET /orders, GET /orders/{id}, POST /orders, GET /healthz; anything else is 404. What
 * is ordered here never comes. */
#include "cmd/shop.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "cmd/launch.h"
#include "http/exchange.h"
#include "wire/date.h"
#include "wire/json.h"
#include "wire/json_put.h"
#include "wire/unit.h"

enum {
        SHOP_PAGES = 4096,
        SHOP_CONNECTIONS = 512,
        SHOP_FIELDS = 64,
        ORDERS_MAX = 100, /* the oldest give way */
        ITEM_MAX = 64,
        QUANTITY_MAX = 1000,
        BODY_MAX = 4096,
        ANSWER_MAX = 32 * 1024,
};

struct order {
        uint64_t id;
        char item[ITEM_MAX];
        size_t item_len;
        uint64_t quantity;
};

/* The service: one loop, one list. */
struct service {
        struct http http;
        struct entrance entrances[2];
        struct order orders[ORDERS_MAX];
        size_t count;
        uint64_t next_id;
};

struct visit {
        struct text body;
        bool is_answered;
};

static struct service *service_of(struct exchange *ex)
{
        return container_of(ex->http, struct service, http);
}

/* ---- orders ---- */

static struct order *order_add(struct service *service, struct str item, uint64_t quantity)
{
        if (service->count == ORDERS_MAX) {
                service->count--;
                memmove(service->orders, service->orders + 1,
                        service->count * sizeof service->orders[0]);
        }
        struct order *order = &service->orders[service->count++];
        *order = (struct order){.id = service->next_id++, .quantity = quantity};
        order->item_len = size_min(item.len, ITEM_MAX);
        memcpy(order->item, item.ptr, order->item_len);
        return order;
}

static void put_order(struct json_put *put, const struct order *order)
{
        put_begin(put, '{');
        put_u64_at(put, "id", order->id);
        put_text_at(put, "item", str_from(order->item, order->item_len));
        put_u64_at(put, "quantity", order->quantity);
        put_end(put, '}');
}

/* ---- answers ---- */

static void answer(struct exchange *ex, uint16_t status, struct str type, struct str body)
{
        struct visit *visit = ex->trip;
        struct text date = text_over(arena_alloc(&ex->arena, 32), 32);
        struct fields *fields = &ex->res.head.fields;
        visit->is_answered = true;
        ex->res.head.status = status;
        if (fields->arena == NULL)
                fields_init(fields, &ex->arena, 4);
        date_write_http((int64_t)(loop_wall(ex->http->loop) / SECOND), &date);
        fields_add_known(fields, NAME_date, text_str(&date));
        fields_add_known(fields, NAME_content_type, type);
        body_fill(&ex->res.body, body);
        exchange_send(ex, &ex->front);
}

static void answer_json(struct exchange *ex, uint16_t status, struct text *body)
{
        text_char(body, '\n');
        answer(ex, status, S("application/json"), text_str(body));
}

static void answer_problem(struct exchange *ex, uint16_t status, struct str detail)
{
        struct text body = text_grow(&ex->arena, ANSWER_MAX);
        struct json_put put = json_put_on(&body);
        put_begin(&put, '{');
        put_text_at(&put, "title", h1_phrase(status));
        put_u64_at(&put, "status", status);
        put_text_at(&put, "detail", detail);
        put_end(&put, '}');
        text_char(&body, '\n');
        answer(ex, status, S("application/problem+json"), text_str(&body));
}

static void list_orders(struct exchange *ex)
{
        const struct service *service = service_of(ex);
        struct text body = text_grow(&ex->arena, ANSWER_MAX);
        struct json_put put = json_put_on(&body);
        put_begin(&put, '{');
        put_key(&put, "orders");
        put_begin(&put, '[');
        for (size_t i = 0; i < service->count; i++)
                put_order(&put, &service->orders[i]);
        put_end(&put, ']');
        put_end(&put, '}');
        answer_json(ex, 200, &body);
}

static void get_order(struct exchange *ex, struct str name)
{
        const struct service *service = service_of(ex);
        uint64_t id = 0;
        if (str_to_u64(name, &id) != ERR_ok)
                id = 0;
        for (size_t i = 0; i < service->count; i++) {
                struct text body = text_grow(&ex->arena, ANSWER_MAX);
                struct json_put put = json_put_on(&body);
                if (service->orders[i].id != id)
                        continue;
                put_order(&put, &service->orders[i]);
                answer_json(ex, 200, &body);
                return;
        }
        answer_problem(ex, 404, S("There is no such order."));
}

static void create_order(struct exchange *ex)
{
        static const struct json_limits limits = {.nodes_max = 100, .depth_max = 8};
        struct visit *visit = ex->trip;
        struct json_trouble trouble;
        const struct json *root = NULL;
        int64_t quantity = 1;
        if (json_read(text_str(&visit->body), &limits, &ex->arena, &root, &trouble) != ERR_ok) {
                answer_problem(ex, 400, S("The body is no JSON."));
                return;
        }
        struct str item = json_str(json_get(root, S("item")), &ex->arena);
        const struct json *number = json_get(root, S("quantity"));
        if (item.len == 0 || item.len > ITEM_MAX ||
            (number != NULL && json_to_i64(number, &quantity) != ERR_ok) || quantity < 1 ||
            quantity > QUANTITY_MAX) {
                answer_problem(ex, 422,
                               S("An order is {\"item\": text, \"quantity\": 1 to 1000}."));
                return;
        }
        struct order *order = order_add(service_of(ex), item, (uint64_t)quantity);
        struct text body = text_grow(&ex->arena, ANSWER_MAX);
        struct json_put put = json_put_on(&body);
        put_order(&put, order);
        fields_init(&ex->res.head.fields, &ex->arena, 4);
        fields_add_known(&ex->res.head.fields, NAME_location,
                         arena_format(&ex->arena, "/orders/%llu", (unsigned long long)order->id));
        answer_json(ex, 201, &body);
}

static void serve(struct exchange *ex)
{
        const struct head *head = &ex->req.head;
        struct str path = head->target.path;
        bool is_read = head->method == METHOD_GET || head->method == METHOD_HEAD;
        if (str_is(path, "/orders/"))
                path.len--;
        if (str_is(path, "/healthz") && is_read) {
                answer(ex, 200, S("text/plain"), S("fine\n"));
        } else if (str_is(path, "/orders") && is_read) {
                list_orders(ex);
        } else if (str_is(path, "/orders") && head->method == METHOD_POST) {
                create_order(ex);
        } else if (str_starts(path, S("/orders/")) && is_read) {
                get_order(ex, str_skip(path, 8));
        } else {
                answer_problem(ex, str_starts(path, S("/orders")) ? 405 : 404,
                               S("This service has orders and nothing else."));
        }
}

/* ---- the site ---- */

/* Takes what came of a request's body. */
static void take_body(struct exchange *ex, struct end *end)
{
        struct visit *visit = ex->trip;
        struct str piece;
        (void)end;
        while ((piece = body_peek(&ex->req.body)).len > 0) {
                text_put(&visit->body, piece);
                body_take(&ex->req.body, piece.len);
        }
        if (visit->body.is_cut) {
                ex->req.body.is_discarded = true;
                exchange_fault(ex, REASON_body_too_large);
                return;
        }
        exchange_took(ex, &ex->req.body);
}

static const struct codec sink = {.name = "sink", .body = take_body};

static void begin(struct exchange *ex)
{
        struct visit *visit = arena_new(&ex->arena, struct visit);
        visit->body = text_grow(&ex->arena, BODY_MAX);
        ex->trip = visit;
        ex->back.codec = &sink;
        ex->back.is_head_ready = true;
        if (ex->req.head.expects_continue) {
                ex->res.head.status = 100;
                ex->front.codec->interim(ex, &ex->front);
        }
}

static void run(struct exchange *ex)
{
        const struct visit *visit = ex->trip;
        if (ex->front.conn == NULL) {
                exchange_finish(ex);
                return;
        }
        if (visit->is_answered)
                return;
        if (ex->reason != REASON_none)
                answer_problem(ex, reason_status(ex->reason), reason_text(ex->reason));
        else if (ex->req.body.is_complete)
                serve(ex);
}

static void end(struct exchange *ex)
{
        (void)ex;
}

static void refuse(struct conn *conn, enum reason reason, struct str method, struct str target,
                   struct text *out)
{
        (void)conn;
        (void)method;
        (void)target;
        h1_put_status_line(out, reason_status(reason));
        h1_put_field(out, S("Content-Length"), S("0"));
        h1_put_field(out, S("Connection"), S("close"));
        text_put(out, S("\r\n"));
}

static const struct site site = {
        .name = "sample", .begin = begin, .run = run, .end = end, .refuse = refuse};

/* ---- its process ---- */

static void enter(struct service *service, struct entrance *entrance, int fd, bool is_v6)
{
        static const struct http_limits limits = {
                .h1 = {.target = 8192, .field = 8192, .header = 32768, .fields = SHOP_FIELDS},
                .header_ns = 10 * SECOND,
                .idle_ns = 60 * SECOND,
                .linger_ns = SECOND,
                .stall_ns = 10 * SECOND,
                .body_rate = 1,
                .chunk_extensions = 4096,
                .connections = SHOP_CONNECTIONS,
        };
        *entrance = (struct entrance){.site = &site, .limits = limits, .name = S("sample")};
        CHECK(addr_read_ip(is_v6 ? S("::1") : S("127.0.0.1"), 1, &entrance->address) == ERR_ok);
        CHECK(entrance_open(entrance, &service->http, fd) == ERR_ok);
}

static void serve_for_ever(const int fds[2])
{
        static struct service service;
        static const struct {
                const char *item;
                unsigned quantity;
        } first[] = {{"tea, second flush", 2}, {"kettle", 1}, {"cups", 6}};
        struct loop *loop = loop_make(&driver_epoll, SHOP_PAGES);
        http_init(&service.http, loop);
        service.next_id = 1;
        for (size_t i = 0; i < countof(first); i++)
                order_add(&service, str_of(first[i].item), first[i].quantity);
        for (int i = 0; i < 2; i++) {
                if (fds[i] >= 0)
                        enter(&service, &service.entrances[i], fds[i], i == 1);
        }
        loop_run(loop);
}

bool shop_start(struct call *call, unsigned from, struct shop *ret_shop, int *ret_code)
{
        unsigned port = port_pick(from);
        int fds[2] = {-1, -1};
        if (port != 0)
                fds[0] = port_listen(port, false);
        if (fds[0] < 0) {
                *ret_code = call_fail(call, EXIT_system, NULL, "there is no free port from %u on",
                                      from);
                return false;
        }
        fds[1] = port_listen(port, true); /* refused where there is no IPv6 */
        pid_t parent = getpid(), pid = fork();
        if (pid == 0) {
                launch_settle(parent);
                prctl(PR_SET_NAME, "gate-sample");
                serve_for_ever(fds);
                _exit(EXIT_done);
        }
        for (int i = 0; i < 2; i++) {
                if (fds[i] >= 0)
                        close(fds[i]);
        }
        *ret_shop = (struct shop){pid, port};
        if (pid < 0)
                *ret_code = call_fail(call, EXIT_system, NULL, "no process can be started");
        return pid > 0;
}

void shop_stop(struct shop *shop)
{
        if (shop->pid <= 0)
                return;
        /* The keeper may have seen its end already, and the number may be another's by now. */
        if (waitpid(shop->pid, NULL, WNOHANG) == 0 && kill(shop->pid, SIGTERM) == 0)
                waitpid(shop->pid, NULL, 0);
        shop->pid = 0;
}
