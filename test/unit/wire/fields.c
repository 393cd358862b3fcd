/* fields.c -- no alias of a name slips past, and lists keep their order. */
#include "wire/fields.h"

#include "../unit.h"
#include "wire/h1.h"

static const char *const texts[] = {
        "",
#define NAME(id, text, flags) text,
#include "wire/names.def"
#undef NAME
};

/* The name in one of eight spellings: cases mixed in four ways, with '-' and with '_'. */
static struct str spell(struct str text, unsigned form, char *memory)
{
        for (size_t i = 0; i < text.len; i++) {
                char c = char_lower(text.ptr[i]);
                bool is_letter = c >= 'a' && c <= 'z';
                bool is_upper = form % 4 == 1 || (form % 4 == 2 && i % 2 == 0) ||
                                (form % 4 == 3 && i % 3 == 0);
                memory[i] = is_letter && is_upper ? (char)(c - 32) : c;
                if (c == '-' && form >= 4)
                        memory[i] = '_';
        }
        return str_from(memory, text.len);
}

static void every_name_is_found_whatever_its_case(void **state)
{
        (void)state;
        for (unsigned id = 1; id < NAME_COUNT; id++) {
                char memory[64];
                struct str text = str_of(texts[id]);
                assert_str(name_text(id), texts[id]);
                assert_int_equal(name_find(text), id);
                for (unsigned form = 0; form < 8; form++) {
                        struct str other = spell(text, form, memory);
                        bool is_alias = form >= 4 && str_find(text, '-') >= 0;
                        assert_int_equal(name_find(other), id);
                        assert_int_equal(name_find_exact(other), is_alias ? NAME_other : id);
                        assert_true(name_eq(other, text));
                }
        }
}

static void names_one_byte_away_are_others(void **state)
{
        (void)state;
        for (unsigned id = 1; id < NAME_COUNT; id++) {
                char memory[64];
                struct str text = str_of(texts[id]);
                for (size_t i = 0; i < text.len; i++) {
                        for (unsigned c = 0; c < 256; c++) {
                                memcpy(memory, text.ptr, text.len);
                                memory[i] = (char)c;
                                struct str other = str_from(memory, text.len);
                                enum name found = name_find(other);
                                bool is_same = name_eq(other, text);
                                assert_true(is_same == (found == id));
                                assert_true(found == NAME_other ||
                                            name_eq(name_text(found), other));
                        }
                }
                memcpy(memory, text.ptr, text.len);
                memory[text.len] = 's';
                enum name longer = name_find(str_from(memory, text.len + 1));
                assert_true(longer != id);
                assert_true(name_find(str_first(text, text.len - 1)) != id);
        }
        assert_int_equal(name_find(S("")), NAME_other);
        assert_int_equal(name_find(S("X-Nobody-Knows-This-Name-And-It-Is-Far-Too-Long-To")),
                         NAME_other);
}

static void what_says_where_a_request_came_from_is_known(void **state)
{
        static const char *const origin[] = {
                "Forwarded",
                "X-Forwarded-For",
                "X-Forwarded-Anything",
                "X-Real-IP",
                "X-Original-URL",
                "X-Rewrite-URL",
                "True-Client-IP",
                "CF-Connecting-IP",
                "X-Client-Cert",
                "X-Client-Cert-Chain",
                "SSL_CLIENT_VERIFY",
                "ssl-client-s-dn",
                "X-SSL-Client-Cert",
                "X_Forwarded_Proto",
                "x_forwarded_host",
                "Remote_Groups",
                "X.Forwarded.Proto",
                "x-consumer-anything",
                "Client-Cert",
                "REMOTE.USER",
                "X-Consumer-A-Name-That-Is-Longer-Than-Any-That-We-Know-By-Heart",
        };
        static const char *const others[] = {"",         "Via",          "Host",   "X-Forward",
                                             "X-Client", "X-Request-Id", "Origin", "Forwarded-For",
                                             "Cookie",   "SSL",          "Remote", "X-Forwarded"};
        (void)state;
        for (size_t i = 0; i < countof(origin); i++) {
                if (!name_is_origin(str_of(origin[i])))
                        fail_msg("not known: %s", origin[i]);
        }
        for (size_t i = 0; i < countof(others); i++) {
                if (name_is_origin(str_of(others[i])))
                        fail_msg("taken for one: %s", others[i]);
        }
}

static void flags_hold_together(void **state)
{
        (void)state;
        assert_int_equal(name_flags(NAME_other), 0);
        static const enum name hops[] = {NAME_connection,        NAME_keep_alive,
                                         NAME_proxy_connection,  NAME_te,
                                         NAME_trailer,           NAME_transfer_encoding,
                                         NAME_upgrade,           NAME_proxy_authorization,
                                         NAME_proxy_authenticate};
        for (size_t i = 0; i < countof(hops); i++) /* security.md row 164 */
                assert_true((name_flags(hops[i]) & NAME_HOP) != 0);
        static const enum name singles[] = {NAME_host,          NAME_content_length,
                                            NAME_authorization, NAME_content_type,
                                            NAME_x_api_key,     NAME_expect};
        for (size_t i = 0; i < countof(singles); i++) /* row 72 */
                assert_true((name_flags(singles[i]) & NAME_SINGLE) != 0);
        for (unsigned id = 1; id < NAME_COUNT; id++) {
                if ((name_flags(id) & NAME_ORIGIN) != 0)
                        assert_true(name_is_origin(name_text(id)));
        }
}

static void characters_are_told_apart(void **state)
{
        (void)state;
        for (unsigned c = 0; c < 256; c++) {
                char one = (char)c;
                bool is_token = c > 0x20 && c < 0x7f &&
                                strchr("\"(),/:;<=>?@[\\]{}", (int)c) == NULL;
                bool is_value = c == '\t' || (c >= 0x20 && c != 0x7f);
                assert_int_equal(name_is_token(str_from(&one, 1)), is_token);
                for (size_t at = 0; at < 40; at++) {
                        char line[40];
                        memset(line, 'x', sizeof line);
                        line[at] = one;
                        assert_int_equal(value_run(str_from(line, sizeof line)),
                                         is_value ? sizeof line : at);
                        bool is_target = c > 0x20 && c < 0x7f;
                        assert_int_equal(target_run(str_from(line, sizeof line)),
                                         is_target ? sizeof line : at);
                }
        }
        assert_false(name_is_token(S("")));
        assert_true(value_is_safe(S("")));
}

static void lists_keep_their_order(void **state)
{
        struct arena arena;
        struct fields f;
        (void)state;
        arena_init(&arena, NULL, 1 << 16);
        fields_init(&f, &arena, 1);
        fields_add(&f, S("X-A"), S("1"));
        fields_add(&f, S("content_type"), S("2"));
        fields_add(&f, S("x_a"), S("3"));
        fields_add_known(&f, NAME_host, S("4"));
        assert_int_equal(f.count, 4);
        assert_str(fields_value(&f, NAME_content_type), "2");
        assert_str(fields_find(&f, S("X_a"))->value, "1");
        assert_null(fields_find(&f, S("X-B")));
        assert_null(fields_value(&f, NAME_date).ptr);
        fields_set(&f, S("x-A"), S("5"));
        assert_int_equal(f.count, 3);
        assert_str(f.at[0].value, "5");
        assert_str(f.at[2].value, "4");
        fields_set_known(&f, NAME_date, S("6"));
        assert_str(f.at[3].name, "Date");
        assert_int_equal(fields_remove(&f, S("CONTENT-TYPE")), 1);
        assert_int_equal(fields_remove(&f, S("x_a")), 1);
        assert_int_equal(fields_remove_known(&f, NAME_etag), 0);
        assert_int_equal(f.count, 2);
        for (unsigned i = 0; i < 1000; i++)
                fields_add_known(&f, NAME_via, S("a"));
        assert_int_equal(fields_count(&f, NAME_via), 1000);
        assert_str(f.at[0].value, "4");
        arena_fini(&arena);
}

static void members_of_all_lines_are_seen(void **state)
{
        static const char *const members[] = {"a", "\"b, \\\" c\"", "d;e=\"f,g\"", "h"};
        struct arena arena;
        struct fields f;
        struct str member;
        (void)state;
        arena_init(&arena, NULL, 1 << 16);
        fields_init(&f, &arena, 4);
        fields_add_known(&f, NAME_accept, S(" , a ,, \"b, \\\" c\" "));
        fields_add_known(&f, NAME_host, S("x"));
        fields_add_known(&f, NAME_accept, S(""));
        fields_add_known(&f, NAME_accept, S("d;e=\"f,g\",h"));
        struct fields_walk walk = {.fields = &f, .id = NAME_accept};
        for (size_t i = 0; i < countof(members); i++) {
                assert_true(fields_member(&walk, &member));
                assert_str(member, members[i]);
        }
        assert_false(fields_member(&walk, &member));
        assert_true(fields_has_member(&f, NAME_accept, S("H"))); /* row 73 */
        assert_false(fields_has_member(&f, NAME_accept, S("x")));
        arena_fini(&arena);
}

static void lines_are_written_canonically(void **state)
{
        char memory[128];
        struct text text = text_over(memory, sizeof memory);
        (void)state;
        h1_put_request_line(&text, S("GET"), S("/x?y"));
        h1_put_field(&text, S("Host"), S("a"));
        h1_put_field(&text, S("X"), S(""));
        assert_str(text_str(&text), "GET /x?y HTTP/1.1\r\nHost: a\r\nX: \r\n");
        text.len = 0;
        h1_put_status_line(&text, 200);
        h1_put_status_line(&text, 431);
        h1_put_status_line(&text, 599);
        assert_str(text_str(&text),
                   "HTTP/1.1 200 OK\r\nHTTP/1.1 431 Request Header Fields Too Large\r\n"
                   "HTTP/1.1 599 \r\n");
        text.len = 0;
        h1_put_chunk_size(&text, 0);
        h1_put_chunk_size(&text, 255);
        h1_put_chunk_size(&text, 0x123456789abcdef0);
        h1_put_chunk_size(&text, UINT64_MAX);
        assert_str(text_str(&text), "0\r\nff\r\n123456789abcdef0\r\nffffffffffffffff\r\n");
        struct text small = text_over(memory, 10);
        h1_put_field(&small, S("Name"), S("value"));
        assert_true(small.is_cut && small.len == 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_name_is_found_whatever_its_case),
                cmocka_unit_test(names_one_byte_away_are_others),
                cmocka_unit_test(what_says_where_a_request_came_from_is_known),
                cmocka_unit_test(flags_hold_together),
                cmocka_unit_test(characters_are_told_apart),
                cmocka_unit_test(lists_keep_their_order),
                cmocka_unit_test(members_of_all_lines_are_seen),
                cmocka_unit_test(lines_are_written_canonically),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
