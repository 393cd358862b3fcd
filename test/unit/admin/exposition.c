/* exposition.c -- tests of the metrics' text: its grammar, its sums, its pieces. */
#include "unit.h"

#include "admin/exposition.h"
#include "gate/series.h"
#include "gate/snapshot.h"
#include "record/record.h"

static struct count_board *board;
static struct arena arena;
static struct snapshot *snapshot;

static int begin(void **state)
{
        (void)state;
        arena_init(&arena, NULL, SIZE_MAX);
        board = count_board_make(2);
        snapshot = arena_new(&arena, struct snapshot);
        struct api *api = arena_new(&arena, struct api);
        struct route *route = arena_new(&arena, struct route);
        api->name = S("orders");
        route->api = api;
        route->template = S("/orders/{id}/\"quoted\\\"");
        snapshot->api_list = arena_new(&arena, struct api *);
        snapshot->route_list = arena_new(&arena, struct route *);
        snapshot->api_list[0] = api;
        snapshot->route_list[0] = route;
        snapshot->upstreams = arena_new(&arena, struct upstream *);
        snapshot->upstreams[0] = arena_new(&arena, struct upstream);
        snapshot->upstreams[0]->name = S("orders");
        snapshot->api_count = snapshot->route_count = snapshot->upstream_count = 1;
        series_hold_all(board, snapshot);
        return 0;
}

static int end(void **state)
{
        (void)state;
        count_board_free(board);
        arena_fini(&arena);
        return 0;
}

static void count(unsigned thread, uint16_t status, enum reason reason, uint64_t duration)
{
        struct record record = {
                .duration = duration,
                .upstream = duration / 2,
                .request.method = S("GET"),
                .who = {.api_id = snapshot->api_list[0]->series,
                        .route_id = snapshot->route_list[0]->series,
                        .upstream_id = snapshot->upstreams[0]->series,
                        .consumer = S("acme")},
                .reason = reason,
                .status = status,
                .upstream_status = reason == REASON_done ? status : 0,
                .tries = reason == REASON_rate_limited ? 0 : 2,
        };
        counts_record(count_board_of(board, thread), &record);
}

/* All of it, in pieces of that size; the text lies in the arena. */
static struct str expose(struct exposition *exposition, size_t piece)
{
        struct text all = text_grow(&arena, 64 << 20);
        char *memory = arena_alloc(&arena, piece);
        bool has_more;
        unsigned pieces = 0;
        do {
                struct text out = text_over(memory, piece);
                has_more = exposition_next(exposition, &out);
                assert_false(out.is_cut);
                assert_true(out.len > 0 || !has_more);
                text_put(&all, text_str(&out));
                assert_true(++pieces < 100000);
        } while (has_more);
        assert_false(all.is_cut);
        return text_str(&all);
}

static struct str expose_all(enum exposition_form form)
{
        struct exposition exposition = {
                .board = board, .form = form, .version = S("1.2.3"), .config = S("9f3c")};
        return expose(&exposition, EXPOSITION_PIECE_MIN);
}

static void assert_has(struct str text, const char *line)
{
        struct str rest = text;
        while (rest.ptr != NULL) {
                if (str_is(str_cut(&rest, '\n'), line))
                        return;
        }
        fail_msg("no line %s in\n" STR_FMT, line, STR_ARG(text));
}

/* Every line is a comment or a sample, every sample follows its family's TYPE, no sample comes
 * twice. */
static void assert_grammar(struct str text, bool is_open)
{
        struct str rest = text, name = STR_NONE;
        struct map seen, families;
        map_init(&seen, &arena);
        map_init(&families, &arena);
        assert_true(str_ends(text, S("\n")));
        rest.len--;
        while (rest.ptr != NULL) {
                struct str line = str_cut(&rest, '\n');
                if (str_starts(line, S("# TYPE "))) {
                        struct str words = str_skip(line, 7);
                        name = str_cut(&words, ' ');
                        assert_null(map_get(&families, name));
                        map_put(&families, name, &seen);
                }
                if (line.ptr[0] == '#') {
                        assert_true(str_starts(line, S("# HELP ")) ||
                                    str_starts(line, S("# TYPE ")) ||
                                    (is_open && str_starts(line, S("# UNIT "))) ||
                                    (is_open && rest.ptr == NULL && str_is(line, "# EOF")));
                        continue;
                }
                assert_true(str_starts(line, name));
                ptrdiff_t space = -1;
                for (size_t i = 0; i < line.len; i++) {
                        if (line.ptr[i] == ' ')
                                space = (ptrdiff_t)i;
                }
                assert_true(space > 0);
                struct str sample = str_first(line, (size_t)space);
                struct str value = str_skip(line, (size_t)space + 1);
                assert_true(value.len > 0 && char_is_digit(value.ptr[0]));
                assert_null(map_get(&seen, sample));
                map_put(&seen, sample, &seen);
        }
}

static void samples_are_what_was_counted(void **state)
{
        (void)state;
        count(0, 200, REASON_done, 2000000);
        count(1, 200, REASON_done, 700000000);
        count(1, 429, REASON_rate_limited, 100000);
        count(0, 504, REASON_upstream_timeout, 30000000000);
        counts_set(count_board_of(board, 2), COUNT_cpu, 1500000000);
        counts_set(count_board_of(board, 0), COUNT_active_requests, 2);
        counts_set(count_board_of(board, 1), COUNT_active_requests, 3);
        struct str text = expose_all(EXPOSITION_PROMETHEUS);
        assert_grammar(text, false);
        assert_has(text, "# TYPE http_server_request_duration_seconds histogram");
#define LABELS                                                                                     \
        "gatehouse_api=\"orders\",http_route=\"/orders/{id}/\\\"quoted\\\\\\\"\","                 \
        "http_request_method=\"GET\",http_response_status_code=\"200\""
        assert_has(text, "http_server_request_duration_seconds_bucket{" LABELS ",le=\"0.001\"} 0");
        assert_has(text, "http_server_request_duration_seconds_bucket{" LABELS ",le=\"0.0025\"} 1");
        assert_has(text, "http_server_request_duration_seconds_bucket{" LABELS ",le=\"0.75\"} 2");
        assert_has(text, "http_server_request_duration_seconds_bucket{" LABELS ",le=\"1\"} 2");
        assert_has(text, "http_server_request_duration_seconds_bucket{" LABELS ",le=\"+Inf\"} 2");
        assert_has(text, "http_server_request_duration_seconds_sum{" LABELS "} 0.702");
        assert_has(text, "http_server_request_duration_seconds_count{" LABELS "} 2");
#undef LABELS
        assert_has(text, "gatehouse_requests_total{gatehouse_api=\"orders\","
                         "gatehouse_reason=\"done\"} 2");
        assert_has(text, "gatehouse_rate_limited_total{gatehouse_api=\"orders\"} 1");
        assert_has(text, "gatehouse_consumer_requests_total{gatehouse_consumer=\"acme\"} 2");
        assert_has(text, "gatehouse_consumer_requests_total{gatehouse_consumer=\"acme\","
                         "error_type=\"client\"} 1");
        assert_has(text, "gatehouse_upstream_tries_total{gatehouse_upstream=\"orders\"} 6");
        assert_has(text, "gatehouse_upstream_retries_total{gatehouse_upstream=\"orders\"} 3");
        assert_has(text, "http_client_request_duration_seconds_count{"
                         "gatehouse_upstream=\"orders\",error_type=\"upstream-timeout\"} 1");
        assert_has(text, "http_server_active_requests 5");
        assert_has(text, "process_cpu_seconds_total 1.5");
        assert_has(text, "gatehouse_build_info{version=\"1.2.3\"} 1");
        assert_has(text, "gatehouse_config_hash_info{hash=\"9f3c\"} 1");
        assert_has(text, "gatehouse_workers 2");
        assert_has(text, "gatehouse_connections{state=\"idle\"} 0");
}

static void openmetrics_has_its_own_grammar(void **state)
{
        (void)state;
        count(0, 200, REASON_done, 2000000);
        struct str text = expose_all(EXPOSITION_OPENMETRICS);
        assert_grammar(text, true);
        assert_true(str_ends(text, S("\n# EOF\n")));
        assert_has(text, "# TYPE gatehouse_requests counter");
        assert_has(text, "# TYPE gatehouse_build info");
        assert_has(text, "# TYPE process_cpu_seconds counter");
        assert_has(text, "# UNIT process_cpu_seconds seconds");
        assert_has(text, "# UNIT gatehouse_roster_bytes bytes");
        assert_has(text, "gatehouse_build_info{version=\"1.2.3\"} 1");
        assert_true(str_find_str(text, S(",le=\"1.0\"} 1\n")) > 0);
        assert_true(str_find_str(text, S(",le=\"0.5\"} 1\n")) > 0);
}

static void pieces_make_the_same_text(void **state)
{
        (void)state;
        count(0, 200, REASON_done, 2000000);
        for (uint16_t status = 300; status < 500; status++)
                count(1, status, REASON_done, 1);
        struct str whole = expose_all(EXPOSITION_PROMETHEUS);
        for (size_t piece = 8000; piece < 30000; piece += 997) {
                struct exposition exposition = {
                        .board = board, .version = S("1.2.3"), .config = S("9f3c")};
                assert_str_eq(expose(&exposition, piece), whole);
        }
}

static void each_two(struct live *live, void (*each)(void *arg, const struct target_state *state),
                     void *arg)
{
        struct target_state a = {.upstream = S("orders"),
                                 .target = S("http://o:1"),
                                 .share = 256,
                                 .in_flight = 4,
                                 .idle = 2,
                                 .open = 6};
        struct target_state b = {
                .upstream = S("orders"), .target = S("http://o:1"), .is_out = true, .ejected = 7};
        (void)live;
        assert_int_equal(addr_read(S("10.0.0.1:80"), &a.addr), ERR_ok);
        assert_int_equal(addr_read(S("[::1]:81"), &b.addr), ERR_ok);
        each(arg, &a);
        each(arg, &b);
}

static void targets_are_told_one_by_one(void **state)
{
        (void)state;
        struct exposition exposition = {.board = board, .each_target = each_two};
        struct str text = expose(&exposition, EXPOSITION_PIECE_MIN);
        assert_grammar(text, false);
#define A                                                                                          \
        "gatehouse_upstream=\"orders\",gatehouse_target=\"http://"                                 \
        "o:1\",server_address=\"10.0.0.1:80\""
#define B                                                                                          \
        "gatehouse_upstream=\"orders\",gatehouse_target=\"http://"                                 \
        "o:1\",server_address=\"[::1]:81\""
        assert_has(text, "gatehouse_upstream_healthy{" A "} 1");
        assert_has(text, "gatehouse_upstream_healthy{" B "} 0");
        assert_has(text, "gatehouse_upstream_ejections_total{" B "} 7");
        assert_has(text, "http_client_active_requests{" A "} 4");
        assert_has(text, "http_client_open_connections{" A ",http_connection_state=\"idle\"} 2");
        assert_has(text, "http_client_open_connections{" A ",http_connection_state=\"active\"} 4");
#undef A
#undef B
}

static void the_longest_labels_fit_a_piece(void **state)
{
        (void)state;
        char *quotes = arena_alloc(&arena, 5000);
        memset(quotes, '"', 5000);
        series_release_all(board, snapshot);
        snapshot->api_list[0]->name = str_from(quotes, 5000);
        snapshot->route_list[0]->template = str_from(quotes, 5000);
        snapshot->upstreams[0]->name = str_from(quotes, 5000);
        series_hold_all(board, snapshot);
        for (int reason = 0; reason < REASON_COUNT; reason++)
                count(0, 200, (enum reason)reason, 1);
        assert_grammar(expose_all(EXPOSITION_PROMETHEUS), false);
}

static enum exposition_form form_for(const char *accept)
{
        struct fields fields;
        fields_init(&fields, &arena, 2);
        if (accept != NULL)
                fields_add_known(&fields, NAME_accept, str_of(accept));
        return exposition_form(&fields);
}

static void the_form_is_negotiated(void **state)
{
        (void)state;
        assert_int_equal(form_for(NULL), EXPOSITION_PROMETHEUS);
        assert_int_equal(form_for("*/*"), EXPOSITION_PROMETHEUS);
        assert_int_equal(form_for("text/plain"), EXPOSITION_PROMETHEUS);
        assert_int_equal(form_for("application/openmetrics-text"), EXPOSITION_OPENMETRICS);
        assert_int_equal(form_for("application/openmetrics-text;version=1.0.0;q=0.5,"
                                  "text/plain;version=0.0.4;q=0.3,*/*;q=0.1"),
                         EXPOSITION_OPENMETRICS);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(samples_are_what_was_counted, begin, end),
                cmocka_unit_test_setup_teardown(openmetrics_has_its_own_grammar, begin, end),
                cmocka_unit_test_setup_teardown(pieces_make_the_same_text, begin, end),
                cmocka_unit_test_setup_teardown(targets_are_told_one_by_one, begin, end),
                cmocka_unit_test_setup_teardown(the_longest_labels_fit_a_piece, begin, end),
                cmocka_unit_test_setup_teardown(the_form_is_negotiated, begin, end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
