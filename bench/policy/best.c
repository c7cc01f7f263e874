/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * best.c - what no order can exceed (Belady, 1966): it knows the future. The page that is asked for again latest goes,
 * and a page that would be it is not taken at all.
 *
 * Pages in the cache wait in a heap by the position of their next use. Entries are not removed when a page is used: an
 * entry whose position is not the page's next use any more is dropped when it comes to the top.
 */
#include "order.h"
#include "queue.h"

#include <stdlib.h>

struct best {
    const struct policy_stream *stream;
    uint32_t capacity;
    uint32_t count;    /* pages that are there */
    uint32_t *next;    /* by access: when its page is asked for next; POLICY_NONE: never */
    uint32_t *expects; /* by page: its next use if it is there; POLICY_NONE: it is not */
    uint32_t *heap;    /* positions, the latest on top */
    uint64_t heap_count;
};

static void destroy(void *state)
{
    struct best *best = state;
    free(best->next);
    free(best->expects);
    free(best->heap);
    free(best);
}

/* From the end to the beginning; `expects` is used for what was seen last. */
static void look_ahead(struct best *best)
{
    const struct policy_stream *stream = best->stream;
    for (uint32_t page = 0; page < stream->pages; page++)
        best->expects[page] = POLICY_NONE;
    for (uint64_t at = stream->count; at-- > 0;) {
        uint32_t page = stream->access[at];
        best->next[at] = best->expects[page];
        best->expects[page] = (uint32_t)at;
    }
    for (uint32_t page = 0; page < stream->pages; page++)
        best->expects[page] = POLICY_NONE;
}

static void *create(const struct policy_stream *stream, uint32_t capacity)
{
    struct best *best = calloc(1, sizeof *best);
    if (best == NULL)
        return NULL;
    best->stream = stream;
    best->capacity = capacity;
    best->next = calloc((size_t)stream->count, sizeof *best->next);
    best->expects = calloc(stream->pages, sizeof *best->expects);
    best->heap = calloc((size_t)stream->count, sizeof *best->heap);
    if (best->next == NULL || best->expects == NULL || best->heap == NULL) {
        destroy(best);
        return NULL;
    }
    look_ahead(best);
    return best;
}

static void push(struct best *best, uint32_t position)
{
    uint64_t at = best->heap_count++;
    for (; at > 0 && best->heap[(at - 1) / 2] < position; at = (at - 1) / 2)
        best->heap[at] = best->heap[(at - 1) / 2];
    best->heap[at] = position;
}

static void pop(struct best *best)
{
    uint32_t last = best->heap[--best->heap_count];
    uint64_t at = 0;
    for (;;) {
        uint64_t child = 2 * at + 1;
        if (child + 1 < best->heap_count && best->heap[child + 1] > best->heap[child])
            child++;
        if (child >= best->heap_count || best->heap[child] <= last)
            break;
        best->heap[at] = best->heap[child];
        at = child;
    }
    best->heap[at] = last;
}

/* The position of the next use that is latest; some page is there. */
static uint32_t latest(struct best *best)
{
    for (;; pop(best)) {
        uint32_t position = best->heap[0];
        if (best->expects[best->stream->access[position]] == position)
            return position;
    }
}

static bool access_page(void *state, uint64_t at, uint32_t page)
{
    struct best *best = state;
    uint32_t next = best->next[at];
    bool found = best->expects[page] != POLICY_NONE;
    if (found) {
        best->expects[page] = POLICY_NONE;
        best->count--;
    }
    if (next == POLICY_NONE)
        return found;
    if (best->count == best->capacity) {
        uint32_t position = latest(best);
        if (position < next)
            return found;
        best->expects[best->stream->access[position]] = POLICY_NONE;
        best->count--;
    }
    best->expects[page] = next;
    best->count++;
    push(best, next);
    return found;
}

const struct policy_order policy_best = {
    "best", "best", "knows the future: what is asked for again latest goes first, or does not come at all",
    create, access_page, destroy};
