/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timing.h - what an operation takes: CPU time of the thread, and time that passes.
 *
 * Operations run in chunks, as in work.h, and the result is the median of the chunks. What another
 * process does for us is only in the time that passes, so both are taken.
 */
#ifndef TM_BENCH_PEERS_TIMING_H
#define TM_BENCH_PEERS_TIMING_H

#include <stdbool.h>
#include <stdint.h>

/* One operation of a chunk. False: it failed, and all stops. */
typedef bool peer_operation(void *user, unsigned number);

struct peer_timing {
    void (*prepare)(void *user); /* before each chunk, not timed; may be NULL */
    peer_operation *operation;
    void *user;
    unsigned chunk;      /* operations in a chunk */
    unsigned pages_each; /* the result is that of a page */
};

struct peer_times {
    double cpu_ns;
    double wall_ns;
};

/* peer_wall_ns - the clock of the time that passes. */
uint64_t peer_wall_ns(void);

/* peer_time - runs at least one chunk, and about @pages pages in all. False: an operation failed, or
 * there was no memory. */
bool peer_time(const struct peer_timing *timing, uint64_t pages, struct peer_times *times);

#endif
