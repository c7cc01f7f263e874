/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cold.c - the cold tier: what recompressing costs, what pages take after it, and what a get of one costs.
 *
 * The store recompresses by order, not in the background, so that it is known when it is done.
 */
#include "load.h"

#include "clock.h"

#define GETS_MOST 16384u

/* Mean time of gets of pages in random order. */
static enum tm_exit time_gets(struct bench *bench, const struct bench_store *store, double *ns)
{
    unsigned char page[TM_PAGE_BYTES];
    uint64_t most = tm_min_u64(bench->pages / 2, GETS_MOST);
    uint64_t count = 0;
    uint64_t before = bench_thread_ns();
    for (uint64_t i = 0; i < most; i++) {
        if (bench->page_order[i] >= bench->corpus.count) /* the corpus is smaller than was asked for */
            continue;
        count++;
        enum tmem_result result = bench_get(store, bench->page_order[i], page, TMEM_GET_INCLUSIVE);
        if (result != TMEM_OK)
            return tm_fail(TM_EXIT_FAILED, "get of a page that was put: %s", tmem_result_text(result));
    }
    *ns = (double)(bench_thread_ns() - before) / (double)tm_max_u64(count, 1);
    return TM_EXIT_OK;
}

/* Stored bytes per resident byte, once everything dead has gone back. */
static enum tm_exit density_of(const struct bench_store *store, double *density)
{
    struct tmem_store_stats stats = {0};
    uint64_t ignored = 0;
    enum tmem_result result = tmem_store_reclaim(store->store, UINT64_MAX, &ignored);
    if (result == TMEM_OK)
        result = tmem_store_stats(store->store, &stats, sizeof stats);
    if (result != TMEM_OK || stats.resident_bytes == 0)
        return tm_fail(TM_EXIT_FAILED, "no statistics: %s", tmem_result_text(result));
    *density = (double)stats.stored_bytes / (double)stats.resident_bytes;
    return TM_EXIT_OK;
}

/* Twice: what was got is warm to the first. */
static enum tm_exit recompress(const struct bench_store *store, double *ns)
{
    uint64_t all = 0;
    uint64_t before = bench_thread_ns();
    for (unsigned i = 0; i < 2; i++) {
        uint64_t pages = 0;
        enum tmem_result result = tmem_store_recompress(store->store, &pages);
        if (result != TMEM_OK)
            return tm_fail(TM_EXIT_FAILED, "cannot recompress: %s", tmem_result_text(result));
        all += pages;
    }
    *ns = (double)(bench_thread_ns() - before) / (double)tm_max_u64(all, 1);
    return TM_EXIT_OK;
}

static enum tm_exit fill(const struct bench *bench, const struct bench_store *store)
{
    for (uint64_t i = 0; i < bench->corpus.count; i++) {
        enum tmem_result result = bench_put(store, i, bench->corpus.pages + i * TM_PAGE_BYTES);
        if (result != TMEM_OK)
            return tm_fail(TM_EXIT_FAILED, "put of page %llu of %llu: %s", (unsigned long long)i,
                           (unsigned long long)bench->corpus.count, tmem_result_text(result));
    }
    return TM_EXIT_OK;
}

static enum tm_exit measure(struct bench *bench, const struct bench_store *store, const char *codec)
{
    const struct bench_case density_row = {"density-cold", codec, 1, "ratio", false, "density"};
    const struct bench_case get_row = {"get-cold", codec, 1, "ns", false, "get-random"};
    const struct bench_case cost_row = {"recompress", codec, 1, "ns", false, NULL};
    double density[2] = {0.0, 0.0};
    double get_ns[2] = {0.0, 0.0};
    double cost_ns = 0.0;
    enum tm_exit code = fill(bench, store);
    for (unsigned cold = 0; cold < 2 && code == TM_EXIT_OK; cold++) {
        if (cold == 1)
            code = recompress(store, &cost_ns);
        if (code == TM_EXIT_OK)
            code = density_of(store, &density[cold]);
        if (code == TM_EXIT_OK)
            code = time_gets(bench, store, &get_ns[cold]);
    }
    if (code == TM_EXIT_OK && !(bench_rows_add(&bench->rows, &density_row, density[1], density[0]) &&
                                bench_rows_add(&bench->rows, &get_row, get_ns[1], get_ns[0]) &&
                                bench_rows_add(&bench->rows, &cost_row, cost_ns, 0.0)))
        code = tm_fail(TM_EXIT_FAILED, "too many rows");
    return code;
}

enum tm_exit bench_cold_run(struct bench *bench)
{
    const struct bench_content *content = &bench_contents[BENCH_LZ4];
    const struct bench_settings settings = {
        .size_bytes = bench_store_size(bench->pages), .codec = content->codec, .persistent = true};
    struct bench_store store;
    bench_progress(bench, content->name, "density-cold");
    enum tm_exit code = bench_store_open(&store, &settings);
    if (code == TM_EXIT_OK)
        code = measure(bench, &store, content->name);
    bench_store_close(&store);
    return code;
}
