/* proxy_front.c -- the first bytes of a front whose listener wants a PROXY header: reads it, from
 * those who may send one, and makes the address in it the peer's; then the conn is served as if it
 * had been accepted from there. Who does not keep to it is closed without an answer, because
 * whatever could be said would be said to nobody known. Under every other layer, so that TLS begins
 * behind it. */
#include "base/check.h"
#include "http/exchange.h"
#include "wire/proxy.h"

static_assert((int)PROXY_SIZE_MAX <= (int)PAGE_ROOM,
              "a header that comes in pieces fits in a page");

static struct entrance *entrance_of(const struct conn *conn)
{
        return conn->owner;
}

static void refuse(struct conn *conn, enum stranger stranger)
{
        struct text nowhere = text_over(conn->http->scratch, HTTP_SCRATCH);
        conn->http->counts.strangers[stranger]++;
        entrance_of(conn)->site->refuse(conn, REASON_proxy_refused, STR_NONE, STR_NONE, &nowhere);
        conn_close(conn, false);
}

static void drop_page(struct conn *conn)
{
        if (conn->held != NULL)
                page_give(conn->http->loop->pages, TAKE(conn->held));
}

/* What may become a header is kept until it is decided. */
static void keep(struct conn *conn, struct str in)
{
        struct page *page = conn->held;
        if (page != NULL)
                return;
        page = page_take(conn->http->loop->pages);
        if (page == NULL) {
                conn_close(conn, true);
                return;
        }
        page->next = NULL;
        page->begin = 0;
        page->end = (uint32_t)in.len;
        memcpy(page->data, in.ptr, in.len);
        conn->held = page;
}

static void introduced(struct conn *conn, const struct proxy_header *header)
{
        drop_page(conn);
        if (!header->is_local)
                conn->peer = addr_of_bytes(header->source, header->source_port);
        conn_admit(conn);
}

/* It begins with something else: the bytes that were kept, `len` of them, are that. */
static void not_introduced(struct conn *conn, size_t len)
{
        struct page *page = TAKE(conn->held);
        bool is_in = conn_admit(conn);
        if (page == NULL)
                return;
        if (is_in)
                link_deliver(&conn->tcp.link, conn->http->loop,
                             (struct slice){(uint8_t *)page->data, len});
        page_give(conn->http->loop->pages, page);
}

static size_t proxy_data(struct conn *conn, struct slice bytes)
{
        bool is_required = entrance_of(conn)->introduction == INTRODUCTION_REQUIRED;
        struct page *page = conn->held;
        struct str in = str_from((const char *)bytes.ptr, bytes.len);
        struct proxy_header header;
        size_t before = 0, used = 0;
        if (page != NULL) {
                before = page->end;
                page->end = (uint32_t)size_min(before + bytes.len, PROXY_SIZE_MAX);
                memcpy(page->data + before, bytes.ptr, page->end - before);
                in = str_from(page->data, page->end);
        }
        enum proxy_state state = proxy_read(in, &header, &used);
        CHECK(state != PROXY_MORE || in.len < PROXY_SIZE_MAX);
        if (state == PROXY_MORE) {
                keep(conn, in);
                return bytes.len;
        }
        if (state == PROXY_NONE && !is_required) {
                not_introduced(conn, before);
                return conn->phase == CONN_DEAD ? bytes.len : 0;
        }
        if (state == PROXY_DONE && conn->arrival.is_trusted)
                introduced(conn, &header);
        else
                refuse(conn, !conn->arrival.is_trusted ? STRANGER_UNTRUSTED
                             : state == PROXY_NONE     ? STRANGER_MISSING
                                                       : STRANGER_BAD);
        return conn->phase == CONN_DEAD ? bytes.len : used - before;
}

static void proxy_room(struct conn *conn)
{
        (void)conn;
}

/* A connection without a byte is a look at whether somebody listens. */
static void proxy_over(struct conn *conn)
{
        if (conn->held != NULL)
                refuse(conn, conn->arrival.is_trusted ? STRANGER_BAD : STRANGER_UNTRUSTED);
        else
                conn_close(conn, false);
}

static void proxy_down(struct conn *conn, enum err err)
{
        (void)err;
        conn_close(conn, true);
}

static void proxy_timeout(struct conn *conn)
{
        if (conn->is_leaving)
                conn_close(conn, false);
        else
                refuse(conn, STRANGER_LATE);
}

static void proxy_retire(struct conn *conn)
{
        bool is_first = !conn->is_leaving;
        conn->is_leaving = true;
        if (is_first)
                conn_deadline(conn, u64_min(RETIRE_NS, entrance_of(conn)->limits.header_ns));
}

static const struct codec proxy_front = {
        .name = "proxy",
        .data = proxy_data,
        .room = proxy_room,
        .over = proxy_over,
        .down = proxy_down,
        .timeout = proxy_timeout,
        .retire = proxy_retire,
};

void proxy_front_begin(struct conn *conn)
{
        const struct entrance *entrance = entrance_of(conn);
        conn->codec = &proxy_front;
        if (entrance->introduction == INTRODUCTION_REQUIRED && !conn->arrival.is_trusted)
                refuse(conn, STRANGER_UNTRUSTED);
        else
                conn_deadline(conn, entrance->limits.header_ns);
}
