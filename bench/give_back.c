/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * give_back.c - how quickly memory goes back to the kernel: all of a store's ephemeral pages, and what is free
 * after a random half of persistent pages was dropped, which takes copying.
 *
 * Rates are bytes that came back by CPU time of the one thread that asks for them; the store has no thread of its own.
 */
#include "filled.h"

#include "base/mix.h"
#include "clock.h"

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

/* Reclaims all there is; *gib_per_s receives how quickly, *after the statistics then. */
static enum tm_exit reclaim(struct bench *bench, const struct bench_store *store, const struct tmem_store_stats *before,
                            double *gib_per_s, struct tmem_store_stats *after)
{
    uint64_t ignored = 0;
    uint64_t before_ns = bench_thread_ns();
    enum tmem_result result = tmem_store_reclaim(store->store, before->resident_bytes, &ignored);
    double took_ns = (double)(bench_thread_ns() - before_ns);
    if (result != TMEM_OK)
        return tm_fail(TM_EXIT_FAILED, "cannot give memory back: %s", tmem_result_text(result));
    enum tm_exit code = bench_statistics(store, after);
    *gib_per_s = ((double)before->resident_bytes - (double)after->resident_bytes) / BENCH_GIB / (took_ns / 1e9);
    return code == TM_EXIT_OK ? bench_probe(bench) : code;
}

static enum tm_exit measure_half(struct bench *bench, const struct bench_store *store, const char *part_name,
                                 const char *rate_name)
{
    const char *codec = bench_contents[BENCH_LZ4].name;
    const struct bench_case part_row = {part_name, codec, 1, "percent", false, NULL};
    const struct bench_case rate_row = {rate_name, codec, 1, "GiB/s", true, NULL};
    struct tmem_store_stats full = {0};
    struct tmem_store_stats half = {0};
    struct tmem_store_stats after = {0};
    double rate = 0.0;
    enum tm_exit code = bench_statistics(store, &full);
    if (code == TM_EXIT_OK)
        code = drop_half(bench, store);
    if (code == TM_EXIT_OK)
        code = bench_statistics(store, &half);
    if (code == TM_EXIT_OK)
        code = reclaim(bench, store, &half, &rate, &after);
    if (code != TM_EXIT_OK)
        return code;
    if (after.pages != half.pages || full.block_bytes <= half.block_bytes)
        return tm_fail(TM_EXIT_FAILED, "giving memory back lost pages: %llu of %llu are left",
                       (unsigned long long)after.pages, (unsigned long long)half.pages);
    double returned = (double)full.resident_bytes - (double)after.resident_bytes;
    code = bench_add_row(bench, &part_row, 100.0 * returned / (double)(full.block_bytes - half.block_bytes), 0.0);
    return code == TM_EXIT_OK ? bench_add_row(bench, &rate_row, rate, 0.0) : code;
}

static enum tm_exit measure_all(struct bench *bench, const struct bench_store *store)
{
    const struct bench_case row = {"return-rate-all", bench_contents[BENCH_LZ4].name, 1, "GiB/s", true, NULL};
    struct tmem_store_stats full = {0};
    struct tmem_store_stats after = {0};
    double rate = 0.0;
    enum tm_exit code = bench_statistics(store, &full);
    if (code == TM_EXIT_OK)
        code = reclaim(bench, store, &full, &rate, &after);
    if (code == TM_EXIT_OK && after.pages != 0)
        code = tm_fail(TM_EXIT_FAILED, "%llu ephemeral pages are left", (unsigned long long)after.pages);
    return code == TM_EXIT_OK ? bench_add_row(bench, &row, rate, 0.0) : code;
}

enum tm_exit bench_give_back_run(struct bench *bench)
{
    enum {
        HALF,
        HALF_OF_FILE,
        ALL,
        WAYS
    };
    enum tm_exit code = TM_EXIT_OK;
    for (unsigned way = 0; way < WAYS && code == TM_EXIT_OK; way++) {
        const struct bench_settings settings = {.size_bytes = bench_store_size(bench->pages),
                                                .codec = bench_contents[BENCH_LZ4].codec,
                                                .no_maintenance = true,
                                                .persistent = way != ALL,
                                                .memory_file = way == HALF_OF_FILE};
        struct bench_store store;
        bench_progress(bench, bench_contents[BENCH_LZ4].name, "give back");
        code = bench_open_filled(&store, &settings, bench->corpus.timed, bench->pages);
        if (code != TM_EXIT_OK)
            return code;
        if (way == ALL)
            code = measure_all(bench, &store);
        else
            code = way == HALF ? measure_half(bench, &store, "returned", "return-rate")
                               : measure_half(bench, &store, "returned-memfd", "return-rate-memfd");
        bench_store_close(&store);
    }
    return code;
}
