/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arc.c - ARC (Megiddo and Modha, 2003): pages used once and pages used more often, each list followed by one of
 * those that left it. A page that is asked for after it left says which of the two lists should have been longer.
 */
#include "order.h"
#include "queue.h"

#include <stdlib.h>

enum list {
    ONCE,
    OFTEN,
    LEFT_ONCE,
    LEFT_OFTEN,
    LISTS,
    NOWHERE = LISTS
};

struct arc {
    uint32_t capacity;
    uint32_t target; /* of the pages used once */
    struct policy_queue list[LISTS];
    struct policy_link *links;
    unsigned char *where;
};

static void destroy(void *state)
{
    struct arc *arc = state;
    free(arc->links);
    free(arc->where);
    free(arc);
}

static void *create(const struct policy_stream *stream, uint32_t capacity)
{
    struct arc *arc = calloc(1, sizeof *arc);
    if (arc == NULL)
        return NULL;
    arc->capacity = capacity;
    for (unsigned i = 0; i < LISTS; i++)
        arc->list[i] = POLICY_QUEUE_INIT;
    arc->links = calloc(stream->pages, sizeof *arc->links);
    arc->where = calloc(stream->pages, 1);
    if (arc->links == NULL || arc->where == NULL) {
        destroy(arc);
        return NULL;
    }
    for (uint32_t page = 0; page < stream->pages; page++)
        arc->where[page] = NOWHERE;
    return arc;
}

static void move(struct arc *arc, uint32_t page, enum list to)
{
    if (arc->where[page] != NOWHERE)
        policy_queue_remove(&arc->list[arc->where[page]], arc->links, page);
    arc->where[page] = (unsigned char)to;
    if (to != NOWHERE)
        policy_queue_add(&arc->list[to], arc->links, page);
}

static uint32_t count(const struct arc *arc, enum list list)
{
    return arc->list[list].count;
}

/* One of the two lists gives its oldest page up, which is remembered. */
static void replace(struct arc *arc, bool came_back_to_often)
{
    uint32_t once = count(arc, ONCE);
    bool from_once = once > 0 && (once > arc->target || (came_back_to_often && once == arc->target));
    if (from_once || count(arc, OFTEN) == 0)
        move(arc, arc->list[ONCE].oldest, LEFT_ONCE);
    else
        move(arc, arc->list[OFTEN].oldest, LEFT_OFTEN);
}

/* A page that was remembered: the list that it left should have been longer. */
static void come_back(struct arc *arc, uint32_t page)
{
    uint32_t once = count(arc, LEFT_ONCE);
    uint32_t often = count(arc, LEFT_OFTEN);
    if (arc->where[page] == LEFT_ONCE) {
        uint32_t step = often > once ? often / once : 1u;
        arc->target = arc->target + step < arc->capacity ? arc->target + step : arc->capacity;
        replace(arc, false);
    } else {
        uint32_t step = once > often ? once / often : 1u;
        arc->target = arc->target > step ? arc->target - step : 0;
        replace(arc, true);
    }
    move(arc, page, OFTEN);
}

/* Room for a page that nothing is known of. */
static void make_room(struct arc *arc)
{
    uint32_t all = 0;
    for (unsigned i = 0; i < LISTS; i++)
        all += arc->list[i].count;
    if (count(arc, ONCE) + count(arc, LEFT_ONCE) == arc->capacity) {
        if (count(arc, ONCE) < arc->capacity) {
            move(arc, arc->list[LEFT_ONCE].oldest, NOWHERE);
            replace(arc, false);
        } else {
            move(arc, arc->list[ONCE].oldest, NOWHERE);
        }
    } else if (all >= arc->capacity) {
        if (all == 2u * arc->capacity)
            move(arc, arc->list[LEFT_OFTEN].oldest, NOWHERE);
        replace(arc, false);
    }
}

static bool access_page(void *state, uint64_t at, uint32_t page)
{
    struct arc *arc = state;
    (void)at;
    switch (arc->where[page]) {
    case ONCE:
    case OFTEN:
        move(arc, page, OFTEN);
        return true;
    case LEFT_ONCE:
    case LEFT_OFTEN:
        come_back(arc, page);
        return false;
    default:
        make_room(arc);
        move(arc, page, ONCE);
        return false;
    }
}

const struct policy_order policy_arc = {"ARC",
                                        "arc",
                                        "lists of pages used once and used more often; what comes back after it left "
                                        "says which was too short",
                                        create,
                                        access_page,
                                        destroy};
