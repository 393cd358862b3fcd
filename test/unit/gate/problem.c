/* problem.c -- tests of what callers are told: the documents, their limits, their fields. */
#include "unit.h"

#include "gate/problem.h"
#include "wire/json.h"

static char memory[64 * 1024];

static struct str put(const struct problem *problem, enum problem_form form)
{
        struct text out = text_over(memory, sizeof memory);
        problem_put(problem, form, &out);
        assert_false(out.is_cut);
        return text_str(&out);
}

static void a_problem_has_the_members_of_rfc_9457(void **state)
{
        (void)state;
        struct problem problem = {
                .reason = REASON_rate_limited,
                .detail = S("60/min for acme"),
                .request_id = S("0199-a"),
        };
        assert_str(put(&problem, PROBLEM_JSON),
                   "{\"type\":\"urn:gatehouse:problem:rate-limited\","
                   "\"title\":\"Too many requests: the rate limit is reached\",\"status\":429,"
                   "\"detail\":\"60/min for acme\",\"code\":\"rate-limited\","
                   "\"instance\":\"urn:gatehouse:request:0199-a\",\"request_id\":\"0199-a\"}");
        problem = (struct problem){.reason = REASON_not_found,
                                   .types = S("https://docs.example/p#"),
                                   .title = S("Gone fishing."),
                                   .status = 410};
        assert_str(put(&problem, PROBLEM_JSON),
                   "{\"type\":\"https://docs.example/p#not-found\",\"title\":\"Gone fishing\","
                   "\"status\":410,\"code\":\"not-found\"}");
}

static void types_stand_below_the_url(void **state)
{
        (void)state;
        struct problem problem = {.reason = REASON_loop, .types = S("https://x.example/problems")};
        assert_true(str_starts(put(&problem, PROBLEM_JSON),
                               S("{\"type\":\"https://x.example/problems/loop\",")));
        problem.types = S("https://x.example/problems/");
        assert_true(str_starts(put(&problem, PROBLEM_JSON),
                               S("{\"type\":\"https://x.example/problems/loop\",")));
}

static void every_reason_makes_a_document(void **state)
{
        (void)state;
        for (int reason = 0; reason < REASON_COUNT; reason++) {
                struct problem problem = {.reason = (enum reason)reason, .detail = S("x")};
                struct arena arena;
                const struct json *root;
                struct json_trouble trouble;
                arena_init(&arena, NULL, 1 << 20);
                assert_int_equal(
                        json_read(put(&problem, PROBLEM_JSON), NULL, &arena, &root, &trouble),
                        ERR_ok);
                assert_true(json_is_str(json_get(root, S("code")), reason_token(problem.reason)));
                assert_true(problem_status(&problem) >= 400);
                arena_fini(&arena);
        }
}

static void members_are_added_where_they_fit(void **state)
{
        (void)state;
        struct problem_member members[] = {
                {"errors", S("[{\"pointer\":\"/a\"}]"), true},
                {"allow", S("GET \"x\""), false},
        };
        struct problem problem = {
                .reason = REASON_not_found, .members = members, .member_count = 2};
        struct str whole = put(&problem, PROBLEM_JSON);
        assert_true(str_ends(whole,
                             S(",\"errors\":[{\"pointer\":\"/a\"}],\"allow\":\"GET \\\"x\\\"\"}")));
        for (size_t size = whole.len - 1; size >= whole.len - 20; size--) {
                struct text out = text_over(memory, size);
                problem_put(&problem, PROBLEM_JSON, &out);
                assert_false(out.is_cut);
                assert_true(str_ends(text_str(&out), S("}]}")));
        }
}

static void what_is_hostile_is_escaped_and_cut(void **state)
{
        (void)state;
        char long_text[4096];
        for (int form = PROBLEM_JSON; form <= PROBLEM_HTML; form++) {
                for (int c = 0; c < 256; c++) {
                        memset(long_text, c, sizeof long_text);
                        struct str text = str_from(long_text, sizeof long_text);
                        struct problem problem = {.reason = REASON_fault,
                                                  .title = text,
                                                  .detail = text,
                                                  .code = text,
                                                  .types = text,
                                                  .request_id = text};
                        struct text out = text_over(memory, PROBLEM_MAX);
                        problem_put(&problem, (enum problem_form)form, &out);
                        assert_false(out.is_cut);
                        assert_true(form == PROBLEM_HTML || str_ends(text_str(&out), S("}")));
                }
        }
        struct problem problem = {.reason = REASON_bad_request,
                                  .detail = S("<script>alert('1')&\"\x1b[31m\xff</script>")};
        struct str page = put(&problem, PROBLEM_HTML);
        assert_int_equal(str_find_str(page, S("<script")), -1);
        assert_int_equal(str_find_str(page, S("\x1b")), -1);
        assert_true(str_find_str(page, S("&#60;script&#62;alert(&#39;1&#39;)&#38;&#34;")) > 0);
        assert_str(put(&(struct problem){.reason = REASON_bad_request,
                                         .code = S("c"),
                                         .title = S("t"),
                                         .detail = S("\"\\\r\n\x01")},
                       PROBLEM_JSON),
                   "{\"type\":\"urn:gatehouse:problem:c\",\"title\":\"t\",\"status\":400,"
                   "\"detail\":\"\\\"\\\\\\u000d\\u000a\\u0001\",\"code\":\"c\"}");
}

static void a_cut_never_splits_a_character(void **state)
{
        (void)state;
        char text[PROBLEM_DETAIL_MAX + 8];
        for (size_t shift = 0; shift < 4; shift++) {
                size_t len = shift;
                memset(text, 'x', sizeof text);
                for (; len + 3 <= sizeof text; len += 3)
                        memcpy(text + len, "\xe2\x82\xac", 3);
                struct problem problem = {.reason = REASON_fault, .detail = str_from(text, len)};
                assert_int_equal(str_find_str(put(&problem, PROBLEM_JSON), S("ufffd")), -1);
        }
}

static enum problem_form form_for(const char *accept)
{
        struct arena arena;
        struct fields fields;
        arena_init(&arena, NULL, 1 << 20);
        fields_init(&fields, &arena, 4);
        if (accept != NULL)
                fields_add_known(&fields, NAME_accept, str_of(accept));
        enum problem_form form = problem_form(&fields);
        arena_fini(&arena);
        return form;
}

static void browsers_get_a_page_and_programs_a_document(void **state)
{
        (void)state;
        assert_int_equal(form_for(NULL), PROBLEM_JSON);
        assert_int_equal(form_for("*/*"), PROBLEM_JSON);
        assert_int_equal(form_for("application/json"), PROBLEM_JSON);
        assert_int_equal(form_for("text/*"), PROBLEM_JSON);
        assert_int_equal(form_for("text/html, application/json"), PROBLEM_JSON);
        assert_int_equal(form_for("text/html;q=0.5, application/problem+json"), PROBLEM_JSON);
        assert_int_equal(form_for("text/html"), PROBLEM_HTML);
        assert_int_equal(
                form_for("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
                PROBLEM_HTML);
}

static void the_fields_of_an_answer_fit_its_reason(void **state)
{
        (void)state;
        struct arena arena;
        struct fields request, response;
        arena_init(&arena, NULL, 1 << 20);
        fields_init(&request, &arena, 4);
        fields_init(&response, &arena, 4);
        struct problem problem = {.reason = REASON_upstream_timeout,
                                  .retry_s = 7,
                                  .next_hop = S("orders-1:8080\"\r\n")};
        struct str body = problem_make(&problem, &request, &response, &arena);
        assert_true(str_starts(body, S("{\"type\"")));
        assert_str(fields_value(&response, NAME_content_type), "application/problem+json");
        assert_str(fields_value(&response, NAME_cache_control), "no-store");
        assert_str(fields_value(&response, NAME_retry_after), "7");
        assert_str(fields_value(&response, NAME_proxy_status),
                   "gate; error=http_response_timeout; next-hop=\"orders-1:8080\\\"??\"");
        fields_init(&response, &arena, 4);
        problem = (struct problem){.reason = REASON_not_found};
        fields_add_known(&request, NAME_accept, S("text/html"));
        body = problem_make(&problem, &request, &response, &arena);
        assert_true(str_starts(body, S("<!doctype html>")));
        assert_str(fields_value(&response, NAME_content_type), "text/html; charset=utf-8");
        assert_null(fields_get(&response, NAME_proxy_status));
        assert_null(fields_get(&response, NAME_retry_after));
        arena_fini(&arena);
}

static void a_refusal_is_one_whole_answer(void **state)
{
        (void)state;
        struct text out = text_over(memory, sizeof memory);
        struct problem problem = {.reason = REASON_bad_request,
                                  .request_id = S("a\r\nSet-Cookie: x")};
        problem_put_answer(&problem, S("Fri, 20 Nov 2026 10:00:00 GMT"), &out);
        struct str answer = text_str(&out);
        assert_true(str_starts(answer, S("HTTP/1.1 400 Bad Request\r\nDate: Fri, ")));
        assert_true(str_find_str(answer, S("\r\nConnection: close\r\n\r\n{")) > 0);
        assert_int_equal(str_find_str(answer, S("\nSet-Cookie")), -1);
        ptrdiff_t at = str_find_str(answer, S("\r\n\r\n"));
        char length[64];
        struct text line = text_over(length, sizeof length);
        text_format(&line, "\r\nContent-Length: %zu\r\n", answer.len - (size_t)at - 4);
        assert_true(str_find_str(answer, text_str(&line)) > 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_problem_has_the_members_of_rfc_9457),
                cmocka_unit_test(types_stand_below_the_url),
                cmocka_unit_test(every_reason_makes_a_document),
                cmocka_unit_test(members_are_added_where_they_fit),
                cmocka_unit_test(what_is_hostile_is_escaped_and_cut),
                cmocka_unit_test(a_cut_never_splits_a_character),
                cmocka_unit_test(browsers_get_a_page_and_programs_a_document),
                cmocka_unit_test(the_fields_of_an_answer_fit_its_reason),
                cmocka_unit_test(a_refusal_is_one_whole_answer),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
