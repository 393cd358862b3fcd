/* line.c -- tests of the lines of the access log: their form, and that nothing from outside can
 * leave its place in them. */
#include "unit.h"

#include "record/line.h"
#include "wire/json.h"

static char memory[LINE_SIZE_MAX];

static struct record example(void)
{
        return (struct record){
                .wall = 1795341600123456789u,
                .duration = 2100000,
                .upstream = 1600000,
                .response_bytes = 98,
                .request = {.method = S("GET"),
                            .path = S("/orders/42"),
                            .route = S("/orders/{id}"),
                            .address = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1},
                            .version = 11},
                .who = {.api = S("orders"), .consumer = S("acme"), .upstream = S("orders")},
                .trace = {.request_id = S("0199-a"), .config = S("9f3c")},
                .reason = REASON_done,
                .status = 200,
                .upstream_status = 200,
                .tries = 1,
        };
}

static struct str put(enum line_style style, bool has_colour, const struct record *record)
{
        struct line_look look = {style, has_colour};
        struct text out = text_over(memory, sizeof memory);
        line_put(&out, &look, record);
        assert_false(out.is_cut);
        return text_str(&out);
}

static void a_line_is_what_the_manual_shows(void **state)
{
        (void)state;
        struct record record = example();
        record.trace.trace_id = S("4bf92f3577b34da6a3ce929d0e0e4736");
        record.trace.span_id = S("00f067aa0ba902b7");
        assert_str(put(LINE_JSON, false, &record),
                   "{\"timestamp\":\"2026-11-22T10:00:00.123Z\",\"severity_text\":\"INFO\","
                   "\"body\":\"GET /orders/{id} 200\","
                   "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
                   "\"span_id\":\"00f067aa0ba902b7\",\"attributes\":{"
                   "\"http.request.method\":\"GET\",\"http.route\":\"/orders/{id}\","
                   "\"url.path\":\"/orders/42\",\"network.protocol.version\":\"1.1\","
                   "\"http.response.status_code\":200,\"http.server.request.duration\":0.0021,"
                   "\"http.request.body.size\":0,\"http.response.body.size\":98,"
                   "\"client.address\":\"192.0.2.1\",\"gatehouse.api\":\"orders\","
                   "\"gatehouse.consumer\":\"acme\",\"gatehouse.reason\":\"done\","
                   "\"gatehouse.upstream\":\"orders\",\"gatehouse.upstream.status_code\":200,"
                   "\"gatehouse.upstream.duration\":0.0016,\"gatehouse.tries\":1,"
                   "\"gatehouse.config\":\"9f3c\",\"request_id\":\"0199-a\"}}\n");
        assert_str(put(LINE_TEXT, false, &record),
                   "10:00:00.123 200 GET    /orders/42                 2.10ms orders as acme\n");
        assert_str(
                put(LINE_CLF, false, &record),
                "192.0.2.1 - acme [22/Nov/2026:10:00:00 +0000] \"GET /orders/42 HTTP/1.1\" 200 98 "
                "\"-\" \"-\"\n");
        assert_int_equal(put(LINE_OFF, false, &record).len, 0);
}

static void a_refused_request_says_why(void **state)
{
        (void)state;
        struct record record = {.reason = REASON_bad_request, .status = 400};
        record.request.address[15] = 1;
        assert_str(put(LINE_TEXT, false, &record),
                   "00:00:00.000 400 -                                 "
                   "     - from ::1 bad-request\n");
        struct str line = put(LINE_JSON, false, &record);
        assert_true(str_find_str(line, S("\"body\":\"- 400\"")) > 0);
        assert_true(str_find_str(line, S("\"client.address\":\"::1\"")) > 0);
        record = example();
        record.status = 0;
        record.reason = REASON_client_abort;
        line = put(LINE_JSON, false, &record);
        assert_true(str_find_str(line, S("\"body\":\"GET /orders/{id} client-abort\"")) > 0);
        assert_int_equal(str_find_str(line, S("http.response.status_code")), -1);
        record.request.method = S("BREW");
        line = put(LINE_JSON, false, &record);
        assert_true(str_find_str(line, S("\"http.request.method\":\"_OTHER\","
                                         "\"http.request.method_original\":\"BREW\"")) > 0);
}

static void severity_tells_whose_fault_it_was(void **state)
{
        (void)state;
        struct record record = example();
        assert_str(line_severity(&record), "INFO");
        record.status = 500;
        assert_str(line_severity(&record), "WARN");
        record.reason = REASON_upstream_timeout;
        assert_str(line_severity(&record), "ERROR");
        record.reason = REASON_rate_limited;
        record.status = 429;
        assert_str(line_severity(&record), "INFO");
}

static void colour_is_only_where_it_is_wanted(void **state)
{
        (void)state;
        struct record record = example();
        assert_int_equal(str_find(put(LINE_TEXT, false, &record), '\x1b'), -1);
        assert_true(str_find_str(put(LINE_TEXT, true, &record), S("\x1b[32m200\x1b[0m")) > 0);
        assert_int_equal(str_find(put(LINE_JSON, true, &record), '\x1b'), -1);
}

static const char *const hostile[] = {
        "a\r\nb",
        "\x1b[2J\x1b]0;title\x07",
        "\xc2\x9b"
        "31m",
        "\xe2\x80\xae"
        "gpj.exe",
        "\xe2\x81\xa6\xe2\x80\xa8",
        "\"},\"x\":{\"",
        "\\\"\\",
        "\xff\xfe\x80",
        "=cmd|' /C calc'!A0",
        "\x7f\x01\x1f",
        "' - - [01/Jan/2026] \"GET / HTTP/1.1\" 200 0",
};

/* One record is one line of characters that no terminal obeys. */
static void assert_tame(struct str line, bool is_ascii)
{
        assert_true(str_ends(line, S("\n")));
        for (size_t i = 0; i + 1 < line.len;) {
                unsigned char c = (unsigned char)line.ptr[i];
                size_t len = str_utf8(line, i);
                assert_true(len > 0 && c >= 0x20 && c != 0x7f);
                assert_true(len == 1 || !is_ascii);
                assert_false(len == 2 && c == 0xc2 && (unsigned char)line.ptr[i + 1] < 0xa0);
                i += len;
        }
}

static void nothing_from_outside_leaves_its_place(void **state)
{
        (void)state;
        for (size_t i = 0; i < countof(hostile); i++) {
                struct record record = {.reason = REASON_done, .status = 200};
                struct str text = str_of(hostile[i]);
#define TEXT(member, max) record.member = text;
                RECORD_TEXTS(TEXT)
#undef TEXT
                struct arena arena;
                const struct json *root;
                struct json_trouble trouble;
                arena_init(&arena, NULL, 1 << 20);
                struct str line = put(LINE_JSON, false, &record);
                assert_tame(line, false);
                assert_int_equal(json_read(line, NULL, &arena, &root, &trouble), ERR_ok);
                assert_int_equal(root->len, 6);
                if (text.ptr[0] != '\xff')
                        assert_str_eq(
                                json_str(json_pointer(root, S("/attributes/url.path")), &arena),
                                text);
                arena_fini(&arena);
                line = put(LINE_TEXT, false, &record);
                assert_tame(line, false);
                assert_int_equal(str_find_str(line, S("\xe2\x80\xae")), -1);
                assert_int_equal(str_find_str(line, S("\xe2\x81\xa6")), -1);
                line = put(LINE_CLF, false, &record);
                assert_tame(line, true);
                unsigned quotes = 0;
                for (size_t k = 0; k < line.len; k++) {
                        if (line.ptr[k] == '\\')
                                k++;
                        else
                                quotes += line.ptr[k] == '"';
                }
                assert_int_equal(quotes, 6);
        }
}

static void the_longest_line_fits(void **state)
{
        (void)state;
        static char bytes[4096];
        for (int c = 0; c < 256; c++) {
                memset(bytes, c, sizeof bytes);
                struct record record = {.reason = REASON_done, .status = 200};
#define TEXT(member, max) record.member = str_from(bytes, max);
                RECORD_TEXTS(TEXT)
#undef TEXT
                put(LINE_JSON, false, &record);
                put(LINE_TEXT, true, &record);
                put(LINE_CLF, false, &record);
        }
}

static void the_schema_knows_every_key_of_a_line(void **state)
{
        (void)state;
        struct arena arena;
        struct record record = example();
        const struct json *schema, *line;
        struct json_trouble trouble;
        arena_init(&arena, NULL, 1 << 20);
        struct text out = text_grow(&arena, 1 << 16);
        line_schema_put(&out);
        assert_int_equal(json_read(text_str(&out), NULL, &arena, &schema, &trouble), ERR_ok);
#define TEXT(member, max) record.member = S("x");
        RECORD_TEXTS(TEXT)
#undef TEXT
        record.request.bytes = record.request.port = 1;
        record.request.tls = (struct tls_facts){TLS_VERSION_1_3, 0x1301};
        record.suppressed = 1;
        assert_int_equal(json_read(put(LINE_JSON, false, &record), NULL, &arena, &line, &trouble),
                         ERR_ok);
        const struct json *top = json_get(schema, S("properties"));
        const struct json *attributes = json_pointer(schema,
                                                     S("/properties/attributes/properties"));
        json_each (value, line)
                assert_non_null(json_get(top, json_key_str(value)));
        const struct json *written = json_get(line, S("attributes"));
        json_each (value, written)
                assert_non_null(json_get(attributes, json_key_str(value)));
        assert_int_equal(written->len, attributes->len);
        json_each (value, attributes)
                assert_non_null(json_get(value, S("description")));
        arena_fini(&arena);
}

static void durations_have_three_digits(void **state)
{
        (void)state;
        static const struct {
                uint64_t ns;
                const char *text;
        } cases[] = {
                {0, "      -"},           {999, " 0.99us"},           {1234, " 1.23us"},
                {45678, " 45.6us"},       {789012, "  789us"},        {1000000, " 1.00ms"},
                {12345678, " 12.3ms"},    {999999999, "  999ms"},     {1000000000, "  1.00s"},
                {61500000000, "  61.5s"}, {3600000000000, "  3600s"},
        };
        for (size_t i = 0; i < countof(cases); i++) {
                struct record record = example();
                record.duration = cases[i].ns;
                assert_true(str_find_str(put(LINE_TEXT, false, &record), str_of(cases[i].text)) >
                            0);
        }
}

/* All that a record can hold is as long as it can be, but for the texts. */
static struct record longest(enum reason reason, struct str value, bool is_plain)
{
        struct record record = example();
        record.reason = reason;
        record.duration = record.upstream = UINT64_MAX;
        record.response_bytes = record.request.bytes = UINT64_MAX;
        record.status = record.upstream_status = record.request.port = UINT16_MAX;
        memset(record.request.address, 0xee, sizeof record.request.address);
        record.is_plain = is_plain;
#define TEXT(member, max) record.member = value;
        RECORD_TEXTS(TEXT)
#undef TEXT
        return record;
}

/* Behind what there is room for stands what nobody may touch. True: the line was written. */
static bool is_written(const struct record *record, size_t room)
{
        struct line_look look = {.style = LINE_JSON};
        struct text out = text_over(memory, room);
        memset(memory, '~', sizeof memory);
        line_put(&out, &look, record);
        assert_in_range(out.len, 0, room);
        assert_true(out.is_cut ? out.len == 0 : out.len > 500);
        for (size_t k = out.len; k < room + 100; k++)
                assert_int_equal(memory[k], '~');
        return !out.is_cut;
}

static void a_line_that_has_no_room_is_not_begun(void **state)
{
        (void)state;
        for (unsigned reason = 0; reason < REASON_COUNT; reason++) {
                struct record plain = longest((enum reason)reason, S("ab"), true);
                struct record wild = longest((enum reason)reason, S("\x01\xff\""), false);
                size_t room = 1000;
                assert_false(is_written(&plain, room));
                assert_false(is_written(&wild, room));
                while (!is_written(&plain, room))
                        room++;
                while (!is_written(&wild, room))
                        room++;
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_line_is_what_the_manual_shows),
                cmocka_unit_test(a_line_that_has_no_room_is_not_begun),
                cmocka_unit_test(a_refused_request_says_why),
                cmocka_unit_test(severity_tells_whose_fault_it_was),
                cmocka_unit_test(colour_is_only_where_it_is_wanted),
                cmocka_unit_test(nothing_from_outside_leaves_its_place),
                cmocka_unit_test(the_longest_line_fits),
                cmocka_unit_test(the_schema_knows_every_key_of_a_line),
                cmocka_unit_test(durations_have_three_digits),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
