/* SPDX-License-Identifier: BSD-2-Clause */
/* filled.c - see filled.h. */
#include "filled.h"

enum tm_exit bench_statistics(const struct bench_store *store, struct tmem_store_stats *stats)
{
    enum tmem_result result = tmem_store_stats(store->store, stats, sizeof *stats);
    return result == TMEM_OK ? TM_EXIT_OK
                             : tm_fail(TM_EXIT_FAILED, "no statistics: %s", tmem_result_text(result));
}

enum tm_exit bench_add_row(struct bench *bench, const struct bench_case *row, double value, double limit)
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

enum tm_exit bench_open_filled(struct bench_store *store, const struct bench_settings *settings,
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
