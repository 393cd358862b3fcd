/* h2_clear.c -- a listener in the clear where both versions are spoken: the first bytes of a
 * connection decide. While they are those of the preface of RFC 9113 3.4 it may be either; until
 * then it is treated as HTTP/1.1, of which it is the one request that cannot be. */
#include "http/conn.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum { PREFACE = sizeof preface - 1 };

static struct slice preface_first(size_t len)
{
        return (struct slice){(uint8_t *)(uintptr_t)preface, len};
}

/* `lingered` counts how much of the preface came. */
static size_t clear_data(struct conn *conn, struct slice bytes)
{
        size_t had = conn->lingered;
        size_t len = size_min(bytes.len, PREFACE - had);
        bool is_preface = memcmp(bytes.ptr, preface + had, len) == 0;
        if (is_preface && had + len < PREFACE) {
                conn->lingered += (uint32_t)len;
                return bytes.len;
        }
        conn->lingered = 0;
        if (is_preface) {
                if (h2_begin(conn))
                        conn->codec->data(conn, preface_first(PREFACE));
                return len;
        }
        conn->codec = &h1_front;
        if (had > 0)
                h1_front.data(conn, preface_first(had));
        return had > 0 ? 0 : h1_front.data(conn, bytes);
}

static void clear_room(struct conn *conn)
{
        h1_front.room(conn);
}

static void clear_over(struct conn *conn)
{
        h1_front.over(conn);
}

static void clear_down(struct conn *conn, enum err err)
{
        h1_front.down(conn, err);
}

static void clear_timeout(struct conn *conn)
{
        h1_front.timeout(conn);
}

static void clear_retire(struct conn *conn)
{
        h1_front.retire(conn);
}

const struct codec h2_or_h1_front = {
        .name = "http",
        .data = clear_data,
        .room = clear_room,
        .over = clear_over,
        .down = clear_down,
        .timeout = clear_timeout,
        .retire = clear_retire,
};
