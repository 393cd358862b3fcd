/* config.c -- every setting of the configuration keeps the promises of its row, and what is printed
 * of the declarations is whole. */
#include "config/config.h"

#include "../gate/world.h"
#include "../schema/promises.h"

static struct run run;

static int begin(void **state)
{
        (void)state;
        run_begin(&run);
        sources_init(&run.load.sources, &run.arena);
        faults_init(&run.load.faults, &run.arena, &run.load.sources);
        run.reader = (struct reader){.arena = &run.arena,
                                     .faults = &run.load.faults,
                                     .policies = fake_policies,
                                     .policies_count = countof(fake_policies),
                                     .reserved = config_reserved_policies};
        return 0;
}

static int end(void **state)
{
        (void)state;
        run_end(&run);
        return 0;
}

static void every_setting_keeps_the_promises_of_its_row(void **state)
{
        (void)state;
        assert_int_equal(promises_broken(&run.reader, &shape_config), 0);
}

static void the_schema_is_json_and_every_reference_in_it_leads_somewhere(void **state)
{
        struct text out = text_grow(&run.arena, 4 << 20);
        struct json_trouble trouble;
        const struct json *root;
        unsigned references = 0;
        (void)state;
        shape_write_schema(&run.reader, &shape_config, S("https://gateway.example/schema/v1.json"),
                           &out);
        assert_false(out.is_cut);
        assert_int_equal(json_read(text_str(&out), NULL, &run.arena, &root, &trouble), ERR_ok);
        for (uint32_t i = 0; i < root->span; i++) {
                const struct json *reference = json_get(&root[i], S("$ref"));
                if (reference == NULL)
                        continue;
                references++;
                struct str pointer = str_skip(json_raw(reference), 1);
                assert_true(json_is(json_pointer(root, pointer), JSON_OBJECT));
        }
        assert_true(references > 20);
        assert_non_null(json_pointer(root, S("/properties/apis")));
        assert_null(json_pointer(root, S("/then/properties/openapi")));
        assert_null(json_pointer(root, S("/properties/identity")));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(every_setting_keeps_the_promises_of_its_row, begin,
                                                end),
                cmocka_unit_test_setup_teardown(
                        the_schema_is_json_and_every_reference_in_it_leads_somewhere, begin, end),
        };
        return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
