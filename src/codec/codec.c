/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec.c - the table that a store is given: the libraries of this build behind codec.h.
 *
 * A context begins with the places of what follows: the area of the library that encodes, and one
 * for each library whose decoder needs it. They are written down so that no call computes them.
 */
#include "codec/hash.h"
#include "codec/library.h"

/* Libraries by the number of their codec. */
static const struct tm_library *const libraries[TM_CODEC_IDS] = {
    [TM_CODEC_LZ4] = &tm_library_lz4,
    [TM_CODEC_ZSTD] = &tm_library_zstd,
#ifdef TM_WITH_LZO
    [TM_CODEC_LZO] = &tm_library_lzo,
#endif
};

static const char *const names[TM_CODEC_IDS] = {
    [TM_CODEC_NONE] = NULL,
    [TM_CODEC_SAME] = "same",
    [TM_CODEC_RAW] = "none",
    [TM_CODEC_LZ4] = "lz4",
    [TM_CODEC_ZSTD] = "zstd",
    [TM_CODEC_LZO] = "lzo",
};

/* Where the areas lie in a context, in bytes from its begin; for libraries that have none, anywhere. */
struct context {
    size_t encoder;
    size_t decoders[TM_CODEC_IDS];
};

static const struct tm_library *library_of(enum tm_codec_id id)
{
    return (unsigned)id < TM_CODEC_IDS ? libraries[id] : NULL;
}

/* The begin of an area of so many bytes behind what is laid out already, moving its end @at on. */
static size_t place(size_t *at, size_t bytes)
{
    size_t begin = *at;
    *at = (size_t)tm_round_up(begin + bytes, TM_CACHE_LINE);
    return begin;
}

/* Lays out a context and answers its bytes. */
static size_t lay_out(const struct tm_library *encoder, int level, struct context *context)
{
    size_t at = 0;
    *context = (struct context){0, {0}};
    (void)place(&at, sizeof *context);
    if (encoder != NULL)
        context->encoder = place(&at, encoder->encoder_bytes(level));
    for (unsigned id = 0; id < TM_CODEC_IDS; id++)
        if (libraries[id] != NULL)
            context->decoders[id] = place(&at, libraries[id]->decoder_bytes());
    return at;
}

static void *area(void *context, size_t offset)
{
    return (unsigned char *)context + offset;
}

static bool context_init(const struct tm_codec *codec, void *memory)
{
    const struct tm_library *encoder = library_of(codec->encodes);
    struct context *context = memory;
    (void)lay_out(encoder, codec->level, context);
    return encoder == NULL || encoder->encoder_init(area(memory, context->encoder), codec->level);
}

static size_t encode(const struct tm_codec *codec, void *memory, const void *page, void *out,
                     enum tm_codec_id *id)
{
    const struct tm_library *encoder = library_of(codec->encodes);
    const struct context *context = memory;
    size_t size;
    if (encoder == NULL || !tm_looks_compressible(page))
        return 0;
    size = encoder->encode(area(memory, context->encoder), page, out);
    if (size != 0)
        *id = codec->encodes;
    return size;
}

static bool knows(const struct tm_codec *codec, enum tm_codec_id id)
{
    (void)codec;
    return id == TM_CODEC_SAME || id == TM_CODEC_RAW || library_of(id) != NULL;
}

static bool decode(const struct tm_codec *codec, void *memory, enum tm_codec_id id, const void *in,
                   size_t in_size, void *page)
{
    const struct tm_library *library = library_of(id);
    const struct context *context = memory;
    uint64_t word;
    (void)codec;
    if (library != NULL)
        return in_size <= TM_CODEC_ENCODED_MAX &&
               library->decode(area(memory, context->decoders[id]), in, in_size, page);
    if (id == TM_CODEC_RAW && in_size == TM_PAGE_BYTES) {
        memcpy(page, in, TM_PAGE_BYTES);
        return true;
    }
    if (id == TM_CODEC_SAME && in_size == sizeof word) {
        memcpy(&word, in, sizeof word);
        tm_same_fill(page, word);
        return true;
    }
    return false;
}

/* A third to a half denser than LZ4 on text, memory and databases; docs/design-notes/recompression.md has them all. */
#define COLD_LEVEL 6

static bool cold_init(const struct tm_codec *codec, void *memory)
{
    (void)codec;
    return tm_library_zstd.encoder_init(memory, COLD_LEVEL);
}

static size_t cold_encode(const struct tm_codec *codec, void *memory, const void *page, void *out)
{
    (void)codec;
    return tm_looks_compressible(page) ? tm_library_zstd.encode(memory, page, out) : 0;
}

/* Places, encoder, and the decoder for what the encoder makes. */
static size_t touched_bytes(const struct tm_library *encoder, int level)
{
    size_t bytes = sizeof(struct context);
    return encoder == NULL ? bytes : bytes + encoder->encoder_bytes(level) + encoder->decoder_bytes();
}

bool tm_codec_create(enum tm_codec_id id, int level, struct tm_codec *codec)
{
    const struct tm_library *encoder = library_of(id);
    const struct tm_hash_variant *hash = tm_hash_choose();
    struct context context;
    if (encoder == NULL && id != TM_CODEC_RAW)
        return false;
    if (level != 0 && (encoder == NULL || level < encoder->level_min || level > encoder->level_max))
        return false;
    if (level == 0 && encoder != NULL)
        level = encoder->level_default;
    *codec = (struct tm_codec){
        .encodes = id,
        .level = level,
        .context_bytes = lay_out(encoder, level, &context),
        .touched_bytes = touched_bytes(encoder, level),
        .context_init = context_init,
        .hash = hash->hash,
        .copy_hash = hash->copy_hash,
        .copy_out = tm_copy_out,
        .copy_out_hash = hash->copy_out_hash,
        .encode = encode,
        .decode = decode,
        .knows = knows,
    };
    if (id != TM_CODEC_ZSTD) {
        codec->cold_encodes = TM_CODEC_ZSTD;
        codec->cold_bytes = tm_library_zstd.encoder_bytes(COLD_LEVEL);
        codec->cold_init = cold_init;
        codec->cold_encode = cold_encode;
    }
    return true;
}

/* "tmemstor" */
#define STORED_SEED UINT64_C(0x746d656d73746f72)

uint64_t tm_codec_form_check(uint32_t codec, const void *bytes, uint32_t size_bytes)
{
    return tm_hash_choose()->hash(bytes, size_bytes, STORED_SEED ^ ((uint64_t)codec << 32 | size_bytes));
}

const char *tm_codec_name(enum tm_codec_id id)
{
    return (unsigned)id < TM_CODEC_IDS ? names[id] : NULL;
}
