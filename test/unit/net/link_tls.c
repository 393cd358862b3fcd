/* link_tls.c -- TLS between an OpenSSL client and link_tls on the simulated network: what comes out
 * is what went in, however it was cut; whoever misbehaves is told down; nothing is left behind. */
#include "net/link_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "../unit.h"
#include "io/sim.h"
#include "net/link_tcp.h"
#include "net/listen.h"
#include "pki.h"

#define MS  1000000ull
#define SEC (1000 * MS)

enum { BULK = 200000, HEARD_MAX = 1 << 20, PAGES = 2048 };

static struct arena arena;
static struct sim *sim;
static struct loop *loop;
static struct tls_loop tls;
static struct tls_set *set;
static struct ticket_ring ring;
static struct listener listener;
static int listening;
static struct addr here;

/* ---- the server: gives back what it hears ---- */

static struct server {
        struct link_tcp tcp;
        struct link *link;
        unsigned ups, ends, downs;
        size_t heard, stop_after; /* closes once it has heard that much; 0: never */
        bool stops_at_up, is_quiet, is_closed;
        char kept[HEARD_MAX]; /* what is still to be given back */
        size_t kept_len, given;
} server;

static void give_back(void)
{
        while (server.given < server.kept_len && !server.is_closed) {
                size_t left = server.kept_len - server.given;
                size_t room = size_min(link_room(server.link), left);
                char *from = server.kept + server.given;
                struct iovec iov[3] = {{from, room / 3},
                                       {from + room / 3, room / 3},
                                       {from + room / 3 * 2, room - room / 3 * 2}};
                if (room == 0)
                        return;
                link_send(server.link, iov, 3, room);
                server.given += room;
        }
}

static void shut_down(bool is_abrupt)
{
        server.is_closed = true;
        link_close(server.link, is_abrupt);
}

static void on_up(struct link *link)
{
        assert_ptr_equal(link->owner, &server);
        server.ups++;
        if (server.stops_at_up)
                shut_down(false);
}

static size_t on_data(struct link *link, struct slice bytes)
{
        (void)link;
        server.heard += bytes.len;
        if (server.is_closed || server.is_quiet)
                return bytes.len;
        assert_true(server.kept_len + bytes.len <= sizeof server.kept);
        memcpy(server.kept + server.kept_len, bytes.ptr, bytes.len);
        server.kept_len += bytes.len;
        if (server.stop_after > 0 && server.heard >= server.stop_after)
                shut_down(true);
        else
                give_back();
        return bytes.len;
}

static void on_room(struct link *link)
{
        (void)link;
        give_back();
}

static void on_end(struct link *link)
{
        (void)link;
        server.ends++;
}

static void on_down(struct link *link, enum err err)
{
        (void)link;
        (void)err;
        server.downs++;
        shut_down(false);
}

static const struct link_up above = {on_up, on_data, on_room, on_end, on_down};

static void accepted(struct listener *self, int fd, const struct addr *peer)
{
        (void)self;
        (void)peer;
        assert_int_equal(link_tcp_open(&server.tcp, loop, fd, &above), ERR_ok);
        server.tcp.link.owner = &server;
        server.link = link_tls_accept(&tls, &server.tcp.link, set, &above);
        assert_non_null(server.link);
        assert_int_equal(link_room(server.link), 0);
}

/* ---- the caller ---- */

static struct caller {
        SSL_CTX *context;
        SSL *ssl;
        BIO *in, *out;
        struct sim_peer *peer;
        struct str say;
        size_t said, heard_len;
        bool is_up, has_failed, has_ended, is_down, is_told; /* told: of the end, by a farewell */
        char heard[HEARD_MAX];
} caller;

static void caller_flush(void)
{
        char *at;
        long len = BIO_get_mem_data(caller.out, &at);
        if (len > 0 && !caller.is_down)
                sim_send(caller.peer, at, (size_t)len);
        (void)BIO_reset(caller.out);
}

static void caller_turn(void)
{
        ERR_clear_error();
        if (!caller.is_up && !caller.has_failed) {
                int done = SSL_do_handshake(caller.ssl);
                caller.is_up = done == 1;
                caller.has_failed = done != 1 &&
                                    SSL_get_error(caller.ssl, done) != SSL_ERROR_WANT_READ;
        }
        while (caller.is_up && caller.said < caller.say.len) {
                size_t n, piece = size_min(caller.say.len - caller.said, 5000);
                if (SSL_write_ex(caller.ssl, caller.say.ptr + caller.said, piece, &n) != 1)
                        break;
                caller.said += n;
        }
        while (caller.is_up) {
                size_t n;
                int done = SSL_read_ex(caller.ssl, caller.heard + caller.heard_len,
                                       sizeof caller.heard - caller.heard_len, &n);
                if (done == 1)
                        caller.heard_len += n;
                else if (SSL_get_error(caller.ssl, done) == SSL_ERROR_ZERO_RETURN)
                        caller.is_told = true;
                if (done != 1)
                        break;
        }
        caller_flush();
        ERR_clear_error();
}

static void caller_up(struct sim_peer *peer)
{
        (void)peer;
        if (caller.ssl != NULL)
                caller_turn();
}

static void caller_data(struct sim_peer *peer, const uint8_t *bytes, size_t len)
{
        (void)peer;
        if (caller.ssl == NULL)
                return;
        BIO_write(caller.in, bytes, (int)len);
        caller_turn();
}

static void caller_end(struct sim_peer *peer)
{
        (void)peer;
        caller.has_ended = true;
}

static void caller_down(struct sim_peer *peer, enum err err)
{
        (void)peer;
        (void)err;
        caller.is_down = true;
}

static const struct sim_script script = {caller_up, caller_data, caller_end, caller_down};

static void dial(SSL_SESSION *session, const char *name)
{
        caller.in = BIO_new(BIO_s_mem());
        caller.out = BIO_new(BIO_s_mem());
        BIO_set_mem_eof_return(caller.in, -1);
        if (caller.context == NULL)
                caller.context = SSL_CTX_new(TLS_client_method());
        caller.ssl = SSL_new(caller.context);
        SSL_set_bio(caller.ssl, caller.in, caller.out);
        SSL_set_connect_state(caller.ssl);
        if (name != NULL)
                SSL_set_tlsext_host_name(caller.ssl, (char *)(uintptr_t)name);
        if (session != NULL)
                SSL_set_session(caller.ssl, session);
        caller.peer = sim_dial(sim, &here, &script, NULL);
}

/* Bytes as they are, instead of TLS. */
static void dial_raw(const void *bytes, size_t len)
{
        caller.peer = sim_dial(sim, &here, &script, NULL);
        sim_send(caller.peer, bytes, len);
}

static void run(uint64_t time)
{
        uint64_t until = sim_now(sim) + time;
        while (sim_now(sim) < until)
                loop_turn(loop, until - sim_now(sim));
}

static void hang_up(void)
{
        if (server.link != NULL && !server.is_closed)
                shut_down(false);
        run(SEC);
        sim_close(caller.peer);
        run(SEC);
        SSL_free(caller.ssl);
        SSL_CTX *kept = caller.context;
        caller = (struct caller){.context = kept};
        server = (struct server){.is_closed = false};
        assert_int_equal(tls.counts.shaking, 0);
        assert_int_equal(tls.links.in_use, 0);
}

static int begin_with(uint64_t seed, const struct pki *pairs, size_t count, enum tls_version least)
{
        sim = sim_make(seed);
        loop = loop_make(&driver_sim, PAGES);
        tls_loop_init(&tls, loop, &arena);
        set = pki_set(pairs, count, least, &ring);
        assert_int_equal(addr_read(S("10.0.0.1:443"), &here), ERR_ok);
        listening = sim_listen(sim, &here);
        assert_int_equal(listener_open(&listener, loop, listening, accepted), ERR_ok);
        return 0;
}

static int begin(void **state)
{
        (void)state;
        arena_init(&arena, NULL, 1 << 26);
        ring = (struct ticket_ring){0};
        server = (struct server){.is_closed = false};
        struct pki pki = pki_ec(&arena, "DNS:a.test");
        return begin_with(1, &pki, 1, TLS_1_2);
}

static void end_world(void)
{
        listener_shut(&listener);
        loop->driver->close(loop->world, listening, false);
        loop_turn(loop, 0);
        assert_int_equal(sim_open_count(sim), 0);
        tls_loop_fini(&tls);
        assert_int_equal(page_pool_in_use(loop->pages), 0);
        tls_set_give(TAKE(set));
        loop_free(loop);
        sim_free(sim);
}

static int end(void **state)
{
        (void)state;
        if (caller.peer != NULL)
                hang_up();
        end_world();
        SSL_CTX_free(TAKE(caller.context));
        arena_fini(&arena);
        assert_int_equal(ERR_peek_error(), 0);
        return 0;
}

/* ---- promises ---- */

static void what_is_said_comes_back(void **state)
{
        (void)state;
        caller.say = S("hello");
        dial(NULL, "a.test");
        run(SEC);
        assert_int_equal(server.ups, 1);
        assert_str_eq(str_from(caller.heard, caller.heard_len), caller.say);
        struct tls_facts facts = link_tls_facts(server.link);
        assert_str(tls_version_text(facts.version), "1.3");
        assert_str(tls_suite_text(facts.suite), "TLS_AES_128_GCM_SHA256");
        assert_int_equal(link_tls_alpn(server.link).len, 0);
        assert_int_equal(tls.counts.full, 1);
        assert_int_equal(tls.counts.shaking, 0);
}

static void bulk_survives_every_network(void **state)
{
        (void)state;
        char *bulk = arena_alloc(&arena, BULK);
        for (size_t i = 0; i < BULK; i++)
                bulk[i] = (char)(i * 7 + i / 251);
        struct pki pki = pki_ec(&arena, "DNS:a.test");
        end_world();
        for (uint64_t seed = 1; seed <= 12; seed++) {
                begin_with(seed, &pki, 1, TLS_1_2);
                sim_draw_rules(sim);
                struct sim_rules *rules = sim_rules(sim);
                rules->reset = rules->refuse = rules->lose = 0;
                if (seed % 3 == 0)
                        SSL_CTX_set_max_proto_version(caller.context, TLS1_2_VERSION);
                else if (caller.context != NULL)
                        SSL_CTX_set_max_proto_version(caller.context, 0);
                caller.say = str_from(bulk, BULK);
                dial(NULL, "a.test");
                for (int i = 0; i < 2000 && caller.heard_len < BULK; i++)
                        run(SEC);
                assert_int_equal(caller.heard_len, BULK);
                assert_memory_equal(caller.heard, bulk, BULK);
                hang_up();
                if (seed < 12)
                        end_world();
        }
}

static void a_farewell_is_sent_and_understood(void **state)
{
        (void)state;
        caller.say = S("x");
        dial(NULL, "a.test");
        run(SEC);
        link_shut(server.link);
        assert_int_equal(link_room(server.link), 0);
        run(SEC);
        assert_true(caller.is_told);
        assert_true(caller.has_ended);
        SSL_shutdown(caller.ssl);
        caller_flush();
        run(SEC);
        assert_int_equal(server.ends, 1);
        sim_shut(caller.peer); /* the end of the socket says the same again */
        run(SEC);
        assert_int_equal(server.ends, 1);
        assert_int_equal(server.downs, 0);
}

static void who_changes_keys_after_our_end_gets_no_answer(void **state)
{
        (void)state;
        caller.say = S("x");
        dial(NULL, "a.test");
        run(SEC);
        link_shut(server.link);
        run(SEC);
        for (int i = 0; i < 20; i++) {
                SSL_key_update(caller.ssl, SSL_KEY_UPDATE_REQUESTED);
                SSL_do_handshake(caller.ssl);
                caller_flush();
        }
        run(SEC);
        assert_int_equal(server.downs, 0);
}

static void a_close_says_farewell_too(void **state)
{
        (void)state;
        caller.say = S("x");
        dial(NULL, "a.test");
        run(SEC);
        shut_down(false);
        run(SEC);
        assert_true(caller.is_told);
}

static void it_may_be_closed_in_any_call(void **state)
{
        (void)state;
        server.stops_at_up = true;
        caller.say = S("x");
        dial(NULL, "a.test");
        run(SEC);
        assert_int_equal(server.ups, 1);
        assert_int_equal(server.heard, 0);
        hang_up();
        char *bulk = arena_zero(&arena, 1, BULK);
        server.stop_after = 100000;
        caller.say = str_from(bulk, BULK);
        dial(NULL, "a.test");
        run(10 * SEC);
        assert_true(server.is_closed);
        assert_int_equal(server.downs, 0);
}

static void what_is_no_tls_is_told_down(void **state)
{
        (void)state;
        dial_raw("GET / HTTP/1.1\r\n\r\n", 18);
        run(SEC);
        assert_int_equal(server.downs, 1);
        assert_int_equal(server.ups, 0);
        assert_int_equal(tls.counts.failed, 1);
}

static void a_hello_has_a_most(void **state)
{
        (void)state;
        enum { RECORD = 16384, HEAD = 5 };
        uint8_t *hello = arena_zero(&arena, 1, 8 * (RECORD + HEAD));
        for (int i = 0; i < 8; i++)
                memcpy(hello + i * (RECORD + HEAD), "\x16\x03\x01\x40\x00", HEAD);
        memcpy(hello + HEAD, "\x01\x01\xff\x00", 4);
        dial_raw(hello, 8 * (RECORD + HEAD));
        run(SEC);
        assert_int_equal(server.downs, 1);
        assert_int_equal(tls.counts.failed, 1);
}

static void who_goes_away_is_counted_as_that(void **state)
{
        (void)state;
        dial_raw("\x16\x03\x01", 3);
        run(SEC);
        assert_int_equal(tls.counts.shaking, 1);
        sim_shut(caller.peer);
        run(SEC);
        assert_int_equal(server.downs, 1);
        assert_int_equal(tls.counts.cut, 1);
}

static void closed_before_it_is_up_it_is_late(void **state)
{
        (void)state;
        dial_raw("\x16\x03\x01", 3);
        run(SEC);
        shut_down(true);
        assert_int_equal(tls.counts.late, 1);
        assert_int_equal(tls.counts.shaking, 0);
}

static void the_least_version_holds(void **state)
{
        (void)state;
        struct pki pki = pki_ec(&arena, "DNS:a.test");
        end_world();
        begin_with(1, &pki, 1, TLS_1_3);
        caller.context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_max_proto_version(caller.context, TLS1_2_VERSION);
        dial(NULL, "a.test");
        run(SEC);
        assert_true(caller.has_failed);
        assert_int_equal(server.downs, 1);
}

static struct str shown(const char *name)
{
        static char text[64];
        dial(NULL, name);
        run(SEC);
        X509 *cert = SSL_get1_peer_certificate(caller.ssl);
        GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
        const ASN1_STRING *first = sk_GENERAL_NAME_value(names, 0)->d.dNSName;
        size_t len = (size_t)ASN1_STRING_length(first);
        int kind = EVP_PKEY_get_base_id(X509_get0_pubkey(cert));
        memcpy(text, ASN1_STRING_get0_data(first), len);
        memcpy(text + len, kind == EVP_PKEY_RSA ? " rsa" : " ec", 4);
        GENERAL_NAMES_free(names);
        X509_free(cert);
        hang_up();
        return str_from(text, len + (kind == EVP_PKEY_RSA ? 4 : 3));
}

static void the_name_asked_for_decides_what_is_shown(void **state)
{
        (void)state;
        const struct pki pairs[] = {pki_ec(&arena, "DNS:a.test"), pki_ec(&arena, "DNS:*.b.test"),
                                    pki_ec(&arena, "DNS:c.b.test"), pki_rsa(&arena, "DNS:a.test"),
                                    pki_rsa(&arena, "DNS:d.test")};
        end_world();
        begin_with(1, pairs, countof(pairs), TLS_1_2);
        assert_str(shown("a.test"), "a.test ec");
        assert_str(shown("x.b.test"), "*.b.test ec");
        assert_str(shown("C.B.TEST"), "c.b.test ec");
        assert_str(shown("b.test"), "a.test ec");
        assert_str(shown("x.y.b.test"), "a.test ec");
        assert_str(shown(NULL), "a.test ec");
        assert_str(shown("d.test"), "d.test rsa");
        SSL_CTX_set_max_proto_version(caller.context, TLS1_2_VERSION);
        SSL_CTX_set_cipher_list(caller.context, "ECDHE-RSA-AES128-GCM-SHA256");
        assert_str(shown("a.test"), "a.test rsa"); /* the same face */
}

/* A session of a handshake for this name; *ret_was_resumed says how it began. */
static SSL_SESSION *visit(SSL_SESSION *session, const char *name, bool *ret_was_resumed)
{
        caller.say = S("x"); /* tickets come with the first bytes */
        dial(session, name);
        run(SEC);
        assert_true(caller.is_up);
        *ret_was_resumed = SSL_session_reused(caller.ssl) == 1;
        SSL_SESSION *next = SSL_get1_session(caller.ssl);
        SSL_shutdown(caller.ssl);
        hang_up();
        return next;
}

static void tickets_are_good_for_their_face_only(void **state)
{
        (void)state;
        const struct pki pairs[] = {pki_ec(&arena, "DNS:a.test"), pki_ec(&arena, "DNS:b.test")};
        end_world();
        begin_with(1, pairs, 2, TLS_1_2);
        for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
                bool was_resumed;
                SSL_CTX_free(caller.context);
                caller.context = SSL_CTX_new(TLS_client_method());
                SSL_CTX_set_max_proto_version(caller.context, version);
                SSL_SESSION *a = visit(NULL, "a.test", &was_resumed);
                assert_false(was_resumed);
                SSL_SESSION_free(visit(a, "a.test", &was_resumed));
                assert_true(was_resumed);
                SSL_SESSION_free(visit(a, "b.test", &was_resumed));
                assert_false(was_resumed);
                SSL_SESSION_free(a);
        }
        assert_int_equal(tls.counts.resumed, 2);
        assert_int_equal(tls.counts.full, 4);
}

static void tickets_outlive_the_set_but_not_their_key(void **state)
{
        (void)state;
        bool was_resumed;
        struct pki renewed = pki_ec(&arena, "DNS:a.test");
        SSL_SESSION *session = visit(NULL, "a.test", &was_resumed);
        tls_set_give(set);
        set = pki_set(&renewed, 1, TLS_1_2, &ring);
        SSL_SESSION_free(visit(session, "a.test", &was_resumed));
        assert_true(was_resumed);
        sim_step_wall(sim, (int64_t)(4 * TICKET_SPAN_NS));
        run(SEC);
        SSL_SESSION_free(visit(session, "a.test", &was_resumed));
        assert_false(was_resumed);
        SSL_SESSION_free(session);
}

static void a_connection_keeps_the_set_it_came_with(void **state)
{
        (void)state;
        caller.say = S("x");
        dial(NULL, "a.test");
        run(SEC);
        struct pki renewed = pki_ec(&arena, "DNS:a.test");
        tls_set_give(set);
        set = pki_set(&renewed, 1, TLS_1_2, &ring);
        caller.say = S("xyz");
        caller_turn();
        run(SEC);
        assert_int_equal(caller.heard_len, 3);
        assert_int_equal(tls_set_count(link_tls_set(server.link)), 1);
        assert_ptr_equal(link_tls_face(server.link),
                         tls_set_face(link_tls_set(server.link), S("a.test")));
}

#define PROMISE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                PROMISE(what_is_said_comes_back),
                PROMISE(bulk_survives_every_network),
                PROMISE(a_farewell_is_sent_and_understood),
                PROMISE(who_changes_keys_after_our_end_gets_no_answer),
                PROMISE(a_close_says_farewell_too),
                PROMISE(it_may_be_closed_in_any_call),
                PROMISE(what_is_no_tls_is_told_down),
                PROMISE(a_hello_has_a_most),
                PROMISE(who_goes_away_is_counted_as_that),
                PROMISE(closed_before_it_is_up_it_is_late),
                PROMISE(the_least_version_holds),
                PROMISE(the_name_asked_for_decides_what_is_shown),
                PROMISE(tickets_are_good_for_their_face_only),
                PROMISE(tickets_outlive_the_set_but_not_their_key),
                PROMISE(a_connection_keeps_the_set_it_came_with),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
