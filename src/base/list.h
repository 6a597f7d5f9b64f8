/**
 * @file
 * Intrusive doubly linked list: a `struct list` is a head or a member; zeroed is not valid.
 * No allocation, constant time, no locking: the owner of the list serialises.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

/** Make an empty head, or a member that is on no list. */
static inline void list_init(struct list *list)
{
    list->next = list->prev = list;
}

/** True for an empty head and for a member that is on no list. */
static inline bool list_is_empty(const struct list *list)
{
    return list->next == list;
}

/** Put `member` last. It must be on no list. */
static inline void list_append(struct list *head, struct list *member)
{
    member->prev = head->prev;
    member->next = head;
    head->prev->next = member;
    head->prev = member;
}

/** Take `member` off whatever list it is on; fine when it is on none. */
static inline void list_remove(struct list *member)
{
    member->prev->next = member->next;
    member->next->prev = member->prev;
    list_init(member);
}

/** Take the first member, or NULL from an empty list. */
static inline struct list *list_take_first(struct list *head)
{
    if (list_is_empty(head)) {
        return NULL;
    }
    struct list *first = head->next;
    list_remove(first);
    return first;
}

/** Move all members of `from` behind those of `to`; `from` is empty afterwards. */
static inline void list_splice(struct list *to, struct list *from)
{
    if (list_is_empty(from)) {
        return;
    }
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}
