/* list.h -- intrusive doubly linked list. A node that is in no list points to itself, so that
 * list_remove may be called twice. The list head is a node too. */
#pragma once

#include "base/base.h"

struct list {
        struct list *next, *prev;
};

static inline void list_init(struct list *node)
{
        node->next = node->prev = node;
}

static inline bool list_is_empty(const struct list *head)
{
        return head->next == head;
}

/* Puts node at the end of the list. It must be in no list. */
static inline void list_push(struct list *head, struct list *node)
{
        node->prev = head->prev;
        node->next = head;
        head->prev->next = node;
        head->prev = node;
}

/* Puts node at the start of the list. It must be in no list. */
static inline void list_push_front(struct list *head, struct list *node)
{
        node->next = head->next;
        node->prev = head;
        head->next->prev = node;
        head->next = node;
}

static inline void list_remove(struct list *node)
{
        node->prev->next = node->next;
        node->next->prev = node->prev;
        list_init(node);
}

/* First node, removed; NULL when the list is empty. */
static inline struct list *list_pop(struct list *head)
{
        struct list *node = head->next;
        if (node == head)
                return NULL;
        list_remove(node);
        return node;
}

/* Moves all nodes of `from` to the end of `to`; `from` is empty afterwards. */
static inline void list_move(struct list *to, struct list *from)
{
        if (list_is_empty(from))
                return;
        from->next->prev = to->prev;
        to->prev->next = from->next;
        from->prev->next = to;
        to->prev = from->prev;
        list_init(from);
}

#define list_entry(node, type, member) container_of(node, type, member)

#define list_each(node, head)                                                                      \
        for (struct list *node = (head)->next; node != (head); node = node->next)

/* As list_each; the current node may be removed in the body. */
#define list_each_safe(node, head)                                                                 \
        for (struct list *node = (head)->next, *node##_next = node->next; node != (head);          \
             node = node##_next, node##_next = node->next)
