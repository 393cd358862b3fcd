/* examples.c -- what the manual shows of each policy is what happens. */
#include "../unit.h"
#include "base/check.h"
#include "gate/rehearsal.h"
#include "identity/list.h"
#include "policy/list.h"

static struct arena arena;

static struct rehearsal *rehearse(const struct example *example)
{
        struct str text = arena_format(&arena,
                                       "apis: { example: { path: /, upstream: "
                                       "\"http://10.0.1.1\", policies: { %s } } }\n"
                                       "consumers: { acme: { api_key: example-key-of-acme } }\n",
                                       example->policies);
        struct load_request request = {S("example.yaml"), text, S(""), &world_real};
        struct bundle *bundle = bundle_read(&request, &policy_list, &proof_list);
        struct rehearsal *rehearsal = bundle_is_good(bundle) ? rehearsal_make(bundle, false) : NULL;
        if (rehearsal == NULL) {
                struct text faults = text_grow(&arena, 1 << 20);
                faults_write(&bundle->load.faults, false, &faults);
                fail_msg(STR_FMT, STR_ARG(text_str(&faults)));
        }
        return rehearsal;
}

/* Lines end with CR LF, there is a Host, and what is chunked is one chunk. */
static struct str request_of(const struct example *example)
{
        struct text out = text_grow(&arena, 1 << 16);
        struct str all = str_of(example->request);
        ptrdiff_t gap = str_find_str(all, S("\n\n"));
        struct str rest = gap < 0 ? all : str_first(all, (size_t)gap);
        text_put(&out, str_cut(&rest, '\n'));
        text_put(&out, S("\r\n"));
        if (str_find_str(all, S("\nHost:")) < 0)
                text_put(&out, S("Host: example.com\r\n"));
        while (rest.ptr != NULL) {
                text_put(&out, str_cut(&rest, '\n'));
                text_put(&out, S("\r\n"));
        }
        text_put(&out, S("\r\n"));
        struct str body = gap < 0 ? STR_NONE : str_skip(all, (size_t)gap + 2);
        if (str_find_str(all, S("\nTransfer-Encoding: chunked\n")) >= 0)
                text_format(&out, "%zx\r\n" STR_FMT "\r\n0\r\n\r\n", body.len, STR_ARG(body));
        else
                text_put(&out, body);
        return text_str(&out);
}

static struct addr caller_of(const struct example *example)
{
        struct addr addr;
        struct str ip = str_of(example->address == NULL ? "192.0.2.1" : example->address);
        assert_int_equal(addr_read_ip(ip, 4711, &addr), ERR_ok);
        return addr;
}

static void check_field(const struct example *example, const struct played *played)
{
        struct str value = str_of(example->has), name = str_cut(&value, ':');
        struct str got = head_field(played->head, name);
        if (!str_eq(got, str_trim(value)))
                fail_msg("%s: " STR_FMT " is \"" STR_FMT "\", not \"" STR_FMT "\"",
                         example->promise, STR_ARG(name), STR_ARG(got), STR_ARG(str_trim(value)));
}

static void check_example(const struct example *example)
{
        struct rehearsal *rehearsal = rehearse(example);
        struct cue cue = {.request = request_of(example), .caller = caller_of(example)};
        struct played played;
        for (int i = 0; i < (example->times > 1 ? example->times : 1); i++)
                rehearsal_play(rehearsal, &cue, &played);
        if (played.status != example->status)
                fail_msg("%s: %u, not %u\n" STR_FMT, example->promise, played.status,
                         example->status, STR_ARG(played.head));
        if (example->has != NULL)
                check_field(example, &played);
        if (example->lacks != NULL && head_field(played.head, str_of(example->lacks)).ptr != NULL)
                fail_msg("%s: there is a field %s", example->promise, example->lacks);
        rehearsal_free(rehearsal);
}

static void the_examples_hold(void **state)
{
        const struct policy *policy = *state;
        const struct example *example = policy->examples;
        arena_init(&arena, NULL, 64 << 20);
        assert_non_null(example);
        for (; example->promise != NULL; example++)
                check_example(example);
        arena_fini(&arena);
}

int main(void)
{
        struct CMUnitTest tests[64];
        CHECK(policy_list.count <= countof(tests));
        for (size_t i = 0; i < policy_list.count; i++)
                tests[i] = (struct CMUnitTest){policy_list.at[i]->shape->name, the_examples_hold,
                                               NULL, NULL, (void *)(uintptr_t)policy_list.at[i]};
        return _cmocka_run_group_tests("examples", tests, policy_list.count, NULL, NULL);
}
