/* ws.c -- what wire/ws.h promises: frames are found wherever they are cut, messages are counted
 * over their fragments, and what is no frame is told at its head. Row 139. */
#include "wire/ws.h"

#include "../unit.h"

#define Z21 "ZZZZZZZZZZZZZZZZZZZZZ"
#define Z63 Z21 Z21 Z21

static void the_handshake_of_the_rfc(void **state)
{
        char memory[WS_ACCEPT_SIZE];
        struct text text = text_over(memory, sizeof memory);
        (void)state;
        ws_put_accept(S("dGhlIHNhbXBsZSBub25jZQ=="), &text); /* RFC 6455 1.3 */
        assert_true(str_is(text_str(&text), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

static void a_key_is_sixteen_bytes(void **state)
{
        static const char *const bad[] = {"",
                                          "dGhlIHNhbXBsZSBub25jZQ=",
                                          "dGhlIHNhbXBsZSBub25jZQ",
                                          "dGhlIHNhbXBsZSBub25jZSE=",
                                          "dGhlIHNhbXBsZSBub25j",
                                          "dGhlIHNhbXBsZSBub25jZR==",
                                          "dGhlIHNhbXBsZSBub25-ZQ==",
                                          "dGhlIHNhbXBsZSBub25jZQ== "};
        (void)state;
        assert_true(ws_key_is_good(S("dGhlIHNhbXBsZSBub25jZQ==")));
        assert_true(ws_key_is_good(S("AAAAAAAAAAAAAAAAAAAAAA==")));
        for (size_t i = 0; i < countof(bad); i++)
                assert_false(ws_key_is_good(str_of(bad[i])));
}

/* Reads all of it in pieces of `size`; how many frames ended. */
static unsigned read_all(struct ws_frames *frames, struct str bytes, size_t size)
{
        unsigned count = 0;
        while (bytes.len > 0 && frames->fault == WS_FAULT_NONE) {
                size_t used = ws_frames_read(frames, str_first(bytes, size));
                assert_true(used > 0 || frames->fault != WS_FAULT_NONE);
                bytes = str_skip(bytes, used);
                count += ws_frames_are_whole(frames) && frames->fault == WS_FAULT_NONE;
        }
        return count;
}

static void frames_are_found_whatever_the_cuts(void **state)
{
        struct str bytes = S("\x81\x05hello"
                             "\x89\0"
                             "\x82\x7e\0\x7e" Z63 Z63 "\x01\x02"
                             "ab"
                             "\x8a\x01p"
                             "\x80\x01"
                             "c"
                             "\x88\x02\x03\xe9");
        (void)state;
        for (size_t size = 1; size <= bytes.len; size++) {
                struct ws_frames frames = {.message_max = 126};
                assert_int_equal(read_all(&frames, bytes, size), 7);
                assert_int_equal(frames.fault, WS_FAULT_NONE);
                assert_true(frames.is_closed && ws_frames_are_whole(&frames));
                assert_int_equal(frames.message, 3);
        }
}

static void masked_frames_are_those_of_callers(void **state)
{
        struct ws_frames caller = {.is_masked = true}, server = {.is_masked = false};
        (void)state;
        assert_int_equal(read_all(&caller, S("\x81\x82\1\2\3\4ab\x89\x80\1\2\3\4"), 3), 2);
        read_all(&server, S("\x81\x82\1\2\3\4ab"), 9);
        assert_int_equal(server.fault, WS_FAULT_FRAME);
        caller = (struct ws_frames){.is_masked = true};
        read_all(&caller,
                 S("\x81\x02"
                   "ab"),
                 1);
        assert_int_equal(caller.fault, WS_FAULT_FRAME);
}

static void what_is_no_frame_is_told(void **state)
{
        static const struct str bad[] = {
                S_INIT("\x83\0"), /* opcodes that mean nothing */
                S_INIT("\x87\0"),
                S_INIT("\x8b\0"),
                S_INIT("\x8f\0"),
                S_INIT("\x09\0"),         /* a control frame in fragments */
                S_INIT("\x89\x7e\0\x7e"), /* one that is too long */
                S_INIT("\x80\0"),         /* a rest of nothing */
                S_INIT("\x01\0\x81\0"),   /* a message within another one */
                S_INIT("\x82\x7e\0\x7d"), /* lengths in more bytes than needed */
                S_INIT("\x82\x7f\0\0\0\0\0\0\xff\xff"),
                S_INIT("\x82\x7f\x80\0\0\0\0\0\0\0"), /* 2^63 */
        };
        (void)state;
        for (size_t i = 0; i < countof(bad); i++) {
                for (size_t size = 1; size <= bad[i].len; size++) {
                        struct ws_frames frames = {.is_masked = false};
                        read_all(&frames, bad[i], size);
                        if (frames.fault != WS_FAULT_FRAME)
                                fail_msg("%zu is a frame", i);
                        assert_false(ws_frames_are_whole(&frames));
                        assert_int_equal(ws_frames_read(&frames, S("\x81\0")), 0);
                }
        }
}

static void bits_of_extensions_are_passed(void **state)
{
        struct ws_frames frames = {.is_masked = false};
        (void)state;
        assert_int_equal(read_all(&frames, S("\xc1\x01x\xf2\x01y"), 1), 2);
}

static void a_message_too_large_is_told_at_its_head(void **state)
{
        struct ws_frames frames = {.message_max = 5};
        (void)state;
        assert_int_equal(read_all(&frames, S("\x81\x05hello"), 1), 1);
        assert_int_equal(ws_frames_read(&frames, S("\x81\x06h")), 2);
        assert_int_equal(frames.fault, WS_FAULT_SIZE);
        assert_false(ws_frames_are_whole(&frames)); /* its payload is to come */
        frames = (struct ws_frames){.message_max = 5};
        assert_int_equal(read_all(&frames,
                                  S("\x01\x03"
                                    "abc\x89\x04ping"),
                                  9),
                         2);
        ws_frames_read(&frames, S("\x80\x03"));
        assert_int_equal(frames.fault, WS_FAULT_SIZE);
        frames = (struct ws_frames){.message_max = 5};
        ws_frames_read(&frames, S("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"));
        assert_int_equal(frames.fault, WS_FAULT_SIZE);
}

static void sums_do_not_wrap(void **state)
{
        struct ws_frames frames = {.message_max = 0};
        (void)state;
        frames.is_open = true;
        frames.message = UINT64_MAX - 3;
        ws_frames_read(&frames, S("\0\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"));
        assert_int_equal(frames.fault, WS_FAULT_NONE);
        assert_true(frames.message == UINT64_MAX);
        frames = (struct ws_frames){.message_max = UINT64_MAX, .message = UINT64_MAX - 3};
        frames.is_open = true;
        ws_frames_read(&frames, S("\0\x05"));
        assert_int_equal(frames.fault, WS_FAULT_SIZE);
}

static void a_close_frame_is_a_frame(void **state)
{
        (void)state;
        for (int i = 0; i < 2; i++) {
                char memory[WS_CLOSE_MAX];
                struct text text = text_over(memory, sizeof memory);
                struct ws_frames frames = {.is_masked = i == 1};
                ws_put_close(WS_GOING_AWAY, i == 1, &text);
                assert_false(text.is_cut);
                assert_int_equal(ws_frames_read(&frames, text_str(&text)), text.len);
                assert_true(ws_frames_are_whole(&frames) && frames.is_closed);
                assert_memory_equal(text.at + text.len - 2, "\x03\xe9", 2);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_handshake_of_the_rfc),
                cmocka_unit_test(a_key_is_sixteen_bytes),
                cmocka_unit_test(frames_are_found_whatever_the_cuts),
                cmocka_unit_test(masked_frames_are_those_of_callers),
                cmocka_unit_test(what_is_no_frame_is_told),
                cmocka_unit_test(bits_of_extensions_are_passed),
                cmocka_unit_test(a_message_too_large_is_told_at_its_head),
                cmocka_unit_test(sums_do_not_wrap),
                cmocka_unit_test(a_close_frame_is_a_frame),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
