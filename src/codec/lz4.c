/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lz4.c - pages in LZ4's block format, by liblz4.
 */
#include "codec/library.h"

#include <lz4.h>

static size_t encoder_bytes(int level)
{
    (void)level;
    return (size_t)LZ4_sizeofState();
}

static bool encoder_init(void *area, int level)
{
    (void)area; /* every call clears its hash table: a page is too large for the library to reuse it */
    (void)level;
    return true;
}

/* The tight room makes the library give up as soon as it has filled it. */
static size_t encode(void *area, const void *page, void *out)
{
    int size = LZ4_compress_fast_extState(area, page, out, (int)TM_PAGE_BYTES, (int)TM_CODEC_ENCODED_MAX, 1);
    return size > 0 ? (size_t)size : 0;
}

static size_t decoder_bytes(void)
{
    return 0;
}

static bool decode(void *area, const void *in, size_t in_size, void *page)
{
    (void)area;
    return LZ4_decompress_safe(in, page, (int)in_size, (int)TM_PAGE_BYTES) == (int)TM_PAGE_BYTES;
}

const struct tm_library tm_library_lz4 = {
    .id = TM_CODEC_LZ4,
    .encoder_bytes = encoder_bytes,
    .encoder_init = encoder_init,
    .encode = encode,
    .decoder_bytes = decoder_bytes,
    .decode = decode,
};
