/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lzo.c - pages in the LZO1X format, by liblzo2. Built with -Dlzo=true only: the library is GPL, and
 * a binary with it is, too.
 */
#include "codec/library.h"

#include <lzo/lzo1x.h>

/* The library cannot be told how much room there is: its worst case goes to the context first. */
struct encoder {
    unsigned char out[TM_PAGE_BYTES + TM_PAGE_BYTES / 16u + 64u + 3u];
    unsigned char work[LZO1X_1_12_MEM_COMPRESS] TM_ALIGNED(64);
};

static size_t encoder_bytes(int level)
{
    (void)level;
    return sizeof(struct encoder);
}

static bool encoder_init(void *area, int level)
{
    (void)area;
    (void)level;
    return lzo_init() == LZO_E_OK; /* the header and the library agree */
}

static size_t encode(void *area, const void *page, void *out)
{
    struct encoder *encoder = area;
    lzo_uint size = 0; /* what is left of it if the library should fail, which it never does */
    (void)lzo1x_1_12_compress(page, TM_PAGE_BYTES, encoder->out, &size, encoder->work);
    if (size > TM_CODEC_ENCODED_MAX)
        return 0;
    memcpy(out, encoder->out, size);
    return size;
}

static size_t decoder_bytes(void)
{
    return 0;
}

static bool decode(void *area, const void *in, size_t in_size, void *page)
{
    lzo_uint size = TM_PAGE_BYTES;
    (void)area;
    return lzo1x_decompress_safe(in, in_size, page, &size, NULL) == LZO_E_OK && size == TM_PAGE_BYTES;
}

const struct tm_library tm_library_lzo = {
    .id = TM_CODEC_LZO,
    .encoder_bytes = encoder_bytes,
    .encoder_init = encoder_init,
    .encode = encode,
    .decoder_bytes = decoder_bytes,
    .decode = decode,
};
