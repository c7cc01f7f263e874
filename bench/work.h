/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * work.h - runs one operation many times, in one thread or in several at once, and takes its cost.
 *
 * Operations run in chunks. A chunk's cost is CPU time of its thread, divided by the number of
 * operations; the result is the median of the chunks. So what happens once in a while (the machine's
 * interrupts, a fresh span of memory) does not show, unless it happens in every second chunk.
 */
#ifndef TM_BENCH_WORK_H
#define TM_BENCH_WORK_H

#include "samples.h"

#include <stdbool.h>
#include <stdint.h>

#define BENCH_THREADS_MAX 2u

struct bench_work;

/* One operation; @number counts from work->first. False: it went wrong, and all stops. */
typedef bool bench_operation(struct bench_work *work, uint64_t number);

/* Before a chunk, not timed: brings into the cache what the chunk will read. */
typedef void bench_preparation(struct bench_work *work, uint64_t first, uint64_t count);

struct bench_work {
    /* The caller's: */
    bench_operation *operation;
    bench_preparation *prepare; /* may be NULL */
    void *user;
    uint64_t first;
    uint64_t count;
    uint64_t chunk;
    bool each;       /* time each operation alone: for percentiles */
    uint64_t random; /* state of a random sequence of its own */

    /* The thread's own, made by bench_run(): its number, and pages of memory, zero at the start. */
    unsigned thread;
    unsigned char *buffers; /* BENCH_BUFFERS pages */

    /* Results: */
    struct bench_samples samples; /* ns per operation, a chunk each */
    bool failed;
};

/* Pages of a batch; the buffers are those of one batch in, and one out. */
#define BENCH_BATCH 16u
#define BENCH_BUFFERS (2u * BENCH_BATCH)

/* bench_clock_cost - measures what reading the clock costs; once, before the first run. */
void bench_clock_cost(void);

/*
 * bench_run - runs @work in @threads threads at once, its operations divided among them.
 *
 * @median_ns      receives the median of all chunks.
 * @percentile_ns  where not NULL, receives the 99th percentile.
 *
 * False: an operation failed, or there was no memory or thread.
 */
bool bench_run(const struct bench_work *work, unsigned threads, double *median_ns, double *percentile_ns);

#endif
