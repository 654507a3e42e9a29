/* A circular doubly linked list whose links lie inside the items. Floor 2; one thread at a time. */
#ifndef NP_NET_LIST_H
#define NP_NET_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A list head, or the link inside an item. An item that is in no list has next == NULL. */
typedef struct np_link {
    struct np_link *previous, *next;
} np_link;

#define np_item(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

static inline void np_list_init(np_link *head)
{
    head->previous = head->next = head;
}

static inline bool np_list_empty(const np_link *head)
{
    return head->next == head;
}

static inline bool np_link_used(const np_link *link)
{
    return link->next != NULL;
}

static inline void np_list_insert_after(np_link *place, np_link *link)
{
    link->previous = place;
    link->next = place->next;
    place->next->previous = link;
    place->next = link;
}

static inline void np_list_push_front(np_link *head, np_link *link)
{
    np_list_insert_after(head, link);
}

static inline void np_list_push_back(np_link *head, np_link *link)
{
    np_list_insert_after(head->previous, link);
}

/* Takes an item out of whatever list it is in; nothing happens where it is in none. */
static inline void np_list_remove(np_link *link)
{
    if (!link->next)
        return;
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link->previous = link->next = NULL;
}

/* The first link, taken out; NULL when the list is empty. */
static inline np_link *np_list_pop_front(np_link *head)
{
    if (np_list_empty(head))
        return NULL;
    np_link *link = head->next;
    np_list_remove(link);
    return link;
}

#endif
