/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blocks.c - the cases on a store that has room for all its pages: for each content, with dedup and
 * without, in one thread and in two.
 */
#include "load.h"

#include <stdio.h>

const struct bench_content bench_contents[BENCH_CONTENTS] = {
    {"raw", "none", NULL, BENCH_FROM_CORPUS},
    {"same", "lz4", NULL, BENCH_FROM_WORDS},
    {"same-any", "lz4", NULL, BENCH_FROM_ANY_WORDS},
    {"random", "lz4", NULL, BENCH_FROM_RANDOM},
    {"lz4", "lz4", "lz4", BENCH_FROM_CORPUS},
    {"zstd", "zstd", "zstd", BENCH_FROM_CORPUS},
    {"lzo", "lzo", "lzo", BENCH_FROM_CORPUS},
};

/* What a case is compared with. */
enum limit {
    NO_LIMIT,
    COLD_COPY,
    PREFETCHED_COPY,
    SEQUENTIAL_COPY,
    BARE_ENCODE,
    BARE_DECODE_AND_READ,
    PUT_RAW,
    LIMITS
};

static const char *const limit_names[LIMITS] = {
    [COLD_COPY] = "cold-copy",
    [PREFETCHED_COPY] = "prefetched-cold-copy",
    [SEQUENTIAL_COPY] = "sequential-cold-copy",
    [BARE_ENCODE] = "bare-encode",
    [BARE_DECODE_AND_READ] = "bare-decode+cold-read",
    [PUT_RAW] = "put-new-raw",
};

/* A store under test with the limits that were measured beside it. */
struct block {
    struct bench *bench;
    struct bench_bare *bare;
    struct bench_load load;
    double limits[LIMITS];
};

/* Which limit a content's puts, gets and batches of gets have. */
static enum limit limit_of_puts(const struct bench_content *content)
{
    if (content->bare != NULL)
        return BARE_ENCODE;
    if (bench_is_words(content))
        return COLD_COPY;
    return content->source == BENCH_FROM_RANDOM ? PUT_RAW : SEQUENTIAL_COPY;
}

static enum limit limit_of_replaces(const struct bench_content *content)
{
    return content->bare != NULL ? BARE_ENCODE : COLD_COPY;
}

static enum limit limit_of_gets(const struct bench_content *content)
{
    return content->bare != NULL ? BARE_DECODE_AND_READ : COLD_COPY;
}

static enum limit limit_of_batches(const struct bench_content *content)
{
    return limit_of_gets(content) == COLD_COPY && !bench_is_words(content) ? PREFETCHED_COPY
                                                                           : limit_of_gets(content);
}

/* Pages that are made on the spot, or compared with an encoder, are in cache before they are put. */
static const struct bench_timing *timing_of_puts(const struct bench_content *content)
{
    return content->bare != NULL || bench_is_words(content) ? &bench_put_prepared : &bench_put_new;
}

static enum tm_exit measure_limits(struct block *block)
{
    struct bench *bench = block->bench;
    double read_ns = 0.0;
    double decode_ns = 0.0;
    bool done = bench_limit_prefetched_copy(&bench->limits, 1, &block->limits[PREFETCHED_COPY]) &&
                bench_limit_sequential_copy(&bench->limits, 1, &block->limits[SEQUENTIAL_COPY]);
    if (done && block->bare != NULL) {
        done = bench_bare_encode(block->bare, 1, &block->limits[BARE_ENCODE]) &&
               bench_bare_decode(block->bare, 1, &decode_ns) &&
               bench_limit_cold_read(&bench->limits, bench_bare_mean_bytes(block->bare), &read_ns);
        block->limits[BARE_DECODE_AND_READ] = decode_ns + read_ns;
    }
    block->limits[PUT_RAW] = bench->put_raw_ns;
    return done ? TM_EXIT_OK : tm_fail(TM_EXIT_FAILED, "cannot measure the limits: no memory");
}

/* Times a case in one thread and notes it; *ns receives the result. */
static enum tm_exit run_case(struct block *block, const char *name, const struct bench_timing *timing, uint64_t first,
                             uint64_t count, enum limit limit, double *ns)
{
    struct bench *bench = block->bench;
    const struct bench_case row = {name, block->load.content->name, 1, "ns", true, limit_names[limit]};
    bench_progress(bench, row.codec, name);
    enum tm_exit code = bench_time(&block->load, timing, name, first, count, 1, ns);
    if (code == TM_EXIT_OK)
        code = bench_probe(bench);
    if (code != TM_EXIT_OK)
        return code;
    double limit_ns = limit == COLD_COPY ? bench_cold_copy_ns(bench) : block->limits[limit];
    if (!bench_rows_add(&bench->rows, &row, *ns, limit_ns))
        return tm_fail(TM_EXIT_FAILED, "too many rows");
    return TM_EXIT_OK;
}

/* One line of a block's programme: what is done with which part of the pages. */
struct step {
    const char *name;
    const char *name_without_dedup;    /* NULL: not done there */
    const struct bench_timing *timing; /* NULL: timing_of_puts() */
    enum limit (*limit)(const struct bench_content *content);
    unsigned first_parts; /* of 1/16 of the pages; for objects, of the second half's objects */
    unsigned count_parts;
    bool is_of_objects;
};

static enum limit limit_is_cold_copy(const struct bench_content *content)
{
    (void)content;
    return COLD_COPY;
}

/* The first fills the store. In the end the first half of the pages goes one by one, the second half
 * by objects. */
static const struct step steps[] = {
    {"put-new", "put-new-nodedup", NULL, limit_of_puts, 0, 16, false},
    {"get-random", NULL, &bench_get_random, limit_of_gets, 0, 8, false},
    {"get-16", NULL, &bench_get_batch, limit_of_batches, 0, 8, false},
    {"miss", NULL, &bench_get_miss, limit_is_cold_copy, 0, 16, false},
    {"put-replace", "put-replace-nodedup", &bench_put_replace, limit_of_replaces, 0, 4, false},
    {"get-exclusive", NULL, &bench_get_exclusive, limit_of_gets, 0, 4, false},
    {"invalidate-page", "invalidate-page-nodedup", &bench_drop_page, limit_is_cold_copy, 4, 4, false},
    {"invalidate-object", "invalidate-object-nodedup", &bench_drop_object, limit_is_cold_copy, 0, 16, true},
};

static enum tm_exit run_steps(struct block *block, bool dedup)
{
    const struct bench_content *content = block->load.content;
    enum tm_exit code = TM_EXIT_OK;
    for (size_t i = 0; i < TM_ARRAY_SIZE(steps) && code == TM_EXIT_OK; i++) {
        const struct step *step = &steps[i];
        const char *name = dedup ? step->name : step->name_without_dedup;
        uint64_t all = step->is_of_objects ? block->bench->pages / 2 / BENCH_OBJECT_PAGES : block->bench->pages;
        double ns = 0.0;
        if (name == NULL)
            continue;
        const struct bench_timing *timing = step->timing != NULL ? step->timing : timing_of_puts(content);
        code = run_case(block, name, timing, all * step->first_parts / 16,
                        all * step->count_parts / 16 / timing->pages_each, step->limit(content), &ns);
        if (step->timing == NULL && code == TM_EXIT_OK) {
            if (dedup && content->source == BENCH_FROM_CORPUS && content->bare == NULL)
                block->bench->put_raw_ns = ns;
            code = bench_load_verify(&block->load);
        }
    }
    return code;
}

/* What the machine makes of two threads: the probe of a case's nature in one thread and in two. */
static bool scaling_of(struct block *block, bool puts, double *factor)
{
    struct bench *bench = block->bench;
    double ns[BENCH_THREADS_MAX] = {0.0};
    for (unsigned threads = 1; threads <= 2; threads++) {
        double *to = &ns[threads - 1];
        bool done;
        if (block->bare != NULL)
            done = puts ? bench_bare_encode(block->bare, threads, to) : bench_bare_decode(block->bare, threads, to);
        else
            done = puts ? bench_limit_sequential_copy(&bench->limits, threads, to)
                        : bench_limit_cold_copy(&bench->limits, threads, to);
        if (!done || *to <= 0.0)
            return false;
    }
    *factor = ns[1] / ns[0];
    return true;
}

/* A case in two threads, beside the same in one and the machine's own scaling. */
static enum tm_exit run_scaling(struct block *block, const char *name, const struct bench_timing *timing, bool puts,
                                uint64_t count)
{
    struct bench *bench = block->bench;
    const struct bench_case row = {name, block->load.content->name, 2, "ns", true, "one-thread*machine-scaling"};
    double factor = 0.0;
    double one_ns = 0.0;
    double two_ns = 0.0;
    bench_progress(bench, row.codec, name);
    if (!scaling_of(block, puts, &factor))
        return tm_fail(TM_EXIT_FAILED, "cannot measure two threads: no memory or no thread");
    /* Puts fill two different parts, so that all of them are new. */
    enum tm_exit code = bench_time(&block->load, timing, name, 0, count, 1, &one_ns);
    if (code == TM_EXIT_OK)
        code = bench_time(&block->load, timing, name, puts ? count : 0, count, 2, &two_ns);
    if (code == TM_EXIT_OK)
        code = bench_probe(bench);
    if (code == TM_EXIT_OK && !bench_rows_add(&bench->rows, &row, two_ns, one_ns * factor))
        code = tm_fail(TM_EXIT_FAILED, "too many rows");
    return code;
}

static enum tm_exit run_two_threads(struct block *block)
{
    uint64_t half = block->bench->pages / 2;
    enum tm_exit code = run_scaling(block, "put-new", timing_of_puts(block->load.content), true, half);
    if (code == TM_EXIT_OK)
        code = run_scaling(block, "get-random", &bench_get_random, false, half / 2);
    return code;
}

enum part {
    WITH_DEDUP,
    WITHOUT_DEDUP,
    TWO_THREADS,
    PARTS
};

static enum tm_exit run_part(struct bench *bench, unsigned number, enum part part)
{
    const struct bench_content *content = &bench_contents[number];
    const struct bench_settings settings = {.size_bytes = bench_store_size(bench->pages),
                                            .codec = content->codec,
                                            .no_dedup = part == WITHOUT_DEDUP};
    struct block block = {.bench = bench, .bare = bench->bare[number]};
    block.load = (struct bench_load){.bench = bench, .content = content};
    enum tm_exit code = TM_EXIT_NOT_FOUND;
    if (content->bare == NULL || block.bare != NULL)
        code = bench_store_open(&block.load.store, &settings);
    if (code == TM_EXIT_NOT_FOUND) {
        bench->lacks[number] = true;
        return TM_EXIT_OK;
    }
    if (code == TM_EXIT_OK)
        code = measure_limits(&block);
    if (code == TM_EXIT_OK)
        code = bench_probe(bench);
    if (code == TM_EXIT_OK)
        code = part == TWO_THREADS ? run_two_threads(&block) : run_steps(&block, part == WITH_DEDUP);
    bench_store_close(&block.load.store);
    return code;
}

enum tm_exit bench_blocks_run(struct bench *bench)
{
    enum tm_exit code = TM_EXIT_OK;
    for (unsigned number = 0; number < BENCH_CONTENTS; number++) {
        /* After the rounds that all need, only those that did not count are made up for. */
        if (bench->round >= BENCH_ROUNDS && !bench_rows_lack(&bench->rows, bench_contents[number].name))
            continue;
        for (unsigned part = 0; part < PARTS && !bench->lacks[number] && code == TM_EXIT_OK; part++)
            if (part != WITHOUT_DEDUP || number <= BENCH_LZ4) /* slower codecs hide what dedup costs */
                code = run_part(bench, number, (enum part)part);
    }
    return code;
}
