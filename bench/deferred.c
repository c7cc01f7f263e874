/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deferred.c - puts that are compressed later (defer=on), beside those that are compressed at once: a burst, as long as
 * a store lets pages wait.
 */
#include "filled.h"
#include "load.h"

/* Of the pages that the store holds: what a burst has. */
#define BURST_PART 8u

enum tm_exit bench_deferred_run(struct bench *bench)
{
    const struct bench_content *content = &bench_contents[BENCH_LZ4];
    const struct bench_case row = {"put-new-deferred", content->name, 1, "ns", true, "put-new"};
    enum tm_exit code = TM_EXIT_OK;
    double ns[2] = {0.0};
    bench_progress(bench, content->name, row.name);
    for (unsigned defer = 0; defer < 2 && code == TM_EXIT_OK; defer++) {
        const struct bench_settings settings = {
            .size_bytes = bench_store_size(bench->pages), .codec = content->codec, .defer = defer != 0};
        struct bench_load load = {.bench = bench, .content = content};
        code = bench_store_open(&load.store, &settings);
        if (code == TM_EXIT_OK)
            code = bench_time(&load, &bench_put_prepared, row.name, 0, bench->pages / BURST_PART, 1, &ns[defer]);
        bench_store_close(&load.store);
        if (code == TM_EXIT_OK)
            code = bench_probe(bench);
    }
    return code == TM_EXIT_OK ? bench_add_row(bench, &row, ns[1], ns[0]) : code;
}
