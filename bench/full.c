/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * full.c - puts into a store that is full, so that others have to go. One in five of these was used
 * since it was put, and may be worth keeping.
 *
 * Each put is timed alone, since the slowest matter.
 */
#include "load.h"

#include "base/mix.h"

#include <string.h>

/* One of so many pages is used, so many puts after its own: soon, since a store may drop those first
 * that were never used. */
#define USED_EVERY 5u
#define USED_AFTER 64u

/* Part of the pages that fit, and the least size of a store. */
#define STORE_PART 4u
#define STORE_BYTES_MIN (UINT64_C(16) << 20)

struct full {
    struct bench_load load;
    uint64_t resident; /* pages that the store holds when it is full */
};

static unsigned char *buffer_of(struct bench_work *work, uint64_t number)
{
    return work->buffers + number % BENCH_BATCH * TM_PAGE_BYTES;
}

/* Copies of pages, changed so that none equals one that the store still holds; and the uses of the
 * pages before them. */
static void prepare(struct bench_work *work, uint64_t first, uint64_t count)
{
    struct full *full = work->user;
    for (uint64_t i = first; i < first + count; i++) {
        uint64_t stamp = tm_scramble(i + 1);
        if (i % USED_EVERY == 0 && i >= USED_AFTER)
            (void)bench_get(&full->load.store, i - USED_AFTER, work->buffers + BENCH_BATCH * TM_PAGE_BYTES,
                            TMEM_GET_INCLUSIVE);
        memcpy(buffer_of(work, i), bench_load_page(&full->load, i, NULL), TM_PAGE_BYTES);
        memcpy(buffer_of(work, i), &stamp, sizeof stamp);
    }
}

static bool put(struct bench_work *work, uint64_t number)
{
    struct full *full = work->user;
    full->load.failure = bench_put(&full->load.store, number, buffer_of(work, number));
    return full->load.failure == TMEM_OK;
}

static enum tm_exit time_puts(struct full *full, uint64_t first, uint64_t count, double *ns, double *slow_ns)
{
    struct bench_work work = {.operation = put,
                              .prepare = prepare,
                              .user = full,
                              .first = first,
                              .count = count,
                              .chunk = BENCH_BATCH,
                              .each = true};
    if (bench_run(&work, 1, ns, slow_ns))
        return TM_EXIT_OK;
    return tm_fail(TM_EXIT_FAILED, "put-full of %s pages: %s", full->load.content->name,
                   tmem_result_text(full->load.failure));
}

/* Fills until pages are dropped, in the same numbering; *filled receives the next number. */
static enum tm_exit fill(struct full *full, uint64_t first, uint64_t most, uint64_t *filled)
{
    struct tmem_store_stats stats = {0};
    double ignored;
    for (uint64_t next = first; next < most; next += 1024) {
        enum tm_exit code = time_puts(full, next, 1024, &ignored, NULL);
        if (code != TM_EXIT_OK)
            return code;
        if (tmem_store_stats(full->load.store.store, &stats, sizeof stats) != TMEM_OK)
            return tm_fail(TM_EXIT_FAILED, "put-full: no statistics");
        if (stats.evicted_pages > 0) {
            full->resident = stats.pages;
            *filled = next + 1024;
            return TM_EXIT_OK;
        }
    }
    return tm_fail(TM_EXIT_FAILED, "put-full of %s pages: %llu pages did not fill the store", full->load.content->name,
                   (unsigned long long)most);
}

static enum tm_exit measure(struct bench *bench, struct full *full)
{
    const char *codec = full->load.content->name;
    const struct bench_case row = {"put-full", codec, 1, "ns", true, "put-new"};
    const struct bench_case slow_row = {"put-full-p99", codec, 1, "ns", true, "median"};
    uint64_t part = bench->pages / STORE_PART;
    uint64_t next = 0;
    double new_ns = 0.0;
    double full_ns = 0.0;
    double slow_ns = 0.0;
    enum tm_exit code = time_puts(full, 0, part / 2, &new_ns, NULL);
    if (code == TM_EXIT_OK)
        code = fill(full, part / 2, 64 * bench->pages, &next);
    /* Once round, so that all of it is under way. */
    if (code == TM_EXIT_OK)
        code = time_puts(full, next, full->resident, &full_ns, NULL);
    if (code == TM_EXIT_OK)
        code = time_puts(full, next + full->resident, part, &full_ns, &slow_ns);
    if (code == TM_EXIT_OK)
        code = bench_probe(bench);
    if (code == TM_EXIT_OK && !(bench_rows_add(&bench->rows, &row, full_ns, new_ns) &&
                                bench_rows_add(&bench->rows, &slow_row, slow_ns, full_ns)))
        code = tm_fail(TM_EXIT_FAILED, "too many rows");
    return code;
}

enum tm_exit bench_full_run(struct bench *bench)
{
    const struct bench_settings base = {.size_bytes = bench->pages * TM_PAGE_BYTES / STORE_PART};
    enum tm_exit code = TM_EXIT_OK;
    for (unsigned number = 0; number < BENCH_CONTENTS && code == TM_EXIT_OK; number++) {
        const struct bench_content *content = &bench_contents[number];
        struct bench_settings settings = base;
        struct full full = {.load = {.bench = bench, .content = content}};
        /* What takes no bytes never fills a store, and zstd fills it too slowly to repeat. */
        if (content->source != BENCH_FROM_CORPUS || (content->bare != NULL && number != BENCH_LZ4))
            continue;
        settings.codec = content->codec;
        settings.size_bytes = tm_max_u64(base.size_bytes, STORE_BYTES_MIN);
        bench_progress(bench, content->name, "put-full");
        code = bench_store_open(&full.load.store, &settings);
        if (code == TM_EXIT_OK)
            code = measure(bench, &full);
        bench_store_close(&full.load.store);
    }
    return code;
}
