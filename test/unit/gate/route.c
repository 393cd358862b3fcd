/* route.c -- what gate/route.h promises: who wins, what is refused, and that neither depends on the
 * order of adding. */
#include "gate/route.h"

#include "../unit.h"
#include "base/rand.h"
#include "wire/target.h"

/* ---- a table from text ---- */

enum { LINES_MAX = 64, FAULTS_MAX = 16 };

struct world {
        struct arena arena, scratch;
        struct route_build *build;
        struct route_channel *channel;
        struct route_api *apis[LINES_MAX];
        unsigned api_count, fault_count;
        struct route_fault faults[FAULTS_MAX];
        struct route_table *table;
};

static void note_fault(void *arg, const struct route_fault *fault)
{
        struct world *world = arg;
        assert_true(world->fault_count < FAULTS_MAX);
        world->faults[world->fault_count++] = *fault;
}

static void *value_of(const char *text)
{
        return (void *)(uintptr_t)text;
}

/* A world with one channel "main" for any host of listener 0. */
static struct world *begin(void)
{
        static struct world world;
        memset(&world, 0, sizeof world);
        arena_init(&world.arena, NULL, 1u << 30);
        arena_init(&world.scratch, NULL, 1u << 30);
        world.build = route_build_begin(&world.arena, &world.scratch, 2, note_fault, &world);
        world.channel = route_add_channel(world.build, S("main"), value_of("main"));
        route_add_host(world.build, 0, S(""), world.channel);
        return &world;
}

static struct route_api *api(struct world *world, const char *path)
{
        struct route_api *made = route_add_api(world->build, world->channel, str_of(path),
                                               str_of(path), value_of(path));
        world->apis[world->api_count++] = made;
        return made;
}

/* "GET,POST /orders/{id} X-A=1 ?v=2"; the route's name and value are the line itself. */
static void route(struct world *world, struct route_api *of, const char *line)
{
        struct str rest = str_of(line), methods, path;
        struct route_condition *conditions = arena_array(&world->scratch, struct route_condition,
                                                         8);
        struct str *list = arena_array(&world->scratch, struct str, 8);
        struct route_spec spec = {.name = rest, .value = value_of(line)};
        methods = rest.ptr[0] == '/' ? STR_NONE : str_cut(&rest, ' ');
        path = str_cut(&rest, ' ');
        while (methods.ptr != NULL)
                list[spec.method_count++] = str_cut(&methods, ',');
        while (rest.ptr != NULL) {
                struct str value = str_cut(&rest, ' ');
                struct route_condition *condition = &conditions[spec.condition_count++];
                condition->is_query = str_starts(value, S("?"));
                condition->name = str_cut(&value, '=');
                condition->value = value;
                if (condition->is_query)
                        condition->name = str_skip(condition->name, 1);
        }
        spec.path = path;
        spec.methods = list;
        spec.conditions = conditions;
        route_add(world->build, of, &spec);
}

static void end(struct world *world)
{
        world->table = route_build_end(world->build);
        for (unsigned i = 0; i < world->fault_count; i++)
                print_error("fault %d: " STR_FMT "\n", world->faults[i].kind,
                            STR_ARG(world->faults[i].text));
        assert_non_null(world->table);
}

static void finish(struct world *world)
{
        arena_fini(&world->arena);
        arena_fini(&world->scratch);
}

/* "GET /path?query" with perhaps one header. */
static struct route_result *ask(struct world *world, const char *line, const struct fields *fields)
{
        static struct route_result result;
        struct str rest = str_of(line), method = str_cut(&rest, ' '), path = str_cut(&rest, '?');
        struct route_ask question = {.host = S("any.test"),
                                     .path = path,
                                     .method = method,
                                     .query = rest,
                                     .fields = fields};
        route_find(world->table, &question, &result);
        return &result;
}

#define assert_found(world, line, wanted)                                                          \
        do {                                                                                       \
                struct route_result *result_ = ask(world, line, NULL);                             \
                assert_int_equal(result_->kind, ROUTE_FOUND);                                      \
                assert_string_equal(result_->value, wanted);                                       \
        } while (0)

/* ---- precedence ---- */

static void a_literal_beats_a_parameter_and_that_the_tail(void **state)
{
        struct world *world = begin();
        struct route_api *root = api(world, "/");
        (void)state;
        route(world, root, "/users/{id}");
        route(world, root, "/users/me");
        route(world, root, "/users/{id}/keys");
        route(world, root, "/users/{rest*}");
        route(world, root, "/{rest*}");
        end(world);
        assert_found(world, "GET /users/me", "/users/me");
        assert_found(world, "GET /users/me/", "/users/me");
        assert_found(world, "GET /users/7", "/users/{id}");
        assert_found(world, "GET /users/me/keys", "/users/{id}/keys");
        assert_found(world, "GET /users/7/keys/8", "/users/{rest*}");
        assert_found(world, "GET /users", "/users/{rest*}");
        assert_found(world, "GET /users/", "/users/{rest*}");
        assert_found(world, "GET /", "/{rest*}");
        assert_found(world, "GET /usersx", "/{rest*}");
        finish(world);
}

static void the_walk_goes_back_where_a_better_segment_led_nowhere(void **state)
{
        struct world *world = begin();
        struct route_api *root = api(world, "/");
        (void)state;
        route(world, root, "/a/b/c/x");
        route(world, root, "/a/{q}/c/y");
        route(world, root, "/{p}/b/c/z");
        route(world, root, "/a/{rest*}");
        end(world);
        assert_found(world, "GET /a/b/c/x", "/a/b/c/x");
        assert_found(world, "GET /a/b/c/y", "/a/{q}/c/y");
        assert_found(world, "GET /a/b/c/z", "/a/{rest*}");
        assert_found(world, "GET /k/b/c/z", "/{p}/b/c/z");
        struct route_result *result = ask(world, "GET /a/b/c/y", NULL);
        assert_int_equal(result->param_count, 1);
        assert_str(route_param(result, S("q")), "b");
        assert_null(route_param(result, S("p")).ptr);
        assert_int_equal(ask(world, "GET /k/b/c/x", NULL)->kind, ROUTE_NO_PATH);
        finish(world);
}

static void parameters_are_views_of_the_path_as_it_is_escaped(void **state)
{
        struct world *world = begin();
        struct route_api *root = api(world, "/v1");
        (void)state;
        route(world, root, "/users/{user}/files/{path*}");
        end(world);
        struct route_result *result = ask(world, "GET /v1/users/a%2Fb/files/x/y%20z/", NULL);
        assert_int_equal(result->kind, ROUTE_FOUND);
        assert_str(route_param(result, S("user")), "a%2Fb");
        assert_str(route_param(result, S("path")), "x/y%20z/");
        assert_str(result->path, "/v1/users/{user}/files/{path*}");
        result = ask(world, "GET /v1/users/u/files", NULL);
        assert_int_equal(result->kind, ROUTE_FOUND);
        assert_int_equal(route_param(result, S("path")).len, 0);
        assert_int_equal(ask(world, "GET /v1/users//files", NULL)->kind, ROUTE_NO_PATH);
        finish(world);
}

static void a_named_method_beats_any_and_get_stands_for_head(void **state)
{
        struct world *world = begin();
        struct route_api *root = api(world, "/");
        (void)state;
        route(world, root, "/a");
        route(world, root, "GET,PUT /a");
        route(world, root, "GET /b");
        route(world, root, "HEAD /b");
        end(world);
        assert_found(world, "GET /a", "GET,PUT /a");
        assert_found(world, "PUT /a", "GET,PUT /a");
        assert_found(world, "HEAD /a", "GET,PUT /a");
        assert_found(world, "POST /a", "/a");
        assert_found(world, "BREW /a", "/a");
        assert_found(world, "HEAD /b", "HEAD /b");
        assert_found(world, "GET /b", "GET /b");
        finish(world);
}

static void a_wrong_method_is_405_with_what_is_allowed_and_no_weaker_template_is_asked(void **state)
{
        struct world *world = begin();
        struct route_api *root = api(world, "/");
        char memory[64];
        (void)state;
        route(world, root, "POST /admin");
        route(world, root, "GET /admin");
        route(world, root, "PROPFIND /admin");
        route(world, root, "/{rest*}");
        end(world);
        static const char *const methods[] = {"DELETE", "FOO", "get", "OPTIONS", ""};
        for (unsigned i = 0; i < countof(methods); i++) {
                struct route_ask question = {
                        .host = S("h"), .path = S("/admin"), .method = str_of(methods[i])};
                struct route_result result;
                assert_int_equal(route_find(world->table, &question, &result), ROUTE_NO_METHOD);
                assert_string_equal(result.api, "/");
                assert_null(result.value);
                struct text text = text_over(memory, sizeof memory);
                route_put_allow(world->table, &result, &text);
                assert_str(text_str(&text), "GET, HEAD, POST, PROPFIND");
        }
        finish(world);
}

/* ---- conditions ---- */

static void more_conditions_beat_fewer_and_then_the_name_decides(void **state)
{
        struct world *world = begin();
        struct route_api *root = api(world, "/");
        struct fields fields;
        (void)state;
        route(world, root, "/a");
        route(world, root, "/a X-A=1");
        route(world, root, "/a X-A=1 ?v=2");
        route(world, root, "/a X-B=1");
        end(world);
        fields_init(&fields, &world->arena, 8);
        assert_string_equal(ask(world, "GET /a", &fields)->value, "/a");
        fields_add(&fields, S("x_b"), S("1"));
        assert_string_equal(ask(world, "GET /a", &fields)->value, "/a X-B=1");
        fields_add(&fields, S("x-a"), S("1"));
        assert_string_equal(ask(world, "GET /a", &fields)->value, "/a X-A=1");
        assert_string_equal(ask(world, "GET /a?v=2", &fields)->value, "/a X-A=1 ?v=2");
        assert_string_equal(ask(world, "GET /a?%76=%32&w", &fields)->value, "/a X-A=1 ?v=2");
        assert_string_equal(ask(world, "GET /a?v=2&v=3", &fields)->value, "/a X-A=1");
        assert_string_equal(ask(world, "GET /a?v=%3", &fields)->value, "/a X-A=1");
        fields_add(&fields, S("X-A"), S("2"));
        assert_string_equal(ask(world, "GET /a?v=2", &fields)->value, "/a X-A=1 ?v=2");
        fields_set(&fields, S("X-A"), S("0, 1 ,2"));
        assert_string_equal(ask(world, "GET /a?v=2", &fields)->value, "/a X-A=1 ?v=2");
        fields_set(&fields, S("X-A"), S("01, 12"));
        assert_string_equal(ask(world, "GET /a?v=2", &fields)->value, "/a X-B=1");
        finish(world);
}

static void where_no_condition_holds_a_weaker_template_is_asked(void **state)
{
        struct world *world = begin();
        struct route_api *root = api(world, "/");
        (void)state;
        route(world, root, "POST /a/b ?new=yes");
        route(world, root, "/a/{x}");
        end(world);
        assert_found(world, "POST /a/b?new=yes", "POST /a/b ?new=yes");
        assert_found(world, "POST /a/b?new=no", "/a/{x}");
        assert_found(world, "GET /a/b", "/a/{x}");
        assert_int_equal(ask(world, "GET /a/b?new=yes", NULL)->kind, ROUTE_NO_METHOD);
        finish(world);
}

/* ---- APIs and hosts ---- */

static void the_longest_api_owns_what_is_below_it_on_segment_boundaries(void **state)
{
        struct world *world = begin();
        struct route_api *v2;
        (void)state;
        api(world, "/orders");
        v2 = api(world, "/orders/v2");
        api(world, "/admin/");
        route(world, v2, "GET /items");
        end(world);
        assert_found(world, "GET /orders", "/orders");
        assert_found(world, "BREW /orders/v1/items", "/orders");
        assert_found(world, "GET /orders/v2/items", "GET /items");
        assert_found(world, "GET /orders/v2x", "/orders");
        assert_found(world, "GET /admin/x", "/admin/");
        assert_str(ask(world, "GET /orders/7", NULL)->path, "/orders/{rest*}");
        struct route_result *result = ask(world, "GET /orders/v2/other", NULL);
        assert_int_equal(result->kind, ROUTE_NO_PATH);
        assert_string_equal(result->api, "/orders/v2");
        assert_string_equal(result->channel, "main");
        static const char *const strangers[] = {
                "GET /administrator", "GET /admin-x", "GET /Admin", "GET /", "GET *", "GET ",
                "GET admin"};
        for (unsigned i = 0; i < countof(strangers); i++) {
                result = ask(world, strangers[i], NULL);
                assert_int_equal(result->kind, ROUTE_NO_PATH);
                assert_null(result->api);
                assert_string_equal(result->channel, "main");
        }
        finish(world);
}

static void an_exact_host_beats_wildcards_the_longest_first_and_any_comes_last(void **state)
{
        struct world *world = begin();
        static const struct {
                unsigned listener;
                const char *host, *channel;
        } hosts[] =
                {
                        {0, "api.example.com", "exact"},
                        {0, "*.example.com", "wild"},
                        {0, "*.eu.example.com", "longer"},
                        {1, "api.example.com", "other listener"},
                        {1, "*.deep.down.example", "three"},
                },
          asked[] = {
                  {0, "api.example.com", "exact"}, {0, "a.example.com", "wild"},
                  {0, "a.b.example.com", "wild"},  {0, "a.eu.example.com", "longer"},
                  {0, "eu.example.com", "wild"},   {0, "example.com", "main"},
                  {0, "xexample.com", "main"},     {0, "", "main"},
                  {0, "a.b.c.d.e.f.g.h", "main"},  {1, "api.example.com", "other listener"},
                  {1, "a.example.com", NULL},      {1, "x.deep.down.example", "three"},
                  {1, "deep.down.example", NULL},  {1, "", NULL},
                  {0, "api.example.com.", "main"}, {0, "apiXexample.com", "main"},
          };
        (void)state;
        for (unsigned i = 0; i < countof(hosts); i++) {
                struct str name = str_of(hosts[i].channel);
                struct route_channel *channel = route_add_channel(world->build, name,
                                                                  value_of(hosts[i].channel));
                route_add_host(world->build, hosts[i].listener, str_of(hosts[i].host), channel);
        }
        end(world);
        for (unsigned i = 0; i < countof(asked); i++) {
                struct route_ask question = {.listener = asked[i].listener,
                                             .host = str_of(asked[i].host),
                                             .path = S("/"),
                                             .method = S("GET")};
                struct route_result result;
                route_find(world->table, &question, &result);
                if (asked[i].channel == NULL) {
                        assert_int_equal(result.kind, ROUTE_NO_HOST);
                        assert_null(result.channel);
                } else {
                        assert_int_equal(result.kind, ROUTE_NO_PATH);
                        assert_string_equal(result.channel, asked[i].channel);
                }
        }
        finish(world);
}

/* ---- the loose reading ---- */

static const char *loosely(struct world *world, const char *path)
{
        static struct route_result result;
        struct route_ask question = {.host = S("h"),
                                     .path = path_loose(str_of(path), &world->arena),
                                     .method = S("GET"),
                                     .is_loose = true};
        route_find(world->table, &question, &result);
        return result.value;
}

static void a_looser_reader_finds_the_route_that_it_would_mean(void **state)
{
        struct world *world = begin();
        struct route_api *root = api(world, "/"), *other = api(world, "/Api");
        (void)state;
        route(world, root, "/Admin/Users");
        route(world, root, "/admin/keys");
        route(world, root, "/stra%C3%9Fe/{n}");
        route(world, root, "/a%2Fb/{n}");
        route(world, root, "/{rest*}");
        route(world, other, "/{x}/Y");
        end(world);
        assert_true(route_needs_loose(world->table));
        assert_found(world, "GET /ADMIN/keys", "/{rest*}");
        static const char *const asked[][2] = {
                {"/admin/users", "/Admin/Users"},
                {"/Admin/Users", "/Admin/Users"},
                {"/ADMIN/x/..;/keys", "/admin/keys"},
                {"/admin;v=1/keys.", "/admin/keys"},
                {"/admin/other", "/{rest*}"},
                {"/stra%C3%9Fe/7", "/stra%C3%9Fe/{n}"},
                {"/a%2Fb/7", "/a%2Fb/{n}"},
                {"/a/B/7", "/a%2Fb/{n}"},
                {"/api/q/y", "/{x}/Y"},
                {"/API/Q/Y", "/{x}/Y"},
        };
        for (unsigned i = 0; i < countof(asked); i++)
                assert_string_equal(loosely(world, asked[i][0]), asked[i][1]);
        finish(world);
}

static void a_table_of_plain_literals_has_no_other_reading(void **state)
{
        struct world *world = begin();
        (void)state;
        route(world, api(world, "/x"), "GET /a-b/{ID}");
        route(world, world->apis[0], "/favicon.ico/{N}");
        end(world);
        assert_false(route_needs_loose(world->table));
        assert_string_equal(loosely(world, "/X/A-B;q/7"), "GET /a-b/{ID}");
        finish(world);
}

static void literals_that_a_looser_reader_takes_for_many_segments_are_bounded(void **state)
{
        struct world *world = begin();
        char path[3000], *at = path;
        (void)state;
        for (int segment = 0; segment < 40; segment++) {
                *at++ = '/';
                for (int i = 0; i < 16; i++, at += 4)
                        memcpy(at, "a%2F", 4);
                *at++ = 'b';
        }
        *at = '\0';
        route(world, api(world, "/"), path);
        end(world);
        assert_true(route_needs_loose(world->table));
        loosely(world, path);
        finish(world);
}

/* ---- faults ---- */

static void assert_fault(struct world *world, enum route_fault_kind kind, const char *first,
                         const char *second)
{
        assert_null(route_build_end(world->build));
        assert_int_equal(world->fault_count, 1);
        assert_int_equal(world->faults[0].kind, kind);
        assert_str(world->faults[0].first_name, first);
        assert_str(world->faults[0].second_name, second);
        assert_string_equal(world->faults[0].first, first);
        finish(world);
}

static void routes_that_nothing_distinguishes_are_reported_with_both_names(void **state)
{
        static const char *const pairs[][2] = {
                {"/a/{x}", "/a/{y}"},   {"GET,POST /a", "POST /a"},           {"/a", "/a/"},
                {"/a/{x*}", "/a/{y*}"}, {"/a X-A=1 X-B=2", "/a x_b=2 x-a=1"}, {"/%61", "/a"},
        };
        (void)state;
        for (unsigned i = 0; i < countof(pairs); i++) {
                struct world *world = begin();
                struct route_api *root = api(world, "/");
                bool in_order = strcmp(pairs[i][0], pairs[i][1]) < 0;
                route(world, root, pairs[i][1]);
                route(world, root, pairs[i][0]);
                assert_fault(world, ROUTE_FAULT_CONFLICT, pairs[i][!in_order], pairs[i][in_order]);
        }
}

static void routes_that_something_distinguishes_are_no_conflict(void **state)
{
        static const char *const lines[] = {
                "/a",       "GET /a",    "POST /a",        "/a X-A=1",     "/a X-A=2",
                "/a X-B=1", "/a ?X-A=1", "/a/{x}",         "/a/{x*}",      "/A",
                "/a/{x}/b", "/a/b",      "/a X-A=1 X-B=1", "GET /a X-A=1",
        };
        struct world *world = begin();
        struct route_api *root = api(world, "/");
        (void)state;
        for (unsigned i = 0; i < countof(lines); i++)
                route(world, root, lines[i]);
        end(world);
        assert_int_equal(route_count(world->table), countof(lines));
        finish(world);
}

static void malformed_templates_and_paths_are_reported(void **state)
{
        static const char *const bad[] = {
                "a",       "/{",        "/}",     "/{}",   "/{*}",     "/x{id}", "/{id}x",
                "/{a*}/b", "/{a}/{a}",  "/{a b}", "/a//b", "//",       "/../a",  "/a/./b",
                "/%zz",    "/{a}/{a*}", "/{{a}}", "/a%00", "/a;/..;x",
        };
        (void)state;
        for (unsigned i = 0; i < countof(bad); i++) {
                struct world *world = begin();
                struct route_spec spec = {
                        .name = str_of(bad[i]), .path = str_of(bad[i]), .value = value_of(bad[i])};
                route_add(world->build, api(world, "/"), &spec);
                assert_fault(world, ROUTE_FAULT_TEMPLATE, bad[i], "");
        }
        static const char *const bad_paths[] = {"", "x", "/a/{b}", "/a//b", "/..", "/{rest*}"};
        for (unsigned i = 0; i < countof(bad_paths); i++) {
                struct world *world = begin();
                api(world, bad_paths[i]);
                assert_fault(world, ROUTE_FAULT_PATH, bad_paths[i], "");
        }
}

static void a_path_or_host_can_be_given_away_only_once(void **state)
{
        struct world *world = begin();
        (void)state;
        api(world, "/orders/");
        api(world, "/orders");
        assert_fault(world, ROUTE_FAULT_API_TAKEN, "/orders", "/orders/");
        static const char *const hosts[] = {"", "a.test", "*.a.test"};
        for (unsigned i = 0; i < countof(hosts); i++) {
                world = begin();
                struct route_channel *b = route_add_channel(world->build, S("b"), value_of("b"));
                route_add_host(world->build, 0, str_of(hosts[i]), b);
                if (i > 0)
                        route_add_host(world->build, 0, str_of(hosts[i]), world->channel);
                assert_fault(world, ROUTE_FAULT_HOST_TAKEN, "b", "main");
        }
        static const char *const bad[] = {"*.", "a*", "*.*.a", "A.test", "a b", ".a", "a/b", "**"};
        for (unsigned i = 0; i < countof(bad); i++) {
                world = begin();
                route_add_host(world->build, 0, str_of(bad[i]), world->channel);
                assert_fault(world, ROUTE_FAULT_HOST, "main", "");
        }
}

static void what_has_a_limit_is_refused_beyond_it(void **state)
{
        struct world *world = begin();
        struct text text;
        char memory[1024];
        (void)state;
        struct route_api *root = api(world, "/");
        for (int i = 0; i <= ROUTE_SAME_MAX; i++)
                route(world, root, arena_format(&world->arena, "/a X-A=%d%c", i, 0).ptr);
        assert_null(route_build_end(world->build));
        assert_int_equal(world->faults[0].kind, ROUTE_FAULT_MANY_SAME);
        finish(world);

        world = begin();
        root = api(world, "/");
        for (int i = 0; i < ROUTE_METHODS_MAX - 1; i++)
                route(world, root, arena_format(&world->arena, "M%d /a%c", i, 0).ptr);
        assert_null(route_build_end(world->build));
        assert_int_equal(world->faults[0].kind, ROUTE_FAULT_MANY_METHODS);
        finish(world);

        world = begin();
        text = text_over(memory, sizeof memory);
        for (int i = 0; i <= ROUTE_SEGMENTS_MAX; i++)
                text_put(&text, S("/a"));
        text_char(&text, '\0');
        route(world, api(world, "/"), memory);
        assert_fault(world, ROUTE_FAULT_DEEP, memory, "");

        world = begin();
        text = text_over(memory, sizeof memory);
        for (int i = 0; i <= ROUTE_PARAMS_MAX; i++)
                text_format(&text, "/{p%d}", i);
        text_char(&text, '\0');
        route(world, api(world, "/"), memory);
        assert_fault(world, ROUTE_FAULT_DEEP, memory, "");
}

static void add_all_templates(struct world *world, int depth)
{
        struct route_api *root = api(world, "/");
        for (int bits = 0; bits < 1 << depth; bits++) {
                char *path = arena_alloc(&world->arena, 128);
                struct text text = text_over(path, 128);
                for (int i = 0; i < depth; i++) {
                        if (bits >> i & 1)
                                text_put(&text, S("/a"));
                        else
                                text_format(&text, "/{p%d}", i);
                }
                text_put(&text, S("/end"));
                text_char(&text, '\0');
                route(world, root, path);
        }
}

/* All templates of n segments, each `a` or {p}: a look-up may have to try each of 2^n. */
static void templates_that_overlap_too_much_are_refused(void **state)
{
        struct world *world = begin();
        (void)state;
        add_all_templates(world, 10);
        end(world);
        assert_int_equal(ask(world, "GET /a/a/a/a/a/a/a/a/a/a/no", NULL)->kind, ROUTE_NO_PATH);
        assert_int_equal(ask(world, "GET /a/a/a/a/a/a/a/a/a/b/end", NULL)->kind, ROUTE_FOUND);
        finish(world);
        world = begin();
        add_all_templates(world, 11);
        assert_fault(world, ROUTE_FAULT_WIDE, "/", "");
}

/* ---- order of adding ---- */

static void the_winner_does_not_depend_on_the_order_of_adding(void **state)
{
        static const char *const lines[] = {
                "/{a}/{b}",   "/x/{b}",   "/{a}/y",         "/x/y",     "/{rest*}",
                "/x/{rest*}", "GET /x/y", "GET /x/y H=1",   "/x/y H=1", "/x/y I=1",
                "POST /{a}",  "/X/y",     "GET /{a}/y",     "PUT /x/y", "/x/y ?q=1",
                "/x/{b}/z",   "/{a}/y/z", "GET /{a}/y I=1",
        };
        static const char *const asked[] = {
                "GET /x/y",   "POST /x/y",  "PUT /x/y?q=1", "GET /x/q", "GET /q/y", "GET /q/q",
                "GET /x/y/z", "GET /q/y/z", "GET /x",       "GET /",    "GET /X/y", "GET /x/q/q",
        };
        const char *wanted[countof(asked)] = {NULL};
        unsigned order[countof(lines)];
        (void)state;
        for (unsigned i = 0; i < countof(order); i++)
                order[i] = i;
        for (int round = 0; round < 100; round++) {
                struct world *world = begin();
                struct route_api *root = api(world, "/");
                struct fields fields;
                for (unsigned i = countof(order) - 1; i > 0; i--) {
                        unsigned j = (unsigned)rand_below(i + 1), swap = order[i];
                        order[i] = order[j];
                        order[j] = swap;
                }
                for (unsigned i = 0; i < countof(order); i++)
                        route(world, root, lines[order[i]]);
                end(world);
                fields_init(&fields, &world->arena, 8);
                fields_add(&fields, S("I"), S("1"));
                for (unsigned i = 0; i < countof(asked); i++) {
                        const char *winner = ask(world, asked[i], &fields)->value;
                        if (round == 0)
                                wanted[i] = winner;
                        assert_ptr_equal(winner, wanted[i]);
                }
                finish(world);
        }
}

/* ---- a plain reading of the rules, to compare with ---- */

static bool template_fits(struct str template, struct str path)
{
        while (template.ptr != NULL || path.ptr != NULL) {
                if (template.ptr == NULL)
                        return false;
                struct str want = str_cut(&template, '/');
                if (str_is(want, "{r*}"))
                        return true;
                if (path.ptr == NULL)
                        return false;
                struct str have = str_cut(&path, '/');
                if (want.ptr[0] != '{' && !str_eq(want, have))
                        return false;
        }
        return true;
}

/* Rank of a template's segments: literal, parameter, tail; the lesser rank is better. */
static int compare_templates(struct str a, struct str b)
{
        while (a.ptr != NULL && b.ptr != NULL) {
                struct str left = str_cut(&a, '/'), right = str_cut(&b, '/');
                int x = left.ptr[0] != '{' ? 0 : left.ptr[left.len - 2] == '*' ? 2 : 1;
                int y = right.ptr[0] != '{' ? 0 : right.ptr[right.len - 2] == '*' ? 2 : 1;
                if (x != y)
                        return x - y;
        }
        return a.ptr == NULL ? -1 : 1; /* "/a" before "/a/{r*}" */
}

/* "/a/{p1}/b/{r*}" */
static void random_template(char *line, size_t size)
{
        struct text text = text_over(line, size);
        unsigned depth = 1 + (unsigned)rand_below(4);
        for (unsigned at = 0; at < depth; at++) {
                if (at + 1 == depth && rand_below(4) == 0)
                        text_put(&text, S("/{r*}"));
                else if (rand_below(2) == 0)
                        text_format(&text, "/{p%u}", at);
                else
                        text_format(&text, "/%c", 'a' + (int)rand_below(2));
        }
        text_char(&text, '\0');
}

static void assert_as_by_the_rules(struct world *world, char (*lines)[64], unsigned count)
{
        char line[64] = "GET ";
        struct text text = text_over(line + 4, sizeof line - 4);
        for (unsigned depth = 1 + (unsigned)rand_below(5); depth > 0; depth--)
                text_format(&text, "/%c", 'a' + (int)rand_below(3));
        text_char(&text, '\0');
        const char *best = NULL;
        for (unsigned i = 0; i < count; i++) {
                struct str it = str_of(lines[i] + 1);
                if (template_fits(it, str_of(line + 5)) &&
                    (best == NULL || compare_templates(it, str_of(best + 1)) < 0))
                        best = lines[i];
        }
        struct route_result *result = ask(world, line, NULL);
        assert_ptr_equal(result->value, best);
        assert_int_equal(result->kind, best == NULL ? ROUTE_NO_PATH : ROUTE_FOUND);
}

static void random_tables_answer_as_a_plain_reading_of_the_rules_does(void **state)
{
        (void)state;
        for (int round = 0; round < 300; round++) {
                struct world *world = begin();
                struct route_api *root = api(world, "/");
                char lines[24][64];
                unsigned count = 0;
                for (unsigned i = 0; i < countof(lines); i++) {
                        bool is_new = true;
                        random_template(lines[count], sizeof lines[0]);
                        for (unsigned j = 0; j < count; j++)
                                is_new = is_new && strcmp(lines[j], lines[count]) != 0;
                        count += is_new;
                }
                for (unsigned i = 0; i < count; i++)
                        route(world, root, lines[i]);
                end(world);
                for (int n = 0; n < 100; n++)
                        assert_as_by_the_rules(world, lines, count);
                finish(world);
        }
}

static void long_and_odd_literals_are_matched_as_requests_have_them(void **state)
{
        struct world *world = begin();
        struct route_api *root = api(world, "/");
        char longer[300], line[320];
        (void)state;
        memset(longer, 'x', 256);
        longer[0] = '/';
        longer[256] = '\0';
        route(world, root, longer);
        route(world, root,
              "/stra\xc3\x9f"
              "e/%7Eme");
        route(world, root, "/a%2fb");
        end(world);
        struct text text = text_over(line, sizeof line);
        text_format(&text, "GET %s", longer);
        text_char(&text, '\0');
        assert_found(world, line, longer);
        text.len--;
        text_char(&text, 'x');
        text_char(&text, '\0');
        assert_int_equal(ask(world, line, NULL)->kind, ROUTE_NO_PATH);
        assert_found(world, "GET /stra%C3%9Fe/~me",
                     "/stra\xc3\x9f"
                     "e/%7Eme");
        assert_found(world, "GET /a%2Fb", "/a%2fb");
        finish(world);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_literal_beats_a_parameter_and_that_the_tail),
                cmocka_unit_test(the_walk_goes_back_where_a_better_segment_led_nowhere),
                cmocka_unit_test(parameters_are_views_of_the_path_as_it_is_escaped),
                cmocka_unit_test(a_named_method_beats_any_and_get_stands_for_head),
                cmocka_unit_test(
                        a_wrong_method_is_405_with_what_is_allowed_and_no_weaker_template_is_asked),
                cmocka_unit_test(more_conditions_beat_fewer_and_then_the_name_decides),
                cmocka_unit_test(where_no_condition_holds_a_weaker_template_is_asked),
                cmocka_unit_test(the_longest_api_owns_what_is_below_it_on_segment_boundaries),
                cmocka_unit_test(
                        an_exact_host_beats_wildcards_the_longest_first_and_any_comes_last),
                cmocka_unit_test(a_looser_reader_finds_the_route_that_it_would_mean),
                cmocka_unit_test(a_table_of_plain_literals_has_no_other_reading),
                cmocka_unit_test(literals_that_a_looser_reader_takes_for_many_segments_are_bounded),
                cmocka_unit_test(routes_that_nothing_distinguishes_are_reported_with_both_names),
                cmocka_unit_test(routes_that_something_distinguishes_are_no_conflict),
                cmocka_unit_test(malformed_templates_and_paths_are_reported),
                cmocka_unit_test(a_path_or_host_can_be_given_away_only_once),
                cmocka_unit_test(what_has_a_limit_is_refused_beyond_it),
                cmocka_unit_test(templates_that_overlap_too_much_are_refused),
                cmocka_unit_test(the_winner_does_not_depend_on_the_order_of_adding),
                cmocka_unit_test(random_tables_answer_as_a_plain_reading_of_the_rules_does),
                cmocka_unit_test(long_and_odd_literals_are_matched_as_requests_have_them),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
