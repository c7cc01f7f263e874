/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * library.h - one compression library, as codec.c sees it. Each library has a file of its own that
 * defines its description; codec.c chooses among them and lays out the contexts.
 *
 * A context has an area for the library it encodes with, and one for each library whose decoder
 * needs state. Areas are aligned to a cache line and zeroed when they are handed out. No function
 * allocates or locks; an area is used by one call at a time.
 */
#ifndef TM_CODEC_LIBRARY_H
#define TM_CODEC_LIBRARY_H

#include "codec/codec.h"

struct tm_library {
    enum tm_codec_id id;

    /* Levels that the library can encode with, and the one that 0 stands for. */
    int level_min;
    int level_max;
    int level_default;

    /* Bytes of the area for encoding at this level. */
    size_t (*encoder_bytes)(int level);

    /* Prepares the area. False: it cannot be done. */
    bool (*encoder_init)(void *area, int level);

    /* Encodes a page into at most TM_CODEC_ENCODED_MAX bytes; 0: they do not suffice. */
    size_t (*encode)(void *area, const void *page, void *out);

    /* Bytes of the area for decoding, which is zeroed and otherwise not prepared; may be 0. */
    size_t (*decoder_bytes)(void);

    /* Decodes exactly one page from at most TM_CODEC_ENCODED_MAX untrusted bytes. */
    bool (*decode)(void *area, const void *in, size_t in_size, void *page);
};

extern const struct tm_library tm_library_lz4;
extern const struct tm_library tm_library_zstd;
#ifdef TM_WITH_LZO
extern const struct tm_library tm_library_lzo;
#endif

#endif
