/* SPDX-License-Identifier: BSD-2-Clause */
/* rates.c - see rates.h. */
#include "rates.h"

#include <math.h>
#include <string.h>

/* Counters begin again when a daemon does. */
static uint64_t since(uint64_t before, uint64_t now)
{
    return now >= before ? now - before : now;
}

static double quotient(uint64_t part, double whole)
{
    return whole > 0.0 ? (double)part / whole : (double)NAN;
}

double top_seconds_between(const struct top_sample *before, const struct top_sample *now)
{
    return before->seconds > 0.0 && now->seconds > before->seconds ? now->seconds - before->seconds : 0.0;
}

static struct top_rates rates_of(const struct top_counts *before, const struct top_counts *now, double seconds)
{
    uint64_t gets = since(before->gets, now->gets);
    return (struct top_rates){
        .hit_ratio = quotient(since(before->found, now->found), (double)gets),
        .gets_per_second = quotient(gets, seconds),
        .puts_per_second = quotient(since(before->puts, now->puts), seconds),
        .evicted_per_second = quotient(since(before->evicted, now->evicted), seconds),
        .get_us = (double)NAN,
        .put_us = (double)NAN,
    };
}

static struct top_counts sum_of(const struct top_sample *sample)
{
    struct top_counts sum = {0};
    for (size_t i = 0; i < sample->client_count; i++) {
        const struct top_counts *counts = &sample->clients[i].counts;
        sum.pages += counts->pages;
        sum.gets += counts->gets;
        sum.found += counts->found;
        sum.puts += counts->puts;
        sum.evicted += counts->evicted;
    }
    return sum;
}

struct top_rates top_rates_of_all(const struct top_sample *before, const struct top_sample *now)
{
    struct top_counts earlier = sum_of(before);
    struct top_counts all = sum_of(now);
    return rates_of(&earlier, &all, top_seconds_between(before, now));
}

struct top_rates top_rates_of_client(const struct top_client *before, const struct top_client *now, double seconds)
{
    static const struct top_client nobody;
    const struct top_client *earlier = before != NULL ? before : &nobody;
    struct top_rates rates = rates_of(&earlier->counts, &now->counts, before != NULL ? seconds : 0.0);
    rates.get_us = quotient(since(earlier->timed_get_ns, now->timed_get_ns),
                            (double)since(earlier->timed_gets, now->timed_gets) * 1000.0);
    rates.put_us = quotient(since(earlier->timed_put_ns, now->timed_put_ns),
                            (double)since(earlier->timed_puts, now->timed_puts) * 1000.0);
    return rates;
}

struct top_rates top_rates_of_pool(const struct top_pool *before, const struct top_pool *now, double seconds)
{
    static const struct top_pool nothing;
    return rates_of(before != NULL ? &before->counts : &nothing.counts, &now->counts, before != NULL ? seconds : 0.0);
}

static uint64_t quantile_ns(const struct top_sample *now, const struct top_latency *before,
                            const struct top_latency *latency, uint64_t all, unsigned permille)
{
    uint64_t rank = (all * permille + 999u) / 1000u;
    uint64_t seen = 0;
    for (size_t i = 0; i < now->limit_count && rank != 0; i++) {
        seen += since(before->counts[i], latency->counts[i]);
        if (seen >= rank)
            return now->limits_ns[i];
    }
    return rank == 0 || now->limit_count == 0 ? 0 : now->limits_ns[now->limit_count - 1u];
}

struct top_quantiles top_quantiles_of(const struct top_sample *now, const struct top_latency *before,
                                      const struct top_latency *latency)
{
    uint64_t all = 0;
    for (size_t i = 0; i <= now->limit_count; i++)
        all += since(before->counts[i], latency->counts[i]);
    return (struct top_quantiles){quantile_ns(now, before, latency, all, 500),
                                  quantile_ns(now, before, latency, all, 990),
                                  quantile_ns(now, before, latency, all, 999)};
}

uint64_t top_pages_lost(const struct top_client *before, const struct top_evictor *evictor)
{
    for (size_t i = 0; before != NULL && i < before->evictor_count; i++)
        if (strcmp(before->evictors[i].name, evictor->name) == 0)
            return since(before->evictors[i].pages, evictor->pages);
    return evictor->pages;
}

const struct top_client *top_find_client(const struct top_sample *sample, const char *name)
{
    for (size_t i = 0; i < sample->client_count; i++)
        if (strcmp(sample->clients[i].name, name) == 0)
            return &sample->clients[i];
    return NULL;
}

const struct top_pool *top_find_pool(const struct top_client *client, uint64_t id)
{
    for (size_t i = 0; client != NULL && i < client->pool_count; i++)
        if (client->pools[i].id == id)
            return &client->pools[i];
    return NULL;
}
