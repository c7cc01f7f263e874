/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unix_stored.c - pages in stored form of a store in a daemon. A daemon that does not hand them out is asked for the
 * page itself: then the stored form is a plain one, and what is put is decoded here.
 */
#include <stdlib.h>
#include <string.h>

#include "client/unix.h"
#include "codec/codec.h"
#include "wire/request.h"

static bool has_stored_pages(struct tm_unix_client *client)
{
    return (tm_link_features(&client->link) & TM_WIRE_STORED_PAGES) != 0;
}

/* ---- getting ---- */

static enum tmem_result get_plain(struct tmem_pool *handle, const struct tmem_object_id *object, uint32_t index,
                                  struct tmem_stored *stored)
{
    uint64_t word;
    enum tmem_result result = tm_unix_get(handle, object, index, stored->bytes, TMEM_GET_INCLUSIVE);
    if (result != TMEM_OK)
        return result;
    stored->codec = TMEM_CODEC_RAW;
    stored->size_bytes = TMEM_PAGE_SIZE;
    if (tm_same_filled(stored->bytes, &word)) {
        stored->codec = TMEM_CODEC_SAME;
        stored->size_bytes = sizeof word;
        memcpy(stored->bytes, &word, sizeof word);
    }
    stored->check = tm_stored_checksum(stored);
    return TMEM_OK;
}

enum tmem_result tm_unix_get_stored(struct tmem_pool *handle, const struct tmem_object_id *object, uint32_t index,
                                    struct tmem_stored *stored)
{
    struct tm_unix_pool *pool = tm_unix_pool_of(handle);
    struct tm_link *link = &pool->client->link;
    struct tm_wire_answer answer;
    uint32_t place;
    if (!has_stored_pages(pool->client))
        return get_plain(handle, object, index, stored);
    if (tm_unix_take_for(pool, 1, &place) == 0)
        return TMEM_UNAVAILABLE;
    struct tm_wire_request request = tm_unix_request(pool, TM_WIRE_GET_STORED, object, index, 0);
    tm_link_send(link, &place, &request, 1, true);
    bool is_answered = tm_link_wait(link, place, &answer);
    enum tmem_result result = tm_unix_result(is_answered, &answer);
    if (result == TMEM_OK) {
        stored->codec = tm_wire_stored_codec(answer.value);
        stored->size_bytes = tm_wire_stored_bytes(answer.value);
        bool fits = stored->size_bytes != 0 && stored->size_bytes <= TMEM_STORED_MAX;
        if (fits)
            memcpy(stored->bytes, tm_link_page(link, place), stored->size_bytes);
        stored->check = answer.check;
        /* What the daemon says of it, and what it gave, are two things that it may have written at any time. */
        if (!fits || stored->check != tm_stored_checksum(stored))
            result = TMEM_UNAVAILABLE;
    }
    tm_link_give_back(link, &place, 1);
    return result;
}

/* ---- putting ---- */

/* TMEM_OK: @page holds the page. TMEM_NOMEM leaves it open whether it is one. */
static enum tmem_result decode(const struct tmem_stored *stored, void *page)
{
    struct tm_codec codec;
    bool made = tm_codec_create(TM_CODEC_RAW, 0, &codec);
    TM_ASSERT(made);
    if (!codec.knows(&codec, (enum tm_codec_id)stored->codec))
        return TMEM_UNSUPPORTED;
    void *context = aligned_alloc(TM_CACHE_LINE, (size_t)tm_round_up(codec.context_bytes, TM_CACHE_LINE));
    if (context == NULL)
        return TMEM_NOMEM;
    memset(context, 0, codec.context_bytes);
    enum tmem_result result = TMEM_NOMEM;
    if (codec.context_init(&codec, context)) {
        bool is_page =
            codec.decode(&codec, context, (enum tm_codec_id)stored->codec, stored->bytes, stored->size_bytes, page);
        result = is_page ? TMEM_OK : TMEM_INVALID;
    }
    free(context);
    return result;
}

static enum tmem_result put_plain(struct tmem_pool *handle, const struct tmem_object_id *object, uint32_t index,
                                  const struct tmem_stored *stored, uint32_t flags)
{
    unsigned char page[TMEM_PAGE_SIZE];
    enum tmem_result result = decode(stored, page);
    if (result == TMEM_OK)
        return tm_unix_put(handle, object, index, page, flags);
    if (result != TMEM_NOMEM)
        return result;
    if (flags == TMEM_PUT_KEEP)
        return TMEM_KEPT;
    /* A put that failed for want of memory leaves nothing under its handle. */
    enum tmem_result removed = tm_unix_invalidate_page(handle, object, index);
    return removed == TMEM_UNAVAILABLE ? TMEM_UNAVAILABLE : TMEM_NOMEM;
}

enum tmem_result tm_unix_put_stored(struct tmem_pool *handle, const struct tmem_object_id *object, uint32_t index,
                                    const struct tmem_stored *stored, uint32_t flags)
{
    struct tm_unix_pool *pool = tm_unix_pool_of(handle);
    struct tm_link *link = &pool->client->link;
    struct tm_wire_answer answer;
    uint32_t place;
    if (!tm_unix_put_flags_ok(pool, flags))
        return TMEM_INVALID;
    if (!has_stored_pages(pool->client))
        return put_plain(handle, object, index, stored, flags);
    if (tm_unix_take_for(pool, 1, &place) == 0)
        return TMEM_UNAVAILABLE;
    struct tm_wire_request request = tm_unix_request(pool, TM_WIRE_PUT_STORED, object, index, flags);
    request.stored = tm_wire_stored(stored->codec, stored->size_bytes);
    memcpy(tm_link_page(link, place), stored->bytes, stored->size_bytes);
    tm_link_send(link, &place, &request, 1, true);
    bool is_answered = tm_link_wait(link, place, &answer);
    tm_link_give_back(link, &place, 1);
    return tm_unix_result(is_answered, &answer);
}
