/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list.h - doubly linked lists whose links are 32-bit numbers into a table (segments), 0 for none.
 * Kept as numbers so that a list may lie in an arena, where there are no pointers.
 */
#ifndef TM_BASE_LIST_H
#define TM_BASE_LIST_H

#include "base/atomic.h"
#include "base/base.h"

struct tm_list {
    uint32_t head;
    uint32_t tail;
    uint32_t count; /* atomic: written by who changes the list, read by anybody as a hint */
};

struct tm_link {
    uint32_t next;
    uint32_t prev;
};

/* Finds the links of element @number of the list's table. */
typedef struct tm_link *(*tm_link_of)(void *table, uint32_t number);

static inline void tm_list_init(struct tm_list *list)
{
    list->head = list->tail = list->count = 0;
}

/* Appends @number, which is on no list. */
static inline void tm_list_append(struct tm_list *list, void *table, tm_link_of link_of, uint32_t number)
{
    struct tm_link *link = link_of(table, number);
    link->next = 0;
    link->prev = list->tail;
    if (list->tail != 0)
        link_of(table, list->tail)->next = number;
    else
        list->head = number;
    list->tail = number;
    tm_store_relaxed(&list->count, list->count + 1u);
}

/* Puts @number, which is on no list, at the front. */
static inline void tm_list_prepend(struct tm_list *list, void *table, tm_link_of link_of, uint32_t number)
{
    struct tm_link *link = link_of(table, number);
    link->prev = 0;
    link->next = list->head;
    if (list->head != 0)
        link_of(table, list->head)->prev = number;
    else
        list->tail = number;
    list->head = number;
    tm_store_relaxed(&list->count, list->count + 1u);
}

/* Takes @number off the list that it is on. */
static inline void tm_list_remove(struct tm_list *list, void *table, tm_link_of link_of, uint32_t number)
{
    struct tm_link *link = link_of(table, number);
    TM_ASSERT(list->count > 0);
    if (link->prev != 0)
        link_of(table, link->prev)->next = link->next;
    else {
        TM_ASSERT(list->head == number);
        list->head = link->next;
    }
    if (link->next != 0)
        link_of(table, link->next)->prev = link->prev;
    else {
        TM_ASSERT(list->tail == number);
        list->tail = link->prev;
    }
    link->next = link->prev = 0;
    tm_store_relaxed(&list->count, list->count - 1u);
}

#endif
