/* SPDX-License-Identifier: BSD-2-Clause */
/* bench.c - what the parts of a run share: see bench.h. */
#include "bench.h"

#include "base/mix.h"
#include "huge_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The numbers from @first on, in an order that has nothing to do with theirs; NULL: no memory. */
static uint32_t *shuffled(uint64_t first, uint64_t count)
{
    uint32_t *numbers = calloc((size_t)count, sizeof *numbers);
    uint64_t random = first + count;
    for (uint64_t i = 0; i < count && numbers != NULL; i++) {
        uint64_t other = tm_random_next(&random) % (i + 1);
        numbers[i] = numbers[other];
        numbers[other] = (uint32_t)(first + i);
    }
    return numbers;
}

static void fill_random(unsigned char *pages, uint64_t bytes)
{
    uint64_t random = 42;
    for (uint64_t at = 0; at < bytes; at += sizeof random) {
        uint64_t word = tm_random_next(&random);
        memcpy(pages + at, &word, sizeof word);
    }
}

enum tm_exit bench_create(struct bench *bench, const char *corpus_path, uint64_t pages)
{
    uint64_t objects = pages / BENCH_OBJECT_PAGES;
    *bench = (struct bench){.pages = pages, .progress = isatty(STDERR_FILENO) == 1};
    bench_progress(bench, "corpus", "load");
    enum tm_exit code = bench_corpus_load(&bench->corpus, corpus_path, pages, BENCH_COLD_PAGES);
    if (code != TM_EXIT_OK)
        return code;
    bench->random_pages = bench_memory(pages * TM_PAGE_BYTES);
    bench->page_order = shuffled(0, pages / 2);
    bench->object_order = shuffled(objects / 2, objects - objects / 2);
    if (bench->random_pages == NULL || bench->page_order == NULL || bench->object_order == NULL ||
        !bench_limits_create(&bench->limits, &bench->corpus))
        return tm_fail(TM_EXIT_FAILED, "no memory for what to measure with (try: a smaller --pages)");
    fill_random(bench->random_pages, pages * TM_PAGE_BYTES);
    for (unsigned i = 0; i < BENCH_CONTENTS; i++)
        if (bench_contents[i].bare != NULL)
            bench->bare[i] = bench_bare_create(bench_contents[i].bare, &bench->corpus);
    bench_clock_cost();
    return TM_EXIT_OK;
}

void bench_destroy(struct bench *bench)
{
    for (unsigned i = 0; i < BENCH_CONTENTS; i++)
        bench_bare_destroy(bench->bare[i]);
    bench_store_close(&bench->index_store);
    bench_limits_free(&bench->limits);
    bench_rows_free(&bench->rows);
    free(bench->page_order);
    free(bench->object_order);
    bench_memory_free(bench->random_pages, bench->pages * TM_PAGE_BYTES);
    bench_corpus_free(&bench->corpus);
}

void bench_progress(const struct bench *bench, const char *content, const char *what)
{
    if (bench->progress)
        (void)fprintf(stderr, "\r\033[Kround %u: %s %s", bench->round + 1, content, what);
}

void bench_progress_end(const struct bench *bench)
{
    if (bench->progress)
        (void)fputs("\r\033[K", stderr);
}

enum tm_exit bench_probe(struct bench *bench)
{
    double ns = 0.0;
    if (!bench_limit_cold_copy(&bench->limits, 1, &ns) || !bench_rows_probe(&bench->rows, ns))
        return tm_fail(TM_EXIT_FAILED, "cannot measure the cold copy: no memory");
    return TM_EXIT_OK;
}

double bench_cold_copy_ns(const struct bench *bench)
{
    return (bench->rows.probe_before + bench->rows.probe_now) / 2.0;
}
