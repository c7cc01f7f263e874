/* SPDX-License-Identifier: BSD-2-Clause */
/* page.c - the public API: pages, batches, stored form, walks. */
#include "client/home.h"
#include "codec/codec.h"

enum tmem_result tmem_put(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index,
                          const void *page, uint32_t flags)
{
    if (pool == NULL || object == NULL || page == NULL)
        return TMEM_INVALID;
    return tm_home_of(pool)->put(pool, object, index, page, flags);
}

enum tmem_result tmem_get(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index, void *page,
                          enum tmem_get_mode mode)
{
    if (pool == NULL || object == NULL || page == NULL)
        return TMEM_INVALID;
    return tm_home_of(pool)->get(pool, object, index, page, mode);
}

enum tmem_result tmem_memory_create(struct tmem_client *client, size_t size_bytes, void **memory)
{
    if (client == NULL || size_bytes == 0 || memory == NULL)
        return TMEM_INVALID;
    return tm_home_of(client)->memory_create(client, size_bytes, memory);
}

void tmem_memory_destroy(struct tmem_client *client, void *memory)
{
    if (client != NULL && memory != NULL)
        tm_home_of(client)->memory_destroy(client, memory);
}

enum tmem_result tmem_invalidate_page(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index)
{
    if (pool == NULL || object == NULL)
        return TMEM_INVALID;
    return tm_home_of(pool)->invalidate_page(pool, object, index);
}

enum tmem_result tmem_invalidate_object(struct tmem_pool *pool, const struct tmem_object_id *object)
{
    if (pool == NULL || object == NULL)
        return TMEM_INVALID;
    return tm_home_of(pool)->invalidate_object(pool, object);
}

enum tmem_result tmem_put_many(struct tmem_pool *pool, struct tmem_io *io, size_t count, uint32_t flags)
{
    if (pool == NULL || (io == NULL && count != 0))
        return TMEM_INVALID;
    return tm_home_of(pool)->put_many(pool, io, count, flags);
}

enum tmem_result tmem_get_many(struct tmem_pool *pool, struct tmem_io *io, size_t count, enum tmem_get_mode mode)
{
    if (pool == NULL || (io == NULL && count != 0))
        return TMEM_INVALID;
    return tm_home_of(pool)->get_many(pool, io, count, mode);
}

/* ---- stored form ---- */

uint64_t tm_stored_checksum(const struct tmem_stored *stored)
{
    return tm_codec_form_check(stored->codec, stored->bytes, stored->size_bytes);
}

enum tmem_result tmem_get_stored(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index,
                                 struct tmem_stored *stored)
{
    if (pool == NULL || object == NULL || stored == NULL)
        return TMEM_INVALID;
    return tm_home_of(pool)->get_stored(pool, object, index, stored);
}

enum tmem_result tmem_put_stored(struct tmem_pool *pool, const struct tmem_object_id *object, uint32_t index,
                                 const struct tmem_stored *stored, uint32_t flags)
{
    if (pool == NULL || object == NULL || stored == NULL)
        return TMEM_INVALID;
    /* From here on only the copy counts: the original may be somebody else's to write. */
    struct tmem_stored copy = *stored;
    if (copy.size_bytes == 0 || copy.size_bytes > TMEM_STORED_MAX || copy.check != tm_stored_checksum(&copy))
        return TMEM_INVALID;
    if (copy.codec < TMEM_CODEC_SAME || copy.codec > TMEM_CODEC_LZO)
        return TMEM_INVALID;
    return tm_home_of(pool)->put_stored(pool, object, index, &copy, flags);
}

/* ---- walks ---- */

enum tmem_result tmem_walk(struct tmem_pool *pool, struct tmem_cursor *cursor, struct tmem_key *keys, size_t capacity,
                           size_t *count)
{
    if (pool == NULL || cursor == NULL || keys == NULL || count == NULL || capacity < 64)
        return TMEM_INVALID;
    return tm_home_of(pool)->walk(pool, cursor, keys, capacity, count);
}
