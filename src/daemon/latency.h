/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * latency.h - how long requests take: histograms whose buckets grow by powers of two, in four steps each.
 *
 * One request in TM_LATENCY_EVERY is timed, at random, so that a clock that is slow to read costs next to nothing and
 * no rhythm of a client's can hide requests. What is timed is the work of the daemon's thread, from the request that
 * was taken and judged to the answer that is about to be written; how long it waited in the ring nobody knows.
 *
 * Who locks: nobody. A histogram is written by one thread; others read it while it counts, and may see a request that
 * is counted in part.
 */
#ifndef TM_DAEMON_LATENCY_H
#define TM_DAEMON_LATENCY_H

#include "base/atomic.h"
#include "base/base.h"
#include "wire/layout.h"

#define TM_LATENCY_EVERY 16u

/* Powers of two that are told apart: up to 2^7 ns, ... up to 2^31 ns, and above. */
#define TM_LATENCY_FIRST 7u
#define TM_LATENCY_LAST 31u
#define TM_LATENCY_STEPS 4u
#define TM_LATENCY_BUCKETS ((TM_LATENCY_LAST - TM_LATENCY_FIRST) * TM_LATENCY_STEPS + 2u)

struct tm_latency {
    tm_atomic64 count[TM_LATENCY_BUCKETS]; /* atomic; the last: more than the largest limit */
    tm_atomic64 sum_ns;                    /* atomic */
};

/* Of one thread that serves. */
struct tm_latencies {
    uint32_t skip;   /* requests until one is timed */
    uint32_t random; /* state */
    struct tm_latency of[TM_WIRE_OPERATION_COUNT];
};

/* Gets and puts of one client. */
struct tm_latency_sums {
    tm_atomic64 gets, get_ns, puts, put_ns; /* atomic; of those that were timed */
};

/* True: this one is to be timed. */
static inline bool tm_latency_is_due(struct tm_latencies *latencies)
{
    if (TM_LIKELY(latencies->skip != 0)) {
        latencies->skip--;
        return false;
    }
    latencies->random = latencies->random * 1664525u + 1013904223u;
    latencies->skip = (latencies->random >> 16) % (2u * TM_LATENCY_EVERY - 1u);
    return true;
}

/* Counts a request that took so long; for the thread that the histogram belongs to. */
void tm_latency_note(struct tm_latency *latency, uint64_t ns);

/* Counts a get or a put, of whichever kind; others are passed over. */
void tm_latency_sums_note(struct tm_latency_sums *sums, uint32_t operation, uint64_t ns);

/* Adds another's to @sum, which is the caller's alone. */
void tm_latency_add(struct tm_latency *sum, const struct tm_latency *more);

/* The most that is counted in a bucket; UINT64_MAX for the last. */
uint64_t tm_latency_limit_ns(unsigned bucket);

/* How many were counted. */
uint64_t tm_latency_count(const struct tm_latency *latency);

/* What @permille of those counted did not exceed, as exact as a bucket is; 0: none was counted. */
uint64_t tm_latency_quantile_ns(const struct tm_latency *latency, unsigned permille);

/* "get", "put" ...; for labels and tables. */
const char *tm_latency_name(unsigned operation);

#endif
