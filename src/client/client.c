/* SPDX-License-Identifier: BSD-2-Clause */
/* client.c - the public API: clients and pools. */
#include "client/home.h"

/* ---- clients ---- */

enum tmem_result tmem_client_create(struct tmem_store *store, const char *name,
                                    const struct tmem_client_options *options, struct tmem_client **client)
{
    const struct tmem_client_options defaults = TMEM_CLIENT_OPTIONS_INIT;
    if (store == NULL || name == NULL || client == NULL)
        return TMEM_INVALID;
    if (options == NULL)
        options = &defaults;
    if (options->reserved != 0)
        return TMEM_INVALID;
    return store->home->client_create(store, name, options, client);
}

enum tmem_result tmem_client_open(struct tmem_store *store, const char *name, struct tmem_client **client)
{
    if (store == NULL || name == NULL || client == NULL)
        return TMEM_INVALID;
    return store->home->client_open(store, name, client);
}

void tmem_client_destroy(struct tmem_client *client)
{
    if (client != NULL)
        tm_home_of(client)->client_destroy(client);
}

enum tmem_result tmem_client_set_weight(struct tmem_client *client, uint32_t weight)
{
    if (client == NULL)
        return TMEM_INVALID;
    const struct tm_home *home = tm_home_of(client);
    return home->client_set_weight != NULL ? home->client_set_weight(client, weight) : TMEM_UNSUPPORTED;
}

enum tmem_result tmem_client_set_cap(struct tmem_client *client, uint64_t cap_bytes)
{
    if (client == NULL)
        return TMEM_INVALID;
    const struct tm_home *home = tm_home_of(client);
    return home->client_set_cap != NULL ? home->client_set_cap(client, cap_bytes) : TMEM_UNSUPPORTED;
}

enum tmem_result tmem_client_set_compress(struct tmem_client *client, bool compress)
{
    if (client == NULL)
        return TMEM_INVALID;
    const struct tm_home *home = tm_home_of(client);
    return home->client_set_compress != NULL ? home->client_set_compress(client, compress) : TMEM_UNSUPPORTED;
}

enum tmem_result tmem_client_reclaim(struct tmem_client *client, uint64_t bytes, uint64_t *released_bytes)
{
    if (client == NULL || released_bytes == NULL)
        return TMEM_INVALID;
    const struct tm_home *home = tm_home_of(client);
    return home->client_reclaim != NULL ? home->client_reclaim(client, bytes, released_bytes) : TMEM_UNSUPPORTED;
}

static enum tmem_result set_frozen(struct tmem_client *client, bool is_frozen)
{
    if (client == NULL)
        return TMEM_INVALID;
    const struct tm_home *home = tm_home_of(client);
    return home->client_set_frozen != NULL ? home->client_set_frozen(client, is_frozen) : TMEM_UNSUPPORTED;
}

enum tmem_result tmem_client_freeze(struct tmem_client *client)
{
    return set_frozen(client, true);
}

enum tmem_result tmem_client_thaw(struct tmem_client *client)
{
    return set_frozen(client, false);
}

enum tmem_result tmem_client_authorise(struct tmem_client *client, const struct tmem_uuid *uuid)
{
    if (client == NULL || uuid == NULL)
        return TMEM_INVALID;
    const struct tm_home *home = tm_home_of(client);
    return home->client_authorise != NULL ? home->client_authorise(client, uuid) : TMEM_UNSUPPORTED;
}

enum tmem_result tmem_client_deauthorise(struct tmem_client *client, const struct tmem_uuid *uuid)
{
    if (client == NULL || uuid == NULL)
        return TMEM_INVALID;
    const struct tm_home *home = tm_home_of(client);
    return home->client_deauthorise != NULL ? home->client_deauthorise(client, uuid) : TMEM_UNSUPPORTED;
}

/* ---- pools ---- */

enum tmem_result tmem_pool_create(struct tmem_client *client, uint32_t flags, const struct tmem_uuid *uuid,
                                  struct tmem_pool **pool)
{
    if (client == NULL || pool == NULL)
        return TMEM_INVALID;
    return tm_home_of(client)->pool_create(client, flags, uuid, pool);
}

enum tmem_result tmem_pool_open(struct tmem_client *client, uint64_t pool_id, struct tmem_pool **pool)
{
    if (client == NULL || pool == NULL)
        return TMEM_INVALID;
    return tm_home_of(client)->pool_open(client, pool_id, pool);
}

uint64_t tmem_pool_id(const struct tmem_pool *pool)
{
    return pool == NULL ? 0 : tm_home_of(pool)->pool_id(pool);
}

void tmem_pool_destroy(struct tmem_pool *pool)
{
    if (pool != NULL)
        tm_home_of(pool)->pool_destroy(pool);
}

enum tmem_result tmem_client_pools(struct tmem_client *client, uint64_t after, uint64_t *ids, size_t capacity,
                                   size_t *count)
{
    if (client == NULL || ids == NULL || count == NULL)
        return TMEM_INVALID;
    return tm_home_of(client)->client_pools(client, after, ids, capacity, count);
}

/* ---- statistics ---- */

void tm_stats_copy(void *out, size_t out_bytes, const void *stats, size_t stats_bytes)
{
    memset(out, 0, out_bytes);
    memcpy(out, stats, out_bytes < stats_bytes ? out_bytes : stats_bytes);
}

enum tmem_result tmem_client_stats(struct tmem_client *client, struct tmem_client_stats *out, size_t out_bytes)
{
    struct tmem_client_stats stats;
    if (client == NULL || out == NULL)
        return TMEM_INVALID;
    enum tmem_result result = tm_home_of(client)->client_stats(client, &stats);
    if (result == TMEM_OK)
        tm_stats_copy(out, out_bytes, &stats, sizeof stats);
    return result;
}

enum tmem_result tmem_pool_stats(struct tmem_pool *pool, struct tmem_pool_stats *out, size_t out_bytes)
{
    struct tmem_pool_stats stats;
    if (pool == NULL || out == NULL)
        return TMEM_INVALID;
    enum tmem_result result = tm_home_of(pool)->pool_stats(pool, &stats);
    if (result == TMEM_OK)
        tm_stats_copy(out, out_bytes, &stats, sizeof stats);
    return result;
}
