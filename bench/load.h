/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.h - the operations that are timed, on one store.
 *
 * Gets end with a fence, as the copies that they are compared with do. Nothing else does.
 */
#ifndef TM_BENCH_LOAD_H
#define TM_BENCH_LOAD_H

#include "bench.h"

struct bench_load {
    const struct bench *bench;
    const struct bench_content *content;
    struct bench_store store;

    /* What an operation answered that failed. */
    enum tmem_result failure;
};

/* One of the operations below, as often and in such chunks as suits it. */
struct bench_timing {
    bench_operation *operation;
    bench_preparation *prepare;
    unsigned chunk;
    unsigned pages_each; /* the result is divided by it */
};

extern const struct bench_timing bench_put_new;      /* page n under handle n */
extern const struct bench_timing bench_put_prepared; /* the same, the page in cache before */
extern const struct bench_timing bench_put_replace;  /* under random handles, in cache before */
extern const struct bench_timing bench_get_random;
extern const struct bench_timing bench_get_batch;
extern const struct bench_timing bench_get_exclusive; /* page_order[n] */
extern const struct bench_timing bench_drop_page;     /* page_order[n] */
extern const struct bench_timing bench_drop_object;   /* object_order[n] */
extern const struct bench_timing bench_get_miss;

/* bench_load_page - page @number of the content; @scratch is used where it is made on the spot. */
const unsigned char *bench_load_page(const struct bench_load *load, uint64_t number, unsigned char *scratch);

/*
 * bench_time - runs @count operations from number @first on; *ns receives the time of a page.
 *
 * TM_EXIT_OK, or a code after a message that says @what failed.
 */
enum tm_exit bench_time(struct bench_load *load, const struct bench_timing *timing, const char *what, uint64_t first,
                        uint64_t count, unsigned threads, double *ns);

/* bench_load_verify - gets some of the pages and compares them. A code after a message, or OK. */
enum tm_exit bench_load_verify(struct bench_load *load);

#endif
