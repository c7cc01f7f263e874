/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * index.c - looking pages up among very many: same-filled ones, which take no bytes, so that all there is to do is to
 * find them. And whether any put waits while the index grows to that size.
 *
 * The store is filled in the first round, and looked up in by all rounds.
 */
#include "load.h"

#include "base/mix.h"
#include "bounds.h"
#include "clock.h"

#include <string.h>

/* Pages in it for each page of the other stores: 16 million of 65,536. */
#define INDEX_TIMES 256u
#define INDEX_PAGE_BYTES 16u /* of metadata for a page, plenty */

#define FILLS 5u /* at most, to tell a pause of ours from one of the machine */

struct index {
    struct bench_load load;
    uint64_t pages;
    double longest_ns; /* of the last time it was filled */
};

static struct index *index_of(const struct bench_work *work)
{
    return work->user;
}

static bool expect(struct bench_work *work, enum tmem_result result, enum tmem_result expected)
{
    index_of(work)->load.failure = result == expected ? TMEM_OK : result;
    return result == expected;
}

static bool get(struct bench_work *work, uint64_t number)
{
    const struct index *index = index_of(work);
    uint64_t handle = tm_random_next(&work->random) % index->pages;
    enum tmem_result result = bench_get(&index->load.store, handle, work->buffers, TMEM_GET_INCLUSIVE);
    (void)number;
    bench_fence();
    return expect(work, result, TMEM_OK);
}

static bool get_batch(struct bench_work *work, uint64_t number)
{
    const struct index *index = index_of(work);
    struct tmem_io io[BENCH_BATCH];
    (void)number;
    for (unsigned i = 0; i < BENCH_BATCH; i++) {
        uint64_t handle = tm_random_next(&work->random) % index->pages;
        io[i].object = bench_object(handle / BENCH_OBJECT_PAGES);
        io[i].index = (uint32_t)(handle % BENCH_OBJECT_PAGES);
        io[i].page = work->buffers + i * TM_PAGE_BYTES;
    }
    bool good = expect(work, tmem_get_many(index->load.store.pool, io, BENCH_BATCH, TMEM_GET_INCLUSIVE), TMEM_OK);
    bench_fence();
    for (unsigned i = 0; i < BENCH_BATCH && good; i++)
        good = expect(work, io[i].result, TMEM_OK);
    return good;
}

static bool miss(struct bench_work *work, uint64_t number)
{
    struct tmem_object_id object = bench_missing_object(tm_random_next(&work->random));
    struct tmem_pool *pool = index_of(work)->load.store.pool;
    return expect(work, tmem_get(pool, &object, (uint32_t)number, work->buffers, TMEM_GET_INCLUSIVE), TMEM_MISS);
}

/* ------------------------------------------------------------------------- filling */

/*
 * Puts all pages, a few between two looks at the clock: none of them took longer than all of them. So few that a pause
 * of the length that is not allowed would be most of it.
 */
static enum tm_exit fill(struct index *index)
{
    static unsigned char pages[BENCH_BATCH][TM_PAGE_BYTES];
    double longest_ns = 0.0;
    for (unsigned i = 0; i < BENCH_BATCH; i++)
        memset(pages[i], (int)i, TM_PAGE_BYTES);
    for (uint64_t first = 0; first < index->pages; first += BENCH_BATCH) {
        uint64_t before = bench_thread_ns();
        for (uint64_t i = 0; i < BENCH_BATCH; i++) {
            enum tmem_result result = bench_put(&index->load.store, first + i, pages[i]);
            if (result != TMEM_OK)
                return tm_fail(TM_EXIT_FAILED, "put of same-filled page %llu of %llu: %s",
                               (unsigned long long)(first + i), (unsigned long long)index->pages,
                               tmem_result_text(result));
        }
        double took_ns = (double)(bench_thread_ns() - before);
        longest_ns = took_ns > longest_ns ? took_ns : longest_ns;
    }
    index->longest_ns = longest_ns;
    return TM_EXIT_OK;
}

/* -------------------------------------------------------------------------- rounds */

static enum tm_exit run_case(struct bench *bench, struct index *index, const char *name, bench_operation *operation,
                             unsigned chunk, unsigned pages_each)
{
    const struct bench_case row = {name, "same", 1, "ns", true, "cold-copy"};
    struct bench_work work = {.operation = operation,
                              .user = index,
                              .count = bench->pages / 2u / pages_each,
                              .chunk = chunk,
                              .random = tm_scramble(bench->round + 1u)};
    double ns = 0.0;
    bench_progress(bench, row.codec, name);
    if (!bench_run(&work, 1, &ns, NULL))
        return tm_fail(TM_EXIT_FAILED, "%s: %s", name,
                       index->load.failure != TMEM_OK ? tmem_result_text(index->load.failure) : "no memory");
    enum tm_exit code = bench_probe(bench);
    if (code == TM_EXIT_OK && !bench_rows_add(&bench->rows, &row, ns / pages_each, bench_cold_copy_ns(bench)))
        code = tm_fail(TM_EXIT_FAILED, "too many rows");
    return code;
}

static enum tm_exit open_index(struct bench *bench, struct index *index)
{
    const struct bench_settings settings = {
        .size_bytes = bench_store_size(bench->pages) + index->pages * INDEX_PAGE_BYTES, .codec = "lz4"};
    bench_store_close(&bench->index_store);
    enum tm_exit code = bench_store_open(&bench->index_store, &settings);
    index->load.store = bench->index_store;
    return code == TM_EXIT_OK ? fill(index) : code;
}

/* A pause that growing makes comes back each time; one that the machine makes does not. */
static enum tm_exit measure_pause(struct bench *bench, struct index *index)
{
    const struct bench_case row = {"index-pause", "same", 1, "ns", false, NULL};
    const struct bench_bound *bound = bench_bound_of(row.name, row.codec, row.threads);
    double least_ns = 0.0;
    enum tm_exit code = TM_EXIT_OK;
    for (unsigned time = 0; time < FILLS && code == TM_EXIT_OK; time++) {
        bench_progress(bench, row.codec, row.name);
        code = open_index(bench, index);
        least_ns = time == 0 || index->longest_ns < least_ns ? index->longest_ns : least_ns;
        if (least_ns <= bound->bound)
            break;
    }
    if (code == TM_EXIT_OK && !bench_rows_add(&bench->rows, &row, least_ns, 0.0))
        code = tm_fail(TM_EXIT_FAILED, "too many rows");
    return code;
}

enum tm_exit bench_index_run(struct bench *bench)
{
    struct index index = {.load = {.bench = bench, .store = bench->index_store}, .pages = bench->pages * INDEX_TIMES};
    enum tm_exit code = TM_EXIT_OK;
    if (bench->index_store.store == NULL)
        code = measure_pause(bench, &index);
    if (code == TM_EXIT_OK)
        code = bench_probe(bench);
    if (code == TM_EXIT_OK)
        code = run_case(bench, &index, "index-get", get, 64, 1);
    if (code == TM_EXIT_OK)
        code = run_case(bench, &index, "index-get-16", get_batch, 4, BENCH_BATCH);
    if (code == TM_EXIT_OK)
        code = run_case(bench, &index, "index-miss", miss, 256, 1);
    return code;
}
