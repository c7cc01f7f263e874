/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * space.c - what pages take: metadata, density, and how many of the equal ones share their bytes.
 *
 * All of it on persistent pools, from which no page goes by itself.
 */
#include "filled.h"

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
    enum tm_exit code = bench_open_filled(&store, &settings, bench->corpus.timed, bench->pages);
    if (code != TM_EXIT_OK)
        return code;
    code = bench_statistics(&store, &stats);
    bench_store_close(&store);
    double pages = (double)bench->pages;
    double outside = (double)stats.metadata_bytes / pages;
    double inside = ((double)stats.block_bytes - pages * TM_PAGE_BYTES) / pages;
    if (code == TM_EXIT_OK)
        code = bench_add_row(bench, &row, outside + inside, 0.0);
    if (code == TM_EXIT_OK && name_outside != NULL)
        code = bench_add_row(bench, &outside_row, outside, 0.0);
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
    enum tm_exit code = bench_open_filled(&store, &settings, bench->corpus.pages, bench->corpus.count);
    bench->lacks[number] = code == TM_EXIT_NOT_FOUND;
    if (code != TM_EXIT_OK)
        return bench->lacks[number] ? TM_EXIT_OK : code;
    code = bench_statistics(&store, &stats);
    bench_store_close(&store);
    if (code == TM_EXIT_OK && (stats.resident_bytes == 0 || stats.stored_bytes != all_bytes))
        code = tm_fail(TM_EXIT_FAILED, "density of %s pages: %llu bytes stored of %llu put", content->name,
                       (unsigned long long)stats.stored_bytes, (unsigned long long)all_bytes);
    if (code == TM_EXIT_OK)
        code = bench_add_row(bench, &row, (double)stats.stored_bytes / (double)stats.resident_bytes,
                             (double)all_bytes / (double)bare_bytes);
    return code;
}

/* ----------------------------------------------------------------------- duplicates */

/* The blocks that the corpus should come down to, and those that there are: of its pages that equal an earlier one,
 * how many share that one's bytes. */
static enum tm_exit measure_duplicates(struct bench *bench)
{
    const struct bench_content *content = &bench_contents[BENCH_LZ4];
    const struct bench_settings settings = {
        .size_bytes = bench_store_size(bench->pages), .codec = content->codec, .persistent = true};
    const struct bench_case row = {"duplicates-found", content->name, 1, "percent", false, NULL};
    struct tmem_store_stats stats = {0};
    struct bench_store store;
    bench_progress(bench, content->name, row.name);
    if (bench->corpus.duplicates == 0)
        return TM_EXIT_OK;
    enum tm_exit code = bench_open_filled(&store, &settings, bench->corpus.pages, bench->corpus.count);
    if (code != TM_EXIT_OK)
        return code;
    code = bench_statistics(&store, &stats);
    bench_store_close(&store);
    uint64_t blocks = stats.pages_raw + stats.pages_compressed;
    uint64_t different = bench->corpus.count - bench->corpus.same_filled - bench->corpus.duplicates;
    if (code == TM_EXIT_OK && (blocks < different || stats.pages != bench->corpus.count))
        code = tm_fail(TM_EXIT_FAILED, "%llu blocks for %llu different pages", (unsigned long long)blocks,
                       (unsigned long long)different);
    double missed = (double)(blocks - different) / (double)bench->corpus.duplicates;
    return code == TM_EXIT_OK ? bench_add_row(bench, &row, 100.0 * (1.0 - missed), 0.0) : code;
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
    return code == TM_EXIT_OK ? measure_duplicates(bench) : code;
}
