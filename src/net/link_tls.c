/* link_tls.c -- a session of OpenSSL between two links. All calls into OpenSSL are here; each
 * begins with an empty queue of errors and leaves it empty. The layer above may close the link in
 * any call that it gets: after each, the session may be gone. */
#include "net/link_tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/check.h"
#include "io/sock.h"

/* What a record adds to what is in it, at most: head, explicit nonce, kind, tag. */
enum { RECORD_ADDS = 64, IOV_MOST = 4 };

struct link_tls {
        struct link link;
        struct link *below;
        struct tls_loop *tls;
        struct tls_party party;
        SSL *ssl;               /* NULL once it is closed */
        struct slice in;        /* what came and was not yet read */
        struct task task;       /* tells of a failure; later its grave */
        struct tls_facts facts; /* once it is up */
        uint32_t heard;         /* bytes before the handshake was over */
        bool is_shaking : 1;    /* the handshake is under way */
        bool is_up : 1;
        bool has_ended : 1; /* the peer said that it will send no more */
        bool is_shut : 1;   /* so did we */
        bool has_failed : 1;
};

static struct link_tls *of(const struct link *link)
{
        return container_of((struct link *)(uintptr_t)link, struct link_tls, link);
}

/* ---- what OpenSSL reads and writes ---- */

static int bio_read(BIO *bio, char *to, int len)
{
        struct link_tls *link = BIO_get_data(bio);
        size_t n = size_min((size_t)len, link->in.len);
        BIO_clear_retry_flags(bio);
        if (n == 0) {
                BIO_set_retry_read(bio);
                return -1;
        }
        if (!link->is_up) {
                if (n > TLS_HELLO_MAX - link->heard)
                        return -1;
                link->heard += (uint32_t)n;
        }
        memcpy(to, link->in.ptr, n);
        link->in.ptr += n;
        link->in.len -= n;
        return (int)n;
}

/* All is taken, always: who sends asked for room first, and what OpenSSL says by itself is bounded
 * by what the link below gathers. After our end nothing may follow. */
static int bio_write(BIO *bio, const char *from, int len)
{
        struct link_tls *link = BIO_get_data(bio);
        struct iovec iov = {(void *)(uintptr_t)from, (size_t)len};
        BIO_clear_retry_flags(bio);
        if (!link->is_shut && !link->has_failed && len > 0)
                link_send(link->below, &iov, 1, (size_t)len);
        return len;
}

static long bio_ctrl(BIO *bio, int what, long number, void *arg)
{
        (void)bio, (void)number, (void)arg;
        return what == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *make_method(void)
{
        BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "link");
        CHECK(method != NULL);
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_ctrl(method, bio_ctrl);
        return method;
}

/* ---- failing ---- */

/* From an event: only close is left, for whoever is above. */
static void fail(struct link_tls *link, enum err err)
{
        if (link->has_failed || link->ssl == NULL)
                return;
        link->has_failed = true;
        link->link.above->down(&link->link, err);
}

static void on_failure(struct task *task)
{
        struct link_tls *link = container_of(task, struct link_tls, task);
        link->has_failed = false;
        fail(link, ERR_io);
}

/* While somebody above is sending: told after the event in hand. */
static void fail_later(struct link_tls *link)
{
        if (link->has_failed)
                return;
        link->has_failed = true;
        loop_ready(link->tls->loop, &link->task);
}

static void fail_handshake(struct link_tls *link, enum err err)
{
        *(err == ERR_closed ? &link->tls->counts.cut : &link->tls->counts.failed) += 1;
        link->tls->counts.shaking--;
        link->is_shaking = false;
        fail(link, err);
}

/* ---- from below ---- */

static void shake(struct link_tls *link)
{
        struct tls_counts *counts = &link->tls->counts;
        ERR_clear_error();
        int done = SSL_do_handshake(link->ssl);
        int error = SSL_get_error(link->ssl, done);
        ERR_clear_error();
        if (done == 1) {
                *(SSL_session_reused(link->ssl) ? &counts->resumed : &counts->full) += 1;
                counts->shaking--;
                link->is_shaking = false;
                link->is_up = true;
                link->facts = (struct tls_facts){
                        (uint16_t)SSL_version(link->ssl),
                        SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(link->ssl))};
                link->link.above->up(&link->link);
        } else if (error != SSL_ERROR_WANT_READ) {
                fail_handshake(link, ERR_syntax);
        }
}

enum read_state { READ_MORE, READ_DRY, READ_ENDED, READ_FAILED };

/* Opens as much as there is a buffer for. */
static enum read_state fill(struct link_tls *link, size_t *ret_len)
{
        *ret_len = 0;
        while (*ret_len < LOOP_HOT_SIZE) {
                size_t n = 0;
                ERR_clear_error();
                int done = SSL_read_ex(link->ssl, link->tls->clear + *ret_len,
                                       LOOP_HOT_SIZE - *ret_len, &n);
                if (done == 1) {
                        *ret_len += n;
                        continue;
                }
                int error = SSL_get_error(link->ssl, done);
                ERR_clear_error();
                if (error == SSL_ERROR_WANT_READ)
                        return READ_DRY;
                return error == SSL_ERROR_ZERO_RETURN ? READ_ENDED : READ_FAILED;
        }
        return READ_MORE;
}

static void read_all(struct link_tls *link)
{
        enum read_state state = READ_MORE;
        while (state == READ_MORE && link->ssl != NULL && !link->has_failed && !link->has_ended) {
                size_t len;
                state = fill(link, &len);
                if (len > 0)
                        link_deliver(&link->link, link->tls->loop,
                                     (struct slice){link->tls->clear, len});
        }
        if (link->ssl == NULL || link->has_failed || link->has_ended)
                return;
        if (state == READ_FAILED) {
                fail(link, ERR_syntax);
        } else if (state == READ_ENDED) {
                link->has_ended = true;
                link->link.above->end(&link->link);
        }
}

static size_t on_data(struct link *below, struct slice bytes)
{
        struct link_tls *link = below->owner;
        link->in = bytes;
        if (link->ssl != NULL && link->is_shaking)
                shake(link);
        if (link->ssl != NULL && link->is_up)
                read_all(link);
        link->in = (struct slice){NULL, 0};
        return bytes.len;
}

static void on_room(struct link *below)
{
        struct link_tls *link = below->owner;
        if (link->ssl != NULL && link->is_up && !link->has_failed)
                link->link.above->room(&link->link);
}

/* An end without a farewell. What is said over HTTP tells by itself where it ends, so half a
 * request is seen as that above. */
static void on_end(struct link *below)
{
        struct link_tls *link = below->owner;
        if (link->ssl == NULL || link->has_failed || link->has_ended)
                return;
        if (!link->is_up) {
                fail_handshake(link, ERR_closed);
                return;
        }
        link->has_ended = true;
        link->link.above->end(&link->link);
}

static void on_down(struct link *below, enum err err)
{
        struct link_tls *link = below->owner;
        if (link->ssl != NULL && link->is_shaking)
                fail_handshake(link, ERR_closed);
        else
                fail(link, err);
}

static void on_up(struct link *below)
{
        (void)below; /* it was open when we came */
}

static const struct link_up above_below = {
        .up = on_up,
        .data = on_data,
        .room = on_room,
        .end = on_end,
        .down = on_down,
};

/* ---- from above ---- */

static size_t added(size_t len)
{
        return (len / TLS_RECORD_MAX + IOV_MOST) * RECORD_ADDS;
}

static bool may_send(const struct link_tls *link)
{
        return link->ssl != NULL && link->is_up && !link->is_shut && !link->has_failed;
}

static size_t tls_room(struct link *self)
{
        struct link_tls *link = of(self);
        size_t room = may_send(link) ? link_room(link->below) : 0;
        return room > added(room) ? room - added(room) : 0;
}

static bool tls_fits(struct link *self, size_t len)
{
        struct link_tls *link = of(self);
        return may_send(link) && link_fits(link->below, size_min(len + added(len), SOCK_PIECE_MAX));
}

static void seal(struct link_tls *link, const void *from, size_t len)
{
        size_t n;
        if (len == 0 || link->has_failed)
                return;
        ERR_clear_error();
        bool is_good = SSL_write_ex(link->ssl, from, len, &n) == 1 && n == len;
        ERR_clear_error();
        if (!is_good)
                fail_later(link);
}

/* Behind `len` bytes that are gathered; a full record leaves. Returns how many are gathered now. */
static size_t put(struct link_tls *link, size_t len, const void *from, size_t n)
{
        memcpy(link->tls->gather + len, from, n);
        if (len + n < TLS_RECORD_MAX)
                return len + n;
        seal(link, link->tls->gather, TLS_RECORD_MAX);
        return 0;
}

/* Pieces become as few records as they can. What fills one by itself is not copied. */
static void tls_send(struct link *self, const struct iovec *iov, int count, size_t total)
{
        struct link_tls *link = of(self);
        size_t len = 0;
        (void)total;
        if (!may_send(link))
                return;
        for (int i = 0; i < count; i++) {
                const uint8_t *from = iov[i].iov_base;
                size_t left = iov[i].iov_len;
                while (left > 0) {
                        bool is_whole = len == 0 && (left >= TLS_RECORD_MAX || i == count - 1);
                        size_t n = is_whole ? left : size_min(left, TLS_RECORD_MAX - len);
                        if (is_whole)
                                seal(link, from, n);
                        else
                                len = put(link, len, from, n);
                        from += n;
                        left -= n;
                }
        }
        seal(link, link->tls->gather, len);
}

static void tls_pause(struct link *self, bool is_paused)
{
        struct link_tls *link = of(self);
        link_pause(link->below, is_paused);
}

/* RFC 8446 6.1: our end is said before it is shown. */
static void farewell(struct link_tls *link)
{
        if (!may_send(link))
                return;
        ERR_clear_error();
        (void)SSL_shutdown(link->ssl);
        ERR_clear_error();
}

static void tls_shut(struct link *self)
{
        struct link_tls *link = of(self);
        if (link->ssl == NULL)
                return;
        farewell(link);
        link->is_shut = true;
        link_shut(link->below);
}

static void bury(struct task *task)
{
        struct link_tls *link = container_of(task, struct link_tls, task);
        slab_give(&link->tls->links, link);
}

static void tls_close(struct link *self, bool is_abrupt)
{
        struct link_tls *link = of(self);
        if (link->ssl == NULL)
                return;
        if (link->is_shaking) {
                link->tls->counts.late++;
                link->tls->counts.shaking--;
        }
        if (!is_abrupt)
                farewell(link);
        link_close(link->below, is_abrupt);
        SSL_free(TAKE(link->ssl));
        ERR_clear_error();
        tls_set_give(TAKE(link->party.set));
        link->task.run = bury;
        loop_bury(link->tls->loop, &link->task);
}

static size_t tls_queued(const struct link *self)
{
        return link_queued(of(self)->below);
}

static uint64_t tls_sent(const struct link *self)
{
        return link_sent(of(self)->below);
}

static bool tls_is_quiet(struct link *self)
{
        struct link_tls *link = of(self);
        return may_send(link) && !link->has_ended && link_is_quiet(link->below);
}

static const struct link_ops tls_ops = {
        .room = tls_room,
        .fits = tls_fits,
        .send = tls_send,
        .pause = tls_pause,
        .shut = tls_shut,
        .close = tls_close,
        .queued = tls_queued,
        .sent = tls_sent,
        .is_quiet = tls_is_quiet,
};

/* ---- beginning ---- */

void tls_loop_init(struct tls_loop *tls, struct loop *loop, struct arena *arena)
{
        *tls = (struct tls_loop){.loop = loop, .arena = arena};
        slab_init(&tls->links, loop->pages, sizeof(struct link_tls));
}

void tls_loop_fini(struct tls_loop *tls)
{
        slab_fini(&tls->links);
        BIO_meth_free(tls->method);
}

static bool begin(struct link_tls *link)
{
        SSL *ssl = tls_session(&link->party);
        BIO *bio = ssl == NULL ? NULL : BIO_new(link->tls->method);
        if (bio == NULL) {
                SSL_free(ssl);
                ERR_clear_error();
                return false;
        }
        BIO_set_data(bio, link);
        BIO_set_init(bio, 1);
        SSL_set_bio(ssl, bio, bio);
        SSL_set_accept_state(ssl);
        link->ssl = ssl;
        return true;
}

struct link *link_tls_accept(struct tls_loop *tls, struct link *below, struct tls_set *set,
                             const struct link_up *above)
{
        if (tls->method == NULL) {
                tls->method = make_method();
                tls->clear = arena_alloc(tls->arena, LOOP_HOT_SIZE);
                tls->gather = arena_alloc(tls->arena, TLS_RECORD_MAX);
        }
        struct link_tls *link = slab_take(&tls->links);
        if (link == NULL)
                return NULL;
        *link = (struct link_tls){.link = {&tls_ops, above, below->owner},
                                  .below = below,
                                  .tls = tls,
                                  .party = {.loop = tls->loop, .set = set}};
        task_init(&link->task, on_failure);
        if (!begin(link)) {
                slab_give(&tls->links, link);
                return NULL;
        }
        tls_set_take(set);
        tls->counts.shaking++;
        link->is_shaking = true;
        below->above = &above_below;
        below->owner = link;
        return &link->link;
}

struct str link_tls_alpn(struct link *self)
{
        const unsigned char *name;
        unsigned len;
        SSL_get0_alpn_selected(of(self)->ssl, &name, &len);
        return str_from((const char *)name, len);
}

const struct tls_face *link_tls_face(struct link *self)
{
        return of(self)->party.face;
}

struct tls_set *link_tls_set(struct link *self)
{
        return of(self)->party.set;
}

struct tls_facts link_tls_facts(const struct link *self)
{
        return of(self)->facts;
}
