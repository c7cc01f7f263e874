/* SPDX-License-Identifier: BSD-2-Clause */
/* page.c - the public API: pages, batches, stored form, walks. */
#include <string.h>

#include "client/store_handle.h"

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

/* The seed of a stored page's checksum: the same everywhere, so that it can be verified anywhere. */
#define STORED_SEED UINT64_C(0x746d656d73746f72)

enum tmem_result tmem_put(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index,
                          const void *page, uint32_t flags)
{
    if (pool == NULL || object == NULL)
        return TMEM_INVALID;
    return tm_public(tm_page_put(tm_member_of(pool), tm_object_of(object), index, page, flags));
}

enum tmem_result tmem_get(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index, void *page,
                          enum tmem_get_mode mode)
{
    if (pool == NULL || object == NULL)
        return TMEM_INVALID;
    return tm_public(
        tm_page_get(tm_member_of(pool), tm_object_of(object), index, page, (enum tm_get_mode)mode));
}

enum tmem_result tmem_invalidate_page(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index)
{
    if (pool == NULL || object == NULL)
        return TMEM_INVALID;
    return tm_public(tm_page_invalidate(tm_member_of(pool), tm_object_of(object), index));
}

enum tmem_result tmem_invalidate_object(struct tmem_pool *pool, const struct tmem_object_id *object)
{
    if (pool == NULL || object == NULL)
        return TMEM_INVALID;
    return tm_public(tm_object_invalidate(tm_member_of(pool), tm_object_of(object)));
}

enum tmem_result tmem_put_many(struct tmem_pool *pool, struct tmem_io *io, size_t count, uint32_t flags)
{
    if (pool == NULL || (io == NULL && count != 0))
        return TMEM_INVALID;
    bool is_valid = tm_page_put_many(tm_member_of(pool), (struct tm_page_io *)(void *)io, count, flags);
    return is_valid ? TMEM_OK : TMEM_INVALID;
}

enum tmem_result tmem_get_many(struct tmem_pool *pool, struct tmem_io *io, size_t count, enum tmem_get_mode mode)
{
    if (pool == NULL || (io == NULL && count != 0) || (unsigned)mode > TMEM_GET_INCLUSIVE)
        return TMEM_INVALID;
    tm_page_get_many(tm_member_of(pool), (struct tm_page_io *)(void *)io, count, (enum tm_get_mode)mode);
    return TMEM_OK;
}

/* ---- stored form ---- */

static uint64_t stored_check(const struct tmem_stored *stored)
{
    struct tm_codec codec;
    bool made = tm_codec_create(TM_CODEC_RAW, 0, &codec);
    TM_ASSERT(made);
    uint64_t seed = STORED_SEED ^ ((uint64_t)stored->codec << 32 | stored->size_bytes);
    return codec.hash(stored->bytes, stored->size_bytes, seed);
}

enum tmem_result tmem_get_stored(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index,
                                 struct tmem_stored *stored)
{
    enum tm_codec_id codec;
    uint32_t size_bytes;
    if (pool == NULL || object == NULL || stored == NULL)
        return TMEM_INVALID;
    enum tm_result result = tm_page_get_stored(tm_member_of(pool), tm_object_of(object), index, &codec,
                                               stored->bytes, &size_bytes);
    if (result != TM_OK)
        return tm_public(result);
    stored->codec = (uint32_t)codec;
    stored->size_bytes = size_bytes;
    stored->check = stored_check(stored);
    return TMEM_OK;
}

enum tmem_result tmem_put_stored(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index,
                                 const struct tmem_stored *stored, uint32_t flags)
{
    if (pool == NULL || object == NULL || stored == NULL)
        return TMEM_INVALID;
    /* From here on only the copy counts: the original may be somebody else's to write. */
    struct tmem_stored copy = *stored;
    if (copy.size_bytes == 0 || copy.size_bytes > TMEM_STORED_MAX || copy.check != stored_check(&copy))
        return TMEM_INVALID;
    if (copy.codec < TMEM_CODEC_SAME || copy.codec > TMEM_CODEC_LZO)
        return TMEM_INVALID;
    struct tm_codec codec;
    bool built_in = copy.codec <= TMEM_CODEC_RAW || tm_codec_create((enum tm_codec_id)copy.codec, 0, &codec);
    if (!built_in)
        return TMEM_UNSUPPORTED;
    return tm_public(tm_page_put_stored(tm_member_of(pool), tm_object_of(object), index,
                                        (enum tm_codec_id)copy.codec, copy.bytes, copy.size_bytes, flags));
}

/* ---- walks ---- */

enum tmem_result tmem_walk(struct tmem_pool *pool, struct tmem_cursor *cursor, struct tmem_key *keys, size_t capacity,
                           size_t *count)
{
    if (pool == NULL || cursor == NULL || keys == NULL || count == NULL || capacity < 64)
        return TMEM_INVALID;
    bool more =
        tm_pool_walk(tm_member_of(pool), cursor->position, (struct tm_page_key *)(void *)keys, capacity, count);
    return more ? TMEM_OK : TMEM_MISS;
}
