/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue.h - queues of pages by their numbers. A page is in one queue of a set at most; the links of all are one
 * array, which its owner allocates.
 */
#ifndef TM_BENCH_POLICY_QUEUE_H
#define TM_BENCH_POLICY_QUEUE_H

#include "base/base.h"

#define POLICY_NONE UINT32_MAX

struct policy_link {
    uint32_t older;
    uint32_t newer;
};

struct policy_queue {
    uint32_t oldest;
    uint32_t newest;
    uint32_t count;
};

#define POLICY_QUEUE_INIT ((struct policy_queue){POLICY_NONE, POLICY_NONE, 0})

/* The page becomes the newest. */
static inline void policy_queue_add(struct policy_queue *queue, struct policy_link *links, uint32_t page)
{
    links[page] = (struct policy_link){queue->newest, POLICY_NONE};
    if (queue->newest != POLICY_NONE)
        links[queue->newest].newer = page;
    else
        queue->oldest = page;
    queue->newest = page;
    queue->count++;
}

static inline void policy_queue_remove(struct policy_queue *queue, struct policy_link *links, uint32_t page)
{
    struct policy_link link = links[page];
    if (link.older != POLICY_NONE)
        links[link.older].newer = link.newer;
    else
        queue->oldest = link.newer;
    if (link.newer != POLICY_NONE)
        links[link.newer].older = link.older;
    else
        queue->newest = link.older;
    queue->count--;
}

/* The oldest page leaves; there is one. */
static inline uint32_t policy_queue_take(struct policy_queue *queue, struct policy_link *links)
{
    uint32_t page = queue->oldest;
    policy_queue_remove(queue, links, page);
    return page;
}

#endif
