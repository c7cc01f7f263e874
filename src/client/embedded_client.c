/* SPDX-License-Identifier: BSD-2-Clause */
/* embedded_client.c - clients and pools of an engine in this process. */
#include <string.h>

#include "client/embedded.h"

TM_STATIC_ASSERT(TM_CLIENT_NAME_BYTES == TMEM_CLIENT_NAME_SIZE);
TM_STATIC_ASSERT((int)TM_POOL_PERSISTENT == (int)TMEM_POOL_PERSISTENT);
TM_STATIC_ASSERT((int)TM_POOL_SHARED == (int)TMEM_POOL_SHARED);
TM_STATIC_ASSERT(sizeof(struct tm_uuid) == sizeof(struct tmem_uuid));

/* ---- clients ---- */

enum tmem_result tm_embedded_client_create(struct tmem_store *store, const char *name,
                                           const struct tmem_client_options *options, struct tmem_client **client)
{
    struct tm_client *made;
    enum tm_result result =
        tm_client_create(tm_embedded_of(store)->engine, name, options->weight, options->cap_bytes, &made);
    if (result == TM_OK)
        *client = (struct tmem_client *)(void *)made;
    return tm_public(result);
}

enum tmem_result tm_embedded_client_open(struct tmem_store *store, const char *name, struct tmem_client **client)
{
    struct tm_client *found = tm_client_find(tm_embedded_of(store)->engine, name);
    if (found == NULL)
        return TMEM_NOT_FOUND;
    *client = (struct tmem_client *)(void *)found;
    return TMEM_OK;
}

void tm_embedded_client_destroy(struct tmem_client *client)
{
    tm_client_destroy(tm_client_of(client));
}

enum tmem_result tm_embedded_client_set_weight(struct tmem_client *client, uint32_t weight)
{
    return tm_public(tm_client_set_weight(tm_client_of(client), weight));
}

enum tmem_result tm_embedded_client_set_cap(struct tmem_client *client, uint64_t cap_bytes)
{
    tm_client_set_cap(tm_client_of(client), cap_bytes);
    return TMEM_OK;
}

enum tmem_result tm_embedded_client_set_frozen(struct tmem_client *client, bool is_frozen)
{
    tm_client_set_frozen(tm_client_of(client), is_frozen);
    return TMEM_OK;
}

enum tmem_result tm_embedded_client_authorise(struct tmem_client *client, const struct tmem_uuid *uuid)
{
    return tm_public(tm_client_authorise(tm_client_of(client), tm_uuid_of(uuid)));
}

enum tmem_result tm_embedded_client_deauthorise(struct tmem_client *client, const struct tmem_uuid *uuid)
{
    return tm_public(tm_client_deauthorise(tm_client_of(client), tm_uuid_of(uuid)));
}

/* ---- pools ---- */

enum tmem_result tm_embedded_pool_create(struct tmem_client *client, uint32_t flags, const struct tmem_uuid *uuid,
                                         struct tmem_pool **pool)
{
    struct tm_member *made;
    enum tm_result result = tm_pool_create(tm_client_of(client), flags, tm_uuid_of(uuid), &made);
    if (result == TM_OK)
        *pool = (struct tmem_pool *)(void *)made;
    return tm_public(result);
}

enum tmem_result tm_embedded_pool_open(struct tmem_client *client, uint64_t pool_id, struct tmem_pool **pool)
{
    struct tm_member *found = tm_pool_find(tm_client_of(client), pool_id);
    if (found == NULL)
        return TMEM_NOT_FOUND;
    *pool = (struct tmem_pool *)(void *)found;
    return TMEM_OK;
}

uint64_t tm_embedded_pool_id(const struct tmem_pool *pool)
{
    return tm_pool_id((const struct tm_member *)(const void *)pool);
}

void tm_embedded_pool_destroy(struct tmem_pool *pool)
{
    tm_pool_destroy(tm_member_of(pool));
}

enum tmem_result tm_embedded_client_pools(struct tmem_client *client, uint64_t after, uint64_t *ids,
                                          size_t capacity, size_t *count)
{
    for (*count = 0; *count < capacity && tm_pool_next_id(tm_client_of(client), after, &ids[*count]); (*count)++)
        after = ids[*count];
    return TMEM_OK;
}

/* ---- statistics ---- */

static void copy_counters(const struct tm_page_counts *from, struct tmem_counters *to)
{
    *to = (struct tmem_counters){
        .pages = from->pages,
        .pages_max = from->pages_max,
        .objects = from->objects,
        .puts = from->puts,
        .puts_stored = from->puts - from->puts_refused,
        .puts_replaced = from->puts_replaced,
        .puts_refused = from->puts_refused,
        .puts_dropped_old = from->puts_dropped_old,
        .gets = from->gets,
        .gets_found = from->gets_found,
        .gets_corrupt = from->gets_corrupt,
        .invalidates = from->invalidates,
        .invalidates_found = from->invalidates_found,
        .object_invalidates = from->object_invalidates,
        .object_invalidates_found = from->object_invalidates_found,
        .evicted = from->evicted,
        .same_filled = from->same_filled,
    };
}

enum tmem_result tm_embedded_client_stats(struct tmem_client *client, struct tmem_client_stats *stats)
{
    struct tm_client_figures figures;
    tm_client_figures(tm_client_of(client), &figures);
    *stats = (struct tmem_client_stats){
        .weight = figures.weight,
        .frozen = figures.frozen,
        .cap_bytes = figures.cap_bytes,
        .charged_bytes = figures.charged_bytes,
        .charged_max_bytes = figures.charged_max_bytes,
        .pools = figures.pools,
        .evicted_for_others = figures.evicted_for_others,
    };
    memcpy(stats->name, figures.name, sizeof stats->name);
    copy_counters(&figures.counts, &stats->counters);
    return TMEM_OK;
}

enum tmem_result tm_embedded_pool_stats(struct tmem_pool *pool, struct tmem_pool_stats *stats)
{
    struct tm_pool_figures figures;
    tm_pool_figures(tm_member_of(pool), &figures);
    *stats = (struct tmem_pool_stats){
        .id = figures.id,
        .flags = figures.flags,
        .members = figures.members,
        .uuid = {{figures.uuid.word[0], figures.uuid.word[1]}},
    };
    copy_counters(&figures.counts, &stats->counters);
    return TMEM_OK;
}
