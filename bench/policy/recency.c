/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recency.c - the orders that only know what was used lately: LRU, CLOCK and SIEVE. They share their state: one
 * queue, and a mark for each page.
 */
#include "order.h"
#include "queue.h"

#include <stdlib.h>

struct recency {
    uint32_t capacity;
    struct policy_queue queue;
    uint32_t hand; /* SIEVE: where the search for a victim goes on; POLICY_NONE: at the oldest */
    struct policy_link *links;
    unsigned char *is_there;
    unsigned char *was_used;
};

static void destroy(void *state)
{
    struct recency *recency = state;
    free(recency->links);
    free(recency->is_there);
    free(recency->was_used);
    free(recency);
}

static void *create(const struct policy_stream *stream, uint32_t capacity)
{
    struct recency *recency = calloc(1, sizeof *recency);
    if (recency == NULL)
        return NULL;
    recency->capacity = capacity;
    recency->queue = POLICY_QUEUE_INIT;
    recency->hand = POLICY_NONE;
    recency->links = calloc(stream->pages, sizeof *recency->links);
    recency->is_there = calloc(stream->pages, 1);
    recency->was_used = calloc(stream->pages, 1);
    if (recency->links != NULL && recency->is_there != NULL && recency->was_used != NULL)
        return recency;
    destroy(recency);
    return NULL;
}

static void enter(struct recency *recency, uint32_t page)
{
    recency->is_there[page] = 1;
    recency->was_used[page] = 0;
    policy_queue_add(&recency->queue, recency->links, page);
}

/* ---- the page that was not used for longest goes ---- */

static bool lru_access(void *state, uint64_t at, uint32_t page)
{
    struct recency *recency = state;
    (void)at;
    bool found = recency->is_there[page] != 0;
    if (found)
        policy_queue_remove(&recency->queue, recency->links, page);
    else if (recency->queue.count == recency->capacity)
        recency->is_there[policy_queue_take(&recency->queue, recency->links)] = 0;
    enter(recency, page);
    return found;
}

/* ---- the oldest goes, unless it was used since it was last looked at: then it is as good as new ---- */

static bool clock_access(void *state, uint64_t at, uint32_t page)
{
    struct recency *recency = state;
    (void)at;
    if (recency->is_there[page] != 0) {
        recency->was_used[page] = 1;
        return true;
    }
    while (recency->queue.count == recency->capacity) {
        uint32_t oldest = policy_queue_take(&recency->queue, recency->links);
        if (recency->was_used[oldest] != 0)
            enter(recency, oldest);
        else
            recency->is_there[oldest] = 0;
    }
    enter(recency, page);
    return false;
}

/* ---- the same, but what was used stays where it is, and a hand passes over it ---- */

static void sieve_evict(struct recency *recency)
{
    uint32_t page = recency->hand != POLICY_NONE ? recency->hand : recency->queue.oldest;
    while (recency->was_used[page] != 0) {
        recency->was_used[page] = 0;
        page = recency->links[page].newer;
        if (page == POLICY_NONE)
            page = recency->queue.oldest;
    }
    recency->hand = recency->links[page].newer;
    recency->is_there[page] = 0;
    policy_queue_remove(&recency->queue, recency->links, page);
}

static bool sieve_access(void *state, uint64_t at, uint32_t page)
{
    struct recency *recency = state;
    (void)at;
    if (recency->is_there[page] != 0) {
        recency->was_used[page] = 1;
        return true;
    }
    if (recency->queue.count == recency->capacity)
        sieve_evict(recency);
    enter(recency, page);
    return false;
}

const struct policy_order policy_lru = {
    "LRU", "lru", "what was not used for longest goes first", create, lru_access, destroy};
const struct policy_order policy_clock = {
    "CLOCK", "clock", "what was used since it was last looked at goes round again", create, clock_access, destroy};
const struct policy_order policy_sieve = {
    "SIEVE", "sieve", "what was used stays in its place, and a hand passes over it", create, sieve_access, destroy};
