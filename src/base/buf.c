/* buf.c -- pages in a row; begin and end of each page say what is left in it. */
#include "base/buf.h"

#include "base/check.h"

void buf_fini(struct buf *buf)
{
        while (buf->first != NULL) {
                struct page *page = buf->first;
                buf->first = page->next;
                page_give(buf->pool, page);
        }
        buf->last = NULL;
        buf->len = 0;
}

static bool page_append(struct buf *buf)
{
        struct page *page = page_take(buf->pool);
        if (page == NULL)
                return false;
        if (buf->last == NULL)
                buf->first = page;
        else
                buf->last->next = page;
        buf->last = page;
        return true;
}

/* Gives back the pages behind `last`, of which nothing is used, and cuts `last` to `end`. */
static void cut_back(struct buf *buf, struct page *last, uint32_t end)
{
        struct page *page = last == NULL ? buf->first : last->next;
        while (page != NULL) {
                struct page *next = page->next;
                page_give(buf->pool, page);
                page = next;
        }
        buf->last = last;
        if (last == NULL) {
                buf->first = NULL;
        } else {
                last->next = NULL;
                last->end = end;
        }
}

bool buf_add(struct buf *buf, const void *bytes, size_t len)
{
        if (len > buf_room(buf))
                return false;
        struct page *last = buf->last;
        uint32_t end = last == NULL ? 0 : last->end;
        const char *from = bytes;
        size_t left = len;
        while (left > 0) {
                if ((buf->last == NULL || buf->last->end == PAGE_ROOM) && !page_append(buf)) {
                        cut_back(buf, last, end);
                        return false;
                }
                size_t n = size_min(left, PAGE_ROOM - buf->last->end);
                memcpy(buf->last->data + buf->last->end, from, n);
                buf->last->end += (uint32_t)n;
                from += n;
                left -= n;
        }
        buf->len += (uint32_t)len;
        return true;
}

char *buf_reserve(struct buf *buf, size_t len)
{
        if (len > buf_room(buf) || len > PAGE_ROOM)
                return NULL;
        if ((buf->last == NULL || PAGE_ROOM - buf->last->end < len) && !page_append(buf))
                return NULL;
        return buf->last->data + buf->last->end;
}

void buf_commit(struct buf *buf, size_t len)
{
        CHECK(buf->last != NULL && len <= PAGE_ROOM - buf->last->end);
        buf->last->end += (uint32_t)len;
        buf->len += (uint32_t)len;
        if (buf->len == 0)
                buf_fini(buf);
}

struct slice buf_peek(const struct buf *buf)
{
        const struct page *page = buf->first;
        while (page != NULL && page->begin == page->end)
                page = page->next;
        if (page == NULL)
                return (struct slice){NULL, 0};
        return (struct slice){(uint8_t *)(uintptr_t)(page->data + page->begin),
                              page->end - page->begin};
}

int buf_iovec(const struct buf *buf, struct iovec *iov, int count)
{
        int n = 0;
        for (struct page *page = buf->first; page != NULL && n < count; page = page->next) {
                if (page->begin == page->end)
                        continue;
                iov[n++] = (struct iovec){page->data + page->begin, page->end - page->begin};
        }
        return n;
}

void buf_drop(struct buf *buf, size_t len)
{
        CHECK(len <= buf->len);
        buf->len -= (uint32_t)len;
        while (buf->first != NULL) {
                struct page *page = buf->first;
                size_t n = size_min(len, page->end - page->begin);
                page->begin += (uint32_t)n;
                len -= n;
                if (page->begin < page->end)
                        return;
                if (page->next == NULL && buf->len > 0)
                        return;
                buf->first = page->next;
                page_give(buf->pool, page);
        }
        buf->last = NULL;
}

size_t buf_copy(const struct buf *buf, size_t offset, void *to, size_t len)
{
        size_t done = 0;
        for (const struct page *page = buf->first; page != NULL && done < len; page = page->next) {
                size_t held = page->end - page->begin;
                if (offset >= held) {
                        offset -= held;
                        continue;
                }
                size_t n = size_min(len - done, held - offset);
                memcpy((char *)to + done, page->data + page->begin + offset, n);
                done += n;
                offset = 0;
        }
        return done;
}

void buf_move(struct buf *to, struct buf *from)
{
        CHECK(to->pool == from->pool);
        if (from->first == NULL)
                return;
        if (to->last == NULL)
                to->first = from->first;
        else
                to->last->next = from->first;
        to->last = from->last;
        to->len += from->len;
        from->first = from->last = NULL;
        from->len = 0;
}
