/* settings.c -- every setting of every policy keeps the promises of its row, and all of them fit
 * into one JSON Schema with the configuration. */
#include "config/config.h"
#include "policy/list.h"

#include "../schema/promises.h"
#include "../unit.h"

static struct arena arena;
static struct sources sources;
static struct faults faults;
static struct reader reader;

static int begin(void **state)
{
        (void)state;
        arena_init(&arena, NULL, 64 << 20);
        sources_init(&sources, &arena);
        faults_init(&faults, &arena, &sources);
        reader = (struct reader){&arena, &faults, policy_list.shapes, policy_list.count,
                                 config_reserved_policies};
        return 0;
}

static int end(void **state)
{
        (void)state;
        arena_fini(&arena);
        return 0;
}

static void every_policy_keeps_the_promises_of_its_rows(void **state)
{
        unsigned broken = 0;
        (void)state;
        for (size_t i = 0; i < policy_list.count; i++)
                broken += promises_broken(&reader, policy_list.shapes[i]);
        assert_int_equal(broken, 0);
}

static void no_policy_is_reserved_and_built_at_once(void **state)
{
        (void)state;
        for (size_t i = 0; i < policy_list.count; i++) {
                const struct setting *one = config_reserved_policies;
                for (; one->kind != SETTING_end; one++)
                        assert_string_not_equal(one->name, policy_list.shapes[i]->name);
        }
}

static void the_schema_of_everything_is_whole(void **state)
{
        struct text out = text_grow(&arena, 8 << 20);
        struct json_trouble trouble;
        const struct json *root;
        (void)state;
        shape_write_schema(&reader, &shape_config, S("https://gateway.example/schema/v1.json"),
                           &out);
        assert_false(out.is_cut);
        assert_int_equal(json_read(text_str(&out), NULL, &arena, &root, &trouble), ERR_ok);
        const struct json *policies = json_pointer(root, S("/$defs/policies/properties"));
        assert_int_equal(policies->len, policy_list.count);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(every_policy_keeps_the_promises_of_its_rows, begin,
                                                end),
                cmocka_unit_test_setup_teardown(no_policy_is_reserved_and_built_at_once, begin,
                                                end),
                cmocka_unit_test_setup_teardown(the_schema_of_everything_is_whole, begin, end),
        };
        return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
