/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lirs.c - LIRS (Jiang and Zhang, 2002): what counts is how much else was read between the last two uses of a page.
 * Nearly all room belongs to the pages for which that is least; the rest is a queue that new ones pass through.
 *
 * The history holds those pages, and all that were used since the oldest of them was, whether they are there or
 * not. A page that is used while it is in the history takes the place of the oldest.
 */
#include "order.h"
#include "queue.h"

#include <stdlib.h>

#define PASSING_SHARE 100u /* room for pages that pass through: one hundredth */
#define REMEMBERED 2u      /* pages in the history that are not there: at most so many times the capacity */

enum state {
    GONE,
    STAYING,
    PASSING,
    REMEMBERED_ONLY
};

struct lirs {
    uint32_t staying_capacity;
    uint32_t passing_capacity;
    uint32_t remembered_capacity;
    uint32_t staying;
    struct policy_queue history;
    struct policy_queue passing;
    struct policy_queue remembered; /* by when they went */
    struct policy_link *history_links;
    struct policy_link *links; /* of the other two */
    unsigned char *state;
    unsigned char *in_history;
};

static void destroy(void *state)
{
    struct lirs *lirs = state;
    free(lirs->history_links);
    free(lirs->links);
    free(lirs->state);
    free(lirs->in_history);
    free(lirs);
}

static void *create(const struct policy_stream *stream, uint32_t capacity)
{
    struct lirs *lirs = calloc(1, sizeof *lirs);
    if (lirs == NULL)
        return NULL;
    lirs->passing_capacity = capacity < PASSING_SHARE ? 1u : capacity / PASSING_SHARE;
    lirs->staying_capacity = capacity - lirs->passing_capacity;
    lirs->remembered_capacity = (uint32_t)tm_min_u64((uint64_t)capacity * REMEMBERED, UINT32_MAX);
    lirs->history = lirs->passing = lirs->remembered = POLICY_QUEUE_INIT;
    lirs->history_links = calloc(stream->pages, sizeof *lirs->history_links);
    lirs->links = calloc(stream->pages, sizeof *lirs->links);
    lirs->state = calloc(stream->pages, 1);
    lirs->in_history = calloc(stream->pages, 1);
    if (lirs->history_links != NULL && lirs->links != NULL && lirs->state != NULL && lirs->in_history != NULL)
        return lirs;
    destroy(lirs);
    return NULL;
}

static void leave_history(struct lirs *lirs, uint32_t page)
{
    policy_queue_remove(&lirs->history, lirs->history_links, page);
    lirs->in_history[page] = 0;
    if (lirs->state[page] == REMEMBERED_ONLY) {
        policy_queue_remove(&lirs->remembered, lirs->links, page);
        lirs->state[page] = GONE;
    }
}

/* The history ends with a page that stays. */
static void prune(struct lirs *lirs)
{
    while (lirs->history.count > 0 && lirs->state[lirs->history.oldest] != STAYING)
        leave_history(lirs, lirs->history.oldest);
}

static void to_top(struct lirs *lirs, uint32_t page)
{
    if (lirs->in_history[page] != 0)
        policy_queue_remove(&lirs->history, lirs->history_links, page);
    lirs->in_history[page] = 1;
    policy_queue_add(&lirs->history, lirs->history_links, page);
}

static void pass(struct lirs *lirs, uint32_t page)
{
    lirs->state[page] = PASSING;
    policy_queue_add(&lirs->passing, lirs->links, page);
}

/* The page stays from now on, and the one that was used longest ago of those passes. */
static void stay(struct lirs *lirs, uint32_t page)
{
    lirs->state[page] = STAYING;
    lirs->staying++;
    to_top(lirs, page);
    if (lirs->staying <= lirs->staying_capacity)
        return;
    prune(lirs);
    uint32_t oldest = lirs->history.oldest;
    leave_history(lirs, oldest);
    lirs->staying--;
    pass(lirs, oldest);
    prune(lirs);
}

static void evict(struct lirs *lirs)
{
    uint32_t page = policy_queue_take(&lirs->passing, lirs->links);
    lirs->state[page] = GONE;
    if (lirs->in_history[page] == 0)
        return;
    lirs->state[page] = REMEMBERED_ONLY;
    policy_queue_add(&lirs->remembered, lirs->links, page);
    if (lirs->remembered.count > lirs->remembered_capacity)
        leave_history(lirs, lirs->remembered.oldest);
}

static bool use_passing(struct lirs *lirs, uint32_t page)
{
    policy_queue_remove(&lirs->passing, lirs->links, page);
    if (lirs->in_history[page] != 0 && lirs->staying_capacity > 0) {
        stay(lirs, page);
    } else {
        to_top(lirs, page);
        pass(lirs, page);
    }
    return true;
}

static bool access_page(void *state, uint64_t at, uint32_t page)
{
    struct lirs *lirs = state;
    (void)at;
    if (lirs->state[page] == STAYING) {
        to_top(lirs, page);
        prune(lirs);
        return true;
    }
    if (lirs->state[page] == PASSING)
        return use_passing(lirs, page);
    bool was_remembered = lirs->state[page] == REMEMBERED_ONLY;
    if (was_remembered) {
        policy_queue_remove(&lirs->remembered, lirs->links, page);
        lirs->state[page] = GONE;
    }
    if (lirs->staying + lirs->passing.count >= lirs->staying_capacity + lirs->passing_capacity)
        evict(lirs);
    if (lirs->staying < lirs->staying_capacity || (was_remembered && lirs->staying_capacity > 0)) {
        stay(lirs, page);
    } else {
        to_top(lirs, page);
        pass(lirs, page);
    }
    return false;
}

const struct policy_order policy_lirs = {"LIRS",
                                         "lirs",
                                         "what counts is how much else was read between the last two uses",
                                         create,
                                         access_page,
                                         destroy};
