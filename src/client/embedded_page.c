/* SPDX-License-Identifier: BSD-2-Clause */
/* embedded_page.c - pages of an engine in this process: pages, batches, stored form, walks. */
#include "client/embedded.h"

TM_STATIC_ASSERT(TMEM_PAGE_SIZE == TM_PAGE_BYTES && TMEM_STORED_MAX == TM_PAGE_BYTES);
TM_STATIC_ASSERT((int)TMEM_PUT_KEEP == (int)TM_PUT_KEEP);
TM_STATIC_ASSERT((int)TMEM_GET_EXCLUSIVE == (int)TM_GET_EXCLUSIVE);
TM_STATIC_ASSERT((int)TMEM_GET_INCLUSIVE == (int)TM_GET_INCLUSIVE);
TM_STATIC_ASSERT((int)TMEM_CODEC_SAME == (int)TM_CODEC_SAME && (int)TMEM_CODEC_RAW == (int)TM_CODEC_RAW);
TM_STATIC_ASSERT((int)TMEM_CODEC_LZ4 == (int)TM_CODEC_LZ4 && (int)TMEM_CODEC_ZSTD == (int)TM_CODEC_ZSTD);
TM_STATIC_ASSERT((int)TMEM_CODEC_LZO == (int)TM_CODEC_LZO);
TM_STATIC_ASSERT(sizeof(struct tm_object_id) == sizeof(struct tmem_object_id));
TM_STATIC_ASSERT(sizeof(struct tm_page_io) == sizeof(struct tmem_io));
TM_STATIC_ASSERT(offsetof(struct tm_page_io, result) == offsetof(struct tmem_io, result));
TM_STATIC_ASSERT(offsetof(struct tm_page_io, page) == offsetof(struct tmem_io, page));
TM_STATIC_ASSERT(sizeof(struct tm_page_key) == sizeof(struct tmem_key));
TM_STATIC_ASSERT(offsetof(struct tm_page_key, index) == offsetof(struct tmem_key, index));

enum tmem_result tm_embedded_put(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index,
                                 const void *page, uint32_t flags)
{
    return tm_public(tm_page_put(tm_member_of(pool), tm_object_of(object), index, page, flags));
}

enum tmem_result tm_embedded_get(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index,
                                 void *page, enum tmem_get_mode mode)
{
    return tm_public(tm_page_get(tm_member_of(pool), tm_object_of(object), index, page, (enum tm_get_mode)mode));
}

enum tmem_result tm_embedded_invalidate_page(struct tmem_pool *pool, const struct tmem_object_id *object,
                                             uint32_t index)
{
    return tm_public(tm_page_invalidate(tm_member_of(pool), tm_object_of(object), index));
}

enum tmem_result tm_embedded_invalidate_object(struct tmem_pool *pool, const struct tmem_object_id *object)
{
    return tm_public(tm_object_invalidate(tm_member_of(pool), tm_object_of(object)));
}

enum tmem_result tm_embedded_put_many(struct tmem_pool *pool, struct tmem_io *io, size_t count, uint32_t flags)
{
    bool is_valid = tm_page_put_many(tm_member_of(pool), (struct tm_page_io *)(void *)io, count, flags);
    return is_valid ? TMEM_OK : TMEM_INVALID;
}

enum tmem_result tm_embedded_get_many(struct tmem_pool *pool, struct tmem_io *io, size_t count,
                                      enum tmem_get_mode mode)
{
    if ((unsigned)mode > TMEM_GET_INCLUSIVE)
        return TMEM_INVALID;
    tm_page_get_many(tm_member_of(pool), (struct tm_page_io *)(void *)io, count, (enum tm_get_mode)mode);
    return TMEM_OK;
}

/* ---- stored form ---- */

enum tmem_result tm_embedded_get_stored(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index,
                                        struct tmem_stored *stored)
{
    enum tm_codec_id codec;
    uint32_t size_bytes;
    enum tm_result result =
        tm_page_get_stored(tm_member_of(pool), tm_object_of(object), index, &codec, stored->bytes, &size_bytes);
    if (result != TM_OK)
        return tm_public(result);
    stored->codec = (uint32_t)codec;
    stored->size_bytes = size_bytes;
    stored->check = tm_stored_checksum(stored);
    return TMEM_OK;
}

enum tmem_result tm_embedded_put_stored(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index,
                                        const struct tmem_stored *stored, uint32_t flags)
{
    struct tm_codec codec;
    bool built_in = stored->codec <= TMEM_CODEC_RAW || tm_codec_create((enum tm_codec_id)stored->codec, 0, &codec);
    if (!built_in)
        return TMEM_UNSUPPORTED;
    return tm_public(tm_page_put_stored(tm_member_of(pool), tm_object_of(object), index,
                                        (enum tm_codec_id)stored->codec, stored->bytes, stored->size_bytes, flags));
}

/* ---- walks ---- */

enum tmem_result tm_embedded_walk(struct tmem_pool *pool, struct tmem_cursor *cursor, struct tmem_key *keys,
                                  size_t capacity, size_t *count)
{
    bool more =
        tm_pool_walk(tm_member_of(pool), cursor->position, (struct tm_page_key *)(void *)keys, capacity, count);
    return more ? TMEM_OK : TMEM_MISS;
}
