/* record.c -- tests of records as messages: the same comes out, cut where it is too long. */
#include "unit.h"

#include "io/ring.h"
#include "record/record.h"

static struct record example(void)
{
        return (struct record){
                .wall = 1795341600123456789u,
                .duration = 2100000,
                .upstream = 1600000,
                .response_bytes = 98,
                .request = {.method = S("GET"),
                            .host = S("api.example.com"),
                            .path = S("/orders/42"),
                            .route = S("/orders/{id}"),
                            .query_names = S("page,limit"),
                            .content_type = S("application/json"),
                            .user_agent = S("curl/7.88.1"),
                            .bytes = 12,
                            .address = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1},
                            .port = 4711,
                            .version = 11},
                .who = {.api = S("orders"), .consumer = S("acme"), .upstream = S("orders")},
                .trace = {.request_id = S("0199-a"), .config = S("9f3c"), .steps = S("route")},
                .detail = S("because"),
                .reason = REASON_rate_limited,
                .status = 429,
                .upstream_status = 200,
                .tries = 2,
        };
}

static void a_record_comes_back_as_it_was(void **state)
{
        (void)state;
        struct ring *ring = ring_make(64 * 1024);
        struct record in = example(), out;
        struct ring_message message;
        assert_true(record_put(ring, &in));
        assert_true(ring_next(ring, &message));
        assert_int_equal(message.kind, RECORD_MESSAGE);
        assert_int_equal(record_read(message.bytes, &out), ERR_ok);
        assert_int_equal(out.wall, in.wall);
        assert_int_equal(out.duration, in.duration);
        assert_int_equal(out.upstream, in.upstream);
        assert_int_equal(out.response_bytes, in.response_bytes);
        assert_int_equal(out.request.bytes, in.request.bytes);
        assert_int_equal(out.request.port, in.request.port);
        assert_int_equal(out.request.version, in.request.version);
        assert_memory_equal(out.request.address, in.request.address, 16);
        assert_int_equal(out.reason, in.reason);
        assert_int_equal(out.status, in.status);
        assert_int_equal(out.upstream_status, in.upstream_status);
        assert_int_equal(out.tries, in.tries);
#define TEXT(member, max) assert_str_eq(out.member, in.member);
        RECORD_TEXTS(TEXT)
#undef TEXT
        ring_release(ring);
        ring_free(ring);
}

static void what_is_too_long_is_cut_at_a_character(void **state)
{
        (void)state;
        static char text[1 << 20];
        for (size_t i = 0; i + 3 <= sizeof text; i += 3)
                memcpy(text + i, "\xe2\x82\xac", 3);
        struct ring *ring = ring_make(64 * 1024);
        struct record in = {.reason = REASON_done}, out;
#define TEXT(member, max) in.member = str_from(text, sizeof text);
        RECORD_TEXTS(TEXT)
#undef TEXT
        struct ring_message message;
        assert_true(record_put(ring, &in));
        assert_true(ring_next(ring, &message));
        assert_true(message.bytes.len <= RECORD_SIZE_MAX);
        assert_int_equal(record_read(message.bytes, &out), ERR_ok);
#define TEXT(member, max) assert_int_equal(out.member.len, (max) / 3 * 3);
        RECORD_TEXTS(TEXT)
#undef TEXT
        ring_free(ring);
}

static void a_full_ring_drops_and_counts(void **state)
{
        (void)state;
        struct ring *ring = ring_make(64 * 1024);
        struct record in = example(), out;
        struct ring_message message;
        unsigned put = 0, got = 0;
        while (record_put(ring, &in))
                put++;
        assert_true(put > 100);
        assert_int_equal(ring_dropped(ring), 1);
        while (ring_next(ring, &message)) {
                assert_int_equal(record_read(message.bytes, &out), ERR_ok);
                got++;
        }
        ring_release(ring);
        assert_int_equal(got, put);
        assert_true(record_put(ring, &in));
        ring_free(ring);
}

static void a_message_that_is_cut_is_none(void **state)
{
        (void)state;
        struct ring *ring = ring_make(64 * 1024);
        struct record in = example(), out;
        struct ring_message message;
        assert_true(record_put(ring, &in));
        assert_true(ring_next(ring, &message));
        for (size_t len = 0; len < message.bytes.len; len++)
                assert_int_equal(record_read((struct slice){message.bytes.ptr, len}, &out),
                                 ERR_syntax);
        ring_free(ring);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_record_comes_back_as_it_was),
                cmocka_unit_test(what_is_too_long_is_cut_at_a_character),
                cmocka_unit_test(a_full_ring_drops_and_counts),
                cmocka_unit_test(a_message_that_is_cut_is_none),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
