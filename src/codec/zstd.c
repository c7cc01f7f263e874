/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zstd.c - pages as zstd frames without magic number, content size or checksum (the block has its
 * own), by libzstd's interface for memory that the caller supplies.
 *
 * The parameters of a level are those for inputs of one page, so the encoder's area is small. The
 * decoder is made at the first use of its area: most contexts never see a zstd page, and the memory
 * that they never touch costs nothing.
 */
#include "codec/library.h"

#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

/* What stands in front of the library's own memory in an area. */
struct encoder {
    ZSTD_CCtx *context;
};
struct decoder {
    ZSTD_DCtx *context;
    /* libzstd 1.5.4 looks for a magic number of four bytes also where none is expected and fewer are
     * left: what it is given ends with so many bytes of its own. */
    unsigned char in[TM_CODEC_ENCODED_MAX + 4u];
};

/* Where the library's memory begins in an area. */
#define ENCODER_BYTES ((size_t)tm_round_up(sizeof(struct encoder), TM_CACHE_LINE))
#define DECODER_BYTES ((size_t)tm_round_up(sizeof(struct decoder), TM_CACHE_LINE))

static ZSTD_compressionParameters parameters(int level)
{
    return ZSTD_getCParams(level, TM_PAGE_BYTES, 0);
}

static size_t encoder_bytes(int level)
{
    return ENCODER_BYTES + ZSTD_estimateCCtxSize_usingCParams(parameters(level));
}

static bool set_all(ZSTD_CCtx *context, const ZSTD_compressionParameters *chosen)
{
    const struct {
        ZSTD_cParameter name;
        int value;
    } settings[] = {
        {ZSTD_c_windowLog, (int)chosen->windowLog},
        {ZSTD_c_chainLog, (int)chosen->chainLog},
        {ZSTD_c_hashLog, (int)chosen->hashLog},
        {ZSTD_c_searchLog, (int)chosen->searchLog},
        {ZSTD_c_minMatch, (int)chosen->minMatch},
        {ZSTD_c_targetLength, (int)chosen->targetLength},
        {ZSTD_c_strategy, (int)chosen->strategy},
        {ZSTD_c_format, ZSTD_f_zstd1_magicless},
        {ZSTD_c_contentSizeFlag, 0},
        {ZSTD_c_checksumFlag, 0},
        {ZSTD_c_dictIDFlag, 0},
    };
    bool taken = true;
    for (size_t i = 0; i < TM_ARRAY_SIZE(settings); i++)
        taken &= !ZSTD_isError(ZSTD_CCtx_setParameter(context, settings[i].name, settings[i].value));
    return taken;
}

static bool encoder_init(void *area, int level)
{
    static const unsigned char zeroes[TM_PAGE_BYTES];
    unsigned char out[TM_CACHE_LINE];
    struct encoder *encoder = area;
    ZSTD_compressionParameters chosen = parameters(level);

    encoder->context =
        ZSTD_initStaticCCtx((unsigned char *)area + ENCODER_BYTES, encoder_bytes(level) - ENCODER_BYTES);
    if (encoder->context == NULL || !set_all(encoder->context, &chosen))
        return false;
    /* The first page tells whether the memory suffices. */
    return !ZSTD_isError(ZSTD_compress2(encoder->context, out, sizeof out, zeroes, sizeof zeroes));
}

static size_t encode(void *area, const void *page, void *out)
{
    struct encoder *encoder = area;
    size_t size = ZSTD_compress2(encoder->context, out, TM_CODEC_ENCODED_MAX, page, TM_PAGE_BYTES);
    return ZSTD_isError(size) ? 0 : size;
}

static size_t decoder_bytes(void)
{
    return DECODER_BYTES + ZSTD_estimateDCtxSize();
}

static bool decoder_init(struct decoder *decoder)
{
    ZSTD_DCtx *context = ZSTD_initStaticDCtx((unsigned char *)decoder + DECODER_BYTES, ZSTD_estimateDCtxSize());
    if (context == NULL || ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_format, ZSTD_f_zstd1_magicless)))
        return false;
    decoder->context = context;
    return true;
}

static bool decode(void *area, const void *in, size_t in_size, void *page)
{
    struct decoder *decoder = area;
    if (decoder->context == NULL && !decoder_init(decoder))
        return false;
    memcpy(decoder->in, in, in_size);
    return ZSTD_decompressDCtx(decoder->context, page, TM_PAGE_BYTES, decoder->in, in_size) == TM_PAGE_BYTES;
}

const struct tm_library tm_library_zstd = {
    .id = TM_CODEC_ZSTD,
    .level_min = -7,
    .level_max = 19,
    .level_default = 3,
    .encoder_bytes = encoder_bytes,
    .encoder_init = encoder_init,
    .encode = encode,
    .decoder_bytes = decoder_bytes,
    .decode = decode,
};
