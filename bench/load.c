/* SPDX-License-Identifier: BSD-2-Clause */
/* load.c - see load.h. */
#include "load.h"

#include "base/mix.h"
#include "clock.h"

#include <string.h>

#define VERIFIED_PAGES 256u

/* Notes what went wrong, for the message. */
static bool expect(struct bench_load *load, enum tmem_result result, enum tmem_result expected)
{
    if (TM_LIKELY(result == expected))
        return true;
    __atomic_store_n(&load->failure, result, __ATOMIC_RELAXED);
    return false;
}

static void fill_with_word(unsigned char *page, uint64_t word)
{
    for (size_t at = 0; at < TM_PAGE_BYTES; at += sizeof word)
        memcpy(page + at, &word, sizeof word);
}

/* The words that memory is filled with: small numbers, 32-bit patterns, addresses, numbers in floating point. */
static uint64_t usual_word(uint64_t number)
{
    uint64_t pattern = (uint32_t)tm_scramble(number);
    double fraction = (double)number / 4.0;
    uint64_t word = 0;
    switch (number % 4u) {
    case 0:
        return number / 4u;
    case 1:
        return pattern << 32 | pattern;
    case 2:
        return UINT64_C(0x7f0000000000) + number * 16u;
    default:
        memcpy(&word, &fraction, sizeof word);
        return word;
    }
}

const unsigned char *bench_load_page(const struct bench_load *load, uint64_t number, unsigned char *scratch)
{
    switch (load->content->source) {
    case BENCH_FROM_RANDOM:
        return load->bench->random_pages + number % load->bench->pages * TM_PAGE_BYTES;
    case BENCH_FROM_WORDS:
        fill_with_word(scratch, usual_word(number));
        return scratch;
    case BENCH_FROM_ANY_WORDS:
        fill_with_word(scratch, tm_scramble(number + 1));
        return scratch;
    case BENCH_FROM_CORPUS:
        break;
    }
    return bench_page(&load->bench->corpus, number);
}

/* ----------------------------------------------------------------------------- puts */

static unsigned char *buffer_of(struct bench_work *work, uint64_t number)
{
    return work->buffers + number % BENCH_BATCH * TM_PAGE_BYTES;
}

static void prepare_put(struct bench_work *work, uint64_t first, uint64_t count)
{
    struct bench_load *load = work->user;
    for (uint64_t i = first; i < first + count; i++)
        if (bench_is_words(load->content))
            (void)bench_load_page(load, i, buffer_of(work, i));
        else
            bench_touch(bench_load_page(load, i, NULL), TM_PAGE_BYTES);
}

static bool put_new(struct bench_work *work, uint64_t number)
{
    struct bench_load *load = work->user;
    const unsigned char *page = bench_is_words(load->content) ? buffer_of(work, number)
                                                              : bench_load_page(load, number, NULL);
    return expect(load, bench_put(&load->store, number, page), TMEM_OK);
}

/* Copies of random pages; changed, so that none equals one that is stored. */
static void prepare_replace(struct bench_work *work, uint64_t first, uint64_t count)
{
    struct bench_load *load = work->user;
    for (uint64_t i = first; i < first + count; i++) {
        uint64_t stamp = tm_random_next(&work->random);
        unsigned char *buffer = buffer_of(work, i);
        const unsigned char *page = bench_load_page(load, stamp, buffer);
        if (page != buffer) {
            memcpy(buffer, page, TM_PAGE_BYTES);
            memcpy(buffer, &stamp, sizeof stamp);
        }
    }
}

static bool put_replace(struct bench_work *work, uint64_t number)
{
    struct bench_load *load = work->user;
    uint64_t handle = tm_random_next(&work->random) % load->bench->pages;
    return expect(load, bench_put(&load->store, handle, buffer_of(work, number)), TMEM_OK);
}

/* ----------------------------------------------------------------------------- gets */

static bool get_random(struct bench_work *work, uint64_t number)
{
    struct bench_load *load = work->user;
    uint64_t handle = tm_random_next(&work->random) % load->bench->pages;
    enum tmem_result result = bench_get(&load->store, handle, work->buffers, TMEM_GET_INCLUSIVE);
    (void)number;
    bench_fence();
    return expect(load, result, TMEM_OK);
}

static bool get_batch(struct bench_work *work, uint64_t number)
{
    struct bench_load *load = work->user;
    struct tmem_io io[BENCH_BATCH];
    bool good = true;
    (void)number;
    for (unsigned i = 0; i < BENCH_BATCH; i++) {
        uint64_t handle = tm_random_next(&work->random) % load->bench->pages;
        io[i].object = bench_object(handle / load->store.object_pages);
        io[i].index = (uint32_t)(handle % load->store.object_pages);
        io[i].page = work->buffers + i * TM_PAGE_BYTES;
    }
    good = expect(load, tmem_get_many(load->store.pool, io, BENCH_BATCH, TMEM_GET_INCLUSIVE), TMEM_OK);
    bench_fence();
    for (unsigned i = 0; i < BENCH_BATCH && good; i++)
        good = expect(load, io[i].result, TMEM_OK);
    return good;
}

static bool get_exclusive(struct bench_work *work, uint64_t number)
{
    struct bench_load *load = work->user;
    uint64_t handle = load->bench->page_order[number];
    enum tmem_result result = bench_get(&load->store, handle, work->buffers, TMEM_GET_EXCLUSIVE);
    bench_fence();
    return expect(load, result, TMEM_OK);
}

static bool get_miss(struct bench_work *work, uint64_t number)
{
    struct bench_load *load = work->user;
    struct tmem_object_id object = bench_missing_object(tm_random_next(&work->random));
    return expect(load, tmem_get(load->store.pool, &object, (uint32_t)number, work->buffers, TMEM_GET_INCLUSIVE),
                  TMEM_MISS);
}

/* -------------------------------------------------------------------- invalidations */

static bool drop_page(struct bench_work *work, uint64_t number)
{
    struct bench_load *load = work->user;
    return expect(load, bench_invalidate(&load->store, load->bench->page_order[number]), TMEM_OK);
}

static bool drop_object(struct bench_work *work, uint64_t number)
{
    struct bench_load *load = work->user;
    struct tmem_object_id object = bench_object(load->bench->object_order[number]);
    return expect(load, tmem_invalidate_object(load->store.pool, &object), TMEM_OK);
}

/* Chunks of a batch where a batch is prepared; otherwise large enough for the clock's cost. */
const struct bench_timing bench_put_new = {put_new, NULL, 64, 1};
const struct bench_timing bench_put_prepared = {put_new, prepare_put, BENCH_BATCH, 1};
const struct bench_timing bench_put_replace = {put_replace, prepare_replace, BENCH_BATCH, 1};
const struct bench_timing bench_get_random = {get_random, NULL, 64, 1};
const struct bench_timing bench_get_batch = {get_batch, NULL, 4, BENCH_BATCH};
const struct bench_timing bench_get_exclusive = {get_exclusive, NULL, 64, 1};
const struct bench_timing bench_drop_page = {drop_page, NULL, 64, 1};
const struct bench_timing bench_drop_object = {drop_object, NULL, 16, 1};
const struct bench_timing bench_get_miss = {get_miss, NULL, 256, 1};

enum tm_exit bench_time(struct bench_load *load, const struct bench_timing *timing, const char *what, uint64_t first,
                        uint64_t count, unsigned threads, double *ns)
{
    struct bench_work work = {.operation = timing->operation,
                              .prepare = timing->prepare,
                              .user = load,
                              .first = first,
                              .count = count,
                              .chunk = timing->chunk,
                              .random = load->bench->round * UINT64_C(1000003) + first};
    load->failure = TMEM_OK;
    if (!bench_run(&work, threads, ns, NULL))
        return tm_fail(TM_EXIT_FAILED, "%s of %s pages: %s", what, load->content->name,
                       load->failure != TMEM_OK ? tmem_result_text(load->failure) : "no memory or no thread");
    *ns /= timing->pages_each;
    return TM_EXIT_OK;
}

enum tm_exit bench_load_verify(struct bench_load *load)
{
    unsigned char page[TM_PAGE_BYTES];
    unsigned char scratch[TM_PAGE_BYTES];
    uint64_t random = load->bench->round;
    for (unsigned i = 0; i < VERIFIED_PAGES; i++) {
        uint64_t handle = tm_random_next(&random) % load->bench->pages;
        enum tmem_result result = bench_get(&load->store, handle, page, TMEM_GET_INCLUSIVE);
        if (result != TMEM_OK)
            return tm_fail(TM_EXIT_FAILED, "get of a %s page that was put: %s", load->content->name,
                           tmem_result_text(result));
        if (memcmp(page, bench_load_page(load, handle, scratch), TM_PAGE_BYTES) != 0)
            return tm_fail(TM_EXIT_FAILED, "get of a %s page: not the bytes that were put", load->content->name);
    }
    return TM_EXIT_OK;
}
