/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory_limits.h - what the machine's memory allows: the copies and reads that no store can beat.
 */
#ifndef TM_BENCH_MEMORY_LIMITS_H
#define TM_BENCH_MEMORY_LIMITS_H

#include "corpus.h"
#include "work.h"

struct bench_limits {
    const struct bench_corpus *corpus;
    unsigned char *destination; /* cold memory to copy to, in order */
    uint64_t destination_pages;
    uint64_t next;       /* where the next copy in order begins, so that it is cold again */
    uint64_t read_bytes; /* of a cold read */
    uint64_t random;     /* so that no run visits the places of the one before */
    uint64_t run_pages;  /* pages that a run visits */
};

/* bench_limits_create - room to copy to. False: no memory. */
bool bench_limits_create(struct bench_limits *limits, const struct bench_corpus *corpus);
void bench_limits_free(struct bench_limits *limits);

/* A page from a random place of 256 MiB to one hot buffer, fenced. */
bool bench_limit_cold_copy(struct bench_limits *limits, unsigned threads, double *ns);

/* The same in batches of BENCH_BATCH to as many hot buffers, the next page prefetched; a page's time. */
bool bench_limit_prefetched_copy(struct bench_limits *limits, unsigned threads, double *ns);

/* A page from cold memory in order to cold memory in order. */
bool bench_limit_sequential_copy(struct bench_limits *limits, unsigned threads, double *ns);

/* Reading @bytes at a random page's begin. */
bool bench_limit_cold_read(struct bench_limits *limits, double bytes, double *ns);

#endif
