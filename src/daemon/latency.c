/* SPDX-License-Identifier: BSD-2-Clause */
/* latency.c - see latency.h. */
#include "daemon/latency.h"

#define STEP_BITS 2u
TM_STATIC_ASSERT(TM_LATENCY_STEPS == 1u << STEP_BITS);

/* One thread writes, so this need not be one step. */
static void add(uint64_t *count, uint64_t more)
{
    tm_store_relaxed(count, tm_load_relaxed(count) + more);
}

/* The bucket whose limit is the least that is not below @ns. */
static unsigned bucket_of(uint64_t ns)
{
    if (ns <= UINT64_C(1) << TM_LATENCY_FIRST)
        return 0;
    uint64_t last = ns - 1u; /* a limit belongs to its own bucket */
    unsigned power = 63u - (unsigned)__builtin_clzll(last);
    if (power >= TM_LATENCY_LAST)
        return TM_LATENCY_BUCKETS - 1u;
    unsigned step = (unsigned)(last >> (power - STEP_BITS)) & (TM_LATENCY_STEPS - 1u);
    return 1u + (power - TM_LATENCY_FIRST) * TM_LATENCY_STEPS + step;
}

uint64_t tm_latency_limit_ns(unsigned bucket)
{
    if (bucket >= TM_LATENCY_BUCKETS - 1u)
        return UINT64_MAX;
    if (bucket == 0)
        return UINT64_C(1) << TM_LATENCY_FIRST;
    unsigned power = TM_LATENCY_FIRST + (bucket - 1u) / TM_LATENCY_STEPS;
    unsigned step = (bucket - 1u) % TM_LATENCY_STEPS + 1u;
    return (UINT64_C(1) << power) + ((uint64_t)step << (power - STEP_BITS));
}

void tm_latency_note(struct tm_latency *latency, uint64_t ns)
{
    add(&latency->count[bucket_of(ns)], 1);
    add(&latency->sum_ns, ns);
}

void tm_latency_sums_note(struct tm_latency_sums *sums, uint32_t operation, uint64_t ns)
{
    if (operation == TM_WIRE_GET || operation == TM_WIRE_GET_STORED) {
        add(&sums->gets, 1);
        add(&sums->get_ns, ns);
    } else if (operation == TM_WIRE_PUT || operation == TM_WIRE_PUT_STORED) {
        add(&sums->puts, 1);
        add(&sums->put_ns, ns);
    }
}

void tm_latency_add(struct tm_latency *sum, const struct tm_latency *more)
{
    for (unsigned i = 0; i < TM_LATENCY_BUCKETS; i++)
        sum->count[i] += tm_load_relaxed(&more->count[i]);
    sum->sum_ns += tm_load_relaxed(&more->sum_ns);
}

uint64_t tm_latency_count(const struct tm_latency *latency)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < TM_LATENCY_BUCKETS; i++)
        count += tm_load_relaxed(&latency->count[i]);
    return count;
}

uint64_t tm_latency_quantile_ns(const struct tm_latency *latency, unsigned permille)
{
    uint64_t rank = (tm_latency_count(latency) * permille + 999u) / 1000u;
    uint64_t seen = 0;
    if (rank == 0)
        return 0;
    for (unsigned i = 0; i < TM_LATENCY_BUCKETS - 1u; i++) {
        seen += tm_load_relaxed(&latency->count[i]);
        if (seen >= rank)
            return tm_latency_limit_ns(i);
    }
    return tm_latency_limit_ns(TM_LATENCY_BUCKETS - 2u);
}

const char *tm_latency_name(unsigned operation)
{
    static const char *const names[TM_WIRE_OPERATION_COUNT] = {
        [TM_WIRE_PUT] = "put",
        [TM_WIRE_GET] = "get",
        [TM_WIRE_INVALIDATE_PAGE] = "invalidate_page",
        [TM_WIRE_INVALIDATE_OBJECT] = "invalidate_object",
        [TM_WIRE_POOL_CREATE] = "pool_create",
        [TM_WIRE_POOL_DESTROY] = "pool_destroy",
        [TM_WIRE_PUT_STORED] = "put_stored",
        [TM_WIRE_GET_STORED] = "get_stored",
    };
    return operation < TM_WIRE_OPERATION_COUNT ? names[operation] : NULL;
}
