/* list.c -- what base/list.h promises. */
#include "base/list.h"

#include "../unit.h"

struct item {
        char name;
        struct list link;
};

static struct str names(const struct list *head, char *memory, size_t size)
{
        struct text text = text_over(memory, size);
        list_each (node, head)
                text_char(&text, list_entry(node, struct item, link)->name);
        return text_str(&text);
}

static void nodes_stand_in_the_order_of_pushing(void **state)
{
        (void)state;
        char memory[8];
        struct list head;
        struct item a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
        list_init(&head);
        assert_true(list_is_empty(&head));
        list_push(&head, &a.link);
        list_push(&head, &b.link);
        list_push_front(&head, &c.link);
        assert_str(names(&head, memory, sizeof memory), "cab");
        assert_ptr_equal(list_pop(&head), &c.link);
        assert_str(names(&head, memory, sizeof memory), "ab");
}

static void a_node_may_be_removed_twice(void **state)
{
        (void)state;
        char memory[8];
        struct list head;
        struct item a = {.name = 'a'}, b = {.name = 'b'};
        list_init(&head);
        list_push(&head, &a.link);
        list_push(&head, &b.link);
        list_remove(&a.link);
        list_remove(&a.link);
        assert_str(names(&head, memory, sizeof memory), "b");
        list_remove(&b.link);
        assert_true(list_is_empty(&head));
        assert_null(list_pop(&head));
}

static void moving_empties_the_source_and_keeps_the_order(void **state)
{
        (void)state;
        char memory[8];
        struct list to, from;
        struct item a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'};
        list_init(&to);
        list_init(&from);
        list_move(&to, &from);
        assert_true(list_is_empty(&to));
        list_push(&to, &a.link);
        list_push(&from, &b.link);
        list_push(&from, &c.link);
        list_move(&to, &from);
        assert_true(list_is_empty(&from));
        assert_str(names(&to, memory, sizeof memory), "abc");
}

static void the_safe_walk_survives_removal(void **state)
{
        (void)state;
        struct list head;
        struct item items[5] = {0};
        size_t seen = 0;
        list_init(&head);
        for (size_t i = 0; i < countof(items); i++)
                list_push(&head, &items[i].link);
        list_each_safe (node, &head) {
                list_remove(node);
                seen++;
        }
        assert_int_equal(seen, countof(items));
        assert_true(list_is_empty(&head));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nodes_stand_in_the_order_of_pushing),
                cmocka_unit_test(a_node_may_be_removed_twice),
                cmocka_unit_test(moving_empties_the_source_and_keeps_the_order),
                cmocka_unit_test(the_safe_walk_survives_removal),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
