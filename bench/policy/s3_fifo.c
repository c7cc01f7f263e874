/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * s3_fifo.c - S3-FIFO (Yang and others, 2023): a small queue of a tenth for what is new, a main queue for what was
 * used more than once while it was there, and a list of what left the small queue lately: when such a page
 * comes back it goes straight to the main queue.
 */
#include "order.h"
#include "queue.h"

#include <stdlib.h>

#define SMALL_SHARE 10u
#define FREQUENCY_MAX 3u

enum where {
    NOWHERE,
    SMALL,
    MAIN,
    GHOST
};

struct s3_fifo {
    uint32_t capacity;
    uint32_t small_capacity;
    struct policy_queue small;
    struct policy_queue main;
    struct policy_queue ghost;
    struct policy_link *links;
    unsigned char *where;
    unsigned char *frequency;
};

static void destroy(void *state)
{
    struct s3_fifo *order = state;
    free(order->links);
    free(order->where);
    free(order->frequency);
    free(order);
}

static void *create(const struct policy_stream *stream, uint32_t capacity)
{
    struct s3_fifo *order = calloc(1, sizeof *order);
    if (order == NULL)
        return NULL;
    order->capacity = capacity;
    order->small_capacity = capacity < SMALL_SHARE ? 1u : capacity / SMALL_SHARE;
    order->small = order->main = order->ghost = POLICY_QUEUE_INIT;
    order->links = calloc(stream->pages, sizeof *order->links);
    order->where = calloc(stream->pages, 1);
    order->frequency = calloc(stream->pages, 1);
    if (order->links != NULL && order->where != NULL && order->frequency != NULL)
        return order;
    destroy(order);
    return NULL;
}

static void enter(struct s3_fifo *order, struct policy_queue *queue, uint32_t page, enum where where)
{
    order->where[page] = (unsigned char)where;
    policy_queue_add(queue, order->links, page);
}

/* What left the small queue is remembered for as long as the main queue would hold it. */
static void remember(struct s3_fifo *order, uint32_t page)
{
    if (order->ghost.count >= order->capacity - order->small_capacity && order->ghost.count > 0)
        order->where[policy_queue_take(&order->ghost, order->links)] = NOWHERE;
    if (order->capacity > order->small_capacity)
        enter(order, &order->ghost, page, GHOST);
    else
        order->where[page] = NOWHERE;
}

static void evict_main(struct s3_fifo *order)
{
    for (;;) {
        uint32_t page = policy_queue_take(&order->main, order->links);
        if (order->frequency[page] == 0) {
            order->where[page] = NOWHERE;
            return;
        }
        order->frequency[page]--;
        enter(order, &order->main, page, MAIN);
    }
}

/* True: a page went. False: all of the small queue moved on to the main one. */
static bool evict_small(struct s3_fifo *order)
{
    while (order->small.count > 0) {
        uint32_t page = policy_queue_take(&order->small, order->links);
        if (order->frequency[page] <= 1) {
            remember(order, page);
            return true;
        }
        order->frequency[page] = 0;
        enter(order, &order->main, page, MAIN);
        if (order->main.count > order->capacity - order->small_capacity) {
            evict_main(order);
            return true;
        }
    }
    return false;
}

static bool access_page(void *state, uint64_t at, uint32_t page)
{
    struct s3_fifo *order = state;
    (void)at;
    if (order->where[page] == SMALL || order->where[page] == MAIN) {
        if (order->frequency[page] < FREQUENCY_MAX)
            order->frequency[page]++;
        return true;
    }
    bool was_there = order->where[page] == GHOST;
    if (was_there)
        policy_queue_remove(&order->ghost, order->links, page);
    order->where[page] = NOWHERE;
    while (order->small.count + order->main.count >= order->capacity) {
        bool from_small = order->small.count >= order->small_capacity || order->main.count == 0;
        if (!from_small || !evict_small(order))
            evict_main(order);
    }
    order->frequency[page] = 0;
    if (was_there)
        enter(order, &order->main, page, MAIN);
    else
        enter(order, &order->small, page, SMALL);
    return false;
}

const struct policy_order policy_s3_fifo = {"S3-FIFO",
                                            "s3_fifo",
                                            "a small queue for what is new, a main one for what was used, and a list "
                                            "of what left the small one",
                                            create,
                                            access_page,
                                            destroy};
