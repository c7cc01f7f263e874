/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * order.h - orders of eviction: each is told which page is asked for, and answers whether it had it.
 *
 * An order holds as many pages as its capacity says. A page that it did not have is offered to it; whether it takes
 * the page is its own affair. All but `in use` are the published algorithm on arrays, page by page; `in use` is the
 * store itself, through the public interface. What an order knows of pages it does not hold is not counted against it.
 */
#ifndef TM_BENCH_POLICY_ORDER_H
#define TM_BENCH_POLICY_ORDER_H

#include "stream.h"

struct policy_order {
    const char *name;   /* for people */
    const char *member; /* of a JSON object */
    const char *about;
    /* For a stream that outlives it. @capacity: at least 1. NULL: no memory. */
    void *(*create)(const struct policy_stream *stream, uint32_t capacity);
    /* Access number @at of the stream, to page @number. True: it was there. */
    bool (*access)(void *order, uint64_t at, uint32_t number);
    void (*destroy)(void *order);
};

extern const struct policy_order policy_lru;
extern const struct policy_order policy_clock;
extern const struct policy_order policy_sieve;
extern const struct policy_order policy_s3_fifo;
extern const struct policy_order policy_arc;
extern const struct policy_order policy_lirs;
extern const struct policy_order policy_best;

/* policy_order_run - hits among the accesses of the stream that are counted. False: no memory. */
bool policy_order_run(const struct policy_order *order, const struct policy_stream *stream, uint32_t capacity,
                      uint64_t *hits);

#endif
