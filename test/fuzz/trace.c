/* trace.c -- traceparent and tracestate: what is passed on is read the same by the next hop. Lines
 * are parted by '\n'; the first is the parent. */
#include "wire/trace.h"

#include "fuzz.h"

static void check_state(struct str all, struct arena *arena)
{
        struct fields fields, again;
        char memory[TRACESTATE_MAX], other[TRACESTATE_MAX];
        struct text text = text_over(memory, sizeof memory);
        struct text twice = text_over(other, sizeof other);
        fields_init(&fields, arena, 2);
        fields_init(&again, arena, 2);
        while (all.ptr != NULL)
                fields_add_known(&fields, NAME_tracestate, str_cut(&all, '\n'));
        if (tracestate_join(&fields, &text) != ERR_ok)
                return;
        CHECK(!text.is_cut && value_is_safe(text_str(&text)));
        fields_add_known(&again, NAME_tracestate, text_str(&text));
        CHECK(tracestate_join(&again, &twice) == ERR_ok);
        CHECK(str_eq(text_str(&text), text_str(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct arena arena;
        struct trace trace, again;
        if (size > 4096)
                return 0;
        arena_init(&arena, NULL, 1 << 20);
        struct str all = fuzz_copy(fuzz_input(data, size)), rest = all;
        struct str parent = str_cut(&rest, '\n');
        if (trace_read(parent, &trace) == ERR_ok) {
                char memory[TRACEPARENT_LENGTH];
                struct text text = text_over(memory, sizeof memory);
                trace_write(&trace, &text);
                CHECK(trace_read(text_str(&text), &again) == ERR_ok);
                CHECK(memcmp(&trace, &again, sizeof trace) == 0);
        }
        if (request_id_is_good(parent))
                CHECK(value_is_safe(parent) && parent.len <= REQUEST_ID_MAX);
        check_state(rest, &arena);
        fuzz_free(all);
        arena_fini(&arena);
        return 0;
}
