/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory_file.c - persistent pages in a memory file: what they cost beside anonymous memory, and how long it takes to
 * find them again.
 */
#include "filled.h"
#include "load.h"

#include "clock.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* ----------------------------------------------------------------- puts and gets */

enum {
    ANONYMOUS,
    MEMORY_FILE,
    MEMORIES
};

/* A case on both stores, one after the other; the row is the memory file's, its limit the other's. */
static enum tm_exit time_both(struct bench *bench, struct bench_load loads[MEMORIES], const struct bench_timing *timing,
                              const char *name, const char *limit)
{
    const struct bench_case row = {name, loads[0].content->name, 1, "ns", true, limit};
    double ns[MEMORIES] = {0.0};
    enum tm_exit code = TM_EXIT_OK;
    bench_progress(bench, row.codec, name);
    for (unsigned i = 0; i < MEMORIES && code == TM_EXIT_OK; i++)
        code = bench_time(&loads[i], timing, name, 0, bench->pages, 1, &ns[i]);
    if (code == TM_EXIT_OK)
        code = bench_probe(bench);
    return code == TM_EXIT_OK ? bench_add_row(bench, &row, ns[MEMORY_FILE], ns[ANONYMOUS]) : code;
}

static enum tm_exit measure_puts_and_gets(struct bench *bench)
{
    const struct bench_content *content = &bench_contents[BENCH_RAW];
    struct bench_load loads[MEMORIES] = {{.bench = bench, .content = content}, {.bench = bench, .content = content}};
    enum tm_exit code = TM_EXIT_OK;
    for (unsigned i = 0; i < MEMORIES && code == TM_EXIT_OK; i++) {
        const struct bench_settings settings = {.size_bytes = bench_store_size(bench->pages),
                                                .codec = content->codec,
                                                .persistent = true,
                                                .memory_file = i == MEMORY_FILE};
        code = bench_store_open(&loads[i].store, &settings);
    }
    if (code == TM_EXIT_OK)
        code = time_both(bench, loads, &bench_put_new, "put-new-memfd", "put-new-anonymous");
    if (code == TM_EXIT_OK)
        code = time_both(bench, loads, &bench_get_random, "get-random-memfd", "get-random-anonymous");
    for (unsigned i = 0; i < MEMORIES; i++)
        bench_store_close(&loads[i].store);
    return code;
}

/* ----------------------------------------------------------------------- rebuilding */

/* Opens the store whose pages are in the file; *ns receives what it took. */
static enum tm_exit reopen(struct bench *bench, const struct bench_settings *settings, double *ns, uint64_t *bytes)
{
    char uri[BENCH_URI_SIZE];
    struct tmem_error error = {{0}};
    struct bench_store store = {0};
    struct tmem_store_stats stats = {0};
    bench_store_uri(settings, uri);
    uint64_t before_ns = bench_thread_ns();
    enum tmem_result result = tmem_open(uri, &store.store, &error);
    *ns = (double)(bench_thread_ns() - before_ns);
    if (result != TMEM_OK)
        return tm_fail(TM_EXIT_FAILED, "cannot open %s again: %s", uri, error.text);
    enum tm_exit code = bench_statistics(&store, &stats);
    if (code == TM_EXIT_OK && stats.pages != bench->pages)
        code = tm_fail(TM_EXIT_FAILED, "a restart found %llu pages of %llu", (unsigned long long)stats.pages,
                       (unsigned long long)bench->pages);
    *bytes = stats.spans * stats.span_bytes;
    bench_store_close(&store);
    return code;
}

static enum tm_exit measure_rebuild(struct bench *bench, const struct bench_content *content)
{
    const struct bench_case row = {"rebuild", content->name, 1, "ms/GiB", true, NULL};
    struct bench_settings settings = {.size_bytes = bench_store_size(bench->pages),
                                      .codec = content->codec,
                                      .persistent = true,
                                      .arena_file = memfd_create("tmem-bench", MFD_CLOEXEC)};
    struct bench_store store;
    double ns = 0.0;
    uint64_t bytes = 0;
    bench_progress(bench, content->name, row.name);
    if (settings.arena_file <= 0)
        return tm_fail(TM_EXIT_FAILED, "cannot make a memory file (are too many files open? see ulimit -n)");
    enum tm_exit code = bench_open_filled(&store, &settings, bench->corpus.timed, bench->pages);
    if (code == TM_EXIT_OK) {
        bench_store_close(&store);
        code = reopen(bench, &settings, &ns, &bytes);
    }
    (void)close(settings.arena_file);
    if (code == TM_EXIT_OK)
        code = bench_probe(bench);
    return code == TM_EXIT_OK ? bench_add_row(bench, &row, ns / 1e6 / ((double)bytes / BENCH_GIB), 0.0) : code;
}

enum tm_exit bench_memory_file_run(struct bench *bench)
{
    enum tm_exit code = measure_puts_and_gets(bench);
    if (code == TM_EXIT_OK)
        code = measure_rebuild(bench, &bench_contents[BENCH_RAW]);
    return code == TM_EXIT_OK ? measure_rebuild(bench, &bench_contents[BENCH_LZ4]) : code;
}
