/* SPDX-License-Identifier: BSD-2-Clause */
/* memory_limits.c - see memory_limits.h. */
#include "memory_limits.h"

#include "base/mix.h"
#include "clock.h"
#include "huge_memory.h"

#include <string.h>

#define DESTINATION_PAGES 32768u
#define RUN_PAGES 4096u
#define CHUNK_PAGES 64u

bool bench_limits_create(struct bench_limits *limits, const struct bench_corpus *corpus)
{
    uint64_t pages = tm_min_u64(DESTINATION_PAGES, corpus->timed_count);
    *limits = (struct bench_limits){.corpus = corpus,
                                    .destination = bench_memory(pages * TM_PAGE_BYTES),
                                    .destination_pages = pages,
                                    .run_pages = RUN_PAGES};
    return limits->destination != NULL;
}

void bench_limits_free(struct bench_limits *limits)
{
    bench_memory_free(limits->destination, (size_t)limits->destination_pages * TM_PAGE_BYTES);
    limits->destination = NULL;
}

static const unsigned char *random_page(struct bench_work *work)
{
    const struct bench_limits *limits = work->user;
    return bench_page(limits->corpus, tm_random_next(&work->random));
}

static bool copy_random(struct bench_work *work, uint64_t number)
{
    (void)number;
    memcpy(work->buffers, random_page(work), TM_PAGE_BYTES);
    bench_keep(work->buffers);
    bench_fence();
    return true;
}

static bool copy_batch(struct bench_work *work, uint64_t number)
{
    const unsigned char *page = random_page(work);
    (void)number;
    for (unsigned i = 0; i < BENCH_BATCH; i++) {
        const unsigned char *next = i + 1 < BENCH_BATCH ? random_page(work) : page;
        for (unsigned at = 0; at < TM_PAGE_BYTES && next != page; at += TM_CACHE_LINE)
            tm_prefetch(next + at);
        memcpy(work->buffers + i * TM_PAGE_BYTES, page, TM_PAGE_BYTES);
        page = next;
    }
    bench_keep(work->buffers);
    bench_fence();
    return true;
}

static bool copy_in_order(struct bench_work *work, uint64_t number)
{
    const struct bench_limits *limits = work->user;
    unsigned char *to = limits->destination + number % limits->destination_pages * TM_PAGE_BYTES;
    memcpy(to, bench_page(limits->corpus, number), TM_PAGE_BYTES);
    bench_keep(to);
    bench_fence();
    return true;
}

static bool read_random(struct bench_work *work, uint64_t number)
{
    const struct bench_limits *limits = work->user;
    (void)number;
    bench_touch(random_page(work), (size_t)limits->read_bytes);
    bench_fence();
    return true;
}

static bool run(struct bench_limits *limits, bench_operation *operation, unsigned pages_each, unsigned threads,
                double *ns)
{
    struct bench_work work = {.operation = operation,
                              .user = limits,
                              .first = limits->next,
                              .count = limits->run_pages / pages_each,
                              .chunk = CHUNK_PAGES / pages_each,
                              .random = limits->random};
    limits->random += tm_scramble(limits->random + 1);
    if (!bench_run(&work, threads, ns, NULL))
        return false;
    *ns /= pages_each;
    return true;
}

bool bench_limit_cold_copy(struct bench_limits *limits, unsigned threads, double *ns)
{
    return run(limits, copy_random, 1, threads, ns);
}

bool bench_limit_prefetched_copy(struct bench_limits *limits, unsigned threads, double *ns)
{
    return run(limits, copy_batch, BENCH_BATCH, threads, ns);
}

bool bench_limit_sequential_copy(struct bench_limits *limits, unsigned threads, double *ns)
{
    limits->next += limits->run_pages;
    return run(limits, copy_in_order, 1, threads, ns);
}

bool bench_limit_cold_read(struct bench_limits *limits, double bytes, double *ns)
{
    limits->read_bytes = (uint64_t)bytes;
    return run(limits, read_random, 1, 1, ns);
}
