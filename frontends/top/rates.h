/* SPDX-License-Identifier: BSD-2-Clause */
/* rates.h - what happened between two samples. Figures that there are none of are not a number. */
#ifndef TM_TOP_RATES_H
#define TM_TOP_RATES_H

#include "sample.h"

struct top_rates {
    double hit_ratio;
    double gets_per_second, puts_per_second, evicted_per_second; /* none without an earlier sample */
    double get_us, put_us;                                       /* of those that were timed, on average */
};

/* How a client's requests were answered, at most: in nanoseconds, 0: none was timed. */
struct top_quantiles {
    uint64_t p50_ns, p99_ns, p999_ns;
};

/* The time between the samples; 0: there is no earlier one. */
double top_seconds_between(const struct top_sample *before, const struct top_sample *now);

/* Of all clients together, of one (@before NULL: it was not there), and of a pool. */
struct top_rates top_rates_of_all(const struct top_sample *before, const struct top_sample *now);
struct top_rates top_rates_of_client(const struct top_client *before, const struct top_client *now, double seconds);
struct top_rates top_rates_of_pool(const struct top_pool *before, const struct top_pool *now, double seconds);

/* Of the requests that were timed between the samples. */
struct top_quantiles top_quantiles_of(const struct top_sample *now, const struct top_latency *before,
                                      const struct top_latency *latency);

/* Pages lost for this evictor since; @before may be NULL. */
uint64_t top_pages_lost(const struct top_client *before, const struct top_evictor *evictor);

/* The client, or the pool, of that name; NULL: none. */
const struct top_client *top_find_client(const struct top_sample *sample, const char *name);
const struct top_pool *top_find_pool(const struct top_client *client, uint64_t id);

#endif
