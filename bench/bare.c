/* SPDX-License-Identifier: BSD-2-Clause */
/* bare.c - see bare.h. */
#include "bare.h"

#include "clock.h"

#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#ifdef TM_WITH_LZO
#include <lzo/lzo1x.h>
#endif

/* Pages of the sample, and room for each when encoded: more than any library's worst case. */
#define SAMPLE_PAGES 2048u
#define ROOM_BYTES (TM_PAGE_BYTES * 5u / 4u)

/* Level of zstd that codec=zstd stands for. */
#define ZSTD_LEVEL 3

/* What a thread needs for the calls. */
struct state {
    void *work;
    ZSTD_CCtx *compressor;
    ZSTD_DCtx *decompressor;
    unsigned char out[ROOM_BYTES];
};

/* Each answers the bytes made, 0 when it failed. */
struct library {
    const char *name;
    size_t work_bytes;
    size_t (*encode)(struct state *state, const void *page, void *out);
    size_t (*decode)(struct state *state, const void *in, size_t in_size, void *page);
};

struct bench_bare {
    const struct library *library;
    const struct bench_corpus *corpus;
    struct state states[BENCH_THREADS_MAX];
    uint32_t sizes[SAMPLE_PAGES];
    unsigned char encoded[SAMPLE_PAGES][ROOM_BYTES];
};

static size_t lz4_encode(struct state *state, const void *page, void *out)
{
    int size = LZ4_compress_fast_extState(state->work, page, out, (int)TM_PAGE_BYTES, (int)ROOM_BYTES, 1);
    return size > 0 ? (size_t)size : 0;
}

static size_t lz4_decode(struct state *state, const void *in, size_t in_size, void *page)
{
    (void)state;
    int size = LZ4_decompress_safe(in, page, (int)in_size, (int)TM_PAGE_BYTES);
    return size > 0 ? (size_t)size : 0;
}

static size_t zstd_encode(struct state *state, const void *page, void *out)
{
    size_t size = ZSTD_compressCCtx(state->compressor, out, ROOM_BYTES, page, TM_PAGE_BYTES, ZSTD_LEVEL);
    return ZSTD_isError(size) ? 0 : size;
}

static size_t zstd_decode(struct state *state, const void *in, size_t in_size, void *page)
{
    size_t size = ZSTD_decompressDCtx(state->decompressor, page, TM_PAGE_BYTES, in, in_size);
    return ZSTD_isError(size) ? 0 : size;
}

#ifdef TM_WITH_LZO
static size_t lzo_encode(struct state *state, const void *page, void *out)
{
    lzo_uint size = 0;
    return lzo1x_1_12_compress(page, TM_PAGE_BYTES, out, &size, state->work) == LZO_E_OK ? size : 0;
}

static size_t lzo_decode(struct state *state, const void *in, size_t in_size, void *page)
{
    lzo_uint size = TM_PAGE_BYTES;
    (void)state;
    return lzo1x_decompress_safe(in, in_size, page, &size, NULL) == LZO_E_OK ? size : 0;
}
#endif

static const struct library libraries[] = {
    {"lz4", sizeof(LZ4_stream_t), lz4_encode, lz4_decode},
    {"zstd", 1, zstd_encode, zstd_decode},
#ifdef TM_WITH_LZO
    {"lzo", LZO1X_1_12_MEM_COMPRESS, lzo_encode, lzo_decode},
#endif
};

static bool state_make(struct state *state, const struct library *library)
{
    state->work = calloc(1, library->work_bytes);
    state->compressor = ZSTD_createCCtx();
    state->decompressor = ZSTD_createDCtx();
    return state->work != NULL && state->compressor != NULL && state->decompressor != NULL;
}

static void state_free(struct state *state)
{
    free(state->work);
    (void)ZSTD_freeCCtx(state->compressor);
    (void)ZSTD_freeDCtx(state->decompressor);
}

/* Makes the states, and encodes the sample. */
static bool prepare(struct bench_bare *bare)
{
    for (unsigned i = 0; i < BENCH_THREADS_MAX; i++)
        if (!state_make(&bare->states[i], bare->library))
            return false;
    for (unsigned i = 0; i < SAMPLE_PAGES; i++) {
        bare->sizes[i] =
            (uint32_t)bare->library->encode(&bare->states[0], bench_page(bare->corpus, i), bare->encoded[i]);
        if (bare->sizes[i] == 0)
            return false;
    }
    return true;
}

struct bench_bare *bench_bare_create(const char *name, const struct bench_corpus *corpus)
{
    const struct library *library = NULL;
    for (size_t i = 0; i < TM_ARRAY_SIZE(libraries); i++)
        if (strcmp(libraries[i].name, name) == 0)
            library = &libraries[i];
    struct bench_bare *bare = library != NULL ? calloc(1, sizeof *bare) : NULL;
    if (bare == NULL)
        return NULL;
    bare->library = library;
    bare->corpus = corpus;
    if (!prepare(bare)) {
        bench_bare_destroy(bare);
        return NULL;
    }
    return bare;
}

void bench_bare_destroy(struct bench_bare *bare)
{
    if (bare == NULL)
        return;
    for (unsigned i = 0; i < BENCH_THREADS_MAX; i++)
        state_free(&bare->states[i]);
    free(bare);
}

double bench_bare_mean_bytes(const struct bench_bare *bare)
{
    double bytes = 0.0;
    for (unsigned i = 0; i < SAMPLE_PAGES; i++)
        bytes += (double)tm_min_u64(bare->sizes[i], TM_PAGE_BYTES);
    return bytes / SAMPLE_PAGES;
}

uint64_t bench_bare_corpus_bytes(struct bench_bare *bare)
{
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < bare->corpus->count; i++)
        bytes += tm_min_u64(TM_PAGE_BYTES,
                            bare->library->encode(&bare->states[0], bare->corpus->pages + i * TM_PAGE_BYTES,
                                                  bare->states[0].out));
    return bytes;
}

static bool encode_one(struct bench_work *work, uint64_t number)
{
    struct bench_bare *bare = work->user;
    struct state *state = &bare->states[work->thread];
    size_t size = bare->library->encode(state, bench_page(bare->corpus, number), state->out);
    bench_keep(state->out);
    return size != 0;
}

static bool decode_one(struct bench_work *work, uint64_t number)
{
    struct bench_bare *bare = work->user;
    uint64_t i = number % SAMPLE_PAGES;
    size_t size = bare->library->decode(&bare->states[work->thread], bare->encoded[i], bare->sizes[i], work->buffers);
    bench_keep(work->buffers);
    return size == TM_PAGE_BYTES;
}

static void prepare_pages(struct bench_work *work, uint64_t first, uint64_t count)
{
    struct bench_bare *bare = work->user;
    for (uint64_t i = first; i < first + count; i++)
        bench_touch(bench_page(bare->corpus, i), TM_PAGE_BYTES);
}

static void prepare_encoded(struct bench_work *work, uint64_t first, uint64_t count)
{
    struct bench_bare *bare = work->user;
    for (uint64_t i = first; i < first + count; i++)
        bench_touch(bare->encoded[i % SAMPLE_PAGES], bare->sizes[i % SAMPLE_PAGES]);
}

bool bench_bare_encode(struct bench_bare *bare, unsigned threads, double *ns)
{
    struct bench_work work = {.operation = encode_one,
                              .prepare = prepare_pages,
                              .user = bare,
                              .count = SAMPLE_PAGES,
                              .chunk = BENCH_BATCH};
    return bench_run(&work, threads, ns, NULL);
}

bool bench_bare_decode(struct bench_bare *bare, unsigned threads, double *ns)
{
    struct bench_work work = {.operation = decode_one,
                              .prepare = prepare_encoded,
                              .user = bare,
                              .count = SAMPLE_PAGES,
                              .chunk = BENCH_BATCH};
    return bench_run(&work, threads, ns, NULL);
}
