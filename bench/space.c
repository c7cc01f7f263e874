/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * space.c - what pages take: metadata, density, and what comes back when a half of them is dropped.
 *
 * All of it on persistent pools, from which no page goes by itself.
 */
#include "load.h"

#include "base/mix.h"
#include "clock.h"

#define GIB ((double)(1u << 30))

static enum tm_exit statistics(const struct bench_store *store, struct tmem_store_stats *stats)
{
    enum tmem_result result = tmem_store_stats(store->store, stats, sizeof *stats);
    return result == TMEM_OK ? TM_EXIT_OK
                             : tm_fail(TM_EXIT_FAILED, "no statistics: %s", tmem_result_text(result));
}

static enum tm_exit add_row(struct bench *bench, const struct bench_case *row, double value, double limit)
{
    return bench_rows_add(&bench->rows, row, value, limit) ? TM_EXIT_OK : tm_fail(TM_EXIT_FAILED, "too many rows");
}

/* Puts @count pages from @pages on under the handles 0, 1, 2, ... */
static enum tm_exit fill(const struct bench_store *store, const unsigned char *pages, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        enum tmem_result result = bench_put(store, i, pages + i * TM_PAGE_BYTES);
        if (result != TMEM_OK)
            return tm_fail(TM_EXIT_FAILED, "put of page %llu of %llu: %s", (unsigned long long)i,
                           (unsigned long long)count, tmem_result_text(result));
    }
    return TM_EXIT_OK;
}

/* Opens a store and fills it. TM_EXIT_NOT_FOUND, without a message: this build lacks the codec. */
static enum tm_exit open_filled(struct bench_store *store, const struct bench_settings *settings,
                                const unsigned char *pages, uint64_t count)
{
    enum tm_exit code = bench_store_open(store, settings);
    if (code != TM_EXIT_OK)
        return code;
    code = fill(store, pages, count);
    if (code != TM_EXIT_OK)
        bench_store_close(store);
    return code;
}

/* ------------------------------------------------------------------------- metadata */

/* Pages that are stored as they are, so that whatever they take beyond their bytes is metadata. */
static enum tm_exit measure_metadata(struct bench *bench, uint32_t object_pages, const char *name,
                                     const char *name_outside)
{
    const struct bench_settings settings = {.size_bytes = bench_store_size(bench->pages),
                                            .codec = "none",
                                            .persistent = true,
                                            .object_pages = object_pages};
    const struct bench_case row = {name, "raw", 1, "bytes", false, NULL};
    const struct bench_case outside_row = {name_outside, "raw", 1, "bytes", false, NULL};
    struct tmem_store_stats stats = {0};
    struct bench_store store;
    bench_progress(bench, "raw", name);
    enum tm_exit code = open_filled(&store, &settings, bench->corpus.timed, bench->pages);
    if (code != TM_EXIT_OK)
        return code;
    code = statistics(&store, &stats);
    bench_store_close(&store);
    double pages = (double)bench->pages;
    double outside = (double)stats.metadata_bytes / pages;
    double inside = ((double)stats.block_bytes - pages * TM_PAGE_BYTES) / pages;
    if (code == TM_EXIT_OK)
        code = add_row(bench, &row, outside + inside, 0.0);
    if (code == TM_EXIT_OK && name_outside != NULL)
        code = add_row(bench, &outside_row, outside, 0.0);
    return code;
}

/* -------------------------------------------------------------------------- density */

/* Stored bytes per resident byte of the whole corpus, as it was found; beside what the bare library
 * makes of each page, without metadata and without finding duplicates. */
static enum tm_exit measure_density(struct bench *bench, unsigned number)
{
    const struct bench_content *content = &bench_contents[number];
    const struct bench_settings settings = {
        .size_bytes = bench_store_size(bench->pages), .codec = content->codec, .persistent = true};
    const struct bench_case row = {"density", content->name, 1, "ratio", false, "bare-library"};
    struct tmem_store_stats stats = {0};
    struct bench_store store;
    uint64_t all_bytes = bench->corpus.count * TM_PAGE_BYTES;
    uint64_t bare_bytes = all_bytes;
    bench_progress(bench, content->name, row.name);
    if (bench->bare[number] != NULL)
        bare_bytes = bench_bare_corpus_bytes(bench->bare[number]);
    enum tm_exit code = open_filled(&store, &settings, bench->corpus.pages, bench->corpus.count);
    if (code != TM_EXIT_OK)
        return code;
    code = statistics(&store, &stats);
    bench_store_close(&store);
    if (code == TM_EXIT_OK && (stats.resident_bytes == 0 || stats.stored_bytes != all_bytes))
        code = tm_fail(TM_EXIT_FAILED, "density of %s pages: %llu bytes stored of %llu put", content->name,
                       (unsigned long long)stats.stored_bytes, (unsigned long long)all_bytes);
    if (code == TM_EXIT_OK)
        code = add_row(bench, &row, (double)stats.stored_bytes / (double)stats.resident_bytes,
                       (double)all_bytes / (double)bare_bytes);
    return code;
}

enum tm_exit bench_space_run(struct bench *bench)
{
    enum tm_exit code =
        measure_metadata(bench, BENCH_OBJECT_PAGES, "metadata-objects-of-64", "metadata-outside-blocks");
    if (code == TM_EXIT_OK)
        code = measure_metadata(bench, 4, "metadata-objects-of-4", NULL);
    for (unsigned number = 0; number < BENCH_CONTENTS && code == TM_EXIT_OK; number++)
        if (bench_contents[number].source == BENCH_FROM_CORPUS && !bench->lacks[number])
            code = measure_density(bench, number);
    return code;
}

/* ------------------------------------------------------------------------ give back */

/* Drops every page for which the dice say so. */
static enum tm_exit drop_half(struct bench *bench, const struct bench_store *store)
{
    uint64_t random = bench->round + 1;
    for (uint64_t i = 0; i < bench->pages; i++) {
        if (tm_random_next(&random) % 2 != 0)
            continue;
        enum tmem_result result = bench_invalidate(store, i);
        if (result != TMEM_OK)
            return tm_fail(TM_EXIT_FAILED, "invalidate of a page that was put: %s", tmem_result_text(result));
    }
    return TM_EXIT_OK;
}

static enum tm_exit measure_give_back(struct bench *bench, const struct bench_store *store, const char *codec)
{
    const struct bench_case part_row = {"returned", codec, 1, "percent", false, NULL};
    const struct bench_case rate_row = {"return-rate", codec, 1, "GiB/s", true, NULL};
    struct tmem_store_stats full = {0};
    struct tmem_store_stats half = {0};
    struct tmem_store_stats after = {0};
    uint64_t ignored = 0;
    enum tm_exit code = statistics(store, &full);
    if (code == TM_EXIT_OK)
        code = drop_half(bench, store);
    if (code == TM_EXIT_OK)
        code = statistics(store, &half);
    if (code != TM_EXIT_OK)
        return code;
    uint64_t before_ns = bench_thread_ns();
    enum tmem_result result = tmem_store_reclaim(store->store, full.resident_bytes, &ignored);
    double took_ns = (double)(bench_thread_ns() - before_ns);
    if (result != TMEM_OK)
        return tm_fail(TM_EXIT_FAILED, "cannot give memory back: %s", tmem_result_text(result));
    code = statistics(store, &after);
    if (code == TM_EXIT_OK)
        code = bench_probe(bench);
    if (code != TM_EXIT_OK)
        return code;
    if (after.pages != half.pages || full.block_bytes <= half.block_bytes)
        return tm_fail(TM_EXIT_FAILED, "giving memory back lost pages: %llu of %llu are left",
                       (unsigned long long)after.pages, (unsigned long long)half.pages);
    double returned = (double)full.resident_bytes - (double)after.resident_bytes;
    double rate = ((double)half.resident_bytes - (double)after.resident_bytes) / GIB / (took_ns / 1e9);
    code = add_row(bench, &part_row, 100.0 * returned / (double)(full.block_bytes - half.block_bytes), 0.0);
    return code == TM_EXIT_OK ? add_row(bench, &rate_row, rate, 0.0) : code;
}

enum tm_exit bench_give_back_run(struct bench *bench)
{
    const struct bench_content *content = &bench_contents[BENCH_LZ4];
    const struct bench_settings settings = {.size_bytes = bench_store_size(bench->pages),
                                            .codec = content->codec,
                                            .no_maintenance = true,
                                            .persistent = true};
    struct bench_store store;
    bench_progress(bench, content->name, "give back");
    enum tm_exit code = open_filled(&store, &settings, bench->corpus.timed, bench->pages);
    if (code != TM_EXIT_OK)
        return code;
    code = measure_give_back(bench, &store, content->name);
    bench_store_close(&store);
    return code;
}
