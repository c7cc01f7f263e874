/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec.h - how page bytes become stored bytes, and how bytes are hashed.
 *
 * One `struct tm_codec` describes what a store uses: the codec it encodes with, every codec that it
 * can decode, and the hash. The store reaches codecs and hash only through this table, so that a
 * hypervisor, the simulator or a test can supply its own. src/codec makes one from liblz4, libzstd,
 * liblzo2 (a build option) and xxhash: tm_codec_create().
 *
 * Threads: the table is constant. A context belongs to one operation at a time. No function
 * allocates: contexts are made by their owner with context_bytes of memory.
 */
#ifndef TM_CODEC_H
#define TM_CODEC_H

#include "base/base.h"

/* How a block's bytes are coded. The numbers are part of the arena format and equal enum tmem_codec. */
enum tm_codec_id {
    TM_CODEC_NONE = 0,
    TM_CODEC_SAME = 1,
    TM_CODEC_RAW = 2,
    TM_CODEC_LZ4 = 3,
    TM_CODEC_ZSTD = 4,
    TM_CODEC_LZO = 5,
    TM_CODEC_IDS = 8
};

/* Most bytes that an encoder may answer with; more is stored raw. */
#define TM_CODEC_ENCODED_MAX (TM_PAGE_BYTES * 7u / 8u)

struct tm_codec {
    void *user;

    /* What encode() tries, and at which level. */
    enum tm_codec_id encodes;
    int level;

    /* Bytes of a context, which is aligned to 64; one is needed per operation under way. The larger
     * part of it is only touched by the first zstd page that is decoded. */
    size_t context_bytes;

    /* Bytes of a context that become resident as long as only pages of the codec that it encodes with are decoded. */
    size_t touched_bytes;

    /* Makes a context in zeroed memory. False: it cannot be made; nothing to undo. */
    bool (*context_init)(const struct tm_codec *codec, void *context);

    /* 64-bit hash of any bytes, the same on every machine and build; 0 bytes are legal. */
    uint64_t (*hash)(const void *bytes, size_t size, uint64_t seed);

    /* Copies and hashes in one pass: the same value as hash(). Buffers do not overlap. */
    uint64_t (*copy_hash)(void *to, const void *from, size_t size, uint64_t seed);

    /* Copies to memory that is not read soon, and need not be in cache afterwards. Buffers do not overlap. Other
     * threads see the bytes before they see anything that is stored after the call. */
    void (*copy_out)(void *to, const void *from, size_t size);

    /* As copy_out(), and answers what hash() says of the bytes. They are hashed behind the copy, so that what waits for
     * memory then does so beside the arithmetic. @from does not change meanwhile. */
    uint64_t (*copy_out_hash)(void *to, const void *from, size_t size, uint64_t seed);

    /*
     * Encodes a page. @out has TM_PAGE_BYTES of room. Answers the number of bytes (1 ...
     * TM_CODEC_ENCODED_MAX) and which codec in *id, or 0: it does not pay, store it raw.
     * Gives up early on bytes that look random.
     */
    size_t (*encode)(const struct tm_codec *codec, void *context, const void *page, void *out,
                     enum tm_codec_id *id);

    /*
     * Decodes exactly one page from untrusted bytes. False: the bytes are not a page in this codec,
     * or the build lacks it, or @id is no codec; @page is undefined then. Never reads or writes
     * outside the buffers. Takes every codec that knows() names: TM_CODEC_SAME from the 8 bytes of
     * the word, TM_CODEC_RAW from a page.
     */
    bool (*decode)(const struct tm_codec *codec, void *context, enum tm_codec_id id, const void *in,
                   size_t in_size, void *page);

    /* True for the codecs that decode() knows. */
    bool (*knows)(const struct tm_codec *codec, enum tm_codec_id id);

    /*
     * What pages are coded in that nobody asks for any more, slowly but small; TM_CODEC_NONE: nothing smaller than
     * what encode() makes. cold_init() prepares cold_bytes of zeroed memory aligned to 64; false: it cannot, nothing
     * to undo. cold_encode() answers as encode(), but always in this codec. One call at a time uses such memory.
     */
    enum tm_codec_id cold_encodes;
    size_t cold_bytes;
    bool (*cold_init)(const struct tm_codec *codec, void *memory);
    size_t (*cold_encode)(const struct tm_codec *codec, void *memory, const void *page, void *out);
};

/* True when the page is one 64-bit word repeated; *word receives it. Stops at the first difference. */
bool tm_same_filled(const void *page, uint64_t *word);

/* The copy_out() of the table that tm_codec_create() makes. */
void tm_copy_out(void *to, const void *from, size_t size);

/* The same, as it is where the machine has no wider registers than any of its kind. */
void tm_copy_out_anywhere(void *to, const void *from, size_t size);

/* The checksum of a page in stored form: of its codec's number, size and bytes. The same everywhere, so that it can be
 * verified anywhere. */
uint64_t tm_codec_form_check(uint32_t codec, const void *bytes, uint32_t size_bytes);

/* Writes @word over a whole page. */
void tm_same_fill(void *page, uint64_t word);

/* Cheap guess from a sample: false only when encoding the page is very unlikely to pay. */
bool tm_looks_compressible(const void *page);

/*
 * tm_codec_create - a table from the libraries.
 *
 * @id     TM_CODEC_RAW (encode nothing), TM_CODEC_LZ4, TM_CODEC_ZSTD, or TM_CODEC_LZO where built in.
 * @level  zstd's level, -7 ... 19; 0 for the default. Other codecs: 0.
 * @codec  receives the table; constant afterwards, nothing to free.
 *
 * False: no such codec in this build, or no such level; *codec is unchanged.
 */
bool tm_codec_create(enum tm_codec_id id, int level, struct tm_codec *codec);

/* The codec's name as URIs write it ("lz4"), or NULL. */
const char *tm_codec_name(enum tm_codec_id id);

#endif
